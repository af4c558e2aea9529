#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The RPM, as far as it can be built on Debian: without its BuildRequires, which have other names here, and
# with the macros that would come from systemd.

load lib.bash

setup_file() {
	packages_begin
	packages_unpack source
	UNITS=$(pkg-config --variable=systemdsystemunitdir systemd)
	SYSUSERS=$(pkg-config --variable=sysusersdir systemd)
	CATALOG=$(pkg-config --variable=catalogdir systemd)
	TMPFILES=$(pkg-config --variable=tmpfilesdir systemd)
	export UNITS SYSUSERS CATALOG TMPFILES
}

teardown_file() {
	packages_end
}

quiet() {
	run -0 rpmlint --config "$ROOT/packaging/rpmlint.toml" "$@"
	[[ $output == *' 0 errors, 0 warnings,'* ]] || { echo "$output"; false; }
}

@test "rpmlint says nothing about the spec" {
	quiet "$SCRATCH/source/packaging/minats.spec"
}

@test "rpmbuild builds the tarball, rpmlint says nothing about the result" {
	local macro
	local -a macros=(--define "_topdir $SCRATCH/rpm" --define "_unitdir $UNITS"
		--define "_sysusersdir $SYSUSERS" --define "_journalcatalogdir $CATALOG"
		--define "_tmpfilesdir $TMPFILES")
	for macro in sysusers_create_package systemd_{post,preun,postun,postun_with_restart}; do
		macros+=(--define "$macro() : $macro %*")
	done
	unprivileged mkdir "$SCRATCH/rpm"
	# In haste; the flags are not what is tested here.
	logged rpm unprivileged env CFLAGS=-O0 rpmbuild -tb --nodeps "${macros[@]}" "$TARBALL"
	grep -qE '^[1-9][0-9]+ passed, 0 failed, 0 skipped$' "$SCRATCH/rpm.log"
	local rpm
	rpm=$(echo "$SCRATCH"/rpm/RPMS/*/minats-"$VERSION"-1*.rpm)
	quiet "$rpm"
	rpm -qpl "$rpm" 2>/dev/null | grep -v /.build-id | expect_files \
		"$SYSUSERS/minats.conf" "$CATALOG/minats.catalog" "$UNITS/minats.service" "$UNITS/minats.socket" \
		/etc/minats{,/minats.conf} "$TMPFILES/minats.conf" /usr/share/man/man7/minats-guarantees.7 \
		/usr/share/man/man5/minats.conf.5 \
		/usr/bin/minats /usr/share/man/man8/minats.8 "/usr/share/doc/minats-$VERSION"{,/NEWS,/README.md,/SECURITY.md} \
		"/usr/share/licenses/minats-$VERSION"{,/LICENSE}
	# Upgraded, the service is restarted and the socket is not.
	run -0 rpm -qp --scripts "$rpm"
	[[ $output == *'systemd_postun_with_restart minats.service'* ]]
	[[ $output != *'with_restart minats.socket'* ]]
}
