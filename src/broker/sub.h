/* SPDX-License-Identifier: MIT */
/*
 * One subscription: its sid, whose outbox, how many more.
 *
 * It stands in two places: among its session's subscriptions, by sid, and among the members of a
 * leaf of the trie. It is freed only when it is in neither.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct leaf;
struct outbox;

struct sub {
	struct leaf *leaf;
	struct outbox *outbox;
	union {
		uint64_t delivered;
		struct sub *next_expired; /* router.expired, once its last message is delivered */
	};
	uint32_t max;   /* auto-unsubscribe after so many in all; 0: never */
	uint32_t index; /* where it stands among the leaf's members */
	uint32_t sid_hash;
	uint32_t sid_length;
	bool guarded; /* the outbox's guard is asked about each message */
	char sid[];
};

/* NULL without memory. */
struct sub *sub_new(struct outbox *outbox, struct slice sid, uint32_t sid_hash);
void sub_free(struct sub *sub);

static inline struct slice sub_sid(const struct sub *sub)
{
	return (struct slice){sub->sid, sub->sid_length};
}
