/* SPDX-License-Identifier: MIT */
/*
 * From authorization, accounts and no_auth_user in a configuration to users (PROTOCOL 9.4, 9.5).
 */
#pragma once

#include <stdbool.h>

struct auth;
struct config;

/* Is this key of the top read here? */
bool config_auth_reads(const char *key);

/*
 * Into an auth without users. What is wrong is in the tree's complaints. With `is_overruled` the
 * single user or token of `authorization` does not count: the command line has one. 0 or -ENOMEM.
 */
int config_auth_read(struct config *config, struct auth *auth, bool is_overruled);
