#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# How fast minats starts and is restarted, beside a stub in the very same unit; tests/handover/times has the rest.

load lib.bash

setup_file() {
	machine_boot
	[[ -n $MACHINE_OBSTACLE ]] || machine_install_tool "$ROOT/tests/handover/times" \
		"${MINATS%/*}"/tests/handover/{crowd,stub,launch,premain.so}
}

# Whoever measures starts what he measures.
setup() {
	machine_need
}

@test "it starts and is restarted hardly slower than a stub" {
	local table status=0
	# The limits are for a machine that does nothing else; this one may have other things to do, which the stub is
	# too small to feel. What doubles is noticed.
	table=$(LIMIT_S=300 machine times --check 2 2>&1) || status=$?
	# The table is wanted whatever the outcome.
	sed 's/^/# /' <<<"$table" >&3
	((status == 0)) || {
		machine_show
		fail "times ended with $status"
	}
}
