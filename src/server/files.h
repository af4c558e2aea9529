/* SPDX-License-Identifier: MIT */
/*
 * The pid file and the ports file (PROTOCOL 8.2).
 */
#pragma once

struct server;
struct options;

enum { FILES_WHY = 512 };

/* Writes those that the options ask for. 0, or 1 with `why`. */
int files_write(const struct server *server, const struct options *options,
		char why[FILES_WHY]);

/* Removes the ports file of these options. The pid file stays, as with nats-server. */
void files_remove(const struct options *options);
