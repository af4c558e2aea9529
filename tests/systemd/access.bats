#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Users by systemd's word, and secrets out of its credentials: of the service as it is shipped.
# shellcheck disable=SC2016,SC2030,SC2031 # for the shells of the machine; of bats cases

load lib.bash

SECRET=sesame-4711-open

setup_file() {
	machine_boot
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	machine_write /etc/systemd/system/minats.socket.d/test.conf <<-END
		[Socket]
		ListenStream=/run/minats.sock
		SocketMode=0666
	END
	machine_write /etc/minats/token <<<"$SECRET"
	machine chmod 600 /etc/minats/token
	machine_write /etc/systemd/system/minats.service.d/test.conf <<-END
		[Service]
		ExecStart=
		ExecStart=/usr/bin/minats -c /etc/minats/minats.conf -DV
		LoadCredential=joes_password:/etc/minats/token
	END
	machine_write /etc/minats/minats.conf <<-'END'
		authorization {
			users = [
				{user: trusted, peer_unit: "trusted.service"}
				{user: joe, password: $joes_password}
			]
		}
	END
	machine_write /usr/local/bin/visit <<-'END'
		exec nc -N -U /run/minats.sock < <(printf 'CONNECT {"verbose":false%s}\r\nPING\r\n' "$1"; sleep "$2")
	END
	machine systemctl daemon-reload
	machine systemd-tmpfiles --create minats.conf
}

# What the cases share is kept.
teardown() {
	machine_rest
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	machine systemctl unmask --quiet --runtime dbus.socket dbus.service
	machine systemctl start dbus.socket
}

# visit_from UNIT [FIELDS [SECONDS]]: what a client in that unit hears, in HEARD.
visit_from() {
	machine systemd-run --quiet --wait --pipe --collect --unit="$1" bash /usr/local/bin/visit "${2:-}" "${3:-0.5}" \
		</dev/null >"$BATS_TEST_TMPDIR/heard.$1" || true
	HEARD=$(tr -d '\r' <"$BATS_TEST_TMPDIR/heard.$1" | grep -v '^INFO')
}

@test "a unit is let in by its name, and no other" {
	visit_from trusted
	[[ $HEARD == PONG ]] || fail "heard «$HEARD»"
	visit_from other
	[[ $HEARD == "-ERR 'Authorization Violation'" ]] || fail "heard «$HEARD»"
	visit_from trusted-2
	[[ $HEARD == "-ERR 'Authorization Violation'" ]] || fail "heard «$HEARD»"
	visit_from other ',"user":"trusted"'
	[[ $HEARD == "-ERR 'Authorization Violation'" ]] || fail "heard «$HEARD»"
}

# How many have been let in.
admitted() {
	machine sh -c 'journalctl --boot -o cat -u minats.service | grep -c "Client connected"' || true
}

# more_admitted COUNT
more_admitted() {
	(($(admitted) > $1))
}

# Who is not let in yet would have to come again.
@test "it stays over a restart" {
	local before visit
	before=$(admitted)
	visit_from trusted '' 4 &
	visit=$!
	until more_admitted "$before"; do
		kill -0 "$visit" || fail 'the visit is over'
		sleep 0.1
	done
	machine systemctl restart minats.service
	wait "$visit"
	# The PING of the broker comes some two seconds after CONNECT, from the second process.
	HEARD=$(tr -d '\r' <"$BATS_TEST_TMPDIR/heard.trusted" | grep -v '^INFO')
	[[ $HEARD == $'PONG\nPING' ]] || fail "heard «$HEARD»"
}

@test "where nobody can tell the unit it is nobody's" {
	machine systemctl mask --quiet --runtime dbus.socket dbus.service
	machine systemctl stop dbus.socket dbus.service
	machine systemctl start minats.service
	HEARD=$(machine bash /usr/local/bin/visit '' 0.5 </dev/null | tr -d '\r' | grep -v '^INFO') || true
	[[ $HEARD == "-ERR 'Authorization Violation'" ]] || fail "heard «$HEARD»"
}

@test "a password may be a credential of systemd's, and nobody sees it" {
	visit_from other ",\"user\":\"joe\",\"pass\":\"$SECRET\""
	[[ $HEARD == PONG ]] || fail "heard «$HEARD»"
	visit_from other ',"user":"joe","pass":"other"'
	[[ $HEARD == "-ERR 'Authorization Violation'" ]] || fail "heard «$HEARD»"
	machine systemctl reload minats.service
	machine systemctl restart minats.service
	machine journalctl --sync
	run -0 machine journalctl --boot --unit minats.service --output export --no-pager
	[[ $output == *'REDACTED'* && $output != *"$SECRET"* ]]
	run -1 machine sh -c 'cat /proc/$(systemctl show --value --property MainPID minats.service)/environ | tr "\0" "\n" | grep -a sesame'
	run -1 machine sh -c 'cat /proc/$(systemctl show --value --property MainPID minats.service)/cmdline | tr "\0" "\n" | grep -a sesame'
}

@test "a password is compared with its hash here, too" {
	perl -e 'print "authorization { users = [{user: joe, password: \"", crypt("sesame", q{$2b$04$abcdefghijklmnopqrstuu}), "\"}] }\n"' |
		machine_write /etc/minats/minats.conf
	machine systemctl start minats.service
	visit_from other ',"user":"joe","pass":"sesame"'
	[[ $HEARD == PONG ]] || fail "heard «$HEARD»"
}
