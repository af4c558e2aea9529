#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Crowds that mean harm, and one who has or says too much: what each costs at most, in processor time and memory,
# and how long others wait meanwhile. The bounds stand beside the cases. At the end of each the same broker serves
# newcomers; during most of them somebody else's messages are on their way, of which none is lost.
#
# SHOW_MEASURED=1 shows what was measured. One deed alone: tests/tools/hostile.py, beside a broker.

# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own

load lib
load measure

# The kernel grants a busy machine's time slices late: others wait that long whoever is to blame.
WAIT_MS=250
# What a broker has anyway, once it has had clients: buffers, and pages that are half full.
SLACK_BYTES=$((16 << 20))

setup() {
	lib_setup
	BACKGROUND=()
	ours 'these bounds'
	# Memory and connections cost a sanitizer many times as much.
	MANY=10000 MILLION=1000000
	((SANITIZED == 1)) || MANY=2000 MILLION=100000
}

teardown() {
	local status=0
	hush
	[[ -z ${BATS_TEST_COMPLETED:-} ]] || still_serves || status=1
	lib_teardown || status=1
	return "$status"
}

# bytes NAME MOST: memory is no matter with a sanitizer.
bytes() {
	((SANITIZED > 1)) || costs "$@"
}

### Crowds

@test "10,000 who say nothing: 100 us and 2 KB each" {
	start_broker
	undisturbed "$WAIT_MS" deed silent "$MANY"
	costs cpu_us_each 100
	bytes bytes_each 2048
}

@test "10,000 who send one byte a second: 50 us a byte, and 4 KB each" {
	start_broker
	undisturbed "$WAIT_MS" deed drip "$MANY" 2
	costs cpu_us_each 50
	bytes bytes_each 4096
}

@test "10,000 who come and reset at once: 150 us each, and nothing is left of them" {
	start_broker
	undisturbed "$WAIT_MS" deed reset "$MANY"
	costs cpu_us_each 150
	bytes bytes_more "$SLACK_BYTES"
}

# lines TEXT: how many of the log have it.
lines() {
	grep -cF -- "$1" "$LOG" || true
}

# few_lines TEXT NUMBER: a hundred of them at once, ten a second, and how many there might have been.
few_lines() {
	local told most
	await_log "\\[WRN\\] [0-9]+ records about clients were left out"
	told=$(lines "$1")
	# The second that has just begun is not yet counted.
	most=$((100 + 10 * (SECONDS + 1)))
	show "$told lines of $2"
	((told >= 100 && told <= most)) || fail "$told lines, and not 100 to $most"
	stop_broker
	told=$(($(lines "$1") + $(sed -nE 's/.* ([0-9]+) records about clients were left out.*/\1/p' "$LOG" | paste -sd +)))
	((told == $2)) || fail "$told instead of $2"
	launch "$PORT"
}

@test "2,000 who talk nonsense: 300 us each, no memory, and few lines in the log" {
	SECONDS=0
	start_broker
	honest_begin
	deed garbage 2000
	honest_end
	costs cpu_us_each 300
	bytes bytes_more "$SLACK_BYTES"
	still_serves
	few_lines 'closed: Protocol Violation' 2000
}

@test "a reload that takes 2,000 subscriptions away: few lines in the log" {
	SECONDS=0
	echo 'authorization { users: [ { user: joe, password: sesame } ] }' >"$DIR/test.conf"
	start_broker -c "$DIR/test.conf"
	join joe '"user":"joe","pass":"sesame"'
	# shellcheck disable=SC2016
	times 2000 'SUB many.%1$d %1$d' joe
	hear_nothing joe
	listen joe
	echo 'authorization { users: [ { user: joe, password: sesame, permissions: { subscribe: other } } ] }' \
		>"$DIR/test.conf"
	kill -HUP "$BROKER_PID"
	await_log 'Reloaded server configuration'
	hush
	echo >"$DIR/test.conf"
	few_lines 'Permissions Violation for Subscription to' 2000
}

### Slow ones, fast ones

# p99_beside COMMAND...: of the honest pair, at best of three tries.
p99_beside() {
	local try best=
	for try in 1 2 3; do
		honest_begin && "$@" && honest_end || return
		show "try $try: p99 $P99_US us, worst $WORST_MS ms"
		[[ -n $best ]] && ((best <= P99_US)) || best=$P99_US
	done
	P99_US=$best
}

# A publisher waits for its receiver up to 10 ms a read; nobody else waits for either of them.
@test "one who does not read: p99 of others stays within four times that beside one who does, and 20 ms" {
	local with_reader
	start_broker --max_pending 8MB
	p99_beside deed stuck 1 1
	with_reader=$P99_US
	refute log_has 'Slow Consumer'
	p99_beside deed stuck 1 0
	await_log 'Slow Consumer Detected: MaxPending'
	((P99_US <= 4 * with_reader + 20000)) || fail "p99 is $P99_US us, and $with_reader us beside one who reads"
}

