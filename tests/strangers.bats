#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Whoever can reach the port harms nobody but himself: limits of those of whom nobody knows who they are.

load lib.bash

setup() {
	lib_setup
	RELAYS=()
	# shellcheck disable=SC2016 # bcrypt's, of sesame
	HASH='$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW'
}

teardown() {
	local pid
	# shellcheck disable=SC2034 # lib_teardown's
	PORT=
	lib_teardown || return
	for pid in "${RELAYS[@]}"; do
		kill "$pid"
	done
}

# relay ADDRESS: clients of port RELAY come to the broker from there.
relay() {
	RELAY=$(free_port)
	(
		close_all
		exec socat "TCP-LISTEN:$RELAY,bind=127.0.0.1,reuseaddr,fork,max-children=8" "TCP:127.0.0.1:$PORT,bind=$1" 3>&-
	) &
	RELAYS+=($!)
	# shellcheck disable=SC2016 # when it is tried
	await eval 'open probe "$RELAY" 2>/dev/null'
	hear_info probe
	close probe
}

@test "an address has so many connections, and another one as many" {
	ours 'limits of an address'
	start_broker --max_connections_per_address 2
	knock a
	hear a PONG
	knock b
	hear b PONG
	open c
	hear_info c
	hear_refusal c 'maximum connections exceeded'
	relay 127.0.0.2
	knock d '' "$RELAY"
	hear d PONG
	close a
	await eval 'knock e 2>/dev/null && hear e PONG 2>/dev/null'
	hear_nothing b
}

@test "a user of this machine has so many connections on Unix sockets" {
	ours 'limits of a user'
	spawn "$MINATS" --listen "unix:$DIR/socket" --max_connections_per_uid 1
	await_socket "$DIR/socket"
	coproc ONE { exec nc -U "$DIR/socket" 3>&-; }
	# shellcheck disable=SC2154 # coproc's
	local pid=$ONE_PID line
	read -r -t "$LIMIT_S" line <&"${ONE[0]}"
	[[ $line == INFO* ]]
	[[ $(timeout "$LIMIT_S" nc -U "$DIR/socket" </dev/null) == *"-ERR 'maximum connections exceeded'"* ]]
	kill "$pid"
	wait "$pid" || true
	# shellcheck disable=SC2016 # when it is tried
	await eval '[[ $(printf "PING\r\n" | timeout "$LIMIT_S" nc -N -U "$DIR/socket") == *PONG* ]]'
}

# come_and_go COUNT: so many connections, one after the other; how many were greeted is in GREETED.
come_and_go() {
	local at line
	GREETED=0
	for ((at = 0; at < $1; at++)); do
		open knocker || return
		IFS= read -r -t "$LIMIT_S" -u "${FD[knocker]}" line || true
		[[ $line != INFO* ]] || GREETED=$((GREETED + 1))
		close knocker
	done
}

@test "an address may come so fast, over ten seconds" {
	ours 'limits of an address'
	start_broker --connection_rate 3
	come_and_go 60
	((GREETED >= 31 && GREETED <= 40))
	await_log 'New connections are turned away: they come too fast'
	# Nobody else is concerned, and it may come again, at its rate.
	relay 127.0.0.2
	knock other '' "$RELAY"
	hear other PONG
	pause 1
	come_and_go 10
	((GREETED >= 1 && GREETED <= 8))
	(($(grep -c 'too fast' "$LOG") == 1))
}

@test "without options this machine may come as fast as it can" {
	start_broker
	come_and_go 2000
	((GREETED == 2000))
}

@test "of those who do not say who they are the oldest goes" {
	ours 'limits of strangers'
	start_broker --auth sesame --max_unauthenticated_per_address 3
	local name
	knock known '"auth_token":"sesame"'
	hear known PONG
	for name in a b c; do
		open "$name"
		hear_info "$name"
	done
	relay 127.0.0.2
	open other "$RELAY"
	hear_info other
	knock d '"auth_token":"sesame"'
	hear d PONG
	hear_closed a
	hear_nothing known
	for name in b c other; do
		say "$name" 'CONNECT {"verbose":false,"auth_token":"sesame"}' PING
		hear "$name" PONG
	done
	await_log 'Too Many Unauthenticated Clients'
}

@test "and of those of all addresses" {
	ours 'limits of strangers'
	start_broker --auth sesame --max_unauthenticated 2
	relay 127.0.0.2
	open a "$RELAY"
	hear_info a
	relay 127.0.0.3
	open b "$RELAY"
	hear_info b
	knock c '"auth_token":"sesame"'
	hear c PONG
	hear_closed a
	say b 'CONNECT {"verbose":false,"auth_token":"sesame"}' PING
	hear b PONG
}

@test "where nobody is asked nobody is a stranger" {
	ours 'limits of strangers'
	start_broker --max_unauthenticated 1
	local at
	for ((at = 0; at < 20; at++)); do
		open "a$at"
		hear_info "a$at"
	done
	for ((at = 0; at < 20; at++)); do
		hear_nothing "a$at"
	done
}

@test "what a stranger may make the broker keep is bounded" {
	start_broker --user joe --pass "$HASH"
	open one
	hear_info one
	say_raw one "CONNECT $(printf '%05000d' 0)"
	hear_refusal one 'maximum control line exceeded'
	# What comes behind a password that is checked is not read on and on.
	open other
	hear_info other
	say other 'CONNECT {"user":"joe","pass":"wrong"}'
	for ((at = 0; at < 64; at++)); do
		say_raw other "PUB a 100000\r\n$(printf '%0100000d' 0)\r\n"
	done &
	hear_refusal other 'Authorization Violation'
	wait $!
}

@test "wrong passwords of one address keep no other one waiting" {
	start_broker --user joe --pass "$HASH"
	relay 127.0.0.2
	local at start
	for ((at = 0; at < 200; at++)); do
		knock "wrong$at" '"user":"joe","pass":"wrong"'
	done
	start=${EPOCHREALTIME/[.,]/}
	knock honest '"user":"joe","pass":"sesame"' "$RELAY"
	hear honest PONG
	((${EPOCHREALTIME/[.,]/} - start < 2000000))
	hear_refusal wrong0 'Authorization Violation'
}
