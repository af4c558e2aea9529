/* SPDX-License-Identifier: MIT */
/*
 * Which signals the daemon acts on (PROTOCOL 8.1), and the sending of them (8.3).
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"

struct poller;

/* They come through the poller from now on; SIGPIPE is ignored. 0 or -errno. */
int signals_watch(struct poller *poller);

/*
 * --signal COMMAND[=PID or file with one]. Returns the exit code; what went wrong stands in `why`.
 * `self` is the name under which other processes of the program are found.
 */
int signals_send(const char *argument, const char *self, struct buf *why);
