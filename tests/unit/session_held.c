/* SPDX-License-Identifier: MIT */
/*
 * What a session holds: a large message while it arrives, its permissions as they change, what it
 * takes of memory; and what it tells its owner.
 */
#include "broker/session.h"

#include "broker/router.h"
#include "lists.h"
#include "talk.h"
#include "test.h"

enum { LARGE = 10007 };

/* Large messages, which have a place of their own while they arrive. */

static char *make_text(const char *before, size_t length, const char *behind)
{
	char *text = malloc(strlen(before) + length + strlen(behind) + 1);
	char *to = text + strlen(before);

	strcpy(text, before);
	for (size_t at = 0; at < length; at++)
		*to++ = (char)(at % 64 == 63 ? '\n' : at % 64 == 62 ? '\r' : '0' + at % 61);
	strcpy(to, behind);
	return text;
}

static void a_large_message_arrives_whole(void)
{
	char *said = make_text("PUB foo re 10007\r\n", LARGE, "\r\nPING\r\nPUB foo 2\r\nhi\r\n");
	char *heard = make_text("MSG foo x re 10007\r\n", LARGE, "\r\nMSG foo x 2\r\nhi\r\n");
	struct talk talk = {"large", {{1, QUIET "SUB foo x\r\n"}, {0, QUIET}, {0, said}},
			    {"PONG\r\n", heard}, {0}};

	set_default_limits();
	hold_in_all_manners(&talk);
	free(said);
	free(heard);
}

static void a_large_message_may_have_headers(void)
{
	char *said = make_text("HPUB foo 5000 10007\r\n", LARGE, "\r\nPING\r\n");
	char *heard = make_text("HMSG foo x 5000 10007\r\n", LARGE, "\r\n");
	char *whole = make_text("", LARGE, "\r\n");
	char *stripped = make_text("MSG foo y 5007\r\n", LARGE, "\r\nPONG\r\n");
	struct talk talk = {"large", {{1, HEADERS "SUB foo x\r\n"}, {0, HEADERS}, {0, said}},
			    {NULL, heard}, {0}};

	set_default_limits();
	strcpy(stripped + strlen("MSG foo y 5007\r\n"), whole + 5000);
	talk.heard[0] = "PONG\r\n";
	hold_in_all_manners(&talk);
	/* And a receiver that takes none of them. */
	talk.steps[0].says = QUIET "SUB foo y\r\n";
	talk.heard[1] = stripped;
	hold_in_all_manners(&talk);
	free(said);
	free(heard);
	free(whole);
	free(stripped);
}

static void a_large_message_that_is_denied_is_swallowed(void)
{
	char *said = make_text("PUB _GR_.x 10007\r\n", LARGE, "\r\nPING\r\n");
	struct talk talk = {"denied", {{1, QUIET "SUB > x\r\n"}, {0, QUIET}, {0, said}},
			    {"-ERR 'Permissions Violation for Publish to \"_GR_.x\"'\r\nPONG\r\n",
				""},
			    {0}};

	set_default_limits();
	hold_in_all_manners(&talk);
	free(said);
}

static void a_large_message_must_end_with_a_line(const char *end)
{
	char *said = make_text("PUB foo 10007\r\n", LARGE, end);
	struct talk talk = {"bad end", {{1, QUIET "SUB foo x\r\n"}, {0, QUIET}, {0, said}},
			    {UNKNOWN, ""}, {FAULT_UNKNOWN_OPERATION, 0}};

	set_default_limits();
	hold_in_all_manners(&talk);
	free(said);
}

static void the_end_of_a_large_message_is_checked(void)
{
	a_large_message_must_end_with_a_line("\nPING\r\n");
	a_large_message_must_end_with_a_line("\rX");
	a_large_message_must_end_with_a_line("X");
}

