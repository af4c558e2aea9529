/* SPDX-License-Identifier: MIT */
/*
 * The end of a daemon that nobody needs: after so long without clients it stops, and whoever holds
 * its sockets starts it again for the next one (--exit-idle-time).
 *
 * A client counts until its socket is closed, be it only lingering.
 */
#pragma once

#include <stdint.h>

#include "os/loop.h"

struct server;

struct idle {
	struct timer timer; /* set only while there are no clients */
	uint64_t last_cid;  /* server.last_cid when it was set */
};

void idle_init(struct idle *idle);

/* With the time that the options now say; idle_plan() follows. */
void idle_begin_anew(struct server *server);

/* When all listeners are armed, and when a turn has ended. */
void idle_plan(struct server *server);
