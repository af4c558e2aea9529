/* SPDX-License-Identifier: MIT */
/*
 * The hand-over: another process goes on with the connections of this one.
 *
 * Two ways lead there, by the same parcel (os/parcel.h):
 *
 *   restart   The supervisor keeps the far end of an empty parcel. Told to stop, the daemon parks
 *             its connections in it and exits. If it was a restart, the next process is given the
 *             far end; if it was not, the supervisor drops it and the kernel closes them.
 *   upgrade   The daemon packs a parcel, executes the program that is now on disk in its own place,
 *             and that finds the parcel in HANDOVER_ENVIRONMENT. The listening sockets come along.
 *
 * In a parcel stand, in this order, a record about the server, with the listening sockets; records
 * about clients, each with its sockets; and one that says that this was all. A record is short; the
 * first of its descriptors is a sealed file with what it has to say, in tagged fields. Each record
 * is taken out before it is looked at, so that nobody who stumbles over one meets it again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/state.h"
#include "os/listener.h"
#include "os/loop.h"
#include "os/parcel.h"

struct server;
struct client;

#define HANDOVER_ENVIRONMENT "MINATS_PARCEL"
#define HANDOVER_NAME "parcel" /* of its descriptor at the supervisor's */

/*
 * The version of the state that this program writes, and the oldest program that can read it. New
 * tags need no new version: who does not know them skips them. A new version is for states that
 * older programs would get wrong.
 */
#ifndef HANDOVER_VERSION
#define HANDOVER_VERSION 1
#endif
#ifndef HANDOVER_READABLE_FROM
#define HANDOVER_READABLE_FROM 1
#endif

enum { HANDOVER_ENDS = 4, HANDOVER_LISTENERS = 64 };

/* A listening socket of the process before. */
struct inheritance {
	int fd; /* -1: somebody has taken it */
	bool adopted;
	char where[LISTENER_WHERE]; /* not adopted: what listener_open() was asked for */
};

struct handover {
	struct source keeper;     /* our end of what the supervisor keeps; fd -1: nothing */
	int ends[HANDOVER_ENDS];  /* parcels that are still to be taken out */
	uint32_t end_count;
	struct inheritance listeners[HANDOVER_LISTENERS];
	uint32_t listener_count;
	struct state_payload *payloads; /* of that parcel */
	uint32_t payload_count;
	uint64_t generation;      /* of the parcel that is taken out */
	uint64_t next_index;      /* of its next record */
	uint64_t pid;             /* of the process before; 0: not known */
	uint64_t salt;            /* its access.salt */
	char program[32];         /* its version */
	uint64_t taken;           /* connections */
	uint64_t lost;
	uint64_t telling;         /* of those lost, for one reason: the log does not know yet */
	const char *telling_why;
	bool has_begun;           /* something was in the parcel */
	bool has_ended;           /* its last record was */
	bool has_parked;
};

void handover_init(struct server *server);

/* A parcel to be taken out; the descriptor is taken. */
void handover_add(struct server *server, int end);

/* Like it, if the environment tells of one. */
void handover_add_from_environment(struct server *server);

/* Reads the first record, on the server. Before sockets are opened that may be in it. */
void handover_begin(struct server *server);

/* A listening socket that the process before had opened for the same `where`, or -1. */
int handover_claim(struct server *server, const char *where);

/* Takes the clients over, and leaves an empty parcel with the supervisor. */
void handover_finish(struct server *server);

/* Is there anybody who would keep parked connections? */
bool handover_is_kept(const struct server *server);

/*
 * Parks all connections; those that cannot be are closed. The server is good for nothing else
 * afterwards.
 */
void handover_park(struct server *server);

/*
 * Replaces this process by the program on disk. Comes back only if that cannot be, and everything
 * is as it was, but for connections that cannot move: they are closed. -errno.
 */
int handover_replace(struct server *server);
