/* SPDX-License-Identifier: MIT */
#include "server/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/supervisor.h"
#include "server/client.h"
#include "server/events.h"
#include "server/handover_pack.h"
#include "server/handover_unpack.h"
#include "server/server.h"

enum {
	FLUSH_MS = 20,    /* of the log, before this process is replaced */
	SETTLE_MS = 1000, /* until the supervisor has taken note of what it keeps */
	RESERVE = 16,     /* descriptors that connections taken over must leave to us */
};

/* The supervisor has let go of the parcel, or never took it. */
static void on_not_kept(struct source *source, unsigned ready)
{
	struct handover *handover = container_of(source, struct handover, keeper);
	struct server *server = container_of(handover, struct server, handover);

	(void)ready;
	loop_forget(&server->loop, source);
	close(source->fd);
	source->fd = -1;
	log_write(server->log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_NOT_KEPT),
		  "The supervisor keeps no connections (FileDescriptorStoreMax= is missing): they "
		  "will not survive a restart");
}

void handover_init(struct server *server)
{
	server->handover = (struct handover){
		.keeper = {.fd = -1, .ready = on_not_kept}, .telling_why = ""};
}

/* Taking over. */

void handover_add(struct server *server, int end)
{
	struct handover *handover = &server->handover;

	for (uint32_t at = 0; at < handover->end_count; at++)
		if (handover->ends[at] == end)
			return;
	if (handover->end_count == HANDOVER_ENDS) {
		close(end);
		return;
	}
	fcntl(end, F_SETFD, FD_CLOEXEC);
	handover->ends[handover->end_count++] = end;
}

void handover_add_from_environment(struct server *server)
{
	const char *text = getenv(HANDOVER_ENVIRONMENT);
	char *end;
	long fd = text ? strtol(text, &end, 10) : -1;
	bool good = fd > STDERR_FILENO && fd <= INT_MAX && !*end && parcel_is_one((int)fd);

	unsetenv(HANDOVER_ENVIRONMENT);
	if (good)
		handover_add(server, (int)fd);
	else if (text)
		log_write(server->log, LOG_LEVEL_WARNING, LOG_EVENT(EVENT_HANDOVER_DAMAGED),
			  "Ignoring $" HANDOVER_ENVIRONMENT "=%s: not a parcel", text);
}

void handover_begin(struct server *server)
{
	if (server->handover.end_count > 0)
		(void)handover_unpack_next(server);
}

int handover_claim(struct server *server, const char *where)
{
	struct handover *handover = &server->handover;

	for (uint32_t at = 0; at < handover->listener_count; at++) {
		struct inheritance *listener = &handover->listeners[at];
		int fd = listener->fd;

		if (fd < 0 || listener->adopted || strcmp(listener->where, where) != 0)
			continue;
		listener->fd = -1;
		return fd;
	}
	return -1;
}

static void close_unclaimed(struct handover *handover)
{
	for (uint32_t at = 0; at < handover->listener_count; at++)
		if (handover->listeners[at].fd >= 0)
			close(handover->listeners[at].fd);
	handover->listener_count = 0;
}

static void log_taken(struct server *server, uint64_t started_ms)
{
	const struct handover *handover = &server->handover;

	if (handover->taken + handover->lost > 0 || handover->pid)
		log_write(server->log, LOG_LEVEL_INFO,
			  &(struct log_fields){.event = EVENT_TAKEN_OVER,
					       .count = handover->taken},
			  "Took over %" PRIu64 " connections and %" PRIu64 " subscriptions of "
			  "process %" PRIu64 " (version %s) in %" PRIu64 " ms; %" PRIu64
			  " were lost",
			  handover->taken, accounts_count(server).subscriptions, handover->pid,
			  handover->program[0] ? handover->program : "unknown",
			  clock_now_ms() - started_ms, handover->lost);
}

/* Whatever happens to be there: they are given back when all connections are. */
static void reserve(int fds[RESERVE])
{
	for (size_t at = 0; at < RESERVE; at++)
		fds[at] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}

static void release(const int fds[RESERVE])
{
	for (size_t at = 0; at < RESERVE; at++)
		if (fds[at] >= 0)
			close(fds[at]);
}

