#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What a packager takes: the tarball, and `make install` into a folder of his own.

load lib.bash

setup_file() {
	packages_begin
	packages_unpack source
	# It is built already, and perhaps with sanitizers.
	unprivileged mkdir "$SCRATCH/build"
	install -m755 "$MINATS" "$SCRATCH/build/minats"
}

teardown_file() {
	packages_end
}

setup() {
	STAGE=$SCRATCH/stage
	UNITS=$(pkg-config --variable=systemdsystemunitdir systemd)
	SYSUSERS=$(pkg-config --variable=sysusersdir systemd)
	CATALOG=$(pkg-config --variable=catalogdir systemd)
	TMPFILES=$(pkg-config --variable=tmpfilesdir systemd)
}

teardown() {
	rm -rf "$STAGE"
}

# run_make ARGUMENT...: with the binary that is there. Whoever runs it may write to SCRATCH alone.
run_make() {
	unprivileged make -s -C "$SCRATCH/source" -o all BUILD="$SCRATCH/build" DESTDIR="$STAGE" "$@"
}

staged() {
	(cd "$STAGE" && find . ! -type d | sed 's/^\.//')
}

@test "make install puts everything below DESTDIR, make uninstall leaves nothing" {
	run_make PREFIX=/usr install
	staged | expect_files /usr/bin/minats /usr/share/man/man8/minats.8 \
		/usr/share/man/man7/minats-guarantees.7 \
		/usr/share/man/man5/minats.conf.5 /etc/minats/minats.conf "$TMPFILES/minats.conf" \
		"$UNITS/minats.service" "$UNITS/minats.socket" "$SYSUSERS/minats.conf" "$CATALOG/minats.catalog"
	# What runs does not know of the stage.
	grep -qx 'ExecStart=/usr/bin/minats -c -/etc/minats/minats.conf' "$STAGE$UNITS/minats.service"
	[[ $(grep -rlF "$STAGE" "$STAGE") == '' ]]
	[[ $(stat -c %a "$STAGE/usr/bin/minats" "$STAGE$UNITS/minats.socket") == $'755\n644' ]]
	run_make PREFIX=/usr uninstall
	[[ $(staged) == '' ]]
}

@test "without PREFIX it goes to /usr/local" {
	run_make install
	staged | expect_files /usr/local/bin/minats /usr/local/share/man/man8/minats.8 \
		/usr/local/share/man/man7/minats-guarantees.7 \
		/usr/local/share/man/man5/minats.conf.5 /etc/minats/minats.conf "$TMPFILES/minats.conf" \
		"$UNITS/minats.service" "$UNITS/minats.socket" "$SYSUSERS/minats.conf" "$CATALOG/minats.catalog"
	grep -qx 'ExecStart=/usr/local/bin/minats -c -/etc/minats/minats.conf' "$STAGE$UNITS/minats.service"
	run_make uninstall
	[[ $(staged) == '' ]]
}

@test "a configuration that was changed stays, whatever is installed or uninstalled" {
	run_make PREFIX=/usr SYSCONFDIR=/opt/etc install
	grep -qx 'z /opt/etc/minats/minats.conf 0640 root minats' "$STAGE$TMPFILES/minats.conf"
	grep -q ' -c -/opt/etc/minats/minats.conf$' "$STAGE$UNITS/minats.service"
	"$MINATS" -t -c "$STAGE/opt/etc/minats/minats.conf"
	unprivileged sh -c 'echo "debug: true" >>"$1"' - "$STAGE/opt/etc/minats/minats.conf"
	run_make PREFIX=/usr SYSCONFDIR=/opt/etc install
	grep -qx 'debug: true' "$STAGE/opt/etc/minats/minats.conf"
	run_make PREFIX=/usr SYSCONFDIR=/opt/etc uninstall
	[[ $(staged) == /opt/etc/minats/minats.conf ]]
}

