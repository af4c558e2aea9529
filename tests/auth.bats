#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Authentication: who may come in, by token or by name and password, and what all others hear.

load lib.bash

setup() {
	lib_setup
	# shellcheck disable=SC2016 # bcrypt's, of sesame
	HASH='$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW'
}

teardown() {
	# What lib_teardown asks of a broker takes a CONNECT that is accepted.
	# shellcheck disable=SC2034
	PORT=
	lib_teardown
}

admits() {
	knock someone "$1" || return
	hear someone PONG || return
	close someone
}

rejects() {
	knock someone "$1" || return
	hear_refusal someone 'Authorization Violation'
}

@test "user and password" {
	start_broker --user joe --pass sesame
	admits '"user":"joe","pass":"sesame"'
	rejects '"user":"joe","pass":"Sesame"'
	rejects '"user":"joe","pass":"sesame "'
	rejects '"user":"joe","pass":"sesam"'
	rejects '"user":"joe"'
	rejects '"user":"Joe","pass":"sesame"'
	rejects '"pass":"sesame"'
	rejects '"auth_token":"sesame"'
	rejects '"user":null,"pass":null'
	rejects ''
}

@test "a bcrypt hash in place of the password" {
	start_broker --user joe --pass "$HASH"
	admits '"user":"joe","pass":"sesame"'
	rejects '"user":"joe","pass":"Sesame"'
	rejects '"user":"joe"'
	rejects "\"user\":\"joe\",\"pass\":\"$HASH\""
	rejects '"user":"jane","pass":"sesame"'
	admits '"user":"joe","pass":"sesame"'
}

@test "passwords that everybody can read are warned of" {
	start_broker --user joe --pass "$HASH"
	admits '"user":"joe","pass":"sesame"'
	refute log_has Plaintext
	stop_broker
	start_broker --user joe --pass sesame
	await_log 'Plaintext passwords detected, use nkeys or bcrypt'
}

@test "a token, plain or hashed" {
	start_broker --auth sesame
	admits '"auth_token":"sesame"'
	rejects '"auth_token":"Sesame"'
	rejects '"user":"sesame"'
	rejects '"pass":"sesame"'
	rejects ''
	stop_broker
	start_broker --auth "$HASH"
	admits '"auth_token":"sesame"'
	rejects '"auth_token":"Sesame"'
	rejects "\"auth_token\":\"$HASH\""
}

