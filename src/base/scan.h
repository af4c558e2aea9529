/* SPDX-License-Identifier: MIT */
/*
 * Finding white space, and copying short texts, eight bytes at a time.
 *
 * Both are on the path of every message, where a call to the C library costs more than its work.
 */
#pragma once

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
