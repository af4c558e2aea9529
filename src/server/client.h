/* SPDX-License-Identifier: MIT */
/*
 * One connected socket: reads, feeds the session, flushes its outbox, closes.
 *
 * When the session is over the client hears no more of it: what is queued is flushed, the sending
 * side is shut, and what still arrives is thrown away for a moment, since a socket closed with
 * unread bytes in it would take the last -ERR with it.
 */
#pragma once

#include "base/list.h"
#include "broker/session.h"
#include "os/address.h"
#include "os/loop.h"
#include "os/stream.h"
#include "server/access.h"

struct server;
struct listener;
struct unit;

enum client_state {
	CLIENT_OPEN,
	CLIENT_FLUSHING,  /* the session is over; the outbox is not yet empty */
	CLIENT_LINGERING, /* all is sent; what comes in is thrown away */
	CLIENT_DEAD,      /* in server.dead, freed when the turn ends */
};

struct client {
	struct session session;
	struct source source;
	struct stream stream;
	struct timer timer;       /* the next of the moments below */
	struct list link;         /* server.clients, or server.dead */
	struct list stalled_link; /* server.stalled, unfinished, resumed, late or parting */
	struct server *server;
	const struct listener *listener;
	struct access_client *access; /* NULL: nobody asks who it is */
	struct strangers_place *place; /* where it counts; NULL: nowhere */
	struct unit *unit;        /* of a peer on a Unix socket; may be NULL */
	struct chunk *rest;       /* input that is not whole yet; NULL: none */
	uint64_t cid;
	uint64_t ping_due_ms;
	uint64_t last_in_ms;      /* when something came that counts as activity */
	uint64_t rtt_started_ms;  /* when the last PING went out; 0: never */
	uint64_t deadline_ms;     /* of writing, or of lingering; 0: none */
	uint64_t deadline_bytes;  /* what must be written by then, counted like `written` */
	uint64_t written;         /* bytes, since the beginning */
	uint64_t quiet_until_ms;   /* a complaint was logged not long ago */
	uint64_t stalled_until_ms; /* not read from until then; 0: not stalled */
	struct peer peer;
	uint32_t drained_before;  /* server.drained_bytes when it was stalled, its low half */
	uint32_t pings_out;       /* unanswered */
	uint8_t state;
	bool has_rtt;             /* it answered once, or sent CONNECT */
	bool input_ended;         /* it has closed its sending side */
	bool is_waiting;          /* for an answer to its claim: not fed meanwhile */
	bool has_left;            /* meanwhile it has closed its sending side */
	bool stall_spent;         /* it was stalled long enough for what was last read */
};

/* Takes the descriptor. NULL without memory; the descriptor is closed then. */
struct client *client_new(struct server *server, const struct listener *listener, int fd,
			  const struct peer *peer);

/* For server/client_state.c: one that was another process's, known to nobody before it goes on. */
struct client *client_make(struct server *server, const struct listener *listener, int fd,
			   const struct peer *peer);
void client_go_on(struct client *client);

/* One in server.late: what it sends is heard from now on. */
void client_listen(struct client *client);

/*
 * One in server.parting: ends some of its subscriptions, each of which is one less of *most. With
 * the last one it leaves the list, and goes on if it only leaves its account: then true.
 */
bool client_part(struct client *client, uint32_t *most);

/* When the turn has ended. False: only its socket is closed, it is still in server.parting. */
bool client_free(struct client *client);

static inline struct client *client_of(struct outbox *outbox)
{
	return container_of(container_of(outbox, struct session, outbox), struct client, session);
}

/* Sends what it can of the outbox. */
void client_flush(struct client *client);

/* What came in meanwhile is dealt with, and reading goes on. */
void client_resume(struct client *client);

/* Its claim was answered: it goes on, or has to go. */
void client_answered(struct client *client);

/* Sends INFO. Again only to those who understand that (PROTOCOL 1.3): the caller looks. */
void client_send_info(struct client *client, bool connect_info);

/* Tells it what it did wrong, and ends the session. */
void client_refuse(struct client *client, enum fault fault);

/* Ends the session with a fault; what is queued is still sent. */
void client_end(struct client *client, enum fault fault);

/* Closes now: nothing more is sent. */
void client_drop(struct client *client, enum fault fault);

/* What it holds of memory, about. */
size_t client_held_bytes(const struct client *client);

/* It was dropped: gives up what it holds before the turn ends. */
void client_give_up(struct client *client);

/* What it keeps for later takes no more room than it needs. */
void client_shrink(struct client *client);
