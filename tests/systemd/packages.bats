#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The Debian package on a machine: installed, upgraded, removed and purged, in this order.
# shellcheck disable=SC2016 # for the shells in the machine
# shellcheck disable=SC2034 # LIMIT_S is for lib.bash

load lib.bash
load ../handover/crowd.bash
load ../packages/lib.bash

setup_file() {
	LIMIT_S=120 machine_boot bare
	[[ -z $MACHINE_OBSTACLE ]] || return 0
	packages_begin
	build first "$VERSION"
	# A higher version, that also parks its connections in another version of the state.
	build second "$VERSION+2" DEB_CPPFLAGS_APPEND=-DHANDOVER_VERSION=2
	machine_install_tool "${MINATS%/*}/tests/handover/crowd"
	# Where there is such a file, maintainer scripts start and restart nothing, or man pages stay away.
	machine rm -rf /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d
	machine sh -c "$LIST_FILES" >"$SCRATCH/before"
}

teardown_file() {
	machine_leave
	packages_end
}

setup() {
	machine_need
	# dpkg has to write down what it knows.
	LIMIT_S=60
}

teardown() {
	[[ -n $MACHINE_OBSTACLE ]] || crowd_end
	[[ -n ${BATS_TEST_COMPLETED:-}$MACHINE_OBSTACLE ]] || machine_show
}

# All that a package could leave; not what every run of dpkg, of systemd or of man-db writes.
LIST_FILES='find /etc /usr /var/lib /var/spool ! -type d ! -path "/var/lib/dpkg/*" \
	! -path "/var/lib/systemd/catalog/*" ! -path "/etc/*-" | sort'

# build NAME VERSION [VARIABLE=VALUE]: in the machine it is /root/NAME.deb.
build() {
	logged "$1" plain "${@:3}" DEB_BUILD_OPTIONS=nocheck make -C "$ROOT" BUILD="$SCRATCH/$1" VERSION="$2" deb
	machine_write "/root/$1.deb" <"$(echo "$SCRATCH/$1/deb/minats_$2"_*.deb)"
}

# dpkg_does ARGUMENT...
dpkg_does() {
	machine dpkg "$@" >"$BATS_TEST_TMPDIR/dpkg" 2>&1 || fail "$(<"$BATS_TEST_TMPDIR/dpkg")"
}

# show UNIT PROPERTY
show() {
	machine systemctl show --value --property "$2" "$1"
}

# The first package, and its service runs.
run_first() {
	dpkg_does --install /root/first.deb
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
	BEFORE=$(show minats.service MainPID)
	((BEFORE > 0))
}

# socket: the one that listens, as the kernel numbers it.
socket() {
	machine ss --no-header --listening --tcp --numeric --extended 'sport = :4222' | grep -o 'ino:[0-9]*'
}

# Then the second one, which another process serves.
upgrade() {
	local after
	dpkg_does --install /root/second.deb
	[[ $(machine dpkg-query --show --showformat '${Version}' minats) == "$VERSION+2" ]]
	after=$(show minats.service MainPID)
	((after > 0 && after != BEFORE)) || fail "was process $BEFORE, is $after"
}

@test "installed, the socket listens and nothing runs" {
	dpkg_does --install /root/first.deb
	[[ $(show minats.socket ActiveState) == active ]]
	[[ $(show minats.socket UnitFileState) == enabled ]]
	[[ $(show minats.service ActiveState) == inactive ]]
	[[ $(show minats.service UnitFileState) == static ]]
	[[ $(machine getent passwd minats) == minats:*nologin ]]
}

@test "the first client starts it" {
	# The package's own test.
	machine_write /root/socket <"$ROOT/packaging/debian/tests/socket"
	machine systemctl stop minats.socket
	run -0 machine sh /root/socket
	[[ $output == *$'MSG foo 1 2\nhi\nPONG\nactive\nactive' ]] || fail "$output"
}

@test "its man page is there" {
	run -0 machine mandoc -Tutf8 /usr/share/man/man8/minats.8.gz
	[[ $output == *'message broker'* ]]
	if machine sh -c 'command -v man' >/dev/null; then
		[[ $(machine man -w 8 minats) == /usr/share/man/man8/minats.8.gz ]]
	fi
}