@test "50 publishers at full speed to one who reads slowly: his max_pending, and no more" {
	start_broker --max_pending 16MB
	undisturbed $((2 * WAIT_MS)) deed producers 50 2
	((COST[sent] > 10 * COST[heard])) || fail 'it was not tried hard'
	bytes bytes_more $(((16 << 20) + SLACK_BYTES))
}

### A million subscriptions

# Growing a table of a million takes 50 ms, and there are two.
@test "a million subscriptions: 3 us each, and nobody waits for their end" {
	start_broker
	undisturbed "$WAIT_MS" deed million "$MILLION"
	costs cpu_ns_each 3000
}

@test "a million that are ended one by one: 3 us and 150 bytes each" {
	start_broker
	deed unsubscribe "$MILLION"
	costs cpu_ns_each 3000
	costs cpu_ns_unsub 3000
	bytes bytes_each 150
}

# What they leave behind is taken down a slice a turn, but not when it is too much.
@test "64 who subscribe 20,000 times and go, again and again: --max_memory and half as much" {
	start_broker --max_memory 64MB
	deed come_and_go 64 20000 4
	((COST[opened] * SANITIZED > 70)) || fail 'it was not tried hard'
	bytes bytes_most $((96 << 20))
	await_log 'Slow Consumer \(Memory Budget\)'
}

@test "a million that are left behind in another account: nobody waits for it" {
	echo 'accounts { A { users: [ { user: first, password: x } ] }, B { users: [ { user: other, password: x } ] } }
		no_auth_user: first' >"$DIR/test.conf"
	start_broker -c "$DIR/test.conf"
	undisturbed "$WAIT_MS" deed move "$MILLION"
}

# held COMMAND...: while somebody has a million subscriptions; he goes on afterwards.
held() {
	local line
	coproc HOLDER { close_all; exec python3 "$ROOT/tests/tools/hostile.py" "$PORT" "$BROKER_PID" hold "$MILLION" 3>&-; }
	# shellcheck disable=SC2154 # coproc's
	local pid=$HOLDER_PID to=${HOLDER[1]}
	until read -r -t 60 line <&"${HOLDER[0]}" && [[ $line == ready* ]]; do
		[[ -n $line ]] || fail 'the holder has failed' || return
	done
	"$@" || return
	echo >&"$to"
	wait "$pid" || fail 'the holder has failed'
}

reload_once() {
	local before
	before=$(lines 'Reloaded server configuration')
	kill -HUP "$BROKER_PID"
	# shellcheck disable=SC2016 # when it is tried
	await eval "(( \$(lines 'Reloaded server configuration') > $before ))"
}

# They are looked at only where what is allowed to be subscribed to is another than before: 1 us each.
@test "a reload with a million subscriptions and the same permissions: nobody waits for it" {
	echo 'authorization { default_permissions: { subscribe: ">", publish: ">" }, users: [ { user: joe, password: x } ] }
		no_auth_user: joe' >"$DIR/test.conf"
	start_broker -c "$DIR/test.conf"
	held undisturbed 100 reload_once
}

# All of them are told to the next process, and put into its tables: 10 us each.
@test "an upgrade with a million subscriptions: nobody waits longer than ten seconds" {
	start_broker
	held undisturbed 10000 replace_broker
}

### Subjects

@test "1,000 patterns of 2,000 tokens: 10 KB each, and 500 us for a message that matches all but the last" {
	start_broker
	undisturbed "$WAIT_MS" deed long_subjects 1000
	costs cpu_us_message 500
	bytes bytes_each 10000
}

@test "2,000 who subscribe to everything: 2 us a copy, and no memory for long" {
	start_broker
	undisturbed "$WAIT_MS" deed everything 2000
	costs cpu_ns_copy 2000
	bytes bytes_more "$SLACK_BYTES"
}

# It is the number of nodes that counts, for which somebody has paid with subscriptions, and never that of paths.
@test "patterns that branch at 10 levels and go on for 200 tokens: 200 ns a node" {
	start_broker
	undisturbed "$WAIT_MS" deed branches 10 200
	costs cpu_ns_node 200
	bytes bytes_each $((200 * 160))
}

### Queue groups, inboxes

@test "a group of 100,000 members: 200 bytes each, 20 us a message, and 50 ns for each who is passed over" {
	start_broker
	undisturbed "$WAIT_MS" deed group 100000 2000
	costs cpu_ns_message 20000
	costs cpu_ns_member 50
	bytes bytes_each 200
}

@test "100,000 inboxes are made, answered and dropped: 5 us each, and nothing is left of them" {
	start_broker
	undisturbed "$WAIT_MS" deed inboxes 100000
	costs cpu_ns_each 5000
	bytes bytes_more "$SLACK_BYTES"
}

### Floods

# 24 MB of each, by one who hears no answer: PING, empty lines, +OK, errors that end it and errors that do not,
# CONNECT, INFO of 4 KB, messages that nobody wants.
@test "floods of whatever there is: 200 ns a byte, and max_pending" {
	local which
	start_broker --max_pending 8MB
	for which in {0..9}; do
		undisturbed "$WAIT_MS" deed flood "$which" 24
		costs cpu_ns_byte 200
		bytes bytes_more $(((8 << 20) + SLACK_BYTES))
	done
}
