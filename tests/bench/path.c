/* SPDX-License-Identifier: MIT */
/*
 * The path of a message, parser to outbox, in one process and without a socket: what callgrind
 * counts for it repeats exactly.
 *
 *   path CASE READ [MESSAGES]
 *
 * feeds so many messages (else one batch) in reads of READ bytes, as server/client.c does: a read
 * goes behind what the last one left, or directly to where a large message is gathered; outboxes
 * are emptied when they are hot and when the read is done.
 *
 *     set up → one batch to warm up → [before] measure [after] → ... → figures as JSON
 *
 * Only measure() counts, without receive(), which stands for the kernel: callgrind is told so by
 * --toggle-collect, which turns collecting on or off where such a function begins, and back where
 * it ends (tests/bench/gate).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "broker/router.h"
#include "broker/session.h"
#include "subjects.h"

enum { RECEIVERS_MAX = 100, SPEAKERS = 2, SLICES = 64 };

/* One who is read from. */
struct speaker {
	struct session session;
	struct buf script; /* a batch of what it says: whole operations */
	size_t said;       /* of the script */
	struct chunk *rest; /* of the last read; NULL: none */
};

struct bench {
	const struct bench_case *which;
	struct pool pool;
	struct router router;
	struct limits limits;
	struct speaker speakers[SPEAKERS];
	struct session receivers[RECEIVERS_MAX];
	struct buf before, after; /* said by the first speaker around each batch, uncounted */
	size_t read_bytes;
	char *input;
	char *payload;
	uint64_t random;
	uint64_t taken; /* bytes out of outboxes */
};

struct bench_case {
	const char *name;
	void (*write)(struct bench *bench);
	unsigned messages; /* in a batch; operations, where nothing is published */
	unsigned size;
	unsigned receivers; /* of bench.orders.new */
	unsigned subs;      /* of each of them */
	unsigned others;    /* subscriptions of the first receiver's, as load.c has them */
	const char *queue;
	bool many_sids;     /* each subscription has another */
};

static void die(const char *what)
{
	fprintf(stderr, "path: %s\n", what);
	exit(1);
}

/* As client_flush() does, with a socket that takes all. */
static void empty(struct bench *bench, struct list *outboxes)
{
	struct slice slices[SLICES];
	struct list *link;

	while ((link = list_pop(outboxes))) {
		struct outbox *outbox = container_of(link, struct outbox, dirty_link);

		while (outbox->pending_bytes > 0) {
			size_t count = outbox_peek(outbox, slices, SLICES);
			size_t length = 0;

			for (size_t at = 0; at < count; at++)
				length += slices[at].length;
			outbox_take(outbox, length);
			bench->taken += length;
		}
	}
}

/* All at once. */
static void feed(struct bench *bench, struct session *session, struct slice input)
{
	enum session_answer answer;

	do {
		answer = session_feed(session, &input);
		session->events = 0;
		empty(bench, &bench->pool.hot);
	} while (answer == SESSION_WAIT);
	if (answer == SESSION_OVER || input.length > 0)
		die("an operation was refused");
	empty(bench, &bench->pool.dirty);
}

/* ------------------------------------------------------------------------- what is said ---- */

static void add_message(struct bench *bench, struct buf *to, const char *subject,
			const char *reply)
{
	buf_printf(to, "PUB %s %s%u\r\n", subject, reply, bench->which->size);
	buf_append(to, (struct slice){bench->payload, bench->which->size});
	buf_append(to, SLICE("\r\n"));
}

static void write_publish(struct bench *bench)
{
	for (unsigned n = 0; n < bench->which->messages; n++)
		add_message(bench, &bench->speakers[0].script, "bench.orders.new", "");
}

static void write_headers(struct bench *bench)
{
	static const char headers[] = "NATS/1.0\r\nTraceparent: 00-4bf92f3577b34da6-01\r\n\r\n";
	struct buf *script = &bench->speakers[0].script;
	unsigned length = sizeof(headers) - 1;

	for (unsigned n = 0; n < bench->which->messages; n++) {
		buf_printf(script, "HPUB bench.orders.new %u %u\r\n%s", length,
			   length + bench->which->size, headers);
		buf_append(script, (struct slice){bench->payload, bench->which->size});
		buf_append(script, SLICE("\r\n"));
	}
}

