/* SPDX-License-Identifier: MIT */
/*
 * The service manager's unit that a process belongs to: units_systemd.c; units_none.c knows none.
 *
 * PID 1 is asked over the system bus, for a sandbox hides /proc. The bus is opened with the first
 * question and is a source in the loop: nobody ever waits for an answer. Where there is no bus, or
 * none that answers, no names are known, which is told once.
 *
 * Good for a log. By the time of the question a pid may belong to another process: who decides
 * about access by unit hands in a descriptor of the very process with unit_make_sure(). If that still
 * lives when the answer comes, so did its pid all the time.
 */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "base/slice.h"
#include "os/credentials.h"
#include "os/loop.h"

struct sd_bus;
struct unit;

struct units {
	struct loop *loop;
	struct sd_bus *bus;   /* NULL: not open */
	struct source source; /* the bus's socket */
	struct timer timer;   /* when the bus wants to be looked at without an event */
	struct list waiting;  /* units, to be asked for when there are answers to others */
	struct list asked;
	unsigned asked_count;
	uint64_t retry_ms;    /* the bus is not opened again before that */
	bool was_told;
	/* There are no names to be had, for such a reason; told once. */
	void (*failed)(struct units *units, const char *why);
	/* Some are not pending any more; NULL: nobody waits. Called in the midst of things: only
	   take down that it happened. */
	void (*answered)(struct units *units);
};

void units_init(struct units *units, struct loop *loop);

/* Units that are still there learn nothing more. */
void units_fini(struct units *units);

/* Asks for the unit of a process. NULL: without memory, or nobody could know. */
struct unit *units_ask(struct units *units, pid_t pid);

/* One that a process before us has asked for. NULL as above. */
struct unit *unit_of_name(struct slice name);

/* Its name; NULL while there is no answer, for ever if there is none, and of NULL. */
const char *unit_name(const struct unit *unit);

/* Its process, by a descriptor that is taken (os/credentials.h); -1: there is none. */
void unit_make_sure(struct unit *unit, int process);

/* Of a name that the process before has made sure of. */
void unit_trust(struct unit *unit);

/* There may still be an answer. Not of NULL. */
bool unit_is_pending(const struct unit *unit);

/* Its name if it is certainly that of the process it was asked for; else NULL. */
const char *unit_sure_name(const struct unit *unit);

/* An answer that is still to come is thrown away. */
void unit_free(struct unit *unit);
