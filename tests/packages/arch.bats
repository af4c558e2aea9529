#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Arch's package, as far as it can be built on Debian: without pacman, which would look for its dependencies.
# There is no namcap here; shellcheck reads the PKGBUILD.

load lib.bash

setup_file() {
	packages_begin
	packages_unpack source
}

teardown_file() {
	packages_end
}

@test "shellcheck says nothing about the PKGBUILD" {
	run -0 shellcheck "$SCRATCH/source/packaging/arch/PKGBUILD"
	[[ -z $output ]]
}

@test "makepkg builds it" {
	unprivileged mkdir "$SCRATCH/arch"
	unprivileged cp "$TARBALL" "$SCRATCH/source/packaging/arch/PKGBUILD" "$SCRATCH/arch"
	cd "$SCRATCH/arch"
	# In haste; the flags are not what is tested here.
	logged arch unprivileged env CFLAGS=-O0 PACMAN=true MAKEFLAGS=-j2 makepkg --nodeps
	# But for the dependencies there is nothing to warn of.
	[[ $(grep WARNING "$SCRATCH/arch.log") == *'WARNING: Skipping dependency checks.' ]]
	grep -qE '^[1-9][0-9]+ passed, 0 failed, 0 skipped$' "$SCRATCH/arch.log"
	local package
	package=$(echo minats-"$VERSION"-1-*.pkg.tar.*)
	tar -xOf "$package" .PKGINFO | grep -qx "pkgver = $VERSION-1"
	tar -xOf "$package" .PKGINFO | grep -qx 'backup = etc/minats/minats.conf'
	tar -tf "$package" | grep -vE '/$|^\.' | expect_files usr/bin/minats usr/share/man/man8/minats.8.gz \
		usr/share/man/man7/minats-guarantees.7.gz \
		usr/share/man/man5/minats.conf.5.gz etc/minats/minats.conf \
		"$(pkg-config --variable=tmpfilesdir systemd | cut -c2-)/minats.conf" \
		"$(pkg-config --variable=systemdsystemunitdir systemd | cut -c2-)"/minats.{service,socket} \
		"$(pkg-config --variable=sysusersdir systemd | cut -c2-)/minats.conf" \
		"$(pkg-config --variable=catalogdir systemd | cut -c2-)/minats.catalog" \
		usr/share/licenses/minats/LICENSE
}
