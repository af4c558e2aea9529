/* SPDX-License-Identifier: MIT */
/*
 * Lame duck mode: clients are told, and then sent away one by one (PROTOCOL 7.8).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "os/loop.h"

struct server;

struct lame_duck {
	struct timer timer; /* the end of the grace, then the next client */
	uint64_t end_ms; /* when the last client should be gone */
	bool is_on;
};

void lame_duck_init(struct lame_duck *lame_duck);

/* Accepts nobody more. Without clients the server stops at once. */
void lame_duck_begin(struct server *server);