/* Right around the size from which on a message gets a place of its own. */
static void sizes_around_the_limit_of_sharing_are_alike(void)
{
	for (size_t length = OUTBOX_SHARE_BYTES - 3; length < OUTBOX_SHARE_BYTES + 3; length++) {
		char line[32];
		char *said, *heard;
		struct talk talk = {"around", {{1, QUIET "SUB foo x\r\n"}, {0, QUIET}},
				    {NULL}, {0}};

		snprintf(line, sizeof(line), "PUB foo %zu\r\n", length);
		said = make_text(line, length, "\r\n");
		snprintf(line, sizeof(line), "MSG foo x %zu\r\n", length);
		heard = make_text(line, length, "\r\n");
		talk.steps[2].says = said;
		talk.heard[1] = heard;
		set_default_limits();
		hold_in_all_manners(&talk);
		free(said);
		free(heard);
	}
}

static void a_large_message_that_is_not_permitted_is_swallowed(void)
{
	char *said = make_text("PUB b 10007\r\n", LARGE, "\r\nPING\r\n");
	struct talk talk = {"large and denied", {{1, QUIET "SUB > x\r\n"}, {0, QUIET}, {0, said}},
			    {DENIED_TO_PUBLISH("b") "PONG\r\n", ""}, {0}};

	hold_with(&(struct lists){.publish_deny = "b"}, &talk);
	free(said);
}

static void a_place_is_offered_while_a_large_message_arrives(void)
{
	set_default_limits();
	begin();
	CHECK_NUMBER(session_room(&peers[0].session).length, 0);
	feed(&peers[0], SLICE(QUIET "PUB foo 4095\r\nab"));
	CHECK_NUMBER(session_room(&peers[0].session).length, 0);
	feed(&peers[1], SLICE(QUIET "PUB foo 5000\r\nab"));
	CHECK_NUMBER(session_room(&peers[1].session).length, 5000 + 2 - 2);
	CHECK_NUMBER(peers[1].rest_length, 0);
	memset(session_room(&peers[1].session).bytes, 'x', 4999);
	CHECK_NUMBER(session_filled(&peers[1].session, 4998), SESSION_MORE);
	CHECK_NUMBER(session_room(&peers[1].session).length, 2);
	memcpy(session_room(&peers[1].session).bytes, "\r\n", 2);
	CHECK_NUMBER(session_filled(&peers[1].session, 2), SESSION_MORE);
	CHECK_NUMBER(session_room(&peers[1].session).length, 0);
	finish();
}

/* Permissions that change. */

static uint8_t take_events(size_t who)
{
	uint8_t events = peers[who].session.events;

	peers[who].session.events = 0;
	return events;
}

/* Takes what was heard and forgets it. */
static void check_told(size_t who, const char *expected)
{
	send_all();
	test_check_text(__FILE__, __LINE__, "what is told", buf_slice(&peers[who].heard),
			slice_of(expected));
	peers[who].heard.length = 0;
}

static void change_permit(size_t who, const struct lists *lists)
{
	struct permit *permit = lists ? make_permit(lists) : NULL;

	CHECK_NUMBER(session_set_permit(&peers[who].session, permit), 0);
	permit_unref(permit);
}

/* One that is removed: what the client hears of it is what the log may tell. */
static void check_removed(size_t who, const char *subject, const char *queue, const char *told)
{
	struct session *session = &peers[who].session;

	CHECK(session_remove_forbidden(session));
	CHECK_NUMBER(session->complaint, FAULT_SUBSCRIPTION_DENIED);
	CHECK_NUMBER(take_events(who), SESSION_COMPLAINED);
	test_check_text(__FILE__, __LINE__, "the subject", session_about(session),
			slice_of(subject));
	test_check_text(__FILE__, __LINE__, "the queue", session_about_queue(session),
			slice_of(queue));
	check_told(who, told);
}

