#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# No client delays the others, takes their memory or their descriptors, whatever it does.

load lib
load measure

# Lame duck mode lasts half a minute, the shortest there is: one broker goes through it while the other cases run.
setup_file() {
	export DUCK=$BATS_FILE_TMPDIR/duck
	mkdir "$DUCK"
	go_down >"$DUCK/said" 2>&1 3>&- 4>&- &
	export DUCK_PID=$!
}

teardown_file() {
	if kill -0 "$DUCK_PID" 2>/dev/null; then
		kill -TERM "$DUCK_PID"
		wait "$DUCK_PID" || true
	fi
}

setup() {
	lib_setup
	BACKGROUND=()
	ours 'these bounds'
}

teardown() {
	hush
	lib_teardown
}

# go_down: 400 clients, and five seconds for them all after the grace period. Leaves the exit status and the
# milliseconds that it took.
go_down() {
	local start
	BATS_TEST_TMPDIR=$DUCK BATS_TEST_NAME=go_down lib_setup
	trap 'kill -KILL "$BROKER_PID"; exit 1' TERM
	start_broker --lame_duck_duration 30s --lame_duck_grace_period 25s || return
	for client in {1..400}; do
		join "$client" || return
	done
	start=$(now_ms)
	kill -USR2 "$BROKER_PID"
	await_exit 40 || return
	echo "$EXIT_STATUS $(($(now_ms) - start))" >"$DUCK/result"
}

### The cases

publish_100() {
	times 100 $'PUB crowd 0\r\n' publisher
	hear_nothing publisher
}

@test "5,000 queue groups on one subject: nobody waits for the messages to them" {
	start_broker
	join publisher
	join groups
	# shellcheck disable=SC2016
	times 5000 'SUB crowd group%1$d %1$d' groups
	hear_nothing groups
	listen groups
	undisturbed 1000 publish_100
}

come_and_go() {
	join groups || return
	# shellcheck disable=SC2016
	times 60000 'SUB crowd group%1$d %1$d' groups
	hear_nothing groups || return
	close groups
	# Who comes after that finds it done.
	join next && close next
}

@test "60,000 queue groups on one subject come and go: nobody waits for them" {
	start_broker
	undisturbed 1000 come_and_go
}

# swallow NAME BYTES: reads so many, or to the end, as fast as can be, and leaves their number in a file.
swallow() {
	exec perl -e '
		my ($left, $file) = @ARGV;
		my $count = 0;
		local $SIG{ALRM} = sub { die "only $count bytes in 20 s\n" };
		alarm 20;
		while ($left > 0) {
			my $got = sysread STDIN, my $bytes, $left < 65536 ? $left : 65536;
			last if !$got;
			$count += $got;
			$left -= $got;
		}
		open my $out, ">", $file or die "$file: $!\n";
		print $out $count;' "$2" "$DIR/count" <&"${FD[$1]}"
}

