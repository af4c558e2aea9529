#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Queue groups: one member of each group, and every member in its turn.

load lib.bash

setup() {
	lib_setup
	start_broker
}

# tally NAME COUNT: reads so many messages and counts them by sid in TALLY.
tally() {
	local i
	declare -gA TALLY=()
	for ((i = 0; i < $2; i++)); do
		hear_like "$1" '^MSG [^ ]+ ([^ ]+) 1$' || return
		TALLY[${BASH_REMATCH[1]}]=$((${TALLY[${BASH_REMATCH[1]}]:-0} + 1))
		hear "$1" x || return
	done
}

# publish NAME SUBJECT COUNT
publish() {
	local text
	printf -v text "PUB $2 1\r\nx\r\n%.0s" $(seq "$3")
	say "$1" "${text}PING"
}

@test "one member of a group gets each message" {
	join a
	join b
	join publisher
	say a 'SUB foo group 1' PING
	hear a PONG
	say b 'SUB foo group 1' PING
	hear b PONG
	publish publisher foo 20
	hear publisher PONG
	# Both together have heard twenty.
	local name count=0
	for name in a b; do
		say "$name" PING
		while read_line "$name" && [[ $LINE != PONG ]]; do
			[[ $LINE == 'MSG foo 1 1' ]]
			hear "$name" x
			count=$((count + 1))
		done
	done
	((count == 20))
}

@test "the members share the messages evenly" {
	local sid
	join c
	say c 'SUB foo group a' 'SUB foo group b' 'SUB foo group c' 'SUB foo group d'
	publish c foo 400
	tally c 400
	hear c PONG
	# The mean is 100; a fair broker leaves this range once in some millions of runs.
	for sid in a b c d; do
		((TALLY[$sid] > 50 && TALLY[$sid] < 150)) || fail "$sid got ${TALLY[$sid]}"
	done
}

@test "members on different wildcards that match are one pool" {
	local sid
	join c
	say c 'SUB q.* group a' 'SUB q.> group b' 'SUB q.a group c' 'SUB *.a group d' 'SUB q.b group never'
	publish c q.a 400
	tally c 400
	hear c PONG
	for sid in a b c d; do
		((TALLY[$sid] > 50 && TALLY[$sid] < 150)) || fail "$sid got ${TALLY[$sid]}"
	done
}

@test "a pool counts its members, not its subjects" {
	join c
	say c 'SUB q.* group a' 'SUB q.* group b' 'SUB q.* group c' 'SUB q.a group d'
	publish c q.a 400
	tally c 400
	hear c PONG
	((TALLY[d] > 50 && TALLY[d] < 150)) || fail "d got ${TALLY[d]}"
}

@test "every group and every plain subscription hears each message" {
	join c
	say c 'SUB foo one 1' 'SUB foo one 2' 'SUB foo two 3' 'SUB foo 4' 'SUB > 5'
	publish c foo 10
	tally c 40
	hear c PONG
	((TALLY[1] + TALLY[2] == 10))
	((TALLY[3] == 10))
	((TALLY[4] == 10))
	((TALLY[5] == 10))
}

@test "a group's name is any bytes, and wildcards in it are literal" {
	join c
	say c 'SUB foo a.* 1' 'SUB foo a.b 2' 'SUB foo > 3' $'SUB foo \xff\x01 4' 'SUB foo A.B 5' 'PUB foo 1' x PING
	tally c 5
	hear c PONG
	((TALLY[1] == 1 && TALLY[2] == 1 && TALLY[3] == 1 && TALLY[4] == 1 && TALLY[5] == 1))
}

@test "a member that leaves is passed over" {
	join stays
	join leaves
	say stays 'SUB foo group s' PING
	hear stays PONG
	say leaves 'SUB foo group l' 'UNSUB l' PING
	hear leaves PONG
	publish stays foo 20
	tally stays 20
	hear stays PONG
	say leaves 'SUB foo group l' PING
	hear leaves PONG
	close leaves
	# The broker learns of the end in its own time.
	takes_all() {
		publish stays foo 10
		local heard=0
		while read_line stays && [[ $LINE != PONG ]]; do
			hear stays x
			heard=$((heard + 1))
		done
		((heard == 10))
	}
	await takes_all
}

@test "a publisher without echo never gets its own message, another member does" {
	join quiet '"echo":false'
	join other
	say quiet 'SUB foo group 1' PING
	hear quiet PONG
	say other 'SUB foo group 2' PING
	hear other PONG
	publish quiet foo 20
	hear quiet PONG
	tally other 20
	((TALLY[2] == 20))
	hear_nothing other
	hear_nothing quiet
}

@test "a member with a maximum takes part until it is reached" {
	join c
	say c 'SUB foo group 1' 'SUB foo group 2' 'UNSUB 1 1'
	publish c foo 30
	tally c 30
	hear c PONG
	((TALLY[1] == 1 && TALLY[2] == 29))
}