static void take_all(struct server *server)
{
	uint64_t started_ms = clock_now_ms();
	int reserved[RESERVE];

	reserve(reserved);
	while (server->handover.end_count > 0) {
		while (handover_unpack_next(server))
			;
		handover_unpack_end(server);
	}
	release(reserved);
	log_taken(server, started_ms);
}

/* An empty parcel, whose far end the supervisor keeps for the next process. */
static void leave_parcel(struct server *server)
{
	struct handover *handover = &server->handover;
	int ends[2];
	int error = supervisor_watches() ? parcel_new(ends) : 0;

	if (!supervisor_watches() || error == -ENOSYS)
		return;
	if (error == 0) {
		supervisor_store(ends[0], HANDOVER_NAME);
		close(ends[0]);
		handover->keeper.fd = ends[1];
		/* Nothing ever comes from there but its end. */
		error = loop_want(&server->loop, &handover->keeper, POLLER_READ);
		if (error == 0)
			return;
		close(ends[1]);
		handover->keeper.fd = -1;
	}
	log_write(server->log, LOG_LEVEL_WARNING,
		  &(struct log_fields){.event = EVENT_NOT_KEPT, .reason = strerror(-error)},
		  "Connections will not survive a restart: %s", strerror(-error));
}

void handover_finish(struct server *server)
{
	if (server->handover.end_count > 0)
		take_all(server);
	close_unclaimed(&server->handover);
	leave_parcel(server);
}

/* Parking. */

bool handover_is_kept(const struct server *server)
{
	return server->handover.keeper.fd >= 0;
}

/* All but the first `kept` of those that can move are told good-bye. */
static void close_others(struct server *server, uint64_t kept)
{
	struct list *at = server->clients.next;

	while (at != &server->clients) {
		struct client *client = container_of(at, struct client, link);
		bool stays = kept > 0 && handover_can_move(client);

		at = at->next;
		if (stays) {
			kept--;
			continue;
		}
		client_flush(client);
		client_drop(client, FAULT_SHUTDOWN);
	}
}

void handover_park(struct server *server)
{
	struct handover *handover = &server->handover;
	uint64_t packed;
	int answer = supervisor_ask();
	int error = handover_pack(server, handover->keeper.fd, false, &packed);

	supervisor_await(answer, SETTLE_MS);
	if (!parcel_is_held(handover->keeper.fd)) {
		/* It keeps nothing, and had not come to say so. */
		error = -EPIPE;
		packed = 0;
	}
	if (error < 0)
		log_write(server->log, LOG_LEVEL_WARNING,
			  &(struct log_fields){.event = EVENT_NOT_PARKED,
					       .reason = strerror(-error)},
			  "Not all connections could be parked, and the others are closed: %s",
			  strerror(-error));
	close_others(server, packed);
	handover->has_parked = true;
	log_write(server->log, LOG_LEVEL_INFO,
		  &(struct log_fields){.event = EVENT_PARKED, .count = packed},
		  "Parked %" PRIu64 " connections for the next process", packed);
}

/* Replacing. */

static int replace(struct server *server, const int ends[2])
{
	char *const *argv = server->options->argv;
	char number[16];
	uint64_t packed;
	int error = handover_pack(server, ends[1], true, &packed);

	if (error < 0)
		return error;
	snprintf(number, sizeof(number), "%d", ends[0]);
	if (setenv(HANDOVER_ENVIRONMENT, number, 1) < 0 || fcntl(ends[0], F_SETFD, 0) < 0)
		return -errno;
	close_others(server, packed);
	log_write(server->log, LOG_LEVEL_INFO,
		  &(struct log_fields){.event = EVENT_REPLACED, .count = packed},
		  "Replacing this process by %s, with %" PRIu64 " connections", argv[0], packed);
	log_flush(server->log, FLUSH_MS);
	execvp(argv[0], argv);
	return -errno;
}

int handover_replace(struct server *server)
{
	int ends[2];
	int error = parcel_new(ends);

	if (error < 0)
		return error;
	error = replace(server, ends);
	handover_forget_numbers(server);
	unsetenv(HANDOVER_ENVIRONMENT);
	close(ends[0]);
	close(ends[1]);
	return error;
}
