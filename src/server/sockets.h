/* SPDX-License-Identifier: MIT */
/*
 * Which sockets the daemon listens on: those a supervisor handed over, inetd's, or its own.
 *
 * A descriptor's name (FileDescriptorName=) chooses its role: all are for clients but a parcel,
 * which has the connections of the process before, and those named http and ws, which are refused
 * as long as there is nothing behind them.
 */
#pragma once

struct options;
struct server;

enum { SOCKETS_WHY = 1024 };

/*
 * Before anything else: is the socket there that the options promise? While it is not known to be
 * one, standard error may be complained to. 0, or 1 with `why`.
 */
int sockets_check(const struct options *options, char why[SOCKETS_WHY]);

/* 0, or 1 with `why`, which may have several lines. */
int sockets_open(struct server *server, char why[SOCKETS_WHY]);
