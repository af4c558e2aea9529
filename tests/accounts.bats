#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Accounts: spaces of subjects that hear nothing of each other.
# shellcheck disable=SC2034 # what is for lib.bash

load lib.bash

setup() {
	lib_setup
	cat >"$DIR/accounts.conf" <<'END'
accounts {
	A { users = [{user: ann, password: sesame}, {user: alf, password: sesame}] }
	B { users = [{user: bob, password: sesame}] }
}
no_auth_user: bob
END
}

# enter NAME [USER [FIELDS]]
enter() {
	join "$1" "${2:+\"user\":\"$2\",\"pass\":\"sesame\"}${3:+,$3}"
}

@test "the same subject is another one in another account" {
	start_broker -c "$DIR/accounts.conf"
	enter ann ann
	enter alf alf
	enter bob bob
	say ann 'SUB news.> 1' PING
	hear ann PONG
	say bob 'SUB news.* 1' 'SUB > 2' PING
	hear bob PONG
	say alf 'PUB news.a 5' for-A PING
	hear alf PONG
	hear ann 'MSG news.a 1 5' for-A
	hear_nothing bob
	say bob 'PUB news.a 5' for-B
	read_line bob
	first=$LINE
	hear bob for-B
	read_line bob
	[[ $(printf '%s\n' "$first" "$LINE" | sort | tr '\n' ,) == 'MSG news.a 1 5,MSG news.a 2 5,' ]]
	hear bob for-B
	hear_nothing ann
}

@test "a queue group of the same name is another one, too" {
	start_broker -c "$DIR/accounts.conf"
	enter ann ann
	enter bob bob
	enter alf alf
	say ann 'SUB work team 1' PING
	hear ann PONG
	say bob 'SUB work team 1' PING
	hear bob PONG
	local at
	for ((at = 0; at < 20; at++)); do
		say alf 'PUB work 1' x
	done
	for ((at = 0; at < 20; at++)); do
		hear ann 'MSG work 1 1' x
	done
	hear_nothing bob
}

@test "who listens elsewhere is no responder" {
	start_broker -c "$DIR/accounts.conf"
	enter ann ann '"headers":true,"no_responders":true'
	enter bob bob
	say bob 'SUB ask 1' PING
	hear bob PONG
	say ann 'SUB in 1' 'PUB ask in 0' ''
	hear_like ann '^HMSG in 1 [0-9]+ [0-9]+$'
	hear ann 'NATS/1.0 503'
	hear_nothing bob
}

@test "the account stands in the INFO after the first PING" {
	start_broker -c "$DIR/accounts.conf"
	open ann
	hear_info ann
	say ann 'CONNECT {"verbose":false,"protocol":1,"user":"ann","pass":"sesame"}' PING
	hear ann PONG
	hear_info ann
	[[ $(info remote_account) == '"A"' ]]
}

@test "who comes without credentials is in the account of no_auth_user" {
	start_broker -c "$DIR/accounts.conf"
	enter bob bob
	enter ann ann
	enter nobody
	say bob 'SUB a 1' PING
	hear bob PONG
	say ann 'SUB a 1' PING
	hear ann PONG
	say nobody 'PUB a 2' hi PING
	hear nobody PONG
	hear bob 'MSG a 1 2' hi
	hear_nothing ann
}

@test "a second CONNECT into another account leaves nothing behind" {
	start_broker -c "$DIR/accounts.conf"
	enter one ann
	enter ann ann
	enter bob bob
	say one 'SUB a 1' PING
	hear one PONG
	say one 'CONNECT {"user":"bob","pass":"sesame"}' PING
	hear one PONG
	say one 'SUB b 2' PING
	hear one PONG
	say ann 'PUB a 1' x 'PUB b 1' x PING
	hear ann PONG
	say bob 'PUB a 1' x 'PUB b 2' hi PING
	hear bob PONG
	hear one 'MSG b 2 2' hi
	hear_nothing one
}

stay_apart() {
	enter ann ann
	enter alf alf
	enter bob bob
	say ann 'SUB > 1' PING
	hear ann PONG
	say bob 'SUB > 1' 'SUB work team 2' PING
	hear bob PONG
	hand_over
	say alf 'PUB work 2' hi PING
	hear alf PONG
	hear ann 'MSG work 1 2' hi
	hear_nothing bob
	enter new bob
	say new 'PUB only 2' ho PING
	hear new PONG
	hear bob 'MSG only 1 2' ho
	hear_nothing ann
}

# They go a slice a turn, so that nobody else waits for it.
@test "who leaves many subscriptions behind is answered as soon as they are gone" {
	local start
	start_broker -c "$DIR/accounts.conf"
	enter ann ann
	perl -e 'printf "SUB many.%d %d\r\n", $_, $_ for 1 .. 3000' >&"${FD[ann]}"
	hear_nothing ann
	# Nothing else is to wake the broker then.
	pause 2.5
	start=${EPOCHREALTIME/[.,]/}
	say ann 'CONNECT {"verbose":false,"user":"bob","pass":"sesame"}' PING
	hear ann PONG
	((${EPOCHREALTIME/[.,]/} - start < 1000000)) || fail 'it took long'
}

@test "they stay apart over a hand-over" {
	ours 'the hand-over'
	both stay_apart -c "$DIR/accounts.conf"
}

@test "what happens in all of them is counted" {
	ours 'the hand-over'
	WAY='exec'
	start_broker -c "$DIR/accounts.conf"
	enter ann ann
	enter bob bob
	say ann 'SUB a 1' 'SUB b 2' PING
	hear ann PONG
	say bob 'SUB a 1' PING
	hear bob PONG
	hand_over
	await_log 'Took over 3 connections and 3 subscriptions'
}
