/* SPDX-License-Identifier: MIT */
/*
 * Which signals the daemon acts on (PROTOCOL 8.1), and the sending of them (8.3).
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

struct poller;

/* They come through the poller from now on; SIGPIPE is ignored. 0 or -errno. */
int signals_watch(struct poller *poller);

struct signals_order {
	int signal;
	pid_t pid;
};

/*
 * --signal COMMAND[=PID or file with one]. 0, or 1 with `why`. `self` is the name under which other
 * processes of the program are found.
 */
int signals_read(const char *argument, const char *self, struct signals_order *order,
		 struct buf *why);

/* 0, or 1 with `why`. */
int signals_send(const struct signals_order *order, struct buf *why);
