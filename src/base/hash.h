/* SPDX-License-Identifier: MIT */
/*
 * A keyed hash of short strings.
 *
 * Clients choose subjects and sids, so the key is random for each process: without it nobody can
 * prepare strings that fall into one bucket. Eight bytes at a time are folded in by a 64x64->128
 * bit multiplication whose halves are XORed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t low = (a & 0xffffffff) * (b & 0xffffffff);
	uint64_t middle1 = (a >> 32) * (b & 0xffffffff);
	uint64_t middle2 = (a & 0xffffffff) * (b >> 32);
	uint64_t high = (a >> 32) * (b >> 32);
	uint64_t carry = ((low >> 32) + (middle1 & 0xffffffff) + (middle2 & 0xffffffff)) >> 32;

	low += (middle1 << 32) + (middle2 << 32);
	high += (middle1 >> 32) + (middle2 >> 32) + carry;
	return low ^ high;
#endif
}

/* Up to eight bytes as a number. That others may have the same one is up to the length. */
static inline uint64_t hash_short(const char *bytes, size_t length)
{
	const unsigned char *at = (const unsigned char *)bytes;
	uint32_t first, last;

	if (length >= 4) {
		memcpy(&first, at, 4);
		memcpy(&last, at + length - 4, 4);
		return first | (uint64_t)last << 32;
	}
	return length ? at[0] | (uint64_t)at[length / 2] << 8 | (uint64_t)at[length - 1] << 16 : 0;
}

static inline uint32_t hash_bytes(uint64_t key, struct slice text)
{
	const char *at = text.bytes;
	const char *last;
	/* A length-dependent state keeps "a" and "a\0" apart. */
	uint64_t state = key ^ (text.length * 0x9e3779b97f4a7c15u);
	uint64_t word;

	if (text.length <= 8) {
		word = hash_short(at, text.length);
	} else {
		last = at + text.length - 8;
		for (; at < last; at += 8) {
			memcpy(&word, at, 8);
			state = hash_fold(state ^ word, key | 1);
		}
		/* The last eight bytes may overlap those before them. */
		memcpy(&word, last, 8);
	}
	state = hash_fold(state ^ word ^ 0x2545f4914f6cdd1du, key | 1);
	return (uint32_t)(state ^ (state >> 32));
}
