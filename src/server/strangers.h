/* SPDX-License-Identifier: MIT */
/*
 * How many come from one place, how fast, and how many of them have not yet said who they are.
 *
 * Connections above a limit of their place are refused. Strangers, of whom nobody knows yet who
 * they are, are not: the one who has been a stranger longest has to go instead, first of the same
 * place.
 * Whoever means it knows his password when he comes, and is none for long.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "server/place.h"

enum { STRANGERS_RATE_SECONDS = 10 }; /* the rate holds on average over so long */

struct strangers_limits {
	uint64_t max_per_address; /* connections; 0: no limit, here and below */
	uint64_t max_per_uid;
	uint64_t rate;            /* new connections a second and place */
	bool spares_here;         /* the rate is not for places of this machine */
	uint64_t max_strangers;
	uint64_t max_strangers_per_place;
};

struct strangers_place;

/* What a connection has of it until it is known who it is. */
struct stranger {
	struct list link;       /* strangers.all; empty: it is known, or not counted */
	struct list place_link; /* of its place, likewise */
	struct strangers_place *place; /* where it is counted */
};

struct strangers {
	struct list places;
	struct map by_place;
	struct list all; /* the one who is it longest comes first */
	uint64_t count;
	uint64_t hash_key;
	uint32_t sweep_at; /* so many places: those of no interest any more are forgotten */
};

enum strangers_answer { STRANGERS_WELCOME, STRANGERS_TOO_MANY, STRANGERS_TOO_FAST };

void strangers_init(struct strangers *strangers, uint64_t hash_key);
void strangers_fini(struct strangers *strangers); /* nobody is counted any more */

/* Might one more come from there? It has tried, which counts for the rate. */
enum strangers_answer strangers_ask(struct strangers *strangers,
				    const struct strangers_limits *limits,
				    const struct place *place, uint64_t now_ms);

/* A connection has come, and counts there. NULL: without memory it counts nowhere. */
struct strangers_place *strangers_enter(struct strangers *strangers, const struct place *place);

/* It has gone. */
void strangers_leave(struct strangers_place *place);

void stranger_init(struct stranger *stranger);

/* It is not known who it is. The place, where it counts, may be NULL. */
void strangers_add(struct strangers *strangers, struct stranger *stranger,
		   struct strangers_place *place);

/* It is known from now on, or is about to go. */
void strangers_know(struct strangers *strangers, struct stranger *stranger);

/* Who has to go, since this one has come; NULL: nobody. */
struct stranger *strangers_excess(const struct strangers *strangers,
				  const struct strangers_limits *limits,
				  const struct stranger *stranger);
