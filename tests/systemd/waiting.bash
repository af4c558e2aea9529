# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Clients that wait for a daemon that does not come, fifty a second: of waiting.bats, failing.bats and refused.bats, which
# take a minute each, so that they are files of their own. After lib.bash.
# shellcheck disable=SC2034 # LIMIT_S is for lib.bash

RATE=50

setup() {
	machine_need
	LIMIT_S=120
	machine systemctl start minats.socket
}

teardown() {
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	[[ -n ${BATS_TEST_COMPLETED:-} || ! -e $BATS_TEST_TMPDIR/hammered ]] || cat "$BATS_TEST_TMPDIR/hammered"
	if [[ -n ${HAMMER_PID:-} ]]; then
		kill "$HAMMER_PID" 2>/dev/null || true
		wait "$HAMMER_PID" || true
	fi
	machine sh -c '[ ! -e /usr/bin/minats.away ] || mv /usr/bin/minats.away /usr/bin/minats'
	machine_tidy
}

show() {
	machine systemctl show --value --property "$1" "${2:-minats.service}"
}

# hammer SECONDS: in the background, as HAMMER_PID.
hammer() {
	HAMMER_SECONDS=$1
	machine_tool hammer.py "$RATE" "$1" 20 127.0.0.1 4222 >"$BATS_TEST_TMPDIR/hammered" 3>&- &
	HAMMER_PID=$!
}

# All have connected, and wait.
hammer_waits() {
	local end=$((SECONDS + HAMMER_SECONDS + 10))
	until [[ -s $BATS_TEST_TMPDIR/hammered ]]; do
		kill -0 "$HAMMER_PID" || fail 'the clients are gone' || return
		((SECONDS < end)) || fail 'the clients take too long' || return
		sleep 0.1
	done
}

# hammer_result: in the associative array COUNT. Nobody was refused, and nobody waits in vain.
hammer_result() {
	local words word
	wait "$HAMMER_PID"
	HAMMER_PID=
	declare -gA COUNT=()
	read -ra words <<<"$(tail -n 1 "$BATS_TEST_TMPDIR/hammered")"
	for word in "${words[@]}"; do
		COUNT[${word%=*}]=${word#*=}
	done
	((COUNT[connects] >= HAMMER_SECONDS * RATE * 9 / 10)) || fail "too few to mean anything: ${words[*]}" || return
	((COUNT[refused] == 0)) || fail "refused: ${words[*]}" || return
	((COUNT[waiting] == 0)) || fail "not served: ${words[*]}" || return
}

# drop_in LINE...: the service gets them.
drop_in() {
	printf '%s\n' '[Service]' "$@" | machine_write /etc/systemd/system/minats.service.d/test.conf
	machine systemctl daemon-reload
}

# while_broken SECONDS MEND...: it cannot start for so long; all clients are served when MEND has been done.
while_broken() {
	hammer "$1"
	hammer_waits
	[[ $(show ActiveState) != active ]] || fail 'it runs' || return
	[[ $(show ActiveState minats.socket) == active ]] || fail "the socket is $(show ActiveState minats.socket)" || return
	# Again and again, but not in a frenzy.
	(($(show NRestarts) >= HAMMER_SECONDS / 4)) || fail "tried only $(show NRestarts) times" || return
	(($(show NRestarts) <= HAMMER_SECONDS + 10)) || fail "tried $(show NRestarts) times" || return
	"${@:2}"
	hammer_result || return
	((COUNT[served] == COUNT[connects])) || fail "served: ${COUNT[served]} of ${COUNT[connects]}" || return
	[[ $(show ActiveState) == active ]]
}

mend() {
	machine rm -r /etc/systemd/system/minats.service.d
	machine systemctl daemon-reload
}
