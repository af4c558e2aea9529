/* SPDX-License-Identifier: MIT */
/*
 * Secrets: forgotten for certain, and compared without saying where they differ.
 */
#pragma once

#include "base/slice.h"

/* The bytes are overwritten, which no compiler leaves out. */
static inline void secret_erase(void *bytes, size_t length)
{
	if (length == 0)
		return;
	memset(bytes, 0, length);
	/* As if somebody read them here. */
	__asm__ volatile("" : : "r"(bytes) : "memory");
}

/* Takes as long as `given` is long, wherever the two differ. */
static inline bool secret_equal(struct slice given, struct slice secret)
{
	unsigned char different = given.length != secret.length;

	for (size_t at = 0; at < given.length; at++)
		different |= (unsigned char)(given.bytes[at] ^
					     (at < secret.length ? secret.bytes[at] : 0));
	return !different;
}
