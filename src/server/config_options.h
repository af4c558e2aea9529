/* SPDX-License-Identifier: MIT */
/*
 * From the tree of a configuration file into the options: keys, their types, and what is not there
 * (PROTOCOL 9.3).
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct config;
struct options;

/* What is wrong is in the tree's complaints. The options' texts are kept by `config`. */
void config_options_read(struct config *config, struct options *options);

/*
 * May the options be replaced by those while it runs? Else `why` names what has changed and must
 * not: "config reload not supported for KEY: old=…, new=…".
 */
bool config_options_may_change(const struct options *from, const struct options *to,
			       struct buf *why);
