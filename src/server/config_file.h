/* SPDX-License-Identifier: MIT */
/*
 * Where a configuration comes from: files, and the environment.
 */
#pragma once

#include "server/config_parse.h"

extern const struct config_reader config_file_reader;

/* With a "-" before it, it may be absent. */
static inline const char *config_file_path(const char *name)
{
	return *name == '-' ? name + 1 : name;
}

/* It is absent, and may be. */
bool config_file_is_absent(const char *name);

/*
 * The file of that name into `config`, which is made, and empty if it is absent and may be. 0, or 1
 * with `why`; then it is made as well.
 */
int config_file_read(struct config *config, const char *name, struct buf *why);
