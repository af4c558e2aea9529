/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <errno.h>

#include "test.h"

static void an_empty_buf_owns_nothing(void)
{
	struct buf buf = {0};

	CHECK_NUMBER(buf_append(&buf, (struct slice){NULL, 0}), 0);
	CHECK_NUMBER(buf_reserve(&buf, 0), 0);
	CHECK(!buf.bytes);
	CHECK_NUMBER(buf_slice(&buf).length, 0);
	buf_fini(&buf);
	CHECK(!buf.bytes);
}

static void bytes_come_out_as_they_went_in(void)
{
	static char expected[100000];
	struct buf buf = {0};
	size_t length = 0;

	for (size_t at = 0; at < sizeof(expected); at++)
		expected[at] = (char)(at * 31 + at / 251);
	for (size_t piece = 0; length + piece <= sizeof(expected); piece++) {
		CHECK_NUMBER(buf_append(&buf, (struct slice){expected + length, piece}), 0);
		length += piece;
	}
	CHECK_NUMBER(buf.length, length);
	CHECK(buf.capacity >= buf.length);
	CHECK(slice_equal(buf_slice(&buf), (struct slice){expected, length}));
	buf_fini(&buf);
}

static void reserved_room_stays_where_it_is(void)
{
	struct buf buf = {0};
	const char *bytes;

	CHECK_NUMBER(buf_append(&buf, SLICE("begin ")), 0);
	CHECK_NUMBER(buf_reserve(&buf, 3000), 0);
	CHECK(buf.capacity - buf.length >= 3000);
	CHECK_TEXT(buf_slice(&buf), "begin ");
	bytes = buf.bytes;
	for (unsigned at = 0; at < 3000; at++)
		CHECK_NUMBER(buf_append(&buf, SLICE("x")), 0);
	CHECK(buf.bytes == bytes);
	CHECK_NUMBER(buf.length, 3006);
	buf_fini(&buf);
}

static void room_that_cannot_be_is_refused_and_nothing_changes(void)
{
	struct buf buf = {0};
	const char *bytes;
	size_t capacity;

	CHECK_NUMBER(buf_append(&buf, SLICE("kept")), 0);
	bytes = buf.bytes;
	capacity = buf.capacity;
	CHECK_NUMBER(buf_reserve(&buf, SIZE_MAX), -ENOMEM);
	CHECK_NUMBER(buf_reserve(&buf, SIZE_MAX - 3), -ENOMEM);
	CHECK_NUMBER(buf_reserve(&buf, SIZE_MAX / 2 + 1), -ENOMEM);
	CHECK_NUMBER(buf_append(&buf, (struct slice){bytes, SIZE_MAX}), -ENOMEM);
	CHECK(buf.bytes == bytes);
	CHECK_NUMBER(buf.capacity, capacity);
	CHECK_TEXT(buf_slice(&buf), "kept");
	buf_fini(&buf);
}

static void printf_goes_to_the_end(void)
{
	struct buf buf = {0};

	CHECK_NUMBER(buf_printf(&buf, "%s", ""), 0);
	CHECK_NUMBER(buf.length, 0);
	CHECK_NUMBER(buf_printf(&buf, "%s:%u", "host", 4222u), 0);
	CHECK_NUMBER(buf_append(&buf, SLICE("\0")), 0);
	CHECK_NUMBER(buf_printf(&buf, "%c\\x%02x", 'a', 7u), 0);
	CHECK_TEXT(buf_slice(&buf), "host:4222\0a\\x07");
	buf_fini(&buf);
}

/* Every length around the first allocation and its doublings, terminator included. */
static void printf_of_any_length_fits(void)
{
	for (int length = 0; length < 1100; length++) {
		struct buf buf = {0};

		CHECK_NUMBER(buf_printf(&buf, "%*s", length, length > 0 ? "e" : ""), 0);
		CHECK_NUMBER(buf.length, length);
		CHECK(length == 0 || buf.bytes[length - 1] == 'e');
		CHECK(length < 2 || buf.bytes[0] == ' ');
		buf_fini(&buf);
	}
}

static void a_finished_buf_may_be_used_again(void)
{
	struct buf buf = {0};

	CHECK_NUMBER(buf_append(&buf, SLICE("first")), 0);
	buf_fini(&buf);
	CHECK_NUMBER(buf.length, 0);
	CHECK_NUMBER(buf.capacity, 0);
	CHECK_NUMBER(buf_append(&buf, SLICE("second")), 0);
	CHECK_TEXT(buf_slice(&buf), "second");
	buf_fini(&buf);
	buf_fini(&buf);
}

static const struct test_case cases[] = {
	TEST_CASE(an_empty_buf_owns_nothing),
	TEST_CASE(bytes_come_out_as_they_went_in),
	TEST_CASE(reserved_room_stays_where_it_is),
	TEST_CASE(room_that_cannot_be_is_refused_and_nothing_changes),
	TEST_CASE(printf_goes_to_the_end),
	TEST_CASE(printf_of_any_length_fits),
	TEST_CASE(a_finished_buf_may_be_used_again),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
