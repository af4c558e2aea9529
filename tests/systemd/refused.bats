#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# While the daemon refuses its command line, its socket stays: clients wait, and none is refused.

load lib.bash
load waiting.bash

@test "its command line is refused, for a minute" {
	drop_in ExecStart= 'ExecStart=/usr/bin/minats --no-such-option'
	while_broken 60 mend
}
