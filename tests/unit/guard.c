/* SPDX-License-Identifier: MIT */
/*
 * The replies that a session may publish to: how many, how long, and what happens when there are
 * too many. What permits say is tested in permit.c, and what clients hear of it in session.c.
 */
#include "broker/guard.h"

#include "broker/router.h"
#include "lists.h"
#include "test.h"

#define RESPONSES(...) (&(struct lists){.allow_responses = true, __VA_ARGS__})

static struct pool pool;
static struct router router;
static struct guard *guard;
static uint64_t now_ms;
static uint64_t work;

static void set_permit(const struct lists *lists)
{
	struct permit *permit = make_permit(lists);

	guard_set_permit(guard, permit);
	permit_unref(permit);
}

static void begin(const struct lists *lists)
{
	static const uint64_t seeds[2] = {1, 2};

	pool_init(&pool, 1 << 20);
	router_init(&router, &pool, seeds);
	router.now_ms = &now_ms;
	now_ms = 1000;
	guard = guard_new(&router);
	set_permit(lists);
}

/* What all clients hold, of which these are no small part. */
static void check_held(void)
{
	CHECK_NUMBER(pool_held_bytes(&pool), guard->grant_bytes);
}

static void finish(void)
{
	check_held();
	guard_free(guard);
	CHECK_NUMBER(pool_held_bytes(&pool), 0);
	router_fini(&router);
	pool_fini(&pool);
}

static void ask(const char *reply)
{
	CHECK(guard_delivers(guard, SLICE("svc"), slice_of(reply), SLICE(""), &work));
}

static bool answers(const char *reply)
{
	return guard_publishes(guard, slice_of(reply), &work);
}

static void each_message_may_be_answered_once(void)
{
	begin(RESPONSES());
	CHECK(!answers("r"));
	ask("r");
	ask("s");
	ask("r");
	CHECK(answers("r"));
	CHECK(answers("s"));
	CHECK(!answers("s"));
	CHECK(answers("r"));
	CHECK(!answers("r"));
	CHECK_NUMBER(guard->grants.count, 0);
	CHECK_NUMBER(guard->grant_bytes, 0);
	finish();
}

static void a_message_without_reply_grants_nothing(void)
{
	begin(RESPONSES());
	ask("");
	CHECK_NUMBER(guard->grants.count, 0);
	finish();
}

static void what_may_be_published_anyway_is_not_granted(void)
{
	begin(RESPONSES(.publish_allow = "r.*", .publish_deny = "r.x"));
	ask("r.a");
	CHECK_NUMBER(guard->grants.count, 0);
	ask("r.x");
	CHECK_NUMBER(guard->grants.count, 1);
	CHECK(answers("r.a"));
	CHECK(answers("r.a"));
	CHECK(answers("r.x"));
	CHECK(!answers("r.x"));
	finish();
}

static void what_is_not_delivered_grants_nothing(void)
{
	begin(RESPONSES(.subscribe_deny = "svc"));
	CHECK(!guard_delivers(guard, SLICE("svc"), SLICE("r"), SLICE(""), &work));
	CHECK_NUMBER(guard->grants.count, 0);
	finish();
}

static void there_may_be_no_limit(void)
{
	begin(RESPONSES(.max_responses = -1, .response_expiry_ms = -1));
	ask("r");
	now_ms += UINT64_MAX / 2;
	for (int count = 0; count < 100; count++)
		CHECK(answers("r"));
	ask("r");
	CHECK(answers("r"));
	finish();
}

static void too_many_for_a_number_are_without_limit(void)
{
	begin(RESPONSES(.max_responses = INT64_MAX));
	ask("r");
	ask("r");
	CHECK(answers("r"));
	finish();
}

static void a_grant_has_its_time(void)
{
	begin(RESPONSES(.max_responses = 5, .response_expiry_ms = 100));
	ask("r");
	now_ms += 60;
	ask("s");
	now_ms += 40;
	CHECK(answers("r"));
	now_ms++;
	CHECK(!answers("r"));
	CHECK(answers("s"));
	/* Who is asked again has all that time again. */
	ask("s");
	now_ms += 100;
	CHECK(answers("s"));
	now_ms++;
	CHECK(!answers("s"));
	CHECK_NUMBER(guard->grants.count, 0);
	finish();
}

static void the_default_is_two_minutes(void)
{
	begin(RESPONSES());
	ask("r");
	ask("s");
	now_ms += 120000;
	CHECK(answers("r"));
	now_ms++;
	CHECK(!answers("s"));
	finish();
}

