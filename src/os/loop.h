/* SPDX-License-Identifier: MIT */
/*
 * Waits for descriptors, timers and signals, and calls whoever is concerned.
 *
 * A source that is forgotten hears nothing any more, not even what the same turn had in hand for
 * it, so it may be freed at once. Timers are coarse: they fire not before their time, and late by
 * up to LOOP_COARSE_MS so that many can share one wake-up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/poller.h"

enum {
	LOOP_EVENTS = 128,
	LOOP_COARSE_MS = 50,
	LOOP_KEPT = 128, /* timers: a listener has one, the server some */
};

struct source {
	int fd;
	unsigned want; /* POLLER_READ and POLLER_WRITE; 0: not watched */
	void (*ready)(struct source *source, unsigned ready);
};

struct timer {
	uint64_t due_ms;
	uint32_t place; /* in the loop's heap, counted from 1; 0: not set */
	void (*expired)(struct timer *timer);
};

struct loop {
	struct poller *poller;
	struct timer **timers; /* a heap: the next one first */
	uint32_t timer_count;
	uint32_t timer_capacity;
	uint64_t now_ms; /* when the turn began */
	uint64_t turn;   /* its number */
	bool has_more;   /* somebody has more to do: the next turn waits for nothing */
	void (*signalled)(struct loop *loop, int signal);
	struct poller_event events[LOOP_EVENTS];
	int event_count;
	int event_at;
};

/* 0 or -errno. */
int loop_init(struct loop *loop);
void loop_fini(struct loop *loop);

/* Changes what a source wants to hear of. 0 or -errno. */
int loop_want(struct loop *loop, struct source *source, unsigned want);

/* Before its descriptor is closed. */
void loop_forget(struct loop *loop, struct source *source);

/*
 * Sets it, or sets it anew. 0 or -ENOMEM; a timer that is already set cannot fail, nor can the
 * first LOOP_KEPT.
 */
int loop_set_timer(struct loop *loop, struct timer *timer, uint64_t due_ms);

/* The same for those that come in any number: they leave room for LOOP_KEPT others. */
int loop_set_one_of_many(struct loop *loop, struct timer *timer, uint64_t due_ms);
void loop_cancel_timer(struct loop *loop, struct timer *timer);

/* Waits until something is ready; calls all concerned, then the timers due. 0 or -errno. */
int loop_turn(struct loop *loop);
