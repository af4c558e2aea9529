/* SPDX-License-Identifier: MIT */
/*
 * A small file that others wait for: it appears at once and whole.
 */
#pragma once

#include <sys/types.h>

#include "base/slice.h"

/* Replaces the one that may be there. 0 or -errno. */
int file_write(const char *path, struct slice text, mode_t mode);
