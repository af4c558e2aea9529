/* SPDX-License-Identifier: MIT */
/*
 * Where somebody comes from, as far as one can be told from another: an IPv4 address, the first 64
 * bits of one of IPv6, which are anybody's to choose from below, or a uid of this machine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct peer;

struct place {
	uint8_t family;
	uint8_t width; /* as place_widen() made it; 0: as it was */
	uint8_t bytes[8];
};

enum { PLACE_NETWORK = 1, PLACE_FAMILY = 2 };

struct place place_of(const struct peer *peer);

/*
 * What is around it: the network, which is 16 bits of an IPv4 address and 32 of IPv6, or all that is
 * of its family. Of users each stands for himself, or for all.
 */
struct place place_widen(const struct place *place, uint8_t width);

/* This machine: its own address, or one of its users. */
bool place_is_here(const struct place *place);

static inline struct slice place_slice(const struct place *place)
{
	return (struct slice){(const char *)place, sizeof(*place)};
}
