#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A secret is known to the broker and to nobody who looks at it from outside: not in its arguments, nor in its log,
# nor in what the next process gets. tests/dumps.bats has core dumps.

load lib.bash

# No other bytes of a test look like these.
SECRET=sesame-4711-open

teardown() {
	# shellcheck disable=SC2034 # lib_teardown's
	PORT=
	lib_teardown
}

# knows FILE: the secret stands in there, as it is.
knows() {
	grep -qaF "$SECRET" "$1"
}

@test "the arguments do not show it, and the options are as they were" {
	ours 'arguments that are overwritten'
	local way
	for way in "--pass $SECRET" "--pass=$SECRET" "-pass $SECRET"; do
		# shellcheck disable=SC2086 # two words
		start_broker --user joe $way -D
		refute knows "/proc/$BROKER_PID/cmdline"
		tr '\0' ' ' <"/proc/$BROKER_PID/cmdline" | grep -q -- '--user joe -*pass'
		tr '\0' ' ' <"/proc/$BROKER_PID/cmdline" | grep -q -- '-D'
		knock one "\"user\":\"joe\",\"pass\":\"$SECRET\""
		hear one PONG
		close one
		stop_broker
	done
	start_broker --auth "$SECRET"
	refute knows "/proc/$BROKER_PID/cmdline"
	knock one "\"auth_token\":\"$SECRET\""
	hear one PONG
}

@test "not even while the first client is let in" {
	ours 'arguments that are overwritten'
	start_broker --auth "$SECRET"
	open one
	refute knows "/proc/$BROKER_PID/cmdline"
	hear_info one
}

@test "the log has it neither from the options nor from a client, whatever is traced" {
	start_broker -DV --user joe --pass "$SECRET"
	knock one "\"user\":\"joe\",\"pass\":\"$SECRET\""
	hear one PONG
	knock two "\"user\":\"joe\",\"pass\":\"$SECRET-wrong\""
	hear_refusal two 'Authorization Violation'
	knock three "\"auth_token\":\"$SECRET\",\"nkey\":\"$SECRET\",\"sig\":\"$SECRET\",\"jwt\":\"$SECRET\""
	hear_refusal three 'Authorization Violation'
	open four
	hear_info four
	say four "CONNECT {\"user\":\"joe\",\"pass\":\"$SECRET\""
	hear_closed four
	await_log 'CONNECT .*REDACTED'
	stop_broker
	refute knows "$LOG"
}

@test "an option that is refused does not tell it" {
	ours 'options that are refused'
	refuses --user -- -p -1 --pass "$SECRET" --user joe --auth "$SECRET"
	refute knows "$DIR/stderr"
	# shellcheck disable=SC2016 # the beginning of a hash
	refuses bcrypt -- -a 127.0.0.1 -p -1 --user joe --pass '$2b$11$'"$SECRET"
	refute knows "$DIR/stderr"
}

keeps_its_users() {
	knock one "\"user\":\"joe\",\"pass\":\"$SECRET\""
	hear one PONG
	say one 'SUB a 1' PING
	hear one PONG
	open waiting
	hear_info waiting
	# hand_over takes this one.
	knock fence "\"user\":\"joe\",\"pass\":\"$SECRET\""
	hear fence PONG
	hand_over
	refute knows "/proc/$BROKER_PID/cmdline"
	say one 'PUB a 2' hi
	hear one 'MSG a 1 2' hi
	say waiting "CONNECT {\"verbose\":false,\"user\":\"joe\",\"pass\":\"$SECRET\"}" PING
	hear waiting PONG
	knock new "\"user\":\"joe\",\"pass\":\"$SECRET\""
	hear new PONG
	knock wrong '"user":"joe","pass":"wrong"'
	hear_refusal wrong 'Authorization Violation'
	# What is checked of a living broker takes a CONNECT that is accepted.
	close_all
	# shellcheck disable=SC2034 # check_alive's
	PORT=
}

@test "users stay over a hand-over, and the next process hides its arguments as well" {
	ours 'the hand-over'
	both keeps_its_users --user joe --pass "$SECRET"
	refute knows "$LOG"
}

@test "what is handed over does not have it" {
	ours 'the hand-over'
	start_supervised 127.0.0.1:0 -- "$MINATS" -DV --user joe --pass "$SECRET"
	local at pid=$BROKER_PID
	for ((at = 0; at < 5; at++)); do
		knock "in$at" "\"user\":\"joe\",\"pass\":\"$SECRET\",\"name\":\"known\""
		hear "in$at" PONG
	done
	# One in the middle of a CONNECT, one before its second.
	open half
	hear_info half
	say_raw half "CONNECT {\"user\":\"joe\",\"pass\":\"$SECRET\""
	say_raw in0 "CONNECT {\"user\":\"joe\",\"pass\":\"$SECRET\""
	hear_nothing in1
	supervise park
	supervise find parcel known
	[[ $ANSWER == '4 '* ]]
	supervise find parcel "$SECRET"
	[[ $ANSWER == '0 '* ]]
	supervise start
	((BROKER_PID != pid))
	hear_closed half
	hear_closed in0
	for ((at = 1; at < 5; at++)); do
		hear_nothing "in$at"
	done
	stop_broker
	refute knows "$LOG"
}
