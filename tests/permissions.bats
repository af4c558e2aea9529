#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What users may publish and subscribe to, as the configuration says (PROTOCOL 10.7). Joe has permissions, Jim may do
# everything, as may who does not say who he is.

load lib.bash

setup() {
	lib_setup
	FILE=$DIR/test.conf
	REAL=$ROOT/build/tests/clients/bin/nats-server
}

# allow LINE...: becomes FILE, with these lines as Joe's permissions.
allow() {
	printf '%s\n' 'authorization {' ' users = [' '  { user: joe, password: x, permissions: {' "$@" \
		'  } }' '  { user: jim, password: x }' ' ]' '}' 'no_auth_user: jim' >"$FILE"
}

# serve LINE...: a broker with these permissions of Joe's, and both of them connected.
serve() {
	allow "$@"
	start_broker -c "$FILE"
	join joe '"user":"joe","pass":"x"'
	join jim
}

# reload: FILE, and until it holds.
reload() {
	local before
	before=$(grep -c 'Reloaded server configuration' "$LOG" || true)
	kill -HUP "$BROKER_PID"
	await has_reloaded "$before"
}

has_reloaded() {
	(($(grep -c 'Reloaded server configuration' "$LOG") > $1))
}

# denies PUBLISH|SUBSCRIPTION NAME TEXT: what NAME hears next.
denies() {
	hear "$2" "-ERR 'Permissions Violation for $1 to $3'"
}

@test "publish: allow and deny, and the connection goes on" {
	serve 'publish: { allow: ["a.*", b], deny: a.secret }'
	say jim 'SUB > 1'
	hear_nothing jim
	say joe 'PUB a.b 2' hi 'PUB a 2' hi 'PUB a.secret 2' hi 'PUB a.b.c 0' '' 'PUB b 2' hi 'PUB x"y 0' '' PING
	denies Publish joe '"a"'
	denies Publish joe '"a.secret"'
	denies Publish joe '"a.b.c"'
	denies Publish joe '"x\"y"'
	hear joe PONG
	hear jim 'MSG a.b 1 2' hi 'MSG b 1 2' hi
	hear_nothing jim
}

@test "what is denied is no +OK, and what is allowed is one" {
	serve 'publish: a' 'subscribe: a'
	say joe 'CONNECT {"user":"joe","pass":"x","verbose":true,"pedantic":false}'
	hear joe +OK
	say joe 'PUB a 0' '' 'PUB b 0' '' 'SUB a 1' 'SUB b 2'
	hear joe +OK
	denies Publish joe '"b"'
	hear joe +OK
	denies Subscription joe '"b"'
}

@test "subscribe: one subject, a list, and a wildcard no wider than what is allowed" {
	serve 'subscribe: [a, "c.>"]'
	say joe 'SUB a 1' 'SUB b 2' 'SUB c.x 3' 'SUB c.* 4' 'SUB c.> 5' 'SUB c 6' 'SUB > 7' 'SUB * 8' 'SUB a q 9' PING
	denies Subscription joe '"b"'
	denies Subscription joe '"c"'
	denies Subscription joe '">"'
	denies Subscription joe '"*"'
	hear joe PONG
	say jim 'PUB b 0' '' 'PUB a 1' 1
	hear joe 'MSG a 1 1' 1 'MSG a 9 1' 1
	hear_nothing joe
}

@test "> is no token that * allows" {
	differs allow-wildcard
	serve 'subscribe: [a.*, "*"]'
	say joe 'SUB a.> 1' 'SUB > 2' 'SUB a.* 3'
	denies Subscription joe '"a.>"'
	denies Subscription joe '">"'
	say jim 'PUB a.b.c 0' '' 'PUB a.b 1' 1
	hear joe 'MSG a.b 3 1' 1
}

@test "queue groups: by name, by pattern, and none but those" {
	serve 'subscribe: ["a q", "b *.dev", c, "c v1"]'
	say joe 'SUB a 1' 'SUB a q 2' 'SUB a r 3' 'SUB b 4' 'SUB b x.dev 5' 'SUB b x.prod 6' 'SUB c 7' 'SUB c v1 8' 'SUB c v2 9' PING
	denies Subscription joe '"a"'
	denies Subscription joe '"a" using queue "r"'
	denies Subscription joe '"b"'
	denies Subscription joe '"b" using queue "x.prod"'
	denies Subscription joe '"c" using queue "v2"'
	hear joe PONG
}

