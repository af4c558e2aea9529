/* SPDX-License-Identifier: MIT */
#include "os/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "os/clock.h"

static int reserve_timers(struct loop *loop, uint32_t count)
{
	uint32_t capacity = loop->timer_capacity ? loop->timer_capacity * 2 : LOOP_KEPT;
	struct timer **timers;

	if (loop->timer_count + count <= loop->timer_capacity)
		return 0;
	timers = realloc(loop->timers, capacity * sizeof(struct timer *));
	if (!timers)
		return -ENOMEM;
	loop->timers = timers;
	loop->timer_capacity = capacity;
	return 0;
}

int loop_init(struct loop *loop)
{
	int error;

	*loop = (struct loop){.now_ms = clock_now_ms()};
	error = poller_new(&loop->poller);
	return error < 0 ? error : reserve_timers(loop, LOOP_KEPT);
}

void loop_fini(struct loop *loop)
{
	poller_free(loop->poller);
	free(loop->timers);
	loop->poller = NULL;
	loop->timers = NULL;
}

int loop_want(struct loop *loop, struct source *source, unsigned want)
{
	int error = poller_change(loop->poller, source->fd, source->want, want, source);

	if (error == 0)
		source->want = want;
	return error;
}

void loop_forget(struct loop *loop, struct source *source)
{
	if (source->want)
		(void)loop_want(loop, source, 0);
	for (int at = loop->event_at; at < loop->event_count; at++)
		if (loop->events[at].source == source)
			loop->events[at] = (struct poller_event){0};
}

/* The heap of timers. */

static void place(struct loop *loop, struct timer *timer, uint32_t at)
{
	loop->timers[at - 1] = timer;
	timer->place = at;
}

static void move_up(struct loop *loop, struct timer *timer)
{
	uint32_t at = timer->place;

	while (at > 1 && loop->timers[at / 2 - 1]->due_ms > timer->due_ms) {
		place(loop, loop->timers[at / 2 - 1], at);
		at /= 2;
	}
	place(loop, timer, at);
}

static void move_down(struct loop *loop, struct timer *timer)
{
	uint32_t at = timer->place;

	for (;;) {
		uint32_t child = at * 2;

		if (child > loop->timer_count)
			break;
		if (child < loop->timer_count &&
		    loop->timers[child]->due_ms < loop->timers[child - 1]->due_ms)
			child++;
		if (loop->timers[child - 1]->due_ms >= timer->due_ms)
			break;
		place(loop, loop->timers[child - 1], at);
		at = child;
	}
	place(loop, timer, at);
}

static int set(struct loop *loop, struct timer *timer, uint64_t due_ms, uint32_t places)
{
	if (!timer->place) {
		if (reserve_timers(loop, places) < 0)
			return -ENOMEM;
		place(loop, timer, ++loop->timer_count);
	}
	timer->due_ms = due_ms;
	move_up(loop, timer);
	move_down(loop, timer);
	return 0;
}

int loop_set_timer(struct loop *loop, struct timer *timer, uint64_t due_ms)
{
	return set(loop, timer, due_ms, 1);
}

int loop_set_one_of_many(struct loop *loop, struct timer *timer, uint64_t due_ms)
{
	return set(loop, timer, due_ms, 1 + LOOP_KEPT);
}

/* What thousands of clients once needed is given back when they are gone. */
static void shrink(struct loop *loop)
{
	struct timer **timers;

	if (loop->timer_count > loop->timer_capacity / 4 ||
	    loop->timer_count + LOOP_KEPT > loop->timer_capacity / 2)
		return;
	timers = realloc(loop->timers, loop->timer_capacity / 2 * sizeof(struct timer *));
	if (!timers)
		return;
	loop->timers = timers;
	loop->timer_capacity /= 2;
}

void loop_cancel_timer(struct loop *loop, struct timer *timer)
{
	struct timer *last;

	if (!timer->place)
		return;
	last = loop->timers[--loop->timer_count];
	if (last != timer) {
		place(loop, last, timer->place);
		move_up(loop, last);
		move_down(loop, last);
	}
	timer->place = 0;
	shrink(loop);
}

/* How long to sleep. A timer that is not yet due waits for others close behind it. */
static int timeout_ms(const struct loop *loop)
{
	uint64_t now = clock_now_ms();
	uint64_t due;

	if (loop->has_more)
		return 0;
	if (loop->timer_count == 0)
		return -1;
	due = loop->timers[0]->due_ms;
	if (due <= now)
		return 0;
	/* Long waits end on a common grid. */
	if (due - now > 10 * LOOP_COARSE_MS)
		due = (due + LOOP_COARSE_MS - 1) / LOOP_COARSE_MS * LOOP_COARSE_MS;
	return due - now > INT_MAX ? INT_MAX : (int)(due - now);
}

static void dispatch(struct loop *loop)
{
	while (loop->event_at < loop->event_count) {
		struct poller_event *event = &loop->events[loop->event_at++];
		struct source *source = event->source;

		if (!source && event->signal > 0)
			loop->signalled(loop, event->signal);
		else if (source && (event->ready & source->want))
			source->ready(source, event->ready & source->want);
	}
}

static void fire_timers(struct loop *loop)
{
	while (loop->timer_count > 0 && loop->timers[0]->due_ms <= loop->now_ms) {
		struct timer *timer = loop->timers[0];

		loop_cancel_timer(loop, timer);
		timer->expired(timer);
	}
}

int loop_turn(struct loop *loop)
{
	int count = poller_wait(loop->poller, loop->events, LOOP_EVENTS, timeout_ms(loop));

	/* Stopped and continued, say. What is ready still goes before what is due meanwhile. */
	while (count == -EINTR)
		count = poller_wait(loop->poller, loop->events, LOOP_EVENTS, 0);
	loop->now_ms = clock_now_ms();
	loop->turn++;
	loop->has_more = false;
	if (count < 0)
		return count;
	loop->event_count = count;
	loop->event_at = 0;
	dispatch(loop);
	loop->event_count = 0;
	fire_timers(loop);
	return 0;
}
