/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Buckets of the table before that are emptied with each item that is added or removed: by the
   time the new one is full, or has to shrink again, all are. */
enum { MOVED_A_STEP = 2 };

/* What the C library takes for itself with each table. */
enum { TABLE_EXTRA = 16 };

/* Where an item stands. */
struct place {
	struct map_bucket *bucket;
	unsigned slot;
};

/* One bucket is as good anywhere; of several each shall be a line of its own. */
static struct map_bucket *new_small(size_t count)
{
	size_t size = count * sizeof(struct map_bucket);
	struct map_bucket *buckets = count > 1 ? aligned_alloc(64, (size + 63) & ~(size_t)63)
					       : malloc(size);

	if (buckets)
		memset(buckets, 0, size);
	return buckets;
}

/* Of pages that the kernel may not even have to clear before they are used. */
static struct map_bucket *new_large(size_t count)
{
	char *memory = calloc(1, count * sizeof(struct map_bucket) + 2 * sizeof(struct map_move));
	struct map_move *move;

	if (!memory)
		return NULL;
	move = (void *)(memory + (64 - (uintptr_t)memory % 64) % 64);
	move->memory = memory;
	return (void *)(move + 1);
}

static struct map_bucket *new_buckets(uint64_t count)
{
	if (count > SIZE_MAX / 2 / sizeof(struct map_bucket))
		return NULL;
	return count > MAP_LARGE ? new_large((size_t)count) : new_small((size_t)count);
}

static size_t table_bytes(uint32_t mask)
{
	return ((size_t)mask + 1) * sizeof(struct map_bucket) + TABLE_EXTRA;
}

static void free_buckets(struct map_bucket *buckets, uint32_t mask, size_t *bytes)
{
	if (buckets && bytes)
		*bytes -= table_bytes(mask);
	if (mask >= MAP_LARGE)
		free(((struct map_move *)(void *)buckets - 1)->memory);
	else
		free(buckets);
}

static bool is_moving(const struct map *map)
{
	return map->mask >= MAP_LARGE && map_move(map)->old;
}

void map_fini(struct map *map, size_t *bytes)
{
	if (is_moving(map))
		free_buckets(map_move(map)->old, map_move(map)->old_mask, bytes);
	free_buckets(map->buckets, map->mask, bytes);
	*map = (struct map){0};
}

size_t map_bytes(const struct map *map)
{
	size_t bytes = map->buckets ? table_bytes(map->mask) : 0;

	return bytes + (is_moving(map) ? table_bytes(map_move(map)->old_mask) : 0);
}

void *map_find_old(const struct map *map, uint32_t hash, struct slice name, map_name *name_of)
{
	const struct map_move *move = map_move(map);

	return move->old ? map_find_in(move->old, move->old_mask, hash, name, name_of) : NULL;
}

/* Nine tenths of what there is room for, but a lone bucket may be full. */
static uint64_t most_items(uint64_t buckets)
{
	return buckets == 1 ? MAP_ITEMS : buckets * MAP_ITEMS * 9 / 10;
}

/* From `home` on to the first free slot; those it passes by remember it. */
static void place_item(struct map *map, uint32_t hash, void *item)
{
	for (uint32_t at = hash;; at++) {
		struct map_bucket *bucket = &map->buckets[at & map->mask];

		for (unsigned slot = 0; slot < MAP_ITEMS; slot++) {
			if (bucket->tags[slot])
				continue;
			bucket->tags[slot] = map_tag(hash);
			bucket->items[slot] = item;
			return;
		}
		if (bucket->passed < UINT8_MAX)
			bucket->passed++;
	}
}

/* `passed` stays: items that stand further on are still looked for there. */
static void move_bucket(struct map *map, struct map_bucket *from, uint64_t key, map_hash *hash_of)
{
	for (unsigned slot = 0; slot < MAP_ITEMS; slot++) {
		void *item = from->items[slot];

		if (!item)
			continue;
		from->tags[slot] = 0;
		from->items[slot] = NULL;
		place_item(map, hash_of(key, item), item);
	}
}

static void move_some(struct map *map, uint32_t most, uint64_t key, map_hash *hash_of,
		      size_t *bytes)
{
	struct map_move *move = map_move(map);

	while (most-- > 0 && move->moved <= move->old_mask)
		move_bucket(map, &move->old[move->moved++], key, hash_of);
	if (move->moved <= move->old_mask)
		return;
	free_buckets(move->old, move->old_mask, bytes);
	move->old = NULL;
}

static int resize(struct map *map, uint64_t count, uint64_t key, map_hash *hash_of, size_t *bytes)
{
	struct map old = *map;
	uint32_t at = 0;
	void *item;

	/* map_next() counts items in 32 bits, those of two tables. */
	if (count > UINT32_MAX / 32)
		return -ENOMEM;
	map->buckets = new_buckets(count);
	if (!map->buckets) {
		*map = old;
		return -ENOMEM;
	}
	map->mask = (uint32_t)count - 1;
	if (bytes)
		*bytes += table_bytes(map->mask);
	if (count > MAP_LARGE) {
		*map_move(map) = (struct map_move){
			.old = old.buckets, .old_mask = old.mask, .memory = map_move(map)->memory};
		return 0;
	}
	while ((item = map_next(&old, &at)))
		place_item(map, hash_of(key, item), item);
	free_buckets(old.buckets, old.mask, bytes);
	return 0;
}

