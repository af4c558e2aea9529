#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An include points down the floors or stays on its own, never up; each library header has one
# owner; the pure floors know no system. Silent when all is well.
set -u
cd "$(dirname "$0")/.." || exit 1

floor() {
	case $1 in
	base) echo 1 ;; os) echo 2 ;; proto) echo 3 ;; broker) echo 4 ;; server) echo 5 ;;
	*) echo 6 ;;
	esac
}

# May a file on floor $1 include one on floor $2? proto and broker are pure: they know no os.
may_include() {
	case $1:$2 in
	proto:os | broker:os) return 1 ;;
	esac
	[ "$(floor "$2")" -le "$(floor "$1")" ] && ! { [ "$1" = os ] && [ "$2" = proto ]; }
}

includes_point_down() {
	for file in src/*.[ch] src/*/*.[ch]; do
		from=$(basename "$(dirname "$file")")
		sed -n 's/^#include "\(.*\)"$/\1/p' "$file" | while read -r included; do
			[ -f "src/$included" ] || echo "$file: there is no $included"
			may_include "$from" "${included%%/*}" || echo "$file: includes $included, a floor above"
		done
	done
}

# What the C library itself has; anything else is a system's.
c_library='assert|ctype|errno|inttypes|limits|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|time'
pure_floors_know_no_system() {
	for file in src/base/*.[ch] src/proto/*.[ch] src/broker/*.[ch]; do
		sed -n 's/^#include <\(.*\)\.h>$/\1/p' "$file" | while read -r header; do
			echo "$header" | grep -qE "^($c_library)\$" ||
				[ "$file:$header" = src/proto/handshake.c:jansson ] ||
				echo "$file: a pure floor includes <$header.h>"
		done
	done
}

# header, the files that own it
libraries_have_one_owner() {
	while read -r header owners; do
		grep -lE "^#include <$header" -r src | grep -vE "^src/($owners)\$" |
			sed "s|\$|: <$header> has another owner|"
	done <<'OWNERS'
jansson (proto/handshake\.c|server/config[a-z_]*\.[ch])
systemd/ os/(supervisor_systemd|log_journal|units_systemd)\.c
sys/epoll os/poller_epoll\.c
sys/signalfd os/poller_epoll\.c
sys/event os/poller_kqueue\.c
pthread os/(log|closer|hasher)\.c
sched os/process_linux\.c
dlfcn os/crypto\.c
OWNERS
}

headers_say_what_they_are_for() {
	for file in src/*/*.h; do
		grep -q '^#pragma once$' "$file" || echo "$file: no #pragma once"
		[ "$(sed -n 2p "$file")" = '/*' ] || echo "$file: does not begin by saying what it is for"
	done
}

found=$(
	includes_point_down
	pure_floors_know_no_system
	libraries_have_one_owner
	headers_say_what_they_are_for
)
[ -z "$found" ] || {
	echo "$found"
	exit 1
}
