# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# tests/handover/crowd.c in a case. A .bats file loads it behind its lib.bash.
#
#     crowd_start COMMAND...    a COMMAND that becomes the crowd, until it is up
#     crowd_mark                waits until messages were delivered since the last mark; what it answers in MARK
#     crowd_stop                the end of it, which must be ok; its totals in TOTALS
#     crowd_hear                what else it says: LINE
#     crowd_end                 from teardown()
#
# shellcheck disable=SC2034 # MARK and TOTALS are for the cases.

CROWD_LIMIT_S=${CROWD_LIMIT_S:-60}
CROWD_PID=

crowd_start() {
	local in=$BATS_TEST_TMPDIR/crowd.in out=$BATS_TEST_TMPDIR/crowd.out
	mkfifo "$in" "$out"
	"$@" <"$in" >"$out" 3>&- 4>&- &
	CROWD_PID=$!
	# What it does not read any more must not be the end of the case.
	trap '' PIPE
	exec {CROWD_IN}>"$in" {CROWD_OUT}<"$out"
	rm "$in" "$out"
	crowd_hear || return
	[[ $LINE == up ]] || fail "the crowd: $LINE"
}

crowd_hear() {
	LINE=
	read -r -t "$CROWD_LIMIT_S" -u "$CROWD_OUT" LINE || fail 'the crowd does not answer'
}

# If it is gone, it has said why.
crowd_tell() {
	{ echo "$1" >&"$CROWD_IN"; } 2>/dev/null || true
}

crowd_mark() {
	local end=$((SECONDS + CROWD_LIMIT_S))
	while
		crowd_tell mark
		crowd_hear || return
		[[ $LINE == delivered* ]] || fail "the crowd: $LINE" || return
		[[ $LINE == 'delivered 0' || $LINE == 'delivered 0 '* ]]
	do
		((SECONDS < end)) || fail "nothing was delivered for $CROWD_LIMIT_S s" || return
		sleep 0.02
	done
	MARK=$LINE
}

crowd_stop() {
	crowd_tell stop
	crowd_hear || return
	[[ $LINE == 'ok '* ]] || fail "the crowd: $LINE" || return
	TOTALS=$LINE
	wait "$CROWD_PID" || fail "the crowd ended with $?"
}

crowd_end() {
	[[ -n $CROWD_PID ]] || return 0
	exec {CROWD_IN}>&- {CROWD_OUT}<&-
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || kill "$CROWD_PID" 2>/dev/null || true
	wait "$CROWD_PID" || true
	CROWD_PID=
}
