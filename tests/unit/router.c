/* SPDX-License-Identifier: MIT */
#include "broker/router.h"

#include "broker/sub.h"
#include "broker/trace.h"
#include "test.h"

enum { EARS = 4, NO_LIMIT = 1 << 30 };

/* A broker without sessions: some outboxes, and what has come out of them. */
struct bench {
	struct pool pool;
	struct router router;
	struct outbox ears[EARS];
	struct buf heard[EARS];
};

static struct bench bench;

static void begin_with_limit(size_t limit)
{
	static const uint64_t seeds[2] = {0x1234567890abcdef, 42};

	memset(&bench, 0, sizeof(bench));
	pool_init(&bench.pool, limit);
	router_init(&bench.router, &bench.pool, seeds);
	for (size_t at = 0; at < EARS; at++) {
		outbox_init(&bench.ears[at], &bench.pool);
		bench.ears[at].wants_headers = true;
	}
}

static void begin(void)
{
	begin_with_limit(NO_LIMIT);
}

static void finish(void)
{
	CHECK(bench.router.expired == NULL);
	CHECK_NUMBER(bench.router.subscriptions, 0);
	CHECK_NUMBER(bench.router.queues.count, 0);
	CHECK_NUMBER(bench.router.trie.literals.count, 0);
	CHECK(bench.router.trie.root == NULL);
	router_fini(&bench.router);
	for (size_t at = 0; at < EARS; at++) {
		outbox_fini(&bench.ears[at]);
		buf_fini(&bench.heard[at]);
	}
	pool_fini(&bench.pool);
}

/* All that has come to an ear since the last time. Lives until the next time. */
static struct slice hear(size_t ear)
{
	struct outbox *outbox = &bench.ears[ear];
	struct buf *heard = &bench.heard[ear];
	struct slice slices[8];
	size_t count;

	heard->length = 0;
	while ((count = outbox_peek(outbox, slices, 8)) > 0) {
		size_t length = 0;

		for (size_t at = 0; at < count; at++) {
			CHECK_NUMBER(buf_append(heard, slices[at]), 0);
			length += slices[at].length;
		}
		outbox_take(outbox, length);
	}
	return buf_slice(heard);
}

