#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Users, permissions and accounts of the configuration file: with the same file a nats-server gives the same answers to
# the same conversations.
# shellcheck disable=SC2016,SC2034 # variables of the file's, and what is for lib.bash

load lib.bash

setup() {
	lib_setup
	FILE=$DIR/test.conf
	# bcrypt's, of sesame
	HASH='$2a$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW'
	NKEY=UDLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRUVAL
}

teardown() {
	# What lib_teardown asks of a broker takes a CONNECT that is accepted.
	PORT=
	lib_teardown
}

# write LINE...: becomes FILE.
write() {
	printf '%s\n' "$@" >"$FILE"
}

# heard NAME: prints all that comes up to a PONG, or the end.
heard() {
	LINE=
	while [[ $LINE != PONG ]] && read_line "$1" 2>/dev/null; do
		[[ $LINE == PING ]] || printf '%s\n' "$LINE"
	done
	[[ $LINE == PONG ]] || echo '(the end)'
}

# chat FIELDS LINE...: a client that sends CONNECT with these fields, and the lines; what it hears is printed.
chat() {
	open chat
	hear_info chat
	jq -c '{auth_required, nonce: (.nonce | type), max_payload}' <<<"$INFO_JSON"
	say chat "CONNECT {\"verbose\":false,\"headers\":true${1:+,$1}}" "${@:2}" PING
	heard chat
	close chat
}

# alike FUNCTION: prints the same with either broker and FILE; not nothing.
alike() {
	need_nats_server
	start_broker -c "$FILE"
	"$1" >"$DIR/ours"
	PORT=
	stop_broker
	MINATS=$REAL start_broker -c "$FILE"
	"$1" >"$DIR/theirs"
	PORT=
	stop_broker
	[[ $(wc -l <"$DIR/ours") -ge 6 ]] || fail "too short: $(<"$DIR/ours")"
	diff "$DIR/ours" "$DIR/theirs"
}

tokens() {
	chat '"auth_token":"open"' 'SUB a 1' 'PUB a 1' x
	chat '"auth_token":"opening"' 'SUB a 1'
	chat ''
	chat '"user":"open"'
	chat '"user":"a","pass":"open"'
}

@test "live: a token" {
	write 'authorization {' ' token: open' ' timeout: 5' '}'
	alike tokens
	write "authorization: {token: \"$HASH\"}"
	alike tokens
}

passwords() {
	local user
	for user in joe jim jane; do
		chat "\"user\":\"$user\",\"pass\":\"sesame\"" 'PUB a 0' ''
		chat "\"user\":\"$user\",\"pass\":\"other\""
		chat "\"user\":\"$user\""
	done
}

@test "live: a single user" {
	write 'authorization { user: joe, password: sesame }'
	alike passwords
}

@test "live: passwords, plain and bcrypt, and variables" {
	write "HASH: \"$HASH\"" 'authorization {' ' users = [' '  {user: joe, password: sesame}' \
		"  {username: jim, pass: $HASH}" '  {user: jane, password: $HASH}' ' ]' '}'
	alike passwords
}

# In which of its subscriptions a client hears of a message first is nobody's business.
permissions() {
	local user
	for user in joe jim jack jill ann; do
		chat "\"user\":\"$user\",\"pass\":\"p\"" 'SUB a.b 1' 'SUB a.* 2' 'SUB > 3' 'SUB b q 4' 'SUB b 5' 'SUB b r 6' 'PUB a.b 1' x \
			'PUB a.c 1' y 'PUB b 1' z 'PUB c.d 1' w | sort
	done
}

@test "live: permissions" {
	write 'authorization {' 'default_permissions = { publish: "a.*", subscribe: "a.>" }' 'users = [' \
		'{user: joe, password: p}' \
		'{user: jim, password: p, permissions: {}}' \
		'{user: jack, password: p, permissions: {publish: ["a.b", "b"], subscribe: {allow: [">"], deny: ["a.c"]}}}' \
		'{user: jill, password: p, permissions { pub { deny: [a.b, "c.>"] }, sub: ["b q", "a.b"] } }' \
		'{user: ann, password: p, permission: {import: {allow: ">", deny: "b"}, export: {deny: ">"}, }}' \
		']}'
	alike permissions
}

