#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A crowd of clients at full speed stands through restarts: nobody is disconnected, nothing is lost, doubled or
# reordered. tests/systemd/restart.bats has more of them, under a real systemd.

# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own

load lib.bash
load handover/crowd.bash

setup() {
	lib_setup
	ours 'a hand-over'
	CROWD=${MINATS%/*}/tests/handover/crowd
	RESTARTS=5
}

teardown() {
	crowd_end
	lib_teardown
}

# gather ADDRESS [OPTION...]: a crowd.
gather() {
	crowd_start "$CROWD" --address "$1" --clients 500 --groups 20 --wildcards 3 "${@:2}"
	crowd_mark
}

# gather_supervised [OPTION...]: with a broker behind a supervisor.
gather_supervised() {
	start_supervised "${ADDRESS:-127.0.0.1:0}" -- "$MINATS"
	supervise addresses
	gather "$ANSWER" "$@"
}

# through COMMAND...: again and again, with messages before and after; and then at once.
through() {
	local count
	for ((count = 0; count < RESTARTS; count++)); do
		pause 0.2
		"$@"
		crowd_mark
	done
	for ((count = 0; count < RESTARTS; count++)); do
		"$@"
	done
	crowd_stop
}

restart() {
	supervise restart
}

# It notices what it should: a hand-over is what it does not see.
@test "a crowd sees a broker that closes its connections" {
	start_broker
	gather "127.0.0.1:$PORT"
	stop_broker
	crowd_hear
	[[ $LINE == 'failed: '*'disconnected'* ]] || fail "the crowd: $LINE"
}

@test "a crowd stands through restarts" {
	gather_supervised
	through restart
}

@test "a crowd stands through restarts, on a Unix socket" {
	ADDRESS=unix:$BATS_TEST_TMPDIR/socket
	gather_supervised
	through restart
}

# A publisher has more to say than one turn has time for, and does not wait to be asked.
@test "everybody hears everything through restarts" {
	gather_supervised --clients 100 --groups 1
	through restart
}

@test "large messages stand through restarts" {
	gather_supervised --size 17,70000,5000,300
	through restart
}

@test "queue groups, with each operation acknowledged, stand through restarts" {
	gather_supervised --queue --verbose
	through restart
}

@test "requests have one answer each through restarts" {
	gather_supervised --requests
	through restart
}

@test "a crowd stands through upgrades by exec" {
	start_broker
	gather "127.0.0.1:$PORT"
	through replace_broker
}

# As with systemd, in tests/systemd/restart.bats.
@test "5,000 clients at full speed notice nothing of 20 upgrades by exec" {
	RESTARTS=10
	start_broker
	gather "127.0.0.1:$PORT" --clients 5000 --wildcards 5
	through replace_broker
}

@test "requests have one answer each through upgrades by exec, with each operation acknowledged" {
	start_broker
	gather "127.0.0.1:$PORT" --requests --verbose
	through replace_broker
}