@test "queue groups may be denied" {
	serve 'subscribe: { deny: ["a q", "b *.dev"] }'
	say joe 'SUB a 1' 'SUB a q 2' 'SUB a r 3' 'SUB b x.dev 4' 'SUB b x 5' PING
	denies Subscription joe '"a" using queue "q"'
	denies Subscription joe '"b" using queue "x.dev"'
	hear joe PONG
}

@test "what is denied does not come under a wildcard" {
	serve 'subscribe: { deny: [a.secret, "b.* q"] }'
	say joe 'SUB a.secret 1' 'SUB a.* 2' 'SUB *.x q 3'
	denies Subscription joe '"a.secret"'
	hear_nothing joe
	say jim 'PUB a.secret 1' 1 'PUB a.open 1' 2 'PUB b.x 1' 3 'PUB c.x 1' 4
	hear joe 'MSG a.open 2 1' 2 'MSG c.x 3 1' 4
	hear_nothing joe
}

@test "another member of the group gets what one is kept from" {
	serve 'subscribe: { deny: a.secret }'
	say joe 'SUB a.* q 1'
	say jim 'SUB a.* q 1'
	hear_nothing joe
	hear_nothing jim
	local count
	for ((count = 0; count < 20; count++)); do
		say jim 'PUB a.secret 1' "${count: -1}"
		hear jim 'MSG a.secret 1 1' "${count: -1}"
	done
	hear_nothing joe
}

@test "who is kept from a request is no responder, and a denied request has none either" {
	serve 'subscribe: { deny: svc }' 'publish: { deny: not }'
	say joe 'SUB > 1'
	hear_nothing joe
	say jim 'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}' 'SUB r 1' \
		'PUB svc r 0' ''
	hear jim 'HMSG r 1 35 35' 'NATS/1.0 503' 'Nats-Subject: svc' '' ''
	say joe 'CONNECT {"user":"joe","pass":"x","verbose":false,"pedantic":false,"headers":true,"no_responders":true}' 'SUB r 2' \
		'PUB not r 0' '' PING
	denies Publish joe '"not"'
	hear joe PONG
}

@test "permission comes before other complaints about a subscription" {
	allow 'subscribe: [ok, "ok.>"]'
	printf '%s\n' 'max_subscriptions: 1' 'max_sub_tokens: 3' >>"$FILE"
	start_broker -c "$FILE"
	join joe '"user":"joe","pass":"x"'
	say joe 'SUB ok 1' 'SUB no 1' 'SUB no 2' 'SUB ok 2' 'SUB no.a.b.c 3' 'SUB ok.a.b.c 3' 'SUB no..x 3'
	denies Subscription joe '"no"'
	denies Subscription joe '"no"'
	hear joe "-ERR 'maximum subscriptions exceeded'"
	denies Subscription joe '"no.a.b.c"'
	denies Subscription joe '"ok.a.b.c", too many tokens'
	denies Subscription joe '"no..x"'
}

@test "allow_responses: a service answers once, and publishes nothing else" {
	serve 'subscribe: svc' 'allow_responses: true'
	say jim 'SUB re.* 1'
	hear_nothing jim
	say joe 'SUB svc 1' 'PUB re.1 0' ''
	denies Publish joe '"re.1"'
	say jim 'PUB svc re.1 1' '?'
	hear joe 'MSG svc 1 re.1 1' '?'
	say joe 'PUB re.2 0' '' 'PUB re.1 1' '!' 'PUB re.1 1' '!' 'PUB svc 0' ''
	denies Publish joe '"re.2"'
	denies Publish joe '"re.1"'
	denies Publish joe '"svc"'
	hear jim 'MSG re.1 1 1' '!'
	hear_nothing jim
}

@test "allow_responses: max and expires" {
	serve 'subscribe: svc' 'allow_responses: { max: 2, expires: "300ms" }'
	say joe 'SUB svc 1'
	hear_nothing joe
	say jim 'PUB svc re.1 0' '' 'PUB svc re.2 0' ''
	hear joe 'MSG svc 1 re.1 0' '' 'MSG svc 1 re.2 0' ''
	say joe 'PUB re.1 0' '' 'PUB re.1 0' '' 'PUB re.1 0' ''
	denies Publish joe '"re.1"'
	hear_nothing joe
	pause 0.5
	say joe 'PUB re.2 0' ''
	denies Publish joe '"re.2"'
}

