#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The sandbox of minats.service: how tight it is, what works in it, and what it says where it is in the way.
# shellcheck disable=SC2034 # MACHINE_ADDRESS is for lib.bash

load lib.bash

UNITS=/etc/systemd/system

teardown() {
	machine_tidy
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	machine systemctl stop bare.service other.service 2>/dev/null || true
	machine rm -rf $UNITS/bare.service $UNITS/bare.service.d $UNITS/other.service /run/probe.py
	machine systemctl daemon-reload
	machine systemctl reset-failed
}

show() {
	machine systemctl show --value --property "$1" "${2:-minats.service}"
}

# drop_in UNIT: standard input.
drop_in() {
	machine_write "$UNITS/$1.d/$2.conf"
	machine systemctl daemon-reload
}

# said UNIT: what its last process told the journal. By its pid: who has ended already when journald looks it up
# is in no unit any more.
said() {
	machine journalctl --sync
	machine journalctl --boot --output cat --no-pager "_PID=$(show ExecMainPID "$1")"
}

# bare LINE...: bare.service, the shipped one without its socket, with these LINEs.
bare() {
	machine sed -e '/minats.socket/d' -e 's/^RuntimeDirectory=.*/RuntimeDirectory=bare/' -e 's/^Restart=.*/Restart=no/' \
		/lib/systemd/system/minats.service | machine_write $UNITS/bare.service
	printf '%s\n' '[Service]' "$@" | drop_in bare.service test
}

# bare_refused WORD...: it does not start, and says them, each in one line.
bare_refused() {
	local text word
	run ! machine systemctl start bare.service
	[[ $(show ExecMainStatus bare.service) == 1 ]] || fail "it ended with $(show ExecMainStatus bare.service)" || return
	text=$(said bare.service)
	for word in 'sandbox' 'systemctl edit minats.socket' "$@"; do
		grep -qF -- "$word" <<<"$text" || fail "no $word in: $text" || return
	done
}

@test "its exposure is 0.4 at most" {
	machine systemd-analyze security --no-pager --offline=yes --threshold=4 /lib/systemd/system/minats.service
	machine systemd-analyze security --no-pager --threshold=4 minats.service
	# So that the gate is one: it closes.
	printf '%s\n' '[Service]' ProtectProc=default | drop_in minats.service test
	run ! machine systemd-analyze security --no-pager --threshold=4 minats.service
}

@test "what it does without has no place in the log of a start" {
	machine systemctl start minats.service
	run -0 machine journalctl --boot --unit minats.service --unit minats.socket --output cat --no-pager
	[[ ! $output =~ [Ii]gnor|[Uu]nknown|not\ support|BPF ]] || fail "$output"
}

@test "the drop-in that opens the network: 1.2 at most, and a way out" {
	machine systemd-run --quiet --unit=other /usr/bin/minats -a 127.0.0.1 -p 4333
	machine_await nc -z 127.0.0.1 4333
	printf '%s\n' '[Service]' 'ExecStartPre=/bin/nc -z 127.0.0.1 4333' Restart=no | drop_in minats.service dials
	run ! machine systemctl start minats.service
	man_block PrivateNetwork=no | drop_in minats.service network
	machine systemctl start minats.service
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "heard «$ANSWER»"
	machine rm $UNITS/minats.service.d/dials.conf
	machine systemctl daemon-reload
	machine systemd-analyze security --no-pager --threshold=12 minats.service
	run ! machine systemd-analyze security --no-pager --threshold=4 minats.service
}

@test "the drop-in for an idle thread: 0.5 at most, and it is one" {
	local pid
	man_block sched_setscheduler | drop_in minats.service hashes
	machine systemd-analyze security --no-pager --threshold=5 minats.service
	# shellcheck disable=SC2016 # bcrypt's, of sesame
	echo 'authorization { user: joe, password: "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW" }' |
		machine_write /etc/minats/minats.conf
	machine systemctl start minats.service
	printf 'CONNECT {"user":"joe","pass":"wrong"}\r\n' | machine timeout 5 nc -C -q 2 127.0.0.1 4222 >/dev/null || true
	pid=$(machine systemctl show -P MainPID minats.service)
	machine ps -L -o cls= -p "$pid" | grep -q IDL
	machine rm "$UNITS/minats.service.d/hashes.conf"
	echo | machine_write /etc/minats/minats.conf
}

