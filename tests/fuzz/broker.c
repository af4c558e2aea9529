/* SPDX-License-Identifier: MIT */
/*
 * Several clients on one router, at the limits of a broker in use.
 *
 * An input is what the clients say, with marks in it, each a '|' and one byte:
 *
 *   |a to |d   what follows is said by this client
 *   |A to |D   this client leaves, and another takes its place; it speaks next
 *   |0 to |9   so many bytes of filling: 4, 16, 64, ... 1048576
 *   |p to |t   this client has other permissions from now on, the last none
 *   |#         likewise this one, and the next is asked who he is: nobody, or who has an 'a' in his
 *              name, is in one account, who has a 'b' in another, all others have to go
 *   |@         a minute goes by; memory that nobody needs is given back
 *   |^         somebody watches from now on, or no longer
 *   |-         a piece ends here: more of it comes later
 *   |!         large messages are read straight to their place from now on, or no longer
 *   |~         this client stops reading, or reads all that there is and goes on
 *   |%         it reads some of it
 *   ||         is one '|'
 *
 * Whatever they say, each hears nothing but whole operations of a server, and in the end nothing
 * is left of them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/lists.h"
#include "base/buf.h"
#include "broker/router.h"
#include "broker/session.h"
#include "broker/trace.h"
#include "fuzz.h"

enum { PEERS = 4, MAX_PENDING = 64 << 20, FILLING_MAX = 8 << 20, SOME = 3001 };

struct peer {
	struct session session;
	struct buf said;  /* and not yet taken by the session */
	struct buf heard; /* the start of an operation that has not all come */
	bool over;
	bool stopped; /* reading */
	bool known; /* or nobody ever asked */
};

struct broker {
	struct limits limits;
	struct pool pool;
	struct router router;
	struct router other; /* of another account */
	struct peer peers[PEERS];
	uint64_t messages; /* heard by all, but those that say: no responders */
	size_t filling;    /* bytes of it so far */
	struct trace trace;
	bool direct;
	uint64_t now_ms;
};

static const struct lists permissions[] = {
	{.publish_deny = "a;*.b", .subscribe_deny = "a.*;b q"},
	{.publish_allow = "a.>;b", .allow_responses = true},
	{.subscribe_deny = "*.a;> r.*", .allow_responses = true, .max_responses = 2},
	{.subscribe_allow = "a.*;b;c q;re.>"},
	{0},
};

/* What a client hears. */

/* Cuts the next word off; one blank separates. */
static struct slice next_word(struct slice *line)
{
	const char *blank = memchr(line->bytes, ' ', line->length);
	size_t length = blank ? (size_t)(blank - line->bytes) : line->length;
	struct slice word = {line->bytes, length};

	*line = slice_after(*line, length + (blank != NULL));
	return word;
}

static size_t read_number(struct slice text)
{
	size_t number = 0;

	require(text.length > 0 && text.length <= 9, "a number has one to nine digits");
	for (size_t at = 0; at < text.length; at++) {
		require(text.bytes[at] >= '0' && text.bytes[at] <= '9', "a number has digits");
		number = number * 10 + (size_t)(text.bytes[at] - '0');
	}
	return number;
}

/* The length of what follows the line of a MSG or HMSG; `line` starts behind the verb. */
static size_t read_message_line(const struct peer *peer, struct slice line, bool headers)
{
	struct slice words[5];
	size_t count = 0, most = headers ? 5 : 4;
	size_t total;

	while (line.length > 0 && count < most) {
		words[count] = next_word(&line);
		require(words[count].length > 0, "words are one blank apart");
		require(!memchr(words[count].bytes, '\t', words[count].length),
			"no word has a tab");
		count++;
	}
	require(line.length == 0 && count + 1 >= most, "a message line has so many words");
	total = read_number(words[count - 1]);
	require(total <= peer->session.limits->max_payload, "no message exceeds the limit");
	if (headers) {
		require(peer->session.outbox.wants_headers, "headers go to who wants them");
		require(read_number(words[count - 2]) <= total, "headers are part of the payload");
	}
	return total;
}

static bool is_no_responders(struct slice payload)
{
	return slice_starts_with(payload, SLICE("NATS/1.0 503\r\nNats-Subject: "));
}

/* The length of the operation that `text` starts with; 0: it is not all there. */
static size_t read_operation(struct broker *broker, const struct peer *peer, struct slice text)
{
	const char *end = memchr(text.bytes, '\n', text.length);
	bool headers = slice_starts_with(text, SLICE("HMSG "));
	struct slice line, payload;
	size_t length, total;

	if (!end)
		return 0;
	length = (size_t)(end - text.bytes) + 1;
	line = (struct slice){text.bytes, length};
	require(length >= 2 && end[-1] == '\r', "a line ends with CRLF");
	require(!memchr(line.bytes, '\r', length - 2), "there is no other CR in a line");
	if (slice_equal(line, SLICE("+OK\r\n")) || slice_equal(line, SLICE("PONG\r\n")))
		return length;
	if (slice_starts_with(line, SLICE("-ERR '"))) {
		require(length > 9 && end[-2] == '\'', "a complaint is quoted");
		return length;
	}
	require(headers || slice_starts_with(line, SLICE("MSG ")), "a server says such things");
	line.length -= 2;
	total = read_message_line(peer, slice_after(line, headers ? 5 : 4), headers);
	if (text.length < length + total + 2)
		return 0;
	payload = (struct slice){text.bytes + length, total};
	require(memcmp(payload.bytes + total, "\r\n", 2) == 0, "a payload ends with CRLF");
	broker->messages += !(headers && is_no_responders(payload));
	return length + total + 2;
}

