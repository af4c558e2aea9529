#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A publisher that is faster than its receivers waits for them a little, and only a little.

load lib

# milliseconds since some moment
now_ms() {
	local now=${EPOCHREALTIME/[.,]/}
	echo $((now / 1000))
}

# flood SIZE BYTES: messages of SIZE until so many bytes are sent, and a PING.
flood() {
	perl -e '
		my ($size, $bytes) = @ARGV;
		my $message = "PUB flood $size\r\n" . "x" x $size . "\r\n";
		print $message for 1 .. $bytes / $size;
		print "PING\r\n"' "$@" >&"${FD[publisher]}"
}

# From three quarters of max_pending on each read costs the publisher up to 10 ms. What the sockets
# themselves hold comes on top; without the waits it would all take some 20 ms.
waits_a_little() {
	local start
	ours 'a wait that is the same for all sizes'
	start_broker --max_pending 16MB
	join stuck
	say stuck 'SUB flood 1'
	hear_nothing stuck
	join publisher
	join other
	start=$(now_ms)
	flood "$1" 50000000
	# It was not stopped for good: all of it went through.
	hear publisher PONG
	(($(now_ms) - start > 150)) || fail "it took only $(($(now_ms) - start)) ms"
	await_log 'Slow Consumer Detected: MaxPending of 16777216 Exceeded'
	hear_nothing other
}

@test "messages of 3,000 bytes to one who does not read" {
	waits_a_little 3000
}

@test "messages of 100,000 bytes to one who does not read" {
	waits_a_little 100000
}

@test "who waits is served as soon as its receiver has read" {
	local start
	start_broker --max_pending 16MB
	join receiver
	say receiver 'SUB flood 1'
	hear_nothing receiver
	join publisher
	# All the time somebody reads: nothing is lost, and nobody is cut off.
	head -c $((10000 * (3000 + 20))) <&"${FD[receiver]}" | wc -c >"$DIR/heard" 3>&- &
	flood 3000 30000000
	hear publisher PONG
	wait $!
	(($(<"$DIR/heard") == 10000 * 3020))
	hear_nothing receiver
}

@test "a limit smaller than what is read at once cuts off nobody who reads" {
	start_broker --max_payload 1000 --max_pending 40000
	join receiver
	say receiver 'SUB flood 1'
	hear_nothing receiver
	join publisher
	head -c $((5000 * (500 + 19))) <&"${FD[receiver]}" | wc -c >"$DIR/heard" 3>&- &
	flood 500 2500000
	hear publisher PONG
	wait $!
	(($(<"$DIR/heard") == 5000 * 519))
	hear_nothing receiver
}
