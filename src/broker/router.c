/* SPDX-License-Identifier: MIT */
#include "broker/router.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hints.h"
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
	uint32_t length;
	char name[];
};

enum { LINE_QUICK = 32 };

/* A message in the form that one kind of receiver gets. */
struct form {
	struct slice line; /* "MSG subject " or "HMSG subject ", LINE_QUICK bytes can be read in any
			      case; empty: not made */
	struct slice tail;
	struct slice body; /* empty when it follows the tail in memory, and is in it */
};

/* A message on its way. */
struct delivery {
	const struct message *message; /* NULL: repeated, and nobody watches */
	const struct outbox *except;
	struct payload *payload;
	struct form whole;
	struct form stripped; /* for those who take no headers */
	bool has_headers;
	uint64_t count;
};

void router_init(struct router *router, struct pool *pool, const uint64_t seeds[2])
{
	*router = (struct router){.pool = pool, .random = seeds[1] | 1};
	trie_init(&router->trie, seeds[0]);
	/* Who subscribes takes memory just as who does not read. */
	trie_count_bytes(&router->trie, &pool->taken_bytes);
}

void router_fini(struct router *router)
{
	router_rest(router);
	trie_fini(&router->trie);
	assert(router->queues.count == 0);
	map_fini(&router->queues, &router->pool->taken_bytes);
	memos_fini(&router->memos);
	buf_fini(&router->head);
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

static uint32_t queue_hash(uint64_t key, const void *queue)
{
	return hash_bytes(key, queue_name(queue));
}

static size_t queue_size(size_t name_length)
{
	return sizeof(struct queue) + name_length;
}

static struct queue *new_queue(struct router *router, struct slice name)
{
	struct queue *queue = slab_take(&router->trie.slab, queue_size(name.length));

	if (!queue)
		return NULL;
	*queue = (struct queue){.length = (uint32_t)name.length};
	memcpy(queue->name, name.bytes, name.length);
	return queue;
}

/* The one queue of this name, with a reference more; NULL without memory. */
static struct queue *take_queue(struct router *router, struct slice name)
{
	uint32_t hash = hash_bytes(router->trie.key, name);
	struct queue *queue = map_find(&router->queues, hash, name, queue_name);

	if (!queue) {
		if (map_reserve(&router->queues, router->trie.key, queue_hash,
				&router->pool->taken_bytes) < 0)
			return NULL;
		queue = new_queue(router, name);
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
	map_remove(&router->queues, queue_hash(router->trie.key, queue), queue, router->trie.key,
		   queue_hash, &router->pool->taken_bytes);
	/* Nobody stands there, but room may have been made for one. */
	map_fini(&queue->leaves, &router->pool->taken_bytes);
	slab_return(&router->trie.slab, queue, queue_size(queue->length));
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
	if (map_reserve(&queue->leaves, router->trie.key, leaf_hash,
			&router->pool->taken_bytes) < 0)
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
	struct queue *queue = leaf_queue(leaf);
	uint64_t key = router->trie.key;

	if (queue)
		map_remove(&queue->leaves, leaf_hash(key, leaf), leaf, key, leaf_hash,
			   &router->pool->taken_bytes);
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

/* Of what a queue group takes, each of its leaves has the same part. */
static size_t queue_share(const struct router *router, const struct queue *queue)
{
	size_t bytes = queue_size(queue->length) + SLAB_EXTRA + map_bytes(&queue->leaves) +
		       map_bytes(&router->queues) / router->queues.count;

	return bytes / queue->refs;
}

size_t router_sub_bytes(const struct router *router, const struct sub *sub)
{
	const struct leaf *leaf = sub->leaf;
	const struct queue *queue = leaf_queue(leaf);
	size_t shared = trie_leaf_bytes(&router->trie, leaf) +
			(queue ? queue_share(router, queue) : 0);

	return sub_size(sub->sid_length) + SLAB_EXTRA + shared / leaf_count(leaf);
}

/* Matching. */

static struct sub *find_member(struct router *router, struct leaf *leaf,
			       const struct outbox *outbox)
{
	for (uint32_t at = 0; at < leaf_count(leaf); at++, router->work++)
		if (leaf_members(leaf)[at]->outbox == outbox)
			return leaf_members(leaf)[at];
	return NULL;
}

struct sub *router_find_own(struct router *router, struct slice subject,
			    const struct outbox *outbox)
{
	struct match match = memos_find(&router->memos, &router->trie, subject, NULL,
					 &router->work);
	struct sub *sub = match.literal ? find_member(router, match.literal, outbox) : NULL;

	/* They are gone through once more. */
	router->work += match.count;
	for (uint32_t at = 0; at < match.count && !sub; at++)
		if (!leaf_queue(match.patterns[at]))
			sub = find_member(router, match.patterns[at], outbox);
	return sub;
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

/* How the lines of a message begin: "HMSG subject ". Empty without memory. */
static struct slice find_line(struct router *router, struct slice subject)
{
	struct buf *head = &router->head;

	if (router->memos.recent)
		return (struct slice){router->memos.recent->line, subject.length + 6};
	head->length = 0;
	if (buf_reserve(head, subject.length + 6 + LINE_QUICK) < 0)
		return (struct slice){NULL, 0};
	*writer_copy(writer_copy(head->bytes, SLICE("HMSG ")), subject) = ' ';
	return (struct slice){head->bytes, subject.length + 6};
}

static struct form make_whole(struct router *router, const struct message *message)
{
	struct form form = {find_line(router, message->subject), message->tail, message->body};
	struct buf *scratch = &router->scratch[0];
	uint32_t total = body_length(message);

	if (form.line.length > 0 && !message->header_length)
		form.line = slice_after(form.line, 1);
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

static struct form make_stripped(struct router *router, const struct message *message,
				 struct slice line)
{
	struct form form = {slice_after(line, 1), {NULL, 0},
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
	delivery->payload->filled = (uint32_t)message->body.length;
	delivery->whole.body.bytes = delivery->payload->bytes;
}

/* For those who take no headers; made when the first of them is met. */
static const struct form *find_stripped(struct router *router, struct delivery *delivery)
{
	struct form *form = &delivery->stripped;

	if (form->line.length > 0)
		return form;
	*form = make_stripped(router, delivery->message, delivery->whole.line);
	if (delivery->payload)
		form->body.bytes = delivery->whole.body.bytes + delivery->message->header_length;
	return form;
}

/* What is left without its headers may be little: it must not keep a large payload alive. */
static bool is_worth_sharing(const struct payload *payload, const struct form *form)
{
	return payload && form->body.length >= OUTBOX_SHARE_BYTES &&
	       form->body.length >= payload->capacity / 4;
}

static bool put_shared(struct outbox *outbox, struct payload *payload, const struct form *form,
		       struct slice sid)
{
	size_t length = writer_line_length(form->line, sid, form->tail);
	size_t start = (size_t)(form->body.bytes - payload->bytes);
	char *to = outbox_room(outbox, length, form->body.length);

	if (!to)
		return false;
	writer_line(to, form->line, sid, form->tail);
	outbox_wrote(outbox, length);
	outbox_attach(outbox, payload, start, start + form->body.length);
	return true;
}

/* Short ones are copied in one piece of a size that the compiler knows, into the slack behind. */
static inline char *put_start(char *to, struct slice line, const struct sub *sub)
{
	if (line.length > LINE_QUICK || sub->sid_length >= SID_QUICK) {
		to = writer_copy(to, line);
		return writer_copy(to, (struct slice){sub->sid, sub->sid_length + 1});
	}
	memcpy(to, line.bytes, LINE_QUICK);
	to += line.length;
	memcpy(to, sub->sid, SID_QUICK);
	return to + sub->sid_length + 1;
}

static INLINE bool put_copied(struct outbox *outbox, const struct form *form,
			      const struct sub *sub)
{
	size_t length = writer_line_length(form->line, sub_sid(sub), form->tail) + form->body.length;
	char *to = outbox_room(outbox, length, 0);

	if (!to)
		return false;
	to = writer_copy(put_start(to, form->line, sub), form->tail);
	if (form->body.length > 0)
		writer_copy(to, form->body);
	outbox_wrote(outbox, length);
	return true;
}

/* Casts: what several get in the same words. */

static bool cast_is_for(const struct cast *cast, struct slice sid)
{
	return cast->payload && cast->sid_length == sid.length &&
	       memcmp(cast->sid, sid.bytes, sid.length) == 0;
}

/* Room for `length` bytes at the end of its payload, or of a new one. False without memory. */
static bool reserve_cast(struct router *router, struct cast *cast, size_t length)
{
	if (cast->payload && cast->payload->capacity - cast->end >= length)
		return true;
	if (cast->payload)
		pool_release_payload(router->pool, cast->payload);
	cast->payload = pool_take_payload(router->pool, ROUTER_CAST_BYTES);
	cast->end = 0;
	return cast->payload;
}

/* Writes the message in hand to a cast, once. False without memory. */
static bool fill_cast(struct router *router, struct cast *cast, const struct form *form,
		      struct slice sid)
{
	size_t length = writer_line_length(form->line, sid, form->tail) + form->body.length;
	char *to;

	if (length > ROUTER_CAST_BYTES || !reserve_cast(router, cast, length))
		return false;
	to = writer_line(cast->payload->bytes + cast->end, form->line, sid, form->tail);
	if (form->body.length > 0)
		writer_copy(to, form->body);
	cast->start = cast->end;
	cast->end += (uint32_t)length;
	cast->payload->filled = cast->end;
	cast->message = router->in_messages;
	return true;
}

/* The cast for a sid, perhaps not yet filled. NULL: the sid is too long for one. */
static struct cast *find_cast(struct router *router, struct slice sid)
{
	struct cast *cast;

	for (cast = router->casts; cast < router->casts + ROUTER_CASTS; cast++)
		if (cast_is_for(cast, sid))
			return cast;
	if (sid.length > sizeof(cast->sid))
		return NULL;
	cast = &router->casts[router->next_cast++ % ROUTER_CASTS];
	if (cast->payload)
		pool_release_payload(router->pool, cast->payload);
	*cast = (struct cast){.sid_length = (uint32_t)sid.length};
	memcpy(cast->sid, sid.bytes, sid.length);
	return cast;
}

/* How the message in hand reaches one of several with the same sid. */
static bool put_cast(struct router *router, struct delivery *delivery, struct sub *sub,
		     const struct form *form)
{
	struct outbox *outbox = sub->outbox;
	struct cast *cast = NULL;

	if (form == &delivery->whole && !outbox->is_behind)
		cast = find_cast(router, sub_sid(sub));
	if (!cast || (cast->message != router->in_messages &&
		      !fill_cast(router, cast, form, sub_sid(sub))))
		return put_copied(outbox, form, sub);
	return outbox_refer(outbox, cast->payload, cast->start, cast->end) ||
	       put_copied(outbox, form, sub);
}

void router_rest(struct router *router)
{
	for (struct cast *cast = router->casts; cast < router->casts + ROUTER_CASTS; cast++) {
		if (cast->payload)
			pool_release_payload(router->pool, cast->payload);
		cast->payload = NULL;
	}
}

void router_trim(struct router *router)
{
	trie_trim(&router->trie);
}

/* Only where somebody watches. */
static void trace_delivery(struct router *router, const struct sub *sub, const struct form *form,
			   struct slice subject)
{
	const char *end = memchr(form->tail.bytes, '\r', form->tail.length);
	size_t verb_length = form->line.length - subject.length - 2;
	struct slice verb = {form->line.bytes, verb_length};
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
static bool is_let_through(struct router *router, const struct delivery *delivery,
			   const struct sub *sub)
{
	const struct message *message = delivery->message;
	const struct queue *queue = leaf_queue(sub->leaf);
	struct slice line = delivery->whole.line, nothing = {NULL, 0};

	/* A repeated one has no reply subject; its line is "MSG subject ". */
	return guard_delivers(sub->outbox->guard,
			      message ? message->subject
				      : (struct slice){line.bytes + 4, line.length - 5},
			      message ? message->reply : nothing,
			      queue ? queue_name(queue) : nothing, &router->work);
}

/* `has_twin`: a neighbour among the leaf's members has the same sid. */
static INLINE bool deliver(struct router *router, struct delivery *delivery, struct sub *sub,
			   bool has_twin)
{
	struct outbox *outbox = sub->outbox;
	const struct form *form = &delivery->whole;
	bool done;

	/* A closed one will not give room. */
	if (outbox == delivery->except)
		return false;
	if (sub->guarded && !is_let_through(router, delivery, sub))
		return false;
	if (delivery->has_headers && !outbox->wants_headers) {
		form = find_stripped(router, delivery);
		if (form->line.length == 0) {
			outbox_shut(outbox);
			return false;
		}
	}
	if (is_worth_sharing(delivery->payload, form))
		done = put_shared(outbox, delivery->payload, form, sub_sid(sub));
	else if (has_twin)
		done = put_cast(router, delivery, sub, form);
	else
		done = put_copied(outbox, form, sub);
	if (!done)
		return false;
	if (router->trace)
		trace_delivery(router, sub, form, delivery->message->subject);
	delivery->count++;
	sub->delivered += sub->delivered < UINT32_MAX;
	if (sub->max > 0 && sub->delivered >= sub->max)
		expire(router, sub);
	return true;
}

static void deliver_to_all(struct router *router, struct delivery *delivery, struct leaf *leaf)
{
	struct sub **members = leaf_members(leaf);
	uint32_t last = leaf_count(leaf) - 1;
	bool is_twin = false; /* of the one before */

	/* To pass one over, for whatever reason, is work too. */
	router->work += 2 + (uint64_t)last;
	for (uint32_t at = 0; at < last; at++) {
		bool has_twin = sub_has_sid_of(members[at], members[at + 1]);

		deliver(router, delivery, members[at], has_twin || is_twin);
		is_twin = has_twin;
	}
	deliver(router, delivery, members[last], is_twin);
}

/* Queue groups. */

static void note_queue(struct router *router, struct leaf *leaf)
{
	struct links *links = leaf_links(leaf);
	struct queue *queue = links->queue;

	if (queue->members == 0) {
		queue->next_noted = router->noted;
		router->noted = queue;
	}
	links->next_noted = queue->noted;
	queue->noted = leaf;
	queue->members += leaf_count(leaf);
	router->work++;
}

/* Tries a group's members first to last - 1, counted over all leaves that match. */
static bool deliver_to_one(struct router *router, struct delivery *delivery,
			   const struct queue *queue, uint32_t first, uint32_t last)
{
	uint32_t before = 0; /* members in the leaves already passed */

	for (struct leaf *leaf = queue->noted; leaf && before < last;
	     leaf = leaf_links(leaf)->next_noted) {
		uint32_t at = first > before ? first - before : 0;
		uint32_t count = leaf_count(leaf);

		for (; at < count && before + at < last; at++) {
			router->work++;
			if (deliver(router, delivery, leaf_members(leaf)[at], false))
				return true;
		}
		before += count;
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

/* False without memory. */
static bool prepare(struct router *router, struct delivery *delivery)
{
	delivery->whole = make_whole(router, delivery->message);
	if (delivery->whole.line.length == 0) {
		router->lacked_memory = true;
		return false;
	}
	share_body(router, delivery);
	join(&delivery->whole, delivery->payload);
	return true;
}

static uint64_t deliver_to_leaves(struct router *router, struct delivery *delivery,
				  const struct match *match)
{
	delivery->count = 0;
	delivery->stripped.line.length = 0;
	if (match->literal)
		deliver_to_all(router, delivery, match->literal);
	for (struct leaf *leaf = match->groups; leaf; leaf = leaf_links(leaf)->next)
		note_queue(router, leaf);
	for (uint32_t at = 0; at < match->count; at++) {
		struct leaf *leaf = match->patterns[at];

		if (leaf_queue(leaf))
			note_queue(router, leaf);
		else
			deliver_to_all(router, delivery, leaf);
	}
	if (router->noted)
		deliver_to_queues(router, delivery);
	router->out_messages += delivery->count;
	return delivery->count;
}

static bool match_is_empty(const struct match *match)
{
	return !match->literal && !match->groups && match->count == 0;
}

uint64_t router_publish(struct router *router, const struct message *message)
{
	struct match match = memos_find(&router->memos, &router->trie, message->subject,
					 message->memo, &router->work);
	struct delivery delivery;

	router->in_messages++;
	if (match_is_empty(&match))
		return 0;
	/* Field by field: what is large is filled only when it is needed. */
	delivery.message = message;
	delivery.except = message->except;
	delivery.has_headers = message->header_length > 0;
	delivery.payload = NULL;
	if (!prepare(router, &delivery))
		return 0;
	deliver_to_leaves(router, &delivery, &match);
	if (delivery.payload)
		pool_release_payload(router->pool, delivery.payload);
	return delivery.count;
}

/* The most frequent one. */
static bool match_is_one(const struct match *match)
{
	return match->literal && !match->literal->is_many && !match->groups && match->count == 0;
}

uint64_t router_repeat(struct router *router, const struct memo *memo, struct slice text,
		       const struct outbox *except)
{
	struct delivery delivery;

	router->in_messages++;
	if (match_is_empty(&memo->match))
		return 0;
	delivery.message = NULL;
	delivery.except = except;
	delivery.has_headers = false;
	delivery.payload = NULL;
	delivery.whole.line = (struct slice){memo->line + 1, memo->length + 5};
	delivery.whole.tail = text;
	delivery.whole.body = (struct slice){NULL, 0};
	if (!match_is_one(&memo->match))
		return deliver_to_leaves(router, &delivery, &memo->match);
	delivery.count = 0;
	deliver(router, &delivery, memo->match.literal->one, false);
	router->out_messages += delivery.count;
	router->work += 2;
	return delivery.count;
}
