/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells about descriptors and signals: poller_epoll.c or poller_kqueue.c.
 *
 * Level-triggered: what is not dealt with is told again.
 */
#pragma once

#include <stddef.h>

/* POLLER_URGENT is wanted alone; some kernels have nothing to tell of it. */
enum { POLLER_READ = 1, POLLER_WRITE = 2, POLLER_URGENT = 4 };

struct poller;

struct poller_event {
	void *source;   /* as given; NULL: a signal */
	unsigned ready; /* of what may be wanted; an error or hang-up counts as all */
	int signal;
};

/* 0 or -errno. */
int poller_new(struct poller **poller);
void poller_free(struct poller *poller);

/*
 * Its descriptor, -1 where it has none that may go to another process. Who keeps it open keeps the
 * kernel from taking down all that is watched, which takes long.
 */
int poller_fd(const struct poller *poller);

/*
 * From `had` to `want`, either of which may be 0. A source hears of nothing while `want` is 0.
 * 0 or -errno. Before a descriptor is closed its want is set to 0.
 */
int poller_change(struct poller *poller, int fd, unsigned had, unsigned want, void *source);

/* These signals come as events from now on, in this and all later threads. 0 or -errno. */
int poller_watch_signals(struct poller *poller, const int *signals, size_t count);

/* Waits at most so long (-1: for ever). The number of events, or -errno; -EINTR: wait again. */
int poller_wait(struct poller *poller, struct poller_event *events, size_t most, int timeout_ms);
