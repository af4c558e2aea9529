/* SPDX-License-Identifier: MIT */
#include "broker/router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "broker/guard.h"
#include "broker/trace.h"
#include "proto/writer.h"

/* The name of a queue group, shared by all leaves that have it, and room for counting members. */
struct queue {
	struct queue *next_noted; /* router.noted */
	struct map leaves;        /* by subject: there can be many groups to a subject */
	struct leaf *noted;       /* those that match the message in hand */
	uint32_t members;         /* that match the message in hand; 0 when not noted */
	uint32_t refs;
	uint32_t hash;
	uint32_t length;
	char name[];
};

enum { MEMOS = 128, MEMO_SUBJECT = 96, MEMO_LEAVES = 16 };

/* What the patterns answered to a subject. Stale when the trie's generation is another. */
struct memo {
	uint64_t generation; /* 0: unused; the trie's first pattern makes it 1 */
	uint32_t hash;
	uint16_t length;
	uint16_t count;
	char subject[MEMO_SUBJECT];
	struct leaf *leaves[MEMO_LEAVES];
};

/* All leaves that match a subject. */
struct match {
	struct leaf *literal; /* the first of a list */
	struct leaf *const *patterns;
	uint32_t count; /* of patterns */
};

/* A message in the form that one kind of receiver gets. */
struct form {
	struct slice verb; /* empty: not made yet */
	struct slice tail;
	struct slice body; /* empty when it follows the tail in memory, and is in it */
};

/* A message on its way. */
struct delivery {
	const struct message *message;
	struct payload *payload;
	struct form whole;
	struct form stripped; /* for those who take no headers */
	uint64_t count;
};

void router_init(struct router *router, struct pool *pool, const uint64_t seeds[2])
{
	*router = (struct router){.pool = pool, .random = seeds[1] | 1};
	trie_init(&router->trie, seeds[0]);
}

void router_fini(struct router *router)
{
	trie_fini(&router->trie);
	assert(router->queues.count == 0);
	map_fini(&router->queues);
	free(router->memos);
	buf_fini(&router->scratch[0]);
	buf_fini(&router->scratch[1]);
}

/* xorshift64*: cheap, and good enough to share out work. */
static uint32_t random_below(struct router *router, uint32_t limit)
{
	uint64_t state = router->random;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	router->random = state;
	return (uint32_t)(((state * 0x2545f4914f6cdd1du >> 32) * limit) >> 32);
}

/* Subscriptions. */

static struct slice queue_name(const void *item)
{
	const struct queue *queue = item;

	return (struct slice){queue->name, queue->length};
}

struct slice router_queue_name(const struct queue *queue)
{
	return queue_name(queue);
}

static struct queue *new_queue(struct slice name, uint32_t hash)
{
	struct queue *queue = malloc(sizeof(*queue) + name.length);

	if (!queue)
		return NULL;
	*queue = (struct queue){.hash = hash, .length = (uint32_t)name.length};
	memcpy(queue->name, name.bytes, name.length);
	return queue;
}

/* The one queue of this name, with a reference more; NULL without memory. */
static struct queue *take_queue(struct router *router, struct slice name)
{
	uint32_t hash = hash_bytes(router->trie.key, name);
	struct queue *queue = map_find(&router->queues, hash, name, queue_name);

	if (!queue) {
		if (map_reserve(&router->queues) < 0)
			return NULL;
		queue = new_queue(name, hash);
		if (!queue)
			return NULL;
		map_put(&router->queues, hash, queue);
	}
	queue->refs++;
	return queue;
}

static void release_queue(struct router *router, struct queue *queue)
{
	if (!queue || --queue->refs > 0)
		return;
	map_remove(&router->queues, queue->hash, queue);
	map_fini(&queue->leaves);
	free(queue);
}

/* The group's leaf for a subject, made if need be; it holds one reference to the group. */
static int take_queue_leaf(struct router *router, struct queue *queue, struct slice subject,
			   struct leaf **leaf)
{
	uint32_t hash = trie_hash(&router->trie, subject);
	int answer;

	*leaf = map_find(&queue->leaves, hash, subject, leaf_name);
	if (*leaf)
		return TRIE_OK;
	if (map_reserve(&queue->leaves) < 0)
		return -ENOMEM;
	answer = trie_take_queue(&router->trie, subject, queue, leaf);
	if (answer < 0)
		return answer;
	map_put(&queue->leaves, hash, *leaf);
	queue->refs++;
	return answer;
}

