/* SPDX-License-Identifier: MIT */
/*
 * Conversations, as text in and text out. Each is held whole, split at every byte, byte by byte
 * and in between, and moved to another broker at every byte: what is heard must be the same.
 *
 * For the tests of the session: session.c, session_held.c and session_ended.c.
 */
#pragma once

#include "broker/router.h"
#include "broker/session.h"
#include "broker/state.h"
#include "hear.h"
#include "lists.h"
#include "test.h"

enum { PEERS = 2, STEPS = 12, NO_LIMIT = 1 << 30 };

#define QUIET "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n"
#define HEADERS "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n"
#define UNKNOWN "-ERR 'Unknown Protocol Operation'\r\n"

#define DENIED_TO_PUBLISH(subject) \
	"-ERR 'Permissions Violation for Publish to \"" subject "\"'\r\n"
#define DENIED_TO_SUBSCRIBE(subject) \
	"-ERR 'Permissions Violation for Subscription to \"" subject "\""

struct peer {
	struct session session;
	char *rest; /* what the session left, in a block of just that size */
	size_t rest_length;
	bool over;
	struct buf heard;
};

static struct limits limits;
static struct pool pool;
static struct router router;
static struct peer peers[PEERS];
static uint64_t now_ms;
static struct permit *permits[PEERS];
static bool is_moving; /* manner.moved, of the talk in hand */

static inline void begin(void)
{
	static const uint64_t seeds[2] = {0xfedcba0987654321, 7};

	pool_init(&pool, NO_LIMIT);
	router_init(&router, &pool, seeds);
	router.now_ms = &now_ms;
	for (size_t at = 0; at < PEERS; at++) {
		memset(&peers[at], 0, sizeof(peers[at]));
		session_init(&peers[at].session, &router, &limits);
		CHECK_NUMBER(session_set_permit(&peers[at].session, permits[at]), 0);
	}
}

static inline void set_default_limits(void)
{
	limits = (struct limits){.max_payload = 1 << 20, .max_control_line = 4096, .headers = true};
}

static inline void leave(struct peer *peer)
{
	session_fini(&peer->session);
	free(peer->rest);
	buf_fini(&peer->heard);
}

/* Whatever was said, nothing of it stays. */
static inline void finish(void)
{
	for (size_t at = 0; at < PEERS; at++)
		leave(&peers[at]);
	CHECK(router.expired == NULL);
	CHECK_NUMBER(router.subscriptions, 0);
	CHECK_NUMBER(router.queues.count, 0);
	CHECK_NUMBER(router.trie.literals.count, 0);
	CHECK(router.trie.root == NULL);
	router_fini(&router);
	pool_fini(&pool);
}

/* Sends all that waits in the outboxes, as the end of a turn does. */
static inline void send_all(void)
{
	for (size_t at = 0; at < PEERS; at++)
		hear(&peers[at].session.outbox, &peers[at].heard);
}

/* While a talk is moved about, nothing is sent: all that waits has to come along. */
static inline void drain(void)
{
	if (!is_moving)
		send_all();
	for (size_t at = 0; at < PEERS; at++)
		list_remove(&peers[at].session.outbox.dirty_link);
}

/* Moving to another broker. */

struct payloads {
	struct state_payloads kept;
	struct buf bytes[16];
};

static inline int keep_payload(struct state_payloads *kept, struct slice bytes)
{
	struct payloads *payloads = container_of(kept, struct payloads, kept);

	CHECK(kept->count < 16);
	return buf_append(&payloads->bytes[kept->count], bytes);
}

