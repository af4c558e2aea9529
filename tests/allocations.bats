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

# counts_nothing COMMAND...: it is warm when as much was once queued as ever will be, which depends on
# how quick the receivers are. So it has some rounds to warm up; then one must pass without any.
counts_nothing() {
	local before after round
	for round in {1..12}; do
		before=$(allocations)
		"$@"
		after=$(allocations)
		((before > 0)) || fail 'nothing is counted at all' || return
		((after > before)) || return 0
	done
	fail "$((after - before)) allocations in round $round of $*"
}

# publish LINE SIZE COUNT
publish() {
	messages "$3" "$1" "$2" >"$DIR/messages"
	flood "$DIR/messages"
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
	counts_nothing publish 'PUB orders.new' 16 100000
	hush
}

@test "nor do headers, replies, large messages and those that nobody hears" {
	LISTENERS=()
	start_counted
	# One gets the headers, from the other they are kept.
	listen one 'CONNECT {"headers":true}' 'SUB orders.new 1'
	listen two 'SUB orders.new 1'
	join publisher '"headers":true'
	counts_nothing publish 'PUB nobody.hears.this' 16 20000
	counts_nothing publish 'PUB orders.new _INBOX.abc.1' 128 20000
	counts_nothing publish 'HPUB orders.new 0' 128 20000
	counts_nothing publish 'HPUB orders.new 64' 128 20000
	counts_nothing publish 'HPUB orders.new 64' 5000 2000
	counts_nothing publish 'PUB orders.new' 5000 2000
	counts_nothing publish 'PUB orders.new' 65536 50
	hush
}

ask() {
	((answers += 5000))
	cat "$DIR/messages" >&"${FD[publisher]}"
	await eval '(($(grep -c "NATS/1.0 503" "$DIR/heard") == answers))'
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
	answers=0
	counts_nothing ask
	hush
}
