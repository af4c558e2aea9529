/* SPDX-License-Identifier: MIT */
/*
 * Settings taken anew while it runs, on SIGHUP.
 *
 * Either all of them or none: a reload that is refused changes nothing. How it went is told to the
 * supervisor, to the log, and to who ordered it by --signal reload.
 */
#pragma once

struct server;

void reload_now(struct server *server);
