/* SPDX-License-Identifier: MIT */
/*
 * The state of a session, as another process wrote it, or something that only looks like it.
 *
 * The input is tagged fields (broker/state.h). A tag that no state has, 255, holds what the client
 * says next.
 *
 * If it is taken, it is saved and taken once more, and is still the same; the conversation goes on;
 * and in the end nothing is left of it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/router.h"
#include "broker/state.h"
#include "tagged.h"
#include "fuzz.h"

enum { MAX_PENDING = 64 << 20, PAYLOADS = 4, PAYLOAD_BYTES = 8000, SAID_TAG = 255 };

struct broker {
	struct limits limits;
	struct pool pool;
	struct router router;
	struct session session;
	struct state_payload payloads[PAYLOADS];
};

/* What was saved; payloads are known to be those of above. */
struct saved {
	struct state_payloads payloads;
	uint32_t kept;
	struct tags_writer fields;
};

static void begin(struct broker *broker)
{
	static const uint64_t seeds[2] = {0x0123456789abcdef, 0xfedcba9876543210};

	*broker = (struct broker){
		.limits = {.max_payload = 1 << 20, .max_control_line = 4096, .headers = true}};
	pool_init(&broker->pool, MAX_PENDING);
	router_init(&broker->router, &broker->pool, seeds);
	session_init(&broker->session, &broker->router, &broker->limits);
	for (size_t at = 0; at < PAYLOADS; at++) {
		broker->payloads[at].payload = pool_take_payload(&broker->pool, PAYLOAD_BYTES);
		broker->payloads[at].length = PAYLOAD_BYTES;
		memset(broker->payloads[at].payload->bytes, 'a' + (int)at, PAYLOAD_BYTES);
		broker->payloads[at].payload->filled = PAYLOAD_BYTES;
	}
}

static void end(struct broker *broker)
{
	session_fini(&broker->session);
	for (size_t at = 0; at < PAYLOADS; at++) {
		require(broker->payloads[at].payload->refs == 1, "nobody holds a payload");
		pool_release_payload(&broker->pool, broker->payloads[at].payload);
	}
	require(broker->router.subscriptions == 0 && broker->router.queues.count == 0 &&
			broker->router.trie.literals.count == 0 && !broker->router.trie.root,
		"nothing is left of who has gone");
	router_fini(&broker->router);
	pool_fini(&broker->pool);
}

static bool load(struct broker *broker, struct slice fields)
{
	struct state_source source = {broker->payloads, PAYLOADS};

	return state_load(&broker->session, &source, fields);
}

/* They come in the order in which they are waited for, and no more of them than there are. */
static int keep(struct state_payloads *payloads, struct slice bytes)
{
	struct saved *saved = container_of(payloads, struct saved, payloads);

	require(bytes.length <= PAYLOAD_BYTES, "no payload is longer than it was");
	require(++saved->kept <= PAYLOADS, "a payload is saved once");
	return 0;
}

static void save(struct broker *broker, struct saved *saved)
{
	*saved = (struct saved){.payloads = {.keep = keep}};
	state_forget_numbers(&broker->session);
	require(state_save(&broker->session, &saved->payloads, &saved->fields) == 0 &&
			!saved->fields.failed, "what was taken can be saved");
}

static void forget_output(struct broker *broker)
{
	struct outbox *outbox = &broker->session.outbox;
	struct slice slices[16];
	size_t count, taken;

	while ((count = outbox_peek(outbox, slices, 16)) > 0) {
		taken = 0;
		for (size_t at = 0; at < count; at++)
			taken += slices[at].length;
		outbox_take(outbox, taken);
	}
	require(outbox->pending_bytes == 0, "what is pending is there");
	list_remove(&outbox->dirty_link);
}

static void go_on(struct broker *broker, struct slice said)
{
	enum session_answer answer = SESSION_WAIT;
	char *block = malloc(said.length + !said.length);
	struct slice input = {block, said.length};

	if (said.length > 0)
		memcpy(block, said.bytes, said.length);
	while (answer == SESSION_WAIT) {
		answer = session_feed(&broker->session, &input);
		broker->session.events = 0;
		forget_output(broker);
	}
	free(block);
}

/* Saves what was taken, and takes it in another broker: `saved` is what that one saves. */
static void move(struct broker *broker, struct saved *saved)
{
	struct broker other;
	struct saved first;

	save(broker, &first);
	begin(&other);
	require(load(&other, buf_slice(&first.fields.out)), "what was saved is taken");
	require(other.session.outbox.pending_bytes == broker->session.outbox.pending_bytes,
		"as much is pending as before");
	require(other.session.subs.count == broker->session.subs.count,
		"there are as many subscriptions as before");
	save(&other, saved);
	/* In an order of its own, perhaps. */
	require(saved->fields.out.length == first.fields.out.length, "it is still the same");
	buf_fini(&first.fields.out);
	end(&other);
}

static struct slice find_said(struct slice input)
{
	struct slice said = {NULL, 0};
	struct tags_field field;

	while (tags_next(&input, &field) == TAGS_FIELD)
		if (field.tag == SAID_TAG)
			said = field.value;
	return said;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = {(const char *)data, size};
	struct broker broker;
	struct saved saved;

	begin(&broker);
	if (load(&broker, input)) {
		move(&broker, &saved);
		buf_fini(&saved.fields.out);
		forget_output(&broker);
		go_on(&broker, find_said(input));
	}
	end(&broker);
	return 0;
}
