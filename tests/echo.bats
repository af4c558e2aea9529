#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# echo: whether a client hears itself.

load lib.bash

setup() {
	lib_setup
	start_broker
}

@test "a client hears itself" {
	join c
	say c 'SUB foo 1' 'PUB foo 2' hi PING
	hear c 'MSG foo 1 2' hi PONG
}

@test "without echo it does not, but others do" {
	join c '"echo":false'
	join other
	say c 'SUB foo 1' 'SUB > 2' 'SUB foo group 3' PING
	hear c PONG
	say other 'SUB foo 1' PING
	hear other PONG
	say c 'PUB foo 2' hi PING
	hear c PONG
	hear other 'MSG foo 1 2' hi
	say other 'PUB foo 2' yo PING
	hear other 'MSG foo 1 2' yo PONG
	for _ in 1 2 3; do
		hear_like c '^MSG foo [123] 2$'
		hear c yo
	done
	hear_nothing c
	hear_nothing other
}

@test "two connections without echo hear each other" {
	join a '"echo":false'
	join b '"echo":false'
	say a 'SUB foo 1' PING
	hear a PONG
	say b 'SUB foo 1' 'PUB foo 1' b PING
	hear b PONG
	hear a 'MSG foo 1 1' b
	say a 'PUB foo 1' a PING
	hear a PONG
	hear b 'MSG foo 1 1' a
}
