/* SPDX-License-Identifier: MIT */
/*
 * What ends a session, up to which limit it goes on, and what it leaves behind.
 */
#include "broker/session.h"

#include "broker/router.h"
#include "talk.h"
#include "test.h"

/* What was said before it is heard, what comes behind it is not. */
static void some_faults_end_a_session(void)
{
	static const struct talk talks[] = {
		{"unknown", {{0, "PING\r\nHELO\r\nPING\r\n"}}, {"PONG\r\n" UNKNOWN},
		 {FAULT_UNKNOWN_OPERATION, 0}},
		{"empty line", {{0, "PING\r\n\r\n"}}, {"PONG\r\n" UNKNOWN},
			{FAULT_UNKNOWN_OPERATION, 0}},
		{"no blank", {{0, "PUB\r\n"}}, {UNKNOWN}, {FAULT_UNKNOWN_OPERATION, 0}},
		{"HTTP", {{0, "GET / HTTP/1.1\r\n\r\n"}}, {UNKNOWN}, {FAULT_UNKNOWN_OPERATION, 0}},
		{"arguments", {{0, "PING\r\nSUB foo\r\nPING\r\n"}}, {"PONG\r\n"},
		 {FAULT_ARGUMENTS, 0}},
		{"too many", {{0, "UNSUB 1 2 3\r\n"}}, {""}, {FAULT_ARGUMENTS, 0}},
		{"a size that is none", {{0, "PUB foo -1\r\n"}}, {""}, {FAULT_ARGUMENTS, 0}},
		{"headers longer than all", {{0, HEADERS "HPUB foo 5 4\r\n"}}, {""},
			{FAULT_ARGUMENTS, 0}},
		{"client error", {{0, "PING\r\n-ERR 'no'\r\nPING\r\n"}}, {"PONG\r\n"},
		 {FAULT_CLIENT_ERROR, 0}},
		{"JSON", {{0, "CONNECT {\"verbose\":maybe}\r\nPING\r\n"}}, {""}, {FAULT_JSON, 0}},
		{"INFO's JSON", {{0, "INFO [\r\nPING\r\n"}}, {""}, {FAULT_JSON, 0}},
		{"protocol", {{0, "CONNECT {\"protocol\":2}\r\n"}},
			{"-ERR 'invalid client protocol'\r\n"},
		 {FAULT_CLIENT_PROTOCOL, 0}},
		{"account", {{0, "CONNECT {\"account\":\"x\"}\r\n"}},
			{"-ERR 'Authorization Violation'\r\n"},
		 {FAULT_AUTHORIZATION, 0}},
		{"no responders", {{0, "CONNECT {\"no_responders\":true}\r\n"}},
		 {"-ERR 'no responders requires headers support'\r\n"}, {FAULT_NO_RESPONDERS, 0}},
		{"payload's end", {{0, QUIET "SUB foo 1\r\nPUB foo 2\r\nhi\nPING\r\n"}}, {UNKNOWN},
		 {FAULT_UNKNOWN_OPERATION, 0}},
		{"payload too long", {{0, QUIET "SUB foo 1\r\nPUB foo 2\r\nhiho\r\n"}}, {UNKNOWN},
		 {FAULT_UNKNOWN_OPERATION, 0}},
		{"CR, no LF", {{0, QUIET "PUB foo 2\r\nhi\rX"}}, {UNKNOWN},
			{FAULT_UNKNOWN_OPERATION, 0}},
		{"the other one goes on", {{1, QUIET "SUB foo 1\r\n"}, {0, QUIET "SUB foo 1\r\nX"},
					   {1, "PUB foo 1\r\nx\r\n"}},
		 {UNKNOWN "MSG foo 1 1\r\nx\r\n", "MSG foo 1 1\r\nx\r\n"},
		  {FAULT_UNKNOWN_OPERATION, 0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void a_payload_may_be_as_long_as_the_limit(void)
{
	static const struct talk talks[] = {
		{"equal", {{0, HEADERS "SUB foo 1\r\nPUB foo 10\r\n0123456789\r\n"
				       "HPUB foo 5 10\r\n0123456789\r\n"}},
		 {"MSG foo 1 10\r\n0123456789\r\nHMSG foo 1 5 10\r\n0123456789\r\n"}, {0}},
		{"more", {{0, QUIET "SUB foo 1\r\nPUB foo 11\r\n"}},
		 {"-ERR 'Maximum Payload Violation'\r\n"}, {FAULT_MAX_PAYLOAD, 0}},
		{"more with headers", {{0, HEADERS "HPUB foo 2 11\r\nPING"}},
		 {"-ERR 'Maximum Payload Violation'\r\n"}, {FAULT_MAX_PAYLOAD, 0}},
	};

	set_default_limits();
	limits.max_payload = 10;
	HOLD(talks);
}

static void a_line_may_be_as_long_as_the_limit(void)
{
	static const struct talk talks[] = {
		{"equal", {{0, "SUB      0123456.89012345 1\r\n"
			"PING                                  \r\n"}},
		 {"+OK\r\nPONG\r\n"}, {0}},
		{"more", {{0, "PING\r\nSUB 0123456.890123456 1\r\nPING\r\n"}},
		 {"PONG\r\n-ERR 'maximum control line exceeded'\r\n"}, {FAULT_CONTROL_LINE, 0}},
		{"without end", {{0, "SUB 0123456.890123456 1"}},
		 {"-ERR 'maximum control line exceeded'\r\n"}, {FAULT_CONTROL_LINE, 0}},
	};

	set_default_limits();
	limits.max_control_line = 18;
	HOLD(talks);
}

static void an_unfinished_message_is_forgotten_with_its_session(void)
{
	struct talk talk = {"unfinished", {{1, QUIET "SUB foo x\r\n"},
				   {0, QUIET "PUB foo 100000\r\nabc"}},
			    {"", ""}, {0}};

	set_default_limits();
	hold_in_all_manners(&talk);
}

static void who_does_not_read_is_cut_off_and_nobody_else(void)
{
	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB foo 1\r\n"));
	feed(&peers[1], SLICE(QUIET "SUB foo 2\r\n"));
	pool.limit_bytes = 50;
	CHECK_NUMBER(say(0, "PUB foo 10\r\n0123456789\r\n", ""), SESSION_MORE);
	/* The publisher reads, the other one does not. */
	outbox_take(&peers[0].session.outbox, peers[0].session.outbox.pending_bytes);
	CHECK_NUMBER(say(0, "PUB foo 10\r\n0123456789\r\n", ""), SESSION_MORE);
	CHECK(!peers[0].session.outbox.closed);
	CHECK(peers[1].session.outbox.closed);
	CHECK(peers[1].session.outbox.overflowed);
	CHECK_NUMBER(router.out_messages, 3);
	pool.limit_bytes = NO_LIMIT;
	finish();
}

static void a_complaint_may_come_from_outside(void)
{
	set_default_limits();
	begin();
	session_ping(&peers[0].session);
	session_complain(&peers[0].session, FAULT_MAX_SUBSCRIPTIONS);
	CHECK_NUMBER(peers[0].session.fault, FAULT_NONE);
	session_complain(&peers[0].session, FAULT_STALE);
	CHECK_NUMBER(peers[0].session.fault, FAULT_STALE);
	drain();
	test_check_text(__FILE__, __LINE__, "what is heard", buf_slice(&peers[0].heard),
			SLICE("PING\r\n-ERR 'maximum subscriptions exceeded'\r\n"
			      "-ERR 'Stale Connection'\r\n"));
	/* It hears nothing any more. */
	CHECK_NUMBER(say(0, "PING\r\n", "PING\r\n"), SESSION_OVER);
	session_complain(&peers[1].session, FAULT_PENDING);
	CHECK_NUMBER(peers[1].session.fault, FAULT_PENDING);
	CHECK_NUMBER(peers[1].session.outbox.pending_bytes, 0);
	finish();
}

static void begin_with_four(void)
{
	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB foo 1\r\nSUB * 2\r\nSUB foo grp 3\r\nSUB foo 4\r\n"));
	CHECK_NUMBER(router.subscriptions, 4);
}

/* Some at a time, and from the first on it hears nothing. */
static void subscriptions_may_end_before_the_session(void)
{
	uint32_t most = 2;

	begin_with_four();
	peers[0].session.outbox.closed = true;
	CHECK(!session_end_some_subs(&peers[0].session, &most));
	CHECK_NUMBER(most, 0);
	CHECK_NUMBER(router.subscriptions, 2);
	feed(&peers[1], SLICE(QUIET "PUB foo 1\r\nx\r\n"));
	CHECK_NUMBER(peers[0].session.outbox.pending_bytes, 0);
	/* Just enough is enough. */
	most = 2;
	CHECK(session_end_some_subs(&peers[0].session, &most));
	CHECK_NUMBER(most, 0);
	CHECK_NUMBER(router.subscriptions, 0);
	CHECK_NUMBER(peers[0].session.subs.count, 0);
	feed(&peers[1], SLICE(QUIET "PUB foo 1\r\nx\r\n"));
	CHECK_NUMBER(peers[0].session.outbox.pending_bytes, 0);
	finish();
}

/* As when it changes its account. */
static void subscriptions_may_end_while_the_session_goes_on(void)
{
	uint32_t most = 2;

	begin_with_four();
	CHECK(!session_remove_some_subs(&peers[0].session, &most));
	CHECK_NUMBER(most, 0);
	CHECK_NUMBER(router.subscriptions, 2);
	most = 5;
	CHECK(session_remove_some_subs(&peers[0].session, &most));
	CHECK_NUMBER(most, 3);
	CHECK_NUMBER(router.subscriptions, 0);
	feed(&peers[0], SLICE("SUB foo 5\r\nPUB foo 1\r\nx\r\n"));
	CHECK(slice_equal(buf_slice(&peers[0].heard), SLICE("MSG foo 5 1\r\nx\r\n")));
	finish();
}

/*
 * Among so many that what a burst of UNSUBs will need is asked of memory early (session_subs.c):
 * those end that are named, and no others.
 */
static void a_burst_of_unsubs_ends_just_those(void)
{
	enum { SUBS = 5000 };
	struct buf text = {0};
	uint32_t gone = 0;

	set_default_limits();
	begin();
	buf_printf(&text, QUIET);
	for (unsigned at = 0; at < SUBS; at++)
		buf_printf(&text, "SUB %s.%u%s %u\r\n", at % 9 ? "foo" : "*", at,
			   at % 7 ? "" : " queue", at);
	/* Every third; some are not there, are to hear some more, or are written otherwise. */
	for (unsigned at = 0; at < SUBS; at += 3, gone++)
		buf_printf(&text, "%s %u\r\n%s", at % 11 ? "UNSUB" : "unsub ", at,
			   at % 5 ? "" : "UNSUB 9999\r\nUNSUB 1 7\r\nPING\r\nUNSUB x\r\n");
	feed(&peers[0], buf_slice(&text));
	CHECK(!peers[0].over);
	CHECK_NUMBER(peers[0].session.subs.count, SUBS - gone);
	CHECK_NUMBER(router.subscriptions, SUBS - gone);
	peers[0].heard.length = 0;
	feed(&peers[1], SLICE(QUIET "PUB foo.3000 1\r\na\r\nPUB foo.3001 1\r\nb\r\n"
			      "PUB foo.4302 1\r\nc\r\nPUB foo.4303 1\r\nd\r\n"));
	CHECK(slice_equal(buf_slice(&peers[0].heard),
			  SLICE("MSG foo.3001 3001 1\r\nb\r\nMSG foo.4303 4303 1\r\nd\r\n")));
	buf_fini(&text);
	finish();
}

static const struct test_case cases[] = {
	TEST_CASE(some_faults_end_a_session),
	TEST_CASE(a_payload_may_be_as_long_as_the_limit),
	TEST_CASE(a_line_may_be_as_long_as_the_limit),
	TEST_CASE(an_unfinished_message_is_forgotten_with_its_session),
	TEST_CASE(who_does_not_read_is_cut_off_and_nobody_else),
	TEST_CASE(a_complaint_may_come_from_outside),
	TEST_CASE(subscriptions_may_end_before_the_session),
	TEST_CASE(subscriptions_may_end_while_the_session_goes_on),
	TEST_CASE(a_burst_of_unsubs_ends_just_those),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
