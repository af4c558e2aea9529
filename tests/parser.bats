#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The protocol as typed: cases, white space, numbers, limits, and what ends a connection.
# shellcheck disable=SC2016 # the dollar signs belong to the protocol

load lib.bash

setup() {
	lib_setup
	start_broker
}

# closes TEXT: the connection is closed without a word.
closes() {
	join c '"headers":true'
	say_raw c "$1"
	hear_closed c || fail "  after «$1»"
}

# refused TEXT ERROR
refused() {
	join c '"headers":true'
	say_raw c "$1"
	hear_refusal c "$2" || fail "  after «$1»"
}

unknown() {
	refused "$1" 'Unknown Protocol Operation'
}

# repeat COUNT CHARACTER: in REPEATED
repeat() {
	printf -v REPEATED '%*s' "$1" ''
	REPEATED=${REPEATED// /$2}
}

@test "verbs in any case" {
	open c
	hear_info c
	say c 'connect {"verbose":false,"headers":true}' 'SuB foo 1' 'pUb foo 2' hi 'hpub foo 12 14'
	say_raw c 'NATS/1.0\r\n\r\nhi\r\nping\r\nPiNg\r\nPoNg\r\n+ok\r\ninfo {}\r\nunsub 1\r\n'
	hear c 'MSG foo 1 2' hi 'HMSG foo 1 12 14' 'NATS/1.0' '' hi PONG PONG
	say c 'pub foo 2' hi PING
	hear c PONG
}

@test "a command may come in any number of pieces" {
	join c '"headers":true'
	local text byte i
	text=$'SUB foo 1\r\nPUB foo bar 4\r\na\r\nb\r\nHPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\nUNSUB 1\r\nPING\r\n'
	for ((i = 0; i < ${#text}; i++)); do
		byte=${text:i:1}
		[[ $byte == $'\n' ]] && say_raw c '\n' || say_raw c "$byte"
	done
	hear c 'MSG foo 1 bar 4' a b 'HMSG foo 1 12 14' 'NATS/1.0' '' hi PONG
}

@test "many commands may come at once" {
	join c
	local i text='' expected=()
	for i in {1..100}; do
		text+="SUB s.$i $i\r\nPUB s.$i 2\r\nhi\r\nUNSUB $i\r\n"
		expected+=("MSG s.$i $i 2" hi)
	done
	say_raw c "$text"
	hear c "${expected[@]}"
	hear_nothing c
}

@test "PING, PONG and +OK do not mind what follows" {
	join c
	repeat 10000 x
	say c PINGxyz 'PING foo' "PING$REPEATED" 'PONG foo' "PONG$REPEATED" '+OK foo' "+OK$REPEATED" PING
	hear c PONG PONG PONG PONG
}

@test "a line ends at LF, with or without a CR" {
	join c
	say_raw c 'PING\nSUB foo 1\nPUB foo 2\nhi\r\nUNSUB 1\nPUB foo 2\nhi\r\nPING\n'
	hear c PONG 'MSG foo 1 2' hi PONG
}

@test "a payload ends with exactly CR LF" {
	unknown 'PUB foo 2\r\nhi\n'
	unknown 'PUB foo 2\r\nhi\n\n'
	unknown 'PUB foo 2\r\nhiXX'
	unknown 'PUB foo 2\r\nhi\rX'
	unknown 'PUB foo 0\r\nX\n'
	unknown 'HPUB foo 12 12\r\nNATS/1.0\r\n\r\nXX'
}

@test "spaces and tabs separate in any number, and may trail" {
	join c '"headers":true'
	say_raw c 'SUB \t foo \t  1 \t \r\n'
	say_raw c 'PUB\tfoo\t\tbar  2\t\r\nhi\r\n'
	say_raw c 'HPUB\t foo   12\t14  \r\nNATS/1.0\r\n\r\nhi\r\n'
	say_raw c 'UNSUB  \t1 \t \r\nPUB foo 2\r\nhi\r\nPING\r\n'
	hear c 'MSG foo 1 bar 2' hi 'HMSG foo 1 12 14' 'NATS/1.0' '' hi PONG
}

@test "white space after the verb does not count" {
	join c
	repeat 10000 ' '
	say c "SUB ${REPEATED}foo 1" "PUB ${REPEATED}foo 2" hi "UNSUB ${REPEATED}1" PING
	hear c 'MSG foo 1 2' hi PONG
}

@test "a verb needs a space before its arguments" {
	unknown 'PUBfoo 2\r\n'
	unknown 'PUB\r\n'
	unknown 'HPUB\r\n'
	unknown 'HPUBfoo 2 2\r\n'
	unknown 'SUB\r\n'
	unknown 'SUBfoo 1\r\n'
	unknown 'UNSUB\r\n'
	unknown 'UNSUB1\r\n'
}

@test "a verb without its arguments closes the connection" {
	closes 'PUB \r\n'
	closes 'HPUB \r\n'
	closes 'SUB \r\n'
	closes 'UNSUB \r\n'
}

@test "what is no command is refused" {
	local text
	for text in '\r\n' '\n' ' PING\r\n' 'X' 'PX' 'PIX' 'POX' 'CX' 'IX' '+X' '+OX' 'UX' 'SX' 'HX' '-X' \
		'MSG foo 1 2\r\nhi\r\n' 'RMSG $G foo 2\r\n' 'RS+ $G foo\r\n' 'LS+ foo\r\n' 'A+ a\r\n' \
		'GET / HTTP/1.1\r\n' '\x16\x03\x01\x02' '\x80' 'QUIT\r\n'; do
		unknown "$text"
	done
}

@test "a verb that LF follows has no arguments" {
	differs lf-after-verb
	closes 'SUB \n'
	closes 'PUB \n'
}

@test "HMSG from a client is refused" {
	differs hmsg
	unknown 'HMSG x\r\n\r\n'
}

@test "INFO from a client is read and ignored, unless it is nonsense" {
	join c
	say c 'INFO {}' 'INFO {"server_id":"x","max_payload":1}' 'INFO{}' PING
	hear c PONG
	closes 'INFO {\r\n'
	closes 'INFO nonsense\r\n'
}

@test "-ERR from a client ends the connection" {
	closes "-ERR 'enough'\r\n"
	closes '-err enough\r\n'
	unknown '-ERR\r\n'
}

@test "wrong numbers of arguments close the connection" {
	local text
	for text in 'PUB foo' 'PUB a b c 1' 'SUB foo' 'SUB a b c d' 'UNSUB 1 2 3' 'HPUB foo 5' 'HPUB foo' \
		'HPUB a b c 1 2'; do
		closes "$text\r\nPING\r\n"
	done
}

@test "what came before a wrong command is done, what came after is not" {
	local command
	join other
	say other 'SUB > 1' PING
	hear other PONG
	for command in 'PUB foo' 'UNSUB 1 2 3' 'PUB foo -1' 'HPUB foo 3 2'; do
		join c '"headers":true'
		say c 'SUB foo 1' 'PUB foo 2' hi PING "$command" 'PUB foo 5' never PING
		hear c 'MSG foo 1 2' hi PONG
		hear_closed c
		hear other 'MSG foo 1 2' hi
		hear_nothing other
	done
	join c
	say c 'PUB foo 2' hi PING BOGUS 'PUB foo 5' never PING
	hear c PONG
	hear_refusal c 'Unknown Protocol Operation'
	hear other 'MSG foo 1 2' hi
	hear_nothing other
}

@test "a size is one to nine digits" {
	local size
	for size in -1 +1 x 1x 0x1 1.0 1234567890 0000000002 99999999999999999999; do
		closes "PUB foo $size\r\n"
		closes "HPUB foo 0 $size\r\n"
		closes "HPUB foo $size 20\r\n"
	done
}

@test "leading zeros are allowed" {
	join c '"headers":true'
	say c 'SUB foo 1' 'PUB foo 0002' hi 'PUB foo 000000002' hi
	hear_like c '^MSG foo 1 0*2$'
	hear c hi
	hear_like c '^MSG foo 1 0*2$'
	hear c hi
	say_raw c 'HPUB foo 0012 00014\r\nNATS/1.0\r\n\r\nhi\r\n'
	hear_like c '^HMSG foo 1 0*12 0*14$'
	hear c 'NATS/1.0' '' hi
}

@test "the header is part of the whole" {
	closes 'HPUB foo 13 12\r\n'
	join c '"headers":true'
	say c 'SUB foo 1' 'HPUB foo 5 5' hello PING
	hear c 'HMSG foo 1 5 5' hello PONG
}

@test "a payload above the limit is refused before it comes" {
	refused 'PUB foo 1048577\r\n' 'Maximum Payload Violation'
	refused 'PUB foo 999999999\r\n' 'Maximum Payload Violation'
	refused 'HPUB foo 12 1048577\r\n' 'Maximum Payload Violation'
}

@test "the arguments of a command may have 4096 bytes" {
	join c '"headers":true'
	repeat 4094 a
	say c "SUB $REPEATED 1"
	say c "PUB $REPEATED 2" hi
	hear c "MSG $REPEATED 1 2" hi
	repeat 4092 a
	say c "HPUB $REPEATED 0 2" hi PING
	hear c PONG
	repeat 4096 1
	say c "UNSUB $REPEATED" PING
	hear c PONG
	repeat 4081 n
	say c "CONNECT {\"name\":\"$REPEATED\"    }" PING
	hear c PONG
	repeat 4088 n
	say c "INFO {\"n\":\"$REPEATED\"}" PING
	hear c PONG
}

@test "the arguments of a command may not have 4097 bytes" {
	repeat 4095 a
	refused "SUB $REPEATED 1\r\n" 'maximum control line exceeded'
	refused "PUB $REPEATED 2\r\n" 'maximum control line exceeded'
	repeat 4093 a
	refused "HPUB $REPEATED 0 2\r\n" 'maximum control line exceeded'
	repeat 4097 1
	refused "UNSUB $REPEATED\r\n" 'maximum control line exceeded'
	refused "-ERR $REPEATED\r\n" 'maximum control line exceeded'
	repeat 4082 n
	refused "CONNECT {\"name\":\"$REPEATED\"    }\r\n" 'maximum control line exceeded'
	repeat 4089 n
	refused "INFO {\"n\":\"$REPEATED\"}\r\n" 'maximum control line exceeded'
}

@test "a line without an end is refused soon after the limit" {
	repeat 5000 a
	refused "SUB $REPEATED" 'maximum control line exceeded'
	refused "PUB $REPEATED" 'maximum control line exceeded'
	refused "CONNECT {\"name\":\"$REPEATED" 'maximum control line exceeded'
}

@test "the connection survives complaints about subjects only" {
	join c '"pedantic":true'
	say c 'SUB foo..bar 1' PING
	hear c "-ERR 'Invalid Subject'" PONG
	say c 'PUB foo. 2' hi PING
	hear c "-ERR 'Invalid Publish Subject'" PONG
}

@test "after a half close everything queued still arrives" {
	converse 'CONNECT {"verbose":false}\r\nSUB foo 1\r\nPUB foo 2\r\nhi\r\nPING\r\n'
	[[ $ANSWER == INFO*$'\r\nMSG foo 1 2\r\nhi\r\nPONG\r' ]]
	converse 'CONNECT {}\r\nPING\r\nBOGUS\r\n'
	[[ $ANSWER == INFO*$'\r\n+OK\r\nPONG\r\n-ERR \'Unknown Protocol Operation\'\r' ]]
}

@test "a half close in mid-command drops that command" {
	join other
	say other 'SUB foo 1' PING
	hear other PONG
	converse 'CONNECT {"verbose":false}\r\nPING\r\nPUB foo 10\r\nhel'
	[[ $ANSWER == INFO*$'\r\nPONG\r' ]]
	hear_nothing other
}

@test "a CR among the arguments closes the connection" {
	differs cr-in-line
	closes 'PUB fo\ro 2\r\nhi\r\n'
	closes 'SUB fo\ro 1\r\n'
	closes 'UNSUB 1\r2\r\n'
}
