/* SPDX-License-Identifier: MIT */
#include "server/thrift.h"

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

void thrift_begin(struct server *server)
{
	char why[PRESSURE_WHY];

	server->thrift.pressure.felt = on_pressure;
	if (pressure_watch(&server->thrift.pressure, &server->loop, why) >= 0)
		return;
	log_write(server->log, LOG_LEVEL_WARNING,
		  &(struct log_fields){.event = EVENT_PRESSURE_UNWATCHED, .reason = why},
		  "Nobody will tell when memory is short: %s", why);
}

void thrift_end(struct server *server)
{
	pressure_forget(&server->thrift.pressure);
}
