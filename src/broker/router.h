/* SPDX-License-Identifier: MIT */
/*
 * From a published message to the outboxes of those who hear it (PROTOCOL 6).
 *
 * Each plain subscription that matches gets the message, and of each queue group, whatever
 * subjects its members matched by, exactly one member chosen at random.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "broker/outbox.h"
#include "broker/sub.h"
#include "broker/trie.h"

struct trace;
struct memo;

struct router {
	struct trie trie;
	struct pool *pool;
	struct map queues;      /* the names of queue groups, each once */
	struct memo *memos;     /* what the patterns answered lately; NULL: nothing yet */
	struct sub *expired;    /* their last message was delivered: the session removes them */
	struct buf scratch[2];  /* tails that had to be written anew */
	struct trace *trace;    /* NULL: nobody watches */
	const uint64_t *now_ms; /* the loop's clock; NULL: time stands still */
	struct queue *noted;    /* the groups that the message in hand concerns */
	uint64_t random;
	uint64_t subscriptions; /* that there are */
	uint64_t unsubscribed;  /* that there were */
	uint64_t work;          /* nodes and leaves seen, messages delivered: where time goes */
	uint64_t in_messages;  /* published by clients */
	uint64_t out_messages; /* put into outboxes */
};

/*
 * A message as it was published. Everything is borrowed for the call. Where `payload` is set, the
 * body stands in its bytes.
 */
struct message {
	struct outbox *except; /* not delivered there (echo off); NULL: to everybody */
	struct slice subject;
	struct slice reply;
	struct slice tail; /* what follows the sid on a line for everybody who wants headers, up to
			      CRLF; empty: to be written */
	struct slice body; /* headers, payload, CRLF */
	struct payload *payload;
	uint32_t header_length;
};

/* The seeds are random. */
void router_init(struct router *router, struct pool *pool, const uint64_t seeds[2]);
void router_fini(struct router *router); /* all subscriptions are gone */

/* Queue empty: a plain subscription. The subject is valid. TRIE_OK, TRIE_FIRST or -ENOMEM. */
int router_subscribe(struct router *router, struct sub *sub, struct slice subject,
		     struct slice queue);

/* Until its last subscription is gone. */
struct slice router_queue_name(const struct queue *queue);

/* TRIE_OK or TRIE_LAST. The sub is not freed. */
int router_unsubscribe(struct router *router, struct sub *sub);

/*
 * Returns how many got it. Subscriptions whose last message this was stand in router->expired,
 * for the session layer to remove before anything else happens.
 */
uint64_t router_publish(struct router *router, const struct message *message);

/* A plain subscription of this outbox that matches, or NULL. */
struct sub *router_find_own(struct router *router, struct slice subject,
			    const struct outbox *outbox);
