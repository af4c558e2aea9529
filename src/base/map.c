/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Where an item stands. */
struct place {
	struct map_bucket *bucket;
	unsigned slot;
};

void map_fini(struct map *map)
{
	free(map->buckets);
	*map = (struct map){0};
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

/* One bucket is as good anywhere; of several each shall be a line of its own. */
static struct map_bucket *new_buckets(uint64_t count)
{
	size_t size = (size_t)count * sizeof(struct map_bucket);
	struct map_bucket *buckets;

	if (count > SIZE_MAX / 2 / sizeof(struct map_bucket))
		return NULL;
	buckets = count > 1 ? aligned_alloc(64, (size + 63) & ~(size_t)63) : malloc(size);
	if (buckets)
		memset(buckets, 0, size);
	return buckets;
}

static int resize(struct map *map, uint64_t count, uint64_t key, map_hash *hash_of)
{
	struct map old = *map;
	uint32_t at = 0;
	void *item;

	/* map_next() counts items in 32 bits. */
	if (count > UINT32_MAX / 16)
		return -ENOMEM;
	map->buckets = new_buckets(count);
	if (!map->buckets) {
		*map = old;
		return -ENOMEM;
	}
	map->mask = (uint32_t)count - 1;
	while ((item = map_next(&old, &at)))
		place_item(map, hash_of(key, item), item);
	free(old.buckets);
	return 0;
}

int map_reserve(struct map *map, uint64_t key, map_hash *hash_of)
{
	uint64_t buckets = map->buckets ? (uint64_t)map->mask + 1 : 0;

	if (buckets == 0)
		return resize(map, 1, key, hash_of);
	if (map->count < most_items(buckets))
		return 0;
	return resize(map, buckets * 2, key, hash_of);
}

void map_put(struct map *map, uint32_t hash, void *item)
{
	assert(map->buckets && map->count < most_items((uint64_t)map->mask + 1));
	place_item(map, hash, item);
	map->count++;
}

static struct place find_place(const struct map *map, uint32_t hash, const void *item)
{
	for (uint32_t at = hash;; at++) {
		struct map_bucket *bucket = &map->buckets[at & map->mask];

		for (unsigned slot = 0; slot < MAP_ITEMS; slot++)
			if (bucket->items[slot] == item)
				return (struct place){bucket, slot};
		assert(bucket->passed && at - hash <= map->mask);
	}
}

void map_replace(struct map *map, uint32_t hash, const void *old, void *item)
{
	struct place place = find_place(map, hash, old);

	place.bucket->items[place.slot] = item;
}

static void shrink(struct map *map, uint64_t key, map_hash *hash_of)
{
	uint64_t buckets = (uint64_t)map->mask + 1;

	if (map->count == 0)
		map_fini(map);
	else if (buckets > 2 && map->count < most_items(buckets) / 6)
		/* Without memory the larger table serves as well. */
		(void)resize(map, buckets / 4, key, hash_of);
}

void map_remove(struct map *map, uint32_t hash, const void *item, uint64_t key, map_hash *hash_of)
{
	struct place place = find_place(map, hash, item);

	for (uint32_t at = hash; &map->buckets[at & map->mask] != place.bucket; at++)
		if (map->buckets[at & map->mask].passed < UINT8_MAX)
			map->buckets[at & map->mask].passed--;
	place.bucket->tags[place.slot] = 0;
	place.bucket->items[place.slot] = NULL;
	map->count--;
	shrink(map, key, hash_of);
}

void *map_next(const struct map *map, uint32_t *at)
{
	uint32_t last = map->buckets ? map->mask : 0;

	while (map->buckets && *at / MAP_ITEMS <= last) {
		void *item = map->buckets[*at / MAP_ITEMS].items[*at % MAP_ITEMS];

		(*at)++;
		if (item)
			return item;
	}
	return NULL;
}

void *map_drain(struct map *map, uint32_t *at)
{
	void *item = map_next(map, at);
	uint32_t place = *at - 1;

	if (!item)
		return NULL;
	map->buckets[place / MAP_ITEMS].items[place % MAP_ITEMS] = NULL;
	map->count--;
	return item;
}