static void write_random(struct bench *bench)
{
	char subscribed[SUBJECT_ROOM], published[SUBJECT_ROOM];

	for (unsigned n = 0; n < bench->which->messages; n++) {
		subject_of(random_below(&bench->random, bench->which->others), subscribed,
			   published);
		add_message(bench, &bench->speakers[0].script, published, "");
	}
}

/* The first speaker asks, with an inbox of its own each time; the second one answers. */
static void write_requests(struct bench *bench)
{
	char inbox[64];

	feed(bench, &bench->speakers[0].session, SLICE("SUB _INBOX.Zq8fK2xB7dTn4LwRvY3cHs.* 1\r\n"));
	feed(bench, &bench->speakers[1].session, SLICE("SUB bench.service.echo 1\r\n"));
	for (unsigned n = 0; n < bench->which->messages / 2; n++) {
		snprintf(inbox, sizeof(inbox), "_INBOX.Zq8fK2xB7dTn4LwRvY3cHs.%08u ", n);
		add_message(bench, &bench->speakers[0].script, "bench.service.echo", inbox);
		inbox[strlen(inbox) - 1] = '\0';
		add_message(bench, &bench->speakers[1].script, inbox, "");
	}
}

static void add_subscriptions(struct buf *to, unsigned count)
{
	char subscribed[SUBJECT_ROOM], published[SUBJECT_ROOM];

	for (unsigned i = 0; i < count; i++) {
		subject_of(i, subscribed, published);
		buf_printf(to, "SUB %s %u\r\n", subscribed, 100000 + i);
	}
}

static void add_unsubscriptions(struct bench *bench, struct buf *to, unsigned count)
{
	uint64_t *order = calloc(count, sizeof(*order));

	if (!order)
		die("out of memory");
	shuffle(&bench->random, order, count);
	for (unsigned i = 0; i < count; i++)
		buf_printf(to, "UNSUB %" PRIu64 "\r\n", 100000 + order[i]);
	free(order);
}

static void write_subscribe(struct bench *bench)
{
	add_subscriptions(&bench->speakers[0].script, bench->which->messages);
	add_unsubscriptions(bench, &bench->after, bench->which->messages);
}

static void write_unsubscribe(struct bench *bench)
{
	add_subscriptions(&bench->before, bench->which->messages);
	add_unsubscriptions(bench, &bench->speakers[0].script, bench->which->messages);
}

static const struct bench_case cases[] = {
	{"publish-16", write_publish, 10000, 16, 0, 0, 0, "", false},
	{"one-to-one-16", write_publish, 10000, 16, 1, 1, 0, "", false},
	{"one-to-one-128", write_publish, 5000, 128, 1, 1, 0, "", false},
	{"one-to-one-1024", write_publish, 1000, 1024, 1, 1, 0, "", false},
	{"one-to-one-65536", write_publish, 32, 65536, 1, 1, 0, "", false},
	{"headers-128", write_headers, 5000, 128, 1, 1, 0, "", false},
	{"one-to-ten-128", write_publish, 2000, 128, 10, 1, 0, "", false},
	{"one-to-hundred-128", write_publish, 500, 128, 100, 1, 0, "", false},
	{"hundred-sids-128", write_publish, 500, 128, 100, 1, 0, "", true},
	{"hundred-of-one-client-128", write_publish, 500, 128, 1, 100, 0, "", true},
	{"queue-of-ten-128", write_publish, 5000, 128, 10, 1, 0, " workers", false},
	{"over-200000-16", write_random, 10000, 16, 1, 0, 200000, "", false},
	{"request-reply-16", write_requests, 10000, 16, 0, 0, 0, "", false},
	{"subscribe", write_subscribe, 10000, 0, 0, 0, 0, "", false},
	{"unsubscribe", write_unsubscribe, 10000, 0, 0, 0, 0, "", false},
};

