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

/* memcpy for what is mostly short: up to 64 bytes by copies that may overlap. */
static inline char *scan_copy(char *to, const char *from, size_t length)
{
	char *end = to + length;

	if (length > 64) {
		memcpy(to, from, length);
	} else if (length > 32) {
		memcpy(to, from, 32);
		memcpy(end - 32, from + length - 32, 32);
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

static inline uint64_t scan_difference(const char *a, const char *b)
{
	uint64_t left, right;

	memcpy(&left, a, 8);
	memcpy(&right, b, 8);
	return left ^ right;
}

/* memcmp for what is mostly short and mostly equal: up to 32 bytes by pieces that may overlap. */
static inline bool scan_equal(const char *a, const char *b, size_t length)
{
	uint64_t differ;

	if (length < 8 || length > 32)
		return memcmp(a, b, length) == 0;
	differ = scan_difference(a, b) | scan_difference(a + length - 8, b + length - 8);
	if (length > 16)
		differ |= scan_difference(a + 8, b + 8) |
			  scan_difference(a + length - 16, b + length - 16);
	return differ == 0;
}

/* A number of one to six digits and the CRLF behind it, and what it means. All zero: none yet. */
struct scan_number {
	uint64_t word; /* the text: its first bytes, the others are zero */
	uint64_t mask; /* 0xff for each byte of the text */
	uint32_t value;
	uint32_t digits;
};

/* For scan_number(), where another number stands than before. */
static inline bool scan_new_number(uint64_t word, struct scan_number *number)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t returns = word ^ 0x0d0d0d0d0d0d0d0du;
	uint64_t digits;
	unsigned bits;

	returns = (returns - 0x0101010101010101u) & ~returns & 0x0080808080808080u;
	/* The bits of the digits; a CR first, none or one too late has none, or has 56. */
	bits = returns ? (unsigned)__builtin_ctzll(returns) - 7 : 0;
	if (bits - 8 > 40 || (word >> bits >> 8 & 0xff) != '\n')
		return false;
	/* To the upper end, with zeros before them. */
	digits = (word << (64 - bits)) - (0x3030303030303030u << (64 - bits));
	if (((digits + 0x7676767676767676u) | digits) & 0x8080808080808080u)
		return false;
	/* Neighbours are put together: digits to pairs, pairs to fours, fours to the number. */
	digits = (digits * 2561) >> 8 & 0x00ff00ff00ff00ffu;
	digits = (digits * 6553601) >> 16 & 0x0000ffff0000ffffu;
	*number = (struct scan_number){
		.mask = UINT64_MAX >> (48 - bits),
		.value = (uint32_t)(digits * 42949672960001u >> 32),
		.digits = bits / 8,
	};
	number->word = word & number->mask;
	return true;
#else
	(void)word, (void)number;
	return false;
#endif
}

/*
 * Reads a number and its CRLF; eight bytes can be read at `at`. False: something else stands there,
 * or the machine cannot tell quickly; then `number` is what it was. Often it is the one that was
 * read before: then the processor can go on before it knows.
 */
static inline bool scan_number(const char *at, struct scan_number *number)
{
	uint64_t word;

	memcpy(&word, at, 8);
	if (number->digits > 0 && (word & number->mask) == number->word)
		return true;
	return scan_new_number(word, number);
}
