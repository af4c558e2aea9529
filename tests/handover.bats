#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The hand-over: clients notice nothing of it, whatever they are doing. Each case is held twice: when the
# broker replaces itself (SIGALRM), and when a supervisor starts it anew (SIGTERM).
# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own
# shellcheck disable=SC2034 # LOG, PORT and so on are for lib.bash

load lib.bash

setup() {
	lib_setup
	ours 'a hand-over'
}

teardown() {
	# A case may have stopped it.
	[[ -z ${SUPERVISOR_PID:-} ]] || kill -CONT "$SUPERVISOR_PID" 2>/dev/null || true
	lib_teardown
}

# Each client has said the first part of something when another process comes, and then says the rest.
# cut NAME FIRST REST EXPECTED...
declare -A REST=() EXPECTED=()
cut() {
	join "$1"
	say_raw "$1" "$2"
	REST[$1]=$3
	EXPECTED[$1]=$(printf '%s\n' "${@:4}")
}

finish_cuts() {
	local name
	local -a lines
	for name in "${!REST[@]}"; do
		say_raw "$name" "${REST[$name]}"
		mapfile -t lines <<<"${EXPECTED[$name]}"
		hear "$name" "${lines[@]}"
		hear_nothing "$name"
	done
	REST=() EXPECTED=()
}

lines() {
	cut verb 'SU' 'B a 1\r\nPUB a 0\r\n\r\n' 'MSG a 1 0' ''
	cut behind_the_verb 'SUB' ' b 1\r\nPUB b 0\r\n\r\n' 'MSG b 1 0' ''
	cut blanks 'SUB \t ' ' c 1\r\nPUB c 0\r\n\r\n' 'MSG c 1 0' ''
	cut subject 'SUB dd' 'd 1\r\nPUB ddd 0\r\n\r\n' 'MSG ddd 1 0' ''
	cut behind_the_subject 'SUB e ' '1\r\nPUB e 0\r\n\r\n' 'MSG e 1 0' ''
	cut queue 'SUB f gr' 'oup 1\r\nPUB f 0\r\n\r\n' 'MSG f 1 0' ''
	cut sid 'SUB g 1' '1\r\nPUB g 0\r\n\r\n' 'MSG g 11 0' ''
	cut trailing_blanks 'SUB h 1  ' ' \r\nPUB h 0\r\n\r\n' 'MSG h 1 0' ''
	cut cr_lf 'SUB i 1\r' '\nPUB i 0\r\n\r\n' 'MSG i 1 0' ''
	cut size 'SUB j 1\r\nPUB j 1' '1\r\nhello world\r\n' 'MSG j 1 11' 'hello world'
	cut before_the_payload 'SUB k 1\r\nPUB k reply 2\r\n' 'hi\r\n' 'MSG k 1 reply 2' hi
	cut payload 'SUB l 1\r\nPUB l 4\r\nhi' '\r\n\r\n' 'MSG l 1 4' 'hi' ''
	cut behind_the_payload 'SUB m 1\r\nPUB m 2\r\nhi' '\r\n' 'MSG m 1 2' hi
	cut cr_lf_behind_the_payload 'SUB n 1\r\nPUB n 2\r\nhi\r' '\n' 'MSG n 1 2' hi
	cut unsub 'SUB o 1\r\nUNSUB ' '1\r\nPUB o 0\r\n\r\nSUB o 2\r\nPUB o 0\r\n\r\n' 'MSG o 2 0' ''
	cut unsub_max 'SUB p 1\r\nUNSUB 1 1' '\r\nPUB p 0\r\n\r\nPUB p 0\r\n\r\n' 'MSG p 1 0' ''
	cut ping 'PI' 'NG\r\n' PONG
	cut ping_end 'PING\r' '\n' PONG
	cut pong 'PON' 'G\r\nPING\r\n' PONG
	cut unknown 'NONSEN' "SE" # a verb is looked at when its line is whole
	unset 'REST[unknown]'
	hand_over
	finish_cuts
	say unknown ''
	hear_refusal unknown 'Unknown Protocol Operation'
}

@test "in the middle of a command line, wherever it is" {
	both lines
}

