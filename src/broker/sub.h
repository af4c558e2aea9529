/* SPDX-License-Identifier: MIT */
/*
 * One subscription: its sid, whose outbox, how many more.
 *
 * It stands in two places: among its session's subscriptions, by sid, and among the members of a
 * leaf of the trie. It is freed only when it is in neither. There may be millions: each byte counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/slice.h"

struct leaf;
struct outbox;
struct slab;

struct sub {
	struct leaf *leaf;
	struct outbox *outbox;
	union {
		struct {
			uint32_t delivered; /* stays at its largest; `max` is always below that */
			uint32_t max;       /* auto-unsubscribe after so many in all; 0: never */
		};
		struct sub *next_expired; /* router.expired, once its last message is delivered */
	};
	uint32_t index : 31;  /* where it stands among the leaf's members */
	uint32_t guarded : 1; /* the outbox's guard is asked about each message */
	uint32_t sid_length;
	char sid[]; /* and a blank; and zeros up to SID_QUICK bytes */
};

enum { SID_QUICK = 8 };

/* In the slab of the router that it will subscribe to. NULL without memory. */
struct sub *sub_new(struct slab *slab, struct outbox *outbox, struct slice sid);
void sub_free(struct slab *slab, struct sub *sub);

/* What sub_new() takes. */
size_t sub_size(size_t sid_length);

static inline struct slice sub_sid(const struct sub *sub)
{
	return (struct slice){sub->sid, sub->sid_length};
}

static inline bool sub_has_sid_of(const struct sub *sub, const struct sub *other)
{
	if (sub->sid_length != other->sid_length)
		return false;
	return memcmp(sub->sid, other->sid, SID_QUICK) == 0 &&
	       (sub->sid_length < SID_QUICK ||
		memcmp(sub->sid, other->sid, sub->sid_length) == 0);
}

/* For maps of subscriptions by sid. */

static inline struct slice sub_name(const void *sub)
{
	return sub_sid(sub);
}

static inline uint32_t sub_hash(uint64_t key, const void *sub)
{
	return hash_bytes(key, sub_sid(sub));
}
