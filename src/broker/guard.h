/* SPDX-License-Identifier: MIT */
/*
 * The permit of one session, and the replies it was asked for (PROTOCOL 10.7).
 *
 * It hangs at the session's outbox, so that the router finds it there; only subscriptions that
 * were marked as guarded are asked about. Who may do everything has none.
 *
 * A message with a reply subject, delivered to one who may answer, is a grant: so many more
 * messages may be published to that subject, within a time. The oldest grants make room for new
 * ones where a session has too many.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"

struct permit;
struct router;
struct sub;

enum { GUARD_GRANT_BYTES = 4 << 20 }; /* for all grants of a session */

struct grant {
	struct list link; /* guard.by_age */
	uint64_t since_ms;
	int64_t left; /* messages; < 0: no limit */
	uint32_t length;
	char reply[];
};

struct guard {
	const struct router *router; /* for its clock and the key of its hashes */
	struct pool *pool;     /* counts what all clients hold */
	struct permit *permit; /* NULL only while a session is restored: everything is allowed */
	struct map grants;     /* by reply subject */
	struct list by_age;    /* the oldest grant first */
	size_t grant_bytes;
	struct sub *forbidden; /* the session's, until it removed them */
	struct buf about;      /* the subject and queue of the last of them */
};

/* NULL without memory. */
struct guard *guard_new(const struct router *router);
void guard_free(struct guard *guard);

/* Takes a reference. Grants stay as far as the new permit would have given them. */
void guard_set_permit(struct guard *guard, struct permit *permit);

/* A copy of both, until the next one; empty without memory. */
void guard_keep_about(struct guard *guard, struct slice *subject, struct slice *queue);

/*
 * May the session publish to it? A grant that says so has one message less left. For all three:
 * what it costs is added to *work.
 */
bool guard_publishes(struct guard *guard, struct slice subject, uint64_t *work);

/* Has guard_delivers() to be asked for each message to such a subscription? */
bool guard_watches(const struct guard *guard, struct slice subject, struct slice queue,
		   uint64_t *work);

/* May it be delivered to a subscription of the queue? Then its reply subject is granted. */
bool guard_delivers(struct guard *guard, struct slice subject, struct slice reply,
		    struct slice queue, uint64_t *work);

/* How long ago it was given. */
uint64_t guard_grant_age_ms(const struct guard *guard, const struct grant *grant);

/* One that was saved. False without memory. */
bool guard_restore_grant(struct guard *guard, struct slice reply, int64_t left, uint64_t age_ms);
