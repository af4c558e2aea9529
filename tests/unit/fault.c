/* SPDX-License-Identifier: MIT */
#include "proto/fault.h"

#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Clients compare these words: they are nats-server's, letter by letter. */
static const struct row {
	enum fault fault;
	const char *text;
	bool ends;
} rows[] = {
	{FAULT_NONE, "", false},
	{FAULT_INVALID_SUBJECT, "Invalid Subject", false},
	{FAULT_INVALID_PUBLISH_SUBJECT, "Invalid Publish Subject", false},
	{FAULT_MAX_SUBSCRIPTIONS, "maximum subscriptions exceeded", false},
	/* The subject follows, in quotes of its own. */
	{FAULT_PUBLISH_DENIED, "Permissions Violation for Publish to ", false},
	{FAULT_REPLY_DENIED, "Permissions Violation for Publish with Reply of ", false},
	{FAULT_SUBSCRIPTION_DENIED, "Permissions Violation for Subscription to ", false},
	{FAULT_TOKENS_DENIED, "Permissions Violation for Subscription to ", false},
	{FAULT_UNKNOWN_OPERATION, "Unknown Protocol Operation", true},
	{FAULT_CONTROL_LINE, "maximum control line exceeded", true},
	{FAULT_MAX_PAYLOAD, "Maximum Payload Violation", true},
	{FAULT_CLIENT_PROTOCOL, "invalid client protocol", true},
	{FAULT_NO_RESPONDERS, "no responders requires headers support", true},
	{FAULT_AUTHORIZATION, "Authorization Violation", true},
	{FAULT_AUTHENTICATION_TIMEOUT, "Authentication Timeout", true},
	{FAULT_MAX_CONNECTIONS, "maximum connections exceeded", true},
	{FAULT_STALE, "Stale Connection", true},
	{FAULT_ARGUMENTS, "", true},
	{FAULT_JSON, "", true},
	{FAULT_NO_HEADERS, "", true},
	{FAULT_CLIENT_ERROR, "", true},
	{FAULT_CLIENT_CLOSED, "", true},
	{FAULT_PENDING, "", true},
	{FAULT_WRITE_DEADLINE, "", true},
	{FAULT_BUDGET, "", true},
	{FAULT_READ, "", true},
	{FAULT_WRITE, "", true},
	{FAULT_MEMORY, "", true},
	{FAULT_STRANGER, "", true},
	{FAULT_SHUTDOWN, "", true},
};

static void every_fault_is_in_the_table(void)
{
	CHECK_NUMBER(COUNT(rows), FAULT_COUNT);
	for (size_t at = 0; at < COUNT(rows); at++)
		CHECK_NUMBER(rows[at].fault, at);
}

static void the_words_on_the_wire_are_exact(void)
{
	for (size_t at = 0; at < COUNT(rows); at++)
		test_check_text(__FILE__, __LINE__, "the text", fault_text(rows[at].fault),
				slice_of(rows[at].text));
}

static void some_end_the_connection(void)
{
	for (size_t at = 0; at < COUNT(rows); at++)
		test_check_number(__FILE__, __LINE__, rows[at].text, fault_ends(rows[at].fault),
				  rows[at].ends);
}

static void every_fault_has_a_reason_for_the_log(void)
{
	CHECK(!fault_reason(FAULT_NONE));
	for (size_t at = 1; at < COUNT(rows); at++) {
		const char *reason = fault_reason(rows[at].fault);

		CHECK(reason && *reason);
	}
}

/* The log must tell apart what shares a reason. */
static void no_two_faults_look_alike_in_the_log(void)
{
	for (size_t one = 0; one < COUNT(rows); one++) {
		for (size_t two = one + 1; two < COUNT(rows); two++) {
			const char *a = fault_reason(rows[one].fault);
			const char *b = fault_reason(rows[two].fault);

			if (!a || !b || strcmp(a, b) != 0)
				continue;
			a = fault_detail(rows[one].fault);
			b = fault_detail(rows[two].fault);
			CHECK((a || b) && (!a || !b || strcmp(a, b) != 0));
		}
	}
}

static const struct test_case cases[] = {
	TEST_CASE(every_fault_is_in_the_table),
	TEST_CASE(the_words_on_the_wire_are_exact),
	TEST_CASE(some_end_the_connection),
	TEST_CASE(every_fault_has_a_reason_for_the_log),
	TEST_CASE(no_two_faults_look_alike_in_the_log),
};

int main(void)
{
	return test_run(cases, COUNT(cases));
}
