#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# systemctl reload, with the unit as it is shipped: it says no when the daemon does, and nothing else happens.
# shellcheck disable=SC2154 # IN and OUT come from {IN} and {OUT}

load lib.bash

CONFIG=/etc/minats/minats.conf
REASON="$CONFIG:2:3: unknown field \"nonsense\""

setup() {
	machine_need
	machine systemctl start minats.service
	# Since then, in the journal.
	CURSOR=$(machine journalctl --quiet --lines=0 --show-cursor | sed -n 's/^-- cursor: //p')
}

teardown() {
	machine_rest
	[[ -n $MACHINE_OBSTACLE ]] || echo | machine_write $CONFIG
}

show() {
	machine systemctl show --value --property "$1" minats.service
}

journal_has() {
	machine journalctl --sync
	machine journalctl --quiet --unit minats.service --after-cursor "$CURSOR" --output cat --no-pager | grep -qxF -- "$1"
}

refuse() {
	printf '\n  nonsense: 1\n' | machine_write $CONFIG
	run -1 machine systemctl reload minats.service
	[[ $output == *'Job for minats.service failed'* ]] || fail "$output"
}

@test "the configuration belongs to root and the service, also after somebody has replaced it" {
	[[ $(machine stat -c %U:%G:%a /etc/minats) == root:minats:750 ]]
	machine rm $CONFIG
	echo 'max_payload: 1000' | machine_write $CONFIG
	machine systemd-tmpfiles --create minats.conf
	[[ $(machine stat -c %U:%G:%a $CONFIG) == root:minats:640 ]]
	machine systemctl reload minats.service
	machine_talk PING
	[[ $ANSWER == *'"max_payload":1000,'* ]] || fail "heard «$ANSWER»"
}

@test "a file that is not there is none, and a restart takes what a reload does not" {
	machine rm $CONFIG
	machine systemctl reload minats.service
	journal_has 'Reloaded server configuration'
	echo 'server_name: attic' | machine_write $CONFIG
	run -1 machine systemctl reload minats.service
	machine systemctl restart minats.service
	machine_talk PING
	[[ $ANSWER == *'"server_name":"attic"'* ]] || fail "heard «$ANSWER»"
}

@test "a secret comes by systemd, over a reload and a restart" {
	local order
	echo open-sesame | machine_write /etc/minats/key
	machine chmod 600 /etc/minats/key
	# shellcheck disable=SC2016 # the file's variable
	echo 'authorization: { token: $KEY }' | machine_write $CONFIG
	printf '[Service]\nLoadCredential=KEY:/etc/minats/key\n' |
		machine_write /etc/systemd/system/minats.service.d/test.conf
	machine systemctl daemon-reload
	for order in restart reload restart; do
		machine systemctl $order minats.service
		machine_talk 'CONNECT {"verbose":false,"auth_token":"open-sesame"}' PING
		[[ $ANSWER == *PONG ]] || fail "after $order: «$ANSWER»"
		machine_talk 'CONNECT {"verbose":false,"auth_token":"open"}' PING
		[[ $ANSWER == *'Authorization Violation'* ]] || fail "after $order: «$ANSWER»"
	done
	machine rm -r /etc/minats/key /etc/systemd/system/minats.service.d
	machine systemctl daemon-reload
}

@test "a refused reload fails, its reason is in the status and in the journal" {
	local before
	before=$(show MainPID)
	refuse
	# At once, for the answer is the last that is told.
	[[ $(show StatusText) == "Reload refused: $REASON; Waiting for clients on "* ]] || fail "status: $(show StatusText)"
	[[ $(show ActiveState) == active && $(show SubState) == running ]]
	[[ $(show MainPID) == "$before" && $(show NRestarts) == 0 ]]
	# Once from the daemon, and once from what systemctl has run.
	journal_has "Failed to reload server configuration: $REASON"
	journal_has "minats: reload refused: $REASON"
	run -0 machine systemctl --no-pager --full status minats.service
	[[ $output == *"Status: \"Reload refused: $REASON"* ]] || fail "$output"
	[[ $output == *'ExecReload='*'status=1/FAILURE'* ]] || fail "$output"
	# Again, with the last answer still lying there.
	refuse
}

@test "clients stay, and are served, while it is refused" {
	local line
	coproc CLIENT { machine nc 127.0.0.1 4222; }
	# bash closes its own ones as soon as the client ends, read or not.
	exec {IN}>&"${CLIENT[1]}" {OUT}<&"${CLIENT[0]}"
	read -r -t "$LIMIT_S" line <&"$OUT"
	[[ $line == INFO* ]]
	printf 'CONNECT {"verbose":false}\r\nSUB foo 1\r\nPING\r\n' >&"$IN"
	until [[ $line == PONG* ]]; do
		read -r -t "$LIMIT_S" line <&"$OUT"
	done
	refuse
	machine_talk 'CONNECT {"verbose":false}' 'PUB foo 2' hi PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
	until [[ $line == MSG* ]]; do
		read -r -t "$LIMIT_S" line <&"$OUT"
	done
	exec {IN}>&- {OUT}<&-
}

@test "who is not root, and not the daemon's user, cannot forge the answer" {
	refuse
	[[ $(machine stat -c %U:%a /run/minats) == minats:755 ]]
	[[ $(machine stat -c %U:%a /run/minats/reload) == minats:644 ]]
	machine systemctl stop minats.socket minats.service
	run -1 machine test -e /run/minats
}

@test "a daemon that dies meanwhile is an error, and comes back" {
	local before order status=0
	before=$(show MainPID)
	machine kill -STOP "$before"
	machine systemctl reload minats.service >"$BATS_TEST_TMPDIR/said" 2>&1 &
	order=$!
	# The order is given, not taken.
	machine_await grep -qE '^ShdPnd:.*[13579bdf]$' "/proc/$before/status"
	kill -0 "$order"
	machine kill -KILL "$before"
	wait "$order" || status=$?
	((status == 1)) || fail "systemctl ended with $status: $(<"$BATS_TEST_TMPDIR/said")"
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
	[[ $(show MainPID) != "$before" ]]
}
