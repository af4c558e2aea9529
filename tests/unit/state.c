/* SPDX-License-Identifier: MIT */
/*
 * That a conversation goes on after a move is tested by talk.h, at every byte of all of them.
 * Here: what is saved is all there is, and what is damaged does no harm.
 */
#include "broker/state.h"

#include "broker/guard.h"
#include "broker/router.h"
#include "lists.h"
#include "test.h"

enum { NO_LIMIT = 1 << 30, LARGE = 5000, PAYLOADS_MAX = 4 };

static struct limits limits = {.max_payload = 1 << 20, .max_control_line = 4096, .headers = true};
static struct pool pool;
static struct router router;
static struct session session;
static uint64_t now_ms = 1000000;

struct saved {
	struct state_payloads payloads;
	struct buf bytes[PAYLOADS_MAX];
	struct tags_writer fields;
};

static void begin(void)
{
	static const uint64_t seeds[2] = {1, 2};

	pool_init(&pool, NO_LIMIT);
	router_init(&router, &pool, seeds);
	router.now_ms = &now_ms;
	session_init(&session, &router, &limits);
}

static void finish(void)
{
	session_fini(&session);
	CHECK_NUMBER(router.subscriptions, 0);
	CHECK_NUMBER(router.queues.count, 0);
	router_fini(&router);
	pool_fini(&pool);
}

static int keep(struct state_payloads *payloads, struct slice bytes)
{
	struct saved *saved = container_of(payloads, struct saved, payloads);

	return buf_append(&saved->bytes[payloads->count], bytes);
}

static void save(struct saved *saved)
{
	*saved = (struct saved){.payloads = {.keep = keep}};
	state_forget_numbers(&session);
	CHECK_NUMBER(state_save(&session, &saved->payloads, &saved->fields), 0);
	CHECK(!saved->fields.failed);
}

static void forget(struct saved *saved)
{
	for (size_t at = 0; at < PAYLOADS_MAX; at++)
		buf_fini(&saved->bytes[at]);
	buf_fini(&saved->fields.out);
}

/* Into the fresh session. */
static bool load(const struct saved *saved, struct slice fields)
{
	struct state_payload all[PAYLOADS_MAX];
	struct state_source source = {all, saved->payloads.count};
	bool good;

	for (uint32_t at = 0; at < source.count; at++) {
		struct slice bytes = buf_slice(&saved->bytes[at]);

		all[at].payload = pool_take_payload(&pool, bytes.length);
		all[at].length = (uint32_t)bytes.length;
		memcpy(all[at].payload->bytes, bytes.bytes, bytes.length);
		all[at].payload->filled = (uint32_t)bytes.length;
	}
	good = state_load(&session, &source, fields);
	for (uint32_t at = 0; at < source.count; at++)
		pool_release_payload(&pool, all[at].payload);
	return good;
}

static void may_answer(void)
{
	struct permit *permit = make_permit(&(struct lists){.allow_responses = true,
							    .publish_allow = "foo.>;big"});

	CHECK_NUMBER(session_set_permit(&session, permit), 0);
	permit_unref(permit);
}

/*
 * A client with some of everything: subscriptions, small and shared output, a reply that it may
 * publish to, a message half there.
 */
static void hold(void)
{
	static const char talk[] =
		"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"name\":\"n\","
		"\"lang\":\"c\",\"version\":\"1\",\"protocol\":1}\r\nPING\r\nSUB foo 1\r\n"
		"SUB foo.* q 2\r\nUNSUB 2 7\r\nPUB foo.a re 2\r\nhi\r\n"
		"SUB big 3\r\nPUB big 5000\r\n";
	char *text = malloc(sizeof(talk) - 1 + LARGE + 64);
	struct slice input = {text, sizeof(talk) - 1};
	enum session_answer answer = SESSION_WAIT;

	memcpy(text, talk, input.length);
	memset(text + input.length, 'x', LARGE);
	input.length += LARGE;
	memcpy(text + input.length, "\r\nPUB big 4500\r\nyy", 18);
	input.length += 18;
	may_answer();
	while (answer == SESSION_WAIT)
		answer = session_feed(&session, &input);
	CHECK_NUMBER(answer, SESSION_MORE);
	CHECK_NUMBER(session.subs.count, 3);
	CHECK(session.inbound);
	CHECK_NUMBER(session.outbox.guard->grants.count, 1);
	free(text);
}

static void what_was_loaded_is_saved_alike(void)
{
	struct saved first, second;

	begin();
	hold();
	save(&first);
	CHECK_NUMBER(first.payloads.count, 1);
	finish();
	begin();
	CHECK(load(&first, buf_slice(&first.fields.out)));
	CHECK(session.connected && session.pinged && session.outbox.wants_headers);
	CHECK_NUMBER(session.connect.protocol, 1);
	CHECK_TEXT(slice_of(connect_text(&session.connect, CONNECT_NAME)), "n");
	save(&second);
	/* The subscriptions may come in another order. */
	CHECK_NUMBER(second.fields.out.length, first.fields.out.length);
	forget(&first);
	forget(&second);
	finish();
}