#define HEARS(ear, text) \
	test_check_text(__FILE__, __LINE__, "ear " #ear " hears", hear(ear), SLICE(text))

static struct sub *subscribe(size_t ear, const char *sid, const char *subject, const char *queue,
			     int expected)
{
	struct sub *sub = sub_new(&bench.router.trie.slab, &bench.ears[ear], slice_of(sid));

	CHECK_NUMBER(router_subscribe(&bench.router, sub, slice_of(subject), slice_of(queue)),
		     expected);
	return sub;
}

static void unsubscribe(struct sub *sub, int expected)
{
	CHECK_NUMBER(router_unsubscribe(&bench.router, sub), expected);
	sub_free(&bench.router.trie.slab, sub);
}

/* `body` is without the CRLF behind it. */
static uint64_t publish_message(struct message message, struct slice body)
{
	char *copy = malloc(body.length + 2);
	uint64_t count;

	/* Borrowed for the call only: a later use would be seen. */
	if (body.length > 0)
		memcpy(copy, body.bytes, body.length);
	memcpy(copy + body.length, "\r\n", 2);
	message.body = (struct slice){copy, body.length + 2};
	count = router_publish(&bench.router, &message);
	memset(copy, '?', body.length + 2);
	free(copy);
	return count;
}

static uint64_t publish(const char *subject, const char *reply, const char *body)
{
	struct message message = {.subject = slice_of(subject), .reply = slice_of(reply)};

	return publish_message(message, slice_of(body));
}

static void nobody_hears_what_nobody_wants(void)
{
	begin();
	CHECK_NUMBER(publish("foo", "", "hi"), 0);
	HEARS(0, "");
	CHECK_NUMBER(bench.router.in_messages, 1);
	CHECK_NUMBER(bench.router.out_messages, 0);
	CHECK_NUMBER(bench.pool.spare_bytes, 0);
	finish();
}

static void each_plain_subscription_gets_its_own_copy(void)
{
	struct sub *subs[4];

	begin();
	subs[0] = subscribe(0, "1", "foo.bar", "", TRIE_FIRST);
	subs[1] = subscribe(1, "one-more", "foo.bar", "", TRIE_OK);
	subs[2] = subscribe(2, "x", "foo.*", "", TRIE_FIRST);
	subs[3] = subscribe(3, "y", "foo.baz", "", TRIE_FIRST);
	CHECK_NUMBER(bench.router.subscriptions, 4);
	CHECK_NUMBER(publish("foo.bar", "", "hi"), 3);
	HEARS(0, "MSG foo.bar 1 2\r\nhi\r\n");
	HEARS(1, "MSG foo.bar one-more 2\r\nhi\r\n");
	HEARS(2, "MSG foo.bar x 2\r\nhi\r\n");
	HEARS(3, "");
	CHECK_NUMBER(publish("foo.baz", "re.ply", ""), 2);
	HEARS(2, "MSG foo.baz x re.ply 0\r\n\r\n");
	HEARS(3, "MSG foo.baz y re.ply 0\r\n\r\n");
	CHECK_NUMBER(bench.router.out_messages, 5);
	unsubscribe(subs[0], TRIE_OK);
	unsubscribe(subs[1], TRIE_LAST);
	CHECK_NUMBER(publish("foo.bar", "", "hi"), 1);
	HEARS(0, "");
	unsubscribe(subs[2], TRIE_LAST);
	unsubscribe(subs[3], TRIE_LAST);
	finish();
}

static void two_subscriptions_of_one_client_are_two_messages(void)
{
	struct sub *subs[2];

	begin();
	subs[0] = subscribe(0, "7", "foo", "", TRIE_FIRST);
	subs[1] = subscribe(0, "7", "foo", "", TRIE_OK);
	CHECK_NUMBER(publish("foo", "", "hi"), 2);
	HEARS(0, "MSG foo 7 2\r\nhi\r\nMSG foo 7 2\r\nhi\r\n");
	unsubscribe(subs[0], TRIE_OK);
	unsubscribe(subs[1], TRIE_LAST);
	finish();
}

static void the_publisher_may_be_left_out(void)
{
	struct message message = {.except = &bench.ears[0], .subject = SLICE("foo")};
	struct sub *subs[2];

	begin();
	subs[0] = subscribe(0, "1", "foo", "", TRIE_FIRST);
	subs[1] = subscribe(1, "1", "foo", "", TRIE_OK);
	CHECK_NUMBER(publish_message(message, SLICE("hi")), 1);
	HEARS(0, "");
	HEARS(1, "MSG foo 1 2\r\nhi\r\n");
	unsubscribe(subs[0], TRIE_OK);
	unsubscribe(subs[1], TRIE_LAST);
	finish();
}

/* A line for all may be handed in with its end; what is in it goes out as it came. */
static void a_tail_is_taken_as_it_stands(void)
{
	static const char text[] = "re 002\r\nhi\r\n";
	struct message message = {
		.subject = SLICE("foo"), .reply = SLICE("re"), .tail = {text, 8},
		.body = {text + 8, 4}};
	struct sub *sub;

	begin();
	sub = subscribe(0, "1", "foo", "", TRIE_FIRST);
	/* The body behind it in memory, as it stands in a publisher's bytes, and elsewhere. */
	CHECK_NUMBER(router_publish(&bench.router, &message), 1);
	HEARS(0, "MSG foo 1 re 002\r\nhi\r\n");
	message.body = SLICE("ho\r\n");
	CHECK_NUMBER(router_publish(&bench.router, &message), 1);
	HEARS(0, "MSG foo 1 re 002\r\nho\r\n");
	message.tail.length = 0;
	CHECK_NUMBER(router_publish(&bench.router, &message), 1);
	HEARS(0, "MSG foo 1 re 2\r\nho\r\n");
	unsubscribe(sub, TRIE_LAST);
	finish();
}

static void headers_are_cut_off_for_who_wants_none(void)
{
	struct message message = {.subject = SLICE("foo"), .reply = SLICE("re"),
				  .header_length = 12};
	struct sub *subs[3];

	begin();
	bench.ears[1].wants_headers = false;
	bench.ears[2].wants_headers = false;
	subs[0] = subscribe(0, "1", "foo", "", TRIE_FIRST);
	subs[1] = subscribe(1, "2", "foo", "", TRIE_OK);
	subs[2] = subscribe(2, "3", "foo", "", TRIE_OK);
	CHECK_NUMBER(publish_message(message, SLICE("NATS/1.0\r\n\r\nhi")), 3);
	HEARS(0, "HMSG foo 1 re 12 14\r\nNATS/1.0\r\n\r\nhi\r\n");
	HEARS(1, "MSG foo 2 re 2\r\nhi\r\n");
	HEARS(2, "MSG foo 3 re 2\r\nhi\r\n");
	message.tail = SLICE("re 012 012\r\n");
	CHECK_NUMBER(publish_message(message, SLICE("NATS/1.0\r\n\r\n")), 3);
	HEARS(0, "HMSG foo 1 re 012 012\r\nNATS/1.0\r\n\r\n\r\n");
	HEARS(1, "MSG foo 2 re 0\r\n\r\n");
	HEARS(2, "MSG foo 3 re 0\r\n\r\n");
	unsubscribe(subs[0], TRIE_OK);
	unsubscribe(subs[1], TRIE_OK);
	unsubscribe(subs[2], TRIE_LAST);
	finish();
}

/* All ears hear of it, the second half without headers. */
static void check_large(struct slice got, const char *line, struct slice body)
{
	size_t length = strlen(line);

	CHECK_NUMBER(got.length, length + body.length + 2);
	if (got.length != length + body.length + 2)
		return;
	CHECK(memcmp(got.bytes, line, length) == 0);
	CHECK(memcmp(got.bytes + length, body.bytes, body.length) == 0);
	CHECK(memcmp(got.bytes + length + body.length, "\r\n", 2) == 0);
}

static void a_large_body_is_shared(struct payload *given)
{
	enum { LENGTH = 100000 };
	struct message message = {.subject = SLICE("foo"), .header_length = 500};
	struct slice body = {malloc(LENGTH + 2), LENGTH};
	char *bytes = (char *)(uintptr_t)body.bytes;
	struct sub *subs[EARS];
	struct slice slices[4];
	const char *place;

	for (size_t at = 0; at < LENGTH; at++)
		bytes[at] = (char)(at * 31 % 251);
	memcpy(bytes + LENGTH, "\r\n", 2);
	for (size_t at = 0; at < EARS; at++) {
		bench.ears[at].wants_headers = at < EARS / 2;
		subs[at] = subscribe(at, "1", "foo", "", at ? TRIE_OK : TRIE_FIRST);
	}
	message.body = (struct slice){bytes, LENGTH + 2};
	if (given) {
		memcpy(given->bytes + 10, bytes, LENGTH + 2);
		message.body.bytes = given->bytes + 10;
		message.payload = given;
	}
	CHECK_NUMBER(router_publish(&bench.router, &message), EARS);
	if (given)
		CHECK_NUMBER(given->refs, 1 + EARS);
	/* One place in memory for all. */
	CHECK_NUMBER(outbox_peek(&bench.ears[0], slices, 4), 2);
	place = slices[1].bytes;
	CHECK(place != bytes);
	for (size_t at = 1; at < EARS; at++) {
		CHECK_NUMBER(outbox_peek(&bench.ears[at], slices, 4), 2);
		CHECK(slices[1].bytes == place + (at < EARS / 2 ? 0 : 500));
	}
	memset(bytes + LENGTH, '?', 2);
	check_large(hear(0), "HMSG foo 1 500 100000\r\n", body);
	check_large(hear(1), "HMSG foo 1 500 100000\r\n", body);
	check_large(hear(2), "MSG foo 1 99500\r\n", slice_after(body, 500));
	check_large(hear(3), "MSG foo 1 99500\r\n", slice_after(body, 500));
	if (given)
		CHECK_NUMBER(given->refs, 1);
	else
		CHECK(bench.pool.spare_bytes >= LENGTH);
	for (size_t at = 0; at < EARS; at++)
		unsubscribe(subs[at], at + 1 < EARS ? TRIE_OK : TRIE_LAST);
	free(bytes);
}

static void a_large_body_is_copied_once_for_all(void)
{
	begin();
	a_large_body_is_shared(NULL);
	finish();
}

static void a_body_with_a_place_of_its_own_is_not_copied(void)
{
	struct payload *payload;

	begin();
	payload = pool_take_payload(&bench.pool, 200000);
	a_large_body_is_shared(payload);
	CHECK_NUMBER(payload->refs, 1);
	pool_release_payload(&bench.pool, payload);
	finish();
}

/* Nobody can take it: the reference that was taken for the delivery goes back. */
static void a_shared_body_is_let_go_where_nobody_can_take_it(void)
{
	struct message message = {.subject = SLICE("foo")};
	struct payload *payload;
	struct sub *sub;

	begin_with_limit(1000);
	payload = pool_take_payload(&bench.pool, 5000);
	memset(payload->bytes, 'x', 5000);
	message.body = (struct slice){payload->bytes, 5000};
	message.payload = payload;
	sub = subscribe(0, "1", "foo", "", TRIE_FIRST);
	CHECK_NUMBER(router_publish(&bench.router, &message), 0);
	CHECK(bench.ears[0].overflowed);
	CHECK_NUMBER(payload->refs, 1);
	message.payload = NULL;
	outbox_fini(&bench.ears[0]);
	outbox_init(&bench.ears[0], &bench.pool);
	CHECK_NUMBER(router_publish(&bench.router, &message), 0);
	pool_release_payload(&bench.pool, payload);
	CHECK_NUMBER(bench.router.out_messages, 0);
	unsubscribe(sub, TRIE_LAST);
	finish();
}

/* Queue groups. */

static void one_member_of_a_group_gets_it(void)
{
	struct sub *subs[EARS];

	begin();
	for (size_t at = 0; at < EARS; at++)
		subs[at] = subscribe(at, "1", "foo", "grp", at ? TRIE_OK : TRIE_FIRST);
	CHECK_NUMBER(bench.router.queues.count, 1);
	for (size_t round = 0; round < 50; round++) {
		size_t got = 0;

		CHECK_NUMBER(publish("foo", "", "hi"), 1);
		for (size_t at = 0; at < EARS; at++)
			got += hear(at).length > 0;
		CHECK_NUMBER(got, 1);
	}
	for (size_t at = 0; at < EARS; at++)
		unsubscribe(subs[at], at + 1 < EARS ? TRIE_OK : TRIE_LAST);
	finish();
}

static void groups_and_plain_subscriptions_do_not_mind_each_other(void)
{
	struct sub *subs[4];

	begin();
	subs[0] = subscribe(0, "1", "foo", "", TRIE_FIRST);
	subs[1] = subscribe(1, "1", "foo", "a", TRIE_FIRST);
	subs[2] = subscribe(2, "1", "foo", "b", TRIE_FIRST);
	subs[3] = subscribe(3, "1", "*", "a.b", TRIE_FIRST);
	CHECK_NUMBER(bench.router.queues.count, 3);
	CHECK_NUMBER(publish("foo", "", "hi"), 4);
	for (size_t at = 0; at < 4; at++) {
		struct slice slice = hear(at);

		CHECK_TEXT(slice, "MSG foo 1 2\r\nhi\r\n");
	}
	for (size_t at = 0; at < 4; at++)
		unsubscribe(subs[at], TRIE_LAST);
	finish();
}

/* Of one group, whatever its members matched by, each gets about the same. */
static void a_group_is_one_pool_across_wildcards(void)
{
	enum { MESSAGES = 10000 };
	static const char *const subjects[EARS] = {"q.*", "q.*", "q.>", "q.a"};
	unsigned counts[EARS] = {0};
	struct sub *subs[EARS];

	begin();
	subs[0] = subscribe(0, "1", subjects[0], "grp", TRIE_FIRST);
	subs[1] = subscribe(1, "1", subjects[1], "grp", TRIE_OK);
	subs[2] = subscribe(2, "1", subjects[2], "grp", TRIE_FIRST);
	subs[3] = subscribe(3, "1", subjects[3], "grp", TRIE_FIRST);
	CHECK_NUMBER(bench.router.queues.count, 1);
	for (size_t round = 0; round < MESSAGES; round++) {
		CHECK_NUMBER(publish("q.a", "", "hi"), 1);
		for (size_t at = 0; at < EARS; at++)
			counts[at] += hear(at).length > 0;
	}
	CHECK_NUMBER(counts[0] + counts[1] + counts[2] + counts[3], MESSAGES);
	/* Some nine standard deviations on either side. */
	for (size_t at = 0; at < EARS; at++)
		CHECK(counts[at] > MESSAGES / 4 - 400 && counts[at] < MESSAGES / 4 + 400);
	CHECK_NUMBER(publish("q.b", "", "hi"), 1);
	CHECK_NUMBER(hear(3).length, 0);
	unsubscribe(subs[0], TRIE_OK);
	for (size_t at = 1; at < EARS; at++)
		unsubscribe(subs[at], TRIE_LAST);
	finish();
}

static void who_cannot_take_it_is_skipped(void)
{
	struct message message = {.except = &bench.ears[1], .subject = SLICE("foo")};
	struct sub *subs[EARS];

	begin();
	subs[0] = subscribe(0, "1", "foo", "grp", TRIE_FIRST);
	subs[1] = subscribe(1, "1", "*", "grp", TRIE_FIRST);
	subs[2] = subscribe(2, "1", "*", "grp", TRIE_OK);
	subs[3] = subscribe(3, "1", ">", "grp", TRIE_FIRST);
	bench.ears[0].closed = true;
	bench.ears[3].closed = true;
	/* Whoever is drawn, the same one gets it. */
	for (size_t round = 0; round < 50; round++) {
		CHECK_NUMBER(publish_message(message, SLICE("hi")), 1);
		HEARS(2, "MSG foo 1 2\r\nhi\r\n");
	}
	bench.ears[2].closed = true;
	CHECK_NUMBER(publish_message(message, SLICE("hi")), 0);
	for (size_t at = 0; at < EARS; at++) {
		CHECK_NUMBER(hear(at).length, 0);
		unsubscribe(subs[at], at == 1 ? TRIE_OK : TRIE_LAST);
	}
	finish();
}

/* The next message starts its count anew: nothing is left of the last one's pool. */
static void a_pool_is_counted_for_each_message(void)
{
	struct sub *subs[3];

	begin();
	subs[0] = subscribe(0, "1", "foo", "grp", TRIE_FIRST);
	subs[1] = subscribe(1, "1", "bar", "grp", TRIE_FIRST);
	subs[2] = subscribe(2, "1", "foo", "grp", TRIE_OK);
	for (size_t round = 0; round < 50; round++) {
		CHECK_NUMBER(publish("foo", "", "hi"), 1);
		CHECK_NUMBER(hear(1).length, 0);
		CHECK_NUMBER(publish("bar", "", "hi"), 1);
		CHECK_NUMBER(hear(0).length > 0, hear(2).length == 0);
		HEARS(1, "MSG bar 1 2\r\nhi\r\n");
	}
	unsubscribe(subs[0], TRIE_OK);
	unsubscribe(subs[1], TRIE_LAST);
	unsubscribe(subs[2], TRIE_LAST);
	finish();
}

/* What the session layer does with them. */
static size_t remove_expired(void)
{
	size_t count = 0;

	for (; bench.router.expired; count++) {
		struct sub *sub = bench.router.expired;

		bench.router.expired = sub->next_expired;
		router_unsubscribe(&bench.router, sub);
		sub_free(&bench.router.trie.slab, sub);
	}
	return count;
}

static void the_last_message_of_a_subscription_is_told(void)
{
	struct sub *subs[3];

	begin();
	subs[0] = subscribe(0, "1", "foo", "", TRIE_FIRST);
	subs[0]->max = 2;
	subs[1] = subscribe(1, "1", "*", "", TRIE_FIRST);
	subs[1]->max = 2;
	subs[2] = subscribe(2, "1", "foo", "", TRIE_OK);
	CHECK_NUMBER(publish("foo", "", "1"), 3);
	CHECK_NUMBER(remove_expired(), 0);
	CHECK_NUMBER(subs[0]->delivered, 1);
	CHECK_NUMBER(publish("foo", "", "2"), 3);
	CHECK_NUMBER(remove_expired(), 2);
	CHECK_NUMBER(publish("foo", "", "3"), 1);
	CHECK_NUMBER(remove_expired(), 0);
	HEARS(0, "MSG foo 1 1\r\n1\r\nMSG foo 1 1\r\n2\r\n");
	HEARS(1, "MSG foo 1 1\r\n1\r\nMSG foo 1 1\r\n2\r\n");
	CHECK_NUMBER(subs[2]->delivered, 3);
	unsubscribe(subs[2], TRIE_LAST);
	finish();
}

static void what_was_not_delivered_does_not_count(void)
{
	struct message message = {.except = &bench.ears[0], .subject = SLICE("foo")};
	struct sub *sub;

	begin();
	sub = subscribe(0, "1", "foo", "", TRIE_FIRST);
	sub->max = 1;
	CHECK_NUMBER(publish_message(message, SLICE("hi")), 0);
	CHECK_NUMBER(sub->delivered, 0);
	CHECK_NUMBER(remove_expired(), 0);
	CHECK_NUMBER(publish("foo", "", "hi"), 1);
	CHECK_NUMBER(remove_expired(), 1);
	finish();
}

/* The answers of patterns are remembered by subject; no change may leave a stale one. */
static void a_change_of_patterns_is_heard_of_at_once(void)
{
	struct sub *first, *second, *third;

	begin();
	first = subscribe(0, "1", "foo.*", "", TRIE_FIRST);
	for (size_t round = 0; round < 3; round++) {
		CHECK_NUMBER(publish("foo.bar", "", "hi"), 1);
		CHECK_NUMBER(publish("foo", "", "hi"), 0);
		second = subscribe(1, "1", "foo.>", "", TRIE_FIRST);
		CHECK_NUMBER(publish("foo.bar", "", "hi"), 2);
		third = subscribe(2, "1", "foo.>", "", TRIE_OK);
		CHECK_NUMBER(publish("foo.bar", "", "hi"), 3);
		unsubscribe(second, TRIE_OK);
		CHECK_NUMBER(publish("foo.bar", "", "hi"), 2);
		unsubscribe(third, TRIE_LAST);
		CHECK_NUMBER(publish("foo.bar", "", "hi"), 1);
	}
	/* The patterns go altogether, and come back. */
	unsubscribe(first, TRIE_LAST);
	CHECK_NUMBER(publish("foo.bar", "", "hi"), 0);
	first = subscribe(0, "1", "*.bar", "", TRIE_FIRST);
	CHECK_NUMBER(publish("foo.bar", "", "hi"), 1);
	unsubscribe(first, TRIE_LAST);
	finish();
}

/* More subjects, longer ones, and more answers than are remembered. */
static void what_is_not_remembered_is_found_all_the_same(void)
{
	enum { PATTERNS = 40 };
	struct sub *subs[PATTERNS];
	char subject[300];

	begin();
	for (size_t at = 0; at < PATTERNS; at++) {
		snprintf(subject, sizeof(subject), "%zu", at);
		subs[at] = subscribe(at % EARS, "1", ">", subject, TRIE_FIRST);
	}
	for (size_t round = 0; round < 2; round++) {
		for (size_t at = 0; at < 500; at++) {
			snprintf(subject, sizeof(subject), "a.%zu.%0*d", at, (int)(at % 250 + 1),
				 0);
			CHECK_NUMBER(publish(subject, "", "hi"), PATTERNS);
		}
	}
	for (size_t at = 1; at < PATTERNS; at++)
		unsubscribe(subs[at], TRIE_LAST);
	for (size_t round = 0; round < 2; round++)
		for (size_t at = 0; at < 500; at++) {
			snprintf(subject, sizeof(subject), "a.%zu.%0*d", at, (int)(at % 250 + 1),
				 0);
			CHECK_NUMBER(publish(subject, "", "hi"), 1);
		}
	unsubscribe(subs[0], TRIE_LAST);
	finish();
}

static void an_own_plain_subscription_is_found(void)
{
	struct sub *plain, *queued, *other;

	begin();
	CHECK(router_find_own(&bench.router, SLICE("re.1"), &bench.ears[0]) == NULL);
	queued = subscribe(0, "1", "re.*", "grp", TRIE_FIRST);
	other = subscribe(1, "2", "re.1", "", TRIE_FIRST);
	CHECK(router_find_own(&bench.router, SLICE("re.1"), &bench.ears[0]) == NULL);
	plain = subscribe(0, "3", "re.>", "", TRIE_FIRST);
	CHECK(router_find_own(&bench.router, SLICE("re.1"), &bench.ears[0]) == plain);
	CHECK(router_find_own(&bench.router, SLICE("re"), &bench.ears[0]) == NULL);
	CHECK(router_find_own(&bench.router, SLICE("re..1"), &bench.ears[0]) == NULL);
	CHECK(router_find_own(&bench.router, SLICE("re.1"), &bench.ears[1]) == other);
	CHECK(router_find_own(&bench.router, SLICE("re.1"), &bench.ears[2]) == NULL);
	unsubscribe(plain, TRIE_LAST);
	CHECK(router_find_own(&bench.router, SLICE("re.1"), &bench.ears[0]) == NULL);
	unsubscribe(queued, TRIE_LAST);
	unsubscribe(other, TRIE_LAST);
	finish();
}

static void a_subject_with_an_empty_token_reaches_nobody(void)
{
	struct sub *sub;

	begin();
	sub = subscribe(0, "1", ">", "", TRIE_FIRST);
	CHECK_NUMBER(publish("foo..bar", "", "hi"), 0);
	CHECK_NUMBER(publish(".", "", "hi"), 0);
	CHECK_NUMBER(publish("foo.", "", "hi"), 0);
	CHECK_NUMBER(publish("foo", "a..b", "hi"), 1);
	HEARS(0, "MSG foo 1 a..b 2\r\nhi\r\n");
	unsubscribe(sub, TRIE_LAST);
	finish();
}

/* A line is longer than any chunk, since subject and sid come from different clients. */
static void a_line_may_outgrow_every_chunk(void)
{
	enum { LENGTH = 40000 };
	char *subject = malloc(LENGTH + 1), *sid = malloc(LENGTH + 1);
	struct slice slice;
	struct sub *sub;

	memset(subject, 's', LENGTH);
	memset(sid, 'i', LENGTH);
	subject[LENGTH] = sid[LENGTH] = '\0';
	begin();
	sub = subscribe(0, sid, subject, "", TRIE_FIRST);
	CHECK_NUMBER(publish(subject, "", "hi"), 1);
	slice = hear(0);
	CHECK_NUMBER(slice.length, 4 + LENGTH + 1 + LENGTH + 4 + 5 - 1);
	slice = slice_after(slice, slice.length - 10);
	CHECK_TEXT(slice, "ii 2\r\nhi\r\n");
	unsubscribe(sub, TRIE_LAST);
	finish();
	free(subject);
	free(sid);
}

static char traced[128];

static void on_line(struct trace *trace, struct outbox *whose, enum trace_way way,
		    struct slice verb, struct slice text)
{
	size_t length = strlen(traced);

	(void)trace;
	snprintf(traced + length, sizeof(traced) - length, "%d %d %.*s[%.*s]\n",
		 (int)(whose - bench.ears), way, (int)verb.length, verb.bytes, (int)text.length,
		 text.bytes);
}

static void a_watcher_sees_each_delivery(void)
{
	struct trace trace = {.line = on_line};
	struct message message = {.subject = SLICE("foo"), .reply = SLICE("re"),
				  .header_length = 12};
	struct sub *subs[2];
	struct slice slice;

	begin();
	traced[0] = '\0';
	bench.router.trace = &trace;
	bench.ears[1].wants_headers = false;
	subs[0] = subscribe(0, "1", "foo", "", TRIE_FIRST);
	subs[1] = subscribe(1, "2", "foo", "", TRIE_OK);
	CHECK_NUMBER(publish_message(message, SLICE("NATS/1.0\r\n\r\nhi")), 2);
	slice = slice_of(traced);
	CHECK_TEXT(slice, "0 1 HMSG[foo 1 re 12 14]\n1 1 MSG[foo 2 re 2]\n");
	unsubscribe(subs[0], TRIE_OK);
	unsubscribe(subs[1], TRIE_LAST);
	finish();
}

/* Ears that hear the same words: one copy, in which each has its place. */
static void neighbours_with_the_same_sid_share_one_copy(void)
{
	struct sub *subs[3];
	const struct payload *payload;

	begin();
	for (size_t at = 0; at < 3; at++)
		subs[at] = subscribe(at, at < 2 ? "7" : "8", "foo", "", at ? TRIE_OK : TRIE_FIRST);
	CHECK_NUMBER(publish("foo", "", "one"), 3);
	CHECK_NUMBER(publish("foo", "re", "two"), 3);
	payload = bench.ears[0].first->payload;
	CHECK(payload && payload == bench.ears[1].first->payload);
	CHECK(bench.ears[0].first == bench.ears[0].last);
	CHECK_NUMBER(payload->refs, 3);
	CHECK(!bench.ears[2].first->payload);
	router_rest(&bench.router);
	CHECK_NUMBER(payload->refs, 2);
	CHECK_NUMBER(publish("foo", "", "three"), 3);
	HEARS(0, "MSG foo 7 3\r\none\r\nMSG foo 7 re 3\r\ntwo\r\nMSG foo 7 5\r\nthree\r\n");
	HEARS(1, "MSG foo 7 3\r\none\r\nMSG foo 7 re 3\r\ntwo\r\nMSG foo 7 5\r\nthree\r\n");
	HEARS(2, "MSG foo 8 3\r\none\r\nMSG foo 8 re 3\r\ntwo\r\nMSG foo 8 5\r\nthree\r\n");
	for (size_t at = 0; at < 3; at++)
		unsubscribe(subs[at], at < 2 ? TRIE_OK : TRIE_LAST);
	finish();
}

/* More messages than one payload holds, and more sids than there are casts. */
static void many_ears_hear_all_of_many_messages(void)
{
	enum { MESSAGES = 300, SIDS = ROUTER_CASTS + 2 };
	static char body[1000];
	struct sub *subs[EARS];
	struct buf expected = {0};

	begin();
	memset(body, 'x', sizeof(body) - 1);
	for (size_t at = 0; at < EARS; at++) {
		char sid[12];

		snprintf(sid, sizeof(sid), "s%zu", at / 2 % SIDS);
		subs[at] = subscribe(at, sid, "foo", "", at ? TRIE_OK : TRIE_FIRST);
	}
	for (int count = 0; count < MESSAGES; count++)
		CHECK_NUMBER(publish("foo", "", body), EARS);
	for (size_t at = 0; at < EARS; at++) {
		expected.length = 0;
		for (int count = 0; count < MESSAGES; count++)
			buf_printf(&expected, "MSG foo s%zu 999\r\n%s\r\n", at / 2 % SIDS, body);
		CHECK(slice_equal(hear(at), buf_slice(&expected)));
	}
	for (size_t at = 0; at < EARS; at++)
		unsubscribe(subs[at], at + 1 < EARS ? TRIE_OK : TRIE_LAST);
	buf_fini(&expected);
	finish();
}

static size_t memory_of(const struct outbox *outbox)
{
	size_t bytes = 0;

	for (const struct chunk *chunk = outbox->first; chunk; chunk = chunk->next)
		bytes += sizeof(*chunk) + chunk->capacity + CHUNK_SLACK;
	return bytes;
}

/* All have the same two subscriptions, and messages to both take turns. */
static void many_short_messages_take_little_memory(void)
{
	enum { MESSAGES = 4000 };
	struct buf expected = {0};
	struct sub *subs[2 * EARS];

	begin();
	for (size_t at = 0; at < EARS; at++) {
		subs[at] = subscribe(at, "1", "foo", "", at ? TRIE_OK : TRIE_FIRST);
		subs[EARS + at] = subscribe(at, "2", "bar", "", at ? TRIE_OK : TRIE_FIRST);
	}
	for (int count = 0; count < MESSAGES; count++) {
		CHECK_NUMBER(publish("foo", "", "hi"), EARS);
		CHECK_NUMBER(publish("bar", "", "ho"), EARS);
		buf_printf(&expected, "MSG foo 1 2\r\nhi\r\nMSG bar 2 2\r\nho\r\n");
	}
	for (size_t at = 0; at < EARS; at++) {
		CHECK(memory_of(&bench.ears[at]) < 4 * expected.length);
		CHECK(slice_equal(hear(at), buf_slice(&expected)));
	}
	for (size_t at = 0; at < 2 * EARS; at++)
		unsubscribe(subs[at], (at + 1) % EARS ? TRIE_OK : TRIE_LAST);
	buf_fini(&expected);
	finish();
}

/* More patterns match than a memo holds: they are looked up once for each message, not twice. */
static void what_cannot_be_remembered_is_looked_up_once(void)
{
	static const char *const queues[MEMO_PATTERNS + 1] = {"a", "b", "c", "d", "e",
							      "f", "g", "h", "i"};
	struct sub *subs[MEMO_PATTERNS + 1];
	uint64_t before, first;

	begin();
	for (size_t at = 0; at <= MEMO_PATTERNS; at++)
		subs[at] = subscribe(0, "1", "foo.*", queues[at], TRIE_FIRST);
	before = bench.router.work;
	CHECK_NUMBER(publish("foo.bar", "", ""), MEMO_PATTERNS + 1);
	first = bench.router.work - before;
	for (int count = 0; count < 3; count++) {
		before = bench.router.work;
		CHECK_NUMBER(publish("foo.bar", "", ""), MEMO_PATTERNS + 1);
		CHECK_NUMBER(bench.router.work - before, first);
		CHECK(!bench.router.memos.recent);
	}
	hear(0);
	for (size_t at = 0; at <= MEMO_PATTERNS; at++)
		unsubscribe(subs[at], TRIE_LAST);
	finish();
}

/* A memo that another subject took over, or that is stale, is not believed. */
static void what_is_remembered_is_not_believed_when_it_changed(void)
{
	struct message message = {.subject = SLICE("foo.bar")};
	struct sub *literal, *pattern, *group;

	begin();
	literal = subscribe(0, "1", "foo.bar", "", TRIE_FIRST);
	for (int count = 0; count < 3; count++)
		CHECK_NUMBER(publish("foo.bar", "", ""), 1);
	message.memo = bench.router.memos.recent;
	CHECK(message.memo && memo_is_fresh(message.memo, &bench.router.trie));
	pattern = subscribe(1, "1", "foo.*", "", TRIE_FIRST);
	CHECK(!memo_is_fresh(message.memo, &bench.router.trie));
	CHECK_NUMBER(publish_message(message, SLICE("")), 2);
	group = subscribe(2, "1", "foo.bar", "q", TRIE_FIRST);
	CHECK(!memo_is_fresh(message.memo, &bench.router.trie));
	CHECK_NUMBER(publish_message(message, SLICE("")), 3);
	CHECK_NUMBER(router_repeat(&bench.router, message.memo, SLICE("0\r\n\r\n"), NULL), 3);
	CHECK_NUMBER(router_repeat(&bench.router, message.memo, SLICE("0\r\n\r\n"), &bench.ears[0]),
		     2);
	unsubscribe(literal, TRIE_LAST);
	CHECK_NUMBER(publish_message(message, SLICE("")), 2);
	unsubscribe(pattern, TRIE_LAST);
	unsubscribe(group, TRIE_LAST);
	CHECK_NUMBER(publish_message(message, SLICE("")), 0);
	finish();
}

/* Whoever is passed over took time as well: others should have their turn (session.h). */
static void who_is_passed_over_costs_work(void)
{
	enum { MANY = 100 };
	struct message message = {.except = &bench.ears[0], .subject = SLICE("foo")};
	struct sub *plain[MANY], *queued[MANY];
	uint64_t before;

	begin();
	for (size_t at = 0; at < MANY; at++) {
		plain[at] = subscribe(0, "1", "foo", "", at ? TRIE_OK : TRIE_FIRST);
		queued[at] = subscribe(0, "2", "foo", "q", at ? TRIE_OK : TRIE_FIRST);
	}
	CHECK_NUMBER(publish_message(message, SLICE("hi")), 0);
	CHECK(bench.router.work >= 2 * MANY);
	before = bench.router.work;
	CHECK(router_find_own(&bench.router, SLICE("foo"), &bench.ears[1]) == NULL);
	CHECK(bench.router.work - before >= MANY);
	for (size_t at = 0; at < MANY; at++) {
		unsubscribe(plain[at], at + 1 < MANY ? TRIE_OK : TRIE_LAST);
		unsubscribe(queued[at], at + 1 < MANY ? TRIE_OK : TRIE_LAST);
	}
	finish();
}

static const struct test_case cases[] = {
	TEST_CASE(neighbours_with_the_same_sid_share_one_copy),
	TEST_CASE(many_ears_hear_all_of_many_messages),
	TEST_CASE(many_short_messages_take_little_memory),
	TEST_CASE(what_is_remembered_is_not_believed_when_it_changed),
	TEST_CASE(what_cannot_be_remembered_is_looked_up_once),
	TEST_CASE(nobody_hears_what_nobody_wants),
	TEST_CASE(each_plain_subscription_gets_its_own_copy),
	TEST_CASE(two_subscriptions_of_one_client_are_two_messages),
	TEST_CASE(the_publisher_may_be_left_out),
	TEST_CASE(who_is_passed_over_costs_work),
	TEST_CASE(a_tail_is_taken_as_it_stands),
	TEST_CASE(headers_are_cut_off_for_who_wants_none),
	TEST_CASE(a_large_body_is_copied_once_for_all),
	TEST_CASE(a_body_with_a_place_of_its_own_is_not_copied),
	TEST_CASE(a_shared_body_is_let_go_where_nobody_can_take_it),
	TEST_CASE(one_member_of_a_group_gets_it),
	TEST_CASE(groups_and_plain_subscriptions_do_not_mind_each_other),
	TEST_CASE(a_group_is_one_pool_across_wildcards),
	TEST_CASE(who_cannot_take_it_is_skipped),
	TEST_CASE(a_pool_is_counted_for_each_message),
	TEST_CASE(the_last_message_of_a_subscription_is_told),
	TEST_CASE(what_was_not_delivered_does_not_count),
	TEST_CASE(a_change_of_patterns_is_heard_of_at_once),
	TEST_CASE(what_is_not_remembered_is_found_all_the_same),
	TEST_CASE(an_own_plain_subscription_is_found),
	TEST_CASE(a_subject_with_an_empty_token_reaches_nobody),
	TEST_CASE(a_line_may_outgrow_every_chunk),
	TEST_CASE(a_watcher_sees_each_delivery),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