# The one asks, the other answers once, and once too often.
responses() {
	local line
	open asker
	hear_info asker
	say asker 'CONNECT {"verbose":false,"user":"asker","pass":"p"}' 'SUB _INBOX.> 1' PING
	heard asker
	open worker
	hear_info worker
	say worker 'CONNECT {"verbose":false,"user":"worker","pass":"p"}' 'SUB jobs q 1' PING
	heard worker
	say asker 'PUB jobs _INBOX.1 1' x PING
	heard asker
	say worker PING
	heard worker
	for line in 1 2 3; do
		say worker 'PUB _INBOX.1 1' $line PING
		heard worker
	done
	say worker 'PUB _INBOX.2 1' 4 PING
	heard worker
	say asker PING
	heard asker
	close_all
}

@test "live: answers are allowed" {
	write 'authorization {' ' users = [' '  {user: asker, password: p}' \
		'  {user: worker, password: p, permissions: {subscribe: jobs, allow_responses: {max: 2, expires: "1m"}}}' ' ]' '}'
	alike responses
	write 'authorization { users = [ {user: asker, password: p}' \
		'{user: worker, password: p, permissions: {subscribe: "jobs q", publish: "x", allow_responses: true}} ] }'
	alike responses
}

# sign NONCE: as the owner of NKEY, whose seed is the first of RFC 8032.
sign() {
	local key=302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60
	# shellcheck disable=SC2059 # a format of bytes
	printf "$(sed 's/../\\x&/g' <<<"$key")" >"$DIR/key"
	printf %s "$1" >"$DIR/nonce"
	openssl pkeyutl -sign -rawin -inkey "$DIR/key" -keyform DER -in "$DIR/nonce" | base64 -w0 | tr '+/' '-_' | tr -d =
}

nkeys() {
	local nkey=$NKEY signature
	for nkey in "$NKEY" "${NKEY/UDLV/UDLW}"; do
		open chat
		hear_info chat
		jq -c '{auth_required, nonce: (.nonce | length)}' <<<"$INFO_JSON"
		signature=$(sign "$(jq -r .nonce <<<"$INFO_JSON")")
		say chat "CONNECT {\"verbose\":false,\"nkey\":\"$nkey\",\"sig\":\"$signature\"}" 'SUB a 1' 'PUB a 1' x PING
		heard chat
		close chat
	done
	chat "\"nkey\":\"$NKEY\",\"sig\":\"$signature\""
	chat "\"nkey\":\"$NKEY\""
	chat '"user":"joe","pass":"p"'
}

@test "live: nkeys" {
	write "authorization { users = [ {nkey: $NKEY}, {user: joe, password: p} ] }"
	alike nkeys
}

# What joe says in his account, ann in the other one does not hear, nor who has none.
accounts() {
	local user
	for user in joe ann bob; do
		open $user
		hear_info $user
		say $user "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true,\"user\":\"$user\",\"pass\":\"p\"}" 'SUB > 1' PING
		heard $user
	done
	for user in joe ann bob; do
		say $user "PUB from.$user 1" x 'SUB _R 2' 'UNSUB 1' 'PUB ask _R 0' '' PING
		heard $user
	done
	for user in joe ann bob; do
		say $user PING
		heard $user
	done
	close_all
	chat '"user":"joe","pass":"q"'
	chat '"user":"nobody","pass":"p"'
	chat ''
}

@test "live: two accounts" {
	write 'accounts {' ' A { users = [ {user: joe, password: p} ] }' ' B: {' \
		'  default_permissions: {publish: {deny: secret}}' '  users: [ {user: ann, password: p} ]' ' }' '}' \
		'authorization { users = [ {user: bob, password: p} ] }'
	alike accounts
}