int map_reserve(struct map *map, uint64_t key, map_hash *hash_of, size_t *bytes)
{
	uint64_t buckets = map->buckets ? (uint64_t)map->mask + 1 : 0;

	if (buckets == 0)
		return resize(map, 1, key, hash_of, bytes);
	if (is_moving(map))
		move_some(map, map->count < most_items(buckets) ? MOVED_A_STEP : UINT32_MAX, key,
			  hash_of, bytes);
	if (map->count < most_items(buckets))
		return 0;
	return resize(map, buckets * 2, key, hash_of, bytes);
}

void map_put(struct map *map, uint32_t hash, void *item)
{
	assert(map->buckets && map->count < most_items((uint64_t)map->mask + 1));
	place_item(map, hash, item);
	map->count++;
}

/* Where it stands in one of the tables; no bucket: not there. */
static struct place find_in(struct map_bucket *buckets, uint32_t mask, uint32_t hash,
			    const void *item)
{
	for (uint32_t at = hash; at - hash <= mask; at++) {
		struct map_bucket *bucket = &buckets[at & mask];

		for (unsigned slot = 0; slot < MAP_ITEMS; slot++)
			if (bucket->items[slot] == item)
				return (struct place){bucket, slot};
		if (!bucket->passed)
			break;
	}
	return (struct place){NULL, 0};
}

void map_replace(struct map *map, uint32_t hash, const void *old, void *item)
{
	struct place place = find_in(map->buckets, map->mask, hash, old);

	if (!place.bucket && is_moving(map))
		place = find_in(map_move(map)->old, map_move(map)->old_mask, hash, old);
	assert(place.bucket);
	place.bucket->items[place.slot] = item;
}

static void shrink(struct map *map, uint64_t key, map_hash *hash_of, size_t *bytes)
{
	uint64_t buckets = (uint64_t)map->mask + 1;

	if (map->count == 0)
		map_fini(map, bytes);
	else if (is_moving(map))
		move_some(map, MOVED_A_STEP, key, hash_of, bytes);
	else if (buckets > 2 && map->count < most_items(buckets) / 6)
		/* Without memory the larger table serves as well. */
		(void)resize(map, buckets / 4, key, hash_of, bytes);
}

/* False: it is not there. */
static bool remove_from(struct map_bucket *buckets, uint32_t mask, uint32_t hash, const void *item)
{
	struct place place = find_in(buckets, mask, hash, item);

	if (!place.bucket)
		return false;
	for (uint32_t at = hash; &buckets[at & mask] != place.bucket; at++)
		if (buckets[at & mask].passed < UINT8_MAX)
			buckets[at & mask].passed--;
	place.bucket->tags[place.slot] = 0;
	place.bucket->items[place.slot] = NULL;
	return true;
}

void map_remove(struct map *map, uint32_t hash, const void *item, uint64_t key, map_hash *hash_of,
		size_t *bytes)
{
	bool found = remove_from(map->buckets, map->mask, hash, item);

	if (!found && is_moving(map))
		found = remove_from(map_move(map)->old, map_move(map)->old_mask, hash, item);
	assert(found);
	(void)found;
	map->count--;
	shrink(map, key, hash_of, bytes);
}

static void *next_in(const struct map_bucket *buckets, uint32_t end, uint32_t *at)
{
	while (*at < end) {
		void *item = buckets[*at / MAP_ITEMS].items[*at % MAP_ITEMS];

		(*at)++;
		if (item)
			return item;
	}
	return NULL;
}

/* The new table's items come first. */
void *map_next(const struct map *map, uint32_t *at)
{
	uint32_t end = map->buckets ? (map->mask + 1) * MAP_ITEMS : 0;
	void *item = next_in(map->buckets, end, at);
	uint32_t old_at;

	if (item || !is_moving(map))
		return item;
	old_at = *at - end;
	item = next_in(map_move(map)->old, (map_move(map)->old_mask + 1) * MAP_ITEMS, &old_at);
	*at = end + old_at;
	return item;
}

void *map_drain(struct map *map, uint32_t *at)
{
	void *item = map_next(map, at);
	uint32_t place = *at - 1;
	struct map_bucket *bucket;

	if (!item)
		return NULL;
	bucket = place / MAP_ITEMS <= map->mask
			 ? &map->buckets[place / MAP_ITEMS]
			 : &map_move(map)->old[place / MAP_ITEMS - map->mask - 1];
	bucket->items[place % MAP_ITEMS] = NULL;
	map->count--;
	return item;
}
