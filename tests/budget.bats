#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What all clients hold together has a limit, and who holds most goes first.

load lib
load measure

# Of the process, in MB, beyond the budget: the program and its libraries, 8 MB that stand ready for the next message,
# what the allocator cannot use, and what one client may send in one go before anybody looks.
BEYOND_MB=24

setup() {
	lib_setup
	differs memory-budget
	# shellcheck disable=SC2034 # measure.bash's
	BACKGROUND=()
}

teardown() {
	local status=0
	hush
	[[ -z ${BATS_TEST_COMPLETED:-} || -z $BROKER_PID ]] || still_serves || status=1
	lib_teardown || status=1
	return "$status"
}

# stay_below MB: it never took more.
stay_below() {
	local most
	most=$(memory VmHWM)
	show "at most $most MB"
	((SANITIZED > 1 || most < $1)) || fail "it took $most MB"
}

# Without the connections of the case: a copy of one would keep it open.
stick() {
	close_all
	exec python3 "$ROOT/tests/tools/stuck.py" "$PORT" "$@" <"$DIR/leave" >"$DIR/stuck" 2>&1
}

# stuck COUNT SUBJECT own|shared: a crowd that does not read; see tools/stuck.py.
stuck() {
	mkfifo "$DIR/leave"
	in_background stick "$@"
	STUCK_PID=$!
	exec {LEAVE}>"$DIR/leave"
	await grep -sq up "$DIR/stuck"
}

# How many of them were closed, in CLOSED.
unstick() {
	exec {LEAVE}>&-
	wait "$STUCK_PID" || fail "$(<"$DIR/stuck")" || return
	CLOSED=$(tail -n 1 "$DIR/stuck")
}

# flood SUBJECT SIZE COUNT: messages, and a PING.
flood() {
	perl -e '
		my ($subject, $size, $count) = @ARGV;
		my $message = "PUB $subject $size\r\n" . "x" x $size . "\r\n";
		print $message for 1 .. $count;
		print "PING\r\n"' "$@" >&"${FD[publisher]}"
}

# crowd own|shared: fifty who do not read, beside an honest pair.
crowd() {
	start_broker --max_memory 64MB
	join publisher
	honest_begin
	stuck 50 flood "$1"
}

# Some of it; the honest pair was served, and memory stayed near the budget.
crowd_is_closed() {
	await_log 'MaxMemory of 67108864 Exceeded' || return
	honest_end || return
	stay_below $((64 + BEYOND_MB)) || return
	unstick || return
	((CLOSED > 0)) || fail 'nobody was closed'
}

@test "a crowd that does not read: memory stays near the budget, and others are served" {
	crowd own
	# 500 MB in copies.
	flood flood 2000 5000
	LIMIT_S=60 hear publisher PONG
	crowd_is_closed
	await_log 'Client connection closed: Slow Consumer \(Memory Budget\)'
}

