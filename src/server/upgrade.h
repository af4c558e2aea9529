/* SPDX-License-Identifier: MIT */
/*
 * Replacing the running program by the one that is on disk now, on SIGALRM.
 *
 * First a child tries whether that one starts with our options: connections must not be lost to a
 * program that does not. Then the hand-over (server/handover.h).
 */
#pragma once

#include <sys/types.h>

#include "os/loop.h"

struct server;

struct upgrade {
	struct timer patience; /* with the trial */
	pid_t trial;           /* 0: none runs */
};

void upgrade_init(struct upgrade *upgrade);

void upgrade_begin(struct server *server);

/* A child has ended. */
void upgrade_go_on(struct server *server);

/* It came to nothing. */
void upgrade_fail(struct server *server, const char *why);
