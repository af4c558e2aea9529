/* SPDX-License-Identifier: MIT */
/*
 * A service manager's sandbox may keep the daemon from opening a socket, or the world from hearing
 * it there. The socket unit is not in the sandbox: what to write into it is told.
 */
#pragma once

struct options;
struct server;

/*
 * `why`, SOCKETS_WHY long, says that an address could not be listened on, for `error` (-errno). If
 * a sandbox is behind it, what helps is appended, in lines of their own. Returns 1, for the caller's
 * sake.
 */
int sandbox_explain(const struct options *options, int error, char *why);

/*
 * Would anybody hear the sockets that were opened? 0, or 1 with `why`. Where that cannot be found
 * out the log has a warning.
 */
int sandbox_check(const struct server *server, char *why);
