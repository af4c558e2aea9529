# SPDX-License-Identifier: MIT
#
# Stages of a long run, for .ci/run and .ci/night: each prints its time, and counts.

passed=0 failed=0 skipped=0
LOGS=build/ci
declare -a with_failures=()

# stage NAME COMMAND...: adds what its last line counts, or itself as one case.
stage() {
	local name=$1 start=$SECONDS status=0 log=$LOGS/$1.log before=$failed last
	shift
	mkdir -p "$LOGS"
	printf '=== %s\n' "$name"
	"$@" 2>&1 | tee "$log" || status=$?
	last=$(tail -n 1 "$log")
	if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		((passed += BASH_REMATCH[1], failed += BASH_REMATCH[2], skipped += BASH_REMATCH[3]))
		if ((!BASH_REMATCH[2] && (status || !BASH_REMATCH[1]))); then
			((failed += 1))
			printf '%s failed with %d, or tried nothing\n' "$name" "$status"
		fi
	elif ((status)); then
		((failed += 1))
		printf '%s failed with %d\n' "$name" "$status"
	else
		((passed += 1))
	fi
	((failed == before)) || with_failures+=("$name")
	printf '=== %s: %d s\n' "$name" $((SECONDS - start))
}

# begin NAME COMMAND...: it goes on beside the next stages, which do not measure.
begin() {
	local out=$LOGS/$1.beside
	mkdir -p "$LOGS"
	rm -f "$out".*
	{
		"${@:2}"
		echo $? >"$out.status"
	} >"$out" 2>&1 &
	echo $! >"$out.pid"
}

# outcome NAME: waits for what was begun.
outcome() {
	local out=$LOGS/$1.beside
	tail --pid="$(<"$out.pid")" -n +1 -f "$out"
	return "$(<"$out.status")"
}

# failures_of NAME: the lines of its log that tell of failures; of a long log mostly the end alone is kept.
failures_of() {
	local telling='(^|: )not ok|(^|: )failed:|: failed|failed \(|ERROR'
	printf '=== %s has failed:\n' "$1"
	{ grep -anE -A 12 "$telling" "$LOGS/$1.log" || tail -n 20 "$LOGS/$1.log"; } |
		cut -c 1-300 | head -n 60
}

# sum_up: what failed, and the last line; fails if a stage has, or left something out.
sum_up() {
	local name
	for name in "${with_failures[@]}"; do
		failures_of "$name"
	done
	printf 'in all: %d s\n' "$SECONDS"
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	((!failed && !skipped))
}
