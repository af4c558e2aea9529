#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# SIGHUP takes the configuration file anew: all of it or nothing, for those who are connected as well.

load lib.bash

setup() {
	lib_setup
	FILE=$DIR/test.conf
}

# write LINE...: becomes FILE.
write() {
	printf '%s\n' "$@" >"$FILE"
}

# outcomes: how many reloads have been told of.
outcomes() {
	grep -cE 'Reloaded server configuration|Failed to reload server configuration' "$LOG" || true
}

has_outcomes() {
	(($(outcomes) == $1))
}

# reload [LINE...]: with these lines in FILE, if any; until its outcome is known.
reload() {
	local before
	before=$(outcomes)
	(($# == 0)) || write "$@"
	kill -HUP "$BROKER_PID"
	await has_outcomes $((before + 1))
}

reloads() {
	reload "$@" || return
	grep -E 'Reloaded|Failed to reload' "$LOG" | tail -n 1 | grep -q 'Reloaded server configuration' || fail 'it was refused'
}

# reload_fails TEXT LINE...: it is refused, with this reason.
reload_fails() {
	reload "${@:2}" || return
	grep -E 'Reloaded|Failed to reload' "$LOG" | tail -n 1 | grep -qF "Failed to reload server configuration: $1" ||
		fail "it was not refused with: $1"
}

@test "limits hold at once, for those who are connected as well" {
	write 'max_payload: 10' 'max_subscriptions: 1'
	start_broker -c "$FILE"
	join c
	join d
	say c 'SUB foo 1'
	hear_nothing c
	reloads 'max_payload: 5' 'max_subscriptions: 2' 'max_control_line: 100'
	say c 'SUB foo 2' 'SUB foo 3'
	hear c "-ERR 'maximum subscriptions exceeded'"
	say c 'PUB foo 6'
	hear_refusal c 'Maximum Payload Violation'
	open e
	hear_info e
	[[ $(info max_payload) == 5 ]]
	say d "SUB $(printf '%200s' x | tr ' ' y) 1"
	hear_refusal d 'maximum control line exceeded'
}

@test "a refused reload names the reason and changes nothing" {
	write 'server_name: before' 'max_payload: 10'
	start_broker -c "$FILE"
	join c
	reload_fails 'config reload not supported for server_name: old=before, new=after' 'server_name: after' 'max_payload: 20'
	reload_fails "$FILE:2:1: unknown field \"foo\"" 'max_payload: 20' 'foo: bar'
	reload_fails "$FILE:1:15: " 'server_name = ]'
	reload_fails 'config reload not supported for no_header_support: old=false, new=true' 'server_name: before' \
		'no_header_support: true'
	reload_fails "$FILE:1:1: port: a number" 'port: x'
	rm "$FILE"
	reload_fails "$FILE: No such file"
	open d
	hear_info d
	[[ $(info max_payload) == 10 && $(info server_name) == '"before"' ]]
	hear_nothing c
	reloads 'server_name: before' 'max_payload: 20'
	open e
	hear_info e
	[[ $(info max_payload) == 20 ]]
}

@test "addresses do not change while it runs" {
	ours 'messages of its own'
	write 'host: 127.0.0.1' 'port: -1'
	spawn "$MINATS" -c "$FILE" --ports_file_dir "$DIR"
	await_ports
	reload_fails 'config reload not supported for host: old=127.0.0.1, new=127.0.0.2' 'host: 127.0.0.2' 'port: -1'
	reload_fails 'config reload not supported for port: old=-1, new=4' 'host: 127.0.0.1' 'port: 4'
	reload_fails 'config reload not supported for host' 'listen: ["127.0.0.1:-1"]'
	reloads 'listen: "127.0.0.1:-1"'
	join c
}

@test "a variable of the environment is still there, though nobody sees it any more" {
	ours 'hidden variables'
	# shellcheck disable=SC2016 # the file's variable
	write 'authorization: {user: joe, password: $KEY}'
	KEY=open-sesame start_broker -c "$FILE"
	refute grep -q open-sesame "/proc/$BROKER_PID/environ"
	reloads
	kill -ALRM "$BROKER_PID"
	await_log 'Took over 0 connections'
	reloads
	open c
	hear_info c
	say c 'CONNECT {"verbose":false,"user":"joe","pass":"open-sesame"}' PING
	hear c PONG
	refute grep -q open-sesame "/proc/$BROKER_PID/environ" "$LOG"
	PORT=
}

@test "the command line still wins" {
	write 'max_payload: 10'
	start_broker -c "$FILE" --max_payload 1kb
	reloads 'max_payload: 20' 'server_name: ""'
	open c
	hear_info c
	[[ $(info max_payload) == 1024 ]]
}

@test "with fewer connections than there are, some are closed" {
	local name
	write 'max_connections: 10'
	start_broker -c "$FILE"
	for name in a b c d; do
		join $name
	done
	reloads 'max_connections: 2'
	differs reload-surplus
	hear_refusal d 'maximum connections exceeded'
	hear_refusal c 'maximum connections exceeded'
	hear_nothing a
	hear_nothing b
	open e
	hear_info e
	hear_refusal e 'maximum connections exceeded'
}

@test "the log goes elsewhere, and tells more or less" {
	write ''
	start_broker -c "$FILE"
	join c
	refute log_has '\[DBG\]'
	reloads 'debug: true'
	join d
	await_log '\[DBG\].*Client connected'
	reloads 'trace: true'
	say c 'SUB traced 1'
	await_log '\[TRC\].*SUB traced'
	write 'log_file: '"$DIR/other.log"
	kill -HUP "$BROKER_PID"
	await grep -q 'Reloaded server configuration' "$DIR/other.log"
	say c 'SUB untraced 2'
	hear_nothing c
	refute grep -q untraced "$LOG" "$DIR/other.log"
	# It is still opened anew, under its name.
	mv "$DIR/other.log" "$DIR/moved.log"
	kill -USR1 "$BROKER_PID"
	await test -s "$DIR/other.log"
	write "log_file: $DIR/none/other.log" 'max_payload: 7'
	kill -HUP "$BROKER_PID"
	await grep -q "Failed to reload server configuration: cannot open log file $DIR/none/other.log" "$DIR/other.log"
	open e
	hear_info e
	[[ $(info max_payload) == 1048576 ]]
	write "logtime: false"
	kill -HUP "$BROKER_PID"
	await_log '^\[[0-9]+\] \[INF\] Reloaded'
}

@test "pid file and ports file are where they are now asked for" {
	local before
	write "pid_file: $DIR/pid" "ports_file_dir: $DIR"
	spawn "$MINATS" -a 127.0.0.1 -p -1 -c "$FILE"
	await_ports
	before=$DIR/${MINATS##*/}_$BROKER_PID.ports
	mkdir "$DIR/there"
	reload_fails 'cannot write' "pid_file: $DIR/none/pid" "ports_file_dir: $DIR/there"
	[[ -e $before ]]
	reloads "pid_file: $DIR/there/pid" "ports_file_dir: $DIR/there"
	[[ $(<"$DIR/there/pid") == "$BROKER_PID" && ! -e $before ]]
	[[ $(<"$DIR/there/${before##*/}") == *":$PORT\""* ]]
	stop_broker
	[[ ! -e $DIR/there/${before##*/} ]]
}

@test "keepalive and lame duck mode take their new times" {
	write 'ping_interval: "2m"'
	start_broker -c "$FILE"
	reloads 'ping_interval: "100ms"; ping_max: 1' 'lame_duck_grace_period: "0s"'
	join c
	hear_like c '^PING$'
	hear_refusal c 'Stale Connection'
	kill -USR2 "$BROKER_PID"
	await_exit 10
	((EXIT_STATUS == 0))
}

@test "how it went is the exit status of who ordered it" {
	ours 'answers to --signal reload'
	export RUNTIME_DIRECTORY=$DIR/run
	mkdir "$RUNTIME_DIRECTORY"
	write 'max_payload: 10'
	start_broker -c "$FILE"
	run -0 "$MINATS" --signal "reload=$BROKER_PID"
	write 'nonsense: 1' 'port: x'
	run -1 "$MINATS" --signal "reload=$BROKER_PID"
	[[ $output == "minats: reload refused: $FILE:1:1: unknown field \"nonsense\"; $FILE:2:1: port: a number was expected, not a text" ]] ||
		fail "$output"
	write 'max_payload: 20'
	run -0 "$MINATS" --signal "reload=$BROKER_PID"
}

@test "a file that may be absent comes and goes" {
	ours 'files that may be absent'
	start_broker -c "-$FILE"
	reloads 'max_payload: 10'
	open c
	hear_info c
	[[ $(info max_payload) == 10 ]]
	rm "$FILE"
	reloads
	open d
	hear_info d
	[[ $(info max_payload) == 1048576 ]]
}

@test "an end for want of clients is not asked for where nobody starts it again" {
	ours exit_idle_time
	write 'debug: false'
	start_broker -c "$FILE"
	reload_fails 'exit_idle_time: nobody would start minats again' 'exit_idle_time: 5s'
	stop_broker
	write 'exit_idle_time: "1h"'
	# Activated by its first client, it goes when it is told to.
	PORT=$(free_port)
	activate "127.0.0.1:$PORT" -c "$FILE"
	await join c
	reloads 'exit_idle_time: "100ms"'
	close c
	PORT=
	await_exit
	((EXIT_STATUS == 0))
}

it_obeys_the_file() {
	join c
	say c 'SUB foo 1'
	hear_nothing c
	write 'max_payload: 5' 'no_header_support: true'
	hand_over
	say c 'PUB foo 2' hi
	hear c 'MSG foo 1 2' hi
	open d
	hear_info d
	[[ $(info max_payload) == 5 && $(info headers) == false ]] || fail "$INFO_JSON"
	say c 'PUB foo 6'
	hear_refusal c 'Maximum Payload Violation'
	write 'max_payload: 10'
}

@test "a process that takes over reads the file by itself" {
	ours hand-overs
	write 'max_payload: 10'
	both it_obeys_the_file -c "$FILE"
}

@test "a process is not replaced by one that would refuse the file" {
	ours hand-overs
	write 'max_payload: 10'
	start_broker -c "$FILE"
	join c
	write 'max_payload: 10' 'nonsense: 1'
	kill -ALRM "$BROKER_PID"
	await_log 'This process is not replaced by .*, and goes on: it exits with status 1'
	log_has "$FILE:2:1: unknown field"
	hear_nothing c
	write 'max_payload: 20'
	replace_broker
	hear_nothing c
	open d
	hear_info d
	[[ $(info max_payload) == 20 ]]
}

@test "it may be reloaded hundreds of times" {
	local count
	write 'max_payload: 10'
	start_broker -c "$FILE"
	join c
	for count in {1..200}; do
		write "max_payload: $count" 'debug: true'
		kill -HUP "$BROKER_PID"
		say c PING
		hear c PONG
	done
	reloads 'max_payload: 3'
	open d
	hear_info d
	[[ $(info max_payload) == 3 ]]
	(($(find "/proc/$BROKER_PID/fd" -lname '*' | wc -l) < 30))
}
