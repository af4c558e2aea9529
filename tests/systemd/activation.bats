#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The units as they are installed, under a real systemd.
# shellcheck disable=SC2034 # MACHINE_ADDRESS is for lib.bash

load lib.bash

# Every case starts with the socket alone.
teardown() {
	machine_tidy
	[[ -n $MACHINE_OBSTACLE ]] || echo | machine_write /etc/minats/minats.conf
}

# show PROPERTY: of the service.
show() {
	machine systemctl show --value --property "$1" minats.service
}

# in_journal FILTER: is there a record of minats for which this jq filter is true?
in_journal() {
	machine journalctl --sync
	machine journalctl --boot --unit minats.service --output json --no-pager |
		jq --slurp --exit-status "any(.[]; $1)" >/dev/null || fail "no record with: $1"
}

# left: what is still there of it, sockets and processes, one a line.
left() {
	machine ss --no-header --listening --tcp --unix --numeric | grep -E ':4222|:4333|minats' || true
	machine pgrep --list-name --exact minats || true
}

@test "the units are fine with systemd-analyze" {
	run -0 machine systemd-analyze verify /lib/systemd/system/minats.service /lib/systemd/system/minats.socket
	[[ $output != *minats* ]] || fail "$output"
}

@test "the first client starts it, and is answered" {
	[[ $(show ActiveState) == inactive ]]
	machine_talk PING
	[[ $ANSWER =~ ^'INFO {'.*'} '$'\n''PONG'$ ]] || fail "heard «$ANSWER»"
	[[ $(show ActiveState) == active ]]
	[[ $(show User) == minats ]]
	[[ $(machine ps -o user= -p "$(show MainPID)") == minats ]]
}

@test "it hears IPv4 and IPv6" {
	machine_talk PING
	[[ $ANSWER == *'"client_ip":"127.0.0.1"'*PONG ]] || fail "heard «$ANSWER»"
	MACHINE_ADDRESS=(::1 4222)
	machine_talk PING
	[[ $ANSWER == *'"client_ip":"::1"'*PONG ]] || fail "heard «$ANSWER»"
}

@test "a message goes through" {
	machine_talk 'CONNECT {"verbose":false}' 'SUB foo 1' 'PUB foo 2' hi PING
	[[ $ANSWER == INFO*$'\nMSG foo 1 2\nhi\nPONG' ]] || fail "heard «$ANSWER»"
}

@test "systemctl start is done when it is ready, and systemctl status says what it does" {
	machine systemctl start minats.service
	[[ $(show StatusText) == 'Waiting for clients on 0.0.0.0:4222 (from the supervisor)' ]] || fail "status: $(show StatusText)"
	machine_talk PING
	status_counts() {
		[[ $(show StatusText) == *clients*subscriptions*messages/s ]]
	}
	local end=$((SECONDS + LIMIT_S))
	until status_counts; do
		((SECONDS < end)) || fail "status: $(show StatusText)"
		sleep 0.2
	done
	run -0 machine systemctl --no-pager status minats.service
	[[ $output == *'Status: "'* ]]
}

@test "its log is in the journal, with fields" {
	machine_talk 'CONNECT {"name":"fields"}' 'BOGUS'
	[[ $ANSWER == *"-ERR 'Unknown Protocol Operation'" ]] || fail "heard «$ANSWER»"
	in_journal '.MESSAGE == "Server is ready" and .PRIORITY == "6"'
	in_journal '(.MESSAGE | test("Listening.*4222.*supervisor"))'
	in_journal '.NATS_REASON == "Protocol Violation" and .NATS_NAME == "fields" and .PRIORITY == "4" and
		(.NATS_CID | test("^[0-9]+$")) and (.NATS_PEER | test("^127.0.0.1:[0-9]+$"))'
}

@test "systemctl stop leaves nothing" {
	machine_talk PING
	[[ $(left | wc -l) == 2 ]] || fail "there is: $(left)"
	machine systemctl stop minats.socket minats.service
	[[ $(show Result) == success ]]
	[[ $(show ExecMainStatus) == 0 ]]
	[[ -z $(left) ]] || fail "left: $(left)"
	run -1 machine nc -z 127.0.0.1 4222
}

