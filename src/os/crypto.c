/* SPDX-License-Identifier: MIT */
#include "os/crypto.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

enum {
	KEY_ED25519 = 1087, /* EVP_PKEY_ED25519, of OpenSSL's interface for good */
	/* struct crypt_data, the largest there is: older glibc's. */
	CRYPT_ROOM = 132 << 10,
	PASSWORD_MOST = 72, /* bytes that bcrypt looks at */
};

/* The newest first. */
static const char *const libcrypto_names[] = {"libcrypto.so.3", "libcrypto.so.1.1",
					      "libcrypto.so", NULL};
static const char *const libcrypt_names[] = {"libcrypt.so.2", "libcrypt.so.1", "libcrypt.so",
					     NULL};

struct symbol {
	const char *name;
	void *to; /* a pointer to a function is kept there */
};

static bool find_symbols(void *library, const struct symbol *symbols, size_t count)
{
	for (size_t at = 0; at < count; at++) {
		void *found = dlsym(library, symbols[at].name);

		if (!found)
			return false;
		memcpy(symbols[at].to, &found, sizeof(found));
	}
	return true;
}

/* The first that has all of them. NULL: none has. */
static void *load(const char *const *names, const struct symbol *symbols, size_t count)
{
	for (; *names; names++) {
		void *library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);

		if (library && find_symbols(library, symbols, count))
			return library;
		if (library)
			dlclose(library);
	}
	return NULL;
}

/*
 * The first of RFC 8032. At its first use the library makes itself up, and dies where there is no
 * memory for that: better now than when clients are there.
 */
static bool knows_signatures(const struct crypto *crypto)
{
	static const uint8_t key[CRYPTO_KEY_BYTES] = {
		0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
		0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
		0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
	static const uint8_t signature[CRYPTO_SIGNATURE_BYTES] = {
		0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80,
		0x6e, 0x82, 0x8a, 0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73,
		0xe0, 0x65, 0x22, 0x49, 0x01, 0x55, 0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b,
		0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b, 0xd2, 0x5b, 0xf5, 0xf0,
		0x59, 0x5b, 0xbe, 0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b};

	return crypto_verify(crypto, key, signature, SLICE(""));
}

int crypto_load_signatures(struct crypto *crypto, char why[CRYPTO_WHY])
{
	const struct symbol symbols[] = {
		{"EVP_PKEY_new_raw_public_key", &crypto->new_key},
		{"EVP_PKEY_free", &crypto->free_key},
		{"EVP_MD_CTX_new", &crypto->new_context},
		{"EVP_MD_CTX_free", &crypto->free_context},
		{"EVP_DigestVerifyInit", &crypto->begin_verify},
		{"EVP_DigestVerify", &crypto->verify},
	};

	if (!crypto->libcrypto)
		crypto->libcrypto =
			load(libcrypto_names, symbols, sizeof(symbols) / sizeof(symbols[0]));
	if (crypto->libcrypto && knows_signatures(crypto))
		return 0;
	snprintf(why, CRYPTO_WHY, "nkeys need OpenSSL's libcrypto.so.3, which %s",
		 crypto->libcrypto ? "does not know Ed25519 here, or is out of memory" : "cannot be loaded");
	return 1;
}

/* A library may be there that knows nothing of bcrypt. The text and its hash are well known. */
static bool knows_bcrypt(const struct crypto *crypto)
{
	return crypto_matches(crypto, "U*U",
			      "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
}

int crypto_load_hashes(struct crypto *crypto, char why[CRYPTO_WHY])
{
	const struct symbol symbols[] = {{"crypt_r", &crypto->crypt_r}};

	if (!crypto->libcrypt)
		crypto->libcrypt = load(libcrypt_names, symbols, 1);
	if (crypto->libcrypt && knows_bcrypt(crypto))
		return 0;
	snprintf(why, CRYPTO_WHY, "bcrypt passwords need libxcrypt's libcrypt.so, which %s",
		 crypto->libcrypt ? "is of another kind here, or out of memory" : "cannot be loaded");
	return 1;
}

bool crypto_verify(const struct crypto *crypto, const uint8_t key[CRYPTO_KEY_BYTES],
		   const uint8_t signature[CRYPTO_SIGNATURE_BYTES], struct slice text)
{
	void *public_key = crypto->new_key(KEY_ED25519, NULL, key, CRYPTO_KEY_BYTES);
	void *context = crypto->new_context();
	bool good = public_key && context &&
		    crypto->begin_verify(context, NULL, NULL, NULL, public_key) == 1 &&
		    crypto->verify(context, signature, CRYPTO_SIGNATURE_BYTES,
				   (const unsigned char *)text.bytes, text.length) == 1;

	crypto->free_context(context);
	crypto->free_key(public_key);
	return good;
}

bool crypto_matches(const struct crypto *crypto, const char *password, const char *hash)
{
	void *data = calloc(1, CRYPT_ROOM);
	char phrase[PASSWORD_MOST + 1] = "";
	const char *result;
	bool good;

	if (!data)
		return false;
	snprintf(phrase, sizeof(phrase), "%s", password);
	result = crypto->crypt_r(phrase, hash, data);
	good = result && secret_equal(slice_of(result), slice_of(hash));
	secret_erase(phrase, sizeof(phrase));
	secret_erase(data, CRYPT_ROOM);
	free(data);
	return good;
}
