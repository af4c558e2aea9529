# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A broker for each case, and conversations with it that read as dialogues.
#
# setup() and teardown() stand at the end. A .bats file that needs more defines its own behind `load lib`, which call
# lib_setup and lib_teardown. Then:
#
#     start_broker [OPTION...]    the broker under test on a free port of 127.0.0.1: PORT, BROKER_PID, DIR, LOG
#     stop_broker, restart_broker SIGINT and its end; the same port again
#     await_exit [SECONDS]        waits until the broker has ended by itself: EXIT_STATUS
#     await_log REGEX             waits until a line of the log matches
#     activate "ADDRESS..." [OPTION...]   the broker behind systemd-socket-activate, which is BROKER_PID
#     refuses WORD... -- [OPTION...]      it does not start: exit status 1, and all WORDs on stderr
#
#     start_supervised [ADDRESS...] -- COMMAND...   under tools/supervisor.py (with SUPERVISOR_OPTIONS), with sockets of
#                                 these addresses; PORT is that of the first on 127.0.0.1
#     supervise COMMAND...        what tools/supervisor.py answers to it, in ANSWER; BROKER_PID follows
#     both FUNCTION [OPTION...]   runs a case with each WAY of a hand-over, exec and restart, on a broker of its own
#     hand_over                   another process goes on with the connections, by WAY
#
#     open NAME [PORT [HOST]]     a connection called NAME
#     join NAME [FIELDS [PORT]]   open, INFO, and a quiet CONNECT with more FIELDS of JSON; PING, PONG
#     knock NAME [FIELDS [PORT]]  the same up to PING: whether he is let in is to be heard
#     say NAME LINE...            each LINE as it stands, with CRLF; one write
#     say_raw NAME TEXT           TEXT with the escapes of printf %b, nothing added; one write if short
#     hear NAME LINE...           the next lines are exactly these, each with CRLF
#     hear_like NAME REGEX        the next line matches
#     hear_bytes NAME TEXT        the next bytes are TEXT, with the escapes of printf %b (no NUL)
#     hear_info NAME              the next line is INFO; its object in INFO_JSON, `info KEY` prints a field
#     hear_nothing NAME           nothing was queued for NAME until now (a PING and its PONG are the fence)
#     hear_closed NAME            the end of the connection, and not a byte before it
#     hear_refusal NAME TEXT      -ERR 'TEXT' and then the end
#     close NAME
#     need_supervisor             left out of a build without one; activate and start_supervised say so themselves
#     need_nats_server            for a comparison: the newest one, in REAL; it is fetched if it is not there
#     refute COMMAND...           it must not succeed
#     converse TEXT               TEXT through `nc -N`, which half closes; all that came back in ANSWER
#
# shellcheck disable=SC2034 # ANSWER, INFO_JSON and so on are for the cases.
# shellcheck disable=SC2120 # arguments come from the cases.
#
# Only descriptors of the shell are used, no process per step, so that a step costs microseconds.
# The broker is $MINATS; a nats-server does as well, which is how these cases were checked themselves.

bats_require_minimum_version 1.5.0

# Bytes, not characters: payload sizes are counted, and invalid UTF-8 is sent.
export LC_ALL=C

# Nothing that must happen takes longer, not even under a sanitizer on a busy machine.
LIMIT_S=${LIMIT_S:-10}

lib_setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	MINATS=$(realpath "${MINATS:-$ROOT/build/minats}")
	DIR=$BATS_TEST_TMPDIR/broker
	LOG=$DIR/log
	mkdir -p "$DIR"
	: >"$LOG"
	BROKER_PID=
	SUPERVISOR_PID=
	SUPERVISOR_OPTIONS=()
	PORT=
	unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES
	declare -gA FD=()
	# A descriptor that never has anything to read: to wait on it is to pause without a process.
	mkfifo "$BATS_TEST_TMPDIR/never"
	exec {NEVER}<>"$BATS_TEST_TMPDIR/never"
	# bats traces every command for its reports. In here that costs more than the conversation itself, so
	# only the case is traced; a report then names its line, and fail() says what was heard.
	set +T
	declare -ft "$BATS_TEST_NAME" bats_error_trap bats_check_status_from_trap || true
	# To write to a connection that the broker has just closed must not end the case.
	trap '' PIPE
}

