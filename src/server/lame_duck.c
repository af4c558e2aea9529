/* SPDX-License-Identifier: MIT */
#include "server/lame_duck.h"

#include "os/log.h"
#include "os/random.h"
#include "server/client.h"
#include "server/events.h"
#include "server/server.h"
#include "server/status.h"

enum { PAUSE_MOST_MS = 1000 };

/* Between half of it and all, so that they do not all come to another server in step. */
static uint64_t vary(uint64_t pause_ms)
{
	uint32_t chance;

	if (random_fill(&chance, sizeof(chance)) < 0)
		chance = 0;
	return pause_ms / 2 + chance % (pause_ms / 2 + 1) + 1;
}

/* Sends one client away, or as many as must go at once to be done in time, and plans the next. */
static void send_away(struct server *server)
{
	uint64_t now = server->loop.now_ms;
	uint64_t left_ms = server->lame_duck.end_ms > now ? server->lame_duck.end_ms - now : 1;
	uint64_t count = server->connections ? server->connections : 1;
	uint64_t pause_ms = left_ms / count;
	uint64_t batch = pause_ms ? 1 : count / left_ms + 1;

	if (pause_ms > PAUSE_MOST_MS)
		pause_ms = PAUSE_MOST_MS;
	while (batch-- > 0 && !list_is_empty(&server->clients)) {
		struct client *client = container_of(server->clients.next, struct client, link);

		client_flush(client);
		client_drop(client, FAULT_SHUTDOWN);
	}
	(void)loop_set_timer(&server->loop, &server->lame_duck.timer,
			     server->loop.now_ms + vary(pause_ms));
}

static void on_timer(struct timer *timer)
{
	struct lame_duck *lame_duck = container_of(timer, struct lame_duck, timer);
	struct server *server = container_of(lame_duck, struct server, lame_duck);

	if (list_is_empty(&server->clients))
		server_stop(server);
	else
		send_away(server);
}

void lame_duck_init(struct lame_duck *lame_duck)
{
	*lame_duck = (struct lame_duck){.timer = {.expired = on_timer}};
}

static void tell_clients(struct server *server)
{
	for (struct list *at = server->clients.next; at != &server->clients; at = at->next) {
		struct client *client = container_of(at, struct client, link);

		if (client->session.pinged && client->session.connect.protocol >= 1)
			client_send_info(client, false);
	}
}

void lame_duck_begin(struct server *server)
{
	uint64_t now = server->loop.now_ms;

	if (server->lame_duck.is_on)
		return;
	log_write(server->log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_LAME_DUCK),
		  "Entering lame duck mode, stop accepting new clients");
	server->lame_duck.is_on = true;
	status_stopping("Lame duck mode");
	server_close_listeners(server);
	if (list_is_empty(&server->clients)) {
		server_stop(server);
		return;
	}
	tell_clients(server);
	server->lame_duck.end_ms = now + (uint64_t)server->options->lame_duck_duration_ms;
	(void)loop_set_timer(&server->loop, &server->lame_duck.timer,
			     now + (uint64_t)server->options->lame_duck_grace_ms);
}