static inline void load_peers(const struct payloads *payloads, struct tags_writer *states)
{
	struct state_payload all[16];
	struct state_source source = {all, payloads->kept.count};

	for (uint32_t at = 0; at < source.count; at++) {
		struct slice bytes = buf_slice(&payloads->bytes[at]);

		all[at].payload = pool_take_payload(&pool, bytes.length);
		all[at].length = (uint32_t)bytes.length;
		memcpy(all[at].payload->bytes, bytes.bytes, bytes.length);
		all[at].payload->filled = (uint32_t)bytes.length;
	}
	for (size_t at = 0; at < PEERS; at++) {
		CHECK(state_load(&peers[at].session, &source, buf_slice(&states[at].out)));
		CHECK_NUMBER(session_set_permit(&peers[at].session, permits[at]), 0);
		CHECK(!session_remove_forbidden(&peers[at].session));
	}
	for (uint32_t at = 0; at < source.count; at++)
		pool_release_payload(&pool, all[at].payload);
}

/* All peers go on in a broker that knows nothing but what was saved of the one before. */
static inline void move(void)
{
	static const uint64_t seeds[2] = {0x0123456789abcdef, 8};
	struct payloads payloads = {.kept = {.keep = keep_payload}};
	struct tags_writer states[PEERS] = {0};

	for (size_t at = 0; at < PEERS; at++)
		state_forget_numbers(&peers[at].session);
	for (size_t at = 0; at < PEERS; at++)
		CHECK_NUMBER(state_save(&peers[at].session, &payloads.kept, &states[at]), 0);
	for (size_t at = 0; at < PEERS; at++) {
		CHECK(!states[at].failed);
		session_fini(&peers[at].session);
	}
	router_fini(&router);
	pool_fini(&pool);
	pool_init(&pool, NO_LIMIT);
	router_init(&router, &pool, seeds);
	/* Clocks do not count from the same moment everywhere. */
	now_ms -= 1000000;
	router.now_ms = &now_ms;
	for (size_t at = 0; at < PEERS; at++) {
		uint8_t fault = peers[at].session.fault;

		session_init(&peers[at].session, &router, &limits);
		peers[at].session.fault = fault;
	}
	load_peers(&payloads, states);
	for (size_t at = 0; at < PEERS; at++)
		buf_fini(&states[at].out);
	for (size_t at = 0; at < 16; at++)
		buf_fini(&payloads.bytes[at]);
	drain();
}

/* Hands bytes in, behind those that the session left the last time. */
static inline void feed(struct peer *peer, struct slice bytes)
{
	size_t length = peer->rest_length + bytes.length;
	char *block = malloc(length + !length);
	struct slice input = {block, length};
	enum session_answer answer = SESSION_WAIT;

	if (peer->rest_length > 0)
		memcpy(block, peer->rest, peer->rest_length);
	if (bytes.length > 0)
		memcpy(block + peer->rest_length, bytes.bytes, bytes.length);
	while (!peer->over && answer == SESSION_WAIT) {
		answer = session_feed(&peer->session, &input);
		peer->over = answer == SESSION_OVER;
		CHECK(peer->over == (peer->session.fault != FAULT_NONE));
		peer->session.events = 0;
		drain();
	}
	free(peer->rest);
	peer->rest_length = peer->over ? 0 : input.length;
	peer->rest = NULL;
	if (peer->rest_length > 0) {
		peer->rest = malloc(peer->rest_length);
		memcpy(peer->rest, input.bytes, peer->rest_length);
	}
	CHECK(peer->rest_length <= (size_t)limits.max_control_line + OUTBOX_SHARE_BYTES + 8);
	free(block);
}

/* Like a client's socket: what belongs to a large message is read to its place. */
static inline void feed_directly(struct peer *peer, struct slice bytes)
{
	while (bytes.length > 0 && !peer->over) {
		struct room room = session_room(&peer->session);
		size_t length = bytes.length < room.length ? bytes.length : room.length;

		if (length == 0) {
			feed(peer, bytes);
			return;
		}
		CHECK_NUMBER(peer->rest_length, 0);
		memcpy(room.bytes, bytes.bytes, length);
		peer->over = session_filled(&peer->session, length) == SESSION_OVER;
		bytes = slice_after(bytes, length);
		drain();
	}
}

/* A conversation. Steps end with a NULL text. */
struct talk {
	const char *name;
	struct {
		size_t who;
		const char *says;
	} steps[STEPS];
	const char *heard[PEERS];
	enum fault faults[PEERS];
};