/* Nobody looks for old ones but who makes new ones. */
static void what_is_over_is_forgotten(void)
{
	begin(RESPONSES(.response_expiry_ms = 100));
	for (int at = 0; at < 1000; at++) {
		char reply[16];

		snprintf(reply, sizeof(reply), "r.%d", at);
		ask(reply);
		now_ms += 10;
	}
	CHECK(guard->grants.count <= 11);
	finish();
}

static void the_oldest_makes_room(void)
{
	char reply[1000];
	unsigned made = 0;

	begin(RESPONSES());
	memset(reply, 'x', sizeof(reply));
	ask("first");
	for (; made < 6000; made++) {
		snprintf(reply, sizeof(reply), "%u", made);
		reply[strlen(reply)] = '.';
		CHECK(guard_delivers(guard, SLICE("svc"), (struct slice){reply, sizeof(reply)},
				     SLICE(""), &work));
		CHECK(guard->grant_bytes <= GUARD_GRANT_BYTES);
	}
	CHECK(guard->grants.count > 3000);
	CHECK(guard->grant_bytes > GUARD_GRANT_BYTES / 2);
	check_held();
	CHECK(guard->grants.count < made);
	CHECK(!answers("first"));
	CHECK(guard_publishes(guard, (struct slice){reply, sizeof(reply)}, &work));
	finish();
}

static void grants_follow_the_permit(void)
{
	begin(RESPONSES(.max_responses = -1, .response_expiry_ms = 1000));
	ask("r");
	ask("s");
	now_ms += 500;
	set_permit(RESPONSES(.max_responses = 2, .response_expiry_ms = 500));
	CHECK(answers("r"));
	CHECK(answers("r"));
	CHECK(!answers("r"));
	now_ms++;
	CHECK(!answers("s"));
	ask("t");
	set_permit(RESPONSES(.max_responses = -1, .response_expiry_ms = -1));
	for (int count = 0; count < 5; count++)
		CHECK(answers("t"));
	set_permit(&(struct lists){.publish_allow = "a"});
	CHECK_NUMBER(guard->grants.count, 0);
	CHECK(!answers("t"));
	finish();
}

static void only_what_needs_it_is_watched(void)
{
	begin(&(struct lists){.subscribe_deny = "a.b;c q"});
	CHECK(guard_watches(guard, SLICE("a.*"), SLICE(""), &work));
	CHECK(guard_watches(guard, SLICE(">"), SLICE("q"), &work));
	CHECK(guard_watches(guard, SLICE("*"), SLICE("q"), &work));
	CHECK(!guard_watches(guard, SLICE("*"), SLICE(""), &work));
	CHECK(!guard_watches(guard, SLICE("a.c"), SLICE(""), &work));
	set_permit(&(struct lists){.publish_allow = "a", .subscribe_allow = "*"});
	CHECK(!guard_watches(guard, SLICE("*"), SLICE(""), &work));
	set_permit(RESPONSES());
	CHECK(guard_watches(guard, SLICE("a"), SLICE(""), &work));
	finish();
}

static void what_was_saved_goes_on(void)
{
	begin(RESPONSES(.response_expiry_ms = 100));
	now_ms = 50; /* a clock that began later than the grant */
	CHECK(guard_restore_grant(guard, SLICE("r"), 2, 90));
	CHECK(guard_restore_grant(guard, SLICE("s"), -1, 101));
	now_ms += 10;
	CHECK(answers("r"));
	CHECK(!answers("s"));
	now_ms++;
	CHECK(!answers("r"));
	finish();
}

static const struct test_case cases[] = {
	TEST_CASE(each_message_may_be_answered_once),
	TEST_CASE(a_message_without_reply_grants_nothing),
	TEST_CASE(what_may_be_published_anyway_is_not_granted),
	TEST_CASE(what_is_not_delivered_grants_nothing),
	TEST_CASE(there_may_be_no_limit),
	TEST_CASE(too_many_for_a_number_are_without_limit),
	TEST_CASE(a_grant_has_its_time),
	TEST_CASE(the_default_is_two_minutes),
	TEST_CASE(what_is_over_is_forgotten),
	TEST_CASE(the_oldest_makes_room),
	TEST_CASE(grants_follow_the_permit),
	TEST_CASE(only_what_needs_it_is_watched),
	TEST_CASE(what_was_saved_goes_on),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
