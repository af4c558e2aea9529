#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The configuration file is nats-server's: its grammar, its keys, its -c and -t; what is wrong is told with file, line
# and column, and what minats does not do is refused by name.
# shellcheck disable=SC2016,SC2153 # variables of the file's, and of lib.bash

load lib.bash

setup() {
	lib_setup
	FILE=$DIR/test.conf
}

# write LINE...: becomes FILE.
write() {
	printf '%s\n' "$@" >"$FILE"
}

# valid LINE...: a file of these lines passes -t.
valid() {
	write "$@"
	run -0 --separate-stderr "$MINATS" -t -c "$FILE"
	# shellcheck disable=SC2154 # bats sets it
	[[ $stderr == *"configuration file $FILE is valid"* ]] || fail "$stderr"
}

# invalid MESSAGE LINE...: one of these lines does not, and the message begins with file, line and column.
invalid() {
	local message=$1
	shift
	write "$@"
	refuses "$FILE:$message" -- -t -c "$FILE"
	refuses "$FILE:$message" -- -c "$FILE" -p -1
}

@test "a file's settings are in force" {
	write 'server_name: "hugo"' 'max_payload = 2kb' 'client_advertise "example.org:4333"' 'MAX_CONNECTIONS: 3'
	start_broker -c "$FILE"
	open c
	hear_info c
	[[ $(info server_name) == '"hugo"' && $(info max_payload) == 2048 ]]
	[[ $(info host) == '"example.org"' && $(info port) == 4333 ]]
	log_has "Using configuration file: $FILE"
	open d
	open e
	open f
	hear_info f
	hear_refusal f 'maximum connections exceeded'
}

@test "what the command line says holds" {
	write 'server_name: file' 'max_payload: 1kb' 'debug: true' 'host: 192.0.2.77' 'port: 1'
	# lib.bash gives host and port.
	start_broker -n argument -c "$FILE" -D=false
	join c
	open d
	hear_info d
	[[ $(info server_name) == '"argument"' && $(info max_payload) == 1024 ]]
	close d
	refute log_has '\[DBG\]'
}

@test "host and port may come from different places, and a list of addresses gives way" {
	local port
	port=$(free_port)
	write "listen: 127.0.0.2:$port"
	spawn "$MINATS" -c "$FILE" --ports_file_dir "$DIR"
	await_ports
	open c "$PORT" 127.0.0.2
	((PORT == port))
	stop_broker
	write 'listen: "127.0.0.2:1"'
	spawn "$MINATS" -c "$FILE" -p -1 --ports_file_dir "$DIR"
	await_ports
	open d "$PORT" 127.0.0.2
	stop_broker
	differs config-values
	write 'listen: ["127.0.0.2:1", "unix:/nowhere/at/all"]'
	start_broker -c "$FILE"
	join e
}

@test "listen may be several addresses" {
	ours 'several addresses'
	write "listen: [" '  "127.0.0.1:-1" # one' "  'unix:$DIR/socket'" ']'
	spawn "$MINATS" -c "$FILE" --ports_file_dir "$DIR"
	await_ports
	join c
	[[ -S $DIR/socket ]]
	invalid '1:1: listen: with several addresses' 'listen: [1, 2]' 'port: 3'
	invalid '2:2: listen: HOST:PORT' '' ' listen: [[1]]'
}

@test "-t checks and does not start" {
	valid 'port: 4222' 'server_name: a'
	refuses 'must specify [-c, --config]' -- -t
	refuses "$DIR/none.conf" 'o such file' -- -t -c "$DIR/none.conf"
	refuses "$DIR/none.conf" 'o such file' -- -c "$DIR/none.conf" -a 127.0.0.1 -p -1
	invalid '1:1: unknown field "foo"' 'foo: 1'
}

@test "a file that may be absent is not missed" {
	ours 'files that may be absent'
	start_broker -c "-$FILE"
	join c
	log_has "$FILE \(absent\)"
	stop_broker
	write 'server_name: there'
	start_broker --config="-$FILE"
	open d
	hear_info d
	[[ $(info server_name) == '"there"' ]]
	stop_broker
	write 'foo: 1'
	refuses 'unknown field' -- -c "-$FILE" -a 127.0.0.1 -p -1
	mkdir "$DIR/closed.conf"
	refuses "$DIR/closed.conf" -- -c "-$DIR/closed.conf" -a 127.0.0.1 -p -1
}