/* As it is written since there are permissions: reply, how many more, how old. */
#define GRANT(reply, left, age) \
	"\14\24\0\0\0\1\3\0\0\0" reply "\2\1\0\0\0" left "\3\1\0\0\0" age
#define ECHO "\1\1\0\0\0\4"
#define ENDLESS(reply) "\14\10\0\0\0\1\3\0\0\0" reply

static const struct grant *grant_at(size_t place)
{
	const struct list *link = session.outbox.guard->by_age.next;

	while (place-- > 0)
		link = link->next;
	return container_of(link, struct grant, link);
}

static void check_grant(size_t place, const char *reply, int64_t left, uint64_t age_ms)
{
	const struct grant *grant = grant_at(place);

	CHECK(slice_equal((struct slice){grant->reply, grant->length}, slice_of(reply)));
	CHECK_NUMBER(grant->left, left);
	CHECK_NUMBER(guard_grant_age_ms(session.outbox.guard, grant), age_ms);
}

static void replies_may_be_published_to_afterwards(void)
{
	struct saved none = {0}, saved;
	struct slice fields = SLICE(ENDLESS("r.0") GRANT("r.1", "\7", "\144")
				    GRANT("r.2", "\1", "\1"));

	begin();
	CHECK(load(&none, fields));
	CHECK_NUMBER(session.outbox.guard->grants.count, 3);
	check_grant(0, "r.0", -1, 0);
	check_grant(1, "r.1", 7, 100);
	check_grant(2, "r.2", 1, 1);
	save(&saved);
	/* There is nothing else to this session. */
	CHECK(slice_equal(buf_slice(&saved.fields.out), fields));
	/* Nothing was said yet of who it is. */
	may_answer();
	CHECK_NUMBER(session.outbox.guard->grants.count, 3);
	/* Only so many are allowed now. */
	check_grant(0, "r.0", 1, 0);
	check_grant(1, "r.1", 7, 100);
	CHECK_NUMBER(session_set_permit(&session, NULL), 0);
	CHECK(!session.outbox.guard);
	forget(&saved);
	finish();
}

/* Without a permit, as with a process that has no configuration. */
static void replies_do_no_harm_to_who_may_do_everything(void)
{
	struct saved none = {0};
	struct slice input = SLICE("SUB foo 1\r\nPUB foo r.3 0\r\n\r\nPUB r.1 0\r\n\r\n"
				   "PUB r.1 0\r\n\r\n");

	begin();
	CHECK(load(&none, SLICE(ECHO GRANT("r.1", "\1", "\144"))));
	now_ms += 1000000000;
	CHECK_NUMBER(session_feed(&session, &input), SESSION_MORE);
	CHECK_NUMBER(session.events & SESSION_COMPLAINED, 0);
	CHECK_NUMBER(router.out_messages, 1);
	finish();
}

/* Two wait for one large message: it is saved once, and is one again afterwards. */
static void a_payload_is_saved_once(void)
{
	struct payload *payload;
	struct saved saved;

	begin();
	payload = pool_take_payload(&pool, LARGE);
	memset(payload->bytes, 'x', LARGE);
	payload->filled = LARGE;
	for (int count = 0; count < 3; count++) {
		CHECK(outbox_put(&session.outbox, SLICE("head")));
		outbox_attach(&session.outbox, payload, 100, LARGE);
	}
	outbox_take(&session.outbox, 4 + 1000);
	CHECK_NUMBER(payload->refs, 4);
	pool_release_payload(&pool, payload);
	save(&saved);
	CHECK_NUMBER(saved.payloads.count, 1);
	CHECK_NUMBER(saved.bytes[0].length, LARGE);
	finish();
	begin();
	CHECK(load(&saved, buf_slice(&saved.fields.out)));
	CHECK_NUMBER(session.outbox.pending_bytes, 2 * 4 + 3 * (LARGE - 100) - 1000);
	CHECK_NUMBER(session.outbox.first->payload->refs, 3);
	CHECK_NUMBER(session.outbox.first->payload_start, 1100);
	forget(&saved);
	finish();
}

static void tags_of_the_future_are_skipped(void)
{
	struct saved saved;
	struct tags_writer more = {0};
	size_t start;

	begin();
	hold();
	save(&saved);
	finish();
	tags_put(&more, 200, SLICE("something new"));
	start = tags_begin(&more, 9);
	tags_put(&more, 1, SLICE("new.>"));
	tags_put(&more, 250, SLICE("what is this"));
	tags_put(&more, 3, SLICE("77"));
	tags_end(&more, start);
	CHECK_NUMBER(buf_append(&more.out, buf_slice(&saved.fields.out)), 0);
	begin();
	CHECK(load(&saved, buf_slice(&more.out)));
	CHECK_NUMBER(session.subs.count, 4);
	buf_fini(&more.out);
	forget(&saved);
	finish();
}

/* A process that knew fewer tags: what is missing has a meaning. */
static void an_empty_state_is_a_new_client_without_options(void)
{
	struct saved none = {0};

	begin();
	CHECK(load(&none, (struct slice){NULL, 0}));
	CHECK(!session.connect.verbose && !session.connected);
	CHECK_NUMBER(session.subs.count, 0);
	finish();
}

