#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The exercise, step by step: typed into telnet and nc -C, and through systemd.

load lib.bash

@test "step 1: its four texts are understood" {
	start_broker
	open c
	hear_info c
	say_raw c 'PING\r\n'
	hear c PONG
	say_raw c 'PONG\r\n'
	say_raw c 'SUB FOO 1\r\n'
	hear c '+OK'
	say_raw c 'PUB CodingChallenge 11\r\nHello John!\r\n'
	hear c '+OK'
	hear_nothing c
}

@test "step 2: INFO carries host, port and client_ip, then CONNECT and PING" {
	start_broker
	open c
	hear_info c
	[[ $(info host) == '"127.0.0.1"' ]]
	[[ $(info port) == "$PORT" ]]
	[[ $(info client_ip) == '"127.0.0.1"' ]]
	say c 'CONNECT {}'
	hear c '+OK'
	say c PING
	hear c PONG
}

@test "steps 3 and 5: subscribe, publish, unsubscribe" {
	start_broker
	open c
	hear_info c
	say c 'CONNECT {}'
	hear c '+OK'
	say c 'SUB CC 10'
	hear c '+OK'
	say c 'PUB CC 4' JOHN
	hear c '+OK' 'MSG CC 10 4' JOHN
	say c 'UNSUB 10'
	hear c '+OK'
	say c 'PUB CC 4' JOHN
	hear c '+OK'
	hear_nothing c
}

@test "the exercise's UNSUB 1- is an unknown sid and changes nothing" {
	start_broker
	open c
	hear_info c
	say c 'SUB CC 10' 'UNSUB 1-' 'PUB CC 4' JOHN
	hear c '+OK' '+OK' '+OK' 'MSG CC 10 4' JOHN
}

@test "typed into telnet" {
	start_broker
	"$BATS_TEST_DIRNAME/tools/exercise.exp" telnet 127.0.0.1 "$PORT"
}

@test "typed into nc -C" {
	start_broker
	"$BATS_TEST_DIRNAME/tools/exercise.exp" nc -C 127.0.0.1 "$PORT"
}

@test "piped into nc -C" {
	start_broker
	local piped
	piped=$(printf '%s\n' 'CONNECT {}' PING 'SUB CC 10' 'PUB CC 4' JOHN 'UNSUB 10' 'PUB CC 4' JOHN PING |
		timeout "$LIMIT_S" nc -C -N 127.0.0.1 "$PORT" | tr -d '\r')
	[[ ${piped%%$'\n'*} == 'INFO {'* ]]
	[[ ${piped#*$'\n'} == $'+OK\nPONG\n+OK\n+OK\nMSG CC 10 4\nJOHN\n+OK\n+OK\nPONG' ]]
}

@test "a plain nc sends LF, which is refused after a payload" {
	start_broker
	converse 'CONNECT {}\nPING\nSUB CC 10\nPUB CC 4\nJOHN\nPING\n'
	[[ $ANSWER == INFO*$'\r\n+OK\r\nPONG\r\n+OK\r\n'*$'-ERR \'Unknown Protocol Operation\'\r' ]]
	[[ $ANSWER != *MSG* ]]
}

@test "typed into telnet, through systemd-socket-activate" {
	ours 'socket activation'
	PORT=$(free_port)
	activate "$PORT"
	await open c
	hear_info c
	[[ $(info host) == '"0.0.0.0"' ]]
	[[ $(info port) == "$PORT" ]]
	[[ $(info client_ip) == '"127.0.0.1"' ]]
	"$BATS_TEST_DIRNAME/tools/exercise.exp" telnet 127.0.0.1 "$PORT"
	"$BATS_TEST_DIRNAME/tools/exercise.exp" nc -C 127.0.0.1 "$PORT"
	hear_nothing c
}
