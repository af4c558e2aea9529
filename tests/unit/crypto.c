/* SPDX-License-Identifier: MIT */
#include "os/crypto.h"

#include "base/secret.h"

#include "test.h"

/* RFC 8032, 7.1, test 2. */
static const uint8_t key[CRYPTO_KEY_BYTES] = {
	0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc,
	0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c,
};

static const uint8_t signature[CRYPTO_SIGNATURE_BYTES] = {
	0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8, 0x72, 0x0e, 0x82, 0x0b, 0x5f, 0x64, 0x25, 0x40,
	0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50, 0x3f, 0x8f, 0xb3, 0x76, 0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda,
	0x08, 0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99, 0x6e, 0x45, 0x8f, 0x36, 0x13, 0xd0, 0xf1, 0x1d, 0x8c,
	0x38, 0x7b, 0x2e, 0xae, 0xb4, 0x30, 0x2a, 0xee, 0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00,
};

static struct crypto crypto;

static bool maps(const char *library)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	while (file && fgets(line, sizeof(line), file))
		found |= strstr(line, library) != NULL;
	if (file)
		fclose(file);
	return found;
}

/* First of all cases: nothing was loaded before. */
static void nothing_is_there_before_it_is_asked_for(void)
{
	char why[CRYPTO_WHY] = "";

	CHECK(!maps("libcrypto.so"));
	CHECK(!maps("libcrypt.so"));
	CHECK_NUMBER(crypto_load_signatures(&crypto, why), 0);
	CHECK(!maps("libcrypt.so"));
	CHECK_NUMBER(crypto_load_hashes(&crypto, why), 0);
	CHECK_NUMBER(crypto_load_signatures(&crypto, why), 0);
	CHECK_TEXT(slice_of(why), "");
}

static void a_signature_holds_for_its_text_and_key_only(void)
{
	uint8_t other[CRYPTO_SIGNATURE_BYTES];
	uint8_t other_key[CRYPTO_KEY_BYTES];

	CHECK(crypto_verify(&crypto, key, signature, SLICE("\x72")));
	CHECK(!crypto_verify(&crypto, key, signature, SLICE("\x73")));
	CHECK(!crypto_verify(&crypto, key, signature, SLICE("")));
	for (size_t bit = 0; bit < 8 * sizeof(other); bit += 37) {
		memcpy(other, signature, sizeof(other));
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(!crypto_verify(&crypto, key, other, SLICE("\x72")));
	}
	memcpy(other_key, key, sizeof(other_key));
	other_key[0] ^= 1;
	CHECK(!crypto_verify(&crypto, other_key, signature, SLICE("\x72")));
	memset(other_key, 0xff, sizeof(other_key));
	CHECK(!crypto_verify(&crypto, other_key, signature, SLICE("\x72")));
}

static void a_password_matches_its_hash_only(void)
{
	static const char hash[] = "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW";

	CHECK(crypto_matches(&crypto, "sesame", hash));
	CHECK(!crypto_matches(&crypto, "Sesame", hash));
	CHECK(!crypto_matches(&crypto, "", hash));
	CHECK(!crypto_matches(&crypto, hash, hash));
}

static void what_is_no_hash_matches_nothing(void)
{
	CHECK(!crypto_matches(&crypto, "sesame", ""));
	CHECK(!crypto_matches(&crypto, "sesame", "*0"));
	CHECK(!crypto_matches(&crypto, "sesame", "$2b$04$"));
	CHECK(!crypto_matches(&crypto, "sesame", "$2b$99$abcdefghijklmnopqrstuu"));
	CHECK(!crypto_matches(&crypto, "*0", "*0"));
	CHECK(!crypto_matches(&crypto, "*1", "*1"));
}

static void no_more_than_72_bytes_count(void)
{
	/* 72 times "a" */
	static const char hash[] = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe";
	char password[600];

	memset(password, 'a', sizeof(password) - 1);
	password[sizeof(password) - 1] = '\0';
	CHECK(crypto_matches(&crypto, password, hash));
	password[71] = 'b';
	CHECK(!crypto_matches(&crypto, password, hash));
}

static void secrets_are_equal_or_not(void)
{
	CHECK(secret_equal(SLICE("sesame"), SLICE("sesame")));
	CHECK(secret_equal(SLICE(""), SLICE("")));
	CHECK(!secret_equal(SLICE("sesame"), SLICE("sesam")));
	CHECK(!secret_equal(SLICE("sesam"), SLICE("sesame")));
	CHECK(!secret_equal(SLICE("a"), SLICE("")));
	CHECK(!secret_equal(SLICE(""), SLICE("a")));
	CHECK(!secret_equal(SLICE("sesamf"), SLICE("sesame")));
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(nothing_is_there_before_it_is_asked_for),
		TEST_CASE(a_signature_holds_for_its_text_and_key_only),
		TEST_CASE(a_password_matches_its_hash_only),
		TEST_CASE(what_is_no_hash_matches_nothing),
		TEST_CASE(no_more_than_72_bytes_count),
		TEST_CASE(secrets_are_equal_or_not),
	};

	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
