/* SPDX-License-Identifier: MIT */
/*
 * Who gets which message, against a model that knows no more than PROTOCOL 5, 6 and 10.7.
 *
 * An input is bytes that choose, so that nearly every input means something: the first says how
 * much may wait for a client; then come operations, each a byte and what it needs. Clients of two
 * accounts subscribe, publish, come, go, stop reading, read a little, and are saved and loaded as
 * by a hand-over, all in legal ways. After each operation all that they have got meanwhile is
 * compared with what the model expects: every copy of every message, on the right sid, in order,
 * with its headers or without, and one for each queue group; and every +OK, -ERR, PONG and 503.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/lists.h"
#include "../unit/naive.h"
#include "base/buf.h"
#include "broker/router.h"
#include "broker/session.h"
#include "broker/state.h"
#include "fuzz.h"

enum {
	PEERS = 5,
	ACCOUNTS = 2,
	SIDS = 6,
	BURST = 4,
	SLICES = 16384,
	COPIES = PEERS * SIDS * BURST,
	OPERATIONS = 400,
	PAYLOADS = 256, /* saved with one client */
	BYTES_MAX = 8 << 20, /* published by one input */
};

#define HEADERS "NATS/1.0\r\nK:v\r\n\r\n"

static const char *const patterns[] = {
	"a",   "b",   "a.a", "a.b", "a.b.c", "r.1", "a.*", "*.b", "*",  ">",
	"a.>", "*.*", "*.>", "r.*", "a.*.c", "r.>", "*a",  "a>",  "a.", "a.>.b",
};
static const char *const subjects[] = {
	"a",  "b",   "a.a", "a.b", "a.b.c", "r.1", "r.2",
	"*a", "c.b", "a..", "a.*", "a.>",   ".",   "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b",
};
static const char *const replies[] = {"", "", "r.1", "r.2", "a"};
static const char *const queues[] = {"", "", "q", "long.queue.name"};
static const size_t sizes[] = {8, 8, 100, 4000, 4096, 5000, 40000, 200000};
static const size_t limits_bytes[] = {300 << 10, 2 << 20, 64 << 20};

