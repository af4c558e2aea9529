#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Who is at the other end of a Unix socket, as the journal tells it: two users, each in a unit of its own,
# while the service sees neither their /proc nor the network.

load lib.bash

setup_file() {
	machine_boot
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	machine_write /etc/systemd/system/minats.socket.d/test.conf <<-END
		[Socket]
		ListenStream=/run/minats.sock
		SocketMode=0666
	END
	# Closed clients leave a line each. What hides them from the service is set here as well, lest this test
	# should pass for its being left out of the unit one day.
	machine_write /etc/systemd/system/minats.service.d/test.conf <<-END
		[Service]
		ExecStart=
		ExecStart=/usr/bin/minats -D
		PrivateNetwork=yes
		ProtectProc=invisible
		RestrictAddressFamilies=AF_UNIX
	END
	machine_write /etc/sysusers.d/guests.conf <<-END
		u guest-one 1001
		u guest-two 1002
	END
	machine systemd-sysusers
	machine_write /usr/local/bin/visit <<-'END'
		echo $$
		exec nc -N -U /run/minats.sock < <(printf 'CONNECT {"name":"%s"}\r\nPING\r\n' "$1" && $2)
	END
	machine systemctl daemon-reload
}

# What the cases share is kept.
teardown() {
	machine_rest
	[[ -n $MACHINE_OBSTACLE ]] || start_bus
}

# visit NAME PAUSE COMMAND...: COMMAND makes it a client of this name; it leaves when the command PAUSE has
# ended; its pid in VISITOR.
visit() {
	machine "${@:3}" bash /usr/local/bin/visit "$1" "$2" </dev/null >"$BATS_TEST_TMPDIR/heard" ||
		fail "$1 heard «$(<"$BATS_TEST_TMPDIR/heard")»" || return
	grep -q '^PONG' "$BATS_TEST_TMPDIR/heard" || fail "$1 heard «$(<"$BATS_TEST_TMPDIR/heard")»" || return
	VISITOR=$(head -n 1 "$BATS_TEST_TMPDIR/heard")
}

# visit_from_unit UID UNIT PAUSE: that unit is made for it; the client has its name.
visit_from_unit() {
	visit "$2" "$3" systemd-run --quiet --wait --pipe --collect --uid="$1" --gid=users --unit="$2"
}

# visit_from_nowhere UID NAME
visit_from_nowhere() {
	visit "$2" "sleep 0.2" setpriv --reuid="$1" --regid=users --clear-groups
}

# record NAME: the last record about the last client of that name, in RECORD.
record() {
	local end=$((SECONDS + LIMIT_S))
	until
		machine journalctl --sync
		RECORD=$(machine journalctl --boot --unit minats.service --output json --no-pager "NATS_NAME=$1" | tail -n 1)
		[[ $(field MESSAGE) == *'Client connection closed'* ]]
	do
		((SECONDS < end)) || fail "the last record about $1: $RECORD" || return
		sleep 0.05
	done
}

# field NAME: of RECORD.
field() {
	jq -r ".$1" <<<"$RECORD"
}

# Without a mask the next one who asks for it would start it again.
stop_bus() {
	machine systemctl mask --quiet --runtime dbus.socket dbus.service
	machine systemctl stop dbus.socket dbus.service
}

start_bus() {
	machine systemctl unmask --quiet --runtime dbus.socket dbus.service
	machine systemctl start dbus.socket
}

# introduce UID UNIT: visits until it has stayed long enough for systemd to tell its unit.
introduce() {
	local pause
	for pause in 0.2 1 5; do
		visit_from_unit "$1" "$2" "sleep $pause"
		record "$2"
		[[ $(field NATS_PEER_UNIT) == null ]] || return 0
	done
	fail "no unit: $RECORD"
}

# check_who UID UNIT: RECORD has all that is known but the unit.
check_who() {
	[[ $(field NATS_PEER) == unix ]] || fail "NATS_PEER of $RECORD"
	[[ $(field NATS_PEER_UID) == "$1" ]] || fail "NATS_PEER_UID of $RECORD"
	[[ $(field NATS_PEER_GID) == "$(machine getent group users | cut -d: -f3)" ]] || fail "NATS_PEER_GID of $RECORD"
	[[ $(field NATS_PEER_PID) == "$VISITOR" ]] || fail "NATS_PEER_PID is not $VISITOR in $RECORD"
	[[ $(field MESSAGE) == "unix uid:$1 pid:$VISITOR - cid:"* ]] || fail "MESSAGE of $RECORD"
}

@test "two users, each in a unit of its own, are told apart" {
	introduce 1001 guest-one
	check_who 1001
	[[ $(field NATS_PEER_UNIT) == guest-one.service ]] || fail "$RECORD"
	introduce 1002 'guest@two-2.service'
	check_who 1002
	[[ $(field NATS_PEER_UNIT) == guest@two-2.service ]] || fail "$RECORD"
	# The one before is not mixed up with it.
	record guest-one
	[[ $(field NATS_PEER_UID) == 1001 && $(field NATS_PEER_UNIT) == guest-one.service ]] || fail "$RECORD"
	# So an admin finds all that a unit did.
	[[ $(machine journalctl --quiet --no-pager --output cat NATS_PEER_UNIT=guest-one.service | grep -c cid:) -gt 0 ]]
}

# The process before has asked; the next one could not: the bus is gone by then.
@test "a unit is still known after a restart" {
	local pause before
	machine_write /usr/local/bin/until-told <<-'END'
		#!/bin/sh
		until test -e /run/told; do sleep 0.05; done
	END
	machine chmod +x /usr/local/bin/until-told
	for pause in 0.5 5; do
		machine systemctl start dbus.socket minats.socket
		machine rm -f /run/told
		visit_from_unit 1001 guest-stays until-told &
		local visit=$!
		machine_await sh -c 'journalctl -o cat -u minats NATS_NAME=guest-stays | grep -q connected'
		sleep "$pause"
		before=$(machine systemctl show --value --property MainPID minats.service)
		stop_bus
		machine systemctl restart minats.service
		machine touch /run/told
		# Without a bus systemd-run cannot tell how it ended.
		wait "$visit" || true
		VISITOR=$(head -n 1 "$BATS_TEST_TMPDIR/heard")
		record guest-stays
		start_bus
		[[ $(field NATS_PEER_UNIT) == null ]] || break
	done
	[[ $(field _PID) != "$before" ]] || fail "$RECORD"
	check_who 1001
	[[ $(field NATS_PEER_UNIT) == guest-stays.service ]] || fail "$RECORD"
}

@test "a client that comes by TCP has none of these fields" {
	machine_talk 'CONNECT {"name":"tcp"}' PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
	record tcp
	[[ $(jq -c 'with_entries(select(.key | startswith("NATS_PEER_")))' <<<"$RECORD") == '{}' ]] || fail "$RECORD"
}

@test "without a bus there is no unit, but uid and pid, and nothing hangs" {
	stop_bus
	run -1 machine busctl list
	visit_from_nowhere 1001 guest-three
	record guest-three
	check_who 1001
	[[ $(field NATS_PEER_UNIT) == null ]] || fail "$RECORD"
	visit_from_nowhere 1002 guest-four
	record guest-four
	check_who 1002
	[[ $(machine journalctl --quiet --boot --unit minats.service --no-pager --output cat |
		grep -c 'The units of clients on Unix sockets are not known') == 1 ]]
	# It is back: so are the names.
	start_bus
	introduce 1001 guest-five
	[[ $(field NATS_PEER_UNIT) == guest-five.service ]] || fail "$RECORD"
}
