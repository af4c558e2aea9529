# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A machine whose journal is looked at: for journal.bats and stopped_journal.bats, after lib.bash.
# shellcheck disable=SC2034 # for lib.bash

UNIT=minats.service
JOURNAL=systemd-journald.service

setup_file() {
	machine_boot
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	machine journalctl --update-catalog
}

setup() {
	machine_need
	BACKGROUND=
	machine systemctl start minats.socket
}

teardown() {
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	[[ -z $BACKGROUND ]] || kill "$BACKGROUND" 2>/dev/null || true
	machine systemctl kill --kill-who=main --signal=CONT "$JOURNAL"
	machine_tidy
}

# run_with OPTION...: the service, started anew with these, and with what stands on standard input in [Service].
run_with() {
	{
		printf '[Service]\nExecStart=\nExecStart=/usr/bin/minats %s\n' "$*"
		cat
	} | machine_write "/etc/systemd/system/$UNIT.d/test.conf"
	machine systemctl daemon-reload
	begin
}

# A start whose records can be told from all others: it is INVOCATION.
begin() {
	machine systemctl start "$UNIT"
	INVOCATION=$(machine systemctl show --value --property InvocationID "$UNIT")
}

# id NAME: the MESSAGE_ID of EVENT_NAME.
id() {
	local number
	number=$(sed -nE "s/^#define (LOG_)?EVENT_$1 +\"(.*)\".*/\2/p" "$ROOT/src/server/events.h" "$ROOT/src/os/log.h")
	[[ $number ]] || fail "there is no EVENT_$1" || return
	echo "$number"
}

# records [MATCH...]: those of this start, an object a line.
records() {
	machine journalctl --sync
	machine journalctl --no-pager --all --output json "_SYSTEMD_INVOCATION_ID=$INVOCATION" SYSLOG_IDENTIFIER=minats "$@"
}

# events NAME [MATCH...]: those of this kind.
events() {
	local number
	number=$(id "$1") || return
	records "MESSAGE_ID=$number" "${@:2}"
}

# is RECORDS FILTER: exactly one record, and for it this jq filter is true.
is_one() {
	[[ $(wc -l <<<"$1") == 1 && -n $1 ]] || fail "not one record: $1" || return
	jq --exit-status "$2" >/dev/null <<<"$1" || fail "not so: $2: $1"
}

# explain NAME: how `journalctl -x` explains the last of this kind, without its marks.
explain() {
	machine journalctl --sync
	machine journalctl --no-pager -x -n 1 "_SYSTEMD_INVOCATION_ID=$INVOCATION" "MESSAGE_ID=$(id "$1")" |
		sed -n 's/^░░ \{0,1\}//p'
}