@test "pkg-config says where the units belong" {
	unprivileged mkdir -p "$SCRATCH/pkgconfig"
	cat >"$SCRATCH/pkgconfig/systemd.pc" <<-'END'
		systemdsystemunitdir=/opt/units
		sysusersdir=/opt/users
		catalogdir=/opt/catalog
		tmpfilesdir=/opt/tmpfiles
		Name: systemd
		Description: a systemd elsewhere
		Version: 252
	END
	run_make PREFIX=/usr PKG_CONFIG="env PKG_CONFIG_PATH=$SCRATCH/pkgconfig pkg-config" install
	staged | expect_files /usr/bin/minats /usr/share/man/man8/minats.8 \
		/usr/share/man/man7/minats-guarantees.7 \
		/usr/share/man/man5/minats.conf.5 /etc/minats/minats.conf /opt/tmpfiles/minats.conf \
		/opt/units/minats.service /opt/units/minats.socket /opt/users/minats.conf /opt/catalog/minats.catalog
	run_make PREFIX=/usr PKG_CONFIG="env PKG_CONFIG_PATH=$SCRATCH/pkgconfig pkg-config" uninstall
	[[ $(staged) == '' ]]
}

@test "SUPERVISOR=none has no trace of systemd" {
	local traces binary=$SCRATCH/none/minats
	# The units cannot come along by mistake, nor can the library: it is built anew, in haste.
	unprivileged make -s -j2 -C "$SCRATCH/source" SUPERVISOR=none BUILD="$SCRATCH/none" CFLAGS=-O0 \
		HARDENING='' DESTDIR="$STAGE" install
	ldd "$MINATS" | grep -q libsystemd
	[[ $(ldd "$binary") == *libjansson* ]]
	[[ $(ldd "$binary") != *systemd* ]]
	# Neither its library, nor its calls, its variables, its bus or its places: prose may name it.
	traces='libsystemd|\bsd_[a-z]|LISTEN_FDS|NOTIFY_SOCKET|JOURNAL_STREAM|org\.freedesktop|/systemd/'
	strings --all "$MINATS" | grep -qE "$traces"
	run -1 grep -E "$traces" <(strings --all "$binary")
	staged | expect_files /usr/local/bin/minats /usr/local/share/man/man8/minats.8 \
		/usr/local/share/man/man7/minats-guarantees.7 \
		/usr/local/share/man/man5/minats.conf.5 /etc/minats/minats.conf
}

@test "the tarball is the same wherever and whenever it is made" {
	# From the tarball itself, where there is no git; with another umask and time zone, by another user.
	packages_unpack again
	unprivileged sh -c 'umask 077 && exec "$@"' sh env TZ=Asia/Tokyo \
		make -s -C "$SCRATCH/again" BUILD=build/elsewhere dist
	cmp "$TARBALL" "$SCRATCH/again/build/elsewhere/minats-$VERSION.tar.gz"
	# Where git has nothing to say, as if it were missing; and what Python leaves behind does not come along.
	unprivileged mkdir "$SCRATCH/again/.git" "$SCRATCH/again/tests/tools/__pycache__"
	unprivileged touch "$SCRATCH/again/.git/index" "$SCRATCH/again/tests/tools/__pycache__/supervisor.pyc"
	unprivileged make -s -C "$SCRATCH/again" BUILD=build/without dist
	cmp "$TARBALL" "$SCRATCH/again/build/without/minats-$VERSION.tar.gz"
	# It has all that is needed, and nothing that was built.
	tar -tzf "$TARBALL" | grep -q "^minats-$VERSION/packaging/debian/rules\$"
	run -1 grep -E '/build/|\.o$|\.git/' <(tar -tzf "$TARBALL")
}

@test "the version stands in one place, and the tarball's packages have it" {
	[[ $VERSION == "$(sed -n 's/^#define VERSION "\(.*\)"$/\1/p' "$ROOT/src/server/version.h")" ]]
	[[ $("$MINATS" --version) == *"$VERSION"* ]]
	[[ $(head -n 1 "$SCRATCH/source/NEWS") == "$VERSION" ]]
	grep -qE "^Version: +$VERSION\$" "$SCRATCH/source/packaging/minats.spec"
	grep -qx "pkgver=$VERSION" "$SCRATCH/source/packaging/arch/PKGBUILD"
	[[ $(dpkg-parsechangelog -l "$SCRATCH/source/packaging/debian/changelog" -S Version) == "$VERSION" ]]
	run -1 grep -rE '@[A-Z]+@' "$SCRATCH/source/packaging"
}
