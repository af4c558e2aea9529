#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Whatever becomes of the daemon, its socket stays: clients wait, and none is refused. For a whole minute: failing.bats,
# refused.bats; what else keeps it from starting takes the same way through systemd, so that it only has to outlast the
# ten seconds in which systemd counts starts.

load lib.bash
load waiting.bash

SHORT=11

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
