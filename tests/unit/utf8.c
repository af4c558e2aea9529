/* SPDX-License-Identifier: MIT */
#include "proto/utf8.h"

#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* A slice where only a constant will do. */
#define TEXT(literal) {(literal), sizeof(literal) - 1}

/* RFC 3629, section 3, without its exceptions: the reader is to know those. */
static size_t encode(uint32_t rune, char bytes[4])
{
	static const unsigned char leads[] = {0x00, 0xc0, 0xe0, 0xf0};
	size_t more = rune < 0x80 ? 0 : rune < 0x800 ? 1 : rune < 0x10000 ? 2 : 3;

	for (size_t at = more; at > 0; at--, rune >>= 6)
		bytes[at] = (char)(0x80 | (rune & 0x3f));
	bytes[0] = (char)(leads[more] | rune);
	return more + 1;
}

/* Reads from a block that ends where the text ends. */
static size_t read_alone(struct slice text, uint32_t *rune)
{
	char *bytes = malloc(text.length ? text.length : 1);
	size_t length;

	if (!bytes)
		abort();
	memcpy(bytes, text.bytes, text.length);
	length = utf8_read((struct slice){bytes, text.length}, rune);
	free(bytes);
	return length;
}

static bool is_surrogate(uint32_t rune)
{
	return rune >= 0xd800 && rune <= 0xdfff;
}

static void every_rune_is_read_and_no_surrogate(void)
{
	for (uint32_t rune = 0; rune <= 0x10ffff; rune++) {
		char bytes[5];
		size_t length = encode(rune, bytes);
		uint32_t found = UINT32_MAX;
		size_t taken;

		/* What follows is not its business. */
		bytes[length] = '\x80';
		taken = utf8_read((struct slice){bytes, length + 1}, &found);
		if (taken == (is_surrogate(rune) ? 0 : length) &&
		    found == (taken ? rune : UINT32_MAX))
			continue;
		printf("# rune %#x\n", rune);
		CHECK_NUMBER(taken, is_surrogate(rune) ? 0 : length);
		CHECK_NUMBER(found, taken ? rune : UINT32_MAX);
	}
}

static void a_rune_cut_short_is_none(void)
{
	static const uint32_t runes[] = {0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0x10000,
					 0x10ffff};

	for (size_t at = 0; at < COUNT(runes); at++) {
		char bytes[4];
		size_t length = encode(runes[at], bytes);
		uint32_t rune = 0;

		for (size_t part = 0; part < length; part++)
			CHECK_NUMBER(read_alone((struct slice){bytes, part}, &rune), 0);
		CHECK_NUMBER(read_alone((struct slice){bytes, length}, &rune), length);
		CHECK_NUMBER(rune, runes[at]);
	}
}

static void what_is_no_utf8_is_refused(void)
{
	static const struct slice texts[] = {
		TEXT(""),
		/* A continuation, or a byte that never occurs, in front. */
		TEXT("\x80"), TEXT("\xbf\x80"), TEXT("\xf8\x88\x80\x80\x80"),
		TEXT("\xfc\x84\x80\x80\x80\x80"), TEXT("\xfe"), TEXT("\xff\xff"),
		/* Overlong. */
		TEXT("\xc0\x80"), TEXT("\xc1\xbf"), TEXT("\xe0\x80\x80"), TEXT("\xe0\x9f\xbf"),
		TEXT("\xf0\x80\x80\x80"), TEXT("\xf0\x8f\xbf\xbf"),
		/* Surrogates. */
		TEXT("\xed\xa0\x80"), TEXT("\xed\xbf\xbf"),
		/* Above U+10FFFF. */
		TEXT("\xf4\x90\x80\x80"), TEXT("\xf5\x80\x80\x80"), TEXT("\xf7\xbf\xbf\xbf"),
		/* Something else where a continuation is due. */
		TEXT("\xc3" "a"), TEXT("\xc3\xc3"), TEXT("\xe2\x82" "a"), TEXT("\xe2" "a\xac"),
		TEXT("\xf0\x9f\x98" "a"), TEXT("\xf0\x9f" "a\x80"), TEXT("\xf0" "a\x98\x80"),
	};

	for (size_t at = 0; at < COUNT(texts); at++) {
		uint32_t rune = 0;
		size_t taken = read_alone(texts[at], &rune);

		if (taken == 0)
			continue;
		CHECK_NUMBER(taken, 0);
		printf("#   of «");
		test_print(texts[at]);
		printf("»\n");
	}
}

