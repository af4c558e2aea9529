#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# PUB and MSG: payloads arrive byte for byte, with subject, sid and reply.
# shellcheck disable=SC2016 # the dollar signs belong to the protocol

load lib.bash

setup() {
	lib_setup
	start_broker
}

# receive NAME BYTES FILE: so many bytes of a connection into a file.
receive() {
	timeout "$LIMIT_S" head -c "$2" <&"${FD[$1]}" >"$3"
}

@test "a message is its subject, sid, size and payload" {
	join c
	say c 'SUB foo 1' 'PUB foo 5' hello PING
	hear c 'MSG foo 1 5' hello PONG
}

@test "a message may name a reply subject" {
	join c
	say c 'SUB foo 1' 'PUB foo bar.baz 5' hello PING
	hear c 'MSG foo 1 bar.baz 5' hello PONG
}

@test "an empty payload is a message" {
	join c
	say c 'SUB foo 1' 'PUB foo 0' '' 'PUB foo bar 0' '' PING
	hear c 'MSG foo 1 0' '' 'MSG foo 1 bar 0' '' PONG
}

@test "a payload is counted, never read" {
	join c
	say_raw c 'SUB foo 1\r\nPUB foo 4\r\nhi\r\n\r\nPUB foo 15\r\nPUB foo 2\r\nhi\r\n\r\nPING\r\n'
	hear c 'MSG foo 1 4' hi '' 'MSG foo 1 15' 'PUB foo 2' hi '' PONG
}

@test "a message that nobody wants disturbs nobody" {
	join c
	say c 'SUB foo 1' 'PUB bar 2' hi PING
	hear c PONG
}

@test "a subject and a reply are any bytes" {
	join c
	say c $'SUB caf\xc3\xa9.\xff.\x01"\\ 1' $'PUB caf\xc3\xa9.\xff.\x01"\\ r\xfe 2' hi PING
	hear c $'MSG caf\xc3\xa9.\xff.\x01"\\ 1 r\xfe 2' hi PONG
}

@test "all 256 bytes arrive as they were sent" {
	local i octal text=
	for i in {0..255}; do
		printf -v octal '\\0%03o' "$i"
		text+=$octal
	done
	join c
	say c 'SUB foo 1' PING
	hear c PONG
	say_raw c "PUB foo 256\r\n$text\r\n"
	receive c 273 "$DIR/heard"
	printf '%b' "MSG foo 1 256\r\n$text\r\n" >"$DIR/sent"
	cmp "$DIR/heard" "$DIR/sent" || fail 'other bytes arrived'
	hear_nothing c
}

@test "payloads of every size around the powers of two arrive whole" {
	local power size digits
	join c
	join subscriber
	say subscriber 'SUB foo 1' PING
	hear subscriber PONG
	head -c 300000 /dev/urandom >"$DIR/random"
	for power in 512 4096 32768 65536 131072 262144; do
		for size in $((power - 1)) "$power" $((power + 1)); do
			digits=${#size}
			{
				printf 'PUB foo %d\r\n' "$size"
				head -c "$size" "$DIR/random"
				printf '\r\n'
			} >&"${FD[c]}"
			receive subscriber $((size + 14 + digits)) "$DIR/heard"
			{
				printf 'MSG foo 1 %d\r\n' "$size"
				head -c "$size" "$DIR/random"
				printf '\r\n'
			} | cmp - "$DIR/heard" || fail "a payload of $size bytes changed"
		done
	done
	hear_nothing subscriber
	hear_nothing c
}

@test "a payload of exactly the limit arrives" {
	join c
	say c 'SUB foo 1' PING
	hear c PONG
	head -c 1048576 /dev/urandom >"$DIR/random"
	{
		printf 'PUB foo reply 1048576\r\n'
		cat "$DIR/random"
		printf '\r\n'
	} >"$DIR/sent"
	cat "$DIR/sent" >&"${FD[c]}" &
	receive c 1048603 "$DIR/heard"
	wait $!
	{
		printf 'MSG foo 1 reply 1048576\r\n'
		cat "$DIR/random"
		printf '\r\n'
	} | cmp - "$DIR/heard" || fail 'the payload changed'
	hear_nothing c
}

@test "one publisher reaches many, each under its own sid" {
	join publisher
	join a
	join b
	say a 'SUB foo 1' 'SUB foo second' PING
	hear a PONG
	say b 'SUB foo abc.>*-@' PING
	hear b PONG
	say publisher 'PUB foo 2' hi PING
	hear publisher PONG
	read_line a
	local both=$LINE
	hear a hi
	read_line a
	both+=" and $LINE"
	hear a hi
	[[ $both == 'MSG foo 1 2 and MSG foo second 2' || $both == 'MSG foo second 2 and MSG foo 1 2' ]]
	hear b 'MSG foo abc.>*-@ 2' hi
	hear_nothing a
	hear_nothing b
}

@test "a subject with an empty token is published and matches nothing" {
	join c
	say c 'SUB > 1' 'PUB foo..bar 2' hi 'PUB .foo 2' hi 'PUB foo. 2' hi 'PUB . 2' hi PING
	hear c PONG
}

@test "a reply subject is not checked" {
	join c '"pedantic":true'
	say c 'SUB foo 1' 'PUB foo a.* 2' hi 'PUB foo a..b 2' hi 'PUB foo > 2' hi PING
	hear c 'MSG foo 1 a.* 2' hi 'MSG foo 1 a..b 2' hi 'MSG foo 1 > 2' hi PONG
}

@test "reserved reply subjects are denied and the message dropped" {
	local reply
	join c
	say c 'SUB foo 1'
	for reply in _R_.x '$JS.ACK.x' '$JS.API.x' _GR_.x; do
		say c "PUB foo $reply 2" hi PING
		hear c "-ERR 'Permissions Violation for Publish with Reply of \"$reply\"'" PONG
	done
	say c 'PUB foo _R_ 2' hi 'PUB foo $JS. 2' hi 'PUB foo _GR_. 2' hi PING
	hear c 'MSG foo 1 _R_ 2' hi 'MSG foo 1 $JS. 2' hi 'MSG foo 1 _GR_. 2' hi PONG
	say c 'PUB foo _R_.x"y\z 2' hi PING
	hear c '-ERR '\''Permissions Violation for Publish with Reply of "_R_.x\"y\\z"'\' PONG
}

@test "reserved subjects are denied" {
	local subject
	join c
	say c 'SUB > 1'
	for subject in _GR_.x '$NRG.x'; do
		say c "PUB $subject 2" hi PING
		hear c "-ERR 'Permissions Violation for Publish to \"$subject\"'" PONG
	done
	say c 'PUB _GR_ 2' hi PING
	hear c 'MSG _GR_ 1 2' hi PONG
}

@test "what only looks reserved is an ordinary subject" {
	local subject
	join c
	say c 'SUB > 1'
	for subject in '$SYS.x' '$JS.API.INFO' _INBOX.x '$LDS.x' '_R_.x'; do
		say c "PUB $subject 2" hi PING
		hear c "MSG $subject 1 2" hi PONG
	done
}

@test "a denied message is read to its end" {
	join c '"headers":true'
	say c 'SUB > 1' 'PUB _GR_.x 13' 'PUB foo 2' hi PING
	hear c "-ERR 'Permissions Violation for Publish to \"_GR_.x\"'" PONG
	say_raw c 'HPUB _GR_.x 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\n'
	hear c "-ERR 'Permissions Violation for Publish to \"_GR_.x\"'" PONG
}
