#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What clients see when the service, its socket or both are stopped, and of lame duck mode, when systemd keeps
# the socket: as minats(8) tells it.

load lib.bash

teardown() {
	[[ -n $MACHINE_OBSTACLE ]] || leave
	machine_tidy
}

show() {
	machine systemctl show --value --property "$1" minats.service
}

# enter: a client that stays, in IN and OUT; its INFO in FIRST.
enter() {
	coproc CLIENT { machine socat STDIO TCP:127.0.0.1:4222 2>/dev/null; }
	# bash closes its own ones as soon as the client ends, read or not.
	exec {IN}>&"${CLIENT[1]}" {OUT}<&"${CLIENT[0]}"
	read -r -t "$LIMIT_S" FIRST <&"$OUT"
	say 'CONNECT {"verbose":false,"protocol":1}' 'SUB foo 1' PING
	until [[ $LINE == PONG* ]]; do
		hear
	done
	# Who can take a later INFO gets one here.
	hear
}

leave() {
	[[ -z ${IN:-} ]] || exec {IN}>&- {OUT}<&-
	IN=
}

say() {
	printf '%s\r\n' "$@" >&"$IN"
}

# hear: the next line in LINE; a status when there is none any more.
hear() {
	LINE=
	read -r -t "$LIMIT_S" LINE <&"$OUT"
}

# sees_the_end: at once, and not a byte before it.
sees_the_end() {
	local status=0 LIMIT_S=5
	hear || status=$?
	((status > 0 && status <= 128)) || fail "heard «$LINE», $status"
	[[ -z $LINE ]] || fail "heard «$LINE»"
	leave
}

# server_id TEXT: of an INFO.
server_id() {
	sed -nE 's/.*"server_id":"([A-Z0-9]+)".*/\1/p' <<<"$1" | grep .
}

# somebody_waits: has connected, said all he has to say, and nobody has answered.
somebody_waits() {
	[[ -n $(machine ss --no-header --tcp --numeric state close-wait '( sport = :4222 )') ]]
}

@test "a restart: it hears on, and the server is the same" {
	enter
	local pid
	pid=$(show MainPID)
	machine systemctl restart minats.service
	[[ $(show MainPID) != "$pid" ]]
	say 'PUB foo 2' hi
	hear && [[ $LINE == 'MSG foo 1 2'* ]] || fail "heard «$LINE»"
	hear && [[ $LINE == hi* ]]
	machine_talk PING
	[[ $(server_id "$ANSWER") == "$(server_id "$FIRST")" ]]
}

@test "the service stopped, its socket not: the end without a word, and whoever comes back starts another" {
	enter
	machine systemctl stop minats.service
	[[ $(show Result) == success ]]
	sees_the_end
	[[ $(show NFileDescriptorStore) == 0 ]]
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "heard «$ANSWER»"
	[[ $(server_id "$ANSWER") != "$(server_id "$FIRST")" ]]
}

@test "both stopped: the end without a word, and nobody is let in" {
	enter
	machine systemctl stop minats.socket minats.service
	sees_the_end
	run -1 machine nc -z 127.0.0.1 4222
}

@test "the socket restarted: connections survive, as over a restart of the service" {
	enter
	machine systemctl restart minats.socket
	say 'PUB foo 2' hi
	hear && [[ $LINE == 'MSG foo 1 2'* ]] || fail "heard «$LINE»"
}

@test "SIGINT is an end for all: what is queued is sent, and the next process starts anew" {
	enter
	machine systemctl kill --signal INT --kill-whom main minats.service
	sees_the_end
	machine_talk PING
	[[ $(server_id "$ANSWER") != "$(server_id "$FIRST")" ]]
}

@test "lame duck mode: who is there is told, who comes waits for the next process" {
	machine_write /etc/systemd/system/minats.service.d/test.conf <<-'END'
		[Service]
		ExecStart=
		ExecStart=/usr/bin/minats --lame_duck_duration 30s --lame_duck_grace_period 3s
	END
	machine systemctl daemon-reload
	enter
	local pid
	pid=$(show MainPID)
	machine systemctl kill --signal USR2 --kill-whom main minats.service
	hear && [[ $LINE == *'"ldm":true'* ]] || fail "heard «$LINE»"
	# Accepted by the kernel, answered by the next one, when the last client has gone.
	(machine_talk PING && [[ $ANSWER == INFO*PONG ]]) &
	local talk=$!
	local end=$((SECONDS + LIMIT_S))
	until somebody_waits; do
		((SECONDS < end)) || fail 'nobody waits'
	done
	leave
	wait "$talk" || fail "who came meanwhile was not served"
	machine_talk PING
	[[ $ANSWER == INFO*PONG && $ANSWER != *'"ldm"'* ]] || fail "heard «$ANSWER»"
	[[ $(show MainPID) != "$pid" ]]
}
