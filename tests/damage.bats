#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What is damaged, missing or foreign in a hand-over costs the connections that it is about, and nothing else:
# those see the end, the others go on, new ones are welcome, and the log says how many and why.
# shellcheck disable=SC2034 # PORT and so on are for lib.bash
# bats file_tags=supervisor

load lib.bash

setup() {
	lib_setup
	ours 'a hand-over'
	CROWD_PID=
}

teardown() {
	disperse
	lib_teardown
}

### The crowd

# gather COUNT: clients who notice what happens to them (tools/witnesses.py).
gather() {
	mkfifo "$DIR/crowd.in" "$DIR/crowd.out"
	timeout 300 "$ROOT/tests/tools/witnesses.py" "$PORT" "$1" <"$DIR/crowd.in" >"$DIR/crowd.out" 3>&- &
	CROWD_PID=$!
	exec {TELL}>"$DIR/crowd.in" {HEAR}<"$DIR/crowd.out"
	rm "$DIR/crowd.in" "$DIR/crowd.out"
	crowd_answers
	[[ $ANSWER == up ]]
}

crowd_answers() {
	IFS= read -r -t $((3 * LIMIT_S)) -u "$HEAR" ANSWER || fail 'the crowd is silent'
}

# crowd OPEN CLOSED: these are, and nobody heard anything wrong.
crowd() {
	echo check >&"$TELL"
	crowd_answers || return
	[[ $ANSWER == "open $1 closed $2 wrong -" ]] || fail "$ANSWER, but not: open $1 closed $2"
}

renew() {
	echo renew >&"$TELL"
	crowd_answers || return
	[[ $ANSWER == ok ]] || fail 'new clients are not welcome'
}

disperse() {
	[[ -n $CROWD_PID ]] || return 0
	exec {TELL}>&- {HEAR}<&-
	wait "$CROWD_PID"
	CROWD_PID=
}

# begin COUNT [OPTION...]: a broker under a supervisor, with a crowd; no record of the log is about a hand-over yet.
begin() {
	start_supervised 127.0.0.1:0 -- "$MINATS" --ports_file_dir "$DIR" "${@:2}"
	gather "$1"
}

# after DAMAGE...: it happens while the connections are parked; then the next process starts.
after() {
	supervise park || return
	: >"$LOG"
	[[ $1 == nothing ]] || supervise damage parcel "$@" || return
	supervise start
}

# took OPEN LOST: as the log says.
took() {
	await_log "Took over $1 connections .*; $2 were lost"
}

# lost COUNT WHY: as the log says, and nothing else of the kind.
lost() {
	await_log 'Server is ready'
	log_has "\\[WRN\\] $1 connections could not be taken over and are closed: $2\$" || return
	(($(grep -c 'could not be taken over' "$LOG") == 1))
}

# Records in a parcel of 600: 0 is about the server, 1 to 3 about clients 0-251, 252-503, 504-599, 4 is the end.
FIRST=0-251 SECOND=252-503 THIRD=504-599 ALL=0-599

@test "without any damage all go on" {
	begin 600
	supervise park
	supervise peek parcel
	[[ $ANSWER == '5 '* ]]
	supervise start
	crowd $ALL -
	after nothing
	crowd $ALL -
	took 600 0
	refute log_has 'WRN|ERR'
}

@test "records dropped" {
	begin 600
	after drop 4
	crowd $ALL -
	took 600 0
	await_log '\[WRN\] The end of the hand-over is missing: connections may be lost'
	# Who the process before was is not known now.
	after drop 0
	crowd $ALL -
	await_log '\[WRN\] 1 records of the hand-over are missing'
	after drop 1
	crowd 252-599 $FIRST
	await_log '\[WRN\] 1 records of the hand-over are missing: the connections in them are lost'
	took 348 0
	renew
	# They are in another order now.
	after drop 3
	crowd 0-155,252-599 156-251
	renew
	after drop 2
	renew_count 252
}

