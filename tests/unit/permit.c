/* SPDX-License-Identifier: MIT */
#include "broker/permit.h"

#include "test.h"

/* What a configuration may say. */

static void an_entry_is_a_subject_and_perhaps_a_queue(void)
{
	static const struct {
		const char *entry;
		const char *subject;
		const char *queue;
	} rows[] = {
		{"a", "a", ""},
		{"a.*.>", "a.*.>", ""},
		{"a q", "a", "q"},
		{" \t a \n  q.*.> ", "a", "q.*.>"},
		{"a ..", "a", ".."},
	};

	for (size_t at = 0; at < sizeof(rows) / sizeof(*rows); at++) {
		struct slice subject, queue;

		CHECK(permit_split(slice_of(rows[at].entry), &subject, &queue));
		CHECK(slice_equal(subject, slice_of(rows[at].subject)));
		CHECK(slice_equal(queue, slice_of(rows[at].queue)));
	}
}

static void all_else_is_none(void)
{
	static const char *const rows[] = {"", " ", "a q r", "a..b", ".a", "a.", "a.>.b", ">.a q"};

	for (size_t at = 0; at < sizeof(rows) / sizeof(*rows); at++) {
		struct slice subject, queue;

		CHECK(!permit_split(slice_of(rows[at]), &subject, &queue));
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(an_entry_is_a_subject_and_perhaps_a_queue),
		TEST_CASE(all_else_is_none),
	};

	return test_run(cases, sizeof(cases) / sizeof(*cases));
}