@test "a crowd that waits for the same bytes: they count once, and in the end it goes" {
	crowd shared
	# 40 MB for all of them, which would be 2 GB in copies; each has a little of its own: nobody has to go.
	flood flood 1000000 40
	LIMIT_S=60 hear publisher PONG
	refute grep -q 'Slow Consumer' "$LOG"
	flood flood 1000000 40
	LIMIT_S=60 hear publisher PONG
	crowd_is_closed
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

# greedy MB FORMAT: somebody subscribes without end, %1$d being the number of each, until a budget of so many MB is used
# up. Others are served meanwhile.
greedy() {
	: >"$LOG"
	honest_begin || return
	join greedy || return
	perl -e '
		$SIG{PIPE} = "IGNORE";
		printf "$ARGV[0]\r\n", $_ or last for 1 .. 5000000;' "$2" >&"${FD[greedy]}" || true
	await_log "MaxMemory of $(($1 << 20)) Exceeded, of which this client held most: [0-9]+, [0-9]+ bytes pending and [0-9]{4,} subs" ||
		return
	close greedy
	honest_end || return
	show "${2:0:60}"
}

@test "a client with subscriptions without end is closed, and its memory is given back" {
	start_broker --max_memory 32MB
	join other
	say other 'SUB other 1'
	hear_nothing other
	# shellcheck disable=SC2016 # perl's
	greedy 32 'SUB many.%1$d.of.*.them %1$d'
	stay_below $((32 + BEYOND_MB))
	say other 'PUB other 2' ok
	hear other 'MSG other 1 2' ok
}

@test "whatever the subscriptions are, all that they take counts, and what is given back serves other kinds" {
	local kind
	# shellcheck disable=SC2016 # perl's
	local -a kinds=('SUB a q%1$d %1$d' 'SUB a.%1$d q%1$d %1$d' 'SUB a.*.%1$d q%1$d %1$d' 'SUB a.%1$d %1$d'
		'SUB %1$d.a.b.c.d.e.f.g.h.* %1$d' "SUB a.%1\$d $(printf '%0300d' 0)%1\$d")
	start_broker --max_memory 64MB
	for kind in "${kinds[@]}"; do
		greedy 64 "$kind"
		# What those of another kind left in between may be a quarter.
		stay_below $((64 + 16 + BEYOND_MB))
	done
}

# crowd_of_greedy FORMAT: six at once.
crowd_of_greedy() {
	local client
	for client in {1..6}; do
		join "greedy$client" || return
		# shellcheck disable=SC2016 # perl's
		in_background perl -e '
			$SIG{PIPE} = "IGNORE";
			printf "$ARGV[0]\r\n", $_ or last for 1 .. 5000000;' "$1" >&"${FD[greedy$client]}"
	done
}

@test "several with subscriptions without end: who leaves is not outrun by who comes" {
	start_broker --max_memory 64MB
	honest_begin
	# shellcheck disable=SC2016 # perl's
	crowd_of_greedy 'SUB many.%1$d.of.*.them %1$d'
	LIMIT_S=60 await eval "(( \$(grep -c 'MaxMemory of' '$LOG') == 6 ))"
	honest_end
	stay_below $((64 + BEYOND_MB))
}

@test "a large budget is kept as closely" {
	start_broker --max_memory 512MB
	# shellcheck disable=SC2016 # perl's
	greedy 512 'SUB %1$d.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.* %1$d'
	stay_below $((512 + BEYOND_MB))
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
	await_log 'Memory:   10485760 bytes for clients \(max_memory\)$'
	await_log 'MaxMemory of 10485760 Exceeded'
	hear_nothing publisher
	# What has not changed is not told.
	: >"$LOG"
	kill -HUP "$BROKER_PID"
	await_log 'Reloaded server configuration'
	refute grep -q 'Memory:' "$LOG"
}

@test "the default is half of what there is" {
	local share all machine
	start_broker
	await_log 'Memory:   [0-9]+ MB for clients, of the [0-9]+ MB of this (machine|control group)$'
	[[ $(<"$LOG") =~ Memory:\ +([0-9]+)\ MB\ for\ clients,\ of\ the\ ([0-9]+)\ MB\ of\ this\ ([a-z]+) ]]
	share=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
	((share > 0 && share == all / 2)) || fail "$share MB are not half of $all"
	machine=$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo)
	# A control group has less than the machine.
	((all <= machine + machine / 100)) || fail "$all MB, and not $machine"
	[[ ${BASH_REMATCH[3]} != machine ]] || ((all >= machine - machine / 100)) || fail "$all MB, and not $machine"
}

@test "a message must fit" {
	refuses max_payload max_memory -- -p -1 --max_payload 2048 --max_memory 1024
}

### When memory is short

# A FIFO, or whatever is there already, that the broker is to watch.
watch() {
	export MEMORY_PRESSURE_WATCH=$1
	unset MEMORY_PRESSURE_WRITE
	[[ -z ${2:-} ]] || export MEMORY_PRESSURE_WRITE=$2
}

# Memory stands ready after this: 8 MB were queued and are read.
warm_up() {
	join publisher
	join receiver
	say receiver 'SUB flood 1'
	hear_nothing receiver
	flood flood 100000 160
	hear publisher PONG
	timeout "$LIMIT_S" head -c $((160 * 100022)) <&"${FD[receiver]}" >/dev/null
	hear_nothing receiver
}

count_short() {
	(($(lines_short) == $1))
}

lines_short() {
	grep -c 'Memory is short' "$LOG" || true
}