defaults() {
	chat '' 'SUB a 1' 'PUB a 1' x 'PUB b 1' y
	chat '"pass":"x"' 'PUB a 0' ''
	chat '"user":"joe","pass":"p"' 'SUB b 1' 'PUB b 1' y
	chat '"user":"joe","pass":"x"'
}

@test "live: no_auth_user" {
	write 'accounts { A { users = [ {user: joe, password: p}' \
		' {user: guest, password: unknown, permissions: {publish: a, subscribe: a}} ] } }' 'no_auth_user: guest'
	alike defaults
}

@test "live: what is wrong with users" {
	local broken
	need_nats_server
	for broken in 'authorization {user: a, password: b, token: c}' 'authorization {user: a, password: b, users: [{user: c}]}' \
		'authorization {token: a, users: [{user: c, password: d}]}' 'authorization {users: [{password: c}]}' \
		'authorization {users: [{user: a, password: b}, {user: a, password: c}]}' 'authorization {users: {user: a}}' \
		'authorization {nonsense: 1}' 'authorization {users: [{user: a, password: b, nonsense: 1}]}' \
		'authorization {users: [{nkey: UABC}]}' "authorization {users: [{nkey: $NKEY, user: a, password: b}]}" \
		'authorization {users: [{user: a, password: b, permissions: {publish: "a..b"}}]}' \
		'authorization {users: [{user: a, password: b, permissions: {subscribe: "a b c"}}]}' \
		'authorization {users: [{user: a, password: b, permissions: {nonsense: 1}}]}' \
		'authorization {users: [{user: a, password: b, permissions: {allow_responses: "x"}}]}' \
		'authorization {users: [{user: a, password: b, allowed_connection_types: [NONSENSE]}]}' \
		'authorization {timeout: soon}' 'accounts {A: 1}' 'accounts {A: {nonsense: 1}}' 'accounts {"$G": {}}' \
		'accounts {A: {users: [{user: a, password: b}]}, B: {users: [{user: a, password: b}]}}' \
		'accounts [A, A]' 'accounts {A: {users: [{user: a, password: b}]}}; authorization {user: c, password: d}'; do
		write "$broken"
		run -1 "$MINATS" -t -c "$FILE"
		[[ $output == *"$FILE:1:"* ]] || fail "$broken: $output"
		EXIT_STATUS=0
		"$REAL" -t -c "$FILE" >/dev/null 2>&1 || EXIT_STATUS=$?
		((EXIT_STATUS == 1)) || printf '%s\n' "$broken" >>"$DIR/strict"
	done
	[[ ! -e $DIR/strict ]] || fail "nats-server takes: $(<"$DIR/strict")"
}

@test "no secret is told, whatever is wrong with it" {
	ours 'messages of its own'
	local broken
	for broken in 'authorization {users: [{user: a, password: 1234567}]}' 'authorization {token: [1234567]}' \
		'authorization {user: a, password: $1234567}' 'authorization {user: a, password: 1234567 b}' \
		'authorization {password: "1234567"}' 'authorization {user: a, password: "1234567", token: "1234567"}' \
		'authorization {users: [{user: a, password: "$2b$04$1234567"}]}' 'authorization {user: a, password: 12345671234567123456712}'; do
		write "$broken"
		run -1 "$MINATS" -t -c "$FILE"
		[[ $output == *"$FILE:1:"* && $output != *1234567* ]] || fail "$broken: $output"
	done
}

@test "the kernel's word is enough for a peer on a Unix socket" {
	ours peers
	write "listen: [\"127.0.0.1:-1\", \"unix:$DIR/socket\"]" 'authorization { users: [' \
		"  {user: me, peer_uid: $(id -u), peer_gid: $(id -g), permissions: {publish: mine}}" \
		'  {user: other, peer_uid: 54321}' '] }'
	spawn "$MINATS" -c "$FILE" --ports_file_dir "$DIR"
	await_ports
	chat '' >"$DIR/heard"
	grep -q 'Authorization Violation' "$DIR/heard"
	printf 'CONNECT {"verbose":false}\r\nPUB mine 0\r\n\r\nPUB yours 0\r\n\r\nPING\r\n' |
		timeout 10 nc -N -U "$DIR/socket" >"$DIR/heard"
	[[ $(sed 1d "$DIR/heard") == $'-ERR \'Permissions Violation for Publish to "yours"\'\r\nPONG\r' ]] || fail "$(<"$DIR/heard")"
	write 'authorization { users: [ {user: a, peer_uid: -1} ] }'
	refuses "$FILE:1:36: peer_uid: a number from 0" -- -t -c "$FILE"
	write 'authorization { users: [ {user: a, peer_unit: backup} ] }'
	refuses "$FILE:1:36: peer_unit: the whole name" -- -t -c "$FILE"
}

