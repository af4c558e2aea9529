/* SPDX-License-Identifier: MIT */
#include "proto/utf8.h"

/* What the first byte says: how many follow, which of its bits count, the least such rune. */
static const struct {
	unsigned char mask, lead, bits;
	uint32_t least;
} forms[] = {
	{0x80, 0x00, 0x7f, 0},
	{0xe0, 0xc0, 0x1f, 0x80},
	{0xf0, 0xe0, 0x0f, 0x800},
	{0xf8, 0xf0, 0x07, 0x10000},
};

size_t utf8_read(struct slice text, uint32_t *rune)
{
	unsigned char first;
	size_t form = 0;
	uint32_t value;

	if (text.length == 0)
		return 0;
	first = (unsigned char)text.bytes[0];
	while (form < 4 && (first & forms[form].mask) != forms[form].lead)
		form++;
	if (form == 4 || text.length <= form)
		return 0;
	value = first & forms[form].bits;
	for (size_t at = 1; at <= form; at++) {
		unsigned char byte = (unsigned char)text.bytes[at];

		if ((byte & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte & 0x3f);
	}
	if (value < forms[form].least || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	*rune = value;
	return form + 1;
}

/* Controls, spaces other than U+0020, format characters, private use and non-characters. */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{0x00, 0x1f},       {0x7f, 0xa0},       {0xad, 0xad},       {0x600, 0x605},
	{0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
	{0x8e2, 0x8e2},     {0x1680, 0x1680},   {0x180e, 0x180e},   {0x2000, 0x200f},
	{0x2028, 0x202f},   {0x205f, 0x206f},   {0x3000, 0x3000},   {0xd800, 0xf8ff},
	{0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},   {0x110bd, 0x110bd},
	{0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	{0xe0000, 0xe00ff}, {0xe01f0, 0x10ffff},
};

bool utf8_is_printable(uint32_t rune)
{
	/* The last two of each plane are no characters. */
	if ((rune & 0xfffe) == 0xfffe)
		return false;
	for (size_t at = 0; at < sizeof(hidden) / sizeof(hidden[0]); at++)
		if (rune >= hidden[at].first && rune <= hidden[at].last)
			return false;
	return true;
}