@test "the journal's catalog knows its events" {
	local id ids
	ids=$(sed -n 's/^-- //p' "$ROOT/systemd/minats.catalog")
	(($(wc -w <<<"$ids") > 5))
	for id in $ids; do
		run -0 machine journalctl --list-catalog "$id"
		[[ $output == "$id minats: "* ]] || fail "$output"
	done
	# As an admin would see it.
	run -0 machine journalctl --boot --no-pager --catalog --unit minats.service
	[[ $output == *'Server is ready'*'Subject: minats is ready'* ]] || fail "$output"
}

@test "over an upgrade the socket refuses nobody, and the service is restarted" {
	run_first
	machine_write /root/knock <<-'END'
		# Comes and goes until told to stop; a connect that fails is counted.
		knocks=0 refused=0
		until [[ -e /root/enough ]]; do
			((knocks += 1))
			if exec 3<>/dev/tcp/127.0.0.1/4222; then
				exec 3>&-
			else
				((refused += 1))
			fi 2>/dev/null
			((knocks != 20)) || touch /root/knocking
			read -r -t 0.001 <>/root/never || true
		done
		echo "$knocks $refused"
	END
	machine rm -f /root/enough /root/knocking /root/never
	machine mkfifo /root/never
	machine bash /root/knock >"$BATS_TEST_TMPDIR/knocked" &
	machine_await test -e /root/knocking
	local socket
	socket=$(socket)
	upgrade
	# A moment without it is too short for a knock; but who waited in there would have been sent away.
	[[ -n $socket && $(socket) == "$socket" ]] || fail "it was $socket and is $(socket)"
	machine touch /root/enough
	wait $!
	local knocks refused
	read -r knocks refused <"$BATS_TEST_TMPDIR/knocked"
	((knocks > 40 && refused == 0)) || fail "$refused of $knocks were refused"
	machine_talk PING
	[[ $ANSWER == *PONG ]] || fail "heard «$ANSWER»"
}

@test "5,000 clients at full speed notice nothing of an upgrade" {
	local binary
	run_first
	binary=$(machine sha256sum /usr/bin/minats)
	LIMIT_S=300 crowd_start machine crowd --clients 5000 --wildcards 5
	crowd_mark
	upgrade
	crowd_mark
	crowd_stop
	[[ $(machine sha256sum /usr/bin/minats) != "$binary" ]]
}

@test "an upgrade starts no service that did not run" {
	dpkg_does --install /root/first.deb
	machine systemctl stop minats.service
	dpkg_does --install /root/second.deb
	[[ $(show minats.socket ActiveState) == active ]]
	[[ $(show minats.service ActiveState) == inactive ]]
}

@test "removed, its socket and service are gone" {
	machine_talk PING
	[[ $(show minats.service ActiveState) == active ]]
	dpkg_does --remove minats
	run -1 machine nc -z 127.0.0.1 4222
	run -1 machine pgrep --list-name --exact minats
	[[ $(show minats.socket LoadState) == not-found && $(show minats.socket ActiveState) == inactive ]]
	[[ $(show minats.service LoadState) == not-found && $(show minats.service ActiveState) == inactive ]]
	run -2 machine sh -c 'ls -d /usr/bin/minats /lib/systemd/system/minats.* /usr/share/doc/minats 2>&-'
	[[ $output == '' ]] || fail "left: $output"
}

@test "purged, nothing but its user is left" {
	dpkg_does --purge minats
	machine sh -c "$LIST_FILES" | diff "$SCRATCH/before" - || fail 'files came or went'
	[[ $(machine find /etc /usr /var /run -name '*minats*') == '' ]]
	[[ $(machine systemctl list-unit-files --no-legend 'minats*') == '' ]]
	[[ $(machine journalctl --list-catalog | grep -c minats) == 0 ]]
	[[ $(machine getent passwd minats) == minats:* ]]
	# And it can come back.
	dpkg_does --install /root/first.deb
	[[ $(show minats.socket ActiveState) == active ]]
}