# renew_count COUNT: so many were closed.
renew_count() {
	echo check >&"$TELL"
	crowd_answers || return
	[[ $ANSWER =~ closed\ ([^ ]*)\ wrong\ - ]] || fail "$ANSWER" || return
	local range count=0
	for range in ${BASH_REMATCH[1]//,/ }; do
		count=$((count + ${range#*-} - ${range%-*} + 1))
	done
	((count == $1)) || fail "$count were closed instead of $1: $ANSWER" || return
	renew
}

@test "records doubled" {
	begin 600
	local at
	for at in 0 4; do
		after double "$at"
		crowd $ALL -
		took 600 0
	done
	for at in 1 2; do
		after double "$at"
		crowd $ALL -
		lost 252 'their record came twice'
	done
	after double 3
	crowd $ALL -
	lost 96 'their record came twice'
}

@test "records in another order" {
	begin 600
	after swap 2 3
	crowd 0-251,504-599 $SECOND
	lost 252 'their record came twice'
	await_log '\[WRN\] 1 records of the hand-over are missing'
	renew
	after swap 0 1
	crowd $ALL -
	after swap 3 4
	renew_count 96
	lost 96 'their record came twice'
}

@test "what a record says of itself" {
	begin 600
	after flip 1 data 0
	crowd 252-599 $FIRST
	lost 252 'they came in something that is not a hand-over'
	renew
	after cut 2 data 20
	renew_count 252
	lost 252 'they came in something that is not a hand-over'
	after cut 2 data 60
	renew_count 252
	lost 252 'their record is damaged'
	after cut 3 data 0
	renew_count 96
	lost 96 'they came in something that is not a hand-over'
	after foreign
	crowd $ALL -
	lost 1 'they came in something that is not a hand-over'
	took 600 1
}

@test "what a record's file says" {
	begin 600
	after flip 1 state 0
	crowd 252-599 $FIRST
	lost 252 'their state is damaged'
	renew
	after cut 2 state 1000
	renew_count 252
	lost 252 'their state is damaged'
	after cut 3 state 0
	renew_count 96
	lost 96 'their state is damaged'
	after flip 3 state 777 2
	renew_count 96
	lost 96 'their state is damaged'
	after flip 0 state 10
	crowd $ALL -
	await_log '\[WRN\] What the process before said of itself is damaged'
}

@test "descriptors dropped" {
	begin 600
	local at
	after drop-fd 2 0
	renew_count 252
	lost 252 'their state is damaged'
	# The first, one in the middle, and the last socket.
	for at in 1 100 252; do
		after drop-fd 2 "$at"
		renew_count 252
		lost 252 'nobody knows which socket is whose'
	done
	after drop-fd 0 0
	crowd $ALL -
	await_log '\[WRN\] What the process before said of itself is damaged'
	after drop-fd 0 1
	crowd $ALL -
}

# What is queued for those who do not read: a payload of which each waits for another one, and one for both.
queue_payloads() {
	local name
	for name in one two; do
		open "$name"
		hear_info "$name"
		say "$name" "SUB $name 1" 'SUB both 2'
		hear "$name" '+OK' '+OK'
	done
	join publisher
	perl -e '
		my %length = (one => 500000, two => 600000, both => 700000);
		for my $round (1 .. 16) {
			print "PUB $_ $length{$_}\r\n", $_ eq "both" ? "b" x $length{$_} : substr($_, 0, 1) x $length{$_}, "\r\n"
				for qw(one two both);
		}
		print "PING\r\n"' >&"${FD[publisher]}"
	hear publisher PONG
	close publisher
}

# all NAME SIZE...: it hears all that was queued.
all() {
	timeout $((3 * LIMIT_S)) head -c $((16 * ($2 + 700000 + 18 + 19 + 4))) <&"${FD[$1]}" | tr -d '\r\n' |
		tr -s 'a-z0-9A-Z ' >"$DIR/heard"
	(($(wc -c <"$DIR/heard") > 100))
	hear_nothing "$1"
}

@test "payloads that are queued" {
	begin 3 --write_deadline 2m
	queue_payloads
	supervise park
	supervise peek parcel
	: >"$LOG"
	# The last of them is for both: only they are concerned.
	supervise damage parcel flip 0 payloads 9
	supervise start
	crowd 0-2 -
	await_log 'connections could not be taken over and are closed: their state is damaged'
	close one
	close two
	queue_payloads
	after cut 0 payloads 100
	crowd 0-2 -
	lost 2 'their state is damaged, or there is no memory for it'
	close one
	close two
	queue_payloads
	after nothing
	all one 500000
	all two 600000
	crowd 0-2 -
}

# flips RECORD WHAT EVERY COMMAND...: every EVERYth byte is another one, each time anew; then COMMAND must be true.
flips() {
	local at size
	supervise park
	supervise peek parcel
	local -a records
	read -r -a records <<<"${ANSWER#* }"
	# It is not always the same: numbers are no longer than they need to be, and a client that was pinged has some
	# more of them.
	case $2 in
	data) size=${records[$1]%%:*} ;;
	state) size=$((${records[$1]##*:} * 4 / 5)) ;;
	esac
	supervise start
	for ((at = 0; at < size; at += $3)); do
		after flip "$1" "$2" "$at"
		"${@:4}" || fail "  as byte $at of $size"
	done
	((at > 50))
}

all_go_on() {
	crowd 0-4 - || return
	took 5 0 || return
	await_log "$1"
}

none_goes_on() {
	crowd - 0-4 || return
	took 0 5 || return
	lost 5 "$1" || return
	renew
}

@test "any byte of what the records say of themselves" {
	begin 5
	flips 0 data 1 all_go_on '\[WRN\] 1 records of the hand-over are missing'
	flips 1 data 1 none_goes_on '(they came in something that is not a hand-over|their record is damaged)'
	flips 2 data 1 all_go_on '\[WRN\] The end of the hand-over is missing'
}

@test "any byte of what their files say" {
	begin 5
	flips 0 state 1 all_go_on '\[WRN\] What the process before said of itself is damaged'
	flips 1 state 7 none_goes_on 'their state is damaged'
}

### Parcels

@test "two parcels are both taken out" {
	begin 3
	supervise park
	supervise aside parcel
	supervise start
	join c
	say c 'SUB crowd.* 1'
	join d
	supervise park
	: >"$LOG"
	supervise back parcel
	supervise status
	[[ $ANSWER == *'stored parcel parcel' ]]
	supervise start
	await_log 'Took over 5 connections and 4 subscriptions'
	crowd 0-2 -
	hear_like c '^MSG crowd\.[012] 1 2$'
	hear c hi
	hear_like c '^MSG crowd\.[012] 1 2$'
	hear c hi
	hear_like c '^MSG crowd\.[012] 1 2$'
	hear c hi
	hear_nothing d
	supervise status
	[[ $ANSWER == *'stored parcel' ]]
	supervise restart
	crowd 0-2 -
	# Numbers of clients go on behind the highest of both.
	open new
	hear_info new
	(($(info client_id) >= 4))
}

@test "an empty parcel is what a process leaves that was killed" {
	begin 3
	supervise kill KILL exit
	[[ $ANSWER == 'killed KILL' ]]
	crowd - 0-2
	: >"$LOG"
	supervise start
	renew
	crowd 0-2 -
	refute log_has 'WRN|ERR|Took over'
	after nothing
	crowd 0-2 -
}

@test "a parcel that is something else is refused, with its descriptor" {
	start_supervised 127.0.0.1:0 -- "$MINATS"
	supervise stop
	stop_supervisor
	: >"$LOG"
	refute start_supervised 127.0.0.1:0 parcel=127.0.0.1:0 -- "$MINATS"
	[[ $ANSWER == 'exited 1' ]]
	await_log 'inherited descriptor 4 is named "parcel", but is not one: give the socket another name'
}

### Too few descriptors

# ticks: of CPU that the broker has used, in TICKS; 100 are a second.
ticks() {
	local -a fields
	read -r -a fields <"/proc/$BROKER_PID/stat"
	TICKS=$((fields[13] + fields[14]))
}

# squeeze LIMIT: of 600 clients those go on for whom there are descriptors, but for some that are kept.
squeeze() {
	local first before count
	supervise park
	: >"$LOG"
	supervise limit "$1"
	supervise start
	await_log 'Server is ready'
	await_log "max_connections is lowered to [0-9]+: the limit of open files is $1\$"
	await_log '\[WRN\] [0-9]+ connections could not be taken over and are closed: (the limit of open files is too low for them|no descriptor was free for their state)'
	echo check >&"$TELL"
	crowd_answers
	[[ $ANSWER =~ ^open\ 0-([0-9]+)\ closed\ ([0-9]+)-599\ wrong\ -$ ]] || fail "$ANSWER"
	count=$((BASH_REMATCH[1] + 1))
	((count == BASH_REMATCH[2] && count > $1 - 35)) || fail "$ANSWER"
	took "$count" $((600 - count))
	# Somebody new is let in, and the broker has nothing to do afterwards.
	join new
	hear_nothing new
	close new
	pause 0.2
	ticks
	before=$TICKS
	pause 1
	ticks
	((TICKS - before < 30)) || fail "it used $((TICKS - before)) ticks"
}

@test "with too few descriptors those go on for whom there are some" {
	begin 600
	squeeze 400
}

@test "with hardly any descriptors somebody new is let in all the same" {
	begin 600
	squeeze 40
}

@test "records of another hand-over" {
	begin 3
	supervise park
	supervise aside parcel
	supervise start
	join c
	supervise park
	: >"$LOG"
	supervise damage parcel append
	supervise start
	crowd - 0-2
	lost 3 'they came in a record of another hand-over'
	hear_nothing c
}

### Crashes

# dies_at NUMBER: the next process is ended right after it was handed the descriptors of that record.
dies_at() {
	supervise env "LD_PRELOAD=${MINATS%/*}/tests/tools/crash.so"
	supervise env "CRASH_AT=$1"
	# It need not be the first that is loaded.
	[[ -z ${ASAN_OPTIONS:-} ]] || supervise env "ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0"
	refute supervise start
	[[ $ANSWER == 'killed KILL' ]] || fail "$ANSWER"
}

@test "a process that dies over a record leaves the others to the next" {
	# What it had taken in before goes down with it.
	local -a left=("open $ALL closed -" "open 252-599 closed 0-251" "open $THIRD closed 0-503" "open - closed $ALL")
	local at
	for at in 1 2 3 4; do
		begin 600
		supervise park
		: >"$LOG"
		dies_at "$at"
		supervise start
		echo check >&"$TELL"
		crowd_answers
		[[ $ANSWER == "${left[at - 1]} wrong -" ]] || fail "after the death at $at: $ANSWER"
		await_log "\\[WRN\\] $at records of the hand-over are missing"
		renew
		crowd $ALL -
		disperse
		stop_broker
	done
}

@test "a process that dies over every record is started until there is none left" {
	begin 600
	supervise park
	: >"$LOG"
	local at
	for at in 1 2 3 4; do
		dies_at 1
	done
	supervise start
	crowd - $ALL
	renew
	crowd $ALL -
}
