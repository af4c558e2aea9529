#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Two sessions at once: what one says, the other hears.

load lib.bash

setup() {
	lib_setup
	start_broker
}

@test "what one session publishes, the other hears" {
	open alice
	open bob
	hear_info alice
	hear_info bob
	say alice 'CONNECT {}'
	hear alice '+OK'
	say bob 'CONNECT {}'
	hear bob '+OK'

	say alice 'SUB CC 10' PING
	hear alice '+OK' PONG
	say bob 'PUB CC 4' JOHN
	hear bob '+OK'
	hear alice 'MSG CC 10 4' JOHN

	say bob 'SUB answers 1' PING
	hear bob '+OK' PONG
	say alice 'PUB answers 5' HELLO
	hear alice '+OK'
	hear bob 'MSG answers 1 5' HELLO
	hear_nothing alice
	hear_nothing bob
}

@test "the same sid in two sessions is two subscriptions" {
	join alice
	join bob
	say alice 'SUB to.alice 1' PING
	hear alice PONG
	say bob 'SUB to.bob 1' PING
	hear bob PONG
	say bob 'PUB to.alice 1' a 'PUB to.bob 1' b
	hear alice 'MSG to.alice 1 1' a
	hear bob 'MSG to.bob 1 1' b
	say alice 'UNSUB 1' PING
	hear alice PONG
	say alice 'PUB to.bob 1' c 'PUB to.alice 1' d
	hear bob 'MSG to.bob 1 1' c
	hear_nothing alice
	hear_nothing bob
}

@test "a session that leaves takes its subscriptions along and disturbs nobody" {
	join stays '"no_responders":true,"headers":true'
	join leaves
	say leaves 'SUB service 1' PING
	hear leaves PONG
	say stays 'SUB inbox 1' 'PUB service inbox 0' '' PING
	hear stays PONG
	hear leaves 'MSG service 1 inbox 0' ''
	close leaves

	# The broker learns of the end in its own time; from then on nobody responds.
	answered_503() {
		say stays 'PUB service inbox 0' '' PING
		read_line stays
		[[ $LINE == HMSG* ]]
	}
	await answered_503
	hear stays 'NATS/1.0 503' 'Nats-Subject: service' '' '' PONG
}

@test "an order is kept from each publisher to each subscriber" {
	local i expected=()
	join subscriber
	join publisher
	say subscriber 'SUB numbers 1' PING
	hear subscriber PONG
	for i in {1..200}; do
		say publisher "PUB numbers ${#i}" "$i"
		expected+=("MSG numbers 1 ${#i}" "$i")
	done
	hear_nothing publisher
	hear subscriber "${expected[@]}"
	hear_nothing subscriber
}

@test "fifty sessions hear one message each" {
	local i
	for i in {1..50}; do
		join "c$i"
		say "c$i" "SUB news $i" PING
		hear "c$i" PONG
	done
	say c1 'PUB news 2' hi
	for i in {1..50}; do
		hear "c$i" "MSG news $i 2" hi
	done
	for i in {1..50}; do
		hear_nothing "c$i"
	done
}

@test "a client that vanishes in the middle of everything harms nobody" {
	local round
	join stays
	say stays 'SUB flood 1' PING
	hear stays PONG
	head -c 1000000 /dev/zero | tr '\0' x >"$DIR/payload"
	for round in {1..5}; do
		join "reader$round"
		say "reader$round" 'SUB flood 1' PING
		hear "reader$round" PONG
		join "writer$round"
		say "writer$round" 'PUB flood 1000000'
		cat "$DIR/payload" >&"${FD[writer$round]}"
		say "writer$round" ''
		# One leaves with a message unread, the other in the middle of a payload.
		hear "reader$round" 'MSG flood 1 1000000'
		close "reader$round"
		say "writer$round" 'PUB flood 1000000' half
		close "writer$round"
		hear stays 'MSG flood 1 1000000'
		timeout "$LIMIT_S" head -c 1000002 <&"${FD[stays]}" | cmp -n 1000000 - "$DIR/payload" || fail 'bytes changed'
	done
	hear_nothing stays
}
