#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# pedantic: a complaint about the subject of a message, which goes its way all the same.

load lib.bash

setup() {
	lib_setup
	start_broker
}

@test "an empty token or a wildcard is complained of" {
	local subject
	join c '"pedantic":true'
	for subject in foo..bar .foo foo. . '*' '>' 'foo.*' 'foo.>' '>.foo' '*.foo'; do
		say c "PUB $subject 2" hi PING
		hear c "-ERR 'Invalid Publish Subject'" PONG || fail "  after PUB $subject"
	done
}

@test "a wildcard inside a token is no wildcard" {
	local subject
	join c '"pedantic":true'
	for subject in foo foo.bar 'foo*' '*foo' 'f>o' '>>' '**' 'foo.b*r'; do
		say c "PUB $subject 2" hi PING
		hear c PONG || fail "  after PUB $subject"
	done
}

@test "the message is delivered" {
	join c '"pedantic":true,"headers":true'
	say c 'SUB foo.> 1' 'PUB foo.* 2' hi PING
	hear c "-ERR 'Invalid Publish Subject'" 'MSG foo.* 1 2' hi PONG
	say c 'HPUB foo.* 12 14' 'NATS/1.0' '' hi PING
	hear c "-ERR 'Invalid Publish Subject'" 'HMSG foo.* 1 12 14' 'NATS/1.0' '' hi PONG
}

@test "without pedantic there is no complaint" {
	join c
	say c 'SUB foo.> 1' 'PUB foo.* 2' hi 'PUB foo..bar 2' hi PING
	hear c 'MSG foo.* 1 2' hi PONG
}

@test "the complaint comes before the payload was sent, and once" {
	differs pedantic-once
	join c '"pedantic":true'
	say c 'SUB foo.> 1' 'PUB foo.* 2'
	hear c "-ERR 'Invalid Publish Subject'"
	say_raw c 'h'
	say_raw c 'i\r\nPING\r\n'
	hear c 'MSG foo.* 1 2' hi PONG
}
