/* SPDX-License-Identifier: MIT */
/*
 * Signatures and password hashes: OpenSSL's libcrypto and the system's libcrypt.
 *
 * Neither is linked, and no header of theirs is needed: each is loaded when a configuration asks
 * for it, so that a broker without such users has neither in its memory. What was loaded stays.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { CRYPTO_KEY_BYTES = 32, CRYPTO_SIGNATURE_BYTES = 64, CRYPTO_WHY = 256 };

struct crypto {
	void *libcrypto; /* NULL: not loaded */
	void *libcrypt;
	void *(*new_key)(int type, void *engine, const unsigned char *key, size_t length);
	void (*free_key)(void *key);
	void *(*new_context)(void);
	void (*free_context)(void *context);
	int (*begin_verify)(void *context, void **key_context, const void *digest, void *engine,
			    void *key);
	int (*verify)(void *context, const unsigned char *signature, size_t signature_length,
		      const unsigned char *text, size_t length);
	char *(*crypt_r)(const char *phrase, const char *setting, void *data);
};

/* They do nothing when it is there already. 0, or 1 with `why`. */
int crypto_load_signatures(struct crypto *crypto, char why[CRYPTO_WHY]);
int crypto_load_hashes(struct crypto *crypto, char why[CRYPTO_WHY]);

/* Ed25519. After crypto_load_signatures(); false also without memory. */
bool crypto_verify(const struct crypto *crypto, const uint8_t key[CRYPTO_KEY_BYTES],
		   const uint8_t signature[CRYPTO_SIGNATURE_BYTES], struct slice text);

/*
 * Is this the password that was hashed? After crypto_load_hashes(), from any thread; takes as long
 * as the hash says: a tenth of a second, or minutes. False also without memory.
 */
bool crypto_matches(const struct crypto *crypto, const char *password, const char *hash);