/* Whether it is taken or not: nothing is read beyond its end, and nothing is left. */
static void what_is_damaged_does_no_harm(void)
{
	struct saved saved;
	struct slice all;
	unsigned refused = 0;

	begin();
	hold();
	save(&saved);
	all = buf_slice(&saved.fields.out);
	finish();
	for (size_t length = 0; length < all.length; length += length < 700 ? 1 : 97) {
		char *copy = malloc(length + !length);

		memcpy(copy, all.bytes, length);
		begin();
		refused += !load(&saved, (struct slice){copy, length});
		finish();
		free(copy);
	}
	for (size_t at = 0; at < all.length; at += at < 700 ? 1 : 97) {
		for (unsigned bit = 0; bit < 8; bit++) {
			char *copy = malloc(all.length);

			memcpy(copy, all.bytes, all.length);
			copy[at] ^= (char)(1 << bit);
			begin();
			refused += !load(&saved, (struct slice){copy, all.length});
			finish();
			free(copy);
		}
	}
	CHECK(refused > 1000);
	forget(&saved);
}

/* In an initialiser. */
#define TEXT(literal) {(literal), sizeof(literal) - 1}

struct bad {
	const char *what;
	uint8_t tag;
	struct slice value;
};

static void what_makes_no_sense_is_refused(void)
{
	static const struct bad bads[] = {
		{"a subject that is none", 9, TEXT("\1\2\0\0\0..\3\1\0\0\0" "1")},
		{"no sid", 9, TEXT("\1\1\0\0\0a")},
		{"no subject", 9, TEXT("\3\1\0\0\0" "1")},
		{"delivered as often as it may", 9,
		 TEXT("\1\1\0\0\0a\3\1\0\0\0" "1\4\1\0\0\0\2\5\1\0\0\0\2")},
		{"a parser in no known state", 6, TEXT("\77")},
		{"a verb that is none", 7, TEXT("\77")},
		{"a name with a NUL", 3, TEXT("a\0b")},
		{"a payload that is not there", 11, TEXT("\1\1\0\0\0\1\3\1\0\0\0\5")},
		{"a grant of nothing", 12, TEXT("\2\1\0\0\0\1")},
		{"a grant of more than there is", 12,
		 TEXT("\1\1\0\0\0r\2\10\0\0\0\377\377\377\377\377\377\377\377")},
		{"a message whose line is none", 8,
		 TEXT("\2\1\0\0\0\1\3\1\0\0\0\7\4\3\0\0\0x\r\n")},
		{"a message whose line ends before it begins", 8,
		 TEXT("\2\10\0\0\0\376\377\377\377\377\377\377\377\3\1\0\0\0\7\4\3\0\0\0x\r\n")},
		{"a message that is longer than it says", 8,
		 TEXT("\2\1\0\0\0\3\3\1\0\0\0\12\4\7\0\0\0a 2\r\nyy")},
	};
	struct saved none = {0};

	for (size_t at = 0; at < sizeof(bads) / sizeof(bads[0]); at++) {
		struct tags_writer fields = {0};

		/* A verb counts only together with a state that has one. */
		if (bads[at].tag == 7)
			tags_put_number(&fields, 6, 3);
		tags_put(&fields, bads[at].tag, bads[at].value);
		begin();
		if (load(&none, buf_slice(&fields.out))) {
			test_failures++;
			printf("# taken: %s\n", bads[at].what);
		}
		buf_fini(&fields.out);
		finish();
	}
}

static void a_sid_twice_is_refused(void)
{
	struct saved none = {0};
	struct tags_writer fields = {0};

	for (int count = 0; count < 2; count++)
		tags_put(&fields, 9, SLICE("\1\1\0\0\0a\3\1\0\0\0" "1"));
	begin();
	CHECK(!load(&none, buf_slice(&fields.out)));
	buf_fini(&fields.out);
	finish();
}

static void more_than_max_pending_is_refused(void)
{
	struct saved saved;

	begin();
	CHECK(outbox_put(&session.outbox, SLICE("0123456789")));
	save(&saved);
	finish();
	begin();
	pool.limit_bytes = 9;
	CHECK(!load(&saved, buf_slice(&saved.fields.out)));
	CHECK(session.outbox.overflowed);
	forget(&saved);
	finish();
}

static const struct test_case cases[] = {
	TEST_CASE(what_was_loaded_is_saved_alike),
	TEST_CASE(replies_may_be_published_to_afterwards),
	TEST_CASE(replies_do_no_harm_to_who_may_do_everything),
	TEST_CASE(a_payload_is_saved_once),
	TEST_CASE(tags_of_the_future_are_skipped),
	TEST_CASE(an_empty_state_is_a_new_client_without_options),
	TEST_CASE(what_is_damaged_does_no_harm),
	TEST_CASE(what_makes_no_sense_is_refused),
	TEST_CASE(a_sid_twice_is_refused),
	TEST_CASE(more_than_max_pending_is_refused),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
