#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Who is at the other end of a Unix socket: uid and pid in the log; and that a bus which could tell the unit,
# but is not there or does not answer, costs nothing. tests/systemd/identity.bats has the units.
# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own

load lib.bash

setup() {
	lib_setup
	ours 'identities in the log'
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$DIR/bus
}

teardown() {
	if [[ -n ${SOCAT_PID:-} ]]; then
		kill "$SOCAT_PID" 2>/dev/null || true
		wait "$SOCAT_PID" || true
	fi
	lib_teardown
}

# start_on_both: on a port and on the Unix socket $DIR/socket.
start_on_both() {
	spawn "$MINATS" --ports_file_dir "$DIR" --listen 127.0.0.1:-1 --listen "unix:$DIR/socket" -D
	await_ports
}

# visit LINE...: a client of the Unix socket, whose pid was VISITOR; it is answered with a PONG at last.
visit() {
	local -a heard
	printf '%s\r\n' "$@" PING >"$DIR/said"
	timeout "$LIMIT_S" bash -c 'echo $$ >"$1/pid"; exec nc -N -U "$1/socket"' - "$DIR" <"$DIR/said" >"$DIR/heard" 3>&-
	VISITOR=$(<"$DIR/pid")
	mapfile -t heard <"$DIR/heard"
	[[ ${heard[0]} == INFO* && ${heard[-1]} == $'PONG\r' ]] || fail "heard «${heard[*]}»"
}

# bus COMMAND: what answers on the bus's socket; each connection to it is a line in $DIR/visited.
bus() {
	: >"$DIR/visited"
	socat "UNIX-LISTEN:$DIR/bus,fork" "SYSTEM:echo >>$DIR/visited; $1" 2>"$DIR/socat.log" 3>&- &
	SOCAT_PID=$!
	await_socket "$DIR/bus"
}

count() {
	grep -Ec -- "$1" "$LOG" || true
}

@test "the log has uid and pid of a client on a Unix socket" {
	start_on_both
	visit 'CONNECT {"verbose":false,"name":"nm"}'
	await_log "\\[DBG\\] unix uid:$(id -u) pid:$VISITOR - cid:[0-9]+ - Client connection created"
	await_log "\\[DBG\\] unix uid:$(id -u) pid:$VISITOR - cid:[0-9]+ - \"::nm\" - Client connection closed: Client Closed"
	local before=$VISITOR
	visit
	((VISITOR != before))
	await_log "unix uid:$(id -u) pid:$VISITOR - cid:"
}

@test "a client that comes by TCP has none" {
	need_supervisor
	start_on_both
	join c
	await_log '127\.0\.0\.1:[0-9]+ - cid:1 - Client connection created'
	refute log_has 'uid:|pid:'
	# Nor does anybody look for a bus.
	refute log_has '\[WRN\]'
}

@test "without a bus it says so once, and serves" {
	need_supervisor
	start_on_both
	visit
	visit 'SUB foo 1' 'PUB foo 2' hi
	grep -q $'^MSG foo 1 2\r$' "$DIR/heard"
	await_log '\[WRN\] The units of clients on Unix sockets are not known: No such file or directory'
	stop_broker
	(($(count '\[WRN\]') == 1))
}

@test "a bus that hangs up is told once, and is not asked all the time" {
	need_supervisor
	bus exit
	start_on_both
	for _ in {1..10}; do
		visit
	done
	await_log '\[WRN\] The units of clients'
	stop_broker
	(($(count '\[WRN\]') == 1))
	(($(wc -l <"$DIR/visited") < 10)) || fail "$(wc -l <"$DIR/visited") visits"
}

@test "a bus that never answers keeps nobody waiting, not even at the end" {
	need_supervisor
	bus 'cat >/dev/null'
	start_on_both
	for _ in {1..30}; do
		visit
	done
	join c
	hear_nothing c
	# One visit for all of them.
	(($(wc -l <"$DIR/visited") == 1))
	local before=$SECONDS
	stop_broker
	((SECONDS - before < 5))
	refute log_has '\[WRN\]'
}
