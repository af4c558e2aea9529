#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Keepalive: PING to those who are silent, and the end of those who stay so.

load lib.bash

teardown() {
	hush
	lib_teardown
}

# now: microseconds, in NOW.
now() {
	NOW=${EPOCHREALTIME/./}
}

# at_least MILLISECONDS since START
at_least() {
	now
	((NOW - START >= $1 * 1000)) || fail "only $(((NOW - START) / 1000)) ms have gone by"
}

# every 200 ms until it is ended: chatter NAME LINE...
chatter() {
	(
		while true; do
			say "$@"
			pause 0.2
		done
	) 3>&- &
	CHATTER_PID=$!
}

hush() {
	[[ -n ${CHATTER_PID:-} ]] || return 0
	kill "$CHATTER_PID"
	wait "$CHATTER_PID" || true
	CHATTER_PID=
}

@test "a silent client is pinged up to ping_max times, and then it is stale" {
	start_broker --ping_interval 500ms --ping_max 2
	join c
	now
	START=$NOW
	hear_like c '^PING$'
	at_least 450
	hear_like c '^PING$'
	at_least 900
	hear_like c "^-ERR 'Stale Connection'$"
	at_least 1350
	hear_closed c
	open c
	hear_info c
	hear_nothing c
}

@test "so is one that never sent CONNECT" {
	start_broker --ping_interval 500ms --ping_max 1
	open c
	hear_info c
	hear_like c '^PING$'
	hear_like c "^-ERR 'Stale Connection'$"
	hear_closed c
}

@test "PONG keeps a connection open" {
	start_broker --ping_interval 1s --ping_max 1
	join c
	local i
	for i in 1 2 3; do
		hear_like c '^PING$' || fail "  as PING number $i"
		say c PONG
	done
	say c PING
	hear_like c '^PONG$'
}

@test "the first PING comes some two seconds after CONNECT, whatever the interval" {
	start_broker --ping_interval 2m
	join c
	now
	START=$NOW
	hear_like c '^PING$'
	at_least 1900
}

@test "the first PING comes to an active client as well, further ones do not" {
	start_broker --ping_interval 1s --ping_max 1
	local command
	for command in 'PUB nobody 0' 'SUB foo 1' 'UNSUB 9' PING; do
		join "${command%% *}"
	done
	# All four at once, for the sake of time. The first PING stays unanswered.
	(
		for _ in {1..17}; do
			say PUB 'PUB nobody 0' ''
			say SUB 'SUB foo 1'
			say UNSUB 'UNSUB 9'
			say PING PING
			pause 0.2
		done
	) 3>&-
	local name pings
	for name in PUB SUB UNSUB PING; do
		pings=0
		say "$name" 'PUB nobody 0' '' 'SUB fence fence' 'PUB fence 0' ''
		while read_line "$name" && [[ $LINE != 'MSG fence fence 0' ]]; do
			[[ $LINE != PING ]] || pings=$((pings + 1))
			[[ $LINE == PING || $LINE == PONG ]] || fail "$name heard «$LINE»"
		done
		((pings == 1)) || fail "$name heard $pings PINGs"
	done
}

@test "a PONG is no activity" {
	start_broker --ping_interval 500ms --ping_max 2
	join c
	chatter c PONG
	hear_like c '^PING$'
	hear_like c '^PING$'
	hear_like c '^PING$'
	hush
}

@test "messages to a client are no activity of it" {
	start_broker --ping_interval 500ms --ping_max 2
	join c
	join publisher
	say c 'SUB foo 1' PING
	hear c PONG
	chatter publisher 'PUB foo 1' x
	local pings=0 end=$((SECONDS + LIMIT_S))
	while ((SECONDS < end)) && read_line c && [[ $LINE != -ERR* ]]; do
		[[ $LINE != PING ]] || pings=$((pings + 1))
	done
	hush
	[[ $LINE == "-ERR 'Stale Connection'" ]]
	((pings == 2))
	hear_closed c
}

@test "a PING is always answered, before CONNECT too" {
	start_broker
	open c
	hear_info c
	say c PING
	hear c PONG
}
