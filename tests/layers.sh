#!/bin/sh
# SPDX-License-Identifier: MIT
#
# An include points down the floors or stays on its own, never up; each library header has one
# owner; the pure floors know no system. Silent when all is well.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
complain() {
	echo "$1"
	failed=1
}

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

for file in src/*.[ch] src/*/*.[ch]; do
	from=$(basename "$(dirname "$file")")
	for included in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$file"); do
		[ -f "src/$included" ] || complain "$file: there is no $included"
		may_include "$from" "${included%%/*}" || complain "$file: includes $included, a floor above"
	done
done

# What the C library itself has; anything else is a system's.
c_library='assert|ctype|errno|inttypes|limits|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|time'
for file in src/base/*.[ch] src/proto/*.[ch] src/broker/*.[ch]; do
	for header in $(sed -n 's/^#include <\(.*\)\.h>$/\1/p' "$file"); do
		echo "$header" | grep -qE "^($c_library)\$" || [ "$file:$header" = src/proto/handshake.c:jansson ] ||
			complain "$file: a pure floor includes <$header.h>"
	done
done

# header pattern, files that own it
while read -r header owners; do
	for file in $(grep -lE "^#include <$header" -r src); do
		echo "$file" | grep -qE "^src/($owners)\$" || complain "$file: <$header> has another owner"
	done
done <<'OWNERS'
jansson proto/handshake\.c
systemd/ os/(supervisor_systemd|log_journal)\.c
sys/epoll os/poller_epoll\.c
sys/signalfd os/poller_epoll\.c
sys/event os/poller_kqueue\.c
pthread os/log\.c
OWNERS

# Every header says what its room is for, and guards itself.
for file in src/*/*.h; do
	grep -q '^#pragma once$' "$file" || complain "$file: no #pragma once"
	[ "$(sed -n 2p "$file")" = '/*' ] || complain "$file: does not begin by saying what it is for"
done
exit $failed
