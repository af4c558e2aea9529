# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For cases in which the broker is restarted under its clients. A .bats file loads it beside its lib.bash.
#
#     supervise [OPTION...] -- COMMAND...  tests/tools/supervisor.py with these
#     ask COMMAND...            one of its commands, its answer in ANSWER
#     expect REGEX COMMAND...   the answer must match
#     supervisor_end            from teardown(): it stops what it has started
#
#     crowd_start COMMAND...    a COMMAND that becomes tests/handover/crowd.c, until it is up
#     crowd_mark                waits until messages were delivered since the last mark; what it answers in MARK
#     crowd_stop                the end of it, which must be ok; its totals in TOTALS
#     crowd_end                 from teardown()
#
# shellcheck disable=SC2034 # ANSWER, MARK and TOTALS are for the cases.

HANDOVER_LIMIT_S=${HANDOVER_LIMIT_S:-60}
SUPERVISOR_PID=
CROWD_PID=

# start_talking NAME COMMAND...: in the background, with pipes: NAME_PID, NAME_IN, NAME_OUT.
start_talking() {
	local name=$1 pipes=$BATS_TEST_TMPDIR/$1
	local -n pid=${1}_PID in=${1}_IN out=${1}_OUT
	shift
	mkdir -p "$pipes"
	mkfifo "$pipes/in" "$pipes/out"
	"$@" <"$pipes/in" >"$pipes/out" 3>&- 4>&- &
	pid=$!
	# What it does not read any more must not be the end of the case.
	trap '' PIPE
	exec {in}>"$pipes/in" {out}<"$pipes/out"
	rm -r "$pipes"
}

# tell NAME LINE: who is not there any more is missed by heard.
tell() {
	local -n in=${1}_IN
	{ echo "$2" >&"$in"; } 2>/dev/null || true
}

# heard NAME: the next line, in LINE.
heard() {
	local -n out=${1}_OUT
	LINE=
	read -r -t "$HANDOVER_LIMIT_S" -u "$out" LINE || fail "$1 does not answer"
}

# end_talking NAME: the end of the input is the end of both.
end_talking() {
	local -n pid=${1}_PID in=${1}_IN out=${1}_OUT
	[[ -n $pid ]] || return 0
	exec {in}>&- {out}<&-
	[[ -n ${BATS_TEST_COMPLETED:-} ]] || kill "$pid" 2>/dev/null || true
	wait "$pid" || true
	pid=
}

supervise() {
	start_talking SUPERVISOR "$ROOT/tests/tools/supervisor.py" "$@"
}

ask() {
	tell SUPERVISOR "$*"
	heard SUPERVISOR || return
	ANSWER=$LINE
}

expect() {
	ask "${@:2}" || return
	[[ $ANSWER =~ $1 ]] || fail "the supervisor answered «$ANSWER» to ${*:2}"
}

supervisor_end() {
	end_talking SUPERVISOR
}

crowd_start() {
	start_talking CROWD "$@"
	heard CROWD || return
	[[ $LINE == up ]] || fail "the crowd: $LINE"
}

crowd_mark() {
	local end=$((SECONDS + HANDOVER_LIMIT_S))
	while
		tell CROWD mark
		heard CROWD || return
		[[ $LINE == delivered* ]] || fail "the crowd: $LINE" || return
		[[ $LINE == 'delivered 0' || $LINE == 'delivered 0 '* ]]
	do
		((SECONDS < end)) || fail "nothing was delivered for $HANDOVER_LIMIT_S s" || return
		sleep 0.02
	done
	MARK=$LINE
}

crowd_stop() {
	tell CROWD stop
	heard CROWD || return
	[[ $LINE == 'ok '* ]] || fail "the crowd: $LINE" || return
	TOTALS=$LINE
	wait "$CROWD_PID" || fail "the crowd ended with $?"
}

crowd_end() {
	end_talking CROWD
}
