/* SPDX-License-Identifier: MIT */
/*
 * What all clients together may hold of memory (--max_memory): output that they do not read, input
 * that is not whole, subscriptions, what may be answered (guard.h), and what each connection takes.
 * Of a subscription all counts that is there for it: itself, the leaf, the nodes of its pattern, the
 * name of its queue group, and the tables that these stand in (base/map.h).
 *
 * From three quarters on, whoever publishes to one who does not read waits a little each time
 * (outbox_is_congested()). Beyond the whole, those who hold most are closed, one after the other,
 * until an eighth is free: so each time much has to be held first, and a crowd cannot have its
 * members counted all day. What they had goes bit by bit, but never slower than more comes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct options;
struct server;

struct budget {
	char text[128];  /* how much, and where that comes from; for the log */
	bool has_closed; /* somebody, whose memory is to be given back when all of it is free */
};

/* The budget that these options give, or else the memory there is for us. */
void budget_take(struct server *server, const struct options *options);

/* The pool is overdrawn. Not while a message is being delivered. */
void budget_keep(struct server *server);