/* ------------------------------------------------------------------------------- set up ---- */

static void begin(struct bench *bench, struct session *session)
{
	session_init(session, &bench->router, &bench->limits);
	feed(bench, session,
	     SLICE("CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n"));
}

static void subscribe(struct bench *bench)
{
	const struct bench_case *which = bench->which;
	struct buf lines = {0};
	unsigned sid = 1;

	for (unsigned at = 0; at < which->receivers; at++) {
		begin(bench, &bench->receivers[at]);
		lines.length = 0;
		for (unsigned n = 0; n < which->subs; n++, sid += which->many_sids ? 37 : 0)
			buf_printf(&lines, "SUB bench.orders.new%s %u\r\n", which->queue, sid);
		if (at == 0)
			add_subscriptions(&lines, which->others);
		feed(bench, &bench->receivers[at], buf_slice(&lines));
	}
	buf_fini(&lines);
}

static void set_up(struct bench *bench)
{
	static const uint64_t seeds[2] = {0x0123456789abcdef, 0xfedcba9876543210};

	bench->limits = (struct limits){.max_payload = 1 << 20, .max_control_line = 4096,
					.headers = true};
	bench->random = RANDOM_SEED;
	/* A read, and before it the most that a session leaves. */
	bench->input = calloc(1, bench->read_bytes + (1 << 17));
	bench->payload = malloc(bench->which->size + 1);
	if (!bench->input || !bench->payload)
		die("out of memory");
	memset(bench->payload, 'x', bench->which->size);
	pool_init(&bench->pool, 64 << 20);
	router_init(&bench->router, &bench->pool, seeds);
	for (unsigned at = 0; at < SPEAKERS; at++)
		begin(bench, &bench->speakers[at].session);
	subscribe(bench);
	bench->which->write(bench);
	bench->taken = 0;
}

static void tear_down(struct bench *bench)
{
	for (unsigned at = 0; at < SPEAKERS; at++) {
		session_fini(&bench->speakers[at].session);
		buf_fini(&bench->speakers[at].script);
	}
	for (unsigned at = 0; at < bench->which->receivers; at++)
		session_fini(&bench->receivers[at]);
	router_fini(&bench->router);
	pool_fini(&bench->pool);
	buf_fini(&bench->before);
	buf_fini(&bench->after);
	free(bench->input);
	free(bench->payload);
}

/* ------------------------------------------------------------------------ what is counted ---- */

/* The kernel's part: not counted. */
__attribute__((noinline)) static void receive(char *to, const char *from, size_t length)
{
	memcpy(to, from, length);
}

/* Puts what was kept of the last read to the front of the input. Returns its length. */
static size_t take_rest(struct bench *bench, struct speaker *speaker)
{
	struct chunk *rest = speaker->rest;
	size_t length;

	if (!rest)
		return 0;
	length = rest->end;
	memcpy(bench->input, rest->bytes, length);
	pool_return_chunk(&bench->pool, rest);
	speaker->rest = NULL;
	return length;
}

static void keep_rest(struct bench *bench, struct speaker *speaker, struct slice rest)
{
	if (rest.length == 0)
		return;
	speaker->rest = pool_take_chunk(&bench->pool, rest.length, false);
	if (!speaker->rest)
		die("out of memory");
	memcpy(speaker->rest->bytes, rest.bytes, rest.length);
	speaker->rest->end = (uint32_t)rest.length;
}

