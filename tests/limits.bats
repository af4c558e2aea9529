#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Limits: what happens at each of them, and just below.

load lib.bash

# rest NAME FILE: all that a connection still has to say, until its end.
rest() {
	timeout "$LIMIT_S" cat <&"${FD[$1]}" >"$2" 2>/dev/null || (($? != 124)) || fail "$1 is still open"
}

@test "max_connections: one more hears why, and may come when another left" {
	start_broker --max_connections 2
	join a
	join b
	open c
	hear_info c
	hear_refusal c 'maximum connections exceeded'
	hear_nothing a
	hear_nothing b
	close a
	await eval 'join c 2>/dev/null'
	hear_nothing b
}

@test "max_connections below 1 is a bad value" {
	differs max-connections
	refuses max_connections 0 -- -a 127.0.0.1 -p -1 --max_connections 0
	refuses max_connections -1 -- -a 127.0.0.1 -p -1 --max_connections -1
	refuses max_connections -1 -- -a 127.0.0.1 -p -1 --max_connections=-1
}

@test "max_subscriptions: one more is refused, the connection stays" {
	start_broker --max_subscriptions 2
	join c
	join other
	say c 'SUB a 1' 'SUB b group 2' PING
	hear c PONG
	say c 'SUB c 3' PING
	hear c "-ERR 'maximum subscriptions exceeded'" PONG
	say c 'SUB a 1' PING
	hear c "-ERR 'maximum subscriptions exceeded'" PONG
	say c 'PUB a 2' hi 'PUB b 2' hi 'PUB c 2' hi PING
	hear c 'MSG a 1 2' hi 'MSG b 2 2' hi PONG
	say other 'SUB a 1' 'SUB b 2' PING
	hear other PONG
	say c 'UNSUB 1' 'SUB c 3' 'PUB c 2' hi PING
	hear c 'MSG c 3 2' hi PONG
	say c 'UNSUB 2 2' 'PUB b 2' hi 'SUB d 4' 'PUB d 2' hi PING
	hear c 'MSG b 2 2' hi 'MSG d 4 2' hi PONG
}

@test "max_subscription_tokens: a longer subject is refused, and may be published to" {
	start_broker --max_subscription_tokens 3
	join c
	say c 'SUB a.b.c 1' 'SUB a.b.> 2' 'SUB a.b.c.d 3' PING
	hear c "-ERR 'Permissions Violation for Subscription to \"a.b.c.d\", too many tokens'" PONG
	say c 'SUB a.*.*.> q 3' PING
	hear c "-ERR 'Permissions Violation for Subscription to \"a.*.*.>\", too many tokens'" PONG
	say c 'PUB a.b.c.d 2' hi PING
	hear c 'MSG a.b.c.d 2 2' hi PONG
}

@test "max_payload: a payload of exactly so many bytes, and not one more" {
	start_broker --max_payload 10
	join c
	say c 'SUB foo 1' 'PUB foo 10' 1234567890 PING
	hear c 'MSG foo 1 10' 1234567890 PONG
	say c 'PUB foo 11'
	hear_refusal c 'Maximum Payload Violation'
}

@test "max_payload of nothing but empty messages" {
	start_broker --max_payload 1
	join c
	say c 'SUB foo 1' 'PUB foo 0' '' 'PUB foo 1' x PING
	hear c 'MSG foo 1 0' '' 'MSG foo 1 1' x PONG
	say c 'PUB foo 2'
	hear_refusal c 'Maximum Payload Violation'
}

@test "max_payload above the default" {
	start_broker --max_payload 4194304
	join c
	say c 'SUB foo 1' PING
	hear c PONG
	head -c 4194304 /dev/urandom >"$DIR/payload"
	{
		printf 'PUB foo 4194304\r\n'
		cat "$DIR/payload"
		printf '\r\n'
	} >"$DIR/sent"
	cat "$DIR/sent" >&"${FD[c]}" &
	hear c 'MSG foo 1 4194304'
	timeout "$LIMIT_S" head -c 4194306 <&"${FD[c]}" >"$DIR/heard"
	wait $!
	tail -c 4194306 "$DIR/sent" | cmp - "$DIR/heard" || fail 'the payload changed'
	hear_nothing c
}

@test "max_control_line: shorter and longer than the default" {
	local subject
	start_broker --max_control_line 64
	printf -v subject '%062d' 0
	open c
	hear_info c
	say c "SUB $subject 1" 'CONNECT {}' PING
	hear c '+OK' '+OK' PONG
	say c "SUB 0$subject 1"
	hear_refusal c 'maximum control line exceeded'
	stop_broker

	start_broker --max_control_line 100000
	printf -v subject '%099998d' 0
	join c
	say c "SUB $subject 1" "PUB $subject 2" hi PING
	hear c "MSG $subject 1 2" hi PONG
	say c "SUB 0$subject 1"
	hear_refusal c 'maximum control line exceeded'
}