static void subscriptions_that_are_not_allowed_any_more_are_removed(void)
{
	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB ok 1\r\nSUB no 2\r\n"));
	feed(&peers[1], SLICE(QUIET));
	change_permit(0, &(struct lists){.subscribe_allow = "ok"});
	check_removed(0, "no", "", DENIED_TO_SUBSCRIBE("no") " (sid \"2\")'\r\n");
	CHECK(!session_remove_forbidden(&peers[0].session));
	feed(&peers[1], SLICE("PUB no 1\r\n1\r\nPUB ok 1\r\n2\r\n"));
	check_told(0, "MSG ok 1 1\r\n2\r\n");
	/* The sid is free again. */
	feed(&peers[0], SLICE("SUB ok 2\r\nSUB no q\"q 3\r\n"));
	check_told(0, DENIED_TO_SUBSCRIBE("no") " using queue \"q\\\"q\"'\r\n");
	change_permit(0, NULL);
	CHECK(!session_remove_forbidden(&peers[0].session));
	feed(&peers[0], SLICE("SUB no q\"q s\"4\r\nUNSUB 1\r\nUNSUB 2\r\n"));
	change_permit(0, &(struct lists){.subscribe_deny = "no q*q;no q\"q"});
	check_removed(0, "no", "q\"q", DENIED_TO_SUBSCRIBE("no") " using queue \"q\\\"q\""
		      " (sid \"s\\\"4\")'\r\n");
	CHECK_NUMBER(router.subscriptions, 0);
	finish();
}

static void many_subscriptions_may_be_removed(void)
{
	char line[64];
	uint32_t removed = 0;

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET));
	for (int at = 0; at < 1000; at++) {
		snprintf(line, sizeof(line), "SUB s.%d %s %d\r\n", at, at % 3 ? "q" : "", at);
		feed(&peers[0], slice_of(line));
	}
	change_permit(0, &(struct lists){.subscribe_deny = "*.* q"});
	while (session_remove_forbidden(&peers[0].session))
		removed++;
	CHECK_NUMBER(removed, 666);
	CHECK_NUMBER(router.subscriptions, 334);
	finish();
}

/* A change is not forgotten by those that stay. */
static void a_filter_comes_and_goes_with_the_permit(void)
{
	static const char message[] = "MSG a.b 1 1\r\n1\r\n";

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB a.* 1\r\n"));
	feed(&peers[1], SLICE(QUIET "PUB a.b 1\r\n1\r\n"));
	check_told(0, message);
	change_permit(0, &(struct lists){.subscribe_deny = "a.b"});
	feed(&peers[1], SLICE("PUB a.b 1\r\n1\r\n"));
	check_told(0, "");
	change_permit(0, &(struct lists){.subscribe_deny = "a.c", .publish_deny = ">"});
	feed(&peers[1], SLICE("PUB a.b 1\r\n1\r\nPUB a.c 0\r\n\r\n"));
	check_told(0, message);
	feed(&peers[0], SLICE("PUB x 0\r\n\r\n"));
	check_told(0, DENIED_TO_PUBLISH("x"));
	/* One that forbids nothing is none. */
	change_permit(0, &(struct lists){0});
	CHECK(!peers[0].session.outbox.guard);
	feed(&peers[0], SLICE("PUB a.c 0\r\n\r\n"));
	check_told(0, "MSG a.c 1 0\r\n\r\n");
	finish();
}

/* As with each CONNECT: who has many subscriptions must not hold up others by it. */
static void the_same_permit_again_is_no_work(void)
{
	struct permit *permit = make_permit(&(struct lists){.subscribe_deny = "a.c"});
	uint64_t before;

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB a.* 1\r\nSUB b.* 2\r\nSUB c 3\r\n"));
	before = router.work;
	change_permit(0, NULL);
	CHECK_NUMBER(router.work, before);
	CHECK_NUMBER(session_set_permit(&peers[0].session, permit), 0);
	CHECK(router.work >= before + 3);
	before = router.work;
	CHECK_NUMBER(session_set_permit(&peers[0].session, permit), 0);
	CHECK_NUMBER(router.work, before);
	feed(&peers[1], SLICE(QUIET "PUB a.b 1\r\n1\r\nPUB a.c 0\r\n\r\n"));
	check_told(0, "MSG a.b 1 1\r\n1\r\n");
	before = router.work;
	change_permit(0, NULL);
	CHECK(router.work >= before + 3);
	permit_unref(permit);
	finish();
}

