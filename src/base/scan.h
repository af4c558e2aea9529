/* SPDX-License-Identifier: MIT */
/*
 * Finding bytes in short texts, copying and comparing them, eight bytes at a time.
 *
 * All are on the path of every message, where a call to the C library costs more than its work.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The first byte at or after `at` that is a blank or a control byte (0x00 to 0x20); `end` if there
 * is none.
 */
static inline const char *scan_break(const char *at, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	while (end - at >= 8) {
		uint64_t word, small;

		memcpy(&word, at, 8);
		/* The high bit of each byte below 0x21; exact up to the first of them, which is
		   the one that counts. */
		small = (word - 0x2121212121212121u) & ~word & 0x8080808080808080u;
		if (small)
			return at + (__builtin_ctzll(small) >> 3);
		at += 8;
	}
#endif
	while (at < end && (unsigned char)*at > ' ')
		at++;
	return at;
}

/* The first dot at or after `at`; `end` if there is none. */
static inline const char *scan_dot(const char *at, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	while (end - at >= 8) {
		uint64_t word, zero;

		memcpy(&word, at, 8);
		word ^= 0x2e2e2e2e2e2e2e2eu;
		/* Exact up to the first, as above. */
		zero = (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
		if (zero)
			return at + (__builtin_ctzll(zero) >> 3);
		at += 8;
	}
#endif
	while (at < end && *at != '.')
		at++;
	return at;
}

/* memcpy for what is mostly short: up to 32 bytes by two copies that may overlap. */
static inline char *scan_copy(char *to, const char *from, size_t length)
{
	char *end = to + length;

	if (length > 32) {
		memcpy(to, from, length);
	} else if (length >= 16) {
		memcpy(to, from, 16);
		memcpy(end - 16, from + length - 16, 16);
	} else if (length >= 8) {
		memcpy(to, from, 8);
		memcpy(end - 8, from + length - 8, 8);
	} else if (length >= 4) {
		memcpy(to, from, 4);
		memcpy(end - 4, from + length - 4, 4);
	} else {
		while (length-- > 0)
			to[length] = from[length];
	}
	return end;
}

/* memcmp for what is mostly short and mostly equal. */
static inline bool scan_equal(const char *a, const char *b, size_t length)
{
	uint64_t left, right, differ = 0;

	if (length < 8)
		return memcmp(a, b, length) == 0;
	/* The last eight bytes may overlap those before them. */
	for (size_t at = 0; at + 8 < length; at += 8) {
		memcpy(&left, a + at, 8);
		memcpy(&right, b + at, 8);
		differ |= left ^ right;
	}
	memcpy(&left, a + length - 8, 8);
	memcpy(&right, b + length - 8, 8);
	return (differ | (left ^ right)) == 0;
}
