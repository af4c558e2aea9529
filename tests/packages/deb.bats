#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The Debian package: `make deb`, as any user. What it does on a machine is in tests/systemd/packages.bats.

load lib.bash

setup_file() {
	packages_begin
	packages_unpack first
	packages_deb first
	export DEB
}

teardown_file() {
	packages_end
}

# field FIELD
field() {
	dpkg-deb --field "$DEB" "$1"
}

@test "lintian says nothing" {
	run -0 --separate-stderr unprivileged lintian "${DEB%.deb}.changes"
	[[ -z $output$stderr ]] || { echo "$output$stderr"; false; }
	# And it is not told to be silent.
	run -1 grep -rl lintian "$SCRATCH/first/build/deb/minats-$VERSION/debian"
}

@test "source and binary are built, with what belongs there" {
	[[ -s ${DEB%_*}.dsc && -s ${DEB%_*}.tar.xz ]]
	[[ $(field Version) == "$VERSION" ]]
	[[ $(field Depends) == *libsystemd0* ]]
	[[ $(field Depends) == *systemd-sysusers* ]]
	[[ $(dpkg-deb --ctrl-tarfile "$DEB" | tar -xO ./conffiles) == /etc/minats/minats.conf ]]
	dpkg-deb --fsys-tarfile "$DEB" | tar -t | grep -v '/$' | sed 's/^\.//' >"$BATS_TEST_TMPDIR/files"
	expect_files /usr/bin/minats /usr/share/man/man8/minats.8.gz \
		/usr/share/man/man7/minats-guarantees.7.gz \
		/usr/share/man/man5/minats.conf.5.gz /etc/minats/minats.conf /usr/lib/tmpfiles.d/minats.conf \
		/lib/systemd/system/minats.service /lib/systemd/system/minats.socket \
		/usr/lib/sysusers.d/minats.conf /usr/lib/systemd/catalog/minats.catalog \
		/usr/share/doc/minats/{changelog.Debian.gz,changelog.gz,copyright} <"$BATS_TEST_TMPDIR/files"
}

@test "its unit tests ran" {
	grep -qE '^[1-9][0-9]+ passed, 0 failed, 0 skipped$' "$SCRATCH/first.log"
}

@test "Debian's hardening reaches compiler and linker, and ours does not come twice" {
	run -0 blhc --debian --all "$SCRATCH/first.log"
	[[ -z $output ]] || { echo "${output:0:2000}"; false; }
	run -1 grep -E -- '-D_FORTIFY_SOURCE=.*-D_FORTIFY_SOURCE=' "$SCRATCH/first.log"
	dpkg-deb --extract "$DEB" "$BATS_TEST_TMPDIR/root"
	readelf --file-header --dynamic --wide "$BATS_TEST_TMPDIR/root/usr/bin/minats" >"$BATS_TEST_TMPDIR/elf"
	grep -q 'Type: *DYN' "$BATS_TEST_TMPDIR/elf"
	grep -q 'FLAGS.*NOW' "$BATS_TEST_TMPDIR/elf"
}

@test "another folder, time and locale give the same bytes" {
	local first=$DEB
	packages_unpack a/second/time
	find "$SCRATCH/a" ! -name NEWS -exec touch -d '2 hours ago' {} +
	DEB_BUILD_OPTIONS=nocheck packages_deb a/second/time
	cmp "$first" "$DEB"
	cmp "${first/minats_/minats-dbgsym_}" "${DEB/minats_/minats-dbgsym_}"
	cmp "${first%_*}.tar.xz" "${DEB%_*}.tar.xz"
}