static void drop_leaf(struct router *router, struct leaf *leaf)
{
	struct queue *queue = leaf->queue;

	if (queue)
		map_remove(&queue->leaves, trie_hash(&router->trie, leaf_subject(leaf)), leaf);
	trie_drop(&router->trie, leaf);
	release_queue(router, queue);
}

int router_subscribe(struct router *router, struct sub *sub, struct slice subject,
		     struct slice queue_text)
{
	struct queue *queue = NULL;
	struct leaf *leaf;
	int answer;

	if (queue_text.length > 0) {
		queue = take_queue(router, queue_text);
		if (!queue)
			return -ENOMEM;
		answer = take_queue_leaf(router, queue, subject, &leaf);
		release_queue(router, queue);
	} else {
		answer = trie_take(&router->trie, subject, &leaf);
	}
	if (answer < 0)
		return answer;
	if (leaf_join(leaf, sub) < 0) {
		if (answer == TRIE_FIRST)
			drop_leaf(router, leaf);
		return -ENOMEM;
	}
	router->subscriptions++;
	return answer;
}

int router_unsubscribe(struct router *router, struct sub *sub)
{
	struct leaf *leaf = sub->leaf;

	router->subscriptions--;
	router->unsubscribed++;
	if (leaf_leave(leaf, sub) != TRIE_LAST)
		return TRIE_OK;
	drop_leaf(router, leaf);
	return TRIE_LAST;
}

/* Matching. */

/* Patterns are asked through a memo; a literal subject is as quickly found as a memo would be. */
static void match_patterns(struct router *router, struct slice subject, uint32_t hash,
			   struct match *match)
{
	struct trie *trie = &router->trie;
	struct memo *memo;

	if (!router->memos)
		router->memos = calloc(MEMOS, sizeof(*router->memos));
	memo = router->memos ? &router->memos[hash % MEMOS] : NULL;
	if (memo && memo->generation == trie->generation && memo->hash == hash &&
	    slice_equal((struct slice){memo->subject, memo->length}, subject)) {
		match->patterns = memo->leaves;
		match->count = memo->count;
		return;
	}
	match->count = trie_find_patterns(trie, subject);
	router->work += trie->visited;
	match->patterns = trie->found;
	if (!memo || subject.length > MEMO_SUBJECT || match->count > MEMO_LEAVES)
		return;
	memo->generation = trie->generation;
	memo->hash = hash;
	memo->length = (uint16_t)subject.length;
	memo->count = (uint16_t)match->count;
	memcpy(memo->subject, subject.bytes, subject.length);
	if (match->count > 0)
		memcpy(memo->leaves, trie->found, match->count * sizeof(struct leaf *));
}

static struct match find_match(struct router *router, struct slice subject)
{
	struct match match = {NULL, NULL, 0};
	uint32_t hash;

	if (router->subscriptions == 0)
		return match;
	hash = trie_hash(&router->trie, subject);
	match.literal = trie_find_literal(&router->trie, subject, hash);
	if (router->trie.root)
		match_patterns(router, subject, hash, &match);
	return match;
}

/* Walks the leaves of a match, which is used up. */
static struct leaf *next_leaf(struct match *match)
{
	struct leaf *leaf = match->literal;

	if (leaf) {
		match->literal = leaf->next;
		return leaf;
	}
	if (match->count == 0)
		return NULL;
	match->count--;
	return *match->patterns++;
}

struct sub *router_find_own(struct router *router, struct slice subject,
			    const struct outbox *outbox)
{
	struct match match = find_match(router, subject);
	struct leaf *leaf;

	while ((leaf = next_leaf(&match)))
		for (uint32_t at = 0; !leaf->queue && at < leaf->count; at++)
			if (leaf_members(leaf)[at]->outbox == outbox)
				return leaf_members(leaf)[at];
	return NULL;
}

/* Delivery. */

/* A body that follows its tail in memory is copied along with it. */
static void join(struct form *form, const struct payload *payload)
{
	if (payload || form->tail.bytes + form->tail.length != form->body.bytes)
		return;
	form->tail.length += form->body.length;
	form->body.length = 0;
}

