/* SPDX-License-Identifier: MIT */
/*
 * Secrets from outside: words of the command line, the environment, systemd's credentials.
 *
 * What the kernel shows of a process's arguments and environment is the memory that they were put
 * into at its start. A secret is moved away from there, and its place overwritten; who reads it
 * again, or executes a program with it, finds it as before.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"

/*
 * A word of argv, of which all from `from` on is secret. The word is ours from now on, and stays
 * for good. Without memory everything stays as it is.
 */
void secret_hide_word(char **word, size_t from);

/*
 * What a configuration means by $NAME: a variable of the environment, hidden from now on, or else
 * the file of that name in $CREDENTIALS_DIRECTORY (LoadCredential=, LoadCredentialEncrypted=), less
 * one line end. 0, -ENOENT where there is neither, or -errno. Erase `out` before it is freed.
 */
int secret_variable(const char *name, struct buf *out);
