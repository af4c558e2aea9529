/* SPDX-License-Identifier: MIT */
/*
 * Accounts: each is a subject space of its own, a router over the memory that all share.
 *
 * server.router is that of AUTH_GLOBAL_ACCOUNT, which is always there; the others come and go with
 * the configuration. Whoever counts adds them all up.
 */
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "broker/router.h"

struct auth;
struct server;
struct trace;

struct account {
	struct list link; /* server.accounts */
	char *name;
	struct router router;
	bool is_new;    /* made by accounts_prepare() */
	bool is_wanted; /* by the auth that it was called for */
};

/* Those of the auth that are missing. 0, or -ENOMEM and nothing has changed. */
int accounts_prepare(struct server *server, const struct auth *auth);

/*
 * Those that the prepared auth does not know go, when nobody is in them any more: it is called again
 * when all who were have parted.
 */
void accounts_settle(struct server *server);
void accounts_fini(struct server *server);

/* All routers: when a turn ends, and when memory is given back. */
void accounts_rest(struct server *server);
void accounts_trim(struct server *server);

/* Whoever is in any of them: NULL, nobody is traced. */
void accounts_trace(struct server *server, struct trace *trace);

/* NULL: there is none of that name. */
struct router *accounts_find(struct server *server, const char *name);

/* Over all of them. */
struct counts {
	uint64_t subscriptions;
	uint64_t unsubscribed;
	uint64_t in_messages;
	uint64_t out_messages;
};

struct counts accounts_count(const struct server *server);
