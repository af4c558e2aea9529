#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# verbose: which commands are answered by +OK.

load lib.bash

@test "CONNECT, SUB, UNSUB, PUB and HPUB are answered, PING, PONG, INFO and +OK are not" {
	start_broker
	open c
	hear_info c
	say c 'CONNECT {"headers":true}'
	hear c '+OK'
	say c 'SUB foo 1'
	hear c '+OK'
	say c 'PUB nobody 2' hi
	hear c '+OK'
	say c 'HPUB nobody 12 14' 'NATS/1.0' '' hi
	hear c '+OK'
	say c 'UNSUB 1'
	hear c '+OK'
	say c 'UNSUB unknown'
	hear c '+OK'
	say c PONG 'INFO {}' '+OK' PING
	hear c PONG
}

@test "+OK comes before the message it causes" {
	start_broker
	open c
	hear_info c
	say c 'CONNECT {"headers":true}' 'SUB foo 1' 'PUB foo 2' hi 'HPUB foo 12 14' 'NATS/1.0' '' hi PING
	hear c '+OK' '+OK' '+OK' 'MSG foo 1 2' hi '+OK' 'HMSG foo 1 12 14' 'NATS/1.0' '' hi PONG
}

@test "a complaint takes the place of +OK" {
	start_broker --max_subscriptions 1
	open c
	hear_info c
	say c 'CONNECT {}'
	hear c '+OK'
	say c 'SUB foo..bar 1' PING
	hear c "-ERR 'Invalid Subject'" PONG
	say c 'SUB foo _sys_ 1' PING
	hear c "-ERR 'Permissions Violation for Subscription to \"foo\" using queue \"_sys_\"'" PONG
	say c 'PUB foo _R_.x 2' hi PING
	hear c "-ERR 'Permissions Violation for Publish with Reply of \"_R_.x\"'" PONG
	say c 'PUB _GR_.x 2' hi PING
	hear c "-ERR 'Permissions Violation for Publish to \"_GR_.x\"'" PONG
	say c 'SUB foo 1' 'SUB bar 2' PING
	hear c '+OK' "-ERR 'maximum subscriptions exceeded'" PONG
}

@test "after an invalid subject of PUB the message is still done, with its +OK" {
	start_broker
	open c
	hear_info c
	say c 'SUB foo.> 1' 'PUB foo.* 2' hi PING
	hear c '+OK' "-ERR 'Invalid Publish Subject'" '+OK' 'MSG foo.* 1 2' hi PONG
}
