#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# While what stands in place of the daemon fails, its socket stays: clients wait, and none is refused.

load lib.bash
load waiting.bash

# Nobody has to tell systemd of a binary that is the right one again.
@test "instead of the daemon there is one that fails, for a minute" {
	machine mv /usr/bin/minats /usr/bin/minats.away
	machine cp /bin/false /usr/bin/minats
	while_broken 60 machine mv /usr/bin/minats.away /usr/bin/minats
}
