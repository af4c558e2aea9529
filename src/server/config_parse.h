/* SPDX-License-Identifier: MIT */
/*
 * The grammar of nats-server's configuration files (PROTOCOL 9.2): text in, a tree out.
 *
 * It knows no key, no file and no environment: what it includes and what a variable may be is
 * asked of a reader.
 */
#pragma once

#include "base/buf.h"
#include "server/config.h"

enum {
	CONFIG_DEPTH_MAX = 64,     /* maps and arrays, one in another */
	CONFIG_INCLUDES_MAX = 16,  /* files, one included by another */
	CONFIG_FILES_MAX = 1024,   /* and variables of the environment */
	CONFIG_BYTES_MAX = 16 << 20, /* of all files together */
};

struct config_reader {
	/* Appends the whole file. 0, or 1 with `why`, without the name. */
	int (*read)(const struct config_reader *reader, const char *path, struct buf *text,
		    struct buf *why);
	/* From outside, appended. 0, -ENOENT: there is none of that name, or -errno. */
	int (*variable)(const struct config_reader *reader, const char *name, struct buf *text);
};

/*
 * The file of that path into a tree that is initialised and empty. 0, or 1 with `why`, which begins
 * with FILE:LINE:COLUMN.
 */
int config_parse(struct config *config, const struct config_reader *reader, const char *path,
		 struct buf *why);
