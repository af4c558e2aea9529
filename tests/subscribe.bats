#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# SUB: which subjects and sids, and what a duplicate means.

load lib.bash

setup() {
	lib_setup
	start_broker
}

@test "a sid is any bytes, and comes back as it is" {
	join c
	local sid
	for sid in 1 0 -1 abc 'abc.>*-@' $'\xff\x01' 18446744073709551616 '"{}'; do
		say c "SUB foo $sid" 'PUB foo 2' hi "UNSUB $sid" PING
		hear c "MSG foo $sid 2" hi PONG
	done
}

@test "two sids of one subject get a message each" {
	join c
	say c 'SUB foo 1' 'SUB foo 2' 'PUB foo 2' hi PING
	read_line c
	local first=$LINE
	hear c hi
	read_line c
	[[ $first != "$LINE" ]]
	[[ $first == 'MSG foo '[12]' 2' && $LINE == 'MSG foo '[12]' 2' ]]
	hear c hi PONG
}

@test "a duplicate sid is ignored, the old subscription stays" {
	open c
	hear_info c
	say c 'SUB foo 1' 'SUB bar 1' 'SUB bar..baz 1' 'SUB bar group 1'
	hear c '+OK' '+OK' '+OK' '+OK'
	say c 'PUB bar 2' hi 'PUB foo 2' hi PING
	hear c '+OK' '+OK' 'MSG foo 1 2' hi PONG
}

@test "a sid is free again once it was unsubscribed" {
	join c
	say c 'SUB foo 1' 'UNSUB 1' 'SUB bar 1' 'PUB foo 2' hi 'PUB bar 2' hi PING
	hear c 'MSG bar 1 2' hi PONG
	say c 'UNSUB 1' 'SUB foo 1' 'UNSUB 1 1' 'PUB foo 2' hi 'SUB bar 1' 'PUB foo 2' hi 'PUB bar 2' hi PING
	hear c 'MSG foo 1 2' hi 'MSG bar 1 2' hi PONG
}

@test "an invalid subject is refused, and nothing else happens" {
	local subject
	open c
	hear_info c
	for subject in foo..bar .foo foo. . .. 'foo.>.bar' '>.foo' '>.>' '>.'; do
		say c "SUB $subject 1"
		hear c "-ERR 'Invalid Subject'" || fail "  after SUB $subject"
	done
	say c 'SUB foo 1'
	hear c '+OK'
	say c 'PUB foo 2' hi
	hear c '+OK' 'MSG foo 1 2' hi
}

@test "every other subject is valid and literal" {
	local subject
	open c
	hear_info c
	say c 'CONNECT {"pedantic":false}'
	hear c '+OK'
	for subject in 'foo*' 'f*o.b>r' 'foo.**' 'foo.>>' '>>' '**' '*>' '$' '_' $'\x01\x7f' $'\xff\xfe' 'ä.ö.ü' '"' '{}' FOO; do
		say c "SUB $subject 1" 'PUB foo.bar 2' hi "PUB $subject 2" hi 'UNSUB 1'
		hear c '+OK' '+OK' '+OK' "MSG $subject 1 2" hi '+OK' || fail "  after SUB $subject"
	done
}

@test "a NUL in a subject is a byte like others" {
	join c
	say_raw c 'SUB a\0b 1\r\nPUB a 2\r\nhi\r\nPUB a\0b 2\r\nhi\r\nPUB a\0c 2\r\nhi\r\nPING\r\n'
	# The shell drops the NUL while it reads.
	hear c 'MSG ab 1 2' hi PONG
}

@test "subjects are told apart by case" {
	join c
	say c 'SUB foo 1' 'PUB FOO 2' hi 'PUB Foo 2' hi PING
	hear c PONG
}

@test "a subject may have many tokens" {
	join c
	local subject
	printf -v subject 'a.%.0s' {1..1000}
	subject+=b
	say c "SUB $subject 1" "SUB ${subject%b}> 2" "PUB $subject 2" hi PING
	read_line c
	[[ $LINE == "MSG $subject "[12]' 2' ]]
	hear c hi
	read_line c
	[[ $LINE == "MSG $subject "[12]' 2' ]]
	hear c hi PONG
}

@test "the group _sys_ is refused" {
	open c
	hear_info c
	say c 'SUB foo _sys_ 1'
	hear c "-ERR 'Permissions Violation for Subscription to \"foo\" using queue \"_sys_\"'"
	say c 'PUB foo 2' hi PING
	hear c '+OK' PONG
	say c $'SUB x"y\\z\xc3\xa9\x01 _sys_ 1'
	hear c $'-ERR \'Permissions Violation for Subscription to "x\\"y\\\\z\xc3\xa9\\x01" using queue "_sys_"\''
	say c $'SUB a\x07\x08\x0c\x0b\x7f\xffb _sys_ 1'
	hear c $'-ERR \'Permissions Violation for Subscription to "a\\a\\b\\f\\v\\x7f\\xffb" using queue "_sys_"\''
}

@test "ten thousand subscriptions of one client, each heard and each undone" {
	join c
	# Two tokens vary, so that the broker's index grows in breadth and in depth.
	seq 0 9999 | sed 's/\(.*\)\(.\)$/SUB s.\2.\1\2 \1\2\r/' >&"${FD[c]}"
	hear_nothing c
	say c 'PUB s.2.4242 2' hi PING
	hear c 'MSG s.2.4242 4242 2' hi PONG
	seq 0 9999 | sed 's/.*/UNSUB &\r/' >&"${FD[c]}"
	hear_nothing c
	say c 'PUB s.2.4242 2' hi PING
	hear c PONG
}
