#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# --inetd behind a real inetd, in wait mode. It runs as whoever runs the tests, and on a port of its own.
# What it does with syslog is seen in tests/systemd/activation.bats.
# shellcheck disable=SC2034 # LOG, PORT and INFO_JSON are for lib.bash

load lib.bash

setup() {
	lib_setup
	ours '--inetd'
	INETD=$(PATH=$PATH:/usr/sbin command -v inetd) || skip 'openbsd-inetd is missing'
	PID_FILE=$DIR/pid
}

# inetd leaves its children alone, and does not tell how it ended.
teardown() {
	if [[ -n ${INETD_PID:-} ]]; then
		kill "$INETD_PID" 2>/dev/null || true
		wait "$INETD_PID" || true
		[[ ! -s $PID_FILE ]] || kill "$(<"$PID_FILE")" 2>/dev/null || true
	fi
	lib_teardown
}

# inetd WORD...: with -d inetd stays in the foreground, and says how its children end. The words are the program
# and its arguments, of which none may have a blank.
inetd() {
	PORT=$(free_port)
	printf '%s\t' "127.0.0.1:$PORT" stream tcp wait "$(id -un)" "$1" >"$DIR/inetd.conf"
	printf '%s %s\n' "${1##*/}" "${*:2}" >>"$DIR/inetd.conf"
	spawn "$INETD" -d "$DIR/inetd.conf"
	INETD_PID=$BROKER_PID
	# The broker is one that inetd starts.
	BROKER_PID=
	await_log '^ADD'
}

# answered: a client got its INFO; ID is that of the broker.
answered() {
	open "$1" && hear_info "$1" || return
	ID=$(info server_id)
}

# ended_well COUNT: so many have ended, all with status 0.
ended_well() {
	local end=$((SECONDS + LIMIT_S))
	until (($(grep -c 'reaped, status' "$LOG") >= $1)); do
		((SECONDS < end)) || fail "ended: $(grep -c 'reaped, status' "$LOG") of $1" || return
		pause 0.02
	done
	refute grep 'reaped, status [^0]' "$LOG"
}

@test "the first client starts it, and the second is served by the same process" {
	local first
	inetd "$MINATS" --inetd -P "$PID_FILE"
	refute test -e "$PID_FILE"
	answered a
	first=$ID
	answered b
	[[ $ID == "$first" ]]
	say a 'CONNECT {"verbose":false}' 'SUB foo 1' PING
	hear a PONG
	say b 'CONNECT {"verbose":false}' 'PUB foo 2' hi
	hear a 'MSG foo 1 2' hi
	[[ $(grep -c 'execv' "$LOG") == 1 ]]
	kill -0 "$(<"$PID_FILE")"
}

@test "when it was ended, the next client starts it again" {
	local first
	inetd "$MINATS" --inetd -P "$PID_FILE"
	answered a
	first=$ID
	kill "$(<"$PID_FILE")"
	ended_well 1
	hear_closed a
	answered b
	[[ $ID != "$first" ]]
}

@test "with --exit-idle-time it ends by itself, and again and again the next client starts it" {
	local last='' at
	inetd "$MINATS" --inetd -P "$PID_FILE" --exit-idle-time=200ms
	for at in 1 2 3; do
		answered "c$at"
		[[ $ID != "$last" ]]
		last=$ID
		close "c$at"
		ended_well "$at"
	done
}

@test "clients that come just when it ends are served" {
	inetd "$MINATS" --inetd -P "$PID_FILE" --exit-idle-time=50ms
	local said
	# inetd starts nobody more often than 256 times a minute.
	said=$(python3 "$BATS_TEST_DIRNAME/tools/hover.py" 5 50 127.0.0.1 "$PORT")
	[[ $said =~ ^served=([0-9]+)' 'same=([0-9]+)' 'next=([0-9]+)$ ]] || fail "said: $said"
	((BASH_REMATCH[2] >= 5 && BASH_REMATCH[3] >= 5)) || fail "said: $said"
	refute grep 'reaped, status [^0]' "$LOG"
}

# traced WORD...: all that it does with descriptors goes to $DIR/trace.
traced() {
	# A sanitizer cannot look for leaks in who is traced.
	inetd "$(command -v strace)" -f -A -E ASAN_OPTIONS=detect_leaks=0 -o "$DIR/trace" \
		-e trace=write,writev,pwrite64,sendto,sendmsg,sendfile,connect,exit_group "$MINATS" "$@"
}

# Inherited descriptors were never written to, and syslog was asked for.
kept_quiet() {
	grep -q '/dev/log' "$DIR/trace" || fail "no syslog: $(<"$DIR/trace")" || return
	refute grep -E '\<(write|writev|pwrite64|sendto|sendmsg|sendfile)\([012],' "$DIR/trace"
}

@test "nothing is ever written to what inetd gave it" {
	traced --inetd -P "$PID_FILE" -DV
	answered a
	say a BOGUS
	hear_refusal a 'Unknown Protocol Operation'
	answered b
	say b 'SUB foo 1' 'PUB foo 2' hi
	hear b '+OK' '+OK' 'MSG foo 1 2' hi
	kill "$(<"$PID_FILE")"
	ended_well 1
	kept_quiet
}

# inetd tries again as long as the client waits.
@test "a refused command line is told by syslog" {
	traced --inetd --no-such-option
	open a
	await grep -q 'exited with 1' "$DIR/trace"
	kept_quiet
}
