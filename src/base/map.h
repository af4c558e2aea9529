/* SPDX-License-Identifier: MIT */
/*
 * A hash table of pointers to things that know their own name.
 *
 * A bucket is one line of the processor's cache: seven items, a byte of hash for each, and a count
 * of those who wanted to stand here and stand further on. So a search mostly touches one line
 * before the item itself, nine bytes pay for an item, and removal leaves no tombstones. A table
 * grows when it is nine tenths full and shrinks as it empties; an empty map owns no memory.
 *
 * Items that move to another table are hashed anew: whoever adds or removes says how. From a large
 * table to a large one they move a few at a time, with each that is added or removed: with millions
 * of items no single step takes long.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/hints.h"
#include "base/scan.h"
#include "base/slice.h"

enum {
	MAP_ITEMS = 7,
	MAP_LARGE = 8192, /* a table of more buckets than that has a struct map_move */
};

struct map_bucket {
	uint8_t tags[MAP_ITEMS]; /* 0: free */
	uint8_t passed; /* items that found no place here; UINT8_MAX: that many or more, for ever */
	void *items[MAP_ITEMS];
};

struct map {
	struct map_bucket *buckets;
	uint32_t count; /* of items */
	uint32_t mask;  /* number of buckets - 1; 0 without buckets as well */
};

/* In front of a large table. */
struct map_move {
	_Alignas(64) struct map_bucket *old; /* the table before, which is not yet empty; or NULL */
	uint32_t old_mask;
	uint32_t moved;      /* so many of its buckets are empty */
	void *memory;        /* what both stand in */
};

/* NULL: it is not large. */
static inline struct map_move *map_move(const struct map *map)
{
	return map->mask >= MAP_LARGE ? (struct map_move *)(void *)map->buckets - 1 : NULL;
}

/* What its tables take of memory. */
size_t map_bytes(const struct map *map);

/* The name under which an item stands in the table. */
typedef struct slice map_name(const void *item);

/* The hash of an item, under the map owner's key. */
typedef uint32_t map_hash(uint64_t key, const void *item);

/*
 * `bytes` is where the owner counts what the tables take, the same in each call for one map; NULL:
 * nowhere. It is no member, for there are too many maps.
 */

/* Frees the table, not the items. */
void map_fini(struct map *map, size_t *bytes);

/* Makes sure that one map_put() cannot fail. 0 or -ENOMEM. */
int map_reserve(struct map *map, uint64_t key, map_hash *hash_of, size_t *bytes);

/* The item must not be in the map. Room was made by map_reserve(). */
void map_put(struct map *map, uint32_t hash, void *item);

/* Takes out this very item, which is in the map under this hash. */
void map_remove(struct map *map, uint32_t hash, const void *item, uint64_t key, map_hash *hash_of,
		size_t *bytes);

/* Puts `item` where `old` stood: both have the same name. */
void map_replace(struct map *map, uint32_t hash, const void *old, void *item);

/* Walks the items in no order: `*at` starts at 0; NULL at the end. Nothing may change meanwhile. */
void *map_next(const struct map *map, uint32_t *at);

/*
 * Empties it bit by bit: takes out what map_next() finds. From the first time on nothing else may be
 * done with the map than that, and map_next() from there, and map_fini().
 */
void *map_drain(struct map *map, uint32_t *at);

static inline uint8_t map_tag(uint32_t hash)
{
	return (uint8_t)(0x80 | hash >> 25);
}

/* The high bit of each byte that is the tag of one of the first seven; more may be set above one. */
static inline uint64_t map_matches(const struct map_bucket *bucket, uint8_t tag)
{
	uint64_t tags;

	memcpy(&tags, bucket, sizeof(tags));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	tags = __builtin_bswap64(tags);
#endif
	tags ^= tag * UINT64_C(0x0101010101010101);
	return (tags - UINT64_C(0x0101010101010101)) & ~tags & UINT64_C(0x0080808080808080);
}

/* What a search for this hash will look at first is asked of memory early, */
static inline void map_expect(const struct map *map, uint32_t hash)
{
	if (map->count > 0)
		prefetch(&map->buckets[hash & map->mask]);
}

/*
 * and then the item that it will probably find, in the table after a move. NULL: there is none, or
 * it is not found so quickly. That it has the right name is not known.
 */
static inline void *map_likely(const struct map *map, uint32_t hash)
{
	const struct map_bucket *bucket;
	uint64_t matches;

	if (map->count == 0)
		return NULL;
	bucket = &map->buckets[hash & map->mask];
	matches = map_matches(bucket, map_tag(hash));
	return matches ? bucket->items[__builtin_ctzll(matches) / 8] : NULL;
}

static inline bool map_is_named(struct slice is, struct slice wanted)
{
	return is.length == wanted.length && scan_equal(is.bytes, wanted.bytes, wanted.length);
}

static INLINE void *
map_find_in(const struct map_bucket *buckets, uint32_t mask, uint32_t hash, struct slice name,
	    map_name *name_of)
{
	uint32_t at = hash;

	for (uint32_t seen = 0; seen <= mask; seen++, at++) {
		const struct map_bucket *bucket = &buckets[at & mask];
		uint64_t matches = map_matches(bucket, map_tag(hash));

		for (; matches; matches &= matches - 1) {
			void *item = bucket->items[__builtin_ctzll(matches) / 8];

			if (map_is_named(name_of(item), name))
				return item;
		}
		if (!bucket->passed)
			return NULL;
	}
	return NULL;
}

/* In the table before, if there is one: this one is large. */
void *map_find_old(const struct map *map, uint32_t hash, struct slice name, map_name *name_of);

/* Inline, so that each caller's name function is too: this is on the path of every message. */
static inline void *map_find(const struct map *map, uint32_t hash, struct slice name,
			     map_name *name_of)
{
	void *item;

	if (map->count == 0)
		return NULL;
	item = map_find_in(map->buckets, map->mask, hash, name, name_of);
	return item || map->mask < MAP_LARGE ? item : map_find_old(map, hash, name, name_of);
}
