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
	uint8_t bytes[8];
};

struct place place_of(const struct peer *peer);

/* This machine: its own address, or one of its users. */
bool place_is_here(const struct place *place);

static inline struct slice place_slice(const struct place *place)
{
	return (struct slice){(const char *)place, sizeof(*place)};
}
