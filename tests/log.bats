#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The log: who came, who went and why, and what was said where that is asked for.
# shellcheck disable=SC2030,SC2031 # each case is a subshell of its own

load lib.bash

# peer NAME: the address under which the log knows a connection that just got INFO, in PEER as a regex.
peer() {
	PEER="127\\.0\\.0\\.1:[0-9]+ - cid:$(info client_id)"
}

@test "it tells its start and its end" {
	start_broker
	await_log '\[INF\] .*Version: +[0-9]+\.[0-9]+'
	await_log "\\[INF\\] Listening for client connections on 127\\.0\\.0\\.1:$PORT$"
	await_log '\[INF\] Server is ready$'
	log_has "^\\[$BROKER_PID\\] [0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6} \\[INF\\] "
	stop_broker
	log_has '\[INF\] Initiating Shutdown\.\.\.'
	log_has '\[INF\] Server Exiting\.\.'
}

@test "-D tells who came and who went, and why" {
	start_broker -D
	open c
	hear_info c
	peer
	await_log "\\[DBG\\] $PEER - Client connection created"
	close c
	await_log "\\[DBG\\] $PEER - Client connection closed: Client Closed"

	open c
	hear_info c
	peer
	say c 'CONNECT {"verbose":false,"name":"nm","lang":"c","version":"1.0"}' PING
	hear c PONG
	close c
	await_log "\\[DBG\\] $PEER - \"v1\\.0:c:nm\" - Client connection closed: Client Closed"
}

@test "-D gives the reason of each end" {
	start_broker -D --max_payload 100
	local case text reason
	for case in 'BOGUS|Protocol Violation' 'PUB foo 101|Maximum Message Payload Exceeded' 'PUB foo|Protocol Violation' \
		'CONNECT {"verbose":false,"protocol":2}|Bad Client Protocol Version' \
		'CONNECT {"verbose":false,"no_responders":true}|No Responders Requires Headers'; do
		IFS='|' read -r text reason <<<"$case"
		open c
		hear_info c
		peer
		say c "$text"
		close_when_closed c
		await_log "$PEER - .*(Client connection closed|closed): $reason" || fail "  for $text"
	done
}

# Whatever it has to say until its end.
close_when_closed() {
	while read_line "$1" 2>/dev/null; do :; done
	close "$1"
}

@test "without -D ordinary clients leave no lines, those who err do" {
	ours 'errors as warnings'
	start_broker
	open c
	hear_info c
	peer
	hear_nothing c
	close c
	open bad
	hear_info bad
	say bad BOGUS
	hear_refusal bad 'Unknown Protocol Operation'
	await_log 'cid:'
	refute log_has "$PEER"
}

@test "-V traces the conversation" {
	start_broker -V
	open c
	hear_info c
	peer
	say c 'CONNECT {"headers":true,"pass":"secret","auth_token":"secret"}' 'SUB foo q 1' 'PUB foo rep 2' hi PING \
		'SUB foo..bar 2' 'UNSUB 1' PONG
	hear c '+OK' '+OK' '+OK' 'MSG foo 1 rep 2' hi PONG "-ERR 'Invalid Subject'" '+OK'
	local line
	for line in '<<- \[CONNECT \{.*"pass":"\[REDACTED\]".*\}\]' '<<- \[SUB foo q 1\]' '<<- \[PUB foo rep 2\]' \
		'<<- MSG_PAYLOAD: \["hi"\]' '->> \[MSG foo 1 rep 2\]' '->> \[OK\]' '<<- \[PING\]' '->> \[PONG\]' \
		'->> \[-ERR Invalid Subject\]' '<<- \[UNSUB 1\]' '<-> \[DELSUB 1\]' '<<- \[PONG\]'; do
		await_log "\\[TRC\\] $PEER - (\".*\" - )?$line$" || fail "  no line like $line"
	done
	refute log_has secret
	refute log_has '\[DBG\]'
}

@test "-DV is both" {
	start_broker -DV
	join c
	await_log '\[DBG\].*Client connection created'
	await_log '\[TRC\].*<<- \[PING\]'
}

@test "--max_traced_msg_len cuts payloads in the trace" {
	start_broker -V --max_traced_msg_len 4
	join c
	say c 'PUB foo 10' 1234567890 'PUB foo 3' 123 PING
	hear c PONG
	await_log 'MSG_PAYLOAD: \["1234\.\.\."\]'
	await_log 'MSG_PAYLOAD: \["123"\]'
}

@test "-l writes to a file of mode 640, and nothing to stderr" {
	umask 022
	start_broker -l "$DIR/file.log"
	join c
	stop_broker
	[[ $(stat -c %a "$DIR/file.log") == 640 ]]
	[[ ! -s $LOG ]]
	LOG=$DIR/file.log
	log_has 'Server is ready'
	log_has 'Server Exiting'
}

@test "-T=false leaves the time out, --logtime_utc makes it universal" {
	start_broker -T=false
	await_log "^\\[$BROKER_PID\\] \\[INF\\] Server is ready$"
	stop_broker
	: >"$LOG"
	TZ=UTC-13 start_broker --logtime_utc
	local hour
	hour=$(date -u +'%Y/%m/%d %H')
	await_log '\[INF\] Server is ready'
	log_has "^\\[$BROKER_PID\\] $hour:" || log_has "^\\[$BROKER_PID\\] $(date -u +'%Y/%m/%d %H'):"
}

@test "text from a client cannot forge a line or command a terminal" {
	differs log-escapes
	start_broker -DV
	open c
	hear_info c
	say_raw c 'CONNECT {"name":"a\\n[1] 2026/01/01 00:00:00.000000 [FTL] forged"}\r\nPUB foo 8\r\na\n[FTL] \r\n'
	say_raw c 'SUB \x1b[31mfoo 1\r\n'
	hear c '+OK' '+OK' '+OK'
	stop_broker
	refute log_has '^\[FTL\]'
	refute log_has '^\[1\]'
	refute grep -q $'\x1b' "$LOG"
}