/* How it is held: pieces of so many bytes, or a cut at one place; 0: neither. */
struct manner {
	size_t piece;
	size_t cut; /* counted over all steps */
	bool direct;
	bool moved; /* to another broker, after each piece */
};

static inline size_t talk_length(const struct talk *talk)
{
	size_t length = 0;

	for (size_t at = 0; at < STEPS && talk->steps[at].says; at++)
		length += strlen(talk->steps[at].says);
	return length;
}

/* How much of a step goes in at once. `at` is where it starts in the whole talk. */
static inline size_t next_length(const struct manner *manner, size_t at, size_t left)
{
	if (manner->piece > 0 && manner->piece < left)
		return manner->piece;
	if (manner->cut > at && manner->cut - at < left)
		return manner->cut - at;
	return left;
}

static inline void check_heard(const struct talk *talk, const struct manner *manner, size_t who)
{
	unsigned before = test_failures;

	send_all();
	test_check_text(__FILE__, __LINE__, who ? "what 1 heard" : "what 0 heard",
			buf_slice(&peers[who].heard),
			slice_of(talk->heard[who] ? talk->heard[who] : ""));
	CHECK_NUMBER(peers[who].session.fault, talk->faults[who]);
	if (test_failures > before)
		printf("# in: %s (pieces %zu, cut %zu%s)\n", talk->name, manner->piece, manner->cut,
		       manner->moved ? ", moved" : "");
}

static inline void hold(const struct talk *talk, struct manner manner)
{
	size_t at = 0;

	begin();
	is_moving = manner.moved;
	for (size_t step = 0; step < STEPS && talk->steps[step].says; step++) {
		struct slice text = slice_of(talk->steps[step].says);
		struct peer *peer = &peers[talk->steps[step].who];

		while (text.length > 0) {
			size_t length = next_length(&manner, at, text.length);
			struct slice piece = {text.bytes, length};

			if (manner.direct)
				feed_directly(peer, piece);
			else
				feed(peer, piece);
			text = slice_after(text, length);
			at += length;
			if (manner.moved)
				move();
		}
	}
	is_moving = false;
	for (size_t who = 0; who < PEERS; who++)
		check_heard(talk, &manner, who);
	finish();
}

/* In every manner; the first one that goes wrong is enough. */
static inline void hold_in_all_manners(const struct talk *talk)
{
	static const size_t pieces[] = {0, 1, 2, 3, 7, 61, 4093, 4096, 4097};
	unsigned before = test_failures;
	size_t length = talk_length(talk);

	for (size_t at = 0; at < sizeof(pieces) / sizeof(pieces[0]); at++)
		for (unsigned how = 0; how < 4 && test_failures == before; how++)
			hold(talk, (struct manner){.piece = pieces[at], .direct = how & 1,
						   .moved = how & 2});
	for (size_t cut = 1; cut < length && test_failures == before; cut++) {
		hold(talk, (struct manner){.cut = cut, .direct = cut & 1});
		hold(talk, (struct manner){.cut = cut, .direct = cut & 1, .moved = true});
	}
}

static inline void hold_all(const struct talk *talks, size_t count)
{
	for (size_t at = 0; at < count; at++)
		hold_in_all_manners(&talks[at]);
}

#define HOLD(talks) hold_all(talks, sizeof(talks) / sizeof((talks)[0]))

/* The first peer has these permissions, the second may do everything. */
static inline void hold_with(const struct lists *lists, const struct talk *talk)
{
	permits[0] = make_permit(lists);
	set_default_limits();
	hold_in_all_manners(talk);
	permit_unref(permits[0]);
	permits[0] = NULL;
}

/* Said once: what the session leaves of it is known, and nothing is sent yet. */
static inline enum session_answer say(size_t who, const char *text, const char *left)
{
	struct slice input = slice_of(text);
	enum session_answer answer = session_feed(&peers[who].session, &input);

	test_check_text(__FILE__, __LINE__, "what is left", input, slice_of(left));
	return answer;
}
