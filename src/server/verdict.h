/* SPDX-License-Identifier: MIT */
/*
 * How a reload went, from the daemon to the command that ordered it: a signal has no answer, and
 * systemctl should not say that all is well when it is not.
 *
 * The verdict is a file, "reload" in the first of $RUNTIME_DIRECTORY, which systemd makes for the
 * daemon and sets for its ExecReload= as well: one line, "ok" or why not. It stays until the next
 * order. Without that variable there is no verdict, and nobody waits for one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* For the daemon. `why` is NULL when it went well. 0 or -errno. */
int verdict_tell(const char *why);

/* For who orders a reload. */

/* Will there be one? */
bool verdict_is_told(void);

/* Before the signal: the last one is no answer to it. 0 or -errno. */
int verdict_forget(void);

/* Until that process has told it, has ended, or the time is up. 0: well; else 1 with `why`. */
int verdict_await(pid_t pid, uint64_t limit_ms, struct buf *why);