static uint32_t body_length(const struct message *message)
{
	return (uint32_t)message->body.length - 2; /* without its CRLF */
}

static struct form make_whole(struct router *router, const struct message *message)
{
	struct form form = {message->header_length ? SLICE("HMSG ") : SLICE("MSG "), message->tail,
			    message->body};
	struct buf *scratch = &router->scratch[0];
	uint32_t total = body_length(message);

	if (form.tail.length > 0)
		return form;
	if (buf_reserve(scratch, message->reply.length + WRITER_TAIL) < 0)
		return (struct form){0};
	form.tail.bytes = scratch->bytes;
	if (message->header_length)
		form.tail.length = writer_hmsg_tail(scratch->bytes, message->reply,
						    message->header_length, total);
	else
		form.tail.length = writer_msg_tail(scratch->bytes, message->reply, total);
	return form;
}

static struct form make_stripped(struct router *router, const struct message *message)
{
	struct form form = {SLICE("MSG "), {NULL, 0},
			    slice_after(message->body, message->header_length)};
	struct buf *scratch = &router->scratch[1];

	if (buf_reserve(scratch, message->reply.length + WRITER_TAIL) < 0)
		return (struct form){0};
	form.tail.bytes = scratch->bytes;
	form.tail.length = writer_msg_tail(scratch->bytes, message->reply,
					   body_length(message) - message->header_length);
	return form;
}

/*
 * A large body is copied once, into a payload that its receivers share. Without memory for it each
 * receiver gets a copy.
 */
static void share_body(struct router *router, struct delivery *delivery)
{
	const struct message *message = delivery->message;

	delivery->payload = message->payload;
	if (delivery->payload) {
		delivery->payload->refs++;
		return;
	}
	if (message->body.length < OUTBOX_SHARE_BYTES)
		return;
	delivery->payload = pool_take_payload(router->pool, message->body.length);
	if (!delivery->payload)
		return;
	memcpy(delivery->payload->bytes, message->body.bytes, message->body.length);
	delivery->whole.body.bytes = delivery->payload->bytes;
}

/* Nothing is prepared for a message before somebody is there to get it. */
static const struct form *find_form(struct router *router, struct delivery *delivery,
				    const struct outbox *outbox)
{
	const struct message *message = delivery->message;
	struct form *form = &delivery->whole;

	if (form->verb.length == 0) {
		*form = make_whole(router, message);
		if (form->verb.length == 0)
			return form;
		share_body(router, delivery);
		join(form, delivery->payload);
	}
	if (message->header_length == 0 || outbox->wants_headers)
		return form;
	form = &delivery->stripped;
	if (form->verb.length == 0) {
		*form = make_stripped(router, message);
		if (delivery->payload)
			form->body.bytes = delivery->whole.body.bytes + message->header_length;
	}
	return form;
}

/* What is left without its headers may be little: it must not keep a large payload alive. */
static bool is_worth_sharing(const struct payload *payload, const struct form *form)
{
	return payload && form->body.length >= OUTBOX_SHARE_BYTES &&
	       form->body.length >= payload->capacity / 4;
}

static bool put_shared(struct outbox *outbox, struct payload *payload, const struct form *form,
		       struct slice subject, struct slice sid)
{
	size_t length = writer_line_length(form->verb, subject, sid, form->tail);
	size_t start = (size_t)(form->body.bytes - payload->bytes);
	char *to = outbox_room(outbox, length, form->body.length);

	if (!to)
		return false;
	writer_line(to, form->verb, subject, sid, form->tail);
	outbox_wrote(outbox, length);
	outbox_attach(outbox, payload, start, start + form->body.length);
	return true;
}

static bool put_copied(struct outbox *outbox, const struct form *form, struct slice subject,
		       struct slice sid)
{
	size_t length = writer_line_length(form->verb, subject, sid, form->tail);
	char *to = outbox_room(outbox, length + form->body.length, 0);

	if (!to)
		return false;
	to = writer_line(to, form->verb, subject, sid, form->tail);
	if (form->body.length > 0)
		writer_copy(to, form->body);
	outbox_wrote(outbox, length + form->body.length);
	return true;
}

/* Only where somebody watches. */
static void trace_delivery(struct router *router, const struct sub *sub, const struct form *form,
			   struct slice subject)
{
	const char *end = memchr(form->tail.bytes, '\r', form->tail.length);
	struct slice verb = {form->verb.bytes, form->verb.length - 1};
	struct buf text = {0};

