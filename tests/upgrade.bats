#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# SIGALRM: the broker replaces itself by the program that is on disk now, or goes on and says why.

load lib.bash

setup() {
	lib_setup
	ours 'an upgrade'
	VERSIONS=${MINATS%/*}/tests/versions
	# shellcheck disable=SC2034 # for lib.bash
	WAY=exec
	# The program can be exchanged, and comes back from here.
	GOOD=$DIR/good
	cp "$MINATS" "$GOOD"
	cp "$MINATS" "$DIR/minats"
	MINATS=$DIR/minats
}

# A client in the middle of a message.
begin() {
	start_broker "$@"
	join c
	say c 'SUB foo 1'
	say_raw c 'PUB foo 2\r\nh'
	others_are_served
}

others_are_served() {
	join other
	hear_nothing other
	close other
}

go_on() {
	say_raw c 'i\r\n'
	hear c 'MSG foo 1 2' hi
	say_raw c 'PUB foo 2\r\nh'
}

# replaced_by COMMAND...: which writes a program to its standard output. At once, as a package manager would.
replaced_by() {
	"$@" >"$DIR/new"
	chmod +x "$DIR/new"
	mv "$DIR/new" "$DIR/minats"
}

script() {
	printf '#!/bin/sh\n%s\n' "$1"
}

said_why() {
	log_has "\\[ERR\\] This process is not replaced by $DIR/minats, and goes on: $1\$"
}

# mended: the same process is replaced after all.
mended() {
	replaced_by cat "$GOOD"
	replace_broker
	go_on
	await_log 'Took over 1 connections'
}

# goes_on WHY: as if nothing had happened; a second time as well.
goes_on() {
	for _ in 1 2; do
		kill -ALRM "$BROKER_PID"
		await said_why "$1"
		others_are_served
		refute log_has 'Took over'
		: >"$LOG"
	done
	go_on
	mended
}

@test "a program that is not there" {
	begin
	rm "$DIR/minats"
	goes_on 'No such file or directory'
}

@test "a program that must not be executed" {
	begin
	chmod -x "$DIR/minats"
	goes_on 'Permission denied'
}

@test "a program of which only the beginning is written" {
	begin
	replaced_by head -c 40 "$GOOD"
	goes_on 'Exec format error'
}

@test "a program that is none" {
	begin
	replaced_by echo 'nothing that can be executed'
	goes_on 'Exec format error'
}

@test "a program that does not start: what it says stands in the log" {
	begin --max_payload 1000
	# shellcheck disable=SC2016 # for the other shell
	replaced_by script '
		case $* in *--max_payload*) echo "--max_payload is not known any more" >&2; exit 3;; esac'
	kill -ALRM "$BROKER_PID"
	await said_why 'it exits with status 3'
	await_log '^--max_payload is not known any more$'
	go_on
	mended
}

@test "a program that dies" {
	begin
	# shellcheck disable=SC2016 # for the other shell
	replaced_by script 'kill -TERM $$'
	goes_on 'it is ended by signal 15'
}

# The trial is good, but then there is nothing to execute any more.
@test "a program that vanishes in the last moment" {
	begin
	# shellcheck disable=SC2016 # for the other shell
	replaced_by script 'rm "$0"'
	kill -ALRM "$BROKER_PID"
	await said_why 'No such file or directory'
	await_log 'Replacing this process by .*, with 1 connections'
	others_are_served
	go_on
	: >"$LOG"
	mended
}

@test "no descriptor for it: the limit of open files was lowered" {
	begin
	prlimit --pid "$BROKER_PID" --nofile=10:
	kill -ALRM "$BROKER_PID"
	await said_why 'Too many open files'
	go_on
	: >"$LOG"
	prlimit --pid "$BROKER_PID" --nofile=1000:
	mended
}

children() {
	local children
	read -r -a children <"/proc/$BROKER_PID/task/$BROKER_PID/children" || true
	((${#children[@]} == $1))
}

@test "a program that hangs is given up after ten seconds; a second signal meanwhile changes nothing" {
	begin
	replaced_by script 'exec sleep 300'
	local start=$SECONDS
	kill -ALRM "$BROKER_PID"
	await children 1
	kill -ALRM "$BROKER_PID"
	others_are_served
	children 1
	until said_why 'it is ended by signal 9'; do
		((SECONDS - start < 10 + LIMIT_S)) || fail 'it waits in vain'
		pause 0.1
		others_are_served
	done
	((SECONDS - start >= 9))
	children 0
	go_on
	mended
}

@test "SIGTERM during a trial ends the broker" {
	begin
	replaced_by script 'exec sleep 1'
	kill -ALRM "$BROKER_PID"
	await children 1
	kill -TERM "$BROKER_PID"
	hear_closed c
	await_exit
	((EXIT_STATUS == 0))
}

@test "a signal while it is replaced is not lost" {
	begin
	local i
	for i in {1..20}; do
		kill -ALRM "$BROKER_PID"
	done
	others_are_served
	go_on
	# Whoever gets it, the old program or the new one, obeys.
	kill -ALRM "$BROKER_PID"
	kill -TERM "$BROKER_PID"
	hear_closed c
	await_exit
	((EXIT_STATUS == 0))
}

@test "--signal upgrade does the same" {
	begin
	"$GOOD" --signal "upgrade=$BROKER_PID"
	await_log 'Took over 1 connections'
	go_on
}

@test "who was started with SIGCHLD ignored is replaced as well" {
	spawn bash -c 'trap "" CHLD; exec "$@"' - "$MINATS" -a 127.0.0.1 -p -1 --ports_file_dir "$DIR"
	await_ports
	join c
	kill -ALRM "$BROKER_PID"
	await_log 'Took over 1 connections'
	hear_nothing c
}

@test "the next version, and back" {
	begin
	replaced_by cat "$VERSIONS/next/minats"
	replace_broker
	go_on
	await_log 'Took over 1 connections'
	: >"$LOG"
	# It says that we can read what it writes.
	replaced_by cat "$GOOD"
	replace_broker
	go_on
	await_log 'Took over 1 connections .*; 0 were lost'
}

# bats test_tags=supervisor
@test "back from a version whose states this one does not understand: they are closed, and the log says why" {
	start_supervised 127.0.0.1:0 -- "$MINATS"
	join c
	say c 'SUB foo 1'
	say_raw c 'PUB foo 2\r\nh'
	others_are_served
	replaced_by cat "$VERSIONS/far/minats"
	supervise restart
	go_on
	await_log 'Took over 1 connections .*; 0 were lost'
	replaced_by cat "$GOOD"
	supervise restart
	hear_closed c
	await_log '\[WRN\] 1 connections could not be taken over and are closed: they come from a newer version, whose state this one does not understand$'
	others_are_served
}

# resident: kB of memory that is its own, in RESIDENT.
resident() {
	local key value
	while read -r key value _; do
		[[ $key != RssAnon: ]] || RESIDENT=$value
	done <"/proc/$BROKER_PID/status"
}

@test "fifty upgrades leave nothing behind: no descriptor, no memory, no child" {
	begin
	replace_broker
	go_on
	local i before
	await fds_are_at_rest
	before=$FDS
	resident
	local resident=$RESIDENT
	for i in {1..50}; do
		replace_broker
		go_on
	done
	await has_fds "$before" || fail "$FDS descriptors instead of $before"
	resident
	((RESIDENT < resident * 5 / 4 + 100)) || fail "$RESIDENT kB instead of $resident"
	children 0
	# Nor in what it hands on.
	[[ $(tr '\0' '\n' <"/proc/$BROKER_PID/environ" | grep -c MINATS_PARCEL) == 1 ]]
}

@test "\$MINATS_PARCEL is ignored, with a warning, where it makes no sense" {
	local value
	for value in '' nonsense 999 3x -1 0 2 99999999999999999999; do
		export MINATS_PARCEL=$value
		start_broker
		unset MINATS_PARCEL
		join c
		hear_nothing c
		await_log "\\[WRN\\] Ignoring \\\$MINATS_PARCEL=$value: not a parcel"
		close c
		stop_broker
		: >"$LOG"
	done
}
