/* SPDX-License-Identifier: MIT */
/*
 * Keys and signatures as text, on any bytes, and the challenge that they are for.
 *
 * An input is three lines: a user's key, a signature, and the text that was signed; where there is
 * one line it is all three. What is read as a key has no other spelling; what is read as a
 * signature can be written again; and with the one key whose secret was ever used only the one
 * signature of the one text is good.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/crypto.h"
#include "proto/nkey.h"
#include "fuzz.h"

/* RFC 8032, 7.1, test 2: the text is one byte, 0x72. */
static const uint8_t known_key[CRYPTO_KEY_BYTES] = {
	0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a,
	0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc,
	0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c,
	0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c,
};

static const uint8_t known_signature[CRYPTO_SIGNATURE_BYTES] = {
	0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8,
	0x72, 0x0e, 0x82, 0x0b, 0x5f, 0x64, 0x25, 0x40,
	0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50, 0x3f, 0x8f,
	0xb3, 0x76, 0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda,
	0x08, 0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99, 0x6e,
	0x45, 0x8f, 0x36, 0x13, 0xd0, 0xf1, 0x1d, 0x8c,
	0x38, 0x7b, 0x2e, 0xae, 0xb4, 0x30, 0x2a, 0xee,
	0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00,
};

static bool check_key(char *text, size_t length, uint8_t key[NKEY_BYTES])
{
	uint8_t other[NKEY_BYTES];

	if (!nkey_read_user((struct slice){text, length}, key))
		return false;
	require(length == NKEY_LETTERS && text[0] == 'U', "a user's key has 56 letters");
	for (size_t at = 0; at < length; at++) {
		char letter = text[at];

		text[at] = letter == 'A' ? 'B' : 'A';
		require(!nkey_read_user((struct slice){text, length}, other),
			"the checksum tells one wrong letter");
		text[at] = letter;
	}
	return true;
}

/* The letters that the bytes are written in, one by one. */
static bool is_written(const uint8_t signature[NKEY_SIGNATURE_BYTES], struct slice text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t bit = 0;

	for (size_t at = 0; at < text.length; at++) {
		char letter = text.bytes[at];
		unsigned value = 0;

		if (letter == '\r' || letter == '\n' || letter == '=')
			continue;
		for (size_t end = bit + 6; bit < end; bit++)
			value = value << 1 | (bit / 8 < NKEY_SIGNATURE_BYTES &&
					      signature[bit / 8] >> (7 - bit % 8) & 1);
		/* Bits behind the last byte mean nothing. */
		if (bit <= 8 * NKEY_SIGNATURE_BYTES &&
		    (value < 62 ? letters[value] != letter
				: !memchr(value == 62 ? "+-" : "/_", letter, 2)))
			return false;
	}
	return bit >= 8 * NKEY_SIGNATURE_BYTES && bit < 8 * NKEY_SIGNATURE_BYTES + 6;
}

static const struct crypto *the_crypto(void)
{
	static struct crypto crypto;
	char why[CRYPTO_WHY];

	require(crypto_load_signatures(&crypto, why) == 0, "there is libcrypto");
	return &crypto;
}

static void check_challenge(const uint8_t key[NKEY_BYTES],
			    const uint8_t signature[NKEY_SIGNATURE_BYTES], struct slice text)
{
	bool is_known = memcmp(key, known_key, NKEY_BYTES) == 0;
	bool is_good = memcmp(signature, known_signature, NKEY_SIGNATURE_BYTES) == 0 &&
		       slice_equal(text, SLICE("\x72"));
	bool verified = crypto_verify(the_crypto(), key, signature, text);

	require(!is_known || verified == is_good, "only he who has the secret has signed");
}

static struct slice next_line(struct slice *rest, struct slice none)
{
	const char *end = rest->length ? memchr(rest->bytes, '\n', rest->length) : NULL;
	struct slice line = {rest->bytes, end ? (size_t)(end - rest->bytes) : rest->length};

	if (rest->length == 0)
		return none;
	*rest = slice_after(*rest, line.length + (end != NULL));
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t key[NKEY_BYTES], signature[NKEY_SIGNATURE_BYTES];
	struct slice rest = {(const char *)data, size};
	struct slice first = next_line(&rest, rest);
	struct slice second = next_line(&rest, first), third = next_line(&rest, second);
	char nonce[NKEY_NONCE];
	char *block = malloc(first.length + !first.length);
	bool has_key;

	if (first.length > 0)
		memcpy(block, first.bytes, first.length);
	has_key = check_key(block, first.length, key);
	free(block);
	if (nkey_read_signature(second, signature)) {
		require(is_written(signature, second), "a signature has its letters");
		check_challenge(has_key ? key : known_key, signature, third);
	}
	if (size >= 11) {
		nkey_write_nonce(data, nonce);
		require(!memchr(nonce, '\0', sizeof(nonce)), "a nonce is text");
	}
	return 0;
}
