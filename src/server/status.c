/* SPDX-License-Identifier: MIT */
#include "server/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "os/listener.h"
#include "os/supervisor.h"
#include "server/server.h"

enum {
	STATUS_MS = 5000,
	RETRY_MS = 200,
	READY_TRIES = 100,
	STATUS_ALL = STATUS_TEXT + STATUS_REFUSAL + 32,
};

static uint64_t count_messages(const struct server *server)
{
	struct counts counts = accounts_count(server);

	return counts.in_messages + counts.out_messages;
}

static void print_status(const struct server *server, char text[STATUS_TEXT])
{
	uint64_t passed_ms = server->loop.now_ms - server->status.told_ms;
	uint64_t since = count_messages(server) - server->status.messages;

	snprintf(text, STATUS_TEXT, "%" PRIu64 " clients, %" PRIu64 " subscriptions, %" PRIu64
				    " messages/s%s", server->connections,
		 accounts_count(server).subscriptions, passed_ms ? since * 1000 / passed_ms : 0,
		 server->lame_duck.is_on ? ", lame duck mode" : "");
}

/* Whoever looks at the status some time after a reload should not take it for a good one. */
static void print_all(const struct status *status, char text[STATUS_ALL])
{
	snprintf(text, STATUS_ALL, "%s%s%s%s", *status->refusal ? "Reload refused: " : "",
		 status->refusal, *status->refusal ? "; " : "", status->text);
}

/* A supervisor that does not hear of it would end us: so it is told again if that went wrong. */
static void tell_ready(struct server *server)
{
	struct status *status = &server->status;
	char text[STATUS_ALL];

	print_all(status, text);
	status->owed = supervisor_ready(text) < 0 && status->owed > 0 ? status->owed - 1 : 0;
	if (status->owed > 0)
		(void)loop_set_timer(&server->loop, &status->timer,
				     server->loop.now_ms + RETRY_MS);
}

/* Told again as long as messages flow, and once when they have stopped. */
static void on_timer(struct timer *timer)
{
	struct status *status = container_of(timer, struct status, timer);
	struct server *server = container_of(status, struct server, status);
	uint64_t messages = count_messages(server);
	char text[STATUS_ALL];

	if (status->owed > 0) {
		tell_ready(server);
		return;
	}
	print_status(server, status->text);
	status->has_changed = messages != status->messages;
	status->messages = messages;
	status->told_ms = server->loop.now_ms;
	print_all(status, text);
	supervisor_status(text);
}

static void on_watchdog(struct timer *timer)
{
	struct status *status = container_of(timer, struct status, watchdog);
	struct server *server = container_of(status, struct server, status);

	supervisor_alive();
	(void)loop_set_timer(&server->loop, timer, server->loop.now_ms + status->watchdog_ms);
}

void status_init(struct status *status)
{
	*status = (struct status){
		.timer = {.expired = on_timer},
		.watchdog = {.expired = on_watchdog},
	};
}

/* Which addresses came from outside, and which option is without effect for it. */
static void print_ready(const struct server *server, char text[STATUS_TEXT])
{
	const char *given = options_given_address(server->options);
	size_t length = (size_t)snprintf(text, STATUS_TEXT, "Waiting for clients on");
	bool adopted = false;

	for (const struct list *at = server->listeners.next;
	     at != &server->listeners && length < STATUS_TEXT; at = at->next) {
		const struct listener *listener = container_of(at, struct listener, link);

		length += (size_t)snprintf(text + length, STATUS_TEXT - length, " %s",
					   listener->text);
		adopted = listener->adopted;
	}
	if (length < STATUS_TEXT && adopted)
		snprintf(text + length, STATUS_TEXT - length, " (from the supervisor%s%s)",
			 given ? "; no effect: " : "", given ? given : "");
}

void status_ready(struct server *server)
{
	struct status *status = &server->status;

	/* Counters may have come from the process before. */
	status->messages = count_messages(server);
	status->told_ms = server->loop.now_ms;
	status->is_watched = supervisor_watches();
	status->watchdog_ms = supervisor_watchdog_ms();
	if (status->watchdog_ms)
		on_watchdog(&status->watchdog);
	print_ready(server, status->text);
	status->owed = READY_TRIES;
	tell_ready(server);
}

void status_plan(struct server *server)
{
	struct status *status = &server->status;

	if (!status->timer.place && status->is_watched &&
	    (status->has_changed || count_messages(server) != status->messages))
		(void)loop_set_timer(&server->loop, &status->timer,
				     server->loop.now_ms + STATUS_MS);
}

void status_reloading(void)
{
	supervisor_reloading();
}

void status_reloaded(struct server *server, const char *refusal)
{
	struct status *status = &server->status;

	snprintf(status->refusal, STATUS_REFUSAL, "%s", refusal ? refusal : "");
	status->owed = READY_TRIES;
	tell_ready(server);
}

void status_stopping(const char *text)
{
	supervisor_stopping(text);
}
