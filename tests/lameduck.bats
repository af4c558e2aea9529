#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Lame duck: no new clients, a word to those who are there, and then they go one by one.

load lib.bash

DUCK=(--lame_duck_duration 30s --lame_duck_grace_period 1s)

# The listener is gone.
is_deaf() {
	! (open nobody) 2>/dev/null
}

@test "the clients are told, still served, then closed; the broker ends with 0" {
	start_broker "${DUCK[@]}"
	join new '"protocol":1'
	join old
	open silent
	hear_info silent
	[[ $(info ldm) == null ]]
	open unfinished
	hear_info unfinished
	say unfinished 'CONNECT {"verbose":true,"protocol":1}'
	hear unfinished '+OK'
	kill -USR2 "$BROKER_PID"
	hear_info new
	[[ $(info ldm) == true ]]
	[[ $(info connect_urls) == null ]]
	await is_deaf

	# Only who understands it was told, and everybody is served during the grace period.
	say new 'SUB foo 1' 'PUB foo 2' hi PING
	hear new 'MSG foo 1 2' hi PONG
	hear_nothing old
	hear_nothing silent

	# Without a PING after its CONNECT, a client may not know yet what to do with an INFO.
	hear_closed unfinished
	hear_closed new
	hear_closed old
	hear_closed silent
	await_exit
	((EXIT_STATUS == 0))
}

@test "a broker without clients ends at once" {
	start_broker "${DUCK[@]}"
	kill -USR2 "$BROKER_PID"
	await_exit
	((EXIT_STATUS == 0))
}

@test "SIGTERM changes nothing then, SIGINT ends it at once" {
	start_broker "${DUCK[@]}"
	join c '"protocol":1'
	kill -USR2 "$BROKER_PID"
	hear_info c
	kill -TERM "$BROKER_PID"
	hear_nothing c
	hear_nothing c
	kill -INT "$BROKER_PID"
	hear_closed c
	await_exit
	((EXIT_STATUS == 0))
}

@test "--signal ldm does the same" {
	start_broker "${DUCK[@]}"
	join c '"protocol":1'
	"$MINATS" --signal "ldm=$BROKER_PID"
	hear_info c
	[[ $(info ldm) == true ]]
	hear_closed c
	await_exit
	((EXIT_STATUS == 0))
}

@test "a duration too short, or one that the grace period outlasts, is a bad value" {
	differs option-limits
	refuses lame_duck_duration 29s -- -a 127.0.0.1 -p -1 --lame_duck_duration 29s
	refuses lame_duck_grace_period 30s -- -a 127.0.0.1 -p -1 --lame_duck_duration 30s --lame_duck_grace_period 30s
	refuses lame_duck_grace_period -1s -- -a 127.0.0.1 -p -1 --lame_duck_grace_period -1s
}
