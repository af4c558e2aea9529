#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Listening sockets: bound here, from systemd, or from inetd.
# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own
# shellcheck disable=SC2034 # LOG and INFO_JSON are for lib.bash

load lib.bash

# talk_unix PATH: what a client of a Unix socket hears.
talk_unix() {
	ANSWER=$(printf '%s\r\n' 'CONNECT {"verbose":false}' 'SUB foo 1' 'PUB foo 2' hi PING |
		timeout "$LIMIT_S" nc -N -U "$1")
	[[ $ANSWER == INFO*$'\r\nMSG foo 1 2\r\nhi\r\nPONG\r' ]] || fail "heard «$ANSWER»" || return
	INFO_JSON=${ANSWER%%$'\r'*}
	INFO_JSON=${INFO_JSON#INFO }
}

@test "-p -1 is any free port, another one for each broker" {
	start_broker
	local port=$PORT
	open c
	hear_info c
	[[ $(info port) == "$port" ]]
	((port != 4222))
	refuses "$port" -- -a 127.0.0.1 -p "$port"
}

@test "without an address it listens on all, of IPv4 and IPv6" {
	ours 'a dual stack'
	spawn "$MINATS" -p -1 --ports_file_dir "$DIR"
	await_ports
	open four
	hear_info four
	[[ $(info host) == '"0.0.0.0"' ]]
	[[ $(info port) == "$PORT" ]]
	[[ $(info client_ip) == '"127.0.0.1"' ]]
	open six "$PORT" ::1
	hear_info six
	[[ $(info host) == '"0.0.0.0"' ]]
	[[ $(info client_ip) == '"::1"' ]]
	hear_nothing four
	hear_nothing six
}

@test "an address of IPv6" {
	start_broker -a ::1
	open c "$PORT" ::1
	hear_info c
	[[ $(info host) == '"::1"' ]]
	[[ $(info client_ip) == '"::1"' ]]
	close c
	# For check_alive, which comes by IPv4, there is nobody.
	refute eval '(open c) 2>/dev/null'
	stop_broker
}

@test "--listen several times, a Unix socket among them" {
	differs sockets
	spawn "$MINATS" --ports_file_dir "$DIR" --listen 127.0.0.1:-1 --listen 127.0.0.2:-1 --listen "unix:$DIR/socket"
	await_ports
	local ports
	ports=$(jq -r '.nats[]' "$DIR/${MINATS##*/}_$BROKER_PID.ports")
	[[ $ports =~ nats://127\.0\.0\.2:([0-9]+) ]]
	local second=${BASH_REMATCH[1]}
	[[ $ports =~ nats://127\.0\.0\.1:([0-9]+) ]]
	PORT=${BASH_REMATCH[1]}

	join a
	open b "$second" 127.0.0.2
	hear_info b
	[[ $(info port) == "$second" ]]
	say a 'SUB foo 1' PING
	hear a PONG
	say b 'PUB foo 2' hi
	hear b '+OK'
	hear a 'MSG foo 1 2' hi
	talk_unix "$DIR/socket"
	[[ $(info client_ip) == null ]]
	hear a 'MSG foo 1 2' hi
	stop_broker
	[[ ! -e $DIR/socket ]]
}

@test "the stale file of a Unix socket is replaced, a socket in use or another file is not" {
	differs sockets
	spawn "$MINATS" --listen "unix:$DIR/socket"
	await_socket "$DIR/socket"
	await talk_unix "$DIR/socket"
	refuses "$DIR/socket" -- --listen "unix:$DIR/socket"
	kill -KILL "$BROKER_PID"
	await_exit
	[[ -S $DIR/socket ]]
	spawn "$MINATS" --listen "unix:$DIR/socket"
	await talk_unix "$DIR/socket"
	stop_broker

	echo precious >"$DIR/file"
	refuses "$DIR/file" -- --listen "unix:$DIR/file"
	[[ $(<"$DIR/file") == precious ]]
}

@test "a socket from systemd" {
	differs sockets
	PORT=$(free_port)
	activate "127.0.0.1:$PORT"
	await open c
	hear_info c
	[[ $(info host) == '"127.0.0.1"' ]]
	[[ $(info port) == "$PORT" ]]
	[[ $(info client_ip) == '"127.0.0.1"' ]]
	hear_nothing c
}

@test "several sockets from systemd, of IPv4, IPv6 and Unix" {
	differs sockets
	local six
	PORT=$(free_port)
	six=$(free_port)
	activate "$DIR/socket 127.0.0.1:$PORT [::1]:$six"
	await open a
	hear_info a
	open b "$six" ::1
	hear_info b
	[[ $(info port) == "$six" ]]
	[[ $(info client_ip) == '"::1"' ]]
	say a 'CONNECT {"verbose":false}' 'SUB foo 1' PING
	hear a PONG
	say b 'PUB foo 2' hi
	hear b '+OK'
	hear a 'MSG foo 1 2' hi
	talk_unix "$DIR/socket"
	hear a 'MSG foo 1 2' hi
}

@test "an option without effect because the socket came from outside is named in the log" {
	differs sockets
	PORT=$(free_port)
	activate "127.0.0.1:$PORT" -p 4999 -a 127.0.0.2
	await open c
	hear_info c
	[[ $(info port) == "$PORT" ]]
	await_log '(-p|port).*no effect'
	await_log '(-a|addr).*no effect'
}

@test "a socket from inetd" {
	differs sockets
	LOG=$DIR/inetd.log
	spawn "$BATS_TEST_DIRNAME/tools/inetd.pl" "$DIR/port" "$MINATS" --inetd -l "$DIR/file.log"
	await test -s "$DIR/port"
	PORT=$(<"$DIR/port")
	LOG=$DIR/file.log
	open c
	hear_info c
	[[ $(info port) == "$PORT" ]]
	say c 'SUB foo 1' 'PUB foo 2' hi
	hear c '+OK' '+OK' 'MSG foo 1 2' hi
	hear_nothing c
}

@test "--inetd without a listening socket is refused" {
	differs sockets
	refuses inetd 'standard input' 'not a socket' -- --inetd
}

# given WHY FILE: the descriptor 3, opened on FILE, is handed over as a socket, and refused.
given() {
	EXIT_STATUS=0
	(
		exec 3<>"$2" 4>&-
		export LISTEN_PID=$BASHPID LISTEN_FDS=1
		exec "$MINATS" </dev/null >"$DIR/stdout" 2>"$DIR/stderr"
	) &
	BROKER_PID=$!
	await_exit
	((EXIT_STATUS == 1)) || fail "with $2 it ended with $EXIT_STATUS, saying: $(<"$DIR/stderr")" || return
	grep -q '\<3\>' "$DIR/stderr" || fail "the descriptor is not named: $(<"$DIR/stderr")" || return
	grep -q "$1" "$DIR/stderr" || fail "no $1: $(<"$DIR/stderr")"
}

@test "a descriptor that is no listening stream socket is refused, with its number and why" {
	need_supervisor
	differs sockets
	given 'not a socket' /dev/null
	given 'not a stream socket' /dev/udp/127.0.0.1/9
	start_broker
	local port=$PORT broker=$BROKER_PID
	given 'not a listening socket' "/dev/tcp/127.0.0.1/$port"
	BROKER_PID=$broker PORT=$port
}

@test "descriptors meant for another process are left alone" {
	differs sockets
	export LISTEN_PID=1 LISTEN_FDS=1
	start_broker
	unset LISTEN_PID LISTEN_FDS
	join c
	hear_nothing c
}

# bats test_tags=supervisor
@test "64 sockets from a supervisor, and not one more" {
	local -a listen=()
	while ((${#listen[@]} < 64)); do
		listen+=(127.0.0.1:0)
	done
	start_supervised "${listen[@]}" -- "$MINATS"
	join c
	close c
	stop_broker
	PORT=
	refute start_supervised "${listen[@]}" 127.0.0.1:0 -- "$MINATS"
	log_has 'inherited descriptors: Argument list too long'
}
