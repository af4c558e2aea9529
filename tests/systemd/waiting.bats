#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Whatever becomes of the daemon, its socket stays: clients wait, and none is refused. Fifty connect a second.
# shellcheck disable=SC2034 # LIMIT_S is for lib.bash

load lib.bash

# The whole minute for what replaces it and for what it refuses; what else keeps it from starting takes the same way
# through systemd, so that the others only have to outlast the ten seconds in which systemd counts starts.
MINUTE=${MINUTE:-60}
SHORT=11
RATE=50

setup_file() {
	machine_boot
}

teardown_file() {
	machine_leave
}

setup() {
	machine_need
	LIMIT_S=120
	machine systemctl start minats.socket
}

teardown() {
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	if [[ -z ${BATS_TEST_COMPLETED:-} ]]; then
		[[ ! -e $BATS_TEST_TMPDIR/hammered ]] || cat "$BATS_TEST_TMPDIR/hammered"
		machine_show
	fi
	if [[ -n ${HAMMER_PID:-} ]]; then
		kill "$HAMMER_PID" 2>/dev/null || true
		wait "$HAMMER_PID" || true
	fi
	machine sh -c '[ ! -e /usr/bin/minats.away ] || mv /usr/bin/minats.away /usr/bin/minats'
	machine rm -rf /etc/systemd/system/minats.service.d
	machine systemctl daemon-reload
	machine systemctl stop minats.socket minats.service
	machine systemctl reset-failed
}

show() {
	machine systemctl show --value --property "$1" "${2:-minats.service}"
}

# hammer SECONDS: in the background, as HAMMER_PID.
hammer() {
	HAMMER_SECONDS=$1
	machine_tool hammer.py "$RATE" "$1" 20 127.0.0.1 4222 >"$BATS_TEST_TMPDIR/hammered" 3>&- &
	HAMMER_PID=$!
}

# All have connected, and wait.
hammer_waits() {
	local end=$((SECONDS + HAMMER_SECONDS + 10))
	until [[ -s $BATS_TEST_TMPDIR/hammered ]]; do
		kill -0 "$HAMMER_PID" || fail 'the clients are gone' || return
		((SECONDS < end)) || fail 'the clients take too long' || return
		sleep 0.1
	done
}

# hammer_result: in the associative array COUNT. Nobody was refused, and nobody waits in vain.
hammer_result() {
	local words word
	wait "$HAMMER_PID"
	HAMMER_PID=
	declare -gA COUNT=()
	read -ra words <<<"$(tail -n 1 "$BATS_TEST_TMPDIR/hammered")"
	for word in "${words[@]}"; do
		COUNT[${word%=*}]=${word#*=}
	done
	((COUNT[connects] >= HAMMER_SECONDS * RATE * 9 / 10)) || fail "too few to mean anything: ${words[*]}" || return
	((COUNT[refused] == 0)) || fail "refused: ${words[*]}" || return
	((COUNT[waiting] == 0)) || fail "not served: ${words[*]}" || return
}

# drop_in LINE...: the service gets them.
drop_in() {
	printf '%s\n' '[Service]' "$@" | machine_write /etc/systemd/system/minats.service.d/test.conf
	machine systemctl daemon-reload
}

# while_broken SECONDS MEND...: it cannot start for so long; all clients are served when MEND has been done.
while_broken() {
	hammer "$1"
	hammer_waits
	[[ $(show ActiveState) != active ]] || fail 'it runs' || return
	[[ $(show ActiveState minats.socket) == active ]] || fail "the socket is $(show ActiveState minats.socket)" || return
	# Again and again, but not in a frenzy.
	(($(show NRestarts) >= HAMMER_SECONDS / 4)) || fail "tried only $(show NRestarts) times" || return
	(($(show NRestarts) <= HAMMER_SECONDS + 10)) || fail "tried $(show NRestarts) times" || return
	"${@:2}"
	hammer_result || return
	((COUNT[served] == COUNT[connects])) || fail "served: ${COUNT[served]} of ${COUNT[connects]}" || return
	[[ $(show ActiveState) == active ]]
}

mend() {
	machine rm -r /etc/systemd/system/minats.service.d
	machine systemctl daemon-reload
}

# Nobody has to tell systemd of a binary that is the right one again.
@test "instead of the daemon there is one that fails, for a minute" {
	machine mv /usr/bin/minats /usr/bin/minats.away
	machine cp /bin/false /usr/bin/minats
	while_broken "$MINUTE" machine mv /usr/bin/minats.away /usr/bin/minats
}

@test "its command line is refused, for a minute" {
	drop_in ExecStart= 'ExecStart=/usr/bin/minats --no-such-option'
	while_broken "$MINUTE" mend
}

@test "the binary is missing" {
	machine mv /usr/bin/minats /usr/bin/minats.away
	while_broken $SHORT machine mv /usr/bin/minats.away /usr/bin/minats
}

@test "instead of the daemon there is one that ends at once, content" {
	drop_in ExecStart= ExecStart=/bin/true
	while_broken $SHORT mend
}

@test "it is killed again and again" {
	local try
	hammer 8
	for try in {1..4}; do
		sleep 1.5
		machine systemctl kill --kill-whom=main --signal=KILL minats.service
	done
	hammer_result
	# Those whom it had let in just before.
	((COUNT[served] > COUNT[connects] * 9 / 10)) || fail "served: ${COUNT[served]} of ${COUNT[connects]}"
	[[ $(show NRestarts) == "$try" ]] || fail "restarted $(show NRestarts) times"
}

@test "it is restarted many times in a row" {
	hammer 6
	for _ in {1..25}; do
		machine systemctl restart minats.service
	done
	hammer_result
	[[ $(show NRestarts) == 0 ]]
}

@test "the socket itself can be restarted as often" {
	for _ in {1..8}; do
		machine systemctl restart minats.socket
	done
	[[ $(show ActiveState minats.socket) == active ]]
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "heard «$ANSWER»"
}

# Each one that leaves is its end, and each one that comes starts it.
@test "it ends as soon as a client has left" {
	local starts
	drop_in ExecStart= 'ExecStart=/usr/bin/minats --exit-idle-time=1ms'
	hammer 6
	hammer_result
	((COUNT[served] == COUNT[connects])) || fail "served: ${COUNT[served]} of ${COUNT[connects]}"
	machine journalctl --sync
	starts=$(machine journalctl --boot --unit minats.service --grep 'Server is ready' --output cat | wc -l)
	((starts >= 10)) || fail "it was started $starts times only"
	[[ $(show ActiveState minats.socket) == active ]]
}

@test "clients come just when it ends for want of them" {
	local said
	drop_in ExecStart= 'ExecStart=/usr/bin/minats --exit-idle-time=100ms'
	said=$(machine_tool hover.py 8 100 127.0.0.1 4222)
	[[ $said =~ ^served=([0-9]+)' 'same=([0-9]+)' 'next=([0-9]+)$ ]] || fail "said: $said"
	echo "# $said" >&3
	# It was met on both sides of the moment.
	((BASH_REMATCH[2] >= 5 && BASH_REMATCH[3] >= 5)) || fail "said: $said"
}
