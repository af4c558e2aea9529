/* SPDX-License-Identifier: MIT */
#include "server/turnstile.h"

#include <stdlib.h>

#include "base/hash.h"

struct turnstile_place {
	struct list link; /* turnstile.places */
	struct list row;  /* tickets */
	struct place where;
	uint32_t waiting;
	uint32_t delay_ms;
	uint64_t not_before_ms;
};

static struct slice name_of(const void *place)
{
	return place_slice(&((const struct turnstile_place *)place)->where);
}

static uint32_t item_hash(uint64_t key, const void *place)
{
	return hash_bytes(key, name_of(place));
}

static uint32_t hash_of(const struct turnstile *turnstile, const struct place *place)
{
	return hash_bytes(turnstile->hash_key, place_slice(place));
}

static struct turnstile_place *place_at(const struct list *link)
{
	return container_of(link, struct turnstile_place, link);
}

void turnstile_init(struct turnstile *turnstile, uint64_t hash_key)
{
	*turnstile = (struct turnstile){.hash_key = hash_key};
	list_init(&turnstile->places);
}

static void discard(struct turnstile *turnstile, struct turnstile_place *place)
{
	map_remove(&turnstile->by_place, hash_of(turnstile, &place->where), place,
		   turnstile->hash_key, item_hash, NULL);
	list_remove(&place->link);
	free(place);
}

void turnstile_fini(struct turnstile *turnstile)
{
	while (!list_is_empty(&turnstile->places))
		discard(turnstile, place_at(turnstile->places.next));
	map_fini(&turnstile->by_place, NULL);
}

/* Nobody waits there, and what happened there is long enough ago. */
static bool is_over(const struct turnstile *turnstile, const struct turnstile_place *place,
		    uint64_t now_ms)
{
	return list_is_empty(&place->row) && place != turnstile->served &&
	       place->not_before_ms + place->delay_ms <= now_ms;
}

static void discard_old(struct turnstile *turnstile, uint64_t now_ms)
{
	for (struct list *at = turnstile->places.next, *next; at != &turnstile->places; at = next) {
		next = at->next;
		if (is_over(turnstile, place_at(at), now_ms))
			discard(turnstile, place_at(at));
	}
}

/* How many places there may be when one more of this width is added; there are few families. */
static uint32_t most_places(const struct place *where)
{
	static const uint32_t most[] = {
		TURNSTILE_PLACES, TURNSTILE_PLACES + TURNSTILE_NETWORKS, UINT32_MAX};

	return most[where->width];
}

static struct turnstile_place *add_place(struct turnstile *turnstile, const struct place *where)
{
	struct turnstile_place *place;

	if (turnstile->by_place.count >= most_places(where) ||
	    map_reserve(&turnstile->by_place, turnstile->hash_key, item_hash, NULL) < 0)
		return NULL;
	place = malloc(sizeof(*place));
	if (!place)
		return NULL;
	*place = (struct turnstile_place){.where = *where};
	list_init(&place->row);
	list_init(&place->link);
	list_append(&turnstile->places, &place->link);
	map_put(&turnstile->by_place, hash_of(turnstile, where), place);
	return place;
}

static struct turnstile_place *find_place(const struct turnstile *turnstile,
					  const struct place *where)
{
	return map_find(&turnstile->by_place, hash_of(turnstile, where), place_slice(where),
			name_of);
}

/* Where all places are taken, those of a network share one, and at last those of a family. */
static struct turnstile_place *take_place(struct turnstile *turnstile, const struct place *where)
{
	struct turnstile_place *place = add_place(turnstile, where);

	for (uint8_t width = PLACE_NETWORK; !place && width <= PLACE_FAMILY; width++) {
		struct place wide = place_widen(where, width);

		place = find_place(turnstile, &wide);
		if (!place)
			place = add_place(turnstile, &wide);
	}
	return place;
}

void ticket_init(struct ticket *ticket)
{
	*ticket = (struct ticket){.place = NULL};
	list_init(&ticket->link);
}

bool turnstile_enter(struct turnstile *turnstile, struct ticket *ticket, const struct place *where,
		     uint64_t now_ms)
{
	struct turnstile_place *place = find_place(turnstile, where);

	if (!place && turnstile->by_place.count >= TURNSTILE_PLACES)
		discard_old(turnstile, now_ms);
	if (!place)
		place = take_place(turnstile, where);
	if (place && is_over(turnstile, place, now_ms))
		place->delay_ms = 0;
	if (!place || place->waiting >= TURNSTILE_ROW)
		return false;
	place->waiting++;
	ticket->place = place;
	list_append(&place->row, &ticket->link);
	return true;
}

void turnstile_leave(struct ticket *ticket)
{
	if (ticket->place)
		ticket->place->waiting--;
	ticket->place = NULL;
	list_remove(&ticket->link);
}

struct ticket *turnstile_next(struct turnstile *turnstile, uint64_t now_ms, uint64_t *again_ms)
{
	*again_ms = UINT64_MAX;
	for (struct list *at = turnstile->places.next; at != &turnstile->places; at = at->next) {
		struct turnstile_place *place = place_at(at);
		struct ticket *ticket;

		if (list_is_empty(&place->row))
			continue;
		if (place->not_before_ms > now_ms) {
			if (place->not_before_ms < *again_ms)
				*again_ms = place->not_before_ms;
			continue;
		}
		ticket = container_of(place->row.next, struct ticket, link);
		turnstile_leave(ticket);
		turnstile->served = place;
		/* All others have their turn before it comes to this one again. */
		list_remove(&place->link);
		list_append(&turnstile->places, &place->link);
		return ticket;
	}
	return NULL;
}

bool turnstile_is_suspicious(const struct turnstile *turnstile)
{
	return turnstile->served->delay_ms > 0;
}

void turnstile_skip(struct turnstile *turnstile, uint64_t now_ms)
{
	struct turnstile_place *place = turnstile->served;

	turnstile->served = NULL;
	if (is_over(turnstile, place, now_ms))
		discard(turnstile, place);
}

void turnstile_done(struct turnstile *turnstile, bool good, uint64_t now_ms)
{
	struct turnstile_place *place = turnstile->served;

	if (good) {
		place->delay_ms = 0;
		place->not_before_ms = 0;
	} else {
		place->delay_ms = place->delay_ms ? 2 * place->delay_ms : TURNSTILE_DELAY_LEAST_MS;
		if (place->delay_ms > TURNSTILE_DELAY_MOST_MS)
			place->delay_ms = TURNSTILE_DELAY_MOST_MS;
		place->not_before_ms = now_ms + place->delay_ms;
	}
	turnstile_skip(turnstile, now_ms);
}
