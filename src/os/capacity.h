/* SPDX-License-Identifier: MIT */
/*
 * How much memory there is for this process.
 */
#pragma once

#include <stdint.h>

/*
 * The lowest of memory.high and memory.max of its control group and of those above it (cgroup v2).
 * Their files are looked for below `root`, which is "/". UINT64_MAX: no limit, or no such groups.
 */
uint64_t capacity_of_groups(const char *root);

/* What the machine has; UINT64_MAX: it does not say. */
uint64_t capacity_of_machine(void);
