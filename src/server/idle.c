/* SPDX-License-Identifier: MIT */
#include "server/idle.h"

#include "os/log.h"
#include "server/events.h"
#include "server/server.h"

/*
 * Sockets are served before timers, so a client may have been let in by this very turn: then the
 * daemon stays. Who comes later waits in the socket, which is only closed here, never shut down,
 * and is served by the next daemon.
 */
static void on_timer(struct timer *timer)
{
	struct idle *idle = container_of(timer, struct idle, timer);
	struct server *server = container_of(idle, struct server, idle);

	if (!list_is_empty(&server->clients))
		return;
	log_write(server->log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_IDLE),
		  "No clients for %gs: not needed any more",
		  (double)server->options->exit_idle_ms / 1000);
	server_stop(server);
}

void idle_init(struct idle *idle)
{
	*idle = (struct idle){.timer = {.expired = on_timer}};
}

void idle_begin_anew(struct server *server)
{
	loop_cancel_timer(&server->loop, &server->idle.timer);
}

void idle_plan(struct server *server)
{
	struct idle *idle = &server->idle;
	uint64_t limit_ms = (uint64_t)server->options->exit_idle_ms;

	if (!limit_ms)
		return;
	if (!list_is_empty(&server->clients)) {
		loop_cancel_timer(&server->loop, &idle->timer);
		return;
	}
	/* One who came and went within the turn was a client as well. */
	if (idle->timer.place && idle->last_cid == server->last_cid)
		return;
	idle->last_cid = server->last_cid;
	(void)loop_set_timer(&server->loop, &idle->timer, server->loop.now_ms + limit_ms);
}
