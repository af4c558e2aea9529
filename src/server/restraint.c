/* SPDX-License-Identifier: MIT */
#include "server/restraint.h"

bool restraint_permits(struct restraint *restraint, enum fault fault, uint64_t now_ms)
{
	uint64_t *next_ms = &restraint->next_ms[fault];

	if (*next_ms < now_ms)
		*next_ms = now_ms;
	if (*next_ms - now_ms >= RESTRAINT_BURST * RESTRAINT_EVERY_MS) {
		restraint->left_out[fault]++;
		return false;
	}
	*next_ms += RESTRAINT_EVERY_MS;
	return true;
}

uint64_t restraint_take(struct restraint *restraint, enum fault fault)
{
	uint64_t count = restraint->left_out[fault];

	restraint->left_out[fault] = 0;
	return count;
}
