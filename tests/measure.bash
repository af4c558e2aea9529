# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What a broker costs, and what others feel of it, while somebody makes it hard for them. After lib.bash:
#
#     SANITIZED                   how much slower this build may be; 1: no sanitizer
#     in_background COMMAND..., hush   until then, which teardown() calls
#     times, listen, show         see there
#     honest_begin, honest_end    a pair that publishes and subscribes meanwhile: WORST_MS, P99_US
#     undisturbed MS COMMAND...   that pair never waits longer, whatever the command does
#     memory FIELD                of the broker, in MB
#     deed NAME [NUMBER...]       tools/hostile.py does it; costs NAME MOST: and it costs no more
#     still_serves                a message from one newcomer to another
#
# shellcheck disable=SC2034 # some are for the cases

# A sanitizer makes everything slower, and keeps what is freed for a while.
SANITIZED=1
if grep -qa __asan_init "${MINATS:-$BATS_TEST_DIRNAME/../build/minats}"; then
	SANITIZED=3
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1
fi

# milliseconds since some moment
now_ms() {
	local now=${EPOCHREALTIME/[.,]/}
	echo $((now / 1000))
}

# in_background COMMAND...: until hush, or the end of the case.
in_background() {
	"$@" 3>&- 4>&- &
	BACKGROUND+=($!)
}

hush() {
	local pid
	for pid in "${BACKGROUND[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	BACKGROUND=()
}

# times COUNT FORMAT NAME: to NAME, as many lines, each with its number for %1$d.
times() {
	perl -e 'printf "$ARGV[1]\r\n", $_ for 1 .. $ARGV[0]' "$1" "$2" >&"${FD[$3]}"
}

# Somebody who reads everything and looks at nothing.
listen() {
	in_background cat <&"${FD[$1]}" >/dev/null
}

# What was measured, for who wants to see it.
show() {
	[[ -z ${SHOW_MEASURED:-} ]] || printf '# %s\n' "$*" >&3
}

### The honest pair

# Without the connections of the case: a copy of one would keep it open.
honest() {
	close_all
	exec python3 "$ROOT/tests/tools/honest.py" "$PORT" "$DIR/honest"
}

honest_begin() {
	: >"$DIR/honest"
	in_background honest
	HONEST_PID=$!
	await grep -q up "$DIR/honest"
}

# How long their slowest message took, in WORST_MS, and 99 of 100 at most, in P99_US.
honest_end() {
	local count
	kill -TERM "$HONEST_PID"
	wait "$HONEST_PID" || fail 'the honest pair was not served' || return
	read -r count WORST_MS P99_US < <(tail -n 1 "$DIR/honest")
	((count > 0))
}

# undisturbed MS COMMAND...: the honest pair never waits longer, whatever the command does meanwhile. What else
# runs on the machine makes it wait too, but not each time: of three tries the best one counts.
undisturbed() {
	local limit_ms=$(($1 * SANITIZED)) try
	for try in 1 2 3; do
		honest_begin || return
		"${@:2}" || return
		honest_end || return
		show "try $try: $WORST_MS of $limit_ms ms, p99 $P99_US us"
		((WORST_MS >= limit_ms)) || return 0
	done
	fail "the honest pair waited for $WORST_MS ms, not less than $limit_ms"
}

### What the broker holds

# memory FIELD: VmRSS, or VmHWM, its maximum; in MB.
memory() {
	awk -v field="$1:" '$1 == field { print int($2 / 1024) }' "/proc/$BROKER_PID/status"
}

### Who makes it hard

# deed NAME [NUMBER...]: one of tools/hostile.py's, and what it cost in COST.
deed() {
	local name value
	declare -gA COST=()
	while read -r name value; do
		COST[$name]=$value
		show "$*: $name $value"
	done < <(close_all && exec timeout 120 python3 "$ROOT/tests/tools/hostile.py" "$PORT" "$BROKER_PID" "$@" 3>&- ||
		echo failed "$?")
	[[ -z ${COST[failed]:-} ]] || fail "hostile.py $* ended with ${COST[failed]}"
}

# costs NAME MOST: not more than that. What a machine with other work does to times is allowed for by the bounds
# themselves: they are some five times what is measured on a quiet one.
costs() {
	local most=$2
	[[ $1 != cpu_* ]] || most=$((most * SANITIZED))
	[[ -n ${COST[$1]:-} ]] || fail "$1 was not measured" || return
	((COST[$1] <= most)) || fail "$1 is ${COST[$1]}, more than $most"
}

# The same broker, whatever was done to it, delivers a message from one newcomer to another.
still_serves() {
	join still_listening && join still_speaking || return
	say still_listening 'SUB still.served 1'
	hear_nothing still_listening || return
	say still_speaking 'PUB still.served 3' yes
	hear still_listening 'MSG still.served 1 3' yes || return
	close still_listening && close still_speaking
}
