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
#include "broker/memo.h"
#include "broker/outbox.h"
#include "broker/sub.h"
#include "broker/trie.h"

struct trace;

enum {
	ROUTER_CASTS = 4,
	ROUTER_CAST_BYTES = 65536,
};

/*
 * What receivers with the same sid get, written once: they refer to it. It goes on growing while
 * there is room, so that of a burst of messages each of them waits for one piece of memory.
 */
struct cast {
	struct payload *payload; /* NULL: unused */
	uint32_t start;          /* where the message in hand stands in it */
	uint32_t end;
	uint64_t message;        /* router.in_messages when it was put there */
	uint32_t sid_length;
	char sid[12];
};

struct router {
	struct trie trie;
	struct pool *pool;
	struct map queues;      /* the names of queue groups, each once */
	struct memos memos;     /* what was looked up, or soon will be */
	struct sub *expired;    /* their last message was delivered: the session removes them */
	struct cast casts[ROUTER_CASTS];
	uint32_t next_cast;
	struct buf head;        /* the beginning of a line, where no memo has it */
	struct buf scratch[2];  /* tails that had to be written anew */
	struct slice about[2];  /* the subject and queue of a session's complaint, see there */
	struct trace *trace;    /* NULL: nobody watches */
	const uint64_t *now_ms; /* the loop's clock; NULL: time stands still */
	struct queue *noted;    /* the groups that the message in hand concerns */
	bool lacked_memory;     /* nobody heard the last message for that: the session ends */
	uint64_t random;
	uint64_t subscriptions; /* that there are */
	uint64_t unsubscribed;  /* that there were */
	uint64_t work;          /* nodes, leaves and members seen: where time goes */
	uint64_t in_messages;  /* published by clients */
	uint64_t out_messages; /* put into outboxes */
};

/*
 * A message as it was published. Everything is borrowed for the call. Where `payload` is set, the
 * body stands in its bytes.
 */
struct message {
	const struct outbox *except; /* not delivered there (echo off); NULL: to everybody */
	struct memo *memo; /* of this subject, where the publisher remembers it; NULL: look it up */
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

/* What a subscription takes of memory, about: its own, and its share of tables and names. */
size_t router_sub_bytes(const struct router *router, const struct sub *sub);

/* When a turn ends: lets go of what was kept for the next message. */
void router_rest(struct router *router);

/* Gives back the memory that nobody needs. */
void router_trim(struct router *router);

/*
 * Returns how many got it. Subscriptions whose last message this was stand in router->expired,
 * for the session layer to remove before anything else happens.
 */
uint64_t router_publish(struct router *router, const struct message *message);

/*
 * One more message to the subject of a fresh memo, while nobody traces. `text` is all that follows
 * the sid: the size, CRLF, the payload, CRLF; the payload is not worth sharing. Otherwise as
 * router_publish().
 */
uint64_t router_repeat(struct router *router, const struct memo *memo, struct slice text,
		       const struct outbox *except);

/* A plain subscription of this outbox that matches, or NULL. */
struct sub *router_find_own(struct router *router, struct slice subject,
			    const struct outbox *outbox);