lib_teardown() {
	local status=0
	if [[ -z ${BATS_TEST_COMPLETED:-} ]]; then
		show_logs
	fi
	close_all
	if [[ -n $BROKER_PID ]]; then
		if [[ -n ${BATS_TEST_COMPLETED:-} && -z ${BATS_TEST_SKIPPED:-} ]]; then
			check_alive || status=1
		fi
		stop_broker || status=1
		((status == 0)) || show_logs
	fi
	stop_supervisor || status=1
	exec {NEVER}>&-
	return "$status"
}

show_logs() {
	local file
	for file in "$DIR"/*log*; do
		[[ -f $file ]] || continue
		printf -- '--- %s\n' "${file##*/}"
		cat "$file"
	done
}

fail() {
	printf '%.400s\n' "$*" >&2
	return 1
}

pause() {
	read -r -t "$1" -u "$NEVER" || true
}

# await COMMAND...: tries until it succeeds.
await() {
	local end=$((SECONDS + LIMIT_S))
	until "$@"; do
		((SECONDS < end)) || fail "waited in vain for: $*" || return
		pause 0.01
	done
}

# count_fds: how many descriptors the broker has, in FDS.
count_fds() {
	local -a fds=("/proc/$BROKER_PID/fd"/*)
	FDS=${#fds[@]}
}

has_fds() {
	count_fds
	((FDS == $1))
}

# fds_are_at_rest: none is open for a moment only, as that of the time zone's file is at first.
fds_are_at_rest() {
	count_fds
	pause 0.1
	has_fds "$FDS"
}

# await_socket PATH: somebody listens on this Unix socket; its file is there a moment before that.
await_socket() {
	await grep -q " 00010000 .* $1\$" /proc/net/unix
}

# refute COMMAND...: it must not succeed. (bats overlooks the failure of a command behind a "!".)
refute() {
	! "$@" || fail "should not have succeeded: $*"
}

is_nats_server() {
	[[ ${MINATS##*/} == nats-server* ]]
}

# differs KEY: a deliberate difference. It must be explained in differences.txt; a nats-server cannot pass.
differs() {
	grep -q "^$1:" "$BATS_TEST_DIRNAME/differences.txt" || fail "differences.txt does not explain $1" || return
	! is_nats_server || skip "nats-server differs: $1"
}

# ours WHAT: something that only minats has.
ours() {
	! is_nats_server || skip "only minats has $1"
}

# need_supervisor: not in a build without one (SUPERVISOR=none). tests/run knows these words.
need_supervisor() {
	[[ ${SUPERVISOR:-} != none ]] || skip 'needs a supervisor'
}

need_nats_server() {
	! is_nats_server || skip 'it would be compared with itself'
	REAL=$ROOT/build/tests/clients/bin/nats-server
	[[ -x $REAL ]] || "$ROOT/tests/clients/install" nats-server >/dev/null ||
		skip 'no nats-server: sh packaging/bootstrap install test'
}

### The broker

start_broker() {
	BROKER_OPTIONS=("$@")
	launch -1
}

# launch PORT: with BROKER_OPTIONS.
launch() {
	[[ -z $BROKER_PID ]] || fail "a broker runs already: $BROKER_PID" || return
	local -a options=(-a 127.0.0.1 -p "$1" --ports_file_dir "$DIR")
	if is_nats_server; then
		configure_nats_server "${BROKER_OPTIONS[@]}"
	else
		options+=("${BROKER_OPTIONS[@]}")
	fi
	spawn "$MINATS" "${options[@]}"
	await_ports
}

# nats-server knows many options in its configuration file only.
configure_nats_server() {
	local key value
	local file=$DIR/nats-server.conf
	: >"$file"
	while (($#)); do
		case $1 in
		--no_header_support)
			printf 'no_header_support: true\n' >>"$file"
			shift
			;;
		--max_* | --ping_* | --write_deadline | --lame_duck_*)
			key=${1#--} value=$2
			[[ $value =~ ^-?[0-9]+$ ]] || value="\"$value\""
			printf '%s: %s\n' "$key" "$value" >>"$file"
			shift 2
			;;
		*)
			options+=("$1")
			shift
			;;
		esac
	done
	[[ ! -s $file ]] || options+=(-c "$file")
}

