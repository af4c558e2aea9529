/* SPDX-License-Identifier: MIT */
#include "server/thrift.h"

#include <string.h>

#include "os/log.h"
#include "server/client.h"
#include "server/events.h"
#include "server/server.h"

/* Between two clients: what each keeps of its input takes no more room than it needs. */
static void shrink_clients(struct server *server)
{
	for (struct list *at = server->clients.next; at != &server->clients; at = at->next)
		client_shrink(container_of(at, struct client, link));
}

static void on_pressure(struct pressure *pressure)
{
	struct server *server = container_of(pressure, struct server, thrift.pressure);
	size_t before = server->pool.taken_bytes;

	shrink_clients(server);
	pool_empty(&server->pool);
	server_trim(server);
	log_write(server->log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_MEMORY_PRESSURE),
		  "Memory is short: %zu kB were ready for the next messages and are given back",
		  (before - server->pool.taken_bytes) / 1024);
}

static void log_unwatched(const struct server *server, const char *why)
{
	log_write(server->log, LOG_LEVEL_WARNING,
		  &(struct log_fields){.event = EVENT_PRESSURE_UNWATCHED, .reason = why},
		  "Nobody will tell when memory is short: %s", why);
}

static void on_lost(struct pressure *pressure, int error)
{
	log_unwatched(container_of(pressure, struct server, thrift.pressure), strerror(-error));
}

void thrift_begin(struct server *server)
{
	struct pressure *pressure = &server->thrift.pressure;
	char why[PRESSURE_WHY];

	pressure->felt = on_pressure;
	pressure->lost = on_lost;
	if (pressure_watch(pressure, &server->loop, why) < 0)
		log_unwatched(server, why);
}

void thrift_end(struct server *server)
{
	pressure_forget(&server->thrift.pressure);
}