@test "all that is wrong is told at once" {
	ours 'all complaints at once'
	write 'port: "x"' 'foo: 1' '# fine' 'debug: 7;  logtime: maybe' 'max_payload: 3e'
	refuses "$FILE:1:1: port: a number was expected, not a text" "$FILE:2:1: unknown field \"foo\"" \
		"$FILE:4:1: debug: true or false was expected, not a number" "$FILE:4:12: logtime: true or false" \
		"$FILE:5:1: max_payload: a number from 1 to 999999999 was expected" -- -t -c "$FILE"
	[[ $(wc -l <"$DIR/stderr") == 5 ]]
}

@test "keys of what is not there are refused by name, unless they say that it is off" {
	differs features
	local row key name
	for row in 'jetstream:JetStream' 'http_port:monitoring' 'tls:TLS' 'cluster:clustering' 'leafnodes:leaf nodes' \
		'mqtt:MQTT' 'websocket:WebSocket' 'gateway:gateways' 'operator:operator mode' 'LeafNodes:leaf nodes' \
		'remote_syslog:logging to a remote syslog' 'log_size_limit:rotation' 'mappings:subject mapping' \
		'proxy_protocol:PROXY protocol' 'trace_headers:trace of headers alone'; do
		key=${row%%:*} name=${row#*:}
		invalid "2:3: $key: minats has no $name" '' "  $key: 1"
		valid "$key: false"
	done
	valid 'no_system_account: true'
	invalid '1:1: no_system_account: minats has no system account' 'no_system_account: false'
}

@test "grammar: assignments, comments, sizes, times, texts" {
	valid '# a' 'debug = true; trace: false, logtime off // b' '"max_payload": 1MB' 'PING_INTERVAL "1m30s"' \
		"server_name: 'x'" 'write_deadline: 500ms' 'max_pending: 64m'
	valid '{"debug": true, "ping_max": 3, "max_control_line": 4096}'
	invalid '3:8: this " has no other one' 'debug: true' '' 'host:  "abc'
	invalid '1:13: ",", ";" or a new line was expected, not "t"' 'debug: true trace: false'
	invalid '2:1: a key was expected, not "="' '' '= 1'
	invalid '1:8: this number is too large' 'port:  99999999999999999999'
	differs config-values
	invalid '1:1: ping_interval: a time from 0.001s to 86400s was expected, not 2000000 seconds' 'ping_interval: 2m'
}

@test "variables come from the file and from the environment" {
	write 'NAME: "varied"' 'server_name: $NAME' 'max_payload: $FROM_OUTSIDE'
	FROM_OUTSIDE=3kb start_broker -c "$FILE"
	open c
	hear_info c
	[[ $(info server_name) == '"varied"' && $(info max_payload) == 3072 ]]
	write 'max_payload: $FROM_OUTSIDE'
	refuses "variable reference for 'FROM_OUTSIDE'" -- -t -c "$FILE"
}

@test "files include files, relative to themselves" {
	mkdir -p "$DIR/sub/more"
	printf 'include "more/b.conf"\n' >"$DIR/sub/a.conf"
	printf 'server_name: included\n' >"$DIR/sub/more/b.conf"
	write 'include ./sub/a.conf' 'debug: true'
	start_broker -c "$FILE"
	open c
	hear_info c
	[[ $(info server_name) == '"included"' ]]
	printf '\n  nonsense: 1\n' >"$DIR/sub/more/b.conf"
	refuses sub/more/b.conf:2:3 nonsense -- -t -c "$FILE"
	differs config-grammar
	write "include ${FILE##*/}"
	refuses "$FILE:1:1" 'would include itself' -- -t -c "$FILE"
	write "include none.conf"
	refuses "$FILE:1:1: cannot include $DIR/none.conf: No such file" -- -t -c "$FILE"
}

@test "numbers stand for times, and 0 and -1 for defaults and no limit" {
	valid 'ping_max: 0' 'max_control_line: 0' 'max_subscriptions: -1' 'max_pending: 0' 'host: ""' 'server_name: ""'
	differs config-values
	valid 'ping_interval: 30' 'lame_duck_duration: 60' 'max_traced_msg_len: -1'
	invalid '1:1: max_payload: a number from 1' 'max_payload: -1'
	invalid '1:1: max_connections: a number from 1' 'max_connections: 0'
	refuses 'max_payload: 2048 is more than max_pending (1024)' -- -t -c <(echo 'max_payload: 2kb; max_pending: 1kb')
}

### The same files and the same conversations, here and there

# chat TEXT: a client says it, and prints all that it hears up to the end or the PONG.
chat() {
	open chat
	read_line chat
	[[ $LINE != INFO* ]] || jq -c '{server_name: (.server_name | length == 56), max_payload, headers, proto, auth_required}' \
		<<<"${LINE#INFO }"
	say_raw chat "$1\\r\\nPING\\r\\n"
	LINE=
	while [[ $LINE != PONG ]] && read_line chat 2>/dev/null; do
		printf '%s\n' "$LINE"
	done
	close chat
}

# converse_with BROKER: all that clients may hear of it with FILE.
converse_with() {
	local MINATS=$1
	start_broker -c "$FILE" >&2 || return
	chat 'CONNECT {"verbose":true,"headers":true}\r\nSUB foo.* 1\r\nSUB bar q 2\r\nSUB baz 3\r\nPUB foo.x 2\r\nhi\r\nPUB bar re 3\r\nabc\r\nUNSUB 3\r\nPUB baz 0\r\n'
	chat 'CONNECT {"verbose":false}\r\nSUB a.b.c.d.e 1'
	chat 'CONNECT {"verbose":false}\r\nPUB big 5000'
	chat "CONNECT {\"verbose\":false}\\r\\nSUB $(printf '%3000s' x | tr ' ' y) 1"
	chat 'CONNECT {"verbose":false}\r\nSUB 1 1\r\nSUB 2 2\r\nSUB 3 3\r\nSUB 4 4'
	stop_broker >&2
}

alike() {
	need_nats_server
	converse_with "$MINATS" >"$DIR/ours"
	converse_with "$REAL" >"$DIR/theirs"
	[[ $(wc -l <"$DIR/ours") -gt 10 ]] || fail "too short: $(<"$DIR/ours")"
	diff "$DIR/ours" "$DIR/theirs"
}

@test "live: a plain file" {
	write '# A plain server' 'server_name: plain' 'port: 4222' 'host: 0.0.0.0' 'logtime: true' 'debug: false' \
		'ping_interval: "2m"' 'ping_max: 2' 'write_deadline: "10s"' 'lame_duck_duration: "2m"' \
		'lame_duck_grace_period: "10s"' "pid_file: \"$DIR/pid\"" 'max_connections: 64k'
	alike
	[[ -s $DIR/pid ]]
}

@test "live: limits" {
	write 'max_payload: 4kb; max_control_line: 2kb' 'max_subs: 3' 'max_sub_tokens = 4' 'max_pending 1MB' 'max_conn: 5'
	alike
}

@test "live: includes with variables" {
	mkdir "$DIR/parts"
	printf 'max_control_line: 1kb\n' >"$DIR/parts/more.conf"
	write 'LIMIT = 2kb' 'TOKENS: 3' 'max_payload $LIMIT' 'include "parts/more.conf"' 'max_sub_tokens: $TOKENS' \
		'no_header_support: $FROM_OUTSIDE'
	FROM_OUTSIDE=true alike
}

# Both name the same lines.
@test "live: everything wrong" {
	need_nats_server
	write 'port: "x"' 'debug: 1' 'foo: bar' 'cluster_: {a: 1}' 'max_payload: big' 'lame_duck_duration: "1s"' \
		'logtime: "yes"' 'ping_max: 1.5' 'write_deadline: soon'
	run -1 --separate-stderr "$MINATS" -t -c "$FILE"
	grep -oE 'test.conf:[0-9]+' <<<"$stderr" | sort -u >"$DIR/ours"
	run -1 --separate-stderr "$REAL" -t -c "$FILE"
	grep -oE 'test.conf:[0-9]+' <<<"$stderr" | sort -u >"$DIR/theirs"
	[[ $(wc -l <"$DIR/ours") == 9 ]] || fail "$(<"$DIR/ours")"
	diff "$DIR/ours" "$DIR/theirs"
	local broken
	for broken in 'a: [1' 'a {b: 1' 'a: "b' '= 1' 'a b c' 'a: $NOT_THERE' 'include "none.conf"' 'a: 99999999999999999999' \
		'a:' 'a: "\q"'; do
		write "$broken"
		run -1 "$MINATS" -t -c "$FILE"
		run -1 "$REAL" -t -c "$FILE"
	done
}

# nested DEPTH: so many maps, one in another.
nested() {
	perl -e 'print "a { " x $ARGV[0], "b: 1", " }" x $ARGV[0]' "$1"
}

# chain COUNT: 0.conf includes 1.conf, and so on.
chain() {
	local at
	for ((at = 1; at <= $1; at++)); do
		echo "include \"$at.conf\"" >"$DIR/$((at - 1)).conf"
	done
	echo 'debug: true' >"$DIR/$1.conf"
}

@test "nesting and includes have a limit" {
	# The file itself is the first.
	write "$(nested 63)"
	refuses 'unknown field "a"' -- -t -c "$FILE"
	write "$(nested 64)"
	refuses 'more than 64 maps and arrays one in another' -- -t -c "$FILE"
	chain 16
	"$MINATS" -t -c "$DIR/0.conf"
	chain 17
	refuses 'more than 16 files one included by another' -- -t -c "$DIR/0.conf"
}
