/* SPDX-License-Identifier: MIT */
#include "server/restraint.h"

#include "test.h"

static struct restraint restraint;

static unsigned try(enum fault fault, unsigned times, uint64_t now_ms)
{
	unsigned count = 0;

	while (times-- > 0)
		count += restraint_permits(&restraint, fault, now_ms);
	return count;
}

static void so_many_at_once_and_then_at_a_rate(void)
{
	restraint = (struct restraint){0};
	CHECK_NUMBER(try(FAULT_AUTHORIZATION, 5000, 1000), RESTRAINT_BURST);
	CHECK_NUMBER(try(FAULT_AUTHORIZATION, 5000, 1000 + 7 * RESTRAINT_EVERY_MS), 7);
	/* Peace for a while, and it is as in the beginning; but no more than that. */
	CHECK_NUMBER(try(FAULT_AUTHORIZATION, 5000, 1000000), RESTRAINT_BURST);
}

static void what_is_left_out_is_counted_once(void)
{
	restraint = (struct restraint){0};
	CHECK_NUMBER(try(FAULT_AUTHORIZATION, RESTRAINT_BURST + 3, 0), RESTRAINT_BURST);
	CHECK_NUMBER(restraint_take(&restraint, FAULT_AUTHORIZATION), 3);
	CHECK_NUMBER(restraint_take(&restraint, FAULT_AUTHORIZATION), 0);
}

static void faults_do_not_hide_each_other(void)
{
	restraint = (struct restraint){0};
	try(FAULT_UNKNOWN_OPERATION, 5000, 0);
	CHECK_NUMBER(try(FAULT_AUTHORIZATION, 2, 0), 2);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(so_many_at_once_and_then_at_a_rate),
		TEST_CASE(what_is_left_out_is_counted_once),
		TEST_CASE(faults_do_not_hide_each_other),
	};

	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