@test "INFO says that it is asked for, and not otherwise" {
	start_broker
	open one
	hear_info one
	[[ $(info auth_required) == null && $(info nonce) == null ]]
	close one
	stop_broker
	start_broker --auth sesame
	open one
	hear_info one
	[[ $(info auth_required) == true && $(info nonce) == null ]]
	say one 'CONNECT {"verbose":false,"protocol":1,"auth_token":"sesame"}' PING
	hear one PONG
	hear_info one
	[[ $(info auth_required) == true && $(info nonce) == null ]]
	[[ $(info remote_account) == \"\$G\" ]]
}

@test "nothing is done before CONNECT" {
	start_broker --auth sesame
	local line
	for line in PING PONG 'SUB a 1' 'PUB a 0' 'UNSUB 1' +OK '-ERR x' 'INFO {}' '' XYZ; do
		open someone
		hear_info someone
		say someone "$line" 'CONNECT {"auth_token":"sesame"}'
		hear_refusal someone 'Authorization Violation'
	done
	open someone
	hear_info someone
	say someone CXX
	hear_refusal someone 'Unknown Protocol Operation'
	open someone
	hear_info someone
	say someone 'connect {"auth_token":"sesame"}'
	hear someone +OK
}

@test "the first byte is enough" {
	start_broker --auth sesame
	open someone
	hear_info someone
	say_raw someone P
	hear_refusal someone 'Authorization Violation'
}

@test "who he is comes before everything else that is wrong with a CONNECT" {
	start_broker --auth sesame
	rejects '"protocol":7'
	rejects '"no_responders":true,"headers":false'
	knock someone '"protocol":7,"auth_token":"sesame"'
	hear_refusal someone 'invalid client protocol'
	knock someone '"no_responders":true,"headers":false,"auth_token":"sesame"'
	hear_refusal someone 'no responders requires headers support'
	knock someone '"auth_token":"sesame","account":"x"'
	hear_refusal someone 'Authorization Violation'
	knock someone '"auth_token":7'
	hear_closed someone
	open someone
	hear_info someone
	say someone 'CONNECT {"auth_token":"sesame"} x'
	hear_closed someone
}

@test "what comes behind CONNECT waits until the password is checked" {
	start_broker --user joe --pass "$HASH"
	open one
	hear_info one
	say one 'CONNECT {"user":"joe","pass":"sesame"}' 'SUB a 1' 'PUB a 2' hi PING
	hear one +OK +OK +OK 'MSG a 1 2' hi PONG
	say one 'PUB a 2' ho
	hear one +OK 'MSG a 1 2' ho
	open other
	hear_info other
	say other 'CONNECT {"user":"joe","pass":"open"}' 'PUB a 4' evil
	hear_refusal other 'Authorization Violation'
	hear_nothing one
}

@test "a CONNECT may come byte by byte" {
	start_broker --user joe --pass "$HASH"
	open one
	hear_info one
	local line='CONNECT {"verbose":false,"user":"joe","pass":"sesame"}' at
	for ((at = 0; at < ${#line}; at++)); do
		say_raw one "${line:at:1}"
	done
	say one '' PING
	hear one PONG
}

@test "who does not say who he is has to go after some seconds" {
	start_broker --auth sesame
	local start=$EPOCHREALTIME
	open silent
	open slow
	hear_info silent
	hear_info slow
	say_raw slow 'CONNECT {"auth_token":"sesa'
	hear_refusal silent 'Authentication Timeout'
	hear_refusal slow 'Authentication Timeout'
	((${EPOCHREALTIME/[.,]/} - ${start/[.,]/} > 1900000))
	admits '"auth_token":"sesame"'
}

@test "who is in stays longer than that" {
	start_broker --user joe --pass "$HASH"
	knock one '"user":"joe","pass":"sesame"'
	hear one PONG
	pause 2.3
	hear_nothing one
}

@test "a second CONNECT is looked at like the first" {
	start_broker --user joe --pass sesame
	knock one '"user":"joe","pass":"sesame"'
	hear one PONG
	say one 'CONNECT {}' PING
	hear one PONG
	say one 'CONNECT {"verbose":true,"user":"joe","pass":"sesame"}' PING
	hear one +OK PONG
	say one 'CONNECT {"user":"joe","pass":"wrong"}' PING
	hear_refusal one 'Authorization Violation'
}

@test "without users whatever somebody says of himself is good" {
	start_broker
	admits '"user":"joe","pass":"sesame"'
	admits '"auth_token":"x","nkey":"y","sig":"z","jwt":"j"'
}

@test "what the command line says of users has to make sense" {
	differs option-limits
	refuses --user together -- -p -1 --user joe
	refuses --pass together -- -p -1 --pass sesame
	refuses --auth alone -- -p -1 --user joe --pass sesame --auth sesame
	# shellcheck disable=SC2016 # a hash
	refuses --pass bcrypt -- -a 127.0.0.1 -p -1 --user joe --pass '$2b$11$tooshort'
	# shellcheck disable=SC2016
	refuses --auth bcrypt -- -a 127.0.0.1 -p -1 --auth '$2b$11$tooshort'
}

# maps LIBRARY: the broker has it in its memory.
maps() {
	grep -q "/$1\\.so" "/proc/$BROKER_PID/maps"
}

@test "libcrypt and libcrypto are there only for those who need them" {
	ours 'libraries that come when they are needed'
	start_broker
	refute maps libcrypt
	refute maps libcrypto
	stop_broker
	start_broker --user joe --pass sesame
	admits '"user":"joe","pass":"sesame"'
	refute maps libcrypt
	refute maps libcrypto
	stop_broker
	start_broker --user joe --pass "$HASH"
	maps libcrypt
	refute maps libcrypto
	PORT=
	stop_broker
	echo 'authorization: {users: [{nkey: UDLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRUVAL}]}' >"$DIR/nkey.conf"
	start_broker -c "$DIR/nkey.conf"
	maps libcrypto
	refute maps libcrypt
}

@test "many who wait for their passwords leave while they do" {
	start_broker --user joe --pass "$HASH"
	local at
	for ((at = 0; at < 40; at++)); do
		knock "gone$at" '"user":"joe","pass":"wrong"'
	done
	for ((at = 0; at < 40; at++)); do
		close "gone$at"
	done
	await admits '"user":"joe","pass":"sesame"'
}
