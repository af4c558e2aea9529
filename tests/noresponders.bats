#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# No responders: a request that nobody heard is answered by 503.

load lib.bash

setup() {
	lib_setup
	start_broker
}

@test "a request without a responder gets 503 with its subject" {
	join c '"headers":true,"no_responders":true'
	say c 'SUB inbox.* 1' 'PUB nobody.home inbox.a 2' hi PING
	hear c 'HMSG inbox.a 1 43 43' 'NATS/1.0 503' 'Nats-Subject: nobody.home' '' '' PONG
}

@test "with or without headers and payload" {
	join c '"headers":true,"no_responders":true'
	say c 'SUB inbox 1' 'HPUB x inbox 12 14' 'NATS/1.0' '' hi 'PUB x inbox 0' '' PING
	hear c 'HMSG inbox 1 33 33' 'NATS/1.0 503' 'Nats-Subject: x' '' '' \
		'HMSG inbox 1 33 33' 'NATS/1.0 503' 'Nats-Subject: x' '' '' PONG
}

@test "a request that somebody heard does not" {
	join c '"headers":true,"no_responders":true'
	join other
	say other 'SUB service group 1' PING
	hear other PONG
	say c 'SUB inbox 1' 'PUB service inbox 2' hi PING
	hear c PONG
	hear other 'MSG service 1 inbox 2' hi
	say other 'UNSUB 1' PING
	hear other PONG
	say c 'PUB service inbox 2' hi PING
	hear c 'HMSG inbox 1 39 39' 'NATS/1.0 503' 'Nats-Subject: service' '' '' PONG
}

@test "not without a reply, and not for who did not ask" {
	join c '"headers":true,"no_responders":true'
	say c 'SUB inbox 1' 'PUB nobody 2' hi PING
	hear c PONG
	join other '"headers":true'
	say other 'SUB inbox 1' 'PUB nobody inbox 2' hi PING
	hear other PONG
	hear_nothing c
}

@test "only to a plain subscription of the publisher itself" {
	join c '"headers":true,"no_responders":true'
	join other '"headers":true,"no_responders":true'
	say other 'SUB inbox 1' PING
	hear other PONG
	say c 'PUB nobody inbox 2' hi 'SUB inbox group 1' 'PUB nobody inbox 2' hi PING
	hear c PONG
	hear_nothing other
}

@test "once, even where several subscriptions match" {
	join c '"headers":true,"no_responders":true'
	say c 'SUB inbox.a 1' 'SUB inbox.* 2' 'SUB > 3' 'UNSUB 3' 'PUB nobody inbox.a 0' '' PING
	hear_like c '^HMSG inbox\.a [12] 38 38$'
	hear c 'NATS/1.0 503' 'Nats-Subject: nobody' '' '' PONG
}

@test "what echo kept back counts as not heard, and 503 comes all the same" {
	join c '"headers":true,"no_responders":true,"echo":false'
	say c 'SUB service 1' 'SUB inbox 2' 'PUB service inbox 2' hi PING
	hear c 'HMSG inbox 2 39 39' 'NATS/1.0 503' 'Nats-Subject: service' '' '' PONG
}

@test "it follows +OK" {
	open c
	hear_info c
	say c 'CONNECT {"headers":true,"no_responders":true}' 'SUB inbox 1' 'PUB nobody inbox 0' '' PING
	hear c '+OK' '+OK' '+OK' 'HMSG inbox 1 38 38' 'NATS/1.0 503' 'Nats-Subject: nobody' '' '' PONG
}

@test "a subject that no subscription can match has no responder either" {
	join c '"headers":true,"no_responders":true'
	say c 'SUB > 1' 'PUB a..b inbox 0' '' PING
	hear c 'HMSG inbox 1 36 36' 'NATS/1.0 503' 'Nats-Subject: a..b' '' '' PONG
}

@test "a message that was denied has no answer but the denial" {
	join c '"headers":true,"no_responders":true'
	say c 'SUB inbox 1' 'PUB _GR_.x inbox 2' hi PING
	hear c "-ERR 'Permissions Violation for Publish to \"_GR_.x\"'" PONG
}

@test "a NUL in the subject is counted like any other byte" {
	join c '"headers":true,"no_responders":true'
	say c 'SUB inbox 1'
	say_raw c 'PUB a\0bcd inbox 0\r\n\r\n'
	# 32 bytes and the five of the subject; bash cannot hold the NUL, so count lines behind it.
	hear c 'HMSG inbox 1 37 37' 'NATS/1.0 503'
	hear_like c '^Nats-Subject: a'
	hear c '' ''
	hear_nothing c
}
