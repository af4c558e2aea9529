#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A hand-over behind each byte of a conversation.

load lib.bash

setup() {
	lib_setup
	ours 'a hand-over'
}

# at_every_byte WAY: there were many of them, and nobody heard anything else than without.
at_every_byte() {
	local count
	count=$(timeout 300 "$ROOT/tests/tools/everybyte.py" "$1" "$MINATS" 2>&1 3>&-) || fail "$count"
	((count > 500)) || fail "only $count hand-overs"
}

@test "a conversation goes on behind each of its bytes when the broker replaces itself" {
	at_every_byte exec
}

# bats test_tags=supervisor
@test "a conversation goes on behind each of its bytes when a supervisor starts the broker anew" {
	need_supervisor
	at_every_byte restart
}