/* None of them names a queue, nor responses: that is for the permit's own fuzzer. */
static const struct lists permissions[] = {
	{0},
	{0},
	{.publish_deny = "a.*", .subscribe_deny = "a.b.>;b"},
	{.publish_allow = "a.>;b", .subscribe_allow = "a.*;*;r.>", .subscribe_deny = "a.a"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A subscription, as the model has it. */
struct standing {
	const char *pattern; /* NULL: there is none */
	const char *queue;
	uint32_t max;
	uint32_t delivered;
};

struct peer {
	struct session session;
	size_t account;
	const struct lists *lists;
	struct standing subs[SIDS];
	struct buf heard;   /* not yet looked at */
	size_t seen;        /* of what is pending */
	bool reads;
	bool verbose, pedantic, echo, headers, no_responders;
	/* Until they are compared. */
	unsigned oks, complaints, pongs, nobodies;
	uint32_t last;      /* message heard */
};

struct sent {
	size_t by;
	const char *subject;
	const char *reply;
	size_t size; /* of the payload, without headers */
	bool headers;
};

/* One copy of a message that somebody heard. */
struct copy {
	uint32_t message; /* counted from the start */
	size_t peer;
	size_t sid;
};

struct broker {
	struct limits limits;
	struct pool pool;
	struct router routers[ACCOUNTS];
	struct peer peers[PEERS];
	struct slice input;
	size_t cut;         /* the next operation comes in two pieces */
	struct sent burst[BURST];
	uint32_t published; /* before the burst */
	uint32_t burst_count;
	struct copy copies[COPIES];
	size_t copy_count;
	size_t bytes;
};

static size_t choose(struct broker *broker, size_t count)
{
	size_t chosen;

	if (broker->input.length == 0)
		return 0;
	chosen = (unsigned char)broker->input.bytes[0] % count;
	broker->input = slice_after(broker->input, 1);
	return chosen;
}

/* The model's rules. */

static bool in_list(const char *list, bool (*holds)(struct slice entry, struct slice subject),
		    struct slice subject)
{
	struct slice rest = slice_of(list ? list : "");

	while (rest.length > 0)
		if (holds(next_entry(&rest), subject))
			return true;
	return false;
}

/* By trying what could be published: `other` hears nothing that `pattern` does not. */
static bool covers(struct slice pattern, struct slice other)
{
	static const char *const tokens[] = {"a", "b", "c", "r", "1", "a>", "*a", "x"};
	enum { TOKENS = COUNT(tokens), DEPTH = 4 };
	char text[DEPTH * 3 + 1];

	for (size_t number = 0; number < TOKENS * TOKENS * TOKENS * TOKENS; number++) {
		size_t rest = number;

		text[0] = '\0';
		for (size_t depth = 0; depth < DEPTH; depth++, rest /= TOKENS) {
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 depth ? "." : "", tokens[rest % TOKENS]);
			if (naive_matches(other, slice_of(text)) &&
			    !naive_matches(pattern, slice_of(text)))
				return false;
		}
	}
	return true;
}

static bool may_publish(const struct peer *peer, const char *subject)
{
	const struct lists *lists = peer->lists;

	return (!lists->publish_allow ||
		in_list(lists->publish_allow, naive_matches, slice_of(subject))) &&
	       !in_list(lists->publish_deny, naive_matches, slice_of(subject));
}

/* Asked about few things again and again. */
static bool may_subscribe(const struct peer *peer, size_t pattern)
{
	static uint8_t known[COUNT(permissions)][COUNT(patterns)];
	uint8_t *answer = &known[peer->lists - permissions][pattern];
	struct slice subject = slice_of(patterns[pattern]);

	if (*answer == 0)
		*answer = ((!peer->lists->subscribe_allow ||
			    in_list(peer->lists->subscribe_allow, covers, subject)) &&
			   !in_list(peer->lists->subscribe_deny, covers, subject))
				  ? 2
				  : 1;
	return *answer == 2;
}

static bool is_publishable(const char *subject)
{
	return naive_is_valid(slice_of(subject)) && !strstr(subject, "*.") &&
	       !strstr(subject, ".*") && !strchr(subject, '>') && strcmp(subject, "*") != 0;
}

/* May that subscription get this message? */
static bool fits(const struct broker *broker, const struct sent *message, size_t at, size_t sid)
{
	const struct peer *peer = &broker->peers[at];
	const struct standing *sub = &peer->subs[sid];

	return sub->pattern && peer->account == broker->peers[message->by].account &&
	       (at != message->by || peer->echo) &&
	       naive_matches(slice_of(sub->pattern), slice_of(message->subject)) &&
	       !in_list(peer->lists->subscribe_deny, naive_matches, slice_of(message->subject));
}

/* What the clients hear. */

static bool is_lost(const struct peer *peer)
{
	return peer->session.outbox.overflowed;
}

static void observe(struct peer *peer)
{
	static struct slice slices[SLICES];
	struct outbox *outbox = &peer->session.outbox;
	size_t count = outbox_peek(outbox, slices, SLICES), at = 0;

	require(count < SLICES, "what is pending is in few pieces");
	for (size_t slice = 0; slice < count; at += slices[slice++].length)
		if (at + slices[slice].length > peer->seen)
			require(buf_append(&peer->heard,
					   slice_after(slices[slice],
						       at < peer->seen ? peer->seen - at : 0)) == 0,
				"there is memory");
	require(at == outbox->pending_bytes, "what is pending is there");
	require(at <= outbox->pool->limit_bytes, "no more is pending than may be");
	peer->seen = at;
}

static void take(struct peer *peer, size_t length)
{
	length = length < peer->seen ? length : peer->seen;
	outbox_take(&peer->session.outbox, length);
	peer->seen -= length;
}

/* As its owner does when a turn ends, or somebody's output should not wait. */
static void flush(struct broker *broker)
{
	for (size_t at = 0; at < PEERS; at++) {
		struct peer *peer = &broker->peers[at];

		observe(peer);
		if (peer->reads)
			take(peer, peer->seen);
		else if (peer->seen > 0)
			outbox_fall_behind(&peer->session.outbox);
		list_remove(&peer->session.outbox.dirty_link);
	}
	require(list_is_empty(&broker->pool.hot) && list_is_empty(&broker->pool.dirty),
		"all who have news are known");
}

static struct slice next_word(struct slice *line)
{
	const char *blank = memchr(line->bytes, ' ', line->length);
	size_t length = blank ? (size_t)(blank - line->bytes) : line->length;
	struct slice word = {line->bytes, length};

	*line = slice_after(*line, length + (blank != NULL));
	return word;
}

static size_t read_number(struct slice word)
{
	size_t number = 0;

	require(word.length > 0 && word.length < 10, "a number has one to nine digits");
	for (size_t at = 0; at < word.length; at++) {
		require(word.bytes[at] >= '0' && word.bytes[at] <= '9', "a number has digits");
		number = number * 10 + (size_t)(word.bytes[at] - '0');
	}
	return number;
}

static char filler_of(uint32_t number)
{
	return (char)('a' + number % 26);
}

/* It stands in the burst, and every byte of it has come. */
static void take_copy(struct broker *broker, struct peer *peer, struct slice subject, size_t sid,
		      struct slice reply, struct slice headers, struct slice payload)
{
	uint32_t number;
	const struct sent *message;

	require(payload.length >= 8, "a payload has a number");
	number = (uint32_t)read_number((struct slice){payload.bytes, 8});
	require(number >= broker->published && number - broker->published < broker->burst_count,
		"it was just published");
	message = &broker->burst[number - broker->published];
	require(slice_equal(subject, slice_of(message->subject)), "it has its subject");
	require(slice_equal(reply, slice_of(message->reply)), "it has its reply");
	require(slice_equal(headers, slice_of(message->headers && peer->headers ? HEADERS : "")),
		"it has its headers, for who wants them");
	require(payload.length == message->size, "it is as long as it was");
	/* All like the first of them. */
	require(payload.length == 8 ||
			(payload.bytes[8] == filler_of(number) &&
			 memcmp(payload.bytes + 8, payload.bytes + 9, payload.length - 9) == 0),
		"it has its bytes");
	require(number >= peer->last, "a publisher's messages stay in order");
	peer->last = number;
	require(broker->copy_count < COPIES, "there are not so many copies");
	broker->copies[broker->copy_count++] =
		(struct copy){number, (size_t)(peer - broker->peers), sid};
}

/* The line of a MSG or HMSG, without the verb. Returns the length of what follows it. */
static size_t hear_message(struct broker *broker, struct peer *peer, struct slice line,
			   bool headers, struct slice after)
{
	struct slice words[5] = {{NULL, 0}};
	size_t count = 0, least = headers ? 4 : 3, length, header_length;
	struct slice reply;

	while (line.length > 0 && count < 5)
		words[count++] = next_word(&line);
	require(line.length == 0 && (count == least || count == least + 1), "it has so many words");
	length = read_number(words[count - 1]);
	header_length = headers ? read_number(words[count - 2]) : 0;
	reply = count > least ? words[2] : (struct slice){NULL, 0};
	require(header_length <= length && length + 2 <= after.length, "it is all there");
	require(memcmp(after.bytes + length, "\r\n", 2) == 0, "it ends with CRLF");
	if (slice_starts_with(after, SLICE("NATS/1.0 503\r\nNats-Subject: ")) && headers)
		peer->nobodies++;
	else
		take_copy(broker, peer, words[0], read_number(words[1]), reply,
			  (struct slice){after.bytes, header_length},
			  (struct slice){after.bytes + header_length, length - header_length});
	return length + 2;
}

static size_t hear_operation(struct broker *broker, struct peer *peer, struct slice text)
{
	const char *end = memchr(text.bytes, '\n', text.length);
	struct slice line, after;
	size_t length;

	require(end && end > text.bytes && end[-1] == '\r', "a line is whole");
	length = (size_t)(end - text.bytes) + 1;
	line = (struct slice){text.bytes, length - 2};
	after = slice_after(text, length);
	if (slice_starts_with(line, SLICE("MSG ")))
		return length + hear_message(broker, peer, slice_after(line, 4), false, after);
	if (slice_starts_with(line, SLICE("HMSG ")))
		return length + hear_message(broker, peer, slice_after(line, 5), true, after);
	peer->oks += slice_equal(line, SLICE("+OK"));
	peer->pongs += slice_equal(line, SLICE("PONG"));
	peer->complaints += slice_starts_with(line, SLICE("-ERR '"));
	require(memchr("+P-", line.bytes[0], 3) != NULL, "a server says such things");
	return length;
}

static void listen_to_all(struct broker *broker)
{
	for (size_t at = 0; at < PEERS; at++) {
		struct peer *peer = &broker->peers[at];
		struct slice text = buf_slice(&peer->heard);

		peer->oks = peer->pongs = peer->complaints = peer->nobodies = 0;
		/* What was cut off is lost. */
		while (text.length > 0 && !is_lost(peer))
			text = slice_after(text, hear_operation(broker, peer, text));
		peer->heard.length = 0;
	}
}

/* What they should have heard. */

/* Of the copies of a message; each is there once at most. */
static bool has_copy(const struct broker *broker, uint32_t number, size_t peer, size_t sid)
{
	size_t found = 0;

	for (size_t at = 0; at < broker->copy_count; at++)
		found += broker->copies[at].message == number && broker->copies[at].peer == peer &&
			 broker->copies[at].sid == sid;
	require(found <= 1, "a copy comes once");
	return found == 1;
}

static void count_delivery(struct standing *sub)
{
	sub->delivered++;
	if (sub->max > 0 && sub->delivered >= sub->max)
		sub->pattern = NULL;
}

/* Are all copies of a message, to that queue or none, where they should be? How many there are. */
static size_t check_queue(struct broker *broker, uint32_t number, const char *queue, bool *unsure)
{
	const struct sent *message = &broker->burst[number - broker->published];
	size_t candidates = 0, found = 0;

	*unsure = false;
	for (size_t at = 0; at < PEERS; at++)
		for (size_t sid = 0; sid < SIDS; sid++) {
			struct peer *peer = &broker->peers[at];
			struct standing *sub = &peer->subs[sid];
			bool has;

			if (!sub->pattern || strcmp(sub->queue, queue) != 0)
				continue;
			has = has_copy(broker, number, at, sid);
			*unsure |= is_lost(peer) && fits(broker, message, at, sid);
			require(!has || fits(broker, message, at, sid), "no copy comes to others");
			candidates += fits(broker, message, at, sid);
			found += has;
			if (!*queue && !is_lost(peer))
				require(has == fits(broker, message, at, sid),
					"a copy comes to each who is to have one");
			if (has)
				count_delivery(sub);
		}
	if (*queue)
		require(found <= 1 && (found == 1 || candidates == 0 || *unsure),
			"a queue group gets one copy");
	return found;
}

static bool has_own(const struct peer *peer, const char *reply)
{
	for (size_t sid = 0; sid < SIDS; sid++)
		if (peer->subs[sid].pattern && !*peer->subs[sid].queue &&
		    naive_matches(slice_of(peer->subs[sid].pattern), slice_of(reply)))
			return true;
	return false;
}

/* Returns whether its publisher is to be told that nobody has heard it; < 0: who knows. */
static int check_message(struct broker *broker, uint32_t number)
{
	const struct sent *message = &broker->burst[number - broker->published];
	const struct peer *by = &broker->peers[message->by];
	size_t found = 0, copies = 0;
	bool unsure, is_unsure = false, has_reply = *message->reply;
	bool asks = by->no_responders && has_reply && has_own(by, message->reply);

	for (size_t queue = 1; queue < COUNT(queues); queue++) {
		found += check_queue(broker, number, queues[queue], &unsure);
		is_unsure |= unsure;
	}
	for (size_t at = 0; at < broker->copy_count; at++)
		copies += broker->copies[at].message == number;
	require(found == copies, "no copy comes to who has unsubscribed");
	return found > 0 || !asks ? 0 : is_unsure ? -1 : 1;
}

static void check_burst(struct broker *broker, struct peer *by)
{
	unsigned nobodies = 0;
	bool is_unsure = is_lost(by);
	size_t copies = broker->copy_count;

	for (uint32_t at = 0; at < broker->burst_count; at++) {
		int answer = may_publish(by, broker->burst[at].subject)
				     ? check_message(broker, broker->published + at)
				     : 0;

		nobodies += answer > 0;
		is_unsure |= answer < 0;
	}
	while (copies > 0)
		require(may_publish(by, broker->burst[broker->copies[--copies].message -
						      broker->published].subject),
			"who may not publish is not heard");
	require(is_unsure || by->nobodies == nobodies, "who asks is told that nobody is there");
	broker->published += broker->burst_count;
	broker->burst_count = 0;
	broker->copy_count = 0;
}

/* Coming and going. */

static void enter(struct broker *broker, struct peer *peer, size_t account, size_t lists)
{
	struct permit *permit = make_permit(&permissions[lists]);

	*peer = (struct peer){.account = account, .lists = &permissions[lists]};
	peer->reads = peer->verbose = peer->pedantic = peer->echo = true;
	session_init(&peer->session, &broker->routers[account], &broker->limits);
	require(session_set_permit(&peer->session, permit) == 0, "there is memory");
	permit_unref(permit);
}

static void leave(struct peer *peer)
{
	session_fini(&peer->session);
	buf_fini(&peer->heard);
}

/* Those who did not read in time have to go. */
static void replace_lost(struct broker *broker)
{
	for (size_t at = 0; at < PEERS; at++) {
		struct peer *peer = &broker->peers[at];
		size_t account = peer->account;

		if (!is_lost(peer))
			continue;
		require(!peer->reads || peer->session.outbox.pool->limit_bytes < 1 << 20,
			"who reads is not lost");
		leave(peer);
		enter(broker, peer, account, 0);
	}
}

/* Payloads that were saved, loaded again. */
struct moved {
	struct state_payloads payloads;
	struct pool *pool;
	struct state_payload all[PAYLOADS];
};

static int keep(struct state_payloads *payloads, struct slice bytes)
{
	struct moved *moved = container_of(payloads, struct moved, payloads);
	struct payload *payload = pool_take_payload(moved->pool, bytes.length);

	require(payload && payloads->count < PAYLOADS, "there is room for what is saved");
	memcpy(payload->bytes, bytes.bytes, bytes.length);
	payload->filled = (uint32_t)bytes.length;
	moved->all[payloads->count] = (struct state_payload){payload, (uint32_t)bytes.length};
	return 0;
}

/* It is saved, forgotten and loaded: nobody can tell, nor can it. */
static void move(struct broker *broker, struct peer *peer)
{
	struct session *session = &peer->session;
	struct moved moved = {.payloads = {.keep = keep}, .pool = &broker->pool};
	struct tags_writer writer = {0};
	struct permit *permit = make_permit(peer->lists);
	struct state_source source = {moved.all, 0};

	state_forget_numbers(session);
	require(state_save(session, &moved.payloads, &writer) == 0 && !writer.failed, "it is saved");
	source.count = moved.payloads.count;
	session_fini(session);
	session_init(session, &broker->routers[peer->account], &broker->limits);
	require(state_load(session, &source, buf_slice(&writer.out)), "what was saved is taken");
	require(session_set_permit(session, permit) == 0, "there is memory");
	require(!session_remove_forbidden(session), "what was allowed still is");
	for (uint32_t at = 0; at < source.count; at++)
		pool_release_payload(&broker->pool, moved.all[at].payload);
	permit_unref(permit);
	buf_fini(&writer.out);
	require(session->outbox.pending_bytes == peer->seen, "as much waits for it as before");
}

/* What the clients do. */

static void feed(struct broker *broker, struct peer *peer, struct slice *input)
{
	enum session_answer answer;

	do {
		answer = session_feed(&peer->session, input);
		flush(broker);
	} while (answer == SESSION_WAIT);
	require(answer == SESSION_MORE, "nobody has done anything wrong");
	for (size_t at = 0; at < ACCOUNTS; at++)
		router_rest(&broker->routers[at]);
}

/* Whole, or cut in two; the rest of a large message may be read to its place. */
static void say(struct broker *broker, struct peer *peer, struct slice text)
{
	size_t cut = broker->cut > text.length ? text.length : broker->cut;
	struct slice first = {text.bytes, cut};
	struct room room;

	broker->cut = 0;
	if (cut > 0) {
		feed(broker, peer, &first);
		text = slice_after(text, cut - first.length);
	}
	room = session_room(&peer->session);
	if (room.length > 0 && room.length <= text.length) {
		memcpy(room.bytes, text.bytes, room.length);
		text = slice_after(text, room.length);
		(void)session_filled(&peer->session, room.length);
	}
	feed(broker, peer, &text);
	require(text.length == 0, "all of it was understood");
	require(session_room(&peer->session).length == 0, "nothing is missing");
}

/* Says it, and compares: so many answers of each kind, if somebody gets any. */
static void converse(struct broker *broker, struct peer *peer, struct slice text, unsigned oks,
		     unsigned complaints, unsigned pongs)
{
	say(broker, peer, text);
	listen_to_all(broker);
	for (size_t at = 0; at < PEERS; at++) {
		const struct peer *other = &broker->peers[at];
		bool talks = other == peer;

		if (is_lost(other))
			continue;
		require(other->oks == (talks && peer->verbose ? oks : 0), "there are so many +OK");
		require(other->complaints == (talks ? complaints : 0), "so many complaints");
		require(other->pongs == (talks ? pongs : 0), "so many answers to PING");
		require(talks || other->nobodies == 0, "who asks is told");
	}
	check_burst(broker, peer);
	replace_lost(broker);
}

static void connect_again(struct broker *broker, struct peer *peer)
{
	static const char *const words[] = {"false", "true"};
	size_t flags = choose(broker, 32);
	char text[256];

	peer->verbose = flags & 1;
	peer->pedantic = flags & 2;
	peer->echo = flags & 4;
	peer->headers = flags & 8;
	peer->no_responders = peer->headers && flags & 16;
	snprintf(text, sizeof(text),
		 "CONNECT {\"verbose\":%s,\"pedantic\":%s,\"echo\":%s,\"headers\":%s,"
		 "\"no_responders\":%s}\r\n",
		 words[peer->verbose], words[peer->pedantic], words[peer->echo],
		 words[peer->headers], words[peer->no_responders]);
	converse(broker, peer, slice_of(text), 1, 0, 0);
}

static void subscribe(struct broker *broker, struct peer *peer)
{
	size_t pattern = choose(broker, COUNT(patterns));
	const char *queue = queues[choose(broker, COUNT(queues))];
	size_t sid = choose(broker, SIDS);
	struct standing *sub = &peer->subs[sid];
	bool is_valid = naive_is_valid(slice_of(patterns[pattern]));
	bool is_narrow = peer->lists->subscribe_allow || peer->lists->subscribe_deny;
	bool good = may_subscribe(peer, pattern) && (sub->pattern || is_valid);
	char text[128];

	/* Is what matches nothing allowed? PROTOCOL does not tell, and it is refused or ignored. */
	if (!is_valid && sub->pattern && is_narrow)
		return;
	if (good && !sub->pattern)
		*sub = (struct standing){.pattern = patterns[pattern], .queue = queue};
	snprintf(text, sizeof(text), "SUB %s %s %zu\r\n", patterns[pattern], queue, sid);
	converse(broker, peer, slice_of(text), good, !good, 0);
}

static void unsubscribe(struct broker *broker, struct peer *peer)
{
	size_t sid = choose(broker, SIDS);
	uint32_t max = (uint32_t)choose(broker, 6);
	struct standing *sub = &peer->subs[sid];
	char text[64];

	if (max > sub->delivered)
		sub->max = max;
	else
		sub->pattern = NULL;
	snprintf(text, sizeof(text), max ? "UNSUB %zu %u\r\n" : "UNSUB %zu\r\n", sid, max);
	converse(broker, peer, slice_of(text), 1, 0, 0);
}

static void put_message(struct buf *text, const struct sent *message, uint32_t number)
{
	size_t headers = message->headers ? strlen(HEADERS) : 0, before;
	int error = buf_printf(text, "%sPUB %s %s ", headers ? "H" : "", message->subject,
			       message->reply);

	if (headers)
		error |= buf_printf(text, "%zu ", headers);
	error |= buf_printf(text, "%zu\r\n%s%08u", headers + message->size, headers ? HEADERS : "",
			    number);
	before = text->length;
	error |= buf_reserve(text, message->size);
	require(error == 0, "there is memory");
	memset(text->bytes + before, filler_of(number), message->size - 8);
	text->length += message->size - 8;
	require(buf_append(text, SLICE("\r\n")) == 0, "there is memory");
}

static void publish(struct broker *broker, struct peer *peer)
{
	uint32_t count = 1 + (uint32_t)choose(broker, BURST);
	struct sent message = {
		.by = (size_t)(peer - broker->peers),
		.subject = subjects[choose(broker, COUNT(subjects))],
		.reply = replies[choose(broker, COUNT(replies))],
		.size = sizes[choose(broker, COUNT(sizes))],
		.headers = choose(broker, 2) && peer->headers,
	};
	unsigned oks = 0, complaints = 0;
	struct buf text = {0};

	broker->bytes += count * message.size;
	if (broker->bytes > BYTES_MAX)
		return;
	for (uint32_t at = 0; at < count; at++) {
		broker->burst[at] = message;
		put_message(&text, &message, broker->published + at);
		oks += may_publish(peer, message.subject);
		complaints += !may_publish(peer, message.subject);
		complaints += peer->pedantic && !is_publishable(message.subject);
		if (choose(broker, 4) == 0)
			message.subject = subjects[choose(broker, COUNT(subjects))];
	}
	broker->burst_count = count;
	converse(broker, peer, buf_slice(&text), oks, complaints, 0);
	buf_fini(&text);
}

static struct peer *act(struct broker *broker, struct peer *peer)
{
	switch (choose(broker, 16)) {
	case 0:
	case 1:
		return &broker->peers[choose(broker, PEERS)];
	case 2:
		connect_again(broker, peer);
		break;
	case 3:
	case 4:
	case 5:
		subscribe(broker, peer);
		break;
	case 6:
		unsubscribe(broker, peer);
		break;
	case 7:
		converse(broker, peer, SLICE("PING\r\n"), 0, 0, 1);
		break;
	case 8:
		leave(peer);
		enter(broker, peer, choose(broker, ACCOUNTS), choose(broker, COUNT(permissions)));
		break;
	case 9:
		peer->reads = !peer->reads;
		break;
	case 10:
		take(peer, 1 + choose(broker, 256) * choose(broker, 256));
		break;
	case 11:
		broker->cut = 1 + choose(broker, 128);
		break;
	case 12:
		move(broker, peer);
		flush(broker);
		break;
	default:
		publish(broker, peer);
		break;
	}
	return peer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t seeds[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	struct broker broker = {
		.limits = {.max_payload = 1 << 20, .max_control_line = 4096, .headers = true},
		.input = {(const char *)data, size},
	};
	struct peer *peer = broker.peers;

	pool_init(&broker.pool, limits_bytes[choose(&broker, COUNT(limits_bytes))]);
	for (size_t at = 0; at < ACCOUNTS; at++)
		router_init(&broker.routers[at], &broker.pool, seeds);
	for (size_t at = 0; at < PEERS; at++)
		enter(&broker, &broker.peers[at], at == PEERS - 1, 0);
	for (size_t count = 0; broker.input.length > 0 && count < OPERATIONS; count++)
		peer = act(&broker, peer);
	for (size_t at = 0; at < PEERS; at++)
		leave(&broker.peers[at]);
	for (size_t at = 0; at < ACCOUNTS; at++) {
		require(broker.routers[at].subscriptions == 0 &&
				broker.routers[at].queues.count == 0 &&
				!broker.routers[at].trie.root,
			"nothing is left of who has gone");
		router_fini(&broker.routers[at]);
	}
	pool_fini(&broker.pool);
	return 0;
}