connects() {
	local -a name=(verb blank object key value end cr)
	local -a at=(4 8 9 14 20 45 46) # what has been said then
	local text='CONNECT {"verbose":true,"name":"Ada","pedantic":false}' i
	for i in "${!name[@]}"; do
		open "${name[i]}"
		hear_info "${name[i]}"
		if [[ ${name[i]} == cr ]]; then
			say_raw cr "${text//\"/\\x22}\\r"
		else
			say_raw "${name[i]}" "${text:0:at[i]}"
		fi
	done
	open nothing
	hear_info nothing
	hand_over
	for i in "${!name[@]}"; do
		if [[ ${name[i]} == cr ]]; then
			say_raw cr '\n'
		else
			say "${name[i]}" "${text:at[i]}"
		fi
		hear "${name[i]}" '+OK'
		say "${name[i]}" 'SUB foo 1' PING
		hear "${name[i]}" '+OK' PONG
	done
	say nothing 'CONNECT {"verbose":false,"name":"Nobody"}' 'PUB foo 2' hi PING
	hear nothing PONG
	for i in "${!name[@]}"; do
		hear "${name[i]}" 'MSG foo 1 2' hi
	done
}

@test "in the middle of a CONNECT, or before it" {
	both connects
}

# The broker asks a client soon after its CONNECT, and nobody knows when; one without is left in peace.
# subscriber NAME SUBJECT
subscriber() {
	open "$1"
	hear_info "$1"
	say "$1" "SUB $2 1"
	hear "$1" '+OK'
}

# filling LENGTH CHARACTER
filling() {
	head -c "$1" /dev/zero | tr '\0' "$2"
}

SIZES=(4000 4095 4096 5000 1048564)

payloads() {
	local size first
	join receiver '"headers":true'
	say receiver 'SUB large 1'
	hear_nothing receiver
	for size in "${SIZES[@]}"; do
		for first in 0 1000 "$((size - 1))" "$size"; do
			join "p$size.$first" '"headers":true'
			{
				printf 'HPUB large 12 %d\r\nNATS/1.0\r\n\r\n' "$((size + 12))"
				filling "$first" a
			} >&"${FD[p$size.$first]}"
		done
	done
	hand_over
	for size in "${SIZES[@]}"; do
		for first in 0 1000 "$((size - 1))" "$size"; do
			filling "$((size - first))" b >&"${FD[p$size.$first]}"
			say_raw "p$size.$first" '\r'
		done
	done
	# Once more, between the last two bytes.
	hand_over
	for size in "${SIZES[@]}"; do
		for first in 0 1000 "$((size - 1))" "$size"; do
			say_raw "p$size.$first" '\nPING\r\n'
			hear "p$size.$first" PONG
			hear receiver "HMSG large 1 12 $((size + 12))"
			timeout "$LIMIT_S" head -c "$((size + 14))" <&"${FD[receiver]}" >"$DIR/heard"
			{
				printf 'NATS/1.0\r\n\r\n'
				filling "$first" a
				filling "$((size - first))" b
				printf '\r\n'
			} | cmp - "$DIR/heard"
		done
	done
	hear_nothing receiver
}

@test "in the middle of a payload, small, large, and as large as it may be" {
	both payloads
}

# flood COUNT: what a publisher says, and what a subscriber to it hears, of messages in all sizes; each
# payload is another one.
flood() {
	perl -e '
		my @sizes = (0, 12, 3000, 5000, 100000, 200, 4096, 4095);
		open my $said, ">", "$ARGV[1]/said" or die;
		open my $heard, ">", "$ARGV[1]/expected" or die;
		for my $i (1 .. $ARGV[0]) {
			my $size = $sizes[$i % @sizes];
			my $payload = substr sprintf("%08d,", $i) x ($size / 9 + 1), 0, $size;
			print $said "PUB flood $size\r\n$payload\r\n";
			print $heard "MSG flood 1 $size\r\n$payload\r\n";
		}' "$1" "$DIR"
	SIZE=$(stat -c %s "$DIR/expected")
}

# read_flood NAME: exactly what it should hear, to the last byte.
read_flood() {
	timeout $((3 * LIMIT_S)) head -c "$SIZE" <&"${FD[$1]}" >"$DIR/heard"
	cmp "$DIR/expected" "$DIR/heard"
}

