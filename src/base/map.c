/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { MAP_FIRST = 4 };

void map_fini(struct map *map)
{
	free(map->slots);
	*map = (struct map){0};
}

static void place(struct map *map, struct map_slot slot)
{
	uint32_t at = slot.hash & map->mask;

	while (map->slots[at].item)
		at = (at + 1) & map->mask;
	map->slots[at] = slot;
}

static int resize(struct map *map, uint32_t size)
{
	struct map old = *map;

	map->slots = calloc(size, sizeof(*map->slots));
	if (!map->slots) {
		*map = old;
		return -ENOMEM;
	}
	map->mask = size - 1;
	for (uint32_t at = 0; old.slots && at <= old.mask; at++)
		if (old.slots[at].item)
			place(map, old.slots[at]);
	free(old.slots);
	return 0;
}

int map_reserve(struct map *map)
{
	if (!map->slots)
		return resize(map, MAP_FIRST);
	/* At most three quarters full. */
	if (map->count + 1 > (map->mask + 1) / 4 * 3)
		return map->mask >= UINT32_MAX / 2 ? -ENOMEM : resize(map, (map->mask + 1) * 2);
	return 0;
}

void map_put(struct map *map, uint32_t hash, void *item)
{
	assert(map->count <= map->mask);
	place(map, (struct map_slot){item, hash});
	map->count++;
}

static uint32_t find_slot(const struct map *map, uint32_t hash, const void *item)
{
	uint32_t at = hash & map->mask;

	while (map->slots[at].item != item) {
		assert(map->slots[at].item);
		at = (at + 1) & map->mask;
	}
	return at;
}

void map_replace(struct map *map, uint32_t hash, const void *old, void *item)
{
	map->slots[find_slot(map, hash, old)].item = item;
}

/* Moves back every follower that the hole would cut off from its home slot. */
static void close_hole(struct map *map, uint32_t hole)
{
	for (uint32_t at = (hole + 1) & map->mask; map->slots[at].item; at = (at + 1) & map->mask) {
		uint32_t home = map->slots[at].hash & map->mask;

		if (((at - home) & map->mask) < ((at - hole) & map->mask))
			continue;
		map->slots[hole] = map->slots[at];
		hole = at;
	}
	map->slots[hole].item = NULL;
}

void map_remove(struct map *map, uint32_t hash, const void *item)
{
	close_hole(map, find_slot(map, hash, item));
	map->count--;
	if (map->count == 0)
		map_fini(map);
	else if (map->mask >= 4 * MAP_FIRST && map->count < (map->mask + 1) / 8)
		/* Without memory the larger table serves as well. */
		(void)resize(map, (map->mask + 1) / 4);
}

void *map_next(const struct map *map, uint32_t *at)
{
	while (map->slots && *at <= map->mask) {
		void *item = map->slots[(*at)++].item;

		if (item)
			return item;
	}
	return NULL;
}
