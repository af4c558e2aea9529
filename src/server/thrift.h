/* SPDX-License-Identifier: MIT */
/*
 * When the supervisor says that memory is short ($MEMORY_PRESSURE_WATCH), all goes back to the
 * kernel that is not needed at the moment.
 */
#pragma once

#include "os/pressure.h"

struct server;

struct thrift {
	struct pressure pressure;
};

/* Whether it is watched or not, the server serves. */
void thrift_begin(struct server *server);
void thrift_end(struct server *server);
