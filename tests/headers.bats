#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Headers: HPUB in, HMSG out, and cut off for those who did not ask.

load lib.bash

setup() {
	lib_setup
	start_broker
}

@test "a message with headers arrives as HMSG" {
	join c '"headers":true'
	say c 'SUB foo 1' 'HPUB foo 17 22' 'NATS/1.0' 'A:B' '' hello PING
	hear c 'HMSG foo 1 17 22' 'NATS/1.0' 'A:B' '' hello PONG
}

@test "with a reply" {
	join c '"headers":true'
	say c 'SUB foo 1' 'HPUB foo bar 17 22' 'NATS/1.0' 'A:B' '' hello PING
	hear c 'HMSG foo 1 bar 17 22' 'NATS/1.0' 'A:B' '' hello PONG
}

@test "without a payload" {
	join c '"headers":true'
	say c 'SUB foo 1' 'HPUB foo 17 17' 'NATS/1.0' 'A:B' '' '' PING
	hear c 'HMSG foo 1 17 17' 'NATS/1.0' 'A:B' '' '' PONG
}

@test "who did not ask for headers gets the message without them" {
	join c '"headers":true'
	join plain
	say plain 'SUB foo 1' PING
	hear plain PONG
	say c 'HPUB foo 17 22' 'NATS/1.0' 'A:B' '' hello 'HPUB foo r 17 22' 'NATS/1.0' 'A:B' '' hello \
		'HPUB foo 17 17' 'NATS/1.0' 'A:B' '' '' PING
	hear c PONG
	hear plain 'MSG foo 1 5' hello 'MSG foo 1 r 5' hello 'MSG foo 1 0' ''
	hear_nothing plain
}

@test "one message goes to both kinds of clients" {
	join c '"headers":true'
	join plain '"headers":false'
	say c 'SUB foo 7' PING
	hear c PONG
	say plain 'SUB foo 1' PING
	hear plain PONG
	say plain 'PUB foo 2' hi PING
	hear plain 'MSG foo 1 2' hi PONG
	hear c 'MSG foo 7 2' hi
	say c 'HPUB foo 12 14' 'NATS/1.0' '' hi PING
	hear c 'HMSG foo 7 12 14' 'NATS/1.0' '' hi PONG
	hear plain 'MSG foo 1 2' hi
}

@test "a header of no bytes is a message without headers" {
	join c '"headers":true'
	say c 'SUB foo 1' 'HPUB foo 0 5' hello 'HPUB foo bar 0 5' hello 'HPUB foo 0 0' '' PING
	hear c 'MSG foo 1 5' hello 'MSG foo 1 bar 5' hello 'MSG foo 1 0' '' PONG
}

@test "headers are not looked into" {
	join c '"headers":true'
	say c 'SUB foo 1' 'HPUB foo 3 5' abchi PING
	hear c 'HMSG foo 1 3 5' abchi PONG
}

@test "HPUB without headers in CONNECT closes the connection" {
	join c
	say c 'HPUB foo 12 12' 'NATS/1.0' '' '' PING
	hear_closed c
}

@test "a broker without header support closes on HPUB" {
	stop_broker
	start_broker --no_header_support
	join c '"headers":true'
	say c 'HPUB foo 12 12' 'NATS/1.0' '' '' PING
	hear_closed c
}

@test "the limit of a payload counts headers" {
	stop_broker
	start_broker --max_payload 100
	join c '"headers":true'
	local payload
	printf -v payload '%088d' 0
	say c 'SUB foo 1' 'HPUB foo 12 100' 'NATS/1.0' '' "$payload" PING
	hear c 'HMSG foo 1 12 100' 'NATS/1.0' '' "$payload" PONG
	say c 'HPUB foo 12 101'
	hear_refusal c 'Maximum Payload Violation'
}

@test "large headers and payloads, stripped and whole" {
	local header payload
	join c '"headers":true'
	join plain
	printf -v header '%070000d' 0
	printf -v payload '%0100000d' 0
	say c 'SUB foo 1' PING
	hear c PONG
	say plain 'SUB foo 1' PING
	hear plain PONG
	say c 'HPUB foo 70016 170016' 'NATS/1.0' "X:$header" '' "$payload" PING
	hear c 'HMSG foo 1 70016 170016' 'NATS/1.0' "X:$header" '' "$payload" PONG
	hear plain 'MSG foo 1 100000' "$payload"
	hear_nothing plain
}
