/* SPDX-License-Identifier: MIT */
/*
 * What the outboxes of one loop share: spare memory, the list of those with news, and how much all
 * clients may hold together.
 *
 * Whatever goes back to the pool is kept for the next taker, up to POOL_SPARE_BYTES, so that a
 * warm broker allocates nothing for a message. pool_trim() gives the spares back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum {
	POOL_SPARE_BYTES = 8 << 20,
	POOL_HOT_BYTES = 131072,
	/* What a chunk takes of memory, its head included: an answer; a part of a burst; input that
	   has to wait, as much as is read at once and more. */
	CHUNK_SMALL = 1024,
	CHUNK_LARGE = 16384,
	CHUNK_HUGE = 5 << 16,
	CHUNK_SIZES = 3,
	CHUNK_SLACK = 32,    /* bytes behind a chunk's room that may be written to, and mean nothing */
	PAYLOAD_CLASSES = 16, /* 4 KiB << class, and room for a line before it */
};

/*
 * One message's bytes, shared by all who wait for them.
 *
 * It never leaves its loop. Made with one reference; whoever lets go of the last gives it back.
 * `bytes` has room for `capacity`; what stands in it is its users' affair.
 */
struct payload {
	struct payload *next; /* pool.payloads */
	uint32_t refs;
	uint32_t capacity;
	uint32_t number; /* in a saved state (broker/state.h); 0: none yet */
	uint32_t filled; /* bytes that mean something, from the first on */
	char bytes[];
};

/* A piece of an outbox: bytes of its own, then perhaps a part of a payload. */
struct chunk {
	struct chunk *next;
	struct payload *payload; /* NULL: none. Nothing can be appended behind it */
	uint32_t start;          /* of what is not yet taken */
	uint32_t end;
	uint32_t capacity;
	uint32_t payload_start;
	uint32_t payload_end;
	char bytes[];
};

struct pool {
	struct list dirty; /* outboxes with something new to send */
	struct list hot;   /* those among them that should not wait for the end of the turn */
	struct chunk *chunks[CHUNK_SIZES];
	struct payload *payloads[PAYLOAD_CLASSES];
	size_t spare_bytes;
	size_t limit_bytes; /* max_pending, for every outbox */
	size_t hot_bytes;   /* from so many on an outbox is hot: well below its limit */
	bool congested;     /* somebody put bytes into an outbox that is nearly full (7.5) */
	size_t least_spare_bytes; /* since pool_watch() */
	/*
	 * What clients hold, and the spares: chunks and payloads, each once, however many wait for
	 * it, are counted here; connections, subscriptions and the tables they stand in by those
	 * who make them. A warm broker
	 * has nothing to count.
	 */
	size_t taken_bytes;
	size_t budget_bytes; /* what clients may hold; SIZE_MAX: all there is */
};

void pool_init(struct pool *pool, size_t limit_bytes);
void pool_fini(struct pool *pool);

/* Another limit for all outboxes, whatever they hold. */
void pool_limit(struct pool *pool, size_t limit_bytes);

/* So much may be held by all clients together; 0: all there is. */
void pool_budget(struct pool *pool, size_t budget_bytes);

static inline size_t pool_held_bytes(const struct pool *pool)
{
	return pool->taken_bytes - pool->spare_bytes;
}

/* Too much is held: somebody has to go. */
static inline bool pool_is_overdrawn(const struct pool *pool)
{
	return pool_held_bytes(pool) > pool->budget_bytes;
}

/* That is near: whoever fills an outbox that is not read should wait a little. */
static inline bool pool_is_short(const struct pool *pool)
{
	return pool_held_bytes(pool) > pool->budget_bytes / 4 * 3;
}

/* From now on it is watched how much of what is spare nobody needs. */
void pool_watch(struct pool *pool);

/* Frees what nobody has needed since pool_watch(). */
void pool_trim(struct pool *pool);

/* Frees all that is spare. */
void pool_empty(struct pool *pool);

/* An empty chunk with at least `room` bytes; NULL without memory. */
struct chunk *pool_take_chunk(struct pool *pool, size_t room, bool large);
void pool_return_chunk(struct pool *pool, struct chunk *chunk);

/* The chunk, no larger than what stands in it, or as it was. It is in no outbox. */
struct chunk *pool_shrink_chunk(struct pool *pool, struct chunk *chunk);

/* A payload with room for `length` bytes and one reference; NULL without memory. */
struct payload *pool_take_payload(struct pool *pool, size_t length);
void pool_release_payload(struct pool *pool, struct payload *payload);
