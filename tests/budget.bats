#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What all clients hold together has a limit, and who holds most goes first.

load lib

# A sanitizer keeps what is freed for a while.
SANITIZED=0
if grep -qa __asan_init "${MINATS:-$BATS_TEST_DIRNAME/../build/minats}"; then
	SANITIZED=1
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1
fi

# Of the process, in MB, beyond the budget: the program and its libraries, 8 MB that stand ready for the next message,
# what the allocator cannot use, and what one client may send in one go before anybody looks.
BEYOND_MB=24

setup() {
	lib_setup
	ours 'a memory budget'
	STUCK_PID=
	HONEST_PID=
}

teardown() {
	local pid
	for pid in $STUCK_PID $HONEST_PID; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	lib_teardown
}

# memory FIELD: VmRSS, or VmHWM, its maximum; in MB.
memory() {
	awk -v field="$1:" '$1 == field { print int($2 / 1024) }' "/proc/$BROKER_PID/status"
}

# stay_below MB: it never took more.
stay_below() {
	local most
	most=$(memory VmHWM)
	[[ -z ${SHOW_MEASURED:-} ]] || printf '# at most %s MB\n' "$most" >&3
	((SANITIZED || most < $1)) || fail "it took $most MB"
}

# stuck COUNT SUBJECT own|shared: a crowd that does not read; see tools/stuck.py.
stuck() {
	mkfifo "$DIR/leave"
	(
		close_all
		exec python3 "$ROOT/tests/tools/stuck.py" "$PORT" "$@" <"$DIR/leave" >"$DIR/stuck" 2>&1 3>&- 4>&-
	) &
	STUCK_PID=$!
	exec {LEAVE}>"$DIR/leave"
	await grep -sq up "$DIR/stuck"
}

# How many of them were closed, in CLOSED.
unstick() {
	exec {LEAVE}>&-
	wait "$STUCK_PID" || fail "$(<"$DIR/stuck")" || return
	STUCK_PID=
	CLOSED=$(tail -n 1 "$DIR/stuck")
}

honest_begin() {
	(
		close_all
		exec python3 "$ROOT/tests/tools/honest.py" "$PORT" "$DIR/honest" 3>&- 4>&-
	) &
	HONEST_PID=$!
	await grep -sq up "$DIR/honest"
}

honest_end() {
	kill -TERM "$HONEST_PID"
	wait "$HONEST_PID" || fail 'the honest pair was not served' || return
	HONEST_PID=
}

# flood SUBJECT SIZE COUNT: messages, and a PING.
flood() {
	perl -e '
		my ($subject, $size, $count) = @ARGV;
		my $message = "PUB $subject $size\r\n" . "x" x $size . "\r\n";
		print $message for 1 .. $count;
		print "PING\r\n"' "$@" >&"${FD[publisher]}"
}

@test "a crowd that does not read: memory stays near the budget, and others are served" {
	start_broker --max_memory 64MB
	join publisher
	honest_begin
	stuck 50 flood own
	# 1,000 MB in copies.
	flood flood 2000 10000
	LIMIT_S=60 hear publisher PONG
	await_log 'MaxMemory of 67108864 Exceeded'
	await_log 'Client connection closed: Slow Consumer \(Memory Budget\)'
	honest_end
	stay_below $((64 + BEYOND_MB))
	unstick
	((CLOSED > 0)) || fail 'nobody was closed'
}

@test "a crowd that waits for the same bytes: they count once, and in the end it goes" {
	start_broker --max_memory 64MB
	join publisher
	honest_begin
	stuck 50 flood shared
	# 40 MB for all of them, which would be 2 GB in copies; each has a little of its own: nobody has to go.
	flood flood 1000000 40
	LIMIT_S=60 hear publisher PONG
	refute grep -q 'Slow Consumer' "$LOG"
	flood flood 1000000 40
	LIMIT_S=60 hear publisher PONG
	await_log 'MaxMemory of 67108864 Exceeded'
	honest_end
	stay_below $((64 + BEYOND_MB))
	unstick
	((CLOSED > 0)) || fail 'nobody was closed'
}