static void a_grant_ends_with_its_time(void)
{
	static const struct lists lists = {.allow_responses = true, .max_responses = 9,
					   .response_expiry_ms = 500};

	set_default_limits();
	begin();
	change_permit(0, &lists);
	feed(&peers[0], SLICE(QUIET "SUB svc 1\r\n"));
	feed(&peers[1], SLICE(QUIET "PUB svc r 0\r\n\r\n"));
	now_ms += 400;
	is_moving = true;
	permits[0] = make_permit(&lists);
	move();
	permit_unref(permits[0]);
	permits[0] = NULL;
	is_moving = false;
	now_ms += 100;
	feed(&peers[0], SLICE("PUB r 0\r\n\r\n"));
	check_told(0, "MSG svc 1 r 0\r\n\r\n");
	now_ms += 1;
	feed(&peers[0], SLICE("PUB r 0\r\n\r\n"));
	check_told(0, DENIED_TO_PUBLISH("r"));
	finish();
}

/* What a session tells its owner. */

/* A packet has room for twenty thousand of them. */
static void to_read_an_object_is_work(void)
{
	static const char *const lines[] = {"CONNECT {}\r\n", "INFO {}\r\n"};
	uint64_t before;

	set_default_limits();
	begin();
	for (size_t at = 0; at < 2; at++) {
		before = router.work;
		feed(&peers[0], slice_of(lines[at]));
		CHECK(router.work - before >= SESSION_WORK / 200);
	}
	finish();
}

