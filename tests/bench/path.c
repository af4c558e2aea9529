/* SPDX-License-Identifier: MIT */
/*
 * The path of a message, parser to outbox, in one process and without a socket: what callgrind
 * counts for it repeats exactly.
 *
 *   path CASE READ MESSAGES
 *
 * feeds so many messages in reads of READ bytes, as a server would: a read goes in front of what
 * the last one left, outboxes are emptied when they are hot and when the read is done.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "broker/router.h"
#include "broker/session.h"

enum { RECEIVERS_MAX = 100, BATCH_BYTES = 1 << 20 };

static const struct bench_case {
	const char *name;
	unsigned size;
	unsigned receivers;
	unsigned others; /* subscriptions that nobody publishes to, every tenth with a wildcard */
	const char *queue;
} cases[] = {
	{"publish-16", 16, 0, 0, ""},
	{"one-to-one-16", 16, 1, 0, ""},
	{"one-to-one-128", 128, 1, 0, ""},
	{"one-to-one-1024", 1024, 1, 0, ""},
	{"one-to-one-65536", 65536, 1, 0, ""},
	{"one-to-ten-128", 128, 10, 0, ""},
	{"one-to-hundred-128", 128, 100, 0, ""},
	{"queue-of-ten-128", 128, 10, 0, " workers"},
	{"one-of-many-16", 16, 1, 10000, ""},
};

struct bench {
	struct pool pool;
	struct router router;
	struct limits limits;
	struct session publisher;
	struct session receivers[RECEIVERS_MAX];
	uint64_t taken; /* bytes out of receivers' outboxes */
};

static void say(struct session *session, const char *text)
{
	struct slice input = slice_of(text);

	if (session_feed(session, &input) == SESSION_OVER || input.length > 0) {
		fprintf(stderr, "path: refused: %s\n", text);
		exit(1);
	}
	/* As a server would, which has looked at them. */
	session->events = 0;
}

static void empty(struct bench *bench, struct list *outboxes)
{
	struct list *link;

	while ((link = list_pop(outboxes))) {
		struct outbox *outbox = container_of(link, struct outbox, dirty_link);

		if (outbox != &bench->publisher.outbox)
			bench->taken += outbox->pending_bytes;
		outbox_take(outbox, outbox->pending_bytes);
	}
}

static void begin(struct bench *bench, struct session *session)
{
	session_init(session, &bench->router, &bench->limits);
	say(session, "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n");
}

static void set_up(struct bench *bench, const struct bench_case *bench_case)
{
	static const uint64_t seeds[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	char line[128];

	bench->limits = (struct limits){.max_payload = 1 << 20, .max_control_line = 4096,
					.headers = true};
	pool_init(&bench->pool, 64 << 20);
	router_init(&bench->router, &bench->pool, seeds);
	begin(bench, &bench->publisher);
	for (unsigned at = 0; at < bench_case->receivers; at++) {
		begin(bench, &bench->receivers[at]);
		snprintf(line, sizeof(line), "SUB bench.orders.new%s 1\r\n", bench_case->queue);
		say(&bench->receivers[at], line);
	}
	for (unsigned at = 0; at < bench_case->others; at++) {
		snprintf(line, sizeof(line), "SUB plant%02u.%s.sensor%05u 9%u\r\n", at % 100,
			 at % 10 ? "line" : "*", at, at);
		say(&bench->receivers[0], line);
	}
	empty(bench, &bench->pool.dirty);
}

/* A batch of whole messages, about as long as BATCH_BYTES. Returns how many. */
static uint64_t prepare(struct buf *batch, unsigned size)
{
	char *payload = malloc(size);
	uint64_t count = 0;

	memset(payload, 'x', size);
	while (batch->length < BATCH_BYTES || count < 16) {
		buf_printf(batch, "PUB bench.orders.new %u\r\n", size);
		buf_append(batch, (struct slice){payload, size});
		buf_append(batch, SLICE("\r\n"));
		count++;
	}
	free(payload);
	return count;
}

/* One read, behind what was left of the last. Returns what is left now, at the front. */
static size_t feed(struct bench *bench, char *input, size_t before, struct slice bytes)
{
	struct room room = session_room(&bench->publisher);
	size_t direct = bytes.length < room.length ? bytes.length : room.length;
	enum session_answer answer;
	struct slice rest;

	if (direct > 0) {
		memcpy(room.bytes, bytes.bytes, direct);
		session_filled(&bench->publisher, direct);
	}
	memcpy(input + before, bytes.bytes + direct, bytes.length - direct);
	rest = (struct slice){input, before + bytes.length - direct};
	do {
		answer = session_feed(&bench->publisher, &rest);
		empty(bench, &bench->pool.hot);
	} while (answer == SESSION_WAIT);
	if (answer == SESSION_OVER) {
		fprintf(stderr, "path: the session ended\n");
		exit(1);
	}
	memmove(input, rest.bytes, rest.length);
	empty(bench, &bench->pool.dirty);
	return rest.length;
}

static void tear_down(struct bench *bench, const struct bench_case *bench_case)
{
	session_fini(&bench->publisher);
	for (unsigned at = 0; at < bench_case->receivers; at++)
		session_fini(&bench->receivers[at]);
	router_fini(&bench->router);
	pool_fini(&bench->pool);
}

static int run(const struct bench_case *bench_case, size_t read_bytes, uint64_t messages)
{
	/* Static for its size. */
	static struct bench bench;
	struct buf batch = {0};
	uint64_t each = prepare(&batch, bench_case->size);
	char *input = malloc(read_bytes + (1 << 17));
	size_t left = 0;
	uint64_t done;

	set_up(&bench, bench_case);
	for (done = 0; done < messages; done += each)
		for (size_t at = 0; at < batch.length; at += read_bytes) {
			size_t length = batch.length - at < read_bytes ? batch.length - at : read_bytes;

			left = feed(&bench, input, left, (struct slice){batch.bytes + at, length});
		}
	printf("{\"messages\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
	       bench.router.in_messages, bench.router.out_messages, bench.taken);
	tear_down(&bench, bench_case);
	buf_fini(&batch);
	free(input);
	return left == 0 ? 0 : 1;
}

int main(int argc, char *argv[])
{
	for (size_t at = 0; argc == 4 && at < sizeof(cases) / sizeof(cases[0]); at++)
		if (strcmp(cases[at].name, argv[1]) == 0)
			return run(&cases[at], strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	fprintf(stderr, "usage: path CASE READ MESSAGES\n");
	return 2;
}
