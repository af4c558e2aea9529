# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Packages are built in a scratch folder of the .bats file, by a user who may write nowhere else.
#
#     packages_begin           from setup_file(): makes SCRATCH and the tarball of `make dist`, TARBALL
#     packages_end             from teardown_file(): removes it
#     packages_unpack FOLDER   the tarball's files in SCRATCH/FOLDER
#     packages_deb FOLDER      `make deb` in there: its .deb is DEB
#     unprivileged COMMAND...  as nobody if we are root, in an environment without the suite's variables
#     logged NAME COMMAND...   what it says goes to SCRATCH/NAME.log, and is shown only if it fails
#     expect_files LIST...     standard input, a path a line, is this list
#
# shellcheck disable=SC2034 # DEB is for the cases.

bats_require_minimum_version 1.5.0

packages_begin() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	MINATS=$(realpath "${MINATS:-$ROOT/build/minats}")
	# Not below bats' own folder: only its user may enter that one.
	SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/minats-packages.XXXXXX")
	chmod 755 "$SCRATCH"
	export ROOT MINATS SCRATCH
	plain make -s -C "$ROOT" BUILD="$SCRATCH/dist" dist
	TARBALL=$(echo "$SCRATCH"/dist/minats-*.tar.gz)
	VERSION=${TARBALL#*/minats-}
	VERSION=${VERSION##*/minats-}
	VERSION=${VERSION%.tar.gz}
	export TARBALL VERSION
	((EUID)) || chown -R nobody: "$SCRATCH"
}

packages_end() {
	[[ -z ${SCRATCH:-} ]] || rm -rf "$SCRATCH"
}

# plain COMMAND...: as a person would type it; the suite's BUILD, CFLAGS and so on are not for it.
plain() {
	env -i PATH="$PATH" HOME="$SCRATCH" LC_ALL=C.UTF-8 "$@" 3>&- 4>&-
}

unprivileged() {
	if ((EUID)); then
		plain "$@"
	else
		plain setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
	fi
}

packages_unpack() {
	unprivileged mkdir -p "$SCRATCH/$1"
	unprivileged tar -C "$SCRATCH/$1" --strip-components=1 -xzf "$TARBALL"
}

logged() {
	"${@:2}" >"$SCRATCH/$1.log" 2>&1 || {
		grep -A5 '^not ok' "$SCRATCH/$1.log" || true
		tail -n 40 "$SCRATCH/$1.log"
		return 1
	}
}

packages_deb() {
	logged "$1" unprivileged env DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-}" make -C "$SCRATCH/$1" deb
	DEB=$(echo "$SCRATCH/$1/build/deb/minats_$VERSION"_*.deb)
}

expect_files() {
	diff <(printf '%s\n' "$@" | sort) <(sort)
}