# As nats-server answers.
@test "allow_responses: who asks himself may answer himself, once" {
	serve 'publish: ask' 'subscribe: ask' 'allow_responses: true'
	say joe 'SUB ask 1' 'PUB forbidden 1' 1 PING
	hear joe "-ERR 'Permissions Violation for Publish to \"forbidden\"'" PONG
	say jim 'SUB forbidden 1'
	hear_nothing jim
	say joe 'PUB ask forbidden 1' 2 'PUB forbidden 1' 3 'PUB forbidden 1' 4 PING
	hear joe 'MSG ask 1 forbidden 1' 2 "-ERR 'Permissions Violation for Publish to \"forbidden\"'" PONG
	hear jim 'MSG forbidden 1 1' 3
	hear_nothing jim
}

@test "allow_responses goes beyond what else is allowed and denied" {
	serve 'subscribe: svc' 'publish: { allow: pub, deny: re.1 }' 'allow_responses: true'
	say jim 'SUB re.* 1'
	hear_nothing jim
	say joe 'SUB svc 1' 'PUB pub 0' '' 'PUB re.1 0' ''
	denies Publish joe '"re.1"'
	say jim 'PUB svc re.1 0' ''
	hear joe 'MSG svc 1 re.1 0' ''
	say joe 'PUB re.1 1' '!' 'PUB re.1 1' '!'
	denies Publish joe '"re.1"'
	hear jim 'MSG re.1 1 1' '!'
}

@test "each of two messages with the same reply may be answered" {
	differs response-each
	serve 'subscribe: svc' 'allow_responses: true'
	say joe 'SUB svc 1'
	hear_nothing joe
	say jim 'SUB re 1' 'PUB svc re 0' '' 'PUB svc re 0' ''
	hear joe 'MSG svc 1 re 0' '' 'MSG svc 1 re 0' ''
	say joe 'PUB re 1' 1 'PUB re 1' 2 'PUB re 1' 3
	denies Publish joe '"re"'
	hear jim 'MSG re 1 1' 1 'MSG re 1 1' 2
}

@test "default_permissions are those of who has none of his own" {
	printf '%s\n' 'authorization {' ' default_permissions: { publish: a }' ' users = [' '  { user: joe, password: x }' \
		'  { user: jim, password: x, permissions: {} }' '  { user: jane, password: x, permissions: { publish: b } }' ' ]' \
		'}' 'no_auth_user: jim' >"$FILE"
	start_broker -c "$FILE"
	join joe '"user":"joe","pass":"x"'
	join jim
	join jane '"user":"jane","pass":"x"'
	say joe 'PUB a 0' '' 'PUB b 0' ''
	denies Publish joe '"b"'
	say jim 'PUB a 0' '' 'PUB b 0' ''
	hear_nothing jim
	say jane 'PUB b 0' '' 'PUB a 0' ''
	denies Publish jane '"a"'
}

@test "a reload takes subscriptions away that are not allowed any more" {
	serve
	say joe 'SUB ok 1' 'SUB no 2' 'SUB no"q q"q s"3' 'SUB > 4' 'SUB ok q 5'
	hear_nothing joe
	allow 'subscribe: ok' 'publish: ok'
	reload
	local -A told=()
	local count line
	for ((count = 0; count < 3; count++)); do
		IFS= read -r -t "$LIMIT_S" -u "${FD[joe]}" line
		told[${line%$'\r'}]=1
	done
	[[ -n ${told["-ERR 'Permissions Violation for Subscription to \"no\" (sid \"2\")'"]} ]]
	[[ -n ${told["-ERR 'Permissions Violation for Subscription to \"no\\\"q\" using queue \"q\\\"q\" (sid \"s\\\"3\")'"]} ]]
	[[ -n ${told["-ERR 'Permissions Violation for Subscription to \">\" (sid \"4\")'"]} ]]
	say jim 'PUB no 0' '' 'PUB ok 1' 1
	hear joe 'MSG ok 1 1' 1 'MSG ok 5 1' 1
	say joe 'PUB no 0' '' 'SUB no 6'
	denies Publish joe '"no"'
	denies Subscription joe '"no"'
	allow
	reload
	say joe 'PUB no 0' '' 'SUB no 6'
	hear_nothing joe
}

@test "a reload filters what comes under a wildcard" {
	serve
	say joe 'SUB a.* 1'
	hear_nothing joe
	allow 'subscribe: { deny: a.b }'
	reload
	say jim 'PUB a.b 1' 1 'PUB a.c 1' 2
	hear joe 'MSG a.c 1 1' 2
	allow
	reload
	say jim 'PUB a.b 1' 3
	hear joe 'MSG a.b 1 1' 3
}