@test "told by a FIFO that memory is short, it gives back what it does not need" {
	local before start told most
	mkfifo "$DIR/pressure"
	watch "$DIR/pressure" "$(printf 'some 200000 2000000' | base64)"
	exec {PRESSURE}<>"$DIR/pressure"
	start_broker
	warm_up
	# What is to be written there comes first.
	LIMIT_S=5 read -r -N 19 -t 5 -u "$PRESSURE" written
	[[ $written == 'some 200000 2000000' ]] || fail "«$written» was written"
	join half
	say_raw half 'PUB foo 3000\r\n0123456789'
	before=$(memory VmRSS)
	printf x >&"$PRESSURE"
	await_log '\[INF\] Memory is short: [0-9]{4} kB were ready for the next messages and are given back$'
	show "$before MB before, $(memory VmRSS) after"
	((SANITIZED > 1 || $(memory VmRSS) <= before - 4)) || fail "$before MB before, $(memory VmRSS) after"
	# All of them are served as before, and so is the next word of it.
	say_raw half "$(printf '%02990d' 0)"'\r\nPING\r\n'
	hear half PONG
	hear_nothing receiver
	printf x >&"$PRESSURE"
	await count_short 2
	# A storm of them is one in a second.
	start=$(now_ms)
	printf '%01000d' 0 >&"$PRESSURE"
	printf '%01000d' 0 >&"$PRESSURE"
	pause 0.5
	printf '%01000d' 0 >&"$PRESSURE"
	pause 0.3
	told=$(lines_short) most=$((2 + ($(now_ms) - start) / 1000))
	((told <= most)) || fail "told $told times, not $most"
	await count_short 3
	exec {PRESSURE}>&-
}

# listen_at PATH: says three bytes to who connects, and ends.
listen_at() {
	exec python3 -c '
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.settimeout(10)
listener.bind(sys.argv[1])
listener.listen()
connection = listener.accept()[0]
connection.settimeout(10)
print(connection.recv(100).decode(), flush=True)
connection.sendall(b"abc")
' "$1" >"$DIR/told" 3>&- 4>&-
}

@test "told by a socket, which then ends" {
	listen_at "$DIR/pressure" &
	local teller=$!
	await [ -S "$DIR/pressure" ]
	watch "$DIR/pressure" "$(printf 'a b' | base64)"
	start_broker
	wait "$teller"
	[[ $(<"$DIR/told") == 'a b' ]]
	await_log 'Memory is short'
	# The end of the socket is no reason to spin.
	pause 1.2
	local -a before after
	read -ra before <"/proc/$BROKER_PID/stat"
	pause 0.3
	read -ra after <"/proc/$BROKER_PID/stat"
	((after[13] + after[14] - before[13] - before[14] < 10))
	count_short 1
	grep -q '\[WRN\] Nobody will tell when memory is short: Broken pipe$' "$LOG"
}

@test "nobody wants it watched" {
	watch /dev/null 'not base64'
	start_broker
	await_log 'Server is ready'
	refute grep -q 'memory is short' "$LOG"
}

# unwatched REASON
unwatched() {
	start_broker
	await_log "\\[WRN\\] Nobody will tell when memory is short: $1"
	check_alive
	stop_broker
	: >"$LOG"
}

# shellcheck disable=SC2016 # the variables are what is told of
@test "what cannot be watched is told, and all are served" {
	watch relative/path
	unwatched '\$MEMORY_PRESSURE_WATCH is not an absolute path'
	watch "$DIR/../pressure"
	unwatched '\$MEMORY_PRESSURE_WATCH is not an absolute path'
	watch "$DIR/nowhere"
	unwatched "$DIR/nowhere: No such file or directory"
	watch "$DIR"
	unwatched "$DIR: Bad file descriptor"
	: >"$DIR/plain"
	watch "$DIR/plain"
	unwatched "$DIR/plain: Operation not permitted"
	mkfifo "$DIR/pressure"
	for text in '!' abc abcde 'ab=c' '====' 'a===' "$(printf '%0800d' 0)"; do
		watch "$DIR/pressure" "$text"
		unwatched '\$MEMORY_PRESSURE_WRITE is not base64'
	done
}
