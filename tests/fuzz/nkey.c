/* SPDX-License-Identifier: MIT */
/*
 * Keys and signatures as text, on any bytes. What is read as a key has no other spelling.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/nkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void check_key(char *text, size_t length)
{
	uint8_t key[NKEY_BYTES], other[NKEY_BYTES];

	if (!nkey_read_user((struct slice){text, length}, key))
		return;
	require(length == NKEY_LETTERS && text[0] == 'U', "a user's key has 56 letters");
	for (size_t at = 0; at < length; at++) {
		char letter = text[at];

		text[at] = letter == 'A' ? 'B' : 'A';
		require(!nkey_read_user((struct slice){text, length}, other),
			"the checksum tells one wrong letter");
		text[at] = letter;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t signature[NKEY_SIGNATURE_BYTES];
	char nonce[NKEY_NONCE];
	char *block = malloc(size + !size);

	memcpy(block, data, size);
	check_key(block, size);
	if (nkey_read_signature((struct slice){block, size}, signature))
		require(size >= 86, "64 bytes are 86 letters");
	if (size >= 11) {
		nkey_write_nonce(data, nonce);
		require(!memchr(nonce, '\0', sizeof(nonce)), "a nonce is text");
	}
	free(block);
	return 0;
}
