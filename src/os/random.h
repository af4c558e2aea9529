/* SPDX-License-Identifier: MIT */
/*
 * Bytes that nobody can foresee.
 */
#pragma once

#include <stddef.h>

/* 0 or -errno. */
int random_fill(void *bytes, size_t length);
