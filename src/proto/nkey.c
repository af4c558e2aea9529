/* SPDX-License-Identifier: MIT */
#include "proto/nkey.h"

#include <stddef.h>
#include <string.h>

enum {
	PREFIX_USER = 20 << 3, /* which makes its first letter U */
	RAW_BYTES = 1 + NKEY_BYTES + 2,
};

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* CRC-16/XMODEM. */
static uint16_t checksum(const uint8_t *bytes, size_t length)
{
	uint16_t crc = 0;

	while (length-- > 0) {
		crc = (uint16_t)(crc ^ *bytes++ << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0));
	}
	return crc;
}

static int value_of(char letter, const char *letters)
{
	const char *found = letter ? strchr(letters, letter) : NULL;

	return found ? (int)(found - letters) : -1;
}

/*
 * Letters of `bits` each into bytes, as many as there is room for. Bits that fill no byte are not
 * looked at. False: another letter, or the wrong number of them.
 */
static bool decode(struct slice text, const char *letters, unsigned bits, uint8_t *to, size_t room)
{
	uint32_t held = 0;
	unsigned held_bits = 0;
	size_t filled = 0;

	for (size_t at = 0; at < text.length; at++) {
		int value = value_of(text.bytes[at], letters);

		if (value < 0)
			return false;
		held = held << bits | (uint32_t)value;
		held_bits += bits;
		if (held_bits < 8)
			continue;
		if (filled == room)
			return false;
		held_bits -= 8;
		to[filled++] = (uint8_t)(held >> held_bits);
	}
	return filled == room && held_bits < bits;
}

bool nkey_read_user(struct slice text, uint8_t key[NKEY_BYTES])
{
	static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t raw[RAW_BYTES];

	if (text.length != NKEY_LETTERS || !decode(text, base32, 5, raw, sizeof(raw)) ||
	    raw[0] != PREFIX_USER ||
	    checksum(raw, RAW_BYTES - 2) != (raw[RAW_BYTES - 2] | raw[RAW_BYTES - 1] << 8))
		return false;
	memcpy(key, raw + 1, NKEY_BYTES);
	return true;
}

/* nats-server's decoders skip line ends wherever they stand. */
static struct slice without_line_ends(struct slice text, char *room, size_t capacity)
{
	size_t length = 0;

	for (size_t at = 0; at < text.length; at++) {
		if (text.bytes[at] == '\r' || text.bytes[at] == '\n')
			continue;
		if (length == capacity)
			return (struct slice){room, 0};
		room[length++] = text.bytes[at];
	}
	return (struct slice){room, length};
}

bool nkey_read_signature(struct slice text, uint8_t signature[NKEY_SIGNATURE_BYTES])
{
	char room[(NKEY_SIGNATURE_BYTES + 2) / 3 * 4];
	struct slice letters = without_line_ends(text, room, sizeof(room));

	if (letters.length != sizeof(room))
		return decode(letters, base64url, 6, signature, NKEY_SIGNATURE_BYTES);
	if (room[sizeof(room) - 1] != '=' || room[sizeof(room) - 2] != '=')
		return false;
	letters.length -= 2;
	return decode(letters, base64, 6, signature, NKEY_SIGNATURE_BYTES);
}

void nkey_write_nonce(const uint8_t random[11], char nonce[NKEY_NONCE])
{
	for (size_t at = 0; at < NKEY_NONCE; at++) {
		size_t bit = at * 6;
		unsigned two = (unsigned)random[bit / 8] << 8;

		if (bit / 8 + 1 < 11)
			two |= random[bit / 8 + 1];
		nonce[at] = base64url[two >> (10 - bit % 8) & 63];
	}
}
