/* SPDX-License-Identifier: MIT */
/*
 * A socket on which clients arrive: opened here, or adopted from a supervisor.
 *
 * Without descriptors (EMFILE and its like) it stops accepting until listener_resume() or a second
 * has gone by; a level-triggered loop would spin otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"
#include "os/address.h"
#include "os/loop.h"

/* "host port" as they were asked for, or "unix:/path". */
enum { LISTENER_WHERE = ADDRESS_TEXT + 16 };

struct listener {
	struct source source;
	struct timer retry;
	struct loop *loop;
	struct list link;          /* server.listeners */
	char text[ADDRESS_TEXT];   /* "host:port" or "unix:/path", as in the log */
	char host[ADDRESS_TEXT];   /* for INFO: "0.0.0.0" when any address will do */
	char where[LISTENER_WHERE]; /* empty: adopted */
	uint16_t port;             /* 0 for a Unix socket */
	bool any_address;
	bool adopted;
	bool is_unix;
	bool is_paused; /* for want of descriptors */
	int accepts;         /* clients to be let in at most when somebody has come */
	uint64_t last_turn;  /* in which somebody has come */
	uint64_t quiet_until_ms; /* such a want was told not long ago */
	/* Takes the descriptor. */
	void (*accepted)(struct listener *listener, int fd, const struct peer *peer);
	/* Accepting failed; the listener is paused. Told at most once in ten seconds. */
	void (*starved)(struct listener *listener, int error);
};

/*
 * A listening socket. Host empty, "0.0.0.0" or "::": all addresses, of IPv4 and IPv6. Host
 * "unix:PATH": a Unix socket, whose stale file is replaced. Port 0: any free one.
 * The descriptor or -errno; `why` says what could not be done.
 */
int listener_open(const char *host, uint16_t port, char why[256]);

/* Does this host stand for all addresses? */
bool listener_hears_all(const char *host);

/* Is it a listening stream socket? If not, `why` says what it is instead. */
bool listener_is_usable(int fd, char why[256]);

/*
 * Takes the descriptor; if it is no good, which no kernel has said so far, it stays the caller's.
 * Nothing is accepted before listener_arm(). `where` NULL: adopted. 0 or -errno.
 */
int listener_init(struct listener *listener, struct loop *loop, int fd, const char *where);

/* One of another process, which is not there any more: all that is left of it is its text. */
void listener_init_gone(struct listener *listener, struct loop *loop, struct slice text);

/* 0 or -errno. */
int listener_arm(struct listener *listener);

/* Accepts nothing more; the descriptor is closed, a Unix socket of our own is removed. */
void listener_close(struct listener *listener);

/* Another process goes on with it: a Unix socket stays where it is. */
void listener_leave(struct listener *listener);

/* A descriptor became free. */
void listener_resume(struct listener *listener);
