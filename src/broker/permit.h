/* SPDX-License-Identifier: MIT */
/*
 * What one user may publish and subscribe to (PROTOCOL 10.7).
 *
 * One permit is shared by all sessions of its user, and does not change: who reloads a
 * configuration makes new ones. NULL is the permit of those who may do everything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { PERMIT_RESPONSES = 1, PERMIT_RESPONSE_MS = 120000 }; /* where a configuration names none */

struct permit;

struct permit_list {
	const struct slice *entries;
	size_t count; /* 0: there is no such list */
};

/*
 * What a configuration says. All entries pass permit_split(); a queue stands only in those for
 * subscriptions. { 0 } allows everything.
 */
struct permit_rules {
	struct permit_list publish_allow;
	struct permit_list publish_deny;
	struct permit_list subscribe_allow;
	struct permit_list subscribe_deny;
	/* A message's receiver may publish to its reply subject. Without an allow list that is
	   all it may publish. */
	bool allow_responses;
	int64_t max_responses;      /* to each message; 0: PERMIT_RESPONSES, < 0: no limit */
	int64_t response_expiry_ms; /* 0: PERMIT_RESPONSE_MS, < 0: never */
};

/*
 * `subject` or `subject queue`, apart; no queue: it is empty. False: it is neither, or the subject
 * is none that could be subscribed to.
 */
bool permit_split(struct slice entry, struct slice *subject, struct slice *queue);

/* With one reference; nothing of `rules` is kept. NULL without memory. */
struct permit *permit_new(const struct permit_rules *rules);

/* Another reference; NULL stays NULL. */
struct permit *permit_ref(struct permit *permit);
void permit_unref(struct permit *permit);

/*
 * The questions below take any permit, NULL too. Lists are walked where the answer is not
 * remembered: what was looked at is added to *work.
 */

/* Is there anything that its user may not do? */
bool permit_is_narrow(const struct permit *permit);

/* Without regard to replies that were allowed. */
bool permit_publishes(struct permit *permit, struct slice subject, uint64_t *work);

/* `queue` is empty for a plain subscription. */
bool permit_subscribes(const struct permit *permit, struct slice subject, struct slice queue,
		       uint64_t *work);

/* Would such a subscription, which is allowed, hear what is not? Then each message is asked for. */
bool permit_filters(const struct permit *permit, struct slice subject, struct slice queue,
		    uint64_t *work);

/* May a message to this subject be delivered to a subscription of the queue? */
bool permit_delivers(struct permit *permit, struct slice subject, struct slice queue,
		     uint64_t *work);

/* Do both say the same of all subscriptions, and whether each message has to be asked for? */
bool permit_subscribes_as(const struct permit *permit, const struct permit *other);

bool permit_allows_responses(const struct permit *permit);
int64_t permit_max_responses(const struct permit *permit);      /* < 0: no limit */
int64_t permit_response_expiry_ms(const struct permit *permit); /* < 0: never */