static void check_printable(uint32_t rune, bool expected)
{
	if (utf8_is_printable(rune) == expected)
		return;
	CHECK_NUMBER(utf8_is_printable(rune), expected);
	printf("#   of U+%04X\n", rune);
}

static void letters_marks_and_signs_are_printable(void)
{
	static const uint32_t runes[] = {
		' ', '!', '"', '\\', '~', 0xa1, 0xe9, 0xac, 0xae, 0xff, 0x301, 0x3b1, 0x5d0, 0x661,
		0x905, 0x1780, 0x1e9e, 0x2010, 0x2013, 0x2027, 0x2030, 0x20ac, 0x2192, 0x2581,
		0x3001, 0x3042, 0x4e2d, 0xac00, 0xd7a3, 0xf900, 0xfb01, 0xfe0f, 0xff01, 0xfffc,
		0xfffd, 0x10000, 0x1d11e, 0x1f600, 0x20000, 0xe0100, 0xe01ef,
	};

	for (uint32_t rune = 0x20; rune < 0x7f; rune++)
		check_printable(rune, true);
	for (size_t at = 0; at < COUNT(runes); at++)
		check_printable(runes[at], true);
}

static void controls_odd_spaces_and_private_use_are_not_printable(void)
{
	static const uint32_t runes[] = {
		0xa0, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
		0xd800, 0xdfff, 0xe000, 0xf8ff, 0xf0000, 0xffffd, 0x100000, 0x10fffd,
		0xfdd0, 0xfdef, 0xfffe, 0xffff, 0x10ffff,
	};

	for (uint32_t rune = 0; rune < 0x20; rune++)
		check_printable(rune, false);
	for (uint32_t rune = 0x7f; rune < 0xa0; rune++)
		check_printable(rune, false);
	for (size_t at = 0; at < COUNT(runes); at++)
		check_printable(runes[at], false);
}

/* One of each run of Unicode's general category Cf, and non-characters of higher planes. */
static void format_characters_and_non_characters_are_not_printable(void)
{
	static const uint32_t runes[] = {
		0xad, 0x600, 0x605, 0x61c, 0x6dd, 0x70f, 0x890, 0x891, 0x8e2, 0x180e, 0x200b,
		0x200f, 0x202a, 0x202e, 0x2060, 0x2064, 0x2066, 0x206f, 0xfeff, 0xfff9, 0xfffb,
		0x110bd, 0x110cd, 0x13430, 0x1bca0, 0x1bca3, 0x1d173, 0x1d17a, 0xe0001, 0xe0020,
		0xe007f, 0x1fffe, 0x1ffff, 0x2ffff, 0xdfffe,
	};

	for (size_t at = 0; at < COUNT(runes); at++)
		check_printable(runes[at], false);
}

static const struct test_case cases[] = {
	TEST_CASE(every_rune_is_read_and_no_surrogate),
	TEST_CASE(a_rune_cut_short_is_none),
	TEST_CASE(what_is_no_utf8_is_refused),
	TEST_CASE(letters_marks_and_signs_are_printable),
	TEST_CASE(controls_odd_spaces_and_private_use_are_not_printable),
	TEST_CASE(format_characters_and_non_characters_are_not_printable),
};

int main(void)
{
	return test_run(cases, COUNT(cases));
}