# spawn COMMAND...: becomes BROKER_PID, writes to LOG, and inherits no connection of the case.
spawn() {
	(
		close_all
		exec {NEVER}>&-
		trap - PIPE
		exec "$@" </dev/null >>"$LOG" 2>&1 3>&- 4>&-
	) &
	BROKER_PID=$!
}

# The ports file is written when everything listens.
await_ports() {
	local file end=$((SECONDS + LIMIT_S)) text=
	file=$DIR/${MINATS##*/}_$BROKER_PID.ports
	until [[ $text =~ :([0-9]+)\".*\] ]]; do
		kill -0 "$BROKER_PID" 2>/dev/null || died || return
		((SECONDS < end)) || fail "no ports file after $LIMIT_S s" || return
		pause 0.005
		[[ ! -e $file ]] || text=$(<"$file")
	done
	PORT=${BASH_REMATCH[1]}
}

died() {
	wait "$BROKER_PID" || EXIT_STATUS=$?
	BROKER_PID=
	fail "the broker ended with ${EXIT_STATUS:-0} instead of listening"
}

# is_running PID: our child of that number is there, and not only because nobody has asked for its exit status yet.
# Where processes come and go in thousands, another one may soon have the number.
is_running() {
	local stat='' state parent
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
	read -r state parent _ <<<"${stat##*) }"
	[[ $state != Z && $parent == "$BASHPID" ]]
}

# await_exit [SECONDS]
await_exit() {
	local end=$((SECONDS + ${1:-$LIMIT_S})) pid=$BROKER_PID
	while is_running "$pid"; do
		if ((SECONDS >= end)); then
			# What it waits for, thread by thread.
			grep -H . "/proc/$pid/task/"*/{comm,wchan,syscall} >&2 || true
			kill -KILL "$pid"
			wait "$pid" || true
			BROKER_PID=
			fail "the broker did not end within ${1:-$LIMIT_S} s"
			return
		fi
		pause 0.01
	done
	EXIT_STATUS=0
	BROKER_PID=
	wait "$pid" || EXIT_STATUS=$?
}

# Under a sanitizer it is the exit status that tells of a leak.
# systemd-socket-activate starts the broker, in its own place, when the first client comes.
activate() {
	need_supervisor
	local address name
	local -a arguments=()
	for address in $1; do
		arguments+=(-l "$address")
	done
	for name in ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS; do
		[[ -z ${!name:-} ]] || arguments+=(-E "$name")
	done
	spawn systemd-socket-activate "${arguments[@]}" "$MINATS" --ports_file_dir "$DIR" "${@:2}"
}

refuses() {
	local -a words=()
	local word
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	shift
	EXIT_STATUS=0
	timeout "$LIMIT_S" "$MINATS" "$@" </dev/null >"$DIR/stdout" 2>"$DIR/stderr" 3>&- || EXIT_STATUS=$?
	((EXIT_STATUS == 1)) || fail "$* ended with $EXIT_STATUS, saying: $(<"$DIR/stderr")" || return
	for word in "${words[@]}"; do
		grep -qF -- "$word" "$DIR/stderr" || fail "$* did not name $word: $(<"$DIR/stderr")" || return
	done
}

stop_broker() {
	if [[ -n $SUPERVISOR_PID ]]; then
		stop_supervised
		return
	fi
	kill -INT "$BROKER_PID"
	await_exit || return
	((EXIT_STATUS == 0)) || fail "the broker ended with $EXIT_STATUS"
}

restart_broker() {
	stop_broker || return
	launch "$PORT"
}

### The broker under a supervisor, and the hand-over

start_supervised() {
	need_supervisor
	local -a listen=()
	while [[ $1 != -- ]]; do
		listen+=(--listen "$1")
		shift
	done
	shift
	mkfifo "$BATS_TEST_TMPDIR/commands" "$BATS_TEST_TMPDIR/answers"
	(
		close_all
		exec {NEVER}>&-
		trap - PIPE
		# shellcheck disable=SC2094 # it appends, and never reads
		exec "$ROOT/tests/tools/supervisor.py" "${listen[@]}" "${SUPERVISOR_OPTIONS[@]}" --limit "$LIMIT_S" --log "$LOG" \
			--notified "$DIR/notified" -- "$@" \
			<"$BATS_TEST_TMPDIR/commands" >"$BATS_TEST_TMPDIR/answers" 2>>"$LOG" 3>&- 4>&-
	) &
	SUPERVISOR_PID=$!
	exec {COMMANDS}>"$BATS_TEST_TMPDIR/commands" {ANSWERS}<"$BATS_TEST_TMPDIR/answers"
	rm "$BATS_TEST_TMPDIR/commands" "$BATS_TEST_TMPDIR/answers"
	supervise start || return
	find_supervised
}

supervise() {
	printf '%s\n' "$*" >&"$COMMANDS"
	IFS= read -r -t $((3 * LIMIT_S)) -u "$ANSWERS" ANSWER || fail "the supervisor is silent after: $*" || return
	[[ $ANSWER != error* ]] || fail "$*: $ANSWER" || return
	case $ANSWER in
	running*)
		read -r _ BROKER_PID _ <<<"$ANSWER"
		;;
	exited* | killed*) BROKER_PID= ;;
	esac
	case $1 in
	start | restart) [[ -n $BROKER_PID ]] || fail "it did not start: $ANSWER" ;;
	esac
}

