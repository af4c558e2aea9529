#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every source that a BSD or macOS would build compiles against the real headers of those systems,
# which the Python package ziglang carries; with kqueue, without a supervisor. Silent when all is
# well. Takes the build folder of that package as build/tests/zig.
set -u
cd "$(dirname "$0")/.." || exit 1

zig=build/tests/zig
pin=ziglang==0.17.1
if ! "$zig/bin/python" -m ziglang version >"$zig.log" 2>&1; then
	{ rm -rf "$zig" && python3 -m venv "$zig" && "$zig/bin/pip" install -q "$pin"; } >"$zig.log" 2>&1 || {
		echo "skip: cannot install $pin: $(tail -n 1 "$zig.log")"
		exit 77
	}
fi

# jansson's headers alone: beside the system's own they would bring those along.
include=build/tests/portable/include
mkdir -p "$include"
cp "$(pkg-config --variable=includedir jansson)"/jansson*.h "$include" || exit 1

failed=0
for target in x86_64-freebsd x86_64-openbsd x86_64-netbsd aarch64-macos; do
	accept=flags
	[ "$target" != aarch64-macos ] || accept=fcntl
	# The poller's contract test as well: whoever has such a system can run it.
	for source in tests/unit/loop.c \
		$(make -s sources SUPERVISOR=none POLLER=kqueue MEMORY=none ACCEPT=$accept \
			CREDENTIALS=peereid PARCEL=none PROCESS=none); do
		"$zig/bin/python" -m ziglang cc -target "$target" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror \
			-Isrc -I"$include" -c -o build/tests/portable/object.o "$source" || {
			echo "$source does not compile for $target"
			failed=1
		}
	done
done
exit $failed
