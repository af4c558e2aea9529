/* SPDX-License-Identifier: MIT */
#include "server/budget.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/capacity.h"
#include "server/client.h"
#include "server/server.h"

enum {
	SHARE = 2,            /* of what there is; our sockets' buffers in the kernel take memory too */
	LEAST_MESSAGES = 8,   /* of the largest size */
	PARTING_AT_ONCE = 64, /* subscriptions */
	SPARE_EIGHTHS = 1,    /* of the budget that are free again when somebody had to go */
};

/* Of what the machine has, or the control group allows if that is less. */
static uint64_t share_of_capacity(const struct options *options, char text[128])
{
	uint64_t groups = capacity_of_groups("/");
	uint64_t machine = capacity_of_machine();
	bool is_limited = groups < machine;
	uint64_t share = (is_limited ? groups : machine) / SHARE;
	uint64_t least = (uint64_t)options->max_payload * LEAST_MESSAGES;

	if (machine == UINT64_MAX && !is_limited) {
		snprintf(text, 128, "no limit: how much there is is not known");
		return 0;
	}
	if (share < least)
		share = least;
	snprintf(text, 128, "%" PRIu64 " MB for clients, of the %" PRIu64 " MB of this %s",
		 share >> 20, (is_limited ? groups : machine) >> 20,
		 is_limited ? "control group" : "machine");
	return share;
}

void budget_take(struct server *server, const struct options *options)
{
	char *text = server->budget.text;
	uint64_t bytes = (uint64_t)options->max_memory;

	if (options->max_memory < 0)
		bytes = share_of_capacity(options, text);
	else if (bytes == 0)
		snprintf(text, 128, "no limit (max_memory)");
	else
		snprintf(text, 128, "%" PRIu64 " bytes for clients (max_memory)", bytes);
	pool_budget(&server->pool, bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX);
}

struct holder {
	struct client *client;
	size_t bytes;
};

/* Who holds most comes first, and of those who hold as much who came last. */
static int compare(const void *one, const void *other)
{
	const struct holder *a = one, *b = other;

	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return a->client->cid > b->client->cid ? -1 : 1;
}

/* Yours to free. NULL without memory, or without clients. */
static struct holder *list_holders(const struct server *server, size_t *count)
{
	size_t most = (size_t)(server->connections + server->leaving);
	struct holder *holders = most > 0 ? malloc(most * sizeof(*holders)) : NULL;

	*count = 0;
	if (!holders)
		return NULL;
	for (const struct list *at = server->clients.next; at != &server->clients && *count < most;
	     at = at->next) {
		struct client *client = container_of(at, struct client, link);

		holders[(*count)++] = (struct holder){client, client_held_bytes(client)};
	}
	qsort(holders, *count, sizeof(*holders), compare);
	return holders;
}

/*
 * Those who have gone give back at once what their subscriptions take too much: whoever comes,
 * subscribes and goes would else be ahead of us. The others, who change their account, go on when
 * they are done, and this is no moment for that.
 */
static void hurry_the_gone(struct server *server)
{
	struct list *at = server->parting.next, *next;

	for (; at != &server->parting && pool_is_overdrawn(&server->pool); at = next) {
		struct client *client = container_of(at, struct client, stalled_link);
		uint32_t most = PARTING_AT_ONCE;

		next = at->next;
		if (client->state == CLIENT_OPEN)
			continue;
		server->has_parted = true;
		if (!client_part(client, &most))
			next = at;
	}
}

void budget_keep(struct server *server)
{
	struct pool *pool = &server->pool;
	size_t enough = pool->budget_bytes / 8 * (8 - SPARE_EIGHTHS);
	size_t leaving = 0, count; /* the subscriptions of those who have to go now */
	struct holder *holders;

	hurry_the_gone(server);
	if (!pool_is_overdrawn(pool))
		return;
	holders = list_holders(server, &count);
	for (size_t at = 0; at < count && pool_held_bytes(pool) > leaving + enough; at++) {
		struct client *client = holders[at].client;

		server->budget.has_closed = true;
		client_drop(client, FAULT_BUDGET);
		client_give_up(client);
		leaving += session_held_bytes(&client->session);
	}
	free(holders);
}
