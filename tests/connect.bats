#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# CONNECT: every field, every shape of its JSON, and what holds when none was sent.

load lib.bash

setup() {
	lib_setup
	start_broker
}

# passes JSON: CONNECT is accepted, with verbose still on.
passes() {
	open c
	hear_info c
	say c "CONNECT $1" PING
	hear c '+OK' PONG || fail "  after CONNECT $1" || return
	close c
}

# passes_quietly JSON: CONNECT is accepted, and turned verbose off.
passes_quietly() {
	open c
	hear_info c
	say c "CONNECT $1" PING
	hear c PONG || fail "  after CONNECT $1" || return
	close c
}

# closes JSON: the connection is closed without a word.
closes() {
	open c
	hear_info c
	say c "CONNECT $1" PING
	hear_closed c || fail "  after CONNECT $1"
}

# refused JSON TEXT
refused() {
	open c
	hear_info c
	say c "CONNECT $1" PING
	hear_refusal c "$2" || fail "  after CONNECT $1"
}

@test "an empty object keeps verbose, pedantic and echo on" {
	open c
	hear_info c
	say c 'CONNECT {}' 'SUB foo.* 1' 'PUB foo.* 2' hi PING
	hear c '+OK' '+OK' "-ERR 'Invalid Publish Subject'" '+OK' 'MSG foo.* 1 2' hi PONG
}

@test "without CONNECT the same defaults hold, and there are no headers" {
	open c
	hear_info c
	say c 'SUB foo.* 1' 'PUB foo.* 2' hi PING
	hear c '+OK' "-ERR 'Invalid Publish Subject'" '+OK' 'MSG foo.* 1 2' hi PONG
	say c 'HPUB foo 17 17' 'NATS/1.0' 'A:B' '' ''
	hear_closed c
}

@test "every known field is taken" {
	passes_quietly '{"verbose":false,"pedantic":false,"echo":true,"tls_required":false,"headers":true,'$(
	)'"no_responders":true,"protocol":1,"name":"n","lang":"c","version":"1.0","user":"u","pass":"p",'$(
	)'"auth_token":"t","nkey":"k","sig":"s","jwt":"j"}'
}

@test "tls_required and unknown fields change nothing" {
	passes '{"tls_required":true}'
	passes '{"unknown":1,"nested":{"deep":[1,{"deeper":null}]}}'
}

@test "keys match in any case" {
	passes_quietly '{"VERBOSE":false}'
	passes_quietly '{"Verbose":false}'
}

@test "of duplicate keys the last one counts" {
	passes_quietly '{"verbose":true,"verbose":false}'
	passes '{"verbose":false,"verbose":true}'
	passes_quietly '{"verbose":true,"VERBOSE":false}'
	passes '{"VERBOSE":false,"verbose":true}'
}

@test "null leaves a field as it is" {
	passes '{"verbose":null,"name":null,"protocol":null}'
	passes 'null'
	open c
	hear_info c
	say c 'CONNECT {"verbose":false}' 'CONNECT {"verbose":null}' 'CONNECT null' PING
	hear c PONG
}

@test "a field of the wrong type closes the connection" {
	closes '{"verbose":1}'
	closes '{"verbose":"false"}'
	closes '{"verbose":[]}'
	closes '{"pedantic":0}'
	closes '{"echo":"yes"}'
	closes '{"headers":1}'
	closes '{"no_responders":1}'
	closes '{"tls_required":1}'
	closes '{"name":1}'
	closes '{"lang":true}'
	closes '{"version":2}'
	closes '{"user":1}'
	closes '{"pass":{}}'
	closes '{"auth_token":[]}'
	closes '{"nkey":1}'
	closes '{"sig":1}'
	closes '{"jwt":1}'
	closes '{"protocol":"1"}'
}

@test "the protocol is an integer literal" {
	passes '{"protocol":0}'
	passes_quietly '{"protocol":1,"verbose":false}'
	closes '{"protocol":1.0}'
	closes '{"protocol":1e0}'
	closes '{"protocol":true}'
	closes '{"protocol":99999999999999999999}'
}

@test "any other protocol than 0 and 1 is refused" {
	refused '{"protocol":2,"verbose":false}' 'invalid client protocol'
	refused '{"protocol":-1,"verbose":false}' 'invalid client protocol'
}

