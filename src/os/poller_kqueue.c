/* SPDX-License-Identifier: MIT */
#include "os/poller.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

struct poller {
	int fd;
	struct kevent events[EVENTS_MAX];
};

int poller_new(struct poller **made)
{
	struct poller *poller = calloc(1, sizeof(*poller));
	int error;

	if (!poller)
		return -ENOMEM;
	poller->fd = kqueue();
	if (poller->fd < 0) {
		error = -errno;
		free(poller);
		return error;
	}
	*made = poller;
	return 0;
}

void poller_free(struct poller *poller)
{
	if (!poller)
		return;
	close(poller->fd);
	free(poller);
}

/* Reading and writing are two filters: each is added or deleted where it differs. */
int poller_fd(const struct poller *poller)
{
	(void)poller;
	return -1;
}

int poller_change(struct poller *poller, int fd, unsigned had, unsigned want, void *source)
{
	static const struct {
		unsigned ready;
		short filter;
	} filters[] = {{POLLER_READ, EVFILT_READ}, {POLLER_WRITE, EVFILT_WRITE}};
	struct kevent changes[2];
	int count = 0;

	for (size_t at = 0; at < 2; at++) {
		unsigned ready = filters[at].ready;

		if ((had & ready) != (want & ready))
			EV_SET(&changes[count++], (uintptr_t)fd, filters[at].filter,
			       want & ready ? EV_ADD : EV_DELETE, 0, 0, source);
	}
	if (count > 0 && kevent(poller->fd, changes, count, NULL, 0, NULL) < 0)
		return -errno;
	return 0;
}

int poller_watch_signals(struct poller *poller, const int *signals, size_t count)
{
	for (size_t at = 0; at < count; at++) {
		struct kevent change;

		/* The filter sees a signal even where it is ignored. */
		signal(signals[at], SIG_IGN);
		EV_SET(&change, (uintptr_t)signals[at], EVFILT_SIGNAL, EV_ADD, 0, 0, NULL);
		if (kevent(poller->fd, &change, 1, NULL, 0, NULL) < 0)
			return -errno;
	}
	return 0;
}

static struct poller_event translate(const struct kevent *event)
{
	if (event->filter == EVFILT_SIGNAL)
		return (struct poller_event){.signal = (int)event->ident};
	return (struct poller_event){
		.source = (void *)event->udata,
		.ready = event->flags & (EV_ERROR | EV_EOF) ? POLLER_READ | POLLER_WRITE :
			 event->filter == EVFILT_READ	    ? POLLER_READ : POLLER_WRITE,
	};
}

int poller_wait(struct poller *poller, struct poller_event *events, size_t most, int timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	int most_here = most < EVENTS_MAX ? (int)most : EVENTS_MAX;
	int count = kevent(poller->fd, NULL, 0, poller->events, most_here,
			   timeout_ms < 0 ? NULL : &timeout);

	if (count < 0)
		return -errno;
	for (int at = 0; at < count; at++)
		events[at] = translate(&poller->events[at]);
	return count;
}
