#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The README is true to the letter: each command in it is run, as it stands there, on port 4222 of
# a network of the case's own; and the man page knows every option.

load lib

setup() {
	lib_setup
	cd "$ROOT" || return
}

# blocks LANGUAGE: the README's blocks of that language, each ended by a line "---".
blocks() {
	awk -v wanted="\`\`\`$1" '
		inside && /^```/ { inside = 0; print "---"; next }
		inside { print; next }
		/^```/ { inside = 1; if ($0 != wanted) inside = 0; skip = !inside }
		skip && /^```/ { while ((getline line) > 0 && line !~ /^```/); skip = 0 }' README.md
}

# block LANGUAGE NUMBER
block() {
	blocks "$1" | awk -v wanted="$2" 'BEGIN { n = 1 } /^---$/ { n++; next } n == wanted'
}

# A network of its own, where port 4222 is free, with a broker on it; runs the rest there.
in_network() {
	local status=0
	cat >"$DIR/script" <<-'SCRIPT'
		ip link set lo up
		"$MINATS" --ports_file_dir "$DIR" 2>"$DIR/net.log" 3>&- &
		pid=$!
		until [ -e "$DIR/minats_$pid.ports" ]; do kill -0 $pid || exit 1; sleep 0.01; done
		status=0
		"$@" || status=$?
		kill -INT $pid
		wait $pid || status=$?
		exit $status
	SCRIPT
	[[ $(id -u) == 0 ]] || skip 'a network of its own takes root'
	export MINATS DIR
	timeout 60 unshare --net bash "$DIR/script" "$@" >"$DIR/output" 2>&1 3>&- || status=$?
	cat "$DIR/output"
	return "$status"
}

@test "all of the README's commands are known here" {
	[[ $(blocks sh | grep -c '^---$') == 6 ]]
	[[ $(block sh 1) == 'sh packaging/bootstrap run' ]]
	[[ $(block sh 2) == 'sh packaging/bootstrap test' ]]
	[[ $(block sh 3) == 'nc -C 127.0.0.1 4222' ]]
	[[ $(block sh 4) == "nats sub 'greet.*'" ]]
	[[ $(block sh 5) == 'nats pub greet.joe hello' ]]
	# The gate itself runs the second command.
	grep -qx 'stage suite sh packaging/bootstrap test' .ci/run
	# tests/systemd/install.bats runs the sixth block.
	grep -q 'block sh 6' tests/systemd/install.bats
	[[ $(blocks python | grep -c '^---$') == 1 ]]
	(($(wc -l <README.md) < 100))
}

@test "the first command builds it and runs it on port 4222" {
	[[ $(id -u) == 0 ]] || skip 'a network of its own takes root'
	cat >"$DIR/script" <<-'SCRIPT'
		ip link set lo up
		sh -c "$1" &
		pid=$!
		until nc -z 127.0.0.1 4222; do kill -0 $pid || exit 1; sleep 0.05; done
		nc -N 127.0.0.1 4222 <<<PING
		kill -INT $pid
		wait $pid
	SCRIPT
	timeout 300 unshare --net bash "$DIR/script" "exec $(block sh 1)" >"$DIR/output" 2>&1 3>&-
	grep -q '^INFO {' "$DIR/output"
	grep -q '^PONG' "$DIR/output"
}

@test "what is typed into nc comes back as a message" {
	block '' 1 >"$DIR/typed"
	[[ $(<"$DIR/typed") == *hello* ]]
	# The fence at the end, and time for the answer before the input ends.
	printf 'PING\n' >>"$DIR/typed"
	# shellcheck disable=SC2016 # for the other shell
	in_network bash -c '{ cat "$1"; until grep -q PONG "$3"; do sleep 0.01; done; } | eval "$2" >"$3"' \
		- "$DIR/typed" "$(block sh 3) -N" "$DIR/heard"
	grep -q $'^MSG greet.joe 1 5\r' "$DIR/heard"
	grep -q $'^hello\r' "$DIR/heard"
}

