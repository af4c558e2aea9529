#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A crowd of clients at full speed stands through restarts: nobody is disconnected, nothing is lost, doubled or
# reordered. tests/systemd/restart.bats has more of them, under a real systemd.

# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own

load lib.bash
load handover/lib.bash

setup() {
	lib_setup
	ours 'a hand-over'
	CROWD=${MINATS%/*}/tests/handover/crowd
	RESTARTS=5
}

teardown() {
	crowd_end
	supervisor_end
	lib_teardown
}

# gather ADDRESS [OPTION...]: a crowd.
gather() {
	crowd_start "$CROWD" --address "$1" --clients 500 --groups 20 --wildcards 3 "${@:2}"
	crowd_mark
}

# gather_supervised [OPTION...]: with a broker behind a supervisor.
gather_supervised() {
	supervise --listen "${ADDRESS:-127.0.0.1:0}" --log "$LOG" -- "$MINATS"
	expect '^running' start
	ask addresses
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
	expect '^running' restart
}

upgrade() {
	local before
	before=$(grep -c 'Server is ready' "$LOG")
	is_ready_again() {
		(($(grep -c 'Server is ready' "$LOG") > before))
	}
	kill -ALRM "$BROKER_PID"
	await is_ready_again
}

# It notices what it should: a hand-over is what it does not see.
@test "a crowd sees a broker that closes its connections" {
	start_broker
	gather "127.0.0.1:$PORT"
	stop_broker
	heard CROWD
	[[ $LINE == 'failed: '*'disconnected'* ]] || fail "the crowd: $LINE"
}

# bats test_tags=supervisor
@test "a crowd stands through restarts" {
	gather_supervised
	through restart
}

# bats test_tags=supervisor
@test "a crowd stands through restarts, on a Unix socket" {
	ADDRESS=unix:$BATS_TEST_TMPDIR/socket
	gather_supervised
	through restart
}

# A publisher has more to say than one turn has time for, and does not wait to be asked.
# bats test_tags=supervisor
@test "everybody hears everything through restarts" {
	gather_supervised --clients 100 --groups 1
	through restart
}

# bats test_tags=supervisor
@test "large messages stand through restarts" {
	gather_supervised --size 17,70000,5000,300
	through restart
}

# bats test_tags=supervisor
@test "queue groups, with each operation acknowledged, stand through restarts" {
	gather_supervised --queue --verbose
	through restart
}

# bats test_tags=supervisor
@test "requests have one answer each through restarts" {
	gather_supervised --requests
	through restart
}

@test "a crowd stands through upgrades by exec" {
	start_broker
	gather "127.0.0.1:$PORT"
	through upgrade
}

@test "requests have one answer each through upgrades by exec, with each operation acknowledged" {
	start_broker
	gather "127.0.0.1:$PORT" --requests --verbose
	through upgrade
}