@test "quick restarts close neither the service nor its socket" {
	for _ in {1..8}; do
		machine systemctl restart minats.service
	done
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
}

@test "who is killed comes back" {
	machine_talk PING
	local before
	before=$(show MainPID)
	machine kill -KILL "$before"
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
	[[ $(show MainPID) != "$before" ]]
	[[ $(show NRestarts) == 1 ]]
}

@test "the watchdog ends who hangs" {
	machine systemctl start minats.service
	[[ $(show WatchdogUSec) == 1min ]] || fail "shipped with $(show WatchdogUSec)"
	machine systemctl stop minats.service
	# All as shipped, but for the patience.
	machine_write /etc/systemd/system/minats.service.d/test.conf <<-END
		[Service]
		WatchdogSec=1
	END
	machine systemctl daemon-reload
	machine systemctl start minats.service
	# Longer than the limit: it lives because it is fed.
	sleep 1.5
	[[ $(show NRestarts) == 0 ]]
	local before
	before=$(show MainPID)
	machine kill -STOP "$before"
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
	[[ $(show MainPID) != "$before" ]]
	[[ $(show NRestarts) == 1 ]]
	machine journalctl --sync
	machine journalctl --boot --unit minats.service --output cat | grep -q 'Watchdog timeout'
}

# socket_drop_in TEXT: the one of the man page that has this TEXT. It takes effect as that says.
socket_drop_in() {
	man_block "$1" | machine_write /etc/systemd/system/minats.socket.d/test.conf
	machine systemctl daemon-reload
	machine systemctl restart minats.socket
}

# answers ADDRESS...: as nc wants it.
answers() {
	MACHINE_ADDRESS=("$@")
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "$* answered «$ANSWER»"
}

@test "a drop-in adds a Unix socket" {
	answers 127.0.0.1 4222
	socket_drop_in ListenStream=/run/minats.sock
	answers -U /run/minats.sock
	answers 127.0.0.1 4222
	[[ $(machine stat -c %U:%G:%a /run/minats.sock) == root:users:660 ]]
	# Those of the group may, and nobody else.
	machine setpriv --reuid nobody --regid users --clear-groups nc -N -w 5 -U /run/minats.sock </dev/null | grep -q ^INFO
	run ! machine setpriv --reuid nobody --regid nogroup --clear-groups nc -N -w 5 -U /run/minats.sock
	machine systemctl stop minats.socket minats.service
	[[ -z $(left) ]] || fail "left: $(left)"
}

@test "a drop-in moves it to other addresses" {
	socket_drop_in ListenStream=127.0.0.1:4222
	answers 127.0.0.1 4222
	answers ::1 4222
	machine ip address add 192.0.2.1/32 dev lo
	run -1 machine nc -z 192.0.2.1 4222
	machine ip address del 192.0.2.1/32 dev lo
	# An address that is not there yet.
	socket_drop_in ListenStream=192.0.2.1:4222
	machine ip address add 192.0.2.1/32 dev lo
	answers 192.0.2.1 4222
	run -1 machine nc -z 127.0.0.1 4222
	machine ip address del 192.0.2.1/32 dev lo
}

@test "a drop-in moves it to another port" {
	socket_drop_in ListenStream=4333
	answers 127.0.0.1 4333
	answers ::1 4333
	run -1 machine nc -z 127.0.0.1 4222
}

@test "a line of the configuration ends it when nobody has come for a while" {
	man_block exit_idle_time | sed 's/10m/1s/' | machine_write /etc/minats/minats.conf
	[[ $(machine cat /etc/minats/minats.conf) == *'"1s"' ]]
	answers 127.0.0.1 4222
	ended() {
		[[ $(show ActiveState) == inactive ]]
	}
	local end=$((SECONDS + LIMIT_S))
	until ended; do
		((SECONDS < end)) || fail "it is $(show ActiveState)"
		sleep 0.2
	done
	[[ $(show Result) == success && $(show ExecMainStatus) == 0 ]]
	in_journal '.MESSAGE == "No clients for 1s: not needed any more"'
	answers 127.0.0.1 4222
}