# PORT of a supervisor's socket, or else of the broker's own.
find_supervised() {
	local port='127\.0\.0\.1:([0-9]+)'
	supervise addresses || return
	if [[ $ANSWER =~ $port ]]; then
		PORT=${BASH_REMATCH[1]}
	elif [[ -z $ANSWER ]]; then
		await_ports
	fi
}

# Nothing that it may have parked stays.
stop_supervised() {
	local status=0
	if [[ -n $BROKER_PID ]]; then
		supervise stop || status=1
		[[ $ANSWER == 'exited 0' ]] || fail "the broker ended with $ANSWER" || status=1
	fi
	stop_supervisor || status=1
	return "$status"
}

stop_supervisor() {
	[[ -n $SUPERVISOR_PID ]] || return 0
	exec {COMMANDS}>&- {ANSWERS}<&-
	wait "$SUPERVISOR_PID" || fail "the supervisor ended with $?" || return
	SUPERVISOR_PID=
}

both() {
	for WAY in exec restart; do
		# tests/run says so: such a build takes no sockets from anybody.
		[[ $WAY == exec || ${SUPERVISOR:-} != none ]] || continue
		if [[ $WAY == exec ]]; then
			start_broker "${@:2}"
		else
			start_supervised 127.0.0.1:0 -- "$MINATS" --ports_file_dir "$DIR" "${@:2}"
		fi
		"$1"
		close_all
		check_alive
		stop_broker
	done
}

# What the connections of the case said was read before: a PING of another one, which comes later, was answered.
hand_over() {
	[[ -n ${FD[fence]:-} ]] || join fence || return
	hear_nothing fence || return
	case $WAY in
	exec) replace_broker ;;
	restart) supervise restart ;;
	esac
	hear_nothing fence
}