@test "who holds most goes, and who holds less stays" {
	start_broker --max_memory 40MB
	join publisher
	join little
	join much
	say little 'SUB little 1'
	hear_nothing little
	say much 'SUB much 1'
	hear_nothing much
	# More than the sockets hold, for both of them.
	flood little 100000 150
	hear publisher PONG
	flood much 100000 450
	hear publisher PONG
	await_log 'MaxMemory of 41943040 Exceeded, of which this client held most: [0-9]+, [0-9]{8} bytes pending and 1 subs'
	(($(grep -c 'MaxMemory of' "$LOG") == 1)) || fail 'more than one was closed'
	timeout "$LIMIT_S" head -c $((150 * (100000 + 23))) <&"${FD[little]}" | wc -c >"$DIR/heard" 3>&-
	(($(<"$DIR/heard") == 150 * 100023))
	hear_nothing little
}

@test "a client with subscriptions without end is closed, and its memory is given back" {
	start_broker --max_memory 32MB
	join other
	say other 'SUB other 1'
	hear_nothing other
	join greedy
	honest_begin
	perl -e '$SIG{PIPE} = "IGNORE"; print "SUB many.$_.of.*.them $_\r\n" or last for 1 .. 500000' >&"${FD[greedy]}" 2>/dev/null ||
		true
	await_log 'MaxMemory of 33554432 Exceeded, of which this client held most: [0-9]+, [0-9]+ bytes pending and [0-9]{5,} subs'
	honest_end
	stay_below $((32 + BEYOND_MB))
	say other 'PUB other 2' ok
	hear other 'MSG other 1 2' ok
}

@test "messages that are never finished count" {
	start_broker --max_memory 16MB
	join other
	local client
	for client in {1..20}; do
		join "half$client"
		say_raw "half$client" 'PUB foo 1000000\r\n0123456789'
	done
	await_log 'Client connection closed: Slow Consumer \(Memory Budget\)'
	stay_below $((16 + BEYOND_MB))
	hear_nothing other
}

@test "connections count, and who came last goes first" {
	start_broker --max_payload 1000 --max_memory 100kb
	local client
	join first
	for client in {1..250}; do
		open "idle$client"
	done
	await_log 'MaxMemory of 102400 Exceeded'
	hear_nothing first
}

# milliseconds since some moment
now_ms() {
	local now=${EPOCHREALTIME/[.,]/}
	echo $((now / 1000))
}

@test "publishers wait before somebody has to go" {
	local start
	start_broker --max_memory 64MB --max_pending 1GB
	join stuck
	say stuck 'SUB flood 1'
	hear_nothing stuck
	join publisher
	# Up to the mark, and what the sockets hold.
	flood flood 130000 350
	hear publisher PONG
	start=$(now_ms)
	flood flood 130000 130
	hear publisher PONG
	(($(now_ms) - start > 150)) || fail "it took only $(($(now_ms) - start)) ms"
	refute grep -q 'Slow Consumer' "$LOG"
}

# configure LINE...
configure() {
	printf '%s\n' "$@" >"$DIR/minats.conf"
}

@test "a reload changes it, for those as well who are there" {
	configure 'max_memory: 0'
	start_broker -c "$DIR/minats.conf"
	await_log 'Memory:   no limit \(max_memory\)$'
	join publisher
	join stuck
	say stuck 'SUB flood 1'
	hear_nothing stuck
	flood flood 1000000 30
	hear publisher PONG
	configure 'max_memory: 10mb'
	kill -HUP "$BROKER_PID"
	await_log 'MaxMemory of 10485760 Exceeded'
	hear_nothing publisher
}

@test "the default is half of what there is" {
	start_broker
	await_log 'Memory:   [0-9]+ MB for clients, of the [0-9]+ MB of this (machine|control group)$'
	[[ $(<"$LOG") =~ Memory:\ +([0-9]+)\ MB\ for\ clients,\ of\ the\ ([0-9]+)\ MB ]]
	((BASH_REMATCH[1] == BASH_REMATCH[2] / 2))
}

@test "a message must fit" {
	refuses max_payload max_memory -- -p -1 --max_payload 2048 --max_memory 1024
}