@test "an option that the socket overrules is named in the log" {
	machine_write /etc/systemd/system/minats.service.d/test.conf <<-END
		[Service]
		ExecStart=
		ExecStart=/usr/bin/minats -p 4444
	END
	machine systemctl daemon-reload
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
	in_journal '(.MESSAGE | test("Option --port has no effect")) and .PRIORITY == "4"'
	run -1 machine nc -z 127.0.0.1 4444
}

@test "stopped by way of lame duck mode it waits for its clients" {
	machine_write /etc/systemd/system/minats.service.d/test.conf <<-'END'
		[Service]
		ExecStart=
		ExecStart=/usr/bin/minats --lame_duck_duration 30s --lame_duck_grace_period 1s
		ExecStop=/bin/kill -s USR2 $MAINPID
		TimeoutStopSec=60
	END
	machine systemctl daemon-reload
	machine systemctl start minats.service
	local line in out
	coproc CLIENT { machine nc 127.0.0.1 4222; }
	# bash closes its own ones as soon as the client ends, read or not.
	exec {in}>&"${CLIENT[1]}" {out}<&"${CLIENT[0]}"
	read -r -t "$LIMIT_S" line <&"$out"
	printf 'CONNECT {"verbose":false,"protocol":1}\r\nPING\r\n' >&"$in"
	until [[ $line == PONG* ]]; do
		read -r -t "$LIMIT_S" line <&"$out"
	done
	machine systemctl stop minats.socket minats.service
	until [[ $line == *'"ldm":true'* ]]; do
		read -r -t "$LIMIT_S" line <&"$out"
	done
	in_journal '(.MESSAGE | test("lame duck mode"))'
	[[ $(show Result) == success ]]
}

@test "-s writes to syslog" {
	machine sh -c '
		"$1" -a 127.0.0.1 -p 4333 -s >/root/said 2>&1 & pid=$!
		for try in $(seq 500); do nc -z 127.0.0.1 4333 && break; sleep 0.01; done
		kill -INT $pid; wait $pid' - "$(machine sh -c 'command -v minats')"
	machine_await sh -c 'journalctl -t minats -p info | grep -q "Server Exiting"'
	# With its name, its pid and the facility of daemons, and nowhere else.
	machine sh -c 'journalctl -t minats -o json | grep "Server is ready" | tail -n 1' >"$BATS_TEST_TMPDIR/record"
	[[ $(jq -r .SYSLOG_FACILITY "$BATS_TEST_TMPDIR/record") == 3 ]]
	[[ $(jq -r .SYSLOG_PID "$BATS_TEST_TMPDIR/record") =~ ^[0-9]+$ ]]
	[[ -z $(machine cat /root/said) ]]
}

@test "and so it does behind inetd" {
	[[ -x /usr/sbin/inetd ]] || skip "openbsd-inetd is missing"
	machine_write /root/inetd.conf <<<'127.0.0.1:4333 stream tcp wait nobody /usr/bin/minats minats --inetd --name behind-inetd'
	machine systemd-run --quiet --unit=inetd-test /usr/sbin/inetd -i /root/inetd.conf
	MACHINE_ADDRESS=(127.0.0.1 4333)
	machine_await nc -z 127.0.0.1 4333
	machine_talk PING
	[[ $ANSWER == INFO*behind-inetd*PONG ]] || fail "heard «$ANSWER»"
	machine_await sh -c 'journalctl -t minats | grep -q "Name:     behind-inetd"'
	machine systemctl stop inetd-test.service
	machine_write /root/inetd.conf <<<'127.0.0.1:4444 stream tcp wait nobody /usr/bin/minats minats --inetd --no-such-option'
	machine systemd-run --quiet --unit=inetd-test /usr/sbin/inetd -i /root/inetd.conf
	machine_await nc -z 127.0.0.1 4444
	machine_await sh -c 'journalctl -t minats -p crit | grep -q "unknown option --no-such-option"'
	machine systemctl stop inetd-test.service
}