@test "what is no object closes the connection" {
	local json
	for json in '[]' '"text"' 1 true '{' '}' '{"a":1,}' "{'verbose':false}" '{} x' '{}{}' '{verbose:false}' \
		'{"a":1 "b":2}' '{"a"}' 'NULL' 'nothing' '{"verbose":False}'; do
		closes "$json"
	done
}

@test "a raw control character inside a string closes the connection" {
	closes $'{"name":"a\tb"}'
	closes $'{"name":"a\x01b"}'
}

@test "an empty argument closes the connection" {
	open c
	hear_info c
	say c CONNECT PING
	hear_closed c
	closes ''
	closes ' '
}

@test "escapes, NUL among them, and invalid UTF-8 are accepted" {
	passes_quietly '{"verbose":false,"name":"\u0000"}'
	passes_quietly '{"verbose":false,"name":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}'
	passes_quietly '{"verbose":false,"name":"\ud800"}'
	passes_quietly $'{"verbose":false,"name":"\xff\xfe"}'
	passes_quietly $'{"name":"\xc3","verbose":false}'
	passes_quietly $'{"name":"\xed\xa0\x80\xf5\x80\x80\x80\xc0\xaf","verbose":false}'
	passes_quietly $'{"name":"\xe2\x82","verbose":false}'
	passes_quietly $'{"\xff":1,"verbose":false}'
}

@test "white space around and inside is accepted, and none is needed" {
	passes_quietly '   { "verbose" : false }   '
	passes_quietly $'\t{"verbose":\tfalse}\t'
	open c
	hear_info c
	say c 'CONNECT{"verbose":false}' PING
	hear c PONG
}

@test "the answer to CONNECT is +OK only where verbose is on" {
	open c
	hear_info c
	say c 'CONNECT {"verbose":false}' 'CONNECT {"verbose":true}' 'CONNECT {"verbose":false}' PING
	hear c '+OK' PONG
}

@test "a second CONNECT changes what it names and keeps the rest" {
	join c '"echo":false'
	say c 'CONNECT {}' 'SUB foo 1' 'PUB foo 2' hi PING
	hear c PONG
	say c 'UNSUB 1' 'CONNECT {"echo":true}' 'SUB foo 2' 'PUB foo 2' hi PING
	hear c 'MSG foo 2 2' hi PONG
}

@test "a second CONNECT keeps the subscriptions" {
	differs second-connect
	join c
	say c 'SUB foo 1' 'CONNECT {"verbose":true}' 'PUB foo 2' hi PING
	hear c '+OK' '+OK' 'MSG foo 1 2' hi PONG
}

@test "account and new_account are refused" {
	refused '{"verbose":false,"account":"a"}' 'Authorization Violation'
	refused '{"verbose":false,"account":"a","new_account":true}' 'Authorization Violation'
	refused '{"verbose":false,"new_account":true}' 'Authorization Violation'
	passes '{"account":"","new_account":false}'
}

@test "no_responders needs headers" {
	refused '{"verbose":false,"no_responders":true}' 'no responders requires headers support'
	refused '{"verbose":false,"no_responders":true,"headers":false}' 'no responders requires headers support'
	passes_quietly '{"verbose":false,"no_responders":true,"headers":true}'
}

@test "no_responders needs headers that the broker supports" {
	stop_broker
	start_broker --no_header_support
	refused '{"verbose":false,"no_responders":true,"headers":true}' 'no responders requires headers support'
}

@test "the order of complaints: JSON, account, protocol, no responders" {
	closes '{"protocol":7,"account":"a","no_responders":true,"name":1}'
	refused '{"protocol":7,"account":"a","no_responders":true}' 'Authorization Violation'
	refused '{"protocol":7,"no_responders":true}' 'invalid client protocol'
}

@test "user and password that nobody asked for change nothing" {
	passes '{"user":"u","pass":"p"}'
	passes '{"auth_token":"t"}'
	passes '{"nkey":"nonsense","sig":"nonsense","jwt":"nonsense"}'
}

@test "what a duplicate key said first is forgotten" {
	differs duplicate-keys
	passes '{"verbose":false,"verbose":null}'
	passes_quietly '{"verbose":1,"verbose":false}'
}