@test "what was asked before a reload may be answered" {
	differs responses-reload
	serve 'subscribe: svc' 'allow_responses: { max: 2 }'
	say joe 'SUB svc 1'
	hear_nothing joe
	say jim 'SUB re 1' 'PUB svc re 0' ''
	hear joe 'MSG svc 1 re 0' ''
	allow 'subscribe: [svc, other]' 'allow_responses: true'
	reload
	say joe 'PUB re 1' 1 'PUB re 1' 2 'PUB re 1' 3
	denies Publish joe '"re"'
	hear jim 'MSG re 1 1' 1 'MSG re 1 1' 2
}

# What Joe may do is another thing for the process that goes on with him.
changed_permissions() {
	join joe '"user":"joe","pass":"x"'
	join jim
	say joe 'SUB > 1' 'SUB svc 2'
	hear_nothing joe
	say jim 'SUB re 1' 'PUB svc re 0' ''
	hear joe 'MSG svc 2 re 0' '' 'MSG svc 1 re 0' ''
	allow 'subscribe: svc' 'allow_responses: true'
	hand_over
	denies Subscription joe '">" (sid "1")'
	say joe 'PUB re 1' 1 'PUB re 1' 2 'PUB re 1' 3
	denies Publish joe '"re"'
	hear jim 'MSG re 1 1' 1 'MSG re 1 1' 2
	say jim 'PUB any 0' '' 'PUB svc 1' 1
	hear joe 'MSG svc 2 1' 1
	allow "${BEFORE[@]}"
}

@test "the process that goes on applies its own permissions" {
	ours 'the hand-over'
	BEFORE=('subscribe: { deny: a.b }' 'allow_responses: true')
	allow "${BEFORE[@]}"
	both changed_permissions -c "$FILE"
}

# answers WHAT...: what Joe hears when he does each of it, one to a line.
answers() {
	local what line sid=1
	join joe '"user":"joe","pass":"x"'
	for what in "$@"; do
		case $what in
		PUB*) say joe "$what 0" '' PING ;;
		SUB*) say joe "$what $((sid++))" PING ;;
		esac
		IFS= read -r -t "$LIMIT_S" -u "${FD[joe]}" line
		printf '%s -> %s\n' "$what" "${line%$'\r'}"
		[[ $line == PONG* ]] || hear joe PONG
	done
	close joe
}

@test "a table of permissions is decided as by a nats-server beside it" {
	ours 'a nats-server to be compared with'
	[[ -x $REAL ]] || skip 'needs a nats-server'
	local -a lists=(
		'publish: a.b' 'publish: a.*' 'publish: "a.>"' 'publish: ">"' 'publish: *.b' 'publish: []' 'publish: { deny: a.* }'
		'publish: { deny: ">" }' 'publish: { allow: ["a.>"], deny: [a.b] }' 'subscribe: a.b' 'subscribe: "a.>"'
		'subscribe: *.b' 'subscribe: a.*.c' 'subscribe: []' 'subscribe: { deny: a.b }' 'subscribe: { deny: a.* }'
		'subscribe: { deny: ">" }' 'subscribe: { deny: *.b }' 'subscribe: { allow: ["a.>"], deny: a.b }' 'subscribe: "a q"'
		'subscribe: [a, "a q"]' 'subscribe: "a *.dev"' 'subscribe: "a q.>"' 'subscribe: "> q"' 'subscribe: ["a.* q", a.b]'
		'subscribe: { deny: "a q" }' 'subscribe: { deny: [a, "a q"] }' 'subscribe: { deny: "> q" }'
		'subscribe: { allow: "a q", deny: a }' 'allow_responses: true' 'publish: a, allow_responses: true'
		'import: a.b, export: a.b' 'pub: a.b, sub: "a.>"'
	)
	local -a questions=()
	local subject list mine theirs minats=$MINATS
	# Nobody hears what is published: nothing is subscribed to yet.
	for subject in a a.b 'a.*' '>' '*' '*.b' a.b.c 'a.*.c' a..b; do
		questions+=("PUB $subject")
	done
	for subject in a a.b 'a.*' '>' '*' '*.b' a.b.c 'a.*.c' a..b; do
		questions+=("SUB $subject" "SUB $subject q" "SUB $subject q.dev")
	done
	for list in "${lists[@]}"; do
		allow "$list"
		start_broker -c "$FILE"
		mine=$(answers "${questions[@]}")
		stop_broker
		MINATS=$REAL
		start_broker -c "$FILE"
		theirs=$(answers "${questions[@]}")
		stop_broker
		MINATS=$minats
		[[ $mine == "$theirs" ]] || fail "$list: $(diff <(printf %s "$mine") <(printf %s "$theirs"))"
	done
}
