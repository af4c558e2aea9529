/* SPDX-License-Identifier: MIT */
/*
 * A client as tagged fields (server/handover_format.h).
 */
#pragma once

#include <stdbool.h>

#include "base/tags.h"
#include "broker/state.h"

struct client;
struct server;

/* 0 or < 0: one of its payloads could not be kept. */
int client_save(const struct client *client, struct state_payloads *payloads,
		struct tags_writer *writer);

/*
 * The client goes on, on this socket, which is taken. False: it cannot, and the socket is closed;
 * `why` says what is wrong.
 */
bool client_load(struct server *server, int fd, const struct state_source *source,
		 struct slice fields, const char **why);