static void events_are_told_to_the_owner(void)
{
	set_default_limits();
	begin();
	CHECK_NUMBER(say(0, "PING\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_HEARD);
	CHECK_NUMBER(say(0, "CONNECT {\"protocol\":1}\r\nPING\r\nPING\r\n", "PING\r\nPING\r\n"),
		     SESSION_WAIT);
	CHECK_NUMBER(take_events(0), SESSION_CONNECTED);
	CHECK(peers[0].session.connected);
	CHECK_NUMBER(say(0, "PING\r\nPING\r\n", "PING\r\n"), SESSION_WAIT);
	CHECK_NUMBER(take_events(0), SESSION_FIRST_PING | SESSION_HEARD);
	CHECK_NUMBER(say(0, "PING\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_HEARD);
	CHECK_NUMBER(say(0, "PONG\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_PONG);
	CHECK_NUMBER(say(0, "+OK\r\nINFO {}\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), 0);
	CHECK_NUMBER(say(0, "SUB foo 1\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_HEARD);
	CHECK_NUMBER(say(0, "PUB foo 1\r\n", "foo 1\r\n"), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_HEARD);
	/* An old client does not know what a second INFO is. */
	CHECK_NUMBER(say(1, "CONNECT {}\r\n", ""), SESSION_WAIT);
	CHECK_NUMBER(take_events(1), SESSION_CONNECTED);
	CHECK_NUMBER(say(1, "PING\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(1), SESSION_HEARD);
	finish();
}

/* What the log is to tell about complaints: each by itself, with its subject. */
static void complaints_are_told_one_by_one(void)
{
	static const struct {
		const char *said;
		const char *behind; /* the next operation, which waits */
		enum fault complaint;
		const char *about;
	} rows[] = {
		{"SUB a..b 1\r\nSUB a..c 2\r\n", "SUB a..c 2\r\n", FAULT_INVALID_SUBJECT, "a..b"},
		{"SUB a _sys_ 1\r\nPING\r\n", "PING\r\n", FAULT_SUBSCRIPTION_DENIED, "a"},
		{"SUB a.b.c.d 1\r\nPING\r\n", "PING\r\n", FAULT_TOKENS_DENIED, "a.b.c.d"},
		{"PUB a.* 2\r\nhi\r\nPING\r\n", "PING\r\n", FAULT_INVALID_PUBLISH_SUBJECT, "a.*"},
		{"PUB $NRG.a 2\r\nhi\r\nPING\r\n", "PING\r\n", FAULT_PUBLISH_DENIED, "$NRG.a"},
		{"PUB a _R_.b 2\r\nhi\r\nPING\r\n", "PING\r\n", FAULT_REPLY_DENIED, "_R_.b"},
		{"SUB a 1\r\nSUB b 2\r\nPING\r\n", "PING\r\n", FAULT_MAX_SUBSCRIPTIONS, "b"},
	};

	set_default_limits();
	limits.max_subscriptions = 1;
	limits.max_subscription_tokens = 3;
	for (size_t at = 0; at < sizeof(rows) / sizeof(rows[0]); at++) {
		struct session *session = &peers[0].session;

		begin();
		CHECK_NUMBER(say(0, rows[at].said, rows[at].behind), SESSION_WAIT);
		CHECK(take_events(0) & SESSION_COMPLAINED);
		CHECK_NUMBER(session->complaint, rows[at].complaint);
		test_check_text(__FILE__, __LINE__, rows[at].said, session_about(session),
				slice_of(rows[at].about));
		/* A complaint from elsewhere is not about that. */
		session_complain(session, FAULT_STALE);
		CHECK(!session_about(session).bytes);
		finish();
	}
	begin();
	/* Not allowed, and then no CRLF behind the payload. */
	CHECK_NUMBER(say(0, "PUB $NRG.b 2\r\nhi  ", "$NRG.b 2\r\nhi  "), SESSION_OVER);
	CHECK(take_events(0) & SESSION_COMPLAINED);
	test_check_text(__FILE__, __LINE__, "the complaint's subject",
			session_about(&peers[0].session), SLICE("$NRG.b"));
	finish();
	limits.max_payload = 2;
	begin();
	CHECK_NUMBER(say(0, "PUB too.large 3\r\n", "too.large 3\r\n"), SESSION_OVER);
	CHECK_NUMBER(peers[0].session.fault, FAULT_MAX_PAYLOAD);
	test_check_text(__FILE__, __LINE__, "a fault's subject", session_about(&peers[0].session),
			SLICE("too.large"));
	finish();
	set_default_limits();
}

static void a_hot_outbox_makes_the_publisher_wait(void)
{
	char *said = make_text("PUB foo 140000\r\n", 140000, "\r\nPING\r\n");

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET));
	feed(&peers[1], SLICE(QUIET "SUB foo 1\r\n"));
	CHECK_NUMBER(say(0, said, "PING\r\n"), SESSION_WAIT);
	CHECK(!list_is_empty(&pool.hot));
	drain();
	CHECK_NUMBER(say(0, "PING\r\n", ""), SESSION_MORE);
	finish();
	free(said);
}

/* What it takes, of memory and in the router. */

/* A thousand subscriptions of a form with one or two numbers in it. */
static void subscribe_a_thousand(const char *form)
{
	char line[128];

	for (unsigned number = 0; number < 1000; number++) {
		snprintf(line, sizeof(line), form, number, number);
		feed(&peers[0], slice_of(line));
	}
}

/* Who subscribes to this alone has all that is held; the tables, nodes and names are a part of it. */
static void all_that_subscriptions_take_is_held_against_their_client(void)
{
	static const struct {
		const char *form;
		size_t least; /* bytes each, where a pointer has 8 */
	} forms[] = {
		{"SUB foo %u\r\n", 60},
		{"SUB many.%u %u\r\n", 120},
		/* A group has a table of its own, and so has a node with another one below. */
		{"SUB foo group%u %u\r\n", 300},
		{"SUB foo.*.%u group %u\r\n", 200},
		{"SUB foo.*.%1$u group%1$u %1$u\r\n", 300},
		{"SUB %u.a.b.c.d.* %u\r\n", 5 * 140},
		{"SUB a.b.c.d.e.f.g.h.*.%u %u\r\n", 200},
	};

	for (size_t at = 0; at < sizeof(forms) / sizeof(forms[0]); at++) {
		size_t before, taken, held;

		set_default_limits();
		begin();
		feed(&peers[0], SLICE(QUIET));
		before = pool_held_bytes(&pool);
		subscribe_a_thousand(forms[at].form);
		taken = pool_held_bytes(&pool) - before;
		held = session_held_bytes(&peers[0].session);
		CHECK(taken > 1000 * forms[at].least * sizeof(void *) / 8);
		CHECK(held > taken / 10 * 8);
		CHECK(held < taken / 10 * 12);
		CHECK(session_end_some_subs(&peers[0].session, &(uint32_t){UINT32_MAX}));
		CHECK_NUMBER(pool_held_bytes(&pool), before);
		finish();
	}
}

/* What it takes of memory is counted when it comes, and in full when it goes. */
static void what_a_session_holds_is_known(void)
{
	size_t before, connected;

	set_default_limits();
	begin();
	before = pool_held_bytes(&pool);
	CHECK_NUMBER(session_held_bytes(&peers[0].session), 0);
	feed(&peers[0], SLICE(QUIET));
	connected = pool_held_bytes(&pool);
	CHECK_NUMBER(connected, before);
	feed(&peers[0], SLICE("SUB foo 1\r\nSUB foo.*.bar.> longname 2\r\n"));
	CHECK(session_held_bytes(&peers[0].session) > 300);
	CHECK(session_held_bytes(&peers[0].session) < 2000);
	CHECK(pool_held_bytes(&pool) - connected > 300);
	CHECK(pool_held_bytes(&pool) - connected < 2000);
	/* A hundred more, of which some are looked at. */
	for (unsigned sid = 100; sid < 200; sid++) {
		char line[64];

		snprintf(line, sizeof(line), "SUB many.%u %u\r\n", sid, sid);
		feed(&peers[0], slice_of(line));
	}
	CHECK(session_held_bytes(&peers[0].session) > (pool_held_bytes(&pool) - connected) / 2);
	CHECK(session_held_bytes(&peers[0].session) < (pool_held_bytes(&pool) - connected) * 2);
	CHECK(session_end_some_subs(&peers[0].session, &(uint32_t){UINT32_MAX}));
	CHECK_NUMBER(pool_held_bytes(&pool), connected);
	CHECK_NUMBER(session_held_bytes(&peers[0].session), 0);
	/* A message of which little has come has its place all the same. */
	feed(&peers[0], SLICE("PUB foo 100000\r\n0123456789"));
	CHECK(session_held_bytes(&peers[0].session) >= 100000);
	CHECK(pool_held_bytes(&pool) - connected >= 100000);
	session_give_up(&peers[0].session);
	CHECK_NUMBER(pool_held_bytes(&pool), connected);
	finish();
}

static void many_subscriptions_come_and_go(void)
{
	char line[64];

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET));
	for (int at = 0; at < 3000; at++) {
		snprintf(line, sizeof(line), "SUB s.%d.%s %d\r\n", at % 700, at & 1 ? "*" : "x",
			at);
		feed(&peers[0], slice_of(line));
	}
	CHECK_NUMBER(router.subscriptions, 3000);
	for (int at = 0; at < 3000; at += 2) {
		snprintf(line, sizeof(line), "UNSUB %d\r\n", at);
		feed(&peers[0], slice_of(line));
	}
	CHECK_NUMBER(router.subscriptions, 1500);
	CHECK_NUMBER(peers[0].session.subs.count, 1500);
	CHECK_NUMBER(router.trie.literals.count, 0);
	finish();
}

static const struct test_case cases[] = {
	TEST_CASE(a_large_message_arrives_whole),
	TEST_CASE(a_large_message_may_have_headers),
	TEST_CASE(a_large_message_that_is_denied_is_swallowed),
	TEST_CASE(the_end_of_a_large_message_is_checked),
	TEST_CASE(sizes_around_the_limit_of_sharing_are_alike),
	TEST_CASE(a_large_message_that_is_not_permitted_is_swallowed),
	TEST_CASE(a_place_is_offered_while_a_large_message_arrives),
	TEST_CASE(subscriptions_that_are_not_allowed_any_more_are_removed),
	TEST_CASE(many_subscriptions_may_be_removed),
	TEST_CASE(a_filter_comes_and_goes_with_the_permit),
	TEST_CASE(the_same_permit_again_is_no_work),
	TEST_CASE(a_grant_ends_with_its_time),
	TEST_CASE(to_read_an_object_is_work),
	TEST_CASE(events_are_told_to_the_owner),
	TEST_CASE(complaints_are_told_one_by_one),
	TEST_CASE(a_hot_outbox_makes_the_publisher_wait),
	TEST_CASE(all_that_subscriptions_take_is_held_against_their_client),
	TEST_CASE(what_a_session_holds_is_known),
	TEST_CASE(many_subscriptions_come_and_go),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
