/* SPDX-License-Identifier: MIT */
/*
 * The daemon: owns the loop, the router and the clients; ends turns; drains and stops.
 */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "broker/pool.h"
#include "broker/router.h"
#include "broker/session.h"
#include "broker/trace.h"
#include "os/address.h"
#include "os/loop.h"
#include "os/units.h"
#include "server/access.h"
#include "server/accounts.h"
#include "server/budget.h"
#include "server/handover.h"
#include "server/idle.h"
#include "server/lame_duck.h"
#include "server/options.h"
#include "server/restraint.h"
#include "server/status.h"
#include "server/strangers.h"
#include "server/thrift.h"
#include "server/upgrade.h"

struct client;
struct log;
struct listener;
struct settings;

enum {
	SERVER_READ_BYTES = 262144,
	SERVER_ID = 56, /* characters; like a public key of nats-server's kind */
};

struct server {
	const struct options *options;
	struct settings *reloaded; /* where they are, after a reload; else NULL. Outlives the log */
	struct log *log;
	struct loop loop;
	struct pool pool;
	struct router router;  /* of AUTH_GLOBAL_ACCOUNT */
	struct list accounts;  /* the others */
	struct access access;
	struct strangers strangers;
	uint64_t quiet_until_ms; /* somebody was too fast, which was told not long ago */
	struct restraint restraint; /* in what is logged of clients */
	struct timer restraint_timer; /* when it is told what was left out */
	struct limits limits;
	struct trace trace;
	struct list clients;
	struct list dead;      /* clients to be freed when the turn ends */
	struct list parting;   /* those who have left, or their account, with subscriptions still there */
	struct list stalled;   /* clients not read from, for their receivers' sake */
	struct list unfinished; /* clients that go on after the others' turn */
	struct list resumed;   /* those of them whose turn it is */
	struct list late;      /* taken over, quiet before, and not yet listened to */
	struct list listeners;
	struct list gone_listeners; /* of the process before; clients came in by them */
	struct units units;
	struct timer trim;
	struct status status;
	struct lame_duck lame_duck;
	struct handover handover;
	struct upgrade upgrade;
	struct idle idle;
	struct budget budget;
	struct thrift thrift;
	struct buf info;       /* the part of INFO that all clients get */
	const char *advertised_host; /* NULL: the listener's */
	char advertised_text[ADDRESS_TEXT];
	int advertised_port;
	char id[SERVER_ID + 1];
	uint64_t max_connections;
	uint64_t connections;
	uint64_t leaving;      /* clients whose session is over, but not their connection */
	uint64_t slow_consumers; /* cut off since the start */
	uint64_t last_cid;
	uint64_t started;      /* seconds since 1970; survives a hand-over */
	uint64_t freed;        /* clients, since memory was last given back */
	uint64_t unsubscribed; /* router.unsubscribed, then */
	bool has_parted;       /* somebody in `parting`, in this turn: accounts are to be settled */
	bool is_stopping;
	bool is_parking;       /* when it stops: another process goes on with the connections */
	uint64_t drained_bytes; /* taken by receivers that were nearly full */
	bool wakes_stalled;    /* when the turn ends */
	bool is_replacing;     /* when the turn ends */
	/* All input goes through here; it is empty between two clients. What a client keeps of its
	   input from one read to the next comes first. */
	char *input;
	size_t input_capacity;
};

/* 0, or else `why`. The options and the log must outlive the server. */
int server_init(struct server *server, const struct options *options, struct log *log,
		char why[256]);
void server_fini(struct server *server);

/* All listeners are open: clients are let in, and the supervisor is told. 0 or -errno. */
int server_start(struct server *server);

/*
 * A socket on which clients arrive; the descriptor is taken. `where` as in struct listener; NULL:
 * adopted. 0 or -ENOMEM.
 */
int server_add_listener(struct server *server, int fd, const char *where);

/* The listener of this text, or what is left of one of the process before; NULL without memory. */
struct listener *server_find_listener(struct server *server, struct slice text);

/* Serves until a signal stops it. 0 or -errno. */
int server_run(struct server *server);

/* It ends with this turn. */
void server_stop(struct server *server);

/* It is replaced by the program on disk when this turn ends. */
void server_replace(struct server *server);

/* What INFO would tell with these options. 0, or -ENOMEM and `info` is empty. */
int server_print_info(const struct server *server, const struct options *options,
		      struct buf *info);

/* Other options, which must outlive it, and what INFO tells with them. */
void server_take_options(struct server *server, const struct options *options, struct buf *info);

/* Memory that is not needed goes back to the kernel. */
void server_trim(struct server *server);

/* Nobody more is let in. */
void server_close_listeners(struct server *server);

/* For clients. */

/* The INFO for this client, appended. 0 or -ENOMEM. */
int server_info(const struct client *client, bool connect_info, struct buf *out);

/* Flushes those outboxes that should not wait. */
void server_flush_hot(struct server *server);

/* A receiver that was nearly full no longer is: those who were stalled for it go on soon. */
void server_wake_stalled(struct server *server);

/* Room for `length` bytes in `input`. 0 or -ENOMEM. */
int server_reserve_input(struct server *server, size_t length);
