#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Connections survive `systemctl restart`, under a real systemd: 5,000 clients, all of them subscribed, and
# publishers at full speed. What each message went through is verified by tests/handover/crowd.c.

load lib.bash
load ../handover/crowd.bash

setup_file() {
	machine_boot
	[[ -n $MACHINE_OBSTACLE ]] || machine_install_tool "${MINATS%/*}/tests/handover/crowd"
}

teardown() {
	[[ -n $MACHINE_OBSTACLE ]] || crowd_end
	machine_rest
}

# show PROPERTY: of the service.
show() {
	machine systemctl show --value --property "$1" minats.service
}

# gather [OPTION...]
gather() {
	LIMIT_S=300 crowd_start machine crowd "$@"
	crowd_mark
}

# through COUNT COMMAND...: so many times, with messages before and after; then nobody has noticed anything.
through() {
	local count before
	for ((count = 0; count < $1; count++)); do
		before=$(show MainPID)
		"${@:2}" "$before"
		crowd_mark
	done
	crowd_stop
	[[ $(show NRestarts) == 0 ]]
}

restart() {
	machine systemctl restart minats.service
	[[ $(show MainPID) != "$1" ]] || fail "it was not restarted: $1"
}

# ready_count: how often it was.
ready_count() {
	machine journalctl --sync
	machine journalctl --boot --unit minats.service --output cat --no-pager | grep -c 'Server is ready'
}

upgrade() {
	local before end=$((SECONDS + LIMIT_S))
	before=$(ready_count)
	machine kill -ALRM "$1"
	until (($(ready_count) > before)); do
		((SECONDS < end)) || fail 'it is not ready again' || return
	done
	[[ $(show MainPID) == "$1" ]] || fail "it was $1 and is $(show MainPID)"
}

@test "5,000 clients at full speed notice nothing of 20 restarts in a row" {
	gather --clients 5000 --wildcards 5
	through 20 restart
}

@test "requests, queue groups and acknowledgements stand through restarts" {
	gather --clients 1000 --requests --verbose --wildcards 5
	through 10 restart
}

@test "5,000 clients at full speed notice nothing of upgrades by exec" {
	gather --clients 5000 --wildcards 5
	through 5 upgrade
}
