#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The journal as the admin's tool: what can be filtered by, and what is explained.
# shellcheck disable=SC2034 # for lib.bash

load lib.bash
load journal.bash

@test "a record tells which client, by what name, library and address, what for and about which subject" {
	begin
	machine_talk 'CONNECT {"verbose":false,"name":"billing","lang":"c","version":"3.8.0"}' 'SUB a..b 1' PING
	[[ $ANSWER == *$'\n'"-ERR 'Invalid Subject'"$'\nPONG' ]] || fail "heard «$ANSWER»"
	local cid
	cid=$(sed -nE '1s/.*"client_id":([0-9]+).*/\1/p' <<<"$ANSWER")
	is_one "$(events INVALID_SUBJECT)" ".NATS_CID == \"$cid\" and (.NATS_PEER | test(\"^127.0.0.1:[0-9]+\$\")) and
		.NATS_NAME == \"billing\" and .NATS_LANG == \"c\" and .NATS_VERSION == \"3.8.0\" and
		.NATS_LISTENER == \"0.0.0.0:4222\" and .NATS_REASON == \"Invalid Subject\" and .NATS_SUBJECT == \"a..b\" and
		.PRIORITY == \"4\" and .SYSLOG_IDENTIFIER == \"minats\" and .SYSLOG_FACILITY == \"3\" and
		(.MESSAGE | endswith(\" - \\\"v3.8.0:c:billing\\\" - Client error: Invalid Subject \\\"a..b\\\"\")) and
		.NATS_COUNT == null and .NATS_PENDING == null"
	# Each of them finds it, and another value does not.
	local field
	for field in "NATS_CID=$cid" NATS_NAME=billing NATS_LANG=c NATS_VERSION=3.8.0 NATS_LISTENER=0.0.0.0:4222 \
		'NATS_REASON=Invalid Subject' NATS_SUBJECT=a..b; do
		is_one "$(events INVALID_SUBJECT "$field")" true
		[[ -z $(events INVALID_SUBJECT "${field}x") ]] || fail "found by ${field}x"
	done
}

@test "what a client was refused is told with the subject" {
	run_with --max_subscriptions 1 --max_subscription_tokens 3 </dev/null
	local said text
	while IFS='|' read -r said text; do
		printf -v said %b "$said"
		machine_talk 'CONNECT {"verbose":false}' 'SUB mine 1' "$said" PING
		[[ $ANSWER == *$'\nPONG' ]] || fail "heard «$ANSWER»"
		records | jq --slurp --exit-status --arg text "Client error: $text" \
			'any(.[]; (.MESSAGE | endswith($text)) and (.NATS_SUBJECT | inside($text)))' >/dev/null ||
			fail "no record: $text"
	done <<-'END'
		PUB $NRG.a 0\r\n|Permissions Violation for Publish to "$NRG.a"
		PUB a _R_.b 0\r\n|Permissions Violation for Publish with Reply of "_R_.b"
		SUB a _sys_ 2|Permissions Violation for Subscription to "a" using queue "_sys_"
		SUB a.b.c.d 2|Permissions Violation for Subscription to "a.b.c.d", too many tokens
		SUB other 2|maximum subscriptions exceeded "other"
	END
	[[ $(events PERMISSION | wc -l) == 4 ]]
	[[ $(events PERMISSION 'NATS_REASON=Permissions Violation for Subscription' | wc -l) == 2 ]]
	is_one "$(events MAX_SUBSCRIPTIONS)" '.NATS_SUBJECT == "other"'
}

@test "each kind has its MESSAGE_ID, which finds it and nothing else" {
	run_with -D --max_connections 1 </dev/null
	local kind said reason
	while IFS='|' read -r kind reason said; do
		machine_talk "$said" PING
		is_one "$(events "$kind")" ".NATS_REASON == \"$reason\" and .PRIORITY == \"4\" and (.MESSAGE | contains(\"$reason\"))"
	done <<-END
		PROTOCOL_VIOLATION|Protocol Violation|BOGUS
		PROTOCOL_VERSION|Bad Client Protocol Version|CONNECT {"protocol":2}
		NO_RESPONDERS|No Responders Requires Headers|CONNECT {"no_responders":true}
		CONTROL_LINE|Maximum Control Line Exceeded|SUB $(printf '%05000d' 0) 1
		MAX_PAYLOAD|Maximum Message Payload Exceeded|PUB big 2000000
		AUTHENTICATION|Authentication Failure|CONNECT {"account":"a"}
		CLIENT_ERROR|Client Closed|-ERR 'no'
	END
	is_one "$(events MAX_PAYLOAD)" '.NATS_SUBJECT == "big"'
	machine_talk 'CONNECT {"verbose":false}' PING
	is_one "$(events CLIENT_CONNECTED)" '.MESSAGE | endswith("Client connected")'
	is_one "$(events CLIENT_CLOSED)" '.NATS_REASON == "Client Closed" and .PRIORITY == "7"'
	[[ $(events CLIENT_CREATED | wc -l) == 8 ]]
	# One who stays, one too many.
	local line
	coproc CLIENT { machine nc 127.0.0.1 4222; }
	BACKGROUND=$CLIENT_PID
	read -r -t "$LIMIT_S" line <&"${CLIENT[0]}"
	machine_talk PING
	is_one "$(events MAX_CONNECTIONS)" '.NATS_REASON == "Maximum Connections Exceeded"'
	machine systemctl kill --signal=HUP "$UNIT"
	machine_await sh -c "journalctl MESSAGE_ID=$(id RELOAD_REFUSED) | grep -q Failed"
	machine systemctl kill --signal=INT "$UNIT"
	machine_await sh -c "! systemctl is-active $UNIT"
	is_one "$(events CLIENT_DISMISSED)" '.NATS_REASON == "Server Shutdown"'
	for kind in STARTING LISTENING READY RELOAD_REFUSED STOPPING STOPPED; do
		is_one "$(events "$kind")" true
	done
	is_one "$(events LISTENING)" '.NATS_LISTENER == "0.0.0.0:4222"'
	is_one "$(events RELOAD_REFUSED)" '.NATS_REASON | startswith("can only reload")'
	# All that there was, with every value filled in.
	local told
	told=$(machine journalctl --no-pager -x "_SYSTEMD_INVOCATION_ID=$INVOCATION" _COMM=minats | grep '^░░')
	[[ $(grep -c '^░░ Subject: ' <<<"$told") == $(records | jq --slurp 'map(select(.MESSAGE_ID)) | length') ]] ||
		fail "not all is explained"
	[[ $told != *@* ]] || fail "$(grep @ <<<"$told")"
	refute_grep 'NATS_[A-Z]+([^A-Z=]|$)' "$told"
}

refute_grep() {
	! grep -E "$1" <<<"$2" || fail "found: $1"
}

@test "journalctl -x explains what happened, with its values" {
	begin
	machine_talk 'CONNECT {"verbose":false}' 'PUB big 2000000'
	local told peer
	peer=$(events MAX_PAYLOAD | jq -r .NATS_PEER)
	[[ $peer =~ ^127\.0\.0\.1:[0-9]+$ ]]
	told=$(explain MAX_PAYLOAD)
	[[ $told == *"Subject: A client sent too large a message: $peer"* ]] || fail "$told"
	[[ $told == *'Defined-By: minats'*'Documentation: man:minats(8)'* ]] || fail "$told"
	[[ $told == *"$peer, published more than --max_payload"*to*big*'raise --max_payload.'* ]] || fail "$told"
}

@test "a client that does not read is told with what waited for it" {
	run_with --write_deadline 300ms </dev/null
	# It sends itself more than sockets hold, and hears nothing of it.
	# shellcheck disable=SC2016 # for the inner shell
	machine bash -c '
		exec 3<>/dev/tcp/127.0.0.1/4222
		printf "CONNECT {\"verbose\":false}\r\nSUB self 1\r\n" >&3
		for round in {1..24}; do
			printf "PUB self 1000000\r\n%01000000d\r\n" 0 >&3 || break
		done
		for try in {1..1000}; do
			journalctl MESSAGE_ID=$1 | grep -q closed && break
			sleep 0.01
		done 2>/dev/null' - "$(id SLOW_DEADLINE)"
	is_one "$(events SLOW_DEADLINE)" '.NATS_REASON == "Slow Consumer (Write Deadline)" and (.NATS_PENDING | tonumber) > 1000000'
	records | jq --slurp --exit-status "any(.[]; (.MESSAGE | test(\"Slow Consumer Detected: .* with [0-9]+ bytes pending\$\")) and
		.MESSAGE_ID == null and .NATS_PENDING != null)" >/dev/null || fail "$(records)"
	[[ $(explain SLOW_DEADLINE) =~ [0-9]{7,}' bytes were waiting for client ' ]] || fail "$(explain SLOW_DEADLINE)"
}

@test "what keeps it from running as told is an event as well" {
	run_with -p 4444 <<-'END'
		LimitNOFILE=64
	END
	is_one "$(events WITHOUT_EFFECT)" '.NATS_REASON == "--port" and .PRIORITY == "4"'
	is_one "$(events CONNECTIONS_LOWERED)" '.NATS_COUNT == "48" and (.MESSAGE | contains("lowered to 48"))'
	[[ $(explain CONNECTIONS_LOWERED) == *'than it was told to: 48'* ]]
	machine systemctl stop minats.socket "$UNIT"
	# Before there is a log of its own.
	printf '[Service]\nRestart=no\nExecStart=\nExecStart=/usr/bin/minats --nonsense\n' |
		machine_write "/etc/systemd/system/$UNIT.d/test.conf"
	machine systemctl daemon-reload
	run machine systemctl start "$UNIT"
	((status != 0))
	machine journalctl --sync
	is_one "$(machine journalctl -u "$UNIT" -o json "MESSAGE_ID=$(id FAILED)")" \
		'.PRIORITY == "2" and (.NATS_REASON | contains("--nonsense")) and .MESSAGE == .NATS_REASON'
}

@test "a restart under a client is told by both processes" {
	local line
	begin
	coproc CLIENT { machine nc 127.0.0.1 4222; }
	BACKGROUND=$CLIENT_PID
	read -r -t "$LIMIT_S" line <&"${CLIENT[0]}"
	machine systemctl restart "$UNIT"
	is_one "$(events PARKED)" '.NATS_COUNT == "1"'
	refute_grep 'NATS_[A-Z]+([^A-Z=]|$)' "$(explain PARKED)"
	begin
	is_one "$(events TAKEN_OVER)" '.NATS_COUNT == "1" and (.MESSAGE | startswith("Took over 1 connection"))'
	refute_grep 'NATS_[A-Z]+([^A-Z=]|$)' "$(explain TAKEN_OVER)"
}
