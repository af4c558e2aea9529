/* SPDX-License-Identifier: MIT */
/*
 * How often something is told that clients can cause as often as they like.
 *
 * Of each fault there are so many lines at once and then so many a second; the others are counted.
 * So nobody fills the disk, or makes the log drop what others have to say.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/fault.h"

enum { RESTRAINT_BURST = 100, RESTRAINT_EVERY_MS = 100 };

struct restraint {
	/* When the next line would come if all so far had kept to the rate. */
	uint64_t next_ms[FAULT_COUNT];
	uint64_t left_out[FAULT_COUNT]; /* and not yet told how many */
};

/* May there be a line? If not it is counted. */
bool restraint_permits(struct restraint *restraint, enum fault fault, uint64_t now_ms);

/* How many were left out since it was last asked. */
uint64_t restraint_take(struct restraint *restraint, enum fault fault);