static void hear(struct peer *peer, size_t most)
{
	struct outbox *outbox = &peer->session.outbox;
	struct slice slices[16];
	size_t count;

	while (most > 0 && (count = outbox_peek(outbox, slices, 16)) > 0) {
		size_t taken = 0;

		for (size_t slice = 0; slice < count && taken < most; slice++) {
			if (slices[slice].length > most - taken)
				slices[slice].length = most - taken;
			require(buf_append(&peer->heard, slices[slice]) == 0, "there is memory");
			taken += slices[slice].length;
		}
		outbox_take(outbox, taken);
		most -= taken;
	}
}

static void listen_to(struct broker *broker, struct peer *peer, size_t most)
{
	struct outbox *outbox = &peer->session.outbox;
	size_t at = 0, length;

	hear(peer, most);
	if (outbox->pending_bytes > 0)
		outbox_fall_behind(outbox);
	list_remove(&outbox->dirty_link);
	require(outbox->pending_bytes <= MAX_PENDING, "no more is pending than may be");
	while (at < peer->heard.length) {
		length = read_operation(broker, peer, slice_after(buf_slice(&peer->heard), at));
		if (length == 0)
			break;
		at += length;
	}
	if (at == 0)
		return;
	memmove(peer->heard.bytes, peer->heard.bytes + at, peer->heard.length - at);
	peer->heard.length -= at;
}

/* What is shown is one line; a payload is not. */
static void watch(struct trace *trace, struct outbox *whose, enum trace_way way, struct slice verb,
		  struct slice text)
{
	(void)trace;
	require(whose && verb.length > 0, "it is shown whose line, and which");
	require(way == TRACE_PAYLOAD || text.length == 0 || !memchr(text.bytes, '\n', text.length),
		"a line is shown");
}

static void end_turn(struct broker *broker)
{
	for (size_t at = 0; at < PEERS; at++) {
		struct peer *peer = &broker->peers[at];

		listen_to(broker, peer, peer->stopped ? 0 : SIZE_MAX);
		require(peer->stopped || peer->heard.length == 0 ||
				peer->session.outbox.overflowed,
			"nobody hears half an operation");
		peer->over |= peer->session.outbox.overflowed;
	}
	require(list_is_empty(&broker->pool.dirty) && list_is_empty(&broker->pool.hot),
		"all who have news are known");
	require(!broker->router.expired, "who has got the last message is gone");
}

/* What a client says. */

static void decide(struct broker *broker, struct peer *peer)
{
	const struct claim *claim = peer->session.claim;
	const char *name = claim && claim->user ? claim->user : "a";

	require(peer->session.is_guarded && peer->session.is_locked, "it is asked for");
	if (strchr(name, 'a'))
		session_admit(&peer->session, NULL, &broker->router);
	else if (strchr(name, 'b'))
		session_admit(&peer->session, NULL, &broker->other);
	else
		session_refuse(&peer->session);
	require(!peer->session.claim, "no secret stays");
	peer->known |= !peer->session.is_locked;
}

static void deal_with_claims(struct broker *broker, struct peer *peer)
{
	if (peer->session.events & SESSION_CLAIMS)
		decide(broker, peer);
	require(peer->known || peer->session.subs.count == 0, "a stranger does nothing");
	peer->over |= peer->session.fault != FAULT_NONE;
}

static void read_directly(struct broker *broker, struct peer *peer, struct slice *bytes)
{
	struct room room = session_room(&peer->session);
	size_t length = bytes->length < room.length ? bytes->length : room.length;

	if (!broker->direct || length == 0 || peer->over)
		return;
	require(peer->said.length == 0, "a large message took all that was said");
	memcpy(room.bytes, bytes->bytes, length);
	*bytes = slice_after(*bytes, length);
	peer->over = session_filled(&peer->session, length) == SESSION_OVER;
}

/* Hands a session all that was said, in a block of just that size. */
static void feed(struct broker *broker, struct peer *peer, struct slice bytes)
{
	enum session_answer answer = SESSION_WAIT;
	size_t length = peer->said.length + bytes.length;
	char *block = malloc(length + !length);
	struct slice input = {block, length};

	if (peer->said.length > 0)
		memcpy(block, peer->said.bytes, peer->said.length);
	if (bytes.length > 0)
		memcpy(block + peer->said.length, bytes.bytes, bytes.length);
	while (answer == SESSION_WAIT && !peer->over) {
		answer = session_feed(&peer->session, &input);
		peer->over = answer == SESSION_OVER;
		require(peer->over == (peer->session.fault != FAULT_NONE), "an end has a fault");
		deal_with_claims(broker, peer);
		peer->session.events = 0;
		end_turn(broker);
	}
	peer->said.length = 0;
	if (!peer->over)
		require(buf_append(&peer->said, input) == 0, "there is memory");
	require(peer->said.length <= broker->limits.max_control_line + OUTBOX_SHARE_BYTES + 8,
		"little is left for later");
	free(block);
}

