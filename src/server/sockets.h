/* SPDX-License-Identifier: MIT */
/*
 * Which sockets the daemon listens on: those a supervisor handed over, inetd's, or its own.
 *
 * A descriptor's name (FileDescriptorName=) chooses its role. No name has one of its own yet, so
 * all are for clients.
 */
#pragma once

struct server;

enum { SOCKETS_WHY = 512 };

/* 0, or 1 with `why`. */
int sockets_open(struct server *server, char why[SOCKETS_WHY]);
