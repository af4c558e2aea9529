/* SPDX-License-Identifier: MIT */
#include "broker/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hints.h"

enum { PAYLOAD_LEAST = 4096, PAYLOAD_LINE = 512, CHUNK_EXTRA = sizeof(struct chunk) + CHUNK_SLACK };

void pool_init(struct pool *pool, size_t limit_bytes)
{
	*pool = (struct pool){.budget_bytes = SIZE_MAX};
	pool_limit(pool, limit_bytes);
	list_init(&pool->dirty);
	list_init(&pool->hot);
}

void pool_limit(struct pool *pool, size_t limit_bytes)
{
	pool->limit_bytes = limit_bytes;
	pool->hot_bytes = limit_bytes / 2 < POOL_HOT_BYTES ? limit_bytes / 2 : POOL_HOT_BYTES;
}

void pool_budget(struct pool *pool, size_t budget_bytes)
{
	pool->budget_bytes = budget_bytes > 0 ? budget_bytes : SIZE_MAX;
}

/* Whoever feeds a session is to look before it goes on. */
static void note_new(struct pool *pool, size_t bytes)
{
	pool->taken_bytes += bytes;
	if (pool_is_overdrawn(pool))
		pool->congested = true;
}

static void note_taken(struct pool *pool, size_t bytes)
{
	pool->spare_bytes -= bytes;
	if (pool->spare_bytes < pool->least_spare_bytes)
		pool->least_spare_bytes = pool->spare_bytes;
}

static void free_chunk(struct pool *pool, struct chunk *chunk, size_t size)
{
	pool->taken_bytes -= size;
	free(chunk);
}

/* Both free spares until `unused` bytes are freed; they return what is still to be freed. */
static size_t free_chunks(struct pool *pool, struct chunk **list, size_t unused)
{
	while (*list && unused > 0) {
		struct chunk *chunk = *list;
		size_t size = chunk->capacity + CHUNK_EXTRA;

		*list = chunk->next;
		pool->spare_bytes -= size;
		free_chunk(pool, chunk, size);
		unused -= size < unused ? size : unused;
	}
	return unused;
}

static size_t free_payloads(struct pool *pool, struct payload **list, size_t unused)
{
	while (*list && unused > 0) {
		struct payload *payload = *list;
		size_t size = payload->capacity;

		*list = payload->next;
		free(payload);
		pool->spare_bytes -= size;
		pool->taken_bytes -= size;
		unused -= size < unused ? size : unused;
	}
	return unused;
}

static void free_spares(struct pool *pool, size_t unused)
{
	for (size_t class = PAYLOAD_CLASSES; class > 0; class--)
		unused = free_payloads(pool, &pool->payloads[class - 1], unused);
	for (size_t class = CHUNK_SIZES; class > 0; class--)
		unused = free_chunks(pool, &pool->chunks[class - 1], unused);
}

void pool_watch(struct pool *pool)
{
	pool->least_spare_bytes = pool->spare_bytes;
}

void pool_trim(struct pool *pool)
{
	free_spares(pool, pool->least_spare_bytes);
	pool_watch(pool);
}

void pool_empty(struct pool *pool)
{
	free_spares(pool, SIZE_MAX);
	pool_watch(pool);
}

void pool_fini(struct pool *pool)
{
	assert(list_is_empty(&pool->dirty) && list_is_empty(&pool->hot));
	free_spares(pool, SIZE_MAX);
}

NOINLINE static struct chunk *new_chunk(struct pool *pool, size_t size)
{
	struct chunk *chunk = malloc(size);

	if (!chunk)
		return NULL;
	*chunk = (struct chunk){.capacity = (uint32_t)(size - CHUNK_EXTRA)};
	note_new(pool, size);
	return chunk;
}

static const size_t chunk_sizes[CHUNK_SIZES] = {CHUNK_SMALL, CHUNK_LARGE, CHUNK_HUGE};

/* The first size of `need` bytes or more; CHUNK_SIZES: none that is kept. */
static size_t chunk_class(size_t need)
{
	size_t class = 0;

	while (class < CHUNK_SIZES && chunk_sizes[class] < need)
		class++;
	return class;
}

struct chunk *pool_take_chunk(struct pool *pool, size_t room, bool large)
{
	size_t need = room + CHUNK_EXTRA;
	size_t class = chunk_class(large && need < CHUNK_LARGE ? CHUNK_LARGE : need);
	size_t size = class < CHUNK_SIZES ? chunk_sizes[class] : need;
	struct chunk *chunk = class < CHUNK_SIZES ? pool->chunks[class] : NULL;

	if (!chunk)
		return new_chunk(pool, size);
	pool->chunks[class] = chunk->next;
	note_taken(pool, size);
	chunk->next = NULL;
	chunk->payload = NULL;
	chunk->start = chunk->end = 0;
	return chunk;
}

void pool_return_chunk(struct pool *pool, struct chunk *chunk)
{
	size_t size = chunk->capacity + CHUNK_EXTRA;
	size_t class = chunk_class(size);

	if (class == CHUNK_SIZES || chunk_sizes[class] != size ||
	    pool->spare_bytes + size > POOL_SPARE_BYTES) {
		free_chunk(pool, chunk, size);
		return;
	}
	chunk->next = pool->chunks[class];
	pool->chunks[class] = chunk;
	pool->spare_bytes += size;
}

struct chunk *pool_shrink_chunk(struct pool *pool, struct chunk *chunk)
{
	struct chunk *smaller = realloc(chunk, chunk->end + CHUNK_EXTRA);

	if (!smaller)
		return chunk;
	pool->taken_bytes -= smaller->capacity - smaller->end;
	smaller->capacity = smaller->end;
	return smaller;
}

static size_t class_capacity(size_t class)
{
	return ((size_t)PAYLOAD_LEAST << class) + PAYLOAD_LINE;
}

/* Which size of payload holds `length` bytes; PAYLOAD_CLASSES: none that is kept. */
static size_t payload_class(size_t length)
{
	size_t class = 0;

	while (class < PAYLOAD_CLASSES && class_capacity(class) < length)
		class++;
	return class;
}

struct payload *pool_take_payload(struct pool *pool, size_t length)
{
	size_t class = payload_class(length);
	size_t capacity = class < PAYLOAD_CLASSES ? class_capacity(class) : length;
	struct payload *payload = class < PAYLOAD_CLASSES ? pool->payloads[class] : NULL;

	if (payload) {
		pool->payloads[class] = payload->next;
		note_taken(pool, capacity);
	} else {
		if (capacity > UINT32_MAX - sizeof(*payload))
			return NULL;
		payload = malloc(sizeof(*payload) + capacity);
		if (!payload)
			return NULL;
		payload->capacity = (uint32_t)capacity;
		note_new(pool, capacity);
	}
	payload->next = NULL;
	payload->refs = 1;
	payload->number = 0;
	payload->filled = 0;
	return payload;
}

void pool_release_payload(struct pool *pool, struct payload *payload)
{
	size_t class;

	assert(payload->refs > 0);
	if (--payload->refs > 0)
		return;
	class = payload_class(payload->capacity);
	if (class == PAYLOAD_CLASSES || pool->spare_bytes + payload->capacity > POOL_SPARE_BYTES) {
		pool->taken_bytes -= payload->capacity;
		free(payload);
		return;
	}
	payload->next = pool->payloads[class];
	pool->payloads[class] = payload;
	pool->spare_bytes += payload->capacity;
}
