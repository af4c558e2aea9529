/* SPDX-License-Identifier: MIT */
#include "base/tags.h"

#include "test.h"

static void fields_come_back_in_order(void)
{
	struct tags_writer writer = {0};
	struct tags_field field;
	struct slice input;

	tags_put(&writer, 1, SLICE("one"));
	tags_put(&writer, 255, SLICE(""));
	tags_put(&writer, 1, SLICE("a\0b"));
	CHECK(!writer.failed);
	input = buf_slice(&writer.out);
	CHECK_NUMBER(tags_next(&input, &field), TAGS_FIELD);
	CHECK_NUMBER(field.tag, 1);
	CHECK_TEXT(field.value, "one");
	CHECK_NUMBER(tags_next(&input, &field), TAGS_FIELD);
	CHECK_NUMBER(field.tag, 255);
	CHECK_NUMBER(field.value.length, 0);
	CHECK_NUMBER(tags_next(&input, &field), TAGS_FIELD);
	CHECK_TEXT(field.value, "a\0b");
	CHECK_NUMBER(tags_next(&input, &field), TAGS_END);
	CHECK_NUMBER(tags_next(&input, &field), TAGS_END);
	buf_fini(&writer.out);
}

/* Another program may have written them: the bytes themselves are the promise. */
static void the_bytes_are_these(void)
{
	struct tags_writer writer = {0};
	size_t outer;

	outer = tags_begin(&writer, 7);
	tags_put_number(&writer, 1, 0x1234);
	tags_put(&writer, 2, SLICE("xyz"));
	tags_end(&writer, outer);
	CHECK_TEXT(buf_slice(&writer.out),
		   "\7\17\0\0\0" "\1\2\0\0\0\x34\x12" "\2\3\0\0\0xyz");
	CHECK(tags_checksum(buf_slice(&writer.out)) == 0x5e1f40ba704d704du);
	buf_fini(&writer.out);
}

static void numbers_of_all_sizes_come_back(void)
{
	static const uint64_t numbers[] = {1, 255, 256, 65535, 1 << 24, UINT32_MAX,
					   UINT64_C(1) << 32, UINT64_MAX};

	for (size_t at = 0; at < sizeof(numbers) / sizeof(numbers[0]); at++) {
		struct tags_writer writer = {0};
		struct tags_field field;
		struct slice input;

		tags_put_number(&writer, 3, numbers[at]);
		input = buf_slice(&writer.out);
		CHECK_NUMBER(tags_next(&input, &field), TAGS_FIELD);
		CHECK(tags_number(field.value) == numbers[at]);
		buf_fini(&writer.out);
	}
	CHECK(tags_number(SLICE("\1\0\0\0\0\0\0\0\0")) == UINT64_MAX);
}

static void zero_is_not_written(void)
{
	struct tags_writer writer = {0};

	tags_put_number(&writer, 3, 0);
	CHECK_NUMBER(writer.out.length, 0);
	CHECK(tags_number((struct slice){NULL, 0}) == 0);
	buf_fini(&writer.out);
}

/* Whatever is cut off or claims to be longer than it is, nothing behind the end is read. */
static void what_is_damaged_is_told(void)
{
	static const char bytes[] = "\1\3\0\0\0abc";

	for (size_t length = 1; length < sizeof(bytes) - 1; length++) {
		char *copy = malloc(length);
		struct slice input = {copy, length};
		struct tags_field field;

		memcpy(copy, bytes, length);
		CHECK_NUMBER(tags_next(&input, &field), TAGS_DAMAGED);
		free(copy);
	}
	for (size_t at = 1; at < 5; at++) {
		char copy[sizeof(bytes) - 1];
		struct slice input = {copy, sizeof(copy)};
		struct tags_field field;

		memcpy(copy, bytes, sizeof(copy));
		copy[at] = '\xff';
		CHECK_NUMBER(tags_next(&input, &field), TAGS_DAMAGED);
	}
}

static void the_checksum_sees_every_bit_and_every_place(void)
{
	char bytes[40];
	struct slice all = {bytes, sizeof(bytes)};
	uint64_t before;

	for (size_t at = 0; at < sizeof(bytes); at++)
		bytes[at] = (char)(at * 7);
	before = tags_checksum(all);
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		CHECK(tags_checksum(all) != before);
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t at = 0; at + 8 < sizeof(bytes); at += 8) {
		char swapped[40];

		memcpy(swapped, bytes, sizeof(bytes));
		memcpy(swapped + at, bytes + at + 8, 8);
		memcpy(swapped + at + 8, bytes + at, 8);
		CHECK(tags_checksum((struct slice){swapped, sizeof(swapped)}) != before);
	}
	for (size_t length = 0; length < sizeof(bytes); length++)
		CHECK(tags_checksum((struct slice){bytes, length}) != before);
}

static const struct test_case cases[] = {
	TEST_CASE(fields_come_back_in_order),
	TEST_CASE(the_bytes_are_these),
	TEST_CASE(numbers_of_all_sizes_come_back),
	TEST_CASE(zero_is_not_written),
	TEST_CASE(what_is_damaged_is_told),
	TEST_CASE(the_checksum_sees_every_bit_and_every_place),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