# amplify COUNT SIZE: each message becomes a thousand of SIZE bytes, and 17 and the digits of SIZE.
amplify() {
	local bytes=$(($1 * 1000 * (17 + ${#2} + $2)))
	in_background swallow eager "$bytes"
	times "$1" "PUB all $2"$'\r\n'"$(printf '%0*d' "$2" 0)" publisher
	hear_nothing publisher || return
	wait "${BACKGROUND[-1]}" || fail 'not all came' || return
	(($(<"$DIR/count") == bytes)) || fail "cut off after $(<"$DIR/count") of $bytes bytes"
}

@test "1,000 subscriptions of one client: it gets every copy, and nobody waits for them" {
	start_broker
	join publisher
	join eager
	# Lest it comes among what is counted. The next is minutes away.
	hear eager PING
	say eager PONG
	perl -e 'print "SUB all $_\r\n" for 1000 .. 1999' >&"${FD[eager]}"
	hear_nothing eager
	# 120 MB in all; then as many copies as a single read can ask for.
	undisturbed 300 amplify 1000 100
	undisturbed 300 amplify 4600 1
	hear_nothing eager
}

# Each time other subjects: no answer is remembered.
publish_400() {
	# shellcheck disable=SC2016
	times 400 'PUB a.a.a.a.a.a.a.a.a.a.a.a.a.%1$d 0'$'\r\n' publisher
	hear_nothing publisher
}

@test "8,192 patterns that branch at each token: nobody waits for the matching" {
	start_broker
	join publisher
	join patterns
	# All of 13 tokens "a" or "*", and a last one that no subject has.
	perl -e '
		for my $bits (0 .. (1 << 13) - 1) {
			print "SUB ", (map { $bits >> $_ & 1 ? "a." : "*." } 0 .. 12), "none $bits\r\n";
		}' >&"${FD[patterns]}"
	hear_nothing patterns
	undisturbed 500 publish_400
}

# join_groups: one who wants 503s, and has many groups on a pattern.
join_groups() {
	join groups '"headers":true,"no_responders":true'
	# shellcheck disable=SC2016
	times 50000 'SUB $NRG.> group%1$d %1$d' groups
	# shellcheck disable=SC2016
	times 50000 'SUB reply.> group%1$d 2%1$d' groups
	hear_nothing groups
	listen groups
}

# Each time other subjects: nobody is there, and the 503 would go to a reply that only groups want.
ask_6000() {
	# shellcheck disable=SC2016
	times 6000 'PUB nobody.%1$d reply.%1$d 0'$'\r\n' groups
	join after && close after
}

@test "50,000 queue groups on the subject of replies: nobody waits for the search of a 503's receiver" {
	start_broker
	join_groups
	undisturbed 500 ask_6000
}

# The first of each two in a way that is not looked at ahead, the second refused.
refuse_6000() {
	# shellcheck disable=SC2016
	times 6000 'PUB  nobody.%1$d 0'$'\r\n\r\n''PUB $NRG.%1$d 0'$'\r\n' groups
	join after && close after
}

@test "50,000 queue groups on a subject that may not be published to: nobody waits for them" {
	start_broker
	join_groups
	undisturbed 60 refuse_6000
}

@test "a receiver without headers that does not read pins no headers" {
	local before after
	start_broker
	join stuck
	say stuck 'SUB all 1'
	hear_nothing stuck
	join publisher '"headers":true'
	before=$(memory VmHWM)
	# First as much as the sockets hold, then headers only: for the receiver they are empty messages.
	perl -e '
		print "PUB all 1000000\r\n", "x" x 1000000, "\r\n" for 1 .. 16;
		my $header = "NATS/1.0\r\nA: " . "x" x (1048576 - 17) . "\r\n\r\n";
		my $length = length $header;
		print "HPUB all $length $length\r\n$header\r\n" for 1 .. 400;' >&"${FD[publisher]}"
	hear_nothing publisher
	after=$(memory VmHWM)
	show "$before MB before, $after after"
	((after - before < 100)) || fail "$((after - before)) MB more"
}

# 2,000 connections that send garbage and stay; the most descriptors that the broker had meanwhile go to a file.
offend() {
	ulimit -Sn 3000
	exec perl -MIO::Socket::INET -e '
		my ($port, $pid, $file) = @ARGV;
		my ($most, @held) = 0;
		for my $number (1 .. 2000) {
			my $socket = IO::Socket::INET->new("127.0.0.1:$port") or die "connect: $!\n";
			syswrite $socket, "garbage\r\n";
			push @held, $socket;
			next if $number % 20;
			opendir my $open, "/proc/$pid/fd" or die "descriptors: $!\n";
			my $count = grep { !/^\./ } readdir $open;
			$most = $count if $count > $most;
		}
		open my $out, ">", $file or die "$file: $!\n";
		print $out "$most\n";
		close $out;
		sleep 60;' "$PORT" "$BROKER_PID" "$DIR/most"
}

@test "2,000 who are refused and stay: few descriptors are theirs, and who comes is served" {
	local start
	# A line for each of them is not for who reads the report of a failure.
	start_broker --max_connections 50 -l "$DIR/offenders"
	in_background offend
	await [ -s "$DIR/most" ]
	start=$(now_ms)
	check_alive
	(($(now_ms) - start < 1000 * SANITIZED)) || fail "served after $(($(now_ms) - start)) ms"
	show "$(<"$DIR/most") descriptors"
	# Theirs are 256 and what comes in one turn of the loop.
	(($(<"$DIR/most") < 50 + 256 + 128)) || fail "$(<"$DIR/most") descriptors"
}

many_come_and_go() {
	join many || return
	# shellcheck disable=SC2016
	times 100000 'SUB many.%1$d.*.x %1$d' many
	hear_nothing many || return
	show "$(memory VmRSS) MB with them"
	close many
}

memory_is_below() {
	(($(memory VmRSS) < $1))
}

@test "100,000 subscriptions come and go: their memory is given back while others are served" {
	local before
	start_broker
	honest_begin
	# A sanitizer keeps for itself what is freed, and uses it again: there the first time does not count.
	((SANITIZED == 1)) || many_come_and_go
	before=$(memory VmRSS)
	many_come_and_go
	LIMIT_S=15 await memory_is_below $((before + 8))
	show "$before MB before, $(memory VmRSS) after"
	honest_end
}

# There are 12 ms for each: a timer that ticks more coarsely than that takes a quarter of a minute longer.
@test "lame duck mode is over in time, however many clients there are" {
	local status took_ms
	LIMIT_S=40 await [ -s "$DUCK/result" ] || fail "$(<"$DUCK/said")"
	read -r status took_ms <"$DUCK/result"
	((status == 0))
	show "$took_ms ms"
	((took_ms < 35000)) || fail "it took $took_ms ms"
}
