/* SPDX-License-Identifier: MIT */
/*
 * Takes records of a hand-over out of a parcel, and sets up what they tell of.
 *
 * What is damaged, missing or foreign costs the connections that it is about, and nothing else. The
 * log says how many, and why.
 */
#pragma once

#include <stdbool.h>

struct server;

/* The next record of the first of server.handover.ends. False: there was none. */
bool handover_unpack_next(struct server *server);

/* After the last one: tells what is missing, and forgets the parcel. */
void handover_unpack_end(struct server *server);
