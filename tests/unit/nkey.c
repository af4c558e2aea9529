/* SPDX-License-Identifier: MIT */
#include "proto/nkey.h"

#include "test.h"

/* RFC 8032, 7.1, test 1. */
#define KEY "UDLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRUVAL"
#define KEY_BYTES                                                         \
	"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a" \
	"\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a"
#define SIGNATURE                                                        \
	"yMW_dmyq0kcPX3pDXIg8BCs5YWPoGV62_rYbvc2XI8Q3UNF4d2sFXMV5f4N-tr0VTxd" \
	"IyWXq5GO_oCldgPc_Bw"

static void a_user_key_is_read(void)
{
	uint8_t key[NKEY_BYTES];

	CHECK(nkey_read_user(SLICE(KEY), key));
	CHECK_TEXT(((struct slice){(const char *)key, sizeof(key)}), KEY_BYTES);
}

static void keys_of_accounts_and_servers_are_none_of_users(void)
{
	uint8_t key[NKEY_BYTES];

	CHECK(!nkey_read_user(
		SLICE("ADLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRVRTU"), key));
	CHECK(!nkey_read_user(
		SLICE("NDLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRUM4A"), key));
}

static void every_wrong_letter_is_noticed(void)
{
	uint8_t key[NKEY_BYTES];
	char text[] = KEY;

	for (size_t at = 0; at < NKEY_LETTERS; at++) {
		for (int byte = 0; byte < 256; byte++) {
			text[at] = (char)byte;
			if (nkey_read_user((struct slice){text, NKEY_LETTERS}, key) !=
			    (byte == KEY[at]))
				CHECK_NUMBER(byte, at);
		}
		text[at] = KEY[at];
	}
}

static void the_length_is_right_or_it_is_no_key(void)
{
	uint8_t key[NKEY_BYTES];

	for (size_t length = 0; length < NKEY_LETTERS; length++)
		CHECK(!nkey_read_user((struct slice){KEY, length}, key));
	CHECK(!nkey_read_user(SLICE(KEY "A"), key));
	CHECK(!nkey_read_user(SLICE(KEY "="), key));
}

static bool is_signature(const char *text)
{
	uint8_t signature[NKEY_SIGNATURE_BYTES];

	return nkey_read_signature(slice_of(text), signature);
}

static void both_ways_to_write_a_signature_mean_the_same(void)
{
	uint8_t url[NKEY_SIGNATURE_BYTES], padded[NKEY_SIGNATURE_BYTES];

	CHECK(nkey_read_signature(SLICE(SIGNATURE), url));
	CHECK(nkey_read_signature(SLICE("yMW/dmyq0kcPX3pDXIg8BCs5YWPoGV62/rYbvc2XI8Q3UNF4d2sFXMV5f4N+"
					"tr0VTxdIyWXq5GO/oCldgPc/Bw=="), padded));
	CHECK(memcmp(url, padded, sizeof(url)) == 0);
	CHECK_NUMBER(url[0], 0xc8);
	CHECK_NUMBER(url[63], 0x07);
}

static void other_ways_to_write_a_signature_are_refused(void)
{
	CHECK(!is_signature(SIGNATURE "=="));
	CHECK(!is_signature("yMW/dmyq0kcPX3pDXIg8BCs5YWPoGV62/rYbvc2XI8Q3UNF4d2sFXMV5f4N+"
			    "tr0VTxdIyWXq5GO/oCldgPc/Bw"));
	CHECK(!is_signature(SIGNATURE "A"));
	CHECK(!is_signature(SIGNATURE "AAAAAAAAAAAAAAAAAA"));
	CHECK(!is_signature("yMW"));
	CHECK(!is_signature(""));
	CHECK(!is_signature("=="));
}

/* As Go's decoders have it, which nats-server uses. */
static void line_ends_in_a_signature_are_skipped(void)
{
	CHECK(is_signature(SIGNATURE "\r\n"));
	CHECK(is_signature("\n" SIGNATURE));
}

static void a_nonce_is_base64url(void)
{
	/* printf 'hello world' | basenc --base64url, without its padding */
	char nonce[NKEY_NONCE];

	nkey_write_nonce((const uint8_t *)"hello world", nonce);
	CHECK_TEXT(((struct slice){nonce, sizeof(nonce)}), "aGVsbG8gd29ybGQ");
	nkey_write_nonce((const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", nonce);
	CHECK_TEXT(((struct slice){nonce, sizeof(nonce)}), "______________8");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(a_user_key_is_read),
		TEST_CASE(keys_of_accounts_and_servers_are_none_of_users),
		TEST_CASE(every_wrong_letter_is_noticed),
		TEST_CASE(the_length_is_right_or_it_is_no_key),
		TEST_CASE(both_ways_to_write_a_signature_mean_the_same),
		TEST_CASE(other_ways_to_write_a_signature_are_refused),
		TEST_CASE(line_ends_in_a_signature_are_skipped),
		TEST_CASE(a_nonce_is_base64url),
	};

	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