publish_flood() {
	cat "$DIR/said" >&"${FD[publisher]}"
	say publisher PING
	hear publisher PONG
}

queued() {
	local name
	# More than the sockets themselves hold.
	flood 1600
	((SIZE > 20000000))
	for name in one two; do
		subscriber "$name" flood
	done
	join publisher
	publish_flood
	# Whatever happens to somebody else would wake the broker.
	close publisher
	if [[ $WAY == restart ]]; then
		supervise park
		supervise peek parcel
		# What is small is in the state of the two, one by one.
		local record sum=0
		for record in ${ANSWER#* }; do
			[[ $record == *:- ]] || sum=$((sum + ${record##*:}))
		done
		((sum > 2 * 300000)) || fail "hardly anything was queued: $ANSWER"
		supervise start
	else
		replace_broker
	fi
	# What is queued comes by itself.
	read_flood one
	hand_over
	read_flood two
	hear_nothing one
	hear_nothing two
}

@test "with output queued, for clients that do not read" {
	both queued --write_deadline 2m
}

half_read() {
	local round
	flood 1600
	subscriber one flood
	join publisher
	publish_flood
	: >"$DIR/parts"
	# Cut somewhere in the middle of it again and again.
	for round in {1..7}; do
		timeout "$LIMIT_S" head -c $((SIZE / 8 - 1)) <&"${FD[one]}" >>"$DIR/parts"
		hand_over
	done
	timeout "$LIMIT_S" head -c $((SIZE - 7 * (SIZE / 8 - 1))) <&"${FD[one]}" >>"$DIR/parts"
	cmp "$DIR/expected" "$DIR/parts"
	hear_nothing one
}

@test "with output half read, several times" {
	both half_read --write_deadline 2m
}

counts() {
	local i
	join c
	join publisher
	say c 'SUB foo 1' 'SUB bar 2' 'UNSUB 1 5' PING
	hear c PONG
	for i in 1 2; do
		say publisher "PUB foo 1" "$i"
		hear_nothing publisher
		hear c 'MSG foo 1 1' "$i"
		hand_over
	done
	# Fewer than have come already.
	say c 'UNSUB 2 1'
	for i in 3 4 5 6; do
		say publisher "PUB foo 1" "$i"
	done
	say publisher 'PUB bar 0' '' 'PUB bar 0' ''
	hear_nothing publisher
	hear c 'MSG foo 1 1' 3 'MSG foo 1 1' 4 'MSG foo 1 1' 5 'MSG bar 2 0' ''
	hear_nothing c
	# The sids are free again.
	say c 'SUB foo 1' PING
	hear c PONG
	say publisher 'PUB foo 1' 7
	hear c 'MSG foo 1 1' 7
}

@test "with the counts of auto-unsubscribe half used" {
	both counts
}

# tally NAME: appends what it has heard to TALLY.
tally() {
	say "$1" PING
	while read_line "$1" && [[ $LINE != PONG ]]; do
		[[ $LINE == MSG* || $LINE == PING ]] || TALLY+=("$LINE")
	done
}

groups() {
	local i name
	TALLY=()
	for name in a b c; do
		join "$name"
		say "$name" 'SUB work.* team 1' 'SUB work.> other 2'
		hear_nothing "$name"
	done
	join publisher
	for i in {100..129}; do
		say publisher "PUB work.x 3" "$i"
		((i % 10)) || hand_over
	done
	hear_nothing publisher
	hand_over
	for name in a b c; do
		tally "$name"
	done
	# Each once in both groups.
	printf '%s\n' "${TALLY[@]}" | sort | uniq -c | awk '$1 != 2 { bad = 1 } END { exit bad || NR != 30 }'
}

@test "in a queue group each message goes to exactly one member" {
	both groups
}

requests() {
	join service
	join client '"headers":true,"no_responders":true'
	say service 'SUB service.* workers 1'
	hear_nothing service
	say client 'SUB _INBOX.me.* 9' 'PUB service.one _INBOX.me.1 1' '1' PING
	hear client PONG
	hand_over
	hear service 'MSG service.one 1 _INBOX.me.1 1' 1
	say service 'PUB _INBOX.me.1 3' yes
	hear client 'MSG _INBOX.me.1 9 3' yes
	say client 'PUB service.two _INBOX.me.2 1' '2' 'PUB nobody _INBOX.me.3 0' '' PING
	hear client 'HMSG _INBOX.me.3 9 38 38' 'NATS/1.0 503' 'Nats-Subject: nobody' '' '' PONG
	hear service 'MSG service.two 1 _INBOX.me.2 1' 2
	hand_over
	say service 'PUB _INBOX.me.2 2' no 'UNSUB 1' PING
	hear service PONG
	hear client 'MSG _INBOX.me.2 9 2' no
	say client 'PUB service.two _INBOX.me.4 0' '' PING
	hear client 'HMSG _INBOX.me.4 9 43 43' 'NATS/1.0 503' 'Nats-Subject: service.two' '' '' PONG
}

@test "with requests in flight; whom nobody answers hears 503" {
	both requests
}

options() {
	join quiet
	open loud
	hear_info loud
	say loud 'CONNECT {"verbose":true}'
	hear loud '+OK'
	join strict '"pedantic":true'
	join deaf '"echo":false'
	join head '"headers":true'
	join plain
	local name
	for name in quiet loud strict deaf head plain; do
		say "$name" 'SUB mine 1'
	done
	hear loud '+OK'
	hand_over
	say loud 'PUB nobody 0' ''
	hear loud '+OK'
	say strict 'PUB a..b 0' '' PING
	hear strict "-ERR 'Invalid Publish Subject'" PONG
	say quiet 'PUB a..b 0' '' PING
	hear quiet PONG
	say deaf 'PUB mine 1' 1 PING
	hear deaf PONG
	for name in quiet loud strict head plain; do
		hear "$name" 'MSG mine 1 1' 1
	done
	say head 'HPUB mine 12 13' 'NATS/1.0' '' 2 PING
	hear head 'HMSG mine 1 12 13' 'NATS/1.0' '' 2 PONG
	for name in quiet loud strict deaf plain; do
		hear "$name" 'MSG mine 1 1' 2
	done
	say plain 'HPUB mine 12 13' 'NATS/1.0' '' 3
	hear_closed plain
}

@test "verbose or not, pedantic, without echo, with headers" {
	both options
}

# A hand-over without anybody else who could become stale.
hand_over_alone() {
	hand_over
	close fence
}

answered() {
	local i
	open c
	hear_info c
	for i in 1 2 3; do
		hear_like c '^PING$' || fail "  as PING number $i"
		hand_over_alone
		say c PONG
	done
	say c PING
	hear_like c '^PONG$'
}

@test "a PING that is answered only after it" {
	both answered --ping_interval 1s --ping_max 1
}

stale() {
	open c
	hear_info c
	hear_like c '^PING$'
	hand_over_alone
	hear_like c '^PING$'
	hand_over_alone
	hear_like c "^-ERR 'Stale Connection'$"
	hear_closed c
}

@test "unanswered PINGs count on" {
	both stale --ping_interval 1s --ping_max 2
}

interval() {
	local opened=${EPOCHREALTIME/[.,]/} start
	open c
	hear_info c
	pause 3
	start=${EPOCHREALTIME/[.,]/}
	hand_over
	hear_like c '^PING$'
	((${EPOCHREALTIME/[.,]/} - opened > 4900000)) || fail 'the interval was not over'
	((${EPOCHREALTIME/[.,]/} - start < 5000000)) || fail 'the interval began anew'
}

@test "the ping interval goes on, and does not begin anew" {
	both interval --ping_interval 5s
}

# What the client wrote, shut, and reads when it is told to.
half_closed() {
	flood 1600
	cat >"$DIR/half.pl" <<-'PERL'
		use IO::Socket::INET;
		my ($port, $dir) = @ARGV;
		my $socket = IO::Socket::INET->new("127.0.0.1:$port") or die;
		open my $said, "<", "$dir/said" or die;
		print $socket "SUB flood 1\r\n", <$said>;
		$socket->flush;
		shutdown $socket, 1;
		select undef, undef, undef, 0.01 until -e "$dir/go";
		binmode STDOUT;
		print while sysread $socket, $_, 65536;
		die "$!" if $!;
	PERL
	timeout $((6 * LIMIT_S)) perl "$DIR/half.pl" "$PORT" "$DIR" >"$DIR/heard" 3>&- &
	local pid=$!
	await_log 'Client connection closed: Client Closed'
	hand_over
	: >"$DIR/go"
	wait "$pid"
	rm "$DIR/go"
	{
		printf '+OK\r\n'
		# It did not send CONNECT, so that each is acknowledged.
		cat "$DIR/expected"
	} >"$DIR/all"
	tail -n +2 "$DIR/heard" | perl -0777 -pe 's/^\+OK\r\n//mg' >"$DIR/without"
	cmp "$DIR/expected" "$DIR/without"
	: >"$LOG"
}

@test "a client that has half closed gets what is queued, and then the end" {
	both half_closed -D --write_deadline 2m
}

flushing() {
	flood 1600
	subscriber one flood
	join publisher
	publish_flood
	say one NONSENSE
	hear_nothing publisher
	hand_over
	read_flood one
	hear one "-ERR 'Unknown Protocol Operation'"
	hear_closed one
}

@test "one that has done something wrong gets what is queued, the -ERR, and then the end" {
	both flushing --write_deadline 2m
}

taken_twice() {
	(($(grep -c 'Took over' "$LOG") == 2))
}

lingering() {
	local before start
	hand_over
	await fds_are_at_rest
	before=$FDS
	open rude
	hear_info rude
	start=${EPOCHREALTIME/[.,]/}
	say rude NONSENSE
	hear rude "-ERR 'Unknown Protocol Operation'"
	hand_over
	await taken_twice
	if ! log_has 'Took over 2 connections'; then
		((${EPOCHREALTIME/[.,]/} - start > 1500000)) || fail 'it was closed'
	fi
	say rude more
	# It is not forgotten either.
	await has_fds "$before"
	hear_closed rude
	: >"$LOG"
}

@test "one that has got its -ERR, and has not yet closed" {
	both lingering
}

identity() {
	local id cid
	local -a cids=()
	open old
	hear_info old
	id=$(info server_id)
	cid=$(info client_id)
	hand_over
	open new
	hear_info new
	[[ $(info server_id) == "$id" ]]
	(($(info client_id) > cid))
	cids+=("$(info client_id)")
	# The highest so far is not among those that are handed over.
	close new
	hand_over
	open newer
	hear_info newer
	(($(info client_id) > cids[0]))
	# It is told its own number.
	say old 'CONNECT {"protocol":1,"verbose":false}' PING
	hear old PONG
	hear_info old
	[[ $(info server_id) == "$id" ]]
	[[ $(info client_id) == "$cid" ]]
	[[ $(info client_ip) == '"127.0.0.1"' ]]
}

@test "the server's id stays, and so do the clients'; new ones get new ones" {
	both identity
}

in_a_row() {
	local i honest
	"$ROOT/tests/tools/honest.py" "$PORT" "$DIR/honest" 3>&- &
	honest=$!
	await grep -q up "$DIR/honest"
	for i in {1..20}; do
		hand_over
	done
	kill -TERM "$honest"
	wait "$honest"
	rm "$DIR/honest"
}

@test "twenty of them while messages flow: none is lost, doubled or out of order" {
	both in_a_row
}

# bats test_tags=supervisor
@test "both ways in turn, under a supervisor" {
	start_supervised 127.0.0.1:0 -- "$MINATS" --ports_file_dir "$DIR"
	local i before pid=$BROKER_PID
	WAY=restart
	join c
	say c 'SUB foo 1'
	join fence
	await fds_are_at_rest
	before=$FDS
	for i in 1 2 3 4 5; do
		supervise kill ALRM ready
		[[ $BROKER_PID == "$pid" ]]
		supervise restart
		[[ $BROKER_PID != "$pid" ]]
		pid=$BROKER_PID
		say fence "PUB foo 1" "$i"
		hear c 'MSG foo 1 1' "$i"
	done
	supervise status
	[[ $ANSWER == "running $pid stored parcel" ]]
	await has_fds "$before" || fail "$FDS instead of $before: $(ls -l "/proc/$BROKER_PID/fd")"
}

### Options, listeners, logs

# Options that may be others the next time. (Those of a program that replaces itself are the same.)
options_from_file() {
	printf '#!/bin/sh\nexec "%s" $(cat "%s")\n' "$MINATS" "$DIR/options" >"$DIR/wrapper"
	chmod +x "$DIR/wrapper"
	printf '%s\n' "$*" >"$DIR/options"
}

# bats test_tags=supervisor
@test "the options of the new process hold" {
	options_from_file --max_payload 1000
	start_supervised 127.0.0.1:0 -- "$DIR/wrapper"
	WAY=restart
	join c
	join d
	filling 900 x >"$DIR/payload"
	{
		printf 'PUB foo 900\r\n'
		head -c 600 "$DIR/payload"
	} >&"${FD[c]}"
	printf '%s\n' --max_payload 500 --name changed >"$DIR/options"
	hand_over
	open new
	hear_info new
	[[ $(info max_payload) == 500 ]]
	[[ $(info server_name) == '"changed"' ]]
	say d 'PUB foo 501'
	hear_refusal d 'Maximum Payload Violation'
	# What was allowed when it began is taken to its end.
	tail -c 300 "$DIR/payload" >&"${FD[c]}"
	say c '' PING
	hear c PONG
	# Those who are there stay, even if they are more than may come.
	close new
	printf '%s\n' --max_connections 1 >"$DIR/options"
	hand_over
	say c PING
	hear c PONG
	open new
	hear_info new
	hear_refusal new 'maximum connections exceeded'
	printf '%s\n' --max_connections 100 >"$DIR/options"
	hand_over
}

# bats test_tags=supervisor
@test "what is queued is more than the new process allows" {
	options_from_file --write_deadline 2m
	start_supervised 127.0.0.1:0 -- "$DIR/wrapper"
	WAY=restart
	flood 1600
	subscriber c flood
	join publisher
	publish_flood
	printf '%s\n' --max_pending 1MB >"$DIR/options"
	hand_over
	await_log '\[WRN\] 1 connections could not be taken over and are closed: more is waiting for them than max_pending allows$'
	timeout "$LIMIT_S" cat <&"${FD[c]}" >"$DIR/heard"
	# What it does hear is the beginning of what it should have heard.
	cmp -n "$(stat -c %s "$DIR/heard")" "$DIR/expected" "$DIR/heard"
	(($(stat -c %s "$DIR/heard") < SIZE))
	close c
	hear_nothing publisher
}

# Talks by a Unix socket, through two pipes: talk_unix PATH; then say and hear, at fds of their own.
open_unix() {
	mkfifo "$DIR/in" "$DIR/out"
	nc -U "$1" <"$DIR/in" >"$DIR/out" 3>&- &
	exec {UNIX_IN}>"$DIR/in" {UNIX_OUT}<"$DIR/out"
	rm "$DIR/in" "$DIR/out"
}

say_unix() {
	printf '%s\r\n' "$@" >&"$UNIX_IN"
}

hear_unix() {
	FD[unix]=$UNIX_OUT
	"hear${1:+_$1}" unix "${@:2}"
	unset 'FD[unix]'
}

close_unix() {
	exec {UNIX_IN}>&- {UNIX_OUT}<&-
}

# ports: of what it listens on, in PORTS, and a Unix socket in UNIX
listeners() {
	local text
	text=$(<"$DIR/${MINATS##*/}_$BROKER_PID.ports")
	PORTS=($(grep -oE '127\.0\.0\.[12]:[0-9]+' <<<"$text"))
	PORT=${PORTS[0]#*:}
}

# Two on one address, one on another, and a Unix socket; clients on each of them.
several() {
	local i
	local -a before
	listeners
	before=("${PORTS[@]}")
	((${#before[@]} == 3))
	for i in 0 1 2; do
		open "old$i" "${PORTS[i]#*:}" "${PORTS[i]%:*}"
		hear_info "old$i"
	done
	open_unix "$DIR/socket"
	hear_unix info
	say_unix 'SUB foo 1'
	hear_unix '' '+OK'
	hand_over
	listeners
	[[ ${PORTS[*]} == "${before[*]}" ]] || fail "from ${before[*]} to ${PORTS[*]}"
	hand_over
	for i in 0 1 2; do
		open "new$i" "${PORTS[i]#*:}" "${PORTS[i]%:*}"
		hear_info "new$i"
		[[ $(info port) == "${PORTS[i]#*:}" ]]
		say "new$i" 'PUB foo 1' "$i"
		hear "new$i" '+OK'
		hear_unix '' 'MSG foo 1 1' "$i"
		say "old$i" PING
		hear "old$i" PONG
	done
	say_unix PING
	hear_unix '' PONG
	close_unix
	open_unix "$DIR/socket"
	hear_unix info
	close_unix
}

OWN=(--listen 127.0.0.1:-1 --listen 127.0.0.2:-1 --listen 127.0.0.1:-1)

@test "several listeners of its own, with ports that it has chosen, and a Unix socket" {
	spawn "$MINATS" --ports_file_dir "$DIR" "${OWN[@]}" --listen "unix:$DIR/socket"
	await_ports
	WAY=exec
	several
	close_all
	stop_broker
	[[ ! -e $DIR/socket ]]
}

# bats test_tags=supervisor
@test "the same under a supervisor that gives none" {
	start_supervised -- "$MINATS" --ports_file_dir "$DIR" "${OWN[@]}" --listen "unix:$DIR/socket"
	WAY=restart
	several
	close_all
	stop_broker
	# It was parked: to remove it is not for the process that ended last.
	rm -f "$DIR/socket"
}

# bats test_tags=supervisor
@test "several listeners of a supervisor's, and a Unix socket" {
	start_supervised 127.0.0.1:0 127.0.0.1:0 127.0.0.2:0 "unix:$DIR/socket" -- "$MINATS" --ports_file_dir "$DIR"
	WAY=restart
	several
	close_all
	# The next program gets them from this one.
	supervise kill ALRM ready
	several
}

# bats test_tags=supervisor
@test "a listener that the new process does not have" {
	local second
	options_from_file --ports_file_dir "$DIR" --listen 127.0.0.1:-1 --listen 127.0.0.2:-1
	start_supervised -- "$DIR/wrapper"
	WAY=restart
	listeners
	second=${PORTS[1]}
	open c "${second#*:}" 127.0.0.2
	hear_info c
	say c 'SUB foo 1'
	hear c '+OK'
	printf '%s\n' --ports_file_dir "$DIR" --listen 127.0.0.1:-1 >"$DIR/options"
	hand_over
	[[ $(<"$DIR/${MINATS##*/}_$BROKER_PID.ports") == "{\"nats\":[\"nats://127.0.0.1:$PORT\"]}" ]]
	refute eval "(open nobody ${second#*:} 127.0.0.2) 2>/dev/null"
	say c 'PUB foo 2' hi
	hear c '+OK' 'MSG foo 1 2' hi
	hand_over
	say c 'CONNECT {"protocol":1}' PING
	hear c '+OK' PONG
	hear_info c
	[[ $(info port) == "${second#*:}" ]]
	say c 'PUB foo 2' hi
	hear c '+OK' 'MSG foo 1 2' hi
}

logged() {
	join c
	say c 'SUB foo 1'
	hand_over
	say c 'PUB foo 2' hi
	hear c 'MSG foo 1 2' hi
}

logged_to_file() {
	logged
	case $WAY in
	exec) await_log '\[INF\] Replacing this process by .*minats, with 2 connections' ;;
	restart) await_log '\[INF\] Parked 2 connections for the next process' ;;
	esac
	await_log '\[INF\] Took over 2 connections and 1 subscriptions of process [0-9]+ \(version [0-9.]+\) in [0-9]+ ms; 0 were lost'
	await_log '\[DBG\] 127\.0\.0\.1:[1-9][0-9]* - cid:1 - Client connection taken over'
	await_log '\[TRC\].*<<- \[SUB foo 1\]'
	await_log '\[TRC\].*->> \[MSG foo 1 2\]'
	: >"$LOG"
}

@test "with everything logged to a file" {
	local lines=$LOG
	LOG=$DIR/file.log
	both logged_to_file -DV -l "$LOG"
	LOG=$lines
}

@test "with everything logged to syslog" {
	both logged -DV -s
}

@test "started by inetd it replaces itself" {
	LOG=$DIR/inetd.log
	spawn "$BATS_TEST_DIRNAME/tools/inetd.pl" "$DIR/port" "$MINATS" --inetd --ports_file_dir "$DIR" -l "$DIR/file.log"
	await test -s "$DIR/port"
	PORT=$(<"$DIR/port")
	LOG=$DIR/file.log
	WAY=exec
	join c
	say c 'SUB foo 1'
	hand_over
	hand_over
	say c 'PUB foo 2' hi
	hear c 'MSG foo 1 2' hi
	join new
	say new 'PUB foo 3' you
	hear c 'MSG foo 1 3' you
	[[ ! -s $DIR/inetd.log ]]
}

### What does not hand over

@test "SIGTERM without a supervisor closes all clients politely" {
	start_broker
	subscriber c foo
	say c 'PUB foo 2' hi
	kill -TERM "$BROKER_PID"
	hear c '+OK' 'MSG foo 1 2' hi
	hear_closed c
	await_exit
	((EXIT_STATUS == 0))
	refute log_has Parked
}

# bats test_tags=supervisor
@test "SIGINT under a supervisor does so as well" {
	start_supervised 127.0.0.1:0 -- "$MINATS"
	subscriber c foo
	say c 'PUB foo 2' hi
	hear c '+OK' 'MSG foo 1 2' hi
	supervise kill INT exit
	[[ $ANSWER == 'exited 0' ]]
	hear_closed c
	supervise status
	[[ $ANSWER == 'exited 0 stored' ]]
}

# bats test_tags=supervisor
@test "who is stopped, and not started again, sees the end" {
	start_supervised 127.0.0.1:0 -- "$MINATS"
	join c
	supervise stop
	[[ $ANSWER == 'exited 0' ]]
	hear_closed c
}

# bats test_tags=supervisor
@test "a supervisor that keeps nothing: the log says so, and SIGTERM closes all clients politely" {
	SUPERVISOR_OPTIONS=(--store-max 0)
	start_supervised 127.0.0.1:0 -- "$MINATS"
	await_log 'The supervisor keeps no connections \(FileDescriptorStoreMax= is missing\)'
	subscriber c foo
	say c 'PUB foo 2' hi
	hear c '+OK' 'MSG foo 1 2' hi
	supervise park
	hear_closed c
	refute log_has Parked
}

# bats test_tags=supervisor
@test "a supervisor that says only at the end that it keeps nothing: all are closed politely, and the log says why" {
	SUPERVISOR_OPTIONS=(--store-max 0)
	start_supervised 127.0.0.1:0 -- "$MINATS"
	subscriber c foo
	# What the next program asks to have kept waits to be read.
	kill -STOP "$SUPERVISOR_PID"
	kill -ALRM "$BROKER_PID"
	await_log 'Took over 1 connections'
	say c 'PUB foo 2' hi
	hear c '+OK' 'MSG foo 1 2' hi
	kill -TERM "$BROKER_PID"
	await_log 'Initiating Shutdown'
	kill -CONT "$SUPERVISOR_PID"
	hear_closed c
	await eval '! kill -0 "$BROKER_PID" 2>/dev/null'
	supervise status
	[[ $ANSWER == 'exited 0 stored' ]]
	log_has '\[WRN\] Not all connections could be parked, and the others are closed: Broken pipe$'
	log_has 'Parked 0 connections'
}

# bats test_tags=supervisor
@test "a lame duck is neither parked nor replaced" {
	start_supervised 127.0.0.1:0 -- "$MINATS" --lame_duck_duration 30s --lame_duck_grace_period 2s
	join c '"protocol":1'
	kill -USR2 "$BROKER_PID"
	hear_info c
	[[ $(info ldm) == true ]]
	kill -TERM "$BROKER_PID"
	kill -ALRM "$BROKER_PID"
	hear_nothing c
	await_log 'This process is not replaced'
	refute log_has Parked
	refute log_has 'Took over'
	hear_closed c
	await eval '! kill -0 "$BROKER_PID" 2>/dev/null'
	supervise status
	[[ $ANSWER == 'exited 0 stored' ]]
}