/* One read of a client's, and the turn's end. */
static void turn(struct bench *bench, struct speaker *speaker)
{
	struct session *session = &speaker->session;
	const char *from = speaker->script.bytes + speaker->said;
	size_t length = speaker->script.length - speaker->said;
	struct room room = session_room(session);
	size_t before = take_rest(bench, speaker);
	enum session_answer answer;
	struct slice input;
	size_t direct;

	length = length < bench->read_bytes ? length : bench->read_bytes;
	direct = length < room.length ? length : room.length;
	speaker->said += length;
	if (direct > 0) {
		receive(room.bytes, from, direct);
		if (session_filled(session, direct) == SESSION_OVER)
			die("a payload was refused");
	}
	receive(bench->input + before, from + direct, length - direct);
	input = (struct slice){bench->input, before + length - direct};
	do {
		answer = session_feed(session, &input);
		session->events = 0;
		empty(bench, &bench->pool.hot);
	} while (answer == SESSION_WAIT);
	if (answer == SESSION_OVER)
		die("the session ended");
	keep_rest(bench, speaker, input);
	empty(bench, &bench->pool.dirty);
}

/* One batch, the speakers by turns. */
__attribute__((noinline)) static void measure(struct bench *bench)
{
	bool more = true;

	while (more) {
		more = false;
		for (unsigned at = 0; at < SPEAKERS; at++) {
			struct speaker *speaker = &bench->speakers[at];

			if (speaker->said == speaker->script.length)
				continue;
			turn(bench, speaker);
			more = true;
		}
	}
}

static void rewind_scripts(struct bench *bench)
{
	for (unsigned at = 0; at < SPEAKERS; at++) {
		if (bench->speakers[at].rest)
			die("a batch did not end with an operation");
		bench->speakers[at].said = 0;
	}
}

/* ---------------------------------------------------------------------------------- main ---- */

static void warm_up(struct bench *bench)
{
	struct session *first = &bench->speakers[0].session;

	feed(bench, first, buf_slice(&bench->before));
	for (unsigned at = 0; at < SPEAKERS; at++)
		feed(bench, &bench->speakers[at].session, buf_slice(&bench->speakers[at].script));
	feed(bench, first, buf_slice(&bench->after));
}

/* Whoever delivers less is cheaper, but not better. */
static void check(const struct bench *bench, uint64_t done, uint64_t delivered)
{
	const struct bench_case *which = bench->which;
	uint64_t each = (uint64_t)which->receivers * which->subs;

	if (which->queue[0] || which->others > 0 || which->write == write_requests)
		each = 1;
	if (delivered != done * each)
		die("not all was delivered");
	if (bench->router.subscriptions !=
	    (uint64_t)which->receivers * which->subs + which->others +
		    (which->write == write_requests ? 2 : 0))
		die("a subscription was lost, or is left");
}

static int run(const struct bench_case *which, size_t read_bytes, uint64_t messages)
{
	/* Static for its size. */
	static struct bench bench;
	struct session *first = &bench.speakers[0].session;
	uint64_t done = 0, in_before, out_before, taken_before;

	bench.which = which;
	bench.read_bytes = read_bytes;
	set_up(&bench);
	warm_up(&bench);
	in_before = bench.router.in_messages;
	out_before = bench.router.out_messages;
	taken_before = bench.taken;
	do {
		feed(&bench, first, buf_slice(&bench.before));
		measure(&bench);
		rewind_scripts(&bench);
		feed(&bench, first, buf_slice(&bench.after));
		done += which->messages;
	} while (done < messages);
	check(&bench, done, bench.router.out_messages - out_before);
	printf("{\"messages\":%" PRIu64 ",\"published\":%" PRIu64 ",\"delivered\":%" PRIu64
	       ",\"bytes\":%" PRIu64 "}\n", done, bench.router.in_messages - in_before,
	       bench.router.out_messages - out_before, bench.taken - taken_before);
	tear_down(&bench);
	return 0;
}

/* One per line, for the gate. */
static int list(void)
{
	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
		puts(cases[at].name);
	return 0;
}

int main(int argc, char *argv[])
{
	size_t read_bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	for (size_t at = 0; read_bytes > 0 && at < sizeof(cases) / sizeof(cases[0]); at++)
		if (strcmp(cases[at].name, argv[1]) == 0)
			return run(&cases[at], read_bytes,
				   argc > 3 ? strtoull(argv[3], NULL, 10) : 0);
	fprintf(stderr, "usage: path CASE READ [MESSAGES]\n       path --list\n");
	return 2;
}
