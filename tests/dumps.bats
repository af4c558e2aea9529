#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A process that knows a secret leaves no core dump. Not for sanitizers, which keep the signal for themselves.

load lib.bash

SECRET=sesame-4711-open

teardown() {
	# shellcheck disable=SC2034 # lib_teardown's
	PORT=
	lib_teardown
}

# dumps OPTION...: started in a folder of its own, and ended by SIGSEGV when it serves. A core dump is in DUMPED.
dumps() {
	DUMPED=$BATS_TEST_TMPDIR/core$RANDOM
	mkdir "$DUMPED"
	# shellcheck disable=SC2016 # for the other shell
	spawn sh -c 'cd "$1" && shift && ulimit -c unlimited && exec "$@"' - "$DUMPED" "$MINATS" -a 127.0.0.1 -p -1 \
		--ports_file_dir "$DIR" "$@"
	await_ports
	kill -SEGV "$BROKER_PID"
	await_exit
	((EXIT_STATUS == 128 + 11)) || fail "it ended with $EXIT_STATUS" || return
	DUMPED=$(find "$DUMPED" -type f -name 'core*')
}

@test "a process that knows it leaves no core dump, and one that knows none does" {
	ours 'a process that is not dumped'
	[[ $(</proc/sys/kernel/core_pattern) == core* ]] || skip 'core dumps go elsewhere'
	dumps
	[[ -n $DUMPED ]] || skip 'there are no core dumps here'
	rm "$DUMPED"
	dumps --auth "$SECRET"
	[[ -z $DUMPED ]]
}
