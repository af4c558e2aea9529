/* SPDX-License-Identifier: MIT */
/*
 * In which order passwords are checked, one at a time: nobody can keep others waiting by knocking
 * often.
 *
 * Whoever comes from one place (an address; a uid of this machine) waits in that place's row; the
 * rows take turns. A place where a check has failed is passed over for a while, which doubles with
 * each failure up to DELAY_MOST and ends with a success. Rows and places are bounded: where a row is
 * full the check has failed. Newcomers for whom there is no place share one with those of their
 * network: who has an address range for himself can take all places, but not the others' turns.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "server/place.h"

enum {
	TURNSTILE_ROW = 1024,   /* checks that wait in one */
	TURNSTILE_PLACES = 512, /* with somebody who waits, or with failures */
	TURNSTILE_NETWORKS = 128, /* that share one, beside those */
	TURNSTILE_DELAY_LEAST_MS = 50,
	TURNSTILE_DELAY_MOST_MS = 1600,
};

struct ticket {
	struct list link;      /* of its row */
	struct turnstile_place *place; /* NULL: it does not wait */
};

struct turnstile {
	struct list places; /* the one whose turn it is first */
	struct map by_place;
	uint64_t hash_key;
	struct turnstile_place *served; /* whose ticket is being checked; NULL: none is */
};

void turnstile_init(struct turnstile *turnstile, uint64_t hash_key);
void turnstile_fini(struct turnstile *turnstile); /* nobody waits any more */

void ticket_init(struct ticket *ticket);

/* False: there is no room, and the check has failed. */
bool turnstile_enter(struct turnstile *turnstile, struct ticket *ticket, const struct place *place,
		     uint64_t now_ms);

/* It goes without an answer. */
void turnstile_leave(struct ticket *ticket);

/*
 * The next, which waits no more, or NULL; then `*again_ms` says when to ask again: UINT64_MAX: when
 * somebody has entered. Not while one is being checked.
 */
struct ticket *turnstile_next(struct turnstile *turnstile, uint64_t now_ms, uint64_t *again_ms);

/* Was the last check from where that ticket was taken a failure? */
bool turnstile_is_suspicious(const struct turnstile *turnstile);

/* There was none after all. */
void turnstile_skip(struct turnstile *turnstile, uint64_t now_ms);

/* The check of that ticket is over, whether or not it is still there. */
void turnstile_done(struct turnstile *turnstile, bool good, uint64_t now_ms);