	if (buf_printf(&text, "%.*s %.*s %.*s", (int)subject.length, subject.bytes,
		       (int)sub->sid_length, sub->sid, (int)(end - form->tail.bytes),
		       form->tail.bytes) == 0)
		router->trace->line(router->trace, sub->outbox, TRACE_OUT, verb, buf_slice(&text));
	buf_fini(&text);
}

static void expire(struct router *router, struct sub *sub)
{
	sub->next_expired = router->expired;
	router->expired = sub;
}

/* What a permit says about a message to this very subscription. */
static bool is_let_through(struct router *router, const struct sub *sub,
			   const struct message *message)
{
	const struct queue *queue = sub->leaf->queue;
	struct slice name = {NULL, 0};

	if (queue)
		name = queue_name(queue);
	return guard_delivers(sub->outbox->guard, message->subject, message->reply, name,
			      &router->work);
}

static bool deliver(struct router *router, struct delivery *delivery, struct sub *sub)
{
	struct outbox *outbox = sub->outbox;
	struct slice subject = delivery->message->subject;
	const struct form *form;
	bool done;

	/* A closed one will not give room. */
	if (outbox == delivery->message->except)
		return false;
	if (sub->guarded && !is_let_through(router, sub, delivery->message))
		return false;
	form = find_form(router, delivery, outbox);
	if (form->verb.length == 0)
		return false;
	if (is_worth_sharing(delivery->payload, form))
		done = put_shared(outbox, delivery->payload, form, subject, sub_sid(sub));
	else
		done = put_copied(outbox, form, subject, sub_sid(sub));
	if (!done)
		return false;
	if (router->trace)
		trace_delivery(router, sub, form, subject);
	delivery->count++;
	sub->delivered++;
	if (sub->max > 0 && sub->delivered >= sub->max)
		expire(router, sub);
	return true;
}

/* Queue groups. */

static void note_queue(struct router *router, struct leaf *leaf)
{
	struct queue *queue = leaf->queue;

	if (queue->members == 0) {
		queue->next_noted = router->noted;
		router->noted = queue;
	}
	leaf->next_noted = queue->noted;
	queue->noted = leaf;
	queue->members += leaf->count;
}

/* Tries a group's members first to last - 1, counted over all leaves that match. */
static bool deliver_to_one(struct router *router, struct delivery *delivery,
			   const struct queue *queue, uint32_t first, uint32_t last)
{
	uint32_t before = 0; /* members in the leaves already passed */

	for (struct leaf *leaf = queue->noted; leaf && before < last; leaf = leaf->next_noted) {
		uint32_t at = first > before ? first - before : 0;

		for (; at < leaf->count && before + at < last; at++)
			if (deliver(router, delivery, leaf_members(leaf)[at]))
				return true;
		before += leaf->count;
	}
	return false;
}

static void deliver_to_queues(struct router *router, struct delivery *delivery)
{
	while (router->noted) {
		struct queue *queue = router->noted;
		uint32_t start = random_below(router, queue->members);

		if (!deliver_to_one(router, delivery, queue, start, queue->members))
			deliver_to_one(router, delivery, queue, 0, start);
		queue->members = 0;
		queue->noted = NULL;
		router->noted = queue->next_noted;
	}
}

uint64_t router_publish(struct router *router, const struct message *message)
{
	struct match match = find_match(router, message->subject);
	struct delivery delivery;
	struct leaf *leaf;

	/* Field by field: the forms are large, and made only when needed. */
	delivery.message = message;
	delivery.payload = NULL;
	delivery.whole.verb.length = 0;
	delivery.stripped.verb.length = 0;
	delivery.count = 0;
	router->in_messages++;
	while ((leaf = next_leaf(&match))) {
		router->work++;
		if (leaf->queue)
			note_queue(router, leaf);
		else
			for (uint32_t at = 0; at < leaf->count; at++)
				deliver(router, &delivery, leaf_members(leaf)[at]);
	}
	deliver_to_queues(router, &delivery);
	if (delivery.payload)
		pool_release_payload(router->pool, delivery.payload);
	router->out_messages += delivery.count;
	router->work += delivery.count;
	return delivery.count;
}
