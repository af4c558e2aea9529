#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A warm broker allocates nothing for a message.

load lib

setup() {
	lib_setup
	COUNTER=$DIR/allocations
	SHIM=${MINATS%/*}/tests/tools/countalloc.so
}

teardown() {
	lib_teardown
}

start_counted() {
	spawn env COUNTALLOC="$COUNTER" LD_PRELOAD="$SHIM" "$MINATS" -a 127.0.0.1 -p -1 --ports_file_dir "$DIR"
	await_ports
}

allocations() {
	od -An -t u8 "$COUNTER" | tr -d ' '
}

# flood FILE COUNT: sends it from a connection of its own and waits until all of it is done.
flood() {
	cat "$1" >&"${FD[publisher]}"
	hear publisher PONG
}

# messages COUNT LINE SIZE: that many messages with a payload of SIZE bytes, and a PING.
messages() {
	perl -e '
		my ($count, $line, $size) = @ARGV;
		print "$line $size\r\n", "x" x $size, "\r\n" for 1 .. $count;
		print "PING\r\n"' "$@"
}

# counts_nothing LINE SIZE COUNT [ALSO...]: once to warm it, then once to count.
counts_nothing() {
	local before after
	messages "$3" "$1" "$2" >"$DIR/messages"
	flood "$DIR/messages"
	before=$(allocations)
	flood "$DIR/messages"
	after=$(allocations)
	((before > 0)) || fail 'nothing is counted at all'
	((after == before)) || fail "$((after - before)) allocations for $3 messages of $2 bytes"
}

# A receiver that reads everything and looks at nothing.
listen() {
	open "$1"
	say "$1" 'CONNECT {"verbose":false}' "${@:2}"
	cat <&"${FD[$1]}" >/dev/null 3>&- &
	LISTENERS+=($!)
}

hush() {
	kill "${LISTENERS[@]}"
	wait "${LISTENERS[@]}" 2>/dev/null || true
}

@test "100,000 messages flow through a warm broker without an allocation" {
	LISTENERS=()
	start_counted
	listen one 'SUB orders.new 1' 'SUB orders.* 2' 'SUB other.> 3'
	listen two 'SUB orders.new workers 1'
	listen three 'SUB orders.> workers 1'
	join publisher
	counts_nothing 'PUB orders.new' 16 100000
	hush
}

@test "nor do headers, replies, large messages and those that nobody hears" {
	LISTENERS=()
	start_counted
	# One gets the headers, from the other they are kept.
	listen one 'CONNECT {"headers":true}' 'SUB orders.new 1'
	listen two 'SUB orders.new 1'
	join publisher '"headers":true'
	counts_nothing 'PUB nobody.hears.this' 16 20000
	counts_nothing 'PUB orders.new _INBOX.abc.1' 128 20000
	counts_nothing 'HPUB orders.new 0' 128 20000
	counts_nothing 'HPUB orders.new 64' 128 20000
	counts_nothing 'HPUB orders.new 64' 5000 2000
	counts_nothing 'PUB orders.new' 5000 2000
	counts_nothing 'PUB orders.new' 65536 50
	hush
}

@test "nor does the word that nobody listens" {
	LISTENERS=()
	start_counted
	open publisher
	say publisher 'CONNECT {"verbose":false,"headers":true,"no_responders":true}' 'SUB _INBOX.me.* 1' PING
	cat <&"${FD[publisher]}" >"$DIR/heard" 3>&- &
	LISTENERS+=($!)
	# Its own answers are many: the fence is that they are all there.
	messages 5000 'PUB nobody.hears.this _INBOX.me.1' 16 >"$DIR/messages"
	cat "$DIR/messages" >&"${FD[publisher]}"
	await eval '(($(grep -c "NATS/1.0 503" "$DIR/heard") == 5000))'
	before=$(allocations)
	cat "$DIR/messages" >&"${FD[publisher]}"
	await eval '(($(grep -c "NATS/1.0 503" "$DIR/heard") == 10000))'
	(($(allocations) == before)) || fail "$(($(allocations) - before)) allocations"
	hush
}
