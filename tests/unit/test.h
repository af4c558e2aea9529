/* SPDX-License-Identifier: MIT */
/*
 * What a unit test needs: cases that speak TAP, and checks that say where and why they failed.
 *
 *   static void a_sid_comes_back(void) { CHECK(…); CHECK_TEXT(slice, "…"); }
 *   int main(void) { return RUN(a_sid_comes_back, …); }
 */
#pragma once

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

struct test_case {
	const char *name;
	void (*run)(void);
};

/* Failures of the case that runs. One test program is one thread. */
static unsigned test_failures;

#define CHECK(condition)                                                              \
	do {                                                                          \
		if (!(condition)) {                                                   \
			test_failures++;                                              \
			printf("# %s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		}                                                                     \
	} while (0)

#define CHECK_NUMBER(value, expected) \
	test_check_number(__FILE__, __LINE__, #value, (intmax_t)(value), (intmax_t)(expected))

/* The slice `value` holds exactly the bytes of the literal `expected`, NULs included. */
#define CHECK_TEXT(value, expected) \
	test_check_text(__FILE__, __LINE__, #value, (value), \
			(struct slice){(expected), sizeof(expected) - 1})

static inline void test_check_number(const char *file, int line, const char *what, intmax_t value,
				     intmax_t expected)
{
	if (value == expected)
		return;
	test_failures++;
	printf("# %s:%d: %s is %" PRIdMAX ", not %" PRIdMAX "\n", file, line, what, value, expected);
}

static inline void test_print(struct slice text)
{
	for (size_t at = 0; at < text.length; at++) {
		unsigned char byte = (unsigned char)text.bytes[at];

		if (byte >= ' ' && byte < 0x7f && byte != '\\')
			putchar(byte);
		else
			printf("\\x%02x", byte);
	}
}

static inline void test_check_text(const char *file, int line, const char *what,
				   struct slice value, struct slice expected)
{
	if (slice_equal(value, expected))
		return;
	test_failures++;
	printf("# %s:%d: %s is «", file, line, what);
	test_print(value);
	printf("», not «");
	test_print(expected);
	printf("»\n");
}

static inline int test_run(const struct test_case *cases, size_t count)
{
	int failed = 0;

	printf("1..%zu\n", count);
	for (size_t at = 0; at < count; at++) {
		test_failures = 0;
		cases[at].run();
		failed |= test_failures > 0;
		printf("%s %zu %s\n", test_failures ? "not ok" : "ok", at + 1, cases[at].name);
		fflush(stdout);
	}
	return failed;
}

#define TEST_CASE(function) {#function, function}
