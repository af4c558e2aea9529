#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# UNSUB: at once, or after so many messages.

load lib.bash

setup() {
	lib_setup
	start_broker
}

# publish COUNT: so many messages, and a fence.
publish() {
	local i
	for ((i = 1; i <= $1; i++)); do
		say c 'PUB foo 1' "$i"
	done
	say c PING
}

@test "UNSUB ends a subscription at once" {
	join c
	say c 'SUB foo 1' 'SUB foo 2' 'UNSUB 1'
	publish 1
	hear c 'MSG foo 2 1' 1 PONG
}

@test "an unknown sid changes nothing" {
	open c
	hear_info c
	say c 'SUB foo 10' 'UNSUB 1-' 'UNSUB 1' 'UNSUB 1 5' 'UNSUB 100' 'PUB foo 2' hi
	hear c '+OK' '+OK' '+OK' '+OK' '+OK' '+OK' 'MSG foo 10 2' hi
}

@test "with a maximum it ends after so many messages" {
	join c
	say c 'SUB foo 1' 'UNSUB 1 2'
	publish 4
	hear c 'MSG foo 1 1' 1 'MSG foo 1 1' 2 PONG
}

@test "the maximum counts from the SUB" {
	join c
	say c 'SUB foo 1'
	publish 2
	hear c 'MSG foo 1 1' 1 'MSG foo 1 1' 2 PONG
	say c 'UNSUB 1 3'
	publish 4
	hear c 'MSG foo 1 1' 1 PONG
}

@test "a maximum already reached ends it at once" {
	local max
	for max in 1 2; do
		join c
		say c 'SUB foo 1'
		publish 2
		hear c 'MSG foo 1 1' 1 'MSG foo 1 1' 2 PONG
		say c "UNSUB 1 $max"
		publish 1
		hear c PONG
		close c
	done
}

@test "a maximum that is none ends it at once" {
	local max
	for max in 0 -1 x 1x 1000000000 9999999999; do
		join c
		say c 'SUB foo 1' "UNSUB 1 $max"
		publish 1
		hear c PONG || fail "  after UNSUB 1 $max"
		close c
	done
}

@test "a maximum of nine digits is one" {
	join c
	say c 'SUB foo 1' 'UNSUB 1 999999999'
	publish 1
	hear c 'MSG foo 1 1' 1 PONG
}

@test "UNSUB without a maximum overrides an earlier one" {
	join c
	say c 'SUB foo 1' 'UNSUB 1 5' 'UNSUB 1'
	publish 1
	hear c PONG
}

@test "a second maximum replaces the first" {
	join c
	say c 'SUB foo 1' 'UNSUB 1 1' 'UNSUB 1 3'
	publish 5
	hear c 'MSG foo 1 1' 1 'MSG foo 1 1' 2 'MSG foo 1 1' 3 PONG
	say c 'SUB foo 2' 'UNSUB 2 5' 'UNSUB 2 1'
	publish 3
	hear c 'MSG foo 2 1' 1 PONG
}

@test "the maximum counts for each subscription" {
	join c
	say c 'SUB foo 1' 'UNSUB 1 1'
	publish 1
	hear c 'MSG foo 1 1' 1 PONG
	say c 'SUB foo 2' 'UNSUB 2 2'
	publish 3
	hear c 'MSG foo 2 1' 1 'MSG foo 2 1' 2 PONG
}

@test "messages to a queue member count" {
	join c
	say c 'SUB foo group 1' 'UNSUB 1 2'
	publish 4
	hear c 'MSG foo 1 1' 1 'MSG foo 1 1' 2 PONG
}

@test "when a queue member reaches its maximum the other one takes over" {
	local i sids=
	join c
	say c 'SUB foo group 1' 'SUB foo group 2' 'UNSUB 1 3' 'UNSUB 2 3'
	publish 9
	for ((i = 1; i <= 6; i++)); do
		hear_like c '^MSG foo ([12]) 1$'
		sids+=${BASH_REMATCH[1]}
		hear c "$i"
	done
	hear c PONG
	[[ ${sids//2/} == 111 ]]
}

@test "messages of the subject that were not delivered do not count" {
	join c '"echo":false'
	join other
	say c 'SUB foo 1' 'UNSUB 1 1'
	publish 3
	hear c PONG
	say other 'PUB foo 2' hi 'PUB foo 2' hi PING
	hear other PONG
	hear c 'MSG foo 1 2' hi
	hear_nothing c
}

@test "no responders does not count" {
	join c '"headers":true,"no_responders":true'
	say c 'SUB inbox 1' 'UNSUB 1 1' 'PUB nobody inbox 0' '' PING
	hear c 'HMSG inbox 1 38 38' 'NATS/1.0 503' 'Nats-Subject: nobody' '' '' PONG
	say c 'PUB inbox 2' hi 'PUB inbox 2' hi PING
	hear c 'MSG inbox 1 2' hi PONG
}
