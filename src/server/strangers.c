/* SPDX-License-Identifier: MIT */
#include "server/strangers.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/hash.h"

#define SECOND_US UINT64_C(1000000)

enum {
	SWEEP_LEAST = 1024,
	PLACES_MOST = 1 << 17, /* more are not told apart: their connections are not counted */
};

struct strangers_place {
	struct list link;      /* strangers.places */
	struct list strangers;
	struct place where;
	uint64_t connections;
	uint64_t count; /* of strangers */
	/* When the next one would come if all so far had kept to the rate. Fast ones run ahead of
	   the clock. */
	uint64_t next_us;
};

static struct slice name_of(const void *place)
{
	return place_slice(&((const struct strangers_place *)place)->where);
}

static uint32_t item_hash(uint64_t key, const void *place)
{
	return hash_bytes(key, name_of(place));
}

static uint32_t hash_of(const struct strangers *strangers, const struct place *where)
{
	return hash_bytes(strangers->hash_key, place_slice(where));
}

void strangers_init(struct strangers *strangers, uint64_t hash_key)
{
	*strangers = (struct strangers){.hash_key = hash_key, .sweep_at = SWEEP_LEAST};
	list_init(&strangers->all);
	list_init(&strangers->places);
}

static void discard(struct strangers *strangers, struct strangers_place *place)
{
	map_remove(&strangers->by_place, hash_of(strangers, &place->where), place,
		   strangers->hash_key, item_hash, NULL);
	list_remove(&place->link);
	free(place);
}

void strangers_fini(struct strangers *strangers)
{
	while (!list_is_empty(&strangers->places))
		discard(strangers, container_of(strangers->places.next, struct strangers_place,
						link));
	map_fini(&strangers->by_place, NULL);
}

/* Those where nobody is, and nobody was too fast lately. */
static void sweep(struct strangers *strangers, uint64_t now_us)
{
	for (struct list *at = strangers->places.next, *next; at != &strangers->places; at = next) {
		struct strangers_place *place = container_of(at, struct strangers_place, link);

		next = at->next;
		if (place->connections == 0 && place->next_us <= now_us)
			discard(strangers, place);
	}
	strangers->sweep_at = 2 * strangers->by_place.count;
	if (strangers->sweep_at < SWEEP_LEAST)
		strangers->sweep_at = SWEEP_LEAST;
}

static struct strangers_place *find(const struct strangers *strangers, const struct place *where)
{
	return map_find(&strangers->by_place, hash_of(strangers, where), place_slice(where),
			name_of);
}

/* NULL without memory. */
static struct strangers_place *add(struct strangers *strangers, const struct place *where)
{
	struct strangers_place *place = find(strangers, where);

	if (place)
		return place;
	if (strangers->by_place.count >= PLACES_MOST ||
	    map_reserve(&strangers->by_place, strangers->hash_key, item_hash, NULL) < 0)
		return NULL;
	place = malloc(sizeof(*place));
	if (!place)
		return NULL;
	*place = (struct strangers_place){.where = *where};
	list_init(&place->link);
	list_init(&place->strangers);
	list_append(&strangers->places, &place->link);
	map_put(&strangers->by_place, hash_of(strangers, where), place);
	return place;
}

static bool is_too_fast(struct strangers_place *place, uint64_t rate, uint64_t now_us)
{
	if (place->next_us < now_us)
		place->next_us = now_us;
	if (place->next_us - now_us > STRANGERS_RATE_SECONDS * SECOND_US)
		return true;
	place->next_us += SECOND_US / rate;
	return false;
}

enum strangers_answer strangers_ask(struct strangers *strangers,
				    const struct strangers_limits *limits,
				    const struct place *where, uint64_t now_ms)
{
	uint64_t most = where->family == AF_UNIX ? limits->max_per_uid : limits->max_per_address;
	bool is_paced = limits->rate > 0 && !(limits->spares_here && place_is_here(where));
	struct strangers_place *place;

	if (!most && !is_paced)
		return STRANGERS_WELCOME;
	if (strangers->by_place.count >= strangers->sweep_at)
		sweep(strangers, now_ms * 1000);
	place = add(strangers, where);
	if (!place)
		return STRANGERS_WELCOME;
	if (is_paced && is_too_fast(place, limits->rate, now_ms * 1000))
		return STRANGERS_TOO_FAST;
	return most && place->connections >= most ? STRANGERS_TOO_MANY : STRANGERS_WELCOME;
}

void stranger_init(struct stranger *stranger)
{
	*stranger = (struct stranger){.place = NULL};
	list_init(&stranger->link);
	list_init(&stranger->place_link);
}

struct strangers_place *strangers_enter(struct strangers *strangers, const struct place *where)
{
	struct strangers_place *place = add(strangers, where);

	if (place)
		place->connections++;
	return place;
}

void strangers_leave(struct strangers_place *place)
{
	if (place)
		place->connections--;
}

void strangers_add(struct strangers *strangers, struct stranger *stranger,
		   struct strangers_place *place)
{
	if (!place)
		return;
	stranger->place = place;
	list_append(&strangers->all, &stranger->link);
	list_append(&place->strangers, &stranger->place_link);
	strangers->count++;
	place->count++;
}

void strangers_know(struct strangers *strangers, struct stranger *stranger)
{
	if (list_is_empty(&stranger->link))
		return;
	list_remove(&stranger->link);
	list_remove(&stranger->place_link);
	strangers->count--;
	stranger->place->count--;
}

struct stranger *strangers_excess(const struct strangers *strangers,
				  const struct strangers_limits *limits,
				  const struct stranger *stranger)
{
	const struct strangers_place *place = stranger->place;

	if (list_is_empty(&stranger->link))
		return NULL;
	if (limits->max_strangers_per_place && place->count > limits->max_strangers_per_place)
		return container_of(place->strangers.next, struct stranger, place_link);
	if (limits->max_strangers && strangers->count > limits->max_strangers)
		return container_of(strangers->all.next, struct stranger, link);
	return NULL;
}