static void say(struct broker *broker, struct peer *peer, struct slice bytes)
{
	if (peer->over || bytes.length == 0)
		return;
	read_directly(broker, peer, &bytes);
	feed(broker, peer, bytes);
	router_rest(&broker->router);
	router_rest(&broker->other);
}

static void say_filling(struct broker *broker, struct peer *peer, unsigned exponent)
{
	size_t length = (size_t)4 << 2 * exponent;
	char *filling;

	broker->filling += length;
	if (broker->filling > FILLING_MAX)
		return;
	filling = malloc(length);
	memset(filling, 'x', length);
	say(broker, peer, (struct slice){filling, length});
	free(filling);
}

static void enter(struct broker *broker, struct peer *peer)
{
	memset(peer, 0, sizeof(*peer));
	session_init(&peer->session, &broker->router, &broker->limits);
	peer->known = true;
}

static void change_permit(struct peer *peer, const struct lists *lists)
{
	struct permit *permit = make_permit(lists);

	require(session_set_permit(&peer->session, permit) == 0, "there is memory");
	while (session_remove_forbidden(&peer->session))
		continue;
	permit_unref(permit);
}

static void leave(struct peer *peer)
{
	session_fini(&peer->session);
	buf_fini(&peer->said);
	buf_fini(&peer->heard);
}

static struct peer *obey(struct broker *broker, struct peer *peer, char mark)
{
	if (mark >= 'a' && mark < 'a' + PEERS)
		return &broker->peers[mark - 'a'];
	if (mark >= 'A' && mark < 'A' + PEERS) {
		peer = &broker->peers[mark - 'A'];
		leave(peer);
		enter(broker, peer);
	} else if (mark >= '0' && mark <= '9') {
		say_filling(broker, peer, (unsigned)(mark - '0'));
	} else if (mark >= 'p' && mark <= 't') {
		change_permit(peer, &permissions[mark - 'p']);
	} else if (mark == '#') {
		leave(peer);
		enter(broker, peer);
		session_guard(&peer->session);
		peer->known = false;
	} else if (mark == '@') {
		broker->now_ms += 60000;
		router_trim(&broker->router);
		pool_trim(&broker->pool);
		pool_watch(&broker->pool);
	} else if (mark == '^') {
		broker->router.trace = broker->router.trace ? NULL : &broker->trace;
	} else if (mark == '!') {
		broker->direct = !broker->direct;
	} else if (mark == '~') {
		peer->stopped = !peer->stopped;
	} else if (mark == '%') {
		listen_to(broker, peer, 1 + broker->filling % SOME);
	}
	return peer;
}

static void play(struct broker *broker, struct slice script)
{
	struct peer *peer = broker->peers;

	while (script.length > 0) {
		const char *bar = memchr(script.bytes, '|', script.length);
		size_t length = bar ? (size_t)(bar - script.bytes) : script.length;
		bool escaped = length + 1 < script.length && script.bytes[length + 1] == '|';

		say(broker, peer, (struct slice){script.bytes, length + escaped});
		script = slice_after(script, length);
		if (!bar)
			return;
		if (script.length < 2)
			return;
		if (!escaped)
			peer = obey(broker, peer, script.bytes[1]);
		script = slice_after(script, 2);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t seeds[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	struct broker broker = {
		.limits = {.max_payload = 1 << 20, .max_control_line = 4096, .headers = true},
		.trace = {.line = watch},
	};

	pool_init(&broker.pool, MAX_PENDING);
	router_init(&broker.router, &broker.pool, seeds);
	router_init(&broker.other, &broker.pool, seeds);
	broker.router.now_ms = broker.other.now_ms = &broker.now_ms;
	for (size_t at = 0; at < PEERS; at++)
		enter(&broker, &broker.peers[at]);
	play(&broker, (struct slice){(const char *)data, size});
	end_turn(&broker);
	/* Clients may send what looks like a 503, so there may be fewer. */
	require(broker.messages <= broker.router.out_messages + broker.other.out_messages,
		"no message comes from nowhere");
	for (size_t at = 0; at < PEERS; at++)
		leave(&broker.peers[at]);
	require(broker.router.subscriptions == 0 && broker.router.queues.count == 0 &&
			broker.router.trie.literals.count == 0 && !broker.router.trie.root,
		"nothing is left of who has gone");
	require(broker.other.subscriptions == 0, "nor in the other account");
	router_fini(&broker.other);
	router_fini(&broker.router);
	pool_fini(&broker.pool);
	return 0;
}