@test "the drop-in for a log file" {
	man_block LogsDirectory= | drop_in minats.service log
	man_block log_file | machine_write /etc/minats/minats.conf
	machine systemctl start minats.service
	machine_await grep -q 'Server is ready' /var/log/minats/minats.log
	machine rm -r /var/log/minats
	echo | machine_write /etc/minats/minats.conf
}

# By a probe that runs where the daemon does, and as it does.
@test "what the daemon needs works in it, and little else" {
	machine_write /run/probe.py <<-'END'
		import array, fcntl, os, resource, socket, subprocess, sys

		def works(what, call):
		    try:
		        good = call()
		    except OSError as error:
		        good = error
		    if good is not True:
		        sys.exit(f"{what}: {good}")

		def fails(what, call):
		    try:
		        call()
		    except OSError:
		        return
		    sys.exit(f"{what} is possible")

		def parcel():
		    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    memory = os.memfd_create("probe", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
		    os.write(memory, b"state")
		    fcntl.fcntl(memory, 1033, 15)
		    socket.send_fds(ours, [b"record"], [memory])
		    text, fds, _, _ = socket.recv_fds(theirs, 100, 1)
		    return text == b"record" and os.pread(fds[0], 9, 0) == b"state"

		def peer():
		    ours, theirs = socket.socketpair()
		    creds = array.array("i", ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
		    cookie = ours.getsockopt(socket.SOL_SOCKET, 57, 8)
		    return creds[0] == os.getpid() and creds[1] == os.getuid() != 0 and any(cookie)

		def unit_of_peer():
		    # Somebody else's pid, whom /proc does not show.
		    said = subprocess.run(["busctl", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
		        "org.freedesktop.systemd1.Manager", "GetUnitByPID", "u", os.environ["OTHER"]], capture_output=True, text=True)
		    return "other_2eservice" in said.stdout or said

		def signal():
		    child = subprocess.Popen(["sleep", "60"])
		    said = subprocess.run(["/usr/bin/minats", "--signal", f"term={child.pid}"], capture_output=True, text=True)
		    return child.wait() == -15 or said

		def writes(path):
		    with open(path, "w") as file:
		        file.write("probe")
		    return True

		works("a parcel", parcel)
		works("the peer of a socket", peer)
		works("the unit of a peer", unit_of_peer)
		works("its own binary", lambda: subprocess.run(["/usr/bin/minats", "-v"]).returncode == 0)
		works("a signal", signal)
		works("its directory", lambda: writes("/run/minats/probe"))
		soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
		works("many clients", lambda: soft == hard)
		for family in socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET:
		    fails(f"a socket of {family}", lambda: socket.socket(family, socket.SOCK_DGRAM))
		for path in "/run", "/usr", "/etc", "/var", "/var/log", "/sys/kernel":
		    fails(f"writing to {path}", lambda: writes(path + "/probe"))
		fails("a look at others", lambda: os.stat("/proc/" + os.environ["OTHER"]))
		fails("a look at the kernel", lambda: os.stat("/proc/cpuinfo"))
		fails("a look at homes", lambda: os.listdir("/root"))
		fails("another user", lambda: os.setuid(1))
		fails("another priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, 1))
		fails("a disk", lambda: os.mknod("/run/minats/disk", 0o60600, 2049))
	END
	machine systemd-run --quiet --unit=other sleep 60
	printf '%s\n' '[Service]' "Environment=OTHER=$(show MainPID other.service)" \
		'ExecStartPre=/usr/bin/python3 /run/probe.py' Restart=no | drop_in minats.service probe
	machine systemctl start minats.service ||
		fail "$(machine journalctl --boot --unit minats.service --lines 20 --output cat --no-pager)"
	[[ $(machine stat -c %U:%a /run/minats) == minats:755 ]]
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "heard «$ANSWER»"
	machine systemctl stop minats.socket minats.service
	run -1 machine test -e /run/minats
}

@test "a socket of its own is refused, with the words for the socket unit; they can be pasted" {
	bare ExecStart= 'ExecStart=/usr/bin/minats -a 127.0.0.1 -p 4333'
	bare_refused 'option --addr and --port: cannot' 'ListenStream=127.0.0.1:4333'
	said bare.service | sed -n '/^\[Socket\]/,/^ListenStream=./p' >"$BATS_TEST_TMPDIR/words"
	[[ $(<"$BATS_TEST_TMPDIR/words") == $'[Socket]\nListenStream=\nListenStream=127.0.0.1:4333' ]] ||
		fail "$(<"$BATS_TEST_TMPDIR/words")"
	drop_in minats.socket pasted <"$BATS_TEST_TMPDIR/words"
	machine systemctl restart minats.socket
	MACHINE_ADDRESS=(127.0.0.1 4333)
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "heard «$ANSWER»"
}

@test "the words are about all that it was to listen on" {
	bare ExecStart= 'ExecStart=/usr/bin/minats'
	bare_refused ListenStream=4222
	bare ExecStart= 'ExecStart=/usr/bin/minats --listen unix:/run/bare.sock'
	bare_refused 'option --listen: cannot' ListenStream=/run/bare.sock
	bare ExecStart= \
		'ExecStart=/usr/bin/minats --listen [::1]:4333 --listen 4444 --listen localhost:4555 --listen unix:/run/bare.sock'
	bare_refused 'ListenStream=[::1]:4333' ListenStream=4444 ListenStream=/run/bare.sock
	# A name would not do in a socket unit.
	said bare.service | grep -qE '^ListenStream=(127\.0\.0\.1|\[::1\]):4555$'
}

@test "a network that nobody else is in is refused, with the same words" {
	bare 'RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK' ExecStart= 'ExecStart=/usr/bin/minats -p 4333'
	bare_refused PrivateNetwork=yes ListenStream=4333
	# Where netlink is not allowed nobody says what interfaces there are.
	bare 'RestrictAddressFamilies=AF_INET AF_INET6' ExecStart= 'ExecStart=/usr/bin/minats -p 4333'
	bare_refused PrivateNetwork=yes ListenStream=4333
	# An address of the machine's does not even exist there.
	machine ip address add 192.0.2.1/32 dev lo
	bare 'RestrictAddressFamilies=AF_INET AF_INET6' ExecStart= 'ExecStart=/usr/bin/minats -a 192.0.2.1'
	bare_refused '192.0.2.1' ListenStream=192.0.2.1:4222
	machine ip address del 192.0.2.1/32 dev lo
}

@test "a private network that is shared is listened on, and so is a Unix socket" {
	machine_write $UNITS/other.service <<-END
		[Service]
		PrivateNetwork=yes
		ExecStart=/bin/sleep infinity
	END
	bare 'RestrictAddressFamilies=AF_INET AF_INET6' ExecStart= 'ExecStart=/usr/bin/minats -p 4333' '[Unit]' \
		JoinsNamespaceOf=other.service
	machine systemctl start other.service
	machine systemctl start bare.service
	machine nsenter --net --target "$(show MainPID other.service)" nc -z 127.0.0.1 4333
	run ! machine nc -z 127.0.0.1 4333
	said bare.service | grep -q '^Server is ready$'
	[[ $(said bare.service) != *private* ]]
	machine systemctl stop bare.service
	bare ExecStart= 'ExecStart=/usr/bin/minats --listen unix:/run/bare/nats'
	machine systemctl start bare.service
	MACHINE_ADDRESS=(-U /run/bare/nats)
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "heard «$ANSWER»"
}

@test "a network that has only the loopback interface need not be private" {
	bare PrivateNetwork=no 'RestrictAddressFamilies=AF_INET AF_INET6' IPAddressDeny= ExecStart= \
		'ExecStart=/usr/bin/minats -p 4333'
	machine systemctl start bare.service
	said bare.service | grep -q '^Server is ready$'
	[[ $(said bare.service) != *private* ]]
	MACHINE_ADDRESS=(127.0.0.1 4333)
	machine_talk PING
	[[ $ANSWER == INFO*PONG ]] || fail "heard «$ANSWER»"
}

@test "where systemd does not say whether it is private, a warning has to do" {
	local start=$SECONDS
	bare 'RestrictAddressFamilies=AF_INET AF_INET6' ExecStart= 'ExecStart=/usr/bin/minats -p 4333' \
		InaccessiblePaths=/run/dbus
	machine systemctl start bare.service
	said bare.service | grep -q '^Is this a private network.*systemd did not say: '
	machine systemctl stop bare.service
	# A bus that takes the call and says nothing.
	machine systemd-run --quiet --unit=other nc -lkU /run/silent.sock
	machine_await test -S /run/silent.sock
	machine chmod 666 /run/silent.sock
	bare 'RestrictAddressFamilies=AF_INET AF_INET6' ExecStart= 'ExecStart=/usr/bin/minats -p 4333' \
		BindPaths=/run/silent.sock:/run/dbus/system_bus_socket
	machine systemctl start bare.service
	said bare.service | grep -q '^Is this a private network.*systemd did not say: .*timed out'
	((SECONDS - start < 15)) || fail 'it waited for the bus'
	machine rm /run/silent.sock
}
