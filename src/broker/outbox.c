/* SPDX-License-Identifier: MIT */
#include "broker/outbox.h"

#include <assert.h>

void outbox_init(struct outbox *outbox, struct pool *pool)
{
	*outbox = (struct outbox){.pool = pool};
	list_init(&outbox->dirty_link);
}

/* The first chunk has nothing left: on to the next. */
static void drop_first(struct outbox *outbox)
{
	struct chunk *chunk = outbox->first;

	if (chunk->payload)
		pool_release_payload(outbox->pool, chunk->payload);
	outbox->first = chunk->next;
	if (!outbox->first)
		outbox->last = NULL;
	pool_return_chunk(outbox->pool, chunk);
}

void outbox_fini(struct outbox *outbox)
{
	while (outbox->first)
		drop_first(outbox);
	outbox->pending_bytes = 0;
	outbox->closed = true;
	list_remove(&outbox->dirty_link);
}

void outbox_shut(struct outbox *outbox)
{
	outbox->closed = true;
	list_remove(&outbox->dirty_link);
	list_append(&outbox->pool->dirty, &outbox->dirty_link);
}

/* The last chunk is full, ends in a payload, or is not there. */
static char *room_in_new_chunk(struct outbox *outbox, size_t length)
{
	/* A lone answer takes little; whoever needs a second chunk will need more. */
	bool large = outbox->last && !outbox->last->payload;
	struct chunk *chunk = pool_take_chunk(outbox->pool, length, large);

	if (!chunk) {
		outbox_shut(outbox);
		return NULL;
	}
	if (outbox->last) {
		outbox->last->next = chunk;
		if (outbox->is_behind && outbox_is_congested(outbox))
			outbox->pool->congested = true;
	} else {
		outbox->first = chunk;
	}
	outbox->last = chunk;
	return chunk->bytes;
}

/* What the inline way in outbox.h does not do. */
char *outbox_more_room(struct outbox *outbox, size_t length, size_t and_payload)
{
	if (outbox->closed)
		return NULL;
	if (outbox->pending_bytes + length + and_payload > outbox->pool->limit_bytes) {
		outbox->overflowed = true;
		outbox_shut(outbox);
		return NULL;
	}
	return room_in_new_chunk(outbox, length);
}

void outbox_tell(struct outbox *outbox, size_t length)
{
	if (list_is_empty(&outbox->dirty_link))
		list_append(&outbox->pool->dirty, &outbox->dirty_link);
	if (outbox->pending_bytes < outbox->pool->hot_bytes)
		return;
	if (outbox->pending_bytes - length < outbox->pool->hot_bytes) {
		list_remove(&outbox->dirty_link);
		list_append(&outbox->pool->hot, &outbox->dirty_link);
	}
	if (outbox_is_congested(outbox))
		outbox->pool->congested = true;
}

void outbox_attach(struct outbox *outbox, struct payload *payload, size_t start, size_t end)
{
	struct chunk *last = outbox->last;

	assert(!last->payload);
	payload->refs++;
	last->payload = payload;
	last->payload_start = (uint32_t)start;
	last->payload_end = (uint32_t)end;
	outbox->pending_bytes += end - start;
	outbox_tell(outbox, end - start);
}

/*
 * Nothing can be appended behind a reference: it costs the next bytes a chunk. Where little stands
 * before it and little is referred to, as when two payloads take turns, most of the memory would be
 * chunks.
 */
static bool is_worth_a_chunk(const struct chunk *last, uint32_t length)
{
	uint32_t held = last->payload ? last->payload_end - last->payload_start
				      : last->end - last->start;

	return held + length >= last->capacity / 2;
}

bool outbox_refer_anew(struct outbox *outbox, struct payload *payload, uint32_t start, uint32_t end)
{
	if (outbox->last && !is_worth_a_chunk(outbox->last, end - start))
		return false;
	if (!outbox_room(outbox, 0, end - start))
		return false;
	outbox_attach(outbox, payload, start, end);
	return true;
}

/* Puts a payload's part into memory of the outbox's own; without memory all stays as it is. */
static void copy_payload(struct outbox *outbox, struct chunk *chunk)
{
	size_t length = chunk->payload_end - chunk->payload_start;
	struct chunk *copy = chunk;

	if (chunk->capacity - chunk->end < length) {
		copy = pool_take_chunk(outbox->pool, length, false);
		if (!copy)
			return;
		copy->next = chunk->next;
		chunk->next = copy;
		if (outbox->last == chunk)
			outbox->last = copy;
	}
	memcpy(copy->bytes + copy->end, chunk->payload->bytes + chunk->payload_start, length);
	copy->end += (uint32_t)length;
	pool_release_payload(outbox->pool, chunk->payload);
	chunk->payload = NULL;
}

void outbox_fall_behind(struct outbox *outbox)
{
	if (outbox->is_behind)
		return;
	outbox->is_behind = true;
	for (struct chunk *chunk = outbox->first; chunk; chunk = chunk->next)
		if (chunk->payload &&
		    chunk->payload_end - chunk->payload_start < chunk->payload->capacity / 4)
			copy_payload(outbox, chunk);
}

bool outbox_put(struct outbox *outbox, struct slice text)
{
	char *to = outbox_room(outbox, text.length, 0);

	if (!to)
		return false;
	memcpy(to, text.bytes, text.length);
	outbox_wrote(outbox, text.length);
	return true;
}

size_t outbox_peek(const struct outbox *outbox, struct slice *slices, size_t most)
{
	size_t count = 0;

	for (struct chunk *chunk = outbox->first; chunk && count + 2 <= most; chunk = chunk->next) {
		if (chunk->start < chunk->end)
			slices[count++] = (struct slice){chunk->bytes + chunk->start,
							 chunk->end - chunk->start};
		if (chunk->payload)
			slices[count++] = (struct slice){
				chunk->payload->bytes + chunk->payload_start,
				chunk->payload_end - chunk->payload_start,
			};
	}
	return count;
}

static uint32_t least(size_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

void outbox_take(struct outbox *outbox, size_t length)
{
	assert(length <= outbox->pending_bytes);
	outbox->pending_bytes -= length;
	if (outbox->pending_bytes == 0)
		outbox->is_behind = false;
	while (outbox->first) {
		struct chunk *chunk = outbox->first;
		uint32_t own = least(length, chunk->end - chunk->start);
		uint32_t shared = 0;

		chunk->start += own;
		length -= own;
		if (chunk->payload)
			shared = least(length, chunk->payload_end - chunk->payload_start);
		chunk->payload_start += shared;
		length -= shared;
		if (chunk->start < chunk->end ||
		    (chunk->payload && chunk->payload_start < chunk->payload_end))
			return;
		drop_first(outbox);
	}
}