@test "the command line's user takes the place of the file's" {
	write 'authorization { user: joe, password: p }'
	start_broker -c "$FILE" --user ann --pass q
	chat '"user":"ann","pass":"q"' >"$DIR/heard"
	[[ $(tail -n 1 "$DIR/heard") == PONG ]]
	chat '"user":"joe","pass":"p"' >"$DIR/heard"
	grep -q 'Authorization Violation' "$DIR/heard"
}

### Reload

# reload LINE...: it goes well.
reload() {
	write "$@"
	: >"$LOG"
	kill -HUP "$BROKER_PID"
	await_log 'Reloaded server configuration|Failed to reload'
	log_has 'Reloaded server configuration'
}

# enter NAME USER: with password p; also SUB a and b.
enter() {
	open "$1"
	hear_info "$1"
	say "$1" "CONNECT {\"verbose\":false,\"user\":\"$2\",\"pass\":\"p\"}" 'SUB a 1' 'SUB b 2' PING
	hear "$1" PONG
}

@test "a reload asks everybody again" {
	write 'authorization { users: [ {user: a, password: p}, {user: b, password: p}, {user: c, password: p}, {user: d, password: p} ] }'
	start_broker -c "$FILE"
	local name
	for name in a b c d; do
		enter $name $name
	done
	reload 'authorization { users: [ {user: a, password: p}, {user: b, password: q}' \
		' {user: d, password: p, permissions: {subscribe: a}} ] }'
	hear_nothing a
	hear_refusal b 'Authorization Violation'
	hear_closed c
	hear d "-ERR 'Permissions Violation for Subscription to \"b\" (sid \"2\")'"
	say a 'PUB a 1' x 'PUB b 1' y
	hear d 'MSG a 1 1' x
	hear_nothing d
	hear a 'MSG a 1 1' x 'MSG b 2 1' y
}

@test "with the last user gone everybody may come in, and none is asked when all is well" {
	write 'authorization: {token: x}'
	start_broker -c "$FILE"
	chat '' >"$DIR/heard"
	grep -q 'Authorization Violation' "$DIR/heard"
	reload 'max_payload: 1000'
	chat '' >"$DIR/heard"
	grep -q PONG "$DIR/heard"
	reload 'authorization: {token: x}'
	chat '"auth_token":"x"' >"$DIR/heard"
	grep -q PONG "$DIR/heard"
}

it_asks_again() {
	enter a a
	enter b b
	write 'authorization { users: [ {user: a, password: p} ] }'
	WAY=$WAY replace
	hear_closed b
	hear_nothing a
	write 'authorization { users: [ {user: a, password: p}, {user: b, password: p} ] }'
}

# As hand_over, whose fence may not come in.
replace() {
	case $WAY in
	exec) replace_broker ;;
	restart) supervise restart ;;
	esac
}

@test "whom a new process does not find in its file is gone" {
	ours hand-overs
	write 'authorization { users: [ {user: a, password: p}, {user: b, password: p} ] }'
	for WAY in exec restart; do
		[[ $WAY == exec || ${SUPERVISOR:-} != none ]] || continue
		if [[ $WAY == exec ]]; then
			start_broker -c "$FILE"
		else
			start_supervised 127.0.0.1:0 -- "$MINATS" --ports_file_dir "$DIR" -c "$FILE"
		fi
		it_asks_again
		close_all
		PORT=
		stop_broker
	done
}
