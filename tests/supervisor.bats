#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What a supervisor hears: readiness, the end, and the watchdog; and how quiet the broker is meanwhile.

# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own

load lib.bash

setup() {
	lib_setup
	ours 'a supervisor'
	# One datagram a line, as systemd would get them.
	export NOTIFY_SOCKET=$DIR/notify
	socat -u "UNIX-RECV:$NOTIFY_SOCKET" "OPEN:$DIR/notified,creat" 3>&- &
	SOCAT_PID=$!
	await test -S "$NOTIFY_SOCKET"
}

teardown() {
	if [[ -n ${SOCAT_PID:-} ]]; then
		kill "$SOCAT_PID"
		wait "$SOCAT_PID" || true
	fi
	lib_teardown
}

notified() {
	grep -q -- "$1" "$DIR/notified"
}

# switches: how often the threads of the broker have gone to sleep, and so were woken, in SWITCHES.
switches() {
	local file key value
	SWITCHES=0
	for file in "/proc/$BROKER_PID/task/"*/status; do
		while read -r key value; do
			[[ $key != voluntary_ctxt_switches: ]] || SWITCHES=$((SWITCHES + value))
		done <"$file"
	done
}

@test "READY=1 when it listens, STOPPING=1 when it ends" {
	need_supervisor
	start_broker
	await notified READY=1
	refute notified STOPPING
	notified STATUS=
	refute notified WATCHDOG
	kill -INT "$BROKER_PID"
	await_exit
	((EXIT_STATUS == 0))
	await notified STOPPING=1
}

@test "STOPPING=1 when it becomes a lame duck" {
	need_supervisor
	start_broker --lame_duck_duration 30s --lame_duck_grace_period 1s
	join c '"protocol":1'
	await notified READY=1
	kill -USR2 "$BROKER_PID"
	hear_info c
	await notified STOPPING=1
	kill -INT "$BROKER_PID"
	await_exit
}

now_us() {
	perl -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e 'printf "%d", clock_gettime(CLOCK_MONOTONIC) * 1e6'
}

@test "a reload is told with its time, then READY=1 again and why it was refused" {
	need_supervisor
	start_broker
	await notified READY=1
	local before earliest latest told
	before=$(<"$DIR/notified")
	earliest=$(now_us)
	kill -HUP "$BROKER_PID"
	await notified 'Reload refused'
	latest=$(now_us)
	told=$(<"$DIR/notified")
	told=${told#"$before"}
	[[ $told =~ ^'RELOADING=1'$'\n''MONOTONIC_USEC='([0-9]+)'READY=1'$'\n''STATUS=Reload refused: can only reload '.*'; Waiting for '.*"$PORT"$ ]] ||
		fail "told: $told"
	((earliest <= BASH_REMATCH[1] && BASH_REMATCH[1] <= latest)) || fail "not $earliest <= ${BASH_REMATCH[1]} <= $latest"
	# Not for a moment only.
	join c
	await notified 'STATUS=Reload refused: can only reload .*; 1 clients'
}

@test "a broker that cannot listen is never ready" {
	need_supervisor
	start_broker
	await notified READY=1
	: >"$DIR/notified"
	refuses "$PORT" -- -a 127.0.0.1 -p "$PORT"
	refute notified READY=1
}

@test "the watchdog is fed in time where one is set" {
	need_supervisor
	export WATCHDOG_USEC=1000000
	start_broker
	local fed
	three_times() {
		fed=$(grep -o WATCHDOG=1 "$DIR/notified" | wc -l)
		((fed >= 3))
	}
	await three_times
}

@test "a watchdog of another process is not fed" {
	need_supervisor
	export WATCHDOG_USEC=200000 WATCHDOG_PID=1
	start_broker
	await notified READY=1
	pause 0.5
	refute notified WATCHDOG
}

@test "without clients it sleeps" {
	start_broker
	# The log thread and the start have to come to rest first.
	pause 0.3
	switches
	local before=$SWITCHES
	pause 2
	switches
	((SWITCHES == before)) || fail "it woke $((SWITCHES - before)) times in two seconds"
}

@test "with a client that was pinged it sleeps as well" {
	start_broker --ping_interval 1m
	join c
	hear_like c '^PING$'
	say c PONG PING
	hear_like c '^PONG$'
	pause 0.3
	switches
	local before=$SWITCHES
	pause 2
	switches
	((SWITCHES == before)) || fail "it woke $((SWITCHES - before)) times in two seconds"
}
