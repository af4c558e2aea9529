#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A journal which hangs holds nobody up.
# shellcheck disable=SC2034 # for lib.bash

load lib.bash
load journal.bash

ERRING=5000
# With -D nothing is left out: that each of them came, and why it went; and some lines of the pair that is honest.
LINES_EACH=2
HONEST_LINES=100

begin_loudly() {
	run_with -D </dev/null
}

stop_journal() {
	machine systemctl kill --kill-who=main --signal=STOP "$JOURNAL"
}

continue_journal() {
	machine systemctl kill --kill-who=main --signal=CONT "$JOURNAL"
}

# The clients are ours, in the machine's network. In a shell of its own, which becomes the command; a signal
# reaches it once.
there() {
	exec timeout --foreground 120 nsenter --target "$MACHINE_LEADER" --net -- "$@" 3>&- 4>&-
}

# Another pair of clients, while ERRING clients come, err and are closed; how long its messages took, in P99_US.
measure() {
	local file=$BATS_TEST_TMPDIR/honest count worst end=$((SECONDS + LIMIT_S))
	: >"$file"
	there python3 "$ROOT/tests/tools/honest.py" 4222 "$file" &
	BACKGROUND=$!
	until grep -q up "$file"; do
		((SECONDS < end)) || fail 'the honest pair did not begin' || return
		sleep 0.05
	done
	(there python3 "$ROOT/tests/tools/erring.py" 4222 "$ERRING") || return
	kill -TERM "$BACKGROUND"
	wait "$BACKGROUND" || fail "the honest pair ended with $?" || return
	BACKGROUND=
	read -r count worst P99_US < <(tail -n 1 "$file")
	[[ -z ${SHOW_MEASURED:-} ]] || printf '# %s messages, p99 %s us, worst %s ms\n' "$count" "$P99_US" "$worst" >&3
	((count > 50)) || fail "only $count messages"
}

# How many records the log says were dropped.
dropped() {
	events DROPPED | jq --slurp 'map(.NATS_COUNT | tonumber) | add // 0'
}

# await_sum NUMBER: what is told of so many clients that erred came through or was dropped.
await_sum() {
	local end=$((SECONDS + LIMIT_S)) told=0 most=$((LINES_EACH * $1 + HONEST_LINES))
	until ((told >= LINES_EACH * $1)); do
		((SECONDS < end)) || fail "$told delivered or dropped are not those of $1 clients" || return
		sleep 0.2
		told=$(($(records | jq --compact-output 'select(.NATS_CID)' | wc -l) + $(dropped)))
	done
	((told <= most)) || fail "$told delivered or dropped are more than $most"
}

# A client that errs now is told of.
goes_on() {
	local before end=$((SECONDS + LIMIT_S))
	before=$(events PROTOCOL_VIOLATION | wc -l)
	machine_talk BOGUS
	until (($(events PROTOCOL_VIOLATION | wc -l) > before)); do
		((SECONDS < end)) || fail 'nothing more is told' || return
		sleep 0.2
	done
}

@test "a stopped journal holds nobody up, and afterwards knows how much it has missed" {
	local most_us sum=$ERRING
	begin_loudly
	measure
	most_us=$((2 * P99_US + 5000))
	await_sum "$sum"
	stop_journal
	# What else runs on the machine disturbs as well, but not each time: of three tries the best one counts.
	P99_US=$most_us
	while ((P99_US >= most_us && sum < 4 * ERRING)); do
		measure
		((sum += ERRING))
	done
	((P99_US < most_us)) || fail "p99: $P99_US us, not less than $most_us us"
	continue_journal
	await_sum "$sum"
	(($(dropped) > 0)) || fail 'nothing was dropped: the journal was not stopped'
	is_one "$(events DROPPED | tail -n 1)" '.PRIORITY == "4" and
		(.NATS_COUNT as $count | .MESSAGE | startswith($count + " log records were dropped"))'
	[[ $(explain DROPPED) == *'than the journal took: '[0-9]*' records'* ]] || fail "$(explain DROPPED)"
	goes_on
}

# What was queued for the journal before waits in its socket, which systemd keeps.
@test "a journal that is stopped and then restarted, while clients err, holds nobody up and misses none uncounted" {
	local file=$BATS_TEST_TMPDIR/honest count worst us_before us_after end=$((SECONDS + LIMIT_S))
	begin_loudly
	machine journalctl --sync
	: >"$file"
	there python3 "$ROOT/tests/tools/honest.py" 4222 "$file" &
	BACKGROUND=$!
	until grep -q up "$file"; do
		((SECONDS < end)) || fail 'the honest pair did not begin'
		sleep 0.05
	done
	stop_journal
	# A third comes while it is stopped, a third while it is restarted.
	(there python3 "$ROOT/tests/tools/erring.py" 4222 $((ERRING / 3)))
	(there python3 "$ROOT/tests/tools/erring.py" 4222 $((ERRING - ERRING / 3))) &
	local erring=$!
	us_before=$(machine systemctl show --value --property ExecMainStartTimestampMonotonic "$JOURNAL")
	machine systemctl restart "$JOURNAL"
	us_after=$(machine systemctl show --value --property ExecMainStartTimestampMonotonic "$JOURNAL")
	((us_after > us_before)) || fail 'the journal was not restarted'
	wait "$erring"
	kill -TERM "$BACKGROUND"
	wait "$BACKGROUND" || fail "the honest pair ended with $?"
	BACKGROUND=
	read -r count worst _ < <(tail -n 1 "$file")
	((count > 50 && worst < 1000)) || fail "$count messages, the slowest took $worst ms"
	await_sum "$ERRING"
	(($(dropped) > 0)) || fail 'nothing was dropped: the journal was not stopped'
	goes_on
	[[ $(machine systemctl show --value --property NRestarts "$UNIT") == 0 ]]
}

@test "under a stopped journal the service stops within seconds, and is missed by number" {
	local start took_ms lost usual
	# What a start and a stop tell by themselves.
	begin_loudly
	machine systemctl stop "$UNIT"
	usual=$(records _TRANSPORT=journal | wc -l)
	begin_loudly
	machine journalctl --sync
	stop_journal
	(there python3 "$ROOT/tests/tools/erring.py" 4222 "$ERRING")
	start=${EPOCHREALTIME/./}
	machine systemctl stop minats.socket "$UNIT"
	took_ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	continue_journal
	((took_ms < 10000)) || fail "it took $took_ms ms"
	[[ $(machine systemctl show --value --property Result "$UNIT") == success ]]
	machine_await sh -c "journalctl --sync; journalctl -u $UNIT _TRANSPORT=stdout | grep -q 'log records were dropped'"
	lost=$(machine journalctl -u "$UNIT" -o json _TRANSPORT=stdout | tail -n 1 |
		jq 'select(.PRIORITY == "4") | .MESSAGE | split(" ")[0] | tonumber')
	(($(records _TRANSPORT=journal | wc -l) + lost == usual + LINES_EACH * ERRING)) ||
		fail "$(records _TRANSPORT=journal | wc -l) delivered and $lost lost are not $((usual + LINES_EACH * ERRING))"
}
