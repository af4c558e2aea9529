#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Every kind of event has a number of its own and a text in the journal's catalog, and is told of somewhere.

load lib

# Events that nothing tells of yet.
UNUSED=''

setup() {
	lib_setup
	cd "$ROOT" || return
}

# events: NAME and number of each.
events() {
	sed -nE 's/^#define ((LOG_)?EVENT_[A-Z_]*) *"(.*)".*/\1 \3/p' src/server/events.h src/os/log.h
}

explained() {
	sed -n 's/^-- //p' systemd/minats.catalog
}

@test "each event has a number of its own" {
	local name number count=0
	while read -r name number; do
		[[ $number =~ ^[0-9a-f]{32}$ ]] || fail "$name: $number"
		((count += 1))
	done < <(events)
	((count > 30))
	# None is in another form, or elsewhere.
	[[ $(grep -hE '"[0-9a-f]{32}"' -r src | wc -l) == "$count" ]]
	[[ -z $(events | cut -d ' ' -f 1 | sort | uniq -d) ]]
	[[ -z $(events | cut -d ' ' -f 2 | sort | uniq -d) ]] || fail "twice: $(events | cut -d ' ' -f 2 | sort | uniq -d)"
}

@test "the catalog explains each of them, once, and nothing else" {
	local difference
	difference=$(diff <(events | cut -d ' ' -f 2 | sort) <(explained | sort)) || fail "$difference"
}

@test "each explanation has a subject, our name, the man page and a text" {
	run -0 awk '
		function check() { if (id && (!subject || !us || !page || !text)) print id }
		/^-- / { check(); id = $2; subject = us = page = text = 0 }
		/^Subject: ./ { subject = 1 }
		/^Defined-By: minats$/ { us = 1 }
		/^Documentation: man:minats\(8\)$/ { page = 1 }
		id && us && /^[A-Z@].* .* / && !/^[A-Z][a-zA-Z-]*: / { text = 1 }
		END { check() }' systemd/minats.catalog
	[[ -z $output ]] || fail "incomplete: $output"
	# Whoever reads it has 80 columns; and no URLs, which age.
	[[ -z $(awk 'length > 80 && !/^(Subject:|#)/' systemd/minats.catalog) ]]
	refute grep -q '://' systemd/minats.catalog
}

@test "the catalog names fields that there are" {
	local field
	for field in $(grep -oE '@[A-Z_]+@' systemd/minats.catalog | tr -d @ | sort -u); do
		grep -q "\"$field\"" src/os/log.c || fail "there is no $field="
	done
}

@test "the man page knows every field" {
	local told known
	known=$(sed -n 's/^\t{"\(NATS_[A-Z_]*\)".*/\1/p' src/os/log.c | sort)
	told=$(sed -n 's/^\.It Li \(NATS_[A-Z_]*\)=.*/\1/p' man/minats.8 | sort)
	[[ -n $known && $known == "$told" ]] || fail "$(diff <(echo "$known") <(echo "$told"))"
}

@test "systemd takes the catalog" {
	ours 'a catalog'
	mkdir -p "$DIR/usr/lib/systemd/catalog" "$DIR/var/lib/systemd/catalog"
	cp systemd/minats.catalog "$DIR/usr/lib/systemd/catalog"
	run -0 journalctl --update-catalog --root="$DIR"
	[[ -z $output ]] || fail "$output"
	run -0 journalctl --list-catalog --root="$DIR"
	[[ $(grep -c ' minats: ' <<<"$output") == "$(events | wc -l)" ]] || fail "$output"
}

@test "each event is told of" {
	local name
	for name in $(events | cut -d ' ' -f 1); do
		if grep -qw "$name" -r src --include='*.c'; then
			[[ " $UNUSED " != *" $name "* ]] || fail "$name is used now: take it from UNUSED in $BATS_TEST_FILENAME"
		else
			[[ " $UNUSED " == *" $name "* ]] || fail "nothing tells of $name"
		fi
	done
	for name in $UNUSED; do
		events | grep -q "^$name " || fail "there is no $name: take it from UNUSED in $BATS_TEST_FILENAME"
	done
}

@test "each fault is of some kind" {
	local fault
	for fault in $(sed -n 's/^\t\(FAULT_[A-Z_]*\),.*/\1/p' src/proto/fault.h); do
		[[ $fault == FAULT_NONE ]] || grep -q "^	\[$fault\] = {EVENT_" src/server/client_log.c || fail "$fault"
	done
}
