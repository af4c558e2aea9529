#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# shellcheck disable=SC2034 # LIMIT_S is for lib.bash
#
# The README's installation, as it stands there, on a machine; and that uninstalling leaves nothing.

load lib.bash

setup_file() {
	LIMIT_S=300 machine_boot bare
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	# The sources alone, as from a tarball.
	tar -C "$ROOT" -c Makefile src man systemd | machine sh -c 'mkdir /root/minats && tar -C /root/minats -x'
}

setup() {
	machine_need
}

teardown() {
	[[ -n ${BATS_TEST_COMPLETED:-}$MACHINE_OBSTACLE ]] || machine_show
}

# block sh 6 of the README, as tests/docs.bats counts them.
block() {
	awk -v wanted="$1" '
		/^```/ { if (inside) inside = 0; else { inside = 1; if ($0 == "```sh") n++; sh = $0 == "```sh" } next }
		inside && sh && n == wanted' "$ROOT/README.md"
}

# files: all that the package could own, and when it changed.
files() {
	machine sh -c 'find /usr /etc -newer /root/minats/stamp ! -type d ! -name "*.cache" ! -name "*-"' | sort
}

@test "what the README says installs it, and starts it" {
	local commands
	LIMIT_S=300
	machine touch /root/minats/stamp
	commands=$(block 6)
	[[ $commands == make$'\n'*'systemctl start minats.socket'* ]] || fail "the README's block: $commands"
	# Its lines that show something wait for a key on a terminal only.
	run -0 machine sh -e -c "cd /root/minats
$commands"
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "heard «$ANSWER»"
}

@test "make uninstall leaves nothing" {
	machine systemctl stop minats.socket minats.service
	[[ $(files) == */usr/bin/minats* ]] || fail "installed: $(files)"
	machine make -s -C /root/minats PREFIX=/usr uninstall
	[[ $(files | grep -c minats) == 0 ]] || fail "left: $(files)"
}
