#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Signals, exit statuses, the pid file and the ports file.
# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own

load lib.bash

@test "SIGINT and SIGTERM end it with 0, and its clients see the end" {
	local signal
	for signal in INT TERM; do
		start_broker
		join c
		local file=$DIR/${MINATS##*/}_$BROKER_PID.ports
		[[ -s $file ]]
		kill -"$signal" "$BROKER_PID"
		hear_closed c
		await_exit
		((EXIT_STATUS == 0)) || fail "$signal ended it with $EXIT_STATUS"
		[[ ! -e $file ]]
	done
}

@test "what was queued before the end still arrives" {
	start_broker
	join c
	say c 'SUB foo 1' 'PUB foo 2' hi PING
	# The PONG proves that all of it was queued; it is read only after the end.
	await_pong() {
		IFS= read -r -t 0 -u "${FD[c]}"
	}
	await await_pong
	stop_broker
	hear c 'MSG foo 1 2' hi PONG
	hear_closed c
}

@test "the pid file holds the pid, without a line end, and stays" {
	start_broker -P "$DIR/pid"
	local pid=$BROKER_PID
	[[ $(<"$DIR/pid") == "$pid" ]]
	(($(stat -c %s "$DIR/pid") == ${#pid}))
	[[ $(stat -c %a "$DIR/pid") == 600 ]]
	stop_broker
	[[ $(<"$DIR/pid") == "$pid" ]]
}

@test "a pid file that cannot be written is fatal" {
	refuses /nowhere/pid -- -a 127.0.0.1 -p -1 -P /nowhere/pid
}

@test "the ports file tells the address" {
	start_broker
	[[ $(<"$DIR/${MINATS##*/}_$BROKER_PID.ports") == *'"nats"'* ]]
	[[ $(jq -c .nats "$DIR/${MINATS##*/}_$BROKER_PID.ports") == "[\"nats://127.0.0.1:$PORT\"]" ]]
}

@test "SIGHUP without a configuration file is refused in the log, and nothing else happens" {
	start_broker
	join c
	kill -HUP "$BROKER_PID"
	await_log '\[ERR\].*Failed to reload server configuration: can only reload config when a file is provided'
	hear_nothing c
}

# reload: orders it by --signal; its status in EXIT_STATUS, what it said in $DIR/stderr.
reload() {
	EXIT_STATUS=0
	timeout "$((LIMIT_S + 10))" "$MINATS" --signal "reload=$BROKER_PID" 2>"$DIR/stderr" 3>&- || EXIT_STATUS=$?
}

# start_with_directory: with a place for the answer.
start_with_directory() {
	ours 'an answer'
	mkdir "$DIR/run"
	export RUNTIME_DIRECTORY=$DIR/run:$DIR/elsewhere
	start_broker
}

@test "--signal reload fails with the reason where there is a place for the answer" {
	start_with_directory
	join c
	# A lie from before, which must not be believed.
	echo ok >"$DIR/run/reload"
	for _ in 1 2; do
		reload
		((EXIT_STATUS == 1))
		[[ $(<"$DIR/stderr") == 'minats: reload refused: can only reload config when a file is provided'* ]] ||
			fail "$(<"$DIR/stderr")"
	done
	[[ $(ls "$DIR/run") == reload ]]
	[[ $(stat -c %a "$DIR/run/reload") == 644 ]]
	hear_nothing c
}

# hangup_waits: the broker has been sent SIGHUP, and has not taken it yet.
hangup_waits() {
	grep -qE '^ShdPnd:.*[13579bdf]$' "/proc/$BROKER_PID/status"
}

@test "--signal reload waits for a busy broker" {
	start_with_directory
	kill -STOP "$BROKER_PID"
	reload &
	local order=$! before=$SECONDS
	await hangup_waits
	pause 0.5
	kill -0 "$order"
	[[ ! -s $DIR/stderr ]]
	kill -CONT "$BROKER_PID"
	wait "$order"
	((SECONDS - before < LIMIT_S))
	grep -q 'reload refused' "$DIR/stderr"
}

@test "--signal reload does not wait for a broker that dies" {
	start_with_directory
	kill -STOP "$BROKER_PID"
	reload &
	local order=$! before=$SECONDS
	await hangup_waits
	kill -KILL "$BROKER_PID"
	await_exit
	wait "$order"
	((SECONDS - before < 5)) || fail "waited $((SECONDS - before)) s"
	[[ $(<"$DIR/stderr") == 'minats: reload: the process ended meanwhile' ]]
}

@test "--signal reload names a directory in which it cannot do anything" {
	start_with_directory
	mkdir "$DIR/run/reload"
	reload
	((EXIT_STATUS == 1))
	grep -q 'RUNTIME_DIRECTORY' "$DIR/stderr"
	# Nor can the broker, when it is told by other ways.
	kill -HUP "$BROKER_PID"
	await_log '\[WRN\].*RUNTIME_DIRECTORY'
}

@test "SIGUSR1 opens the log file anew" {
	start_broker -l "$DIR/file.log"
	join c
	mv "$DIR/file.log" "$DIR/old.log"
	kill -USR1 "$BROKER_PID"
	LOG=$DIR/file.log
	await test -s "$LOG"
	await_log 'File log re-opened'
	hear_nothing c
	stop_broker
	log_has 'Server Exiting'
	LOG=$DIR/old.log
	refute log_has 'Server Exiting'
}

@test "SIGUSR1 without a log file changes nothing" {
	start_broker
	join c
	kill -USR1 "$BROKER_PID"
	hear_nothing c
	hear_nothing c
}

@test "--signal sends each signal, by pid and by pid file" {
	start_broker -P "$DIR/pid" -l "$DIR/file.log"
	LOG=$DIR/file.log
	"$MINATS" --signal "reload=$BROKER_PID"
	await_log 'Failed to reload'
	"$MINATS" -sl "reopen=$DIR/pid"
	await_log 'File log re-opened'
	"$MINATS" --signal="quit=$DIR/pid"
	await_exit
	((EXIT_STATUS == 0))

	start_broker
	"$MINATS" -signal "term=$BROKER_PID"
	await_exit
	((EXIT_STATUS == 0))

	start_broker
	"$MINATS" --signal "stop=$BROKER_PID"
	await_exit
	((EXIT_STATUS == 128 + 9))
}

@test "--signal names what it cannot do" {
	refuses 'unknown signal' bogus -- --signal "bogus=$$"
	refuses 'invalid pid' abc -- --signal quit=abc
	# A pid that no process can have.
	refuses 'no such process' -- --signal quit=999999999
}

@test "a port in use is fatal" {
	start_broker
	refuses "$PORT" -- -a 127.0.0.1 -p "$PORT"
}
