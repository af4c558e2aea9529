/* SPDX-License-Identifier: MIT */
/*
 * A hash table of pointers to things that know their own name.
 *
 * Open addressing, linear probing, removal by moving back, so there are no tombstones and a table
 * shrinks as it empties. Each slot keeps 32 bits of hash: a probe touches the thing itself only
 * when those agree. An empty map owns no memory.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct map_slot {
	void *item; /* NULL: free */
	uint32_t hash;
};

struct map {
	struct map_slot *slots;
	uint32_t count;
	uint32_t mask; /* number of slots - 1; 0 without slots */
};

/* The name under which an item stands in the table. */
typedef struct slice map_name(const void *item);

/* Frees the table, not the items. */
void map_fini(struct map *map);

/* Makes sure that one map_put() cannot fail. 0 or -ENOMEM. */
int map_reserve(struct map *map);

/* The item must not be in the map. Room was made by map_reserve(). */
void map_put(struct map *map, uint32_t hash, void *item);

/* Takes out this very item, which is in the map. */
void map_remove(struct map *map, uint32_t hash, const void *item);

/* Puts `item` where `old` stood: both have the same name. */
void map_replace(struct map *map, uint32_t hash, const void *old, void *item);

/* Walks the items in no order: `*at` starts at 0; NULL at the end. Nothing may change meanwhile. */
void *map_next(const struct map *map, uint32_t *at);

/* Inline, so that each caller's name function is too: this is on the path of every message. */
static inline void *map_find(const struct map *map, uint32_t hash, struct slice name,
			     map_name *name_of)
{
	if (map->count == 0)
		return NULL;
	for (uint32_t at = hash & map->mask; map->slots[at].item; at = (at + 1) & map->mask)
		if (map->slots[at].hash == hash && slice_equal(name_of(map->slots[at].item), name))
			return map->slots[at].item;
	return NULL;
}
