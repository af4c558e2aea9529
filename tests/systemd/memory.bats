#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The service as it is shipped lets clients hold half of what its control group may take, and does what it can when it
# is told that memory is short.

load lib.bash

setup() {
	machine_need
}

# configure LINE...: of the service, in a drop-in
configure() {
	printf '%s\n' '[Service]' "$@" | machine_write /etc/systemd/system/minats.service.d/test.conf
	machine systemctl daemon-reload
	machine systemctl restart minats.socket
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
}

# The last start of it said so.
said() {
	machine journalctl --unit minats.service --output cat --no-pager | grep -E '^  Memory:' | tail -n 1 |
		grep -qE -- "$1" || fail "it did not say $1"
}

# A host may keep the control of memory to itself: then the files are there without the limit that they tell of.
limit() {
	if machine grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
		configure "MemoryMax=$2"
		return
	fi
	machine_write "/run/groups/system.slice/minats.service/memory.max" <<<"$1"
	configure BindReadOnlyPaths=/run/groups:/sys/fs/cgroup
}

@test "MemoryMax= holds for clients as well" {
	limit $((64 << 20)) 64M
	said '32 MB for clients, of the 64 MB of this control group$'
}

@test "without a limit it is half of the machine" {
	configure
	said '[0-9]+ MB for clients, of the [0-9]+ MB of this (machine|control group)$'
}

# As systemd 254 does: the path in the environment, and a file that the service may write to in its sandbox.
@test "told that memory is short, inside the sandbox" {
	machine mkfifo -m 666 /run/pressure
	configure Environment=MEMORY_PRESSURE_WATCH=/run/pressure Environment=MEMORY_PRESSURE_WRITE=c29tZQ==
	[[ $(machine timeout 5 head -c 4 /run/pressure) == some ]] || fail 'nothing was written'
	machine sh -c 'echo >/run/pressure'
	machine_await sh -c 'journalctl --unit minats.service --output cat --no-pager | grep -q "Memory is short"'
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
	machine rm /run/pressure
}
