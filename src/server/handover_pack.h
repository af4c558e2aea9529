/* SPDX-License-Identifier: MIT */
/*
 * Puts all there is to hand over into a parcel. Changes nothing that anybody could notice, so that
 * the server can go on if it comes to nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct client;
struct server;

/* Can it be handed over at all? */
bool handover_can_move(const struct client *client);

/*
 * `packed`: so many of the clients that can move, from the front of server.clients on, are
 * in the parcel, all if nothing went wrong. Listening sockets of a supervisor's only
 * `with_adopted`. 0 or -errno; -EPIPE: nobody holds the other end.
 */
int handover_pack(const struct server *server, int end, bool with_adopted, uint64_t *packed);

/* It came to nothing, and the server goes on: comes before the next one. */
void handover_forget_numbers(const struct server *server);
