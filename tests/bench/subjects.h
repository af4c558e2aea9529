/* SPDX-License-Identifier: MIT */
/*
 * The many subscriptions of the bench, and the order in which it goes through them: the same
 * whenever and wherever it runs.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

enum { SUBJECT_ROOM = 64, SUBJECTS_MOST = 1000000 };

#define RANDOM_SEED UINT64_C(88172645463325252)

static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 11) % limit;
}

/*
 * Subscription i and a subject that it alone matches: its number s is its own, and stands scattered
 * over 40 plants of 50 lines. Every tenth has a wildcard, of four kinds in turn.
 */
static inline void subject_of(uint64_t i, char subscribed[SUBJECT_ROOM],
			      char published[SUBJECT_ROOM])
{
	unsigned s = (unsigned)(i * 7919 % SUBJECTS_MOST);
	unsigned place = (uint32_t)i * UINT32_C(2654435761) >> 8;
	unsigned plant = place % 40, line = place / 40 % 50;
	unsigned kind = i % 10 ? 0 : 1 + (unsigned)(i / 10 % 4);
	char plain[48];

	snprintf(plain, sizeof(plain), "plant%02u.line%02u.s%06u", plant, line, s);
	snprintf(published, SUBJECT_ROOM, "%s%s", plain, kind >= 3 ? ".value" : "");
	if (kind == 1)
		snprintf(subscribed, SUBJECT_ROOM, "plant%02u.*.s%06u", plant, s);
	else if (kind == 2)
		snprintf(subscribed, SUBJECT_ROOM, "*.line%02u.s%06u", line, s);
	else
		snprintf(subscribed, SUBJECT_ROOM, "%s%s", plain,
			 kind == 3 ? ".*" : kind == 4 ? ".>" : "");
}

/* Puts 0 to count - 1 in another order. */
static inline void shuffle(uint64_t *state, uint64_t *order, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t j = random_below(state, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}
