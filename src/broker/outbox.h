/* SPDX-License-Identifier: MIT */
/*
 * The bytes waiting for one client.
 *
 * Anybody may put bytes in; only the owner of the socket takes them out. An outbox with news links
 * itself to the pool's dirty list, one that holds pool.hot_bytes or more to the hot list; the
 * owner of the sockets walks both. An empty outbox owns no memory.
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "base/slice.h"
#include "broker/pool.h"

enum { OUTBOX_SHARE_BYTES = 4096 }; /* a payload from this size on is shared, not copied */

struct guard;

struct outbox {
	struct list dirty_link; /* pool.dirty or pool.hot */
	struct pool *pool;
	struct chunk *first;
	struct chunk *last;
	struct guard *guard; /* its session's; NULL: that may do everything */
	size_t pending_bytes;
	bool closed;        /* takes nothing any more */
	bool overflowed;    /* it was closed because max_pending was exceeded */
	bool wants_headers; /* its client asked for headers */
	bool is_behind;     /* its socket would not take all: until it is empty nothing is referred to */
};

void outbox_init(struct outbox *outbox, struct pool *pool);

/* Throws away what is pending and leaves the lists. */
void outbox_fini(struct outbox *outbox);

/*
 * Nearly full, or not read while memory is short: whoever fills it should wait a little (PROTOCOL
 * 7.5).
 */
static inline bool outbox_is_congested(const struct outbox *outbox)
{
	return outbox->pending_bytes > outbox->pool->limit_bytes / 4 * 3 ||
	       (outbox->is_behind && pool_is_short(outbox->pool));
}

/* For the two below. */
char *outbox_more_room(struct outbox *outbox, size_t length, size_t and_payload);
void outbox_tell(struct outbox *outbox, size_t length);

/*
 * Room for `length` bytes in one piece, to be followed by outbox_wrote() with what was used of it.
 * NULL: closed, or no memory, or max_pending would be exceeded by this and `and_payload` bytes; in
 * the latter two cases the outbox is closed from now on.
 */
static inline char *outbox_room(struct outbox *outbox, size_t length, size_t and_payload)
{
	struct chunk *last = outbox->last;

	if (last && !last->payload && last->capacity - last->end >= length && !outbox->closed &&
	    outbox->pending_bytes + length + and_payload <= outbox->pool->limit_bytes)
		return last->bytes + last->end;
	return outbox_more_room(outbox, length, and_payload);
}

static inline void outbox_wrote(struct outbox *outbox, size_t length)
{
	size_t pending_bytes = outbox->pending_bytes + length;

	outbox->last->end += (uint32_t)length;
	outbox->pending_bytes = pending_bytes;
	/* Those who are to know of it know already. */
	if (list_is_empty(&outbox->dirty_link) || pending_bytes >= outbox->pool->hot_bytes)
		outbox_tell(outbox, length);
}

/*
 * After outbox_wrote(): bytes start to end of a payload follow. Takes a reference of its own.
 * There was room for it in `and_payload`.
 */
void outbox_attach(struct outbox *outbox, struct payload *payload, size_t start, size_t end);

/* For outbox_refer(), when the payload is not the last thing that stands there. */
bool outbox_refer_anew(struct outbox *outbox, struct payload *payload, uint32_t start, uint32_t end);

/*
 * Bytes start to end of a payload that goes on growing. Where those before them were the last to
 * be put, nothing but their end moves. False as with outbox_room(), or they are better copied.
 */
static inline bool outbox_refer(struct outbox *outbox, struct payload *payload, uint32_t start,
				uint32_t end)
{
	struct chunk *last = outbox->last;
	size_t pending_bytes = outbox->pending_bytes + (end - start);

	if (!last || last->payload != payload || last->payload_end != start || outbox->closed ||
	    pending_bytes > outbox->pool->limit_bytes)
		return outbox_refer_anew(outbox, payload, start, end);
	last->payload_end = end;
	outbox->pending_bytes = pending_bytes;
	if (list_is_empty(&outbox->dirty_link) || pending_bytes >= outbox->pool->hot_bytes)
		outbox_tell(outbox, end - start);
	return true;
}

/*
 * Its socket would not take all of it. What it keeps alive of payloads that are mostly others' is
 * copied, so that one who does not read holds little more than waits for him.
 */
void outbox_fall_behind(struct outbox *outbox);

/* Something is missing, or would be: it takes nothing any more, and its owner hears of that. */
void outbox_shut(struct outbox *outbox);

/* All in one for short texts. False: it could not be put. */
bool outbox_put(struct outbox *outbox, struct slice text);

/* Up to `most` slices of what is pending, in order; how many. They live until outbox_take(). */
size_t outbox_peek(const struct outbox *outbox, struct slice *slices, size_t most);

/* Forgets the first `length` bytes: they are sent. */
void outbox_take(struct outbox *outbox, size_t length);
