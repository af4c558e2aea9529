/* SPDX-License-Identifier: MIT */
#include "os/poller.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

struct poller {
	int fd;
	int signal_fd; /* -1: no signals are watched */
	struct epoll_event events[EVENTS_MAX];
};

int poller_new(struct poller **made)
{
	struct poller *poller = calloc(1, sizeof(*poller));
	int error;

	if (!poller)
		return -ENOMEM;
	poller->signal_fd = -1;
	poller->fd = epoll_create1(EPOLL_CLOEXEC);
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
	if (poller->signal_fd >= 0)
		close(poller->signal_fd);
	free(poller);
}

int poller_fd(const struct poller *poller)
{
	return poller->fd;
}

int poller_change(struct poller *poller, int fd, unsigned had, unsigned want, void *source)
{
	int operation = !want ? EPOLL_CTL_DEL : !had ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	struct epoll_event event = {.data.ptr = source};

	if (had == want)
		return 0;
	if (want & POLLER_READ)
		event.events |= EPOLLIN;
	if (want & POLLER_WRITE)
		event.events |= EPOLLOUT;
	if (want & POLLER_URGENT)
		event.events |= EPOLLPRI;
	return epoll_ctl(poller->fd, operation, fd, &event) < 0 ? -errno : 0;
}

int poller_watch_signals(struct poller *poller, const int *signals, size_t count)
{
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t set;

	sigemptyset(&set);
	for (size_t at = 0; at < count; at++)
		sigaddset(&set, signals[at]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	poller->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (poller->signal_fd < 0 ||
	    epoll_ctl(poller->fd, EPOLL_CTL_ADD, poller->signal_fd, &event) < 0)
		return -errno;
	return 0;
}

/* The next signal that is due, or 0. The others are told at the next wait. */
static int read_signal(struct poller *poller)
{
	struct signalfd_siginfo info;

	if (read(poller->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

static unsigned ready_for(uint32_t events)
{
	unsigned ready = 0;

	if (events & (EPOLLPRI | EPOLLERR | EPOLLHUP))
		ready |= POLLER_URGENT;
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		ready |= POLLER_READ;
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		ready |= POLLER_WRITE;
	return ready;
}

int poller_wait(struct poller *poller, struct poller_event *events, size_t most, int timeout_ms)
{
	int most_here = most < EVENTS_MAX ? (int)most : EVENTS_MAX;
	int count = epoll_wait(poller->fd, poller->events, most_here, timeout_ms);

	if (count < 0)
		return -errno;
	for (int at = 0; at < count; at++) {
		events[at] = (struct poller_event){
			.source = poller->events[at].data.ptr,
			.ready = ready_for(poller->events[at].events),
		};
		if (!events[at].source)
			events[at].signal = read_signal(poller);
	}
	return count;
}