# By then the new program has the sockets: it has written its ports file, which is another one than before.
replace_broker() {
	local file=$DIR/${MINATS##*/}_$BROKER_PID.ports
	ln -f "$file" "$DIR/ports.before" || return
	kill -ALRM "$BROKER_PID"
	await is_another "$file"
}

is_another() {
	[[ -e $1 && ! $1 -ef $DIR/ports.before ]]
}

log_has() {
	grep -Eq -- "$1" "$LOG"
}

await_log() {
	await log_has "$1"
}

# A broker that should live answers. The case may have used up max_connections just before, so try again.
check_alive() {
	local end=$((SECONDS + LIMIT_S))
	kill -0 "$BROKER_PID" 2>/dev/null || fail 'the broker died' || return
	[[ -n $PORT ]] || return 0
	until (join alive && close alive) 2>/dev/null; do
		((SECONDS < end)) || fail 'the broker does not answer any more' || return
		pause 0.05
	done
}

### The conversations

open() {
	local fd
	exec {fd}<>"/dev/tcp/${3:-127.0.0.1}/${2:-$PORT}" || fail "cannot connect to port ${2:-$PORT}" || return
	FD[$1]=$fd
}

close() {
	local fd=${FD[$1]}
	unset "FD[$1]"
	exec {fd}>&-
}

close_all() {
	local fd
	for fd in "${FD[@]}"; do
		exec {fd}>&-
	done
	FD=()
}

knock() {
	open "$1" "${3:-$PORT}" || return
	hear_info "$1" || return
	say "$1" "CONNECT {\"verbose\":false,\"pedantic\":false${2:+,$2}}" PING
}

join() {
	knock "$@" || return
	hear "$1" PONG || return
	# Who can take a later INFO gets one here.
	[[ ${2:-} != *'"protocol":1'* ]] || hear_info "$1"
}

# What cannot be written is missed by the next hear: the broker may well have closed already.
# echo writes a short text at once; printf would write line by line, and each line would wait for an ACK.
say() {
	local text
	printf -v text '%s\r\n' "${@:2}"
	{ echo -nE "$text" >&"${FD[$1]}"; } 2>/dev/null || true
}

say_raw() {
	local text
	if [[ $2 == *'\0'* ]]; then
		# No variable can hold a NUL.
		{ printf '%b' "$2" >&"${FD[$1]}"; } 2>/dev/null || true
	else
		printf -v text '%b' "$2"
		{ echo -nE "$text" >&"${FD[$1]}"; } 2>/dev/null || true
	fi
}

# read_line NAME: the next line, without its CRLF, in LINE.
read_line() {
	local status=0
	LINE=
	IFS= read -r -t "$LIMIT_S" -u "${FD[$1]}" LINE 2>/dev/null || status=$?
	if ((status > 128)); then
		fail "$1 waited in vain, having heard «$LINE»"
	elif ((status)); then
		fail "$1 was closed, having heard «$LINE»"
	elif [[ $LINE != *$'\r' ]]; then
		fail "$1 heard «$LINE» without a CR"
	else
		LINE=${LINE%$'\r'}
	fi
}

hear() {
	local name=$1 expected
	shift
	for expected in "$@"; do
		read_line "$name" || fail "  instead of «$expected»" || return
		# A broker pings a client some two seconds after its CONNECT: a slow case must not stumble over it.
		while [[ $LINE == PING && $expected != PING ]]; do
			say "$name" PONG
			read_line "$name" || fail "  instead of «$expected»" || return
		done
		[[ $LINE == "$expected" ]] || fail "$name heard «$LINE» instead of «$expected»" || return
	done
}

hear_like() {
	read_line "$1" || fail "  instead of «$2»" || return
	[[ $LINE =~ $2 ]] || fail "$1 heard «$LINE», which is not like «$2»"
}

hear_bytes() {
	local expected heard='' status=0
	printf -v expected '%b' "$2"
	IFS= read -r -d '' -N "${#expected}" -t "$LIMIT_S" -u "${FD[$1]}" heard 2>/dev/null || status=$?
	[[ $heard == "$expected" ]] || fail "$1 heard «$heard» (status $status) instead of «$expected»"
}

hear_info() {
	hear_like "$1" '^INFO (\{.*\}) ?$' || return
	INFO_JSON=${BASH_REMATCH[1]}
}

# info KEY: null where the field is missing.
info() {
	jq -c ".$1" <<<"$INFO_JSON"
}

hear_nothing() {
	say "$1" PING
	hear "$1" PONG
}

hear_closed() {
	local status=0
	while
		LINE=
		IFS= read -r -t "$LIMIT_S" -u "${FD[$1]}" LINE 2>/dev/null || status=$?
		((status == 0)) && [[ $LINE == $'PING\r' ]]
	do :; done
	if ((status > 128)); then
		fail "$1 is still open"
	elif ((status == 0)) || [[ -n $LINE ]]; then
		fail "$1 heard «$LINE» instead of the end"
	else
		close "$1"
	fi
}

hear_refusal() {
	hear "$1" "-ERR '$2'" || return
	hear_closed "$1"
}

converse() {
	ANSWER=$(printf '%b' "$1" | timeout "$LIMIT_S" nc -N "${3:-127.0.0.1}" "${2:-$PORT}")
}

# free_port: a port that was free a moment ago, for what cannot choose one by itself.
free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport'
}

### Around each case

setup() {
	lib_setup
}

teardown() {
	lib_teardown
}
