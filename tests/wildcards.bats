#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Wildcards: * is one token, > is one or more at the end.

load lib.bash

setup() {
	lib_setup
	start_broker
}

# matches PATTERN SUBJECT... and the others after a "!" do not.
matches() {
	local pattern=$1 subject wanted=1
	shift
	say c "SUB $pattern 1"
	for subject in "$@"; do
		if [[ $subject == '!' ]]; then
			wanted=0
			continue
		fi
		say c "PUB $subject 2" hi PING
		((wanted == 0)) || hear c "MSG $subject 1 2" hi || fail "  $pattern should match $subject" || return
		hear c PONG || fail "  $pattern and $subject" || return
	done
	say c 'UNSUB 1'
}

@test "literal subjects match themselves" {
	join c
	matches foo foo ! bar foo.bar FOO fo foooo
	matches foo.bar foo.bar ! foo bar foo.bar.baz bar.foo foobar
}

@test "* is exactly one token" {
	join c
	matches '*' foo bar '*' '>' ! foo.bar
	matches 'foo.*' foo.bar foo.baz ! foo bar.foo foo.bar.baz
	matches '*.bar' foo.bar ! bar foo foo.baz a.foo.bar
	matches 'foo.*.baz' foo.bar.baz ! foo.baz foo.a.b.baz foo.bar.bay
	matches '*.*' foo.bar ! foo foo.bar.baz
	matches '*.*.*' a.b.c ! a.b a.b.c.d
}

@test "> is one or more tokens" {
	join c
	matches '>' foo foo.bar a.b.c.d.e.f '*' '>'
	matches 'foo.>' foo.bar foo.bar.baz 'foo.>' 'foo.*' ! foo bar bar.foo food.bar
	matches 'foo.bar.>' foo.bar.baz foo.bar.a.b ! foo.bar foo foo.baz.a
}

@test "both together" {
	join c
	matches '*.>' foo.bar a.b.c ! foo
	matches 'foo.*.>' foo.bar.baz foo.a.b.c ! foo.bar foo
	matches '*.bar.>' foo.bar.baz ! foo.bar bar.foo.baz
}

@test "a wildcard inside a token is literal" {
	join c
	matches 'foo*' 'foo*' ! foo foobar fooo
	matches 'foo.b>r' 'foo.b>r' ! foo.bar foo.bXr
	matches 'foo.**' 'foo.**' ! foo.bar 'foo.*'
	matches 'foo.>>' 'foo.>>' ! foo.bar 'foo.>'
}

@test "a wildcard in a published subject is ordinary text" {
	join c
	matches 'foo.*' 'foo.*' 'foo.>'
	matches 'foo.>' 'foo.*' 'foo.>' 'foo.*.bar' 'foo.>.bar'
	matches foo.bar foo.bar ! 'foo.*' 'foo.>' '*.bar' '>' '*.*'
}

@test "each matching subscription hears the message once" {
	local sids=
	join c
	say c 'SUB a.b.c 1' 'SUB a.*.c 2' 'SUB a.> 3' 'SUB > 4' 'SUB *.*.* 5' 'SUB a.b.> 6' 'SUB *.b.c 7' 'SUB a.b 8' \
		'SUB *.> 9' 'PUB a.b.c 2' hi
	for _ in {1..8}; do
		hear_like c '^MSG a\.b\.c ([0-9]) 2$'
		sids+="${BASH_REMATCH[1]}"$'\n'
		hear c hi
	done
	hear_nothing c
	[[ $(sort <<<"${sids%$'\n'}" | tr -d '\n') == 12345679 ]]
}

@test "wildcards come and go between the same messages" {
	join c
	say c 'PUB a.b 1' 0 'SUB a.* 1' 'PUB a.b 1' 1 'SUB a.> 2' 'UNSUB 1' 'PUB a.b 1' 2 'UNSUB 2' 'PUB a.b 1' 3 \
		'SUB * 3' 'PUB a.b 1' 4 'UNSUB 3' 'SUB a.b 4' 'PUB a.b 1' 5 PING
	hear c 'MSG a.b 1 1' 1 'MSG a.b 2 1' 2 'MSG a.b 4 1' 5 PONG
}