@test "the nats CLI subscribes and publishes" {
	local nats=$ROOT/build/tests/clients/bin/nats
	[[ -x $nats ]] || tests/clients/install cli >/dev/null || skip 'no nats CLI: sh packaging/bootstrap install test'
	export HOME=$DIR PATH=${nats%/*}:$PATH
	# shellcheck disable=SC2016 # for the other shell
	in_network bash -c '
		eval "exec $1" >"$3" 2>&1 & pid=$!
		until grep -q Subscribing "$3"; do sleep 0.02; done
		for try in {1..100}; do eval "$2"; grep -q hello "$3" && break; sleep 0.05; done
		kill $pid; wait $pid; grep -q hello "$3"' - "$(block sh 4)" "$(block sh 5)" "$DIR/heard"
}

@test "the Python program prints what it was sent" {
	local python=$ROOT/build/tests/clients/python/bin/python
	[[ -x $python ]] || tests/clients/install python >/dev/null ||
		skip 'no nats-py: sh packaging/bootstrap install test'
	block python 1 >"$DIR/program.py"
	[[ $(in_network "$python" "$DIR/program.py") == hello ]]
}

@test "the man page tells of every option, and of no other" {
	local told known
	known=$("$MINATS" -h | sed -n 's/^  \(-[^ ].*\)/\1/p' | grep -oE '(^|, )--?[A-Za-z_-]+' | tr -d ', ' | sort -u)
	told=$(sed -n 's/^\.It Fl/Fl/p' man/minats.8 | grep -oE 'Fl [^ ,]+' | sed 's/Fl /-/' | sort -u)
	[[ -n $known && $known == "$told" ]] || fail "$(diff <(echo "$known") <(echo "$told"))"
}

# keys: "NAME yes" for each key of the configuration file that a reload takes, "NAME no" for the others.
keys_of_source() {
	sed -n '/^} keys\[\]/,/^};/{s/^\t{{\(.*\)}, ".*", true},/\1 yes/p;s/^\t{{\(.*\)}, ".*", false},/\1 no/p}' \
		src/server/config_options.c | tr -d '",' | spread
}

keys_of_man() {
	sed -n 's/^\.It Ic \(.*\) Ta .* Ta .* Ta \(\\&\)\{0,1\}\(yes\|no\)$/\1 \3/p' man/minats.conf.5 | tr -d , | spread
}

# A line for each of the names, with its answer.
spread() {
	awk '{ for (at = 1; at < NF; at++) print $at, $NF }' | grep -vE '^(trace_verbose|max_sub_tokens) ' | sort
}

@test "minats.conf(5) tells of every key, and whether it reloads" {
	[[ $(keys_of_source | wc -l) -gt 25 ]]
	diff <(keys_of_source) <(keys_of_man)
}

# examples: the blocks of minats.conf(5), each into a file $DIR/exampleN.conf of its own.
examples() {
	awk -v to="$DIR/example" '
		/^\.Ed$/ { inside = 0 }
		inside { gsub(/\\e/, "\\"); print >(to count ".conf") }
		/^\.Bd -literal/ { inside = 1; count++ }
		END { print count }' man/minats.conf.5
}

@test "the examples of minats.conf(5) run" {
	local count example
	count=$(examples)
	export KEY=opener
	((count >= 11))
	for ((example = 1; example <= count; example++)); do
		"$MINATS" -t -c "$DIR/example$example.conf"
		# Elsewhere than on this machine, and without an end.
		sed -i -e "s|/var/log/|$DIR/|; s|/run/|$DIR/|" -e '/^exit_idle_time/d' "$DIR/example$example.conf"
		start_broker -c "$DIR/example$example.conf"
		open c
		hear_info c
		close_all
		PORT=
		stop_broker
	done
}

# A limit that has no row there is one that nobody was promised.
@test "minats-guarantees(7) has a row for each limit" {
	local told known
	known=$("$MINATS" -h | sed -nE 's/^  --([a-z_-]+)(, --[a-z_]+)? (N|BYTES|TIME) .*/\1/p' | tr - _ | sort)
	told=$(sed -n 's/^\.It Ic \([a-z_]*\)$/\1/p' man/minats-guarantees.7 | sort)
	(($(wc -l <<<"$known") >= 19))
	[[ $known == "$told" ]] || fail "$(diff <(echo "$known") <(echo "$told"))"
}

# plain VALUE: 2s as 2000, 4mib as bytes.
plain() {
	local number=${1%%[a-z]*}
	case $1 in
	*ms) echo "$number" ;;
	*s) echo $((number * 1000)) ;;
	*m) echo $((number * 60000)) ;;
	*kib) echo $((number << 10)) ;;
	*mib) echo $((number << 20)) ;;
	*) echo "$number" ;;
	esac
}

# Behind a row stands a comment where no option has this value: the constant, and the file where it is.
@test "minats-guarantees(7) knows the limits that do not change" {
	local line value='' name file source count=0
	while read -r line; do
		case $line in
		'.It '[0-9]*) value=${line#.It } ;;
		[0-9]*'; '*) value=${line%%;*} ;;
		'.\" '[A-Z]*_*' src/'*)
			read -r _ name file <<<"$line"
			source=$(sed -nE "s/.*\\b$name = ([0-9 <*]+).*/\\1/p" "$file")
			[[ -n $source ]] && ((source == $(plain "$value"))) || fail "$name is $source, not $value"
			((count += 1))
			;;
		esac
	done <man/minats-guarantees.7
	((count >= 16))
}

@test "each promise of minats-guarantees(7) names tests that there are" {
	local file promises
	promises=$(awk '
		/^\.It($| Ic| [0-9])/ { if (open) print "line " open; open = NR }
		open && /Pa tests\// { open = 0; count++ }
		END { if (open) print "line " open; print count }' man/minats-guarantees.7)
	[[ $promises =~ ^[0-9]+$ ]] && ((promises > 60)) || fail "a promise without a test: $promises"
	for file in $(grep -oE 'tests/[A-Za-z0-9_./-]+' man/minats-guarantees.7 | sort -u) SECURITY.md; do
		[[ -s $file ]] || fail "there is no $file"
	done
}

@test "the man pages are well-formed" {
	local page said
	for page in man/*; do
		said=$(mandoc -Tlint -Wwarning "$page") || fail "$said"
		[[ -z $said ]] || fail "$said"
		man -l "$page" >/dev/null 2>&1 || mandoc "$page" >/dev/null
	done
}