# flood NAME MEGABYTES: so much in messages of 64 KiB to the subject flood.
flood() {
	{
		printf 'PUB flood 65536\r\n'
		head -c 65536 /dev/zero | tr '\0' x
		printf '\r\n'
	} >"$DIR/message"
	local i files=()
	for ((i = 0; i < $2 * 16; i++)); do
		files+=("$DIR/message")
	done
	timeout 30 cat "${files[@]}" >&"${FD[$1]}"
}

# is_cut_off NAME MB: it hears less than so much, and no word of why, and then the end.
is_cut_off() {
	local bytes
	rest "$1" "$DIR/heard"
	bytes=$(stat -c %s "$DIR/heard")
	((bytes > 0 && bytes < $2 * 1048576)) || fail "heard $bytes bytes"
	refute grep -q -- -ERR <(tail -c 100 "$DIR/heard")
}

@test "max_pending: who does not read is cut off without a word, and nobody else" {
	start_broker --max_pending 2097152
	join slow
	join publisher
	join other
	say slow 'SUB flood 1' PING
	hear slow PONG
	say other 'SUB flood group 1' 'UNSUB 1 1' PING
	hear other PONG
	flood publisher 40
	hear_nothing publisher
	await_log 'Slow Consumer'
	hear other 'MSG flood 1 65536'
	timeout "$LIMIT_S" head -c 65538 <&"${FD[other]}" >/dev/null
	hear_nothing other

	is_cut_off slow 40
	log_has 'MaxPending of 2097152 Exceeded|Slow Consumer \(Pending Bytes\)'
}

@test "write_deadline: who takes nothing for so long is cut off without a word" {
	start_broker --write_deadline 1s
	join slow
	join publisher
	say slow 'SUB flood 1' PING
	hear slow PONG
	flood publisher 32
	hear_nothing publisher
	await_log 'Slow Consumer'
	is_cut_off slow 32
	log_has 'WriteDeadline of 1s exceeded|Slow Consumer \(Write Deadline\)'
	hear_nothing publisher
}

# trickle NAME: a byte at a time, until the end.
trickle() {
	local byte
	while IFS= read -r -N 1 -t "$LIMIT_S" byte <&"${FD[$1]}"; do
		pause 0.02
	done
}

@test "write_deadline: a byte now and then is not enough" {
	start_broker --write_deadline 1s
	join slow
	join publisher
	say slow 'SUB flood 1' PING
	hear slow PONG
	flood publisher 32
	trickle slow >/dev/null 3>&- 4>&- &
	local trickles=$!
	hear_nothing publisher
	await_log 'Slow Consumer'
	kill "$trickles"
	wait "$trickles" || true
	log_has 'WriteDeadline of 1s exceeded|Slow Consumer \(Write Deadline\)'
	hear_nothing publisher
}

@test "who reads slowly but steadily loses nothing" {
	start_broker
	join slow
	join publisher
	say slow 'SUB flood 1' PING
	hear slow PONG
	flood publisher 16 &
	local i
	for i in {1..16}; do
		timeout "$LIMIT_S" head -c $((16 * 65557)) <&"${FD[slow]}" >"$DIR/heard"
		(($(stat -c %s "$DIR/heard") == 16 * 65557)) || fail "part $i is not whole"
		[[ $(head -n 1 "$DIR/heard") == $'MSG flood 1 65536\r' ]]
		pause 0.05
	done
	wait $!
	hear_nothing slow
	hear_nothing publisher
}

# CPU time of the broker so far, in hundredths of a second.
cpu_time() {
	local -a fields
	read -ra fields <"/proc/$BROKER_PID/stat"
	echo $((fields[13] + fields[14]))
}

# open_descriptors COUNT: from now on the broker may have so many.
open_descriptors() {
	prlimit --pid "$BROKER_PID" --nofile="$1:"
}

@test "a broker without free descriptors serves the clients it has, and others later" {
	local i before
	ours 'a word about it in its log'
	start_broker
	for i in {1..15}; do
		join "c$i"
	done
	open_descriptors "$(find "/proc/$BROKER_PID/fd" -mindepth 1 | wc -l)"
	for i in {16..30}; do
		open "c$i"
	done
	await_log '\[ERR\] .*accept.*Too many open files'
	before=$(cpu_time)
	pause 0.5
	(($(cpu_time) - before < 20)) || fail 'it spins'
	for i in {1..15}; do
		hear_nothing "c$i" || fail "  for client $i"
	done
	# One who leaves makes room for one who waits.
	close c1
	hear_info c16
	open_descriptors 1000
	for i in {17..30}; do
		hear_info "c$i" || fail "  for client $i"
	done
}
