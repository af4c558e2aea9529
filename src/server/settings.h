/* SPDX-License-Identifier: MIT */
/*
 * All that the admin has said: the command line, and the configuration file beneath it.
 *
 * What the command line says holds, whatever the file says. Settings do not change: a reload makes
 * others.
 */
#pragma once

#include "base/buf.h"
#include "server/config.h"
#include "server/options.h"

struct auth;

struct settings {
	struct options options; /* its texts are of argv, or kept by `config` */
	struct config config; /* without its tree */
	struct auth *auth; /* NULL: it was taken */
};

/*
 * 0, or 1 with `why`: a line for each thing that is wrong. To be freed by settings_fini() in any
 * case. argv must outlive them.
 */
int settings_read(struct settings *settings, int argc, char *const argv[], struct buf *why);
void settings_fini(struct settings *settings);

/* The same for what malloc() gave. */
void settings_free(struct settings *settings);
