#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# --exit-idle-time: the end after so long without clients, where somebody starts it again.
# The moment of exit itself is met in tests/systemd/idle.bats.
# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own
# shellcheck disable=SC2034 # LOG and PORT are for lib.bash

load lib.bash

setup() {
	lib_setup
	ours '--exit-idle-time'
}

# start_idle TIME [OPTION...]: in inetd's way, so that it starts without a client.
start_idle() {
	spawn "$BATS_TEST_DIRNAME/tools/inetd.pl" "$DIR/port" "$MINATS" --inetd -l "$DIR/file.log" \
		--ports_file_dir "$DIR" --exit-idle-time "$@"
	LOG=$DIR/file.log
	await_ports
	PORT=$(<"$DIR/port")
}

# now: in milliseconds.
now() {
	echo "$((${EPOCHREALTIME/./} / 1000))"
}

# ended_well: with status 0, saying why.
ended_well() {
	await_exit
	((EXIT_STATUS == 0)) || fail "it ended with $EXIT_STATUS" || return
	log_has '\[INF\] No clients for .*s: not needed any more$'
}

@test "with a socket of its own it is refused" {
	refuses '--exit-idle-time' 'nobody would start minats again' systemd inetd -- -a 127.0.0.1 -p -1 \
		--exit-idle-time 5
	refuses exit-idle-time -- -a 127.0.0.1 -p -1 --exit-idle-time=soon
	refuses exit-idle-time -- -a 127.0.0.1 -p -1 --exit-idle-time=-1
	# Zero is never.
	start_broker --exit-idle-time 0
	join c
}

@test "when nobody comes it ends after that time, counted from the start" {
	local start
	start=$(now)
	start_idle 700ms
	ended_well
	(($(now) - start >= 700)) || fail "after $(($(now) - start)) ms"
	log_has 'No clients for 0.7s'
}

@test "it is off by default" {
	spawn "$BATS_TEST_DIRNAME/tools/inetd.pl" "$DIR/port" "$MINATS" --inetd -l "$DIR/file.log"
	await test -s "$DIR/port"
	PORT=$(<"$DIR/port")
	join c
	close c
	pause 1
	join c
}

@test "a client keeps it, however silent; the time counts from the last one's end" {
	local left
	start_idle 300ms
	join a
	join b
	close a
	pause 0.8
	hear_nothing b
	left=$(now)
	close b
	ended_well
	(($(now) - left >= 300)) || fail "after $(($(now) - left)) ms"
}

@test "who comes and goes starts the time anew" {
	local left
	start_idle 1s
	for _ in {1..4}; do
		pause 0.4
		left=$(now)
		join c
		close c
	done
	ended_well
	(($(now) - left >= 1000)) || fail "after $(($(now) - left)) ms"
}

@test "a connection whose last bytes are still on their way is a client" {
	local start
	start_idle 300ms
	join c
	say c BOGUS
	start=$(now)
	# The broker has said all, and waits up to two seconds for this side to close.
	hear c "-ERR 'Unknown Protocol Operation'"
	ended_well
	(($(now) - start >= 1800)) || fail "after $(($(now) - start)) ms, with a client that lingers"
}

# Both have happened by the time that it looks: a client has come, and the time is over.
@test "a client that comes in the moment of exit is served" {
	start_idle 500ms
	kill -STOP "$BROKER_PID"
	open c
	pause 0.8
	kill -CONT "$BROKER_PID"
	hear_info c
	say c PING
	hear c PONG
	close c
	ended_well
}

@test "with a socket from systemd" {
	PORT=$(free_port)
	activate "127.0.0.1:$PORT" --exit-idle-time 300ms
	await open c
	hear_info c
	pause 0.6
	hear_nothing c
	close c
	ended_well
}

# switches: how often its threads have gone to sleep.
switches() {
	cat "/proc/$BROKER_PID/task/"*/status | awk '$1 == "voluntary_ctxt_switches:" { sum += $2 } END { print sum }'
}

@test "with a client, and without, it sleeps until then" {
	local before
	start_idle 4s
	join c
	hear_like c '^PING$'
	say c PONG PING
	hear_like c '^PONG$'
	pause 0.3
	before=$(switches)
	# The four seconds from the start end meanwhile.
	pause 2.5
	(($(switches) == before)) || fail 'it woke with a client'
	close c
	pause 0.5
	before=$(switches)
	pause 2
	(($(switches) == before)) || fail 'it woke without a client'
	ended_well
}
