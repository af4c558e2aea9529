/* SPDX-License-Identifier: MIT */
/*
 * What is allowed: as a nats-server 2.15.2 answered, and as a reference without a thought to speed
 * decides for lists made at random.
 */
#include "broker/permit.h"

#include "lists.h"
#include "naive.h"
#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { ENTRIES = 4 };

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

/* As nats-server answered. */

typedef bool ask(struct permit *permit, struct slice entry);

static bool may_publish(struct permit *permit, struct slice entry)
{
	uint64_t work = 0;
	bool allowed = permit_publishes(permit, entry, &work);

	/* What is remembered is no other answer. */
	CHECK_NUMBER(permit_publishes(permit, entry, &work), allowed);
	return allowed;
}

static bool may_subscribe(struct permit *permit, struct slice entry)
{
	struct slice subject, queue;
	uint64_t work = 0;

	CHECK(permit_split(entry, &subject, &queue));
	return permit_subscribes(permit, subject, queue, &work);
}

/* Each entry of `answers` begins with + where it was allowed and with - where it was not. */
static void check_answers(struct permit *permit, ask *is_allowed, const char *answers)
{
	struct slice rest = slice_of(answers ? answers : "");

	while (rest.length > 0) {
		struct slice entry = next_entry(&rest);
		bool allowed = is_allowed(permit, slice_after(entry, 1));

		CHECK_NUMBER(allowed, entry.bytes[0] == '+');
		if (allowed != (entry.bytes[0] == '+'))
			printf("# of %.*s\n", (int)entry.length, entry.bytes);
	}
}

static void publishing_is_allowed_as_in_nats_server(void)
{
	static const struct {
		struct lists lists;
		const char *answers;
	} rows[] = {
		{{.publish_allow = "a.b"},
		 "-a;+a.b;-a.*;-a.>;->;-*;-a..b;-a.b.c;-.a;-*.b"},
		{{.publish_allow = "a.*"},
		 "-a;+a.b;+a.*;+a.>;->;-*;-a..b;-a.b.c;-.a;-*.b"},
		{{.publish_allow = "a.>"},
		 "-a;+a.b;+a.*;+a.>;->;-*;-a..b;+a.b.c;-.a;-*.b"},
		{{.publish_allow = ">"}, "+a;+a.b;+a.*;+a.>;+>;+*;-a..b;+a.b.c;-.a;+*.b"},
		{{.publish_allow = "*.b"}, "-a;+a.b;-a.*;-a.>;->;-*;-a..b;-a.b.c;-.a;+*.b"},
		{{.publish_allow = "a*"}, "-a;-a.b;-a.*;-a.>;->;-*;-a..b;-a.b.c;-.a;-*.b;-ab;+a*"},
		{{.publish_deny = "a.b"}, "+a;-a.b;+a.*;+a.>;+>;+*;+a..b;+a.b.c;+.a;+*.b"},
		{{.publish_deny = "a.*"}, "+a;-a.b;-a.*;-a.>;+>;+*;+a..b;+a.b.c;+.a;+*.b"},
		/* Such subjects reach nobody. */
		{{.publish_deny = ">"}, "-a;-a.b;-a.*;-a.>;->;-*;+a..b;-a.b.c;+.a;-*.b"},
		{{.publish_allow = "a.>", .publish_deny = "a.b"},
		 "-a;-a.b;+a.*;+a.>;->;-*;-a..b;+a.b.c;-.a;-*.b"},
		{{0}, "+a;+a.b;+a.*;+a.>;+>;+*;+a..b;+a.b.c;+.a;+*.b"},
		/* Who may answer may do nothing else, unless it is listed. */
		{{.allow_responses = true}, "-a;-a.b;->"},
		{{.publish_deny = "a", .allow_responses = true}, "-a;-a.b;->"},
		{{.publish_allow = "a.*", .allow_responses = true}, "-a;+a.b;->"},
	};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct permit *permit = make_permit(&rows[at].lists);

		check_answers(permit, may_publish, rows[at].answers);
		permit_unref(permit);
	}
}

static void subscribing_is_allowed_as_in_nats_server(void)
{
	static const struct {
		struct lists lists;
		const char *answers;
	} rows[] = {
		{{.subscribe_allow = "a.b"}, "-a;+a.b;-a.*;-a.>;->;-*;-*.b;-a.b.c;-a.*.c"},
		/* Of a.> it allows all, of which a.* does not know the half: see below. */
		{{.subscribe_allow = "a.*"}, "-a;+a.b;+a.*;->;-*;-*.b;-a.b.c;-a.*.c"},
		{{.subscribe_allow = "a.>"}, "-a;+a.b;+a.*;+a.>;->;-*;-*.b;+a.b.c;+a.*.c"},
		{{.subscribe_allow = ">"}, "+a;+a.b;+a.*;+a.>;+>;+*;+*.b;+a.b.c;+a.*.c"},
		{{.subscribe_allow = "*.b"}, "-a;+a.b;-a.*;-a.>;->;-*;+*.b;-a.b.c;-a.*.c"},
		{{.subscribe_allow = "*"}, "+a;-a.b;-a.*;-a.>;+*;-*.b;-a.b.c;-a.*.c"},
		{{.subscribe_allow = "a.*.c"}, "-a;-a.b;-a.*;-a.>;->;-*;-*.b;+a.b.c;+a.*.c"},
		{{.subscribe_allow = "a*"}, "+a*;-ab;-a;-*"},
		{{.subscribe_allow = "*a.b"}, "-xa.b;+*a.b;-a.b;-*.b"},
		{{0}, "+a;+a.b;+a.*;+a.>;+>;+*;+*.b;+a.b.c;+a.*.c;+a q"},
		{{.allow_responses = true}, "+a;+a.*;+>;+a q"},
		{{.subscribe_deny = "a.b"}, "+a;-a.b;+a.*;+a.>;+>;+*;+*.b;+a.b.c;+a.*.c"},
		{{.subscribe_deny = "a.*"}, "+a;-a.b;-a.*;-a.>;+>;+*;+*.b;+a.b.c;+a.*.c"},
		{{.subscribe_deny = "a.>"}, "+a;-a.b;-a.*;-a.>;+>;+*;+*.b;-a.b.c;-a.*.c"},
		{{.subscribe_deny = ">"}, "-a;-a.b;-a.*;-a.>;->;-*;-*.b;-a.b.c;-a.*.c"},
		{{.subscribe_deny = "*.b"}, "+a;-a.b;+a.*;+a.>;+>;+*;-*.b;+a.b.c;+a.*.c"},
		{{.subscribe_allow = "a.>", .subscribe_deny = "a.b"},
		 "-a;-a.b;+a.*;+a.>;->;-*;-*.b;+a.b.c;+a.*.c"},
		/* Queues. */
		{{.subscribe_allow = "a"}, "+a;+a q;-b q"},
		{{.subscribe_allow = "a q"},
		 "-a;+a q;-a r;-a q.dev;-* q;-a.b q;-a *.dev;-a q.*;-a q.>"},
		{{.subscribe_allow = "a;a q"}, "+a;+a q;-a r;-a q.dev;-* q;-a.b q"},
		{{.subscribe_allow = "a *.dev"},
		 "-a;-a q;-a r;+a q.dev;-a q.x;-* q;-a q.dev.x;+a *.dev;-a q.*;-a q.>"},
		{{.subscribe_allow = "a q.>"},
		 "-a;-a q;-a r;+a q.dev;+a q.x;+a q.dev.x;-a *.dev;+a q.*;+a q.>"},
		{{.subscribe_allow = "> q"}, "-a;+a q;-a r;-a q.x;+* q;+a.b q"},
		{{.subscribe_allow = "* q;a"}, "+a;+a q;-a r;-a q.x;+* q;-a.b q"},
		{{.subscribe_allow = "a q;a r"}, "-a;+a q;+a r;-a q.x;-* q"},
		{{.subscribe_allow = "a *"}, "-a;+a q;+a r;-a q.dev;-* q;-a *.dev"},
		{{.subscribe_allow = "a >"}, "-a;+a q;+a r;+a q.dev;-* q;+a q.dev.x;+a q.>"},
		{{.subscribe_deny = "a q"}, "+a;-a q;+a r;+a q.dev;+* q;+a.b q;+a *.dev"},
		{{.subscribe_deny = "a;a q"}, "-a;-a q;-a r;-a q.dev;+* q;+a.b q"},
		{{.subscribe_deny = "a *.dev"}, "+a;+a q;-a q.dev;+a q.x;-a *.dev;+a q.dev.x"},
		{{.subscribe_deny = "> q"}, "+a;-a q;+a r;-* q;-a.b q;+a q.x"},
		{{.subscribe_deny = "a q;*"}, "-a;-a q;-a r;-* q;+a.b q"},
		{{.subscribe_deny = "a >"}, "+a;-a q;-a r;-a q.dev;+* q;-a q.dev.x"},
		{{.subscribe_allow = "a q", .subscribe_deny = "a"}, "-a;-a q;-a r"},
		{{.subscribe_allow = "a", .subscribe_deny = "a q"}, "+a;-a q;+a r;-* q;-a.b q"},
	};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct permit *permit = make_permit(&rows[at].lists);

		check_answers(permit, may_subscribe, rows[at].answers);
		permit_unref(permit);
	}
}

/* nats-server takes the > that is asked for as one token, and then delivers all of a.b.c. */
static void no_wildcard_hears_more_than_is_allowed(void)
{
	static const struct {
		struct lists lists;
		const char *answers;
	} rows[] = {
		{{.subscribe_allow = "*"}, "->;-> q"},
		{{.subscribe_allow = "a.*"}, "-a.>;-a.> q"},
		{{.subscribe_allow = "a.*;a.*.>"}, "-a.>"},
		{{.subscribe_allow = "a.* q"}, "-a.> q"},
	};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct permit *permit = make_permit(&rows[at].lists);

		check_answers(permit, may_subscribe, rows[at].answers);
		permit_unref(permit);
	}
}

/* Delivery. */

static void what_is_denied_is_not_delivered_under_a_wildcard(void)
{
	static const struct {
		const char *deny;
		const char *subscription;
		const char *answers; /* to what is published; NULL: nobody has to ask */
	} rows[] = {
		{"a.b", ">", "-a.b;+a.c;+a"},
		{"a.b", "a.*", "+a.*;+a.>;-a.b"},
		{"a.>", ">", "-a.*;-a.>;-a.b;+a"},
		/* Neither covers the other. */
		{"a.*", "*.b", "-a.b;+c.b"},
		{"*.b", "a.*", "-a.b;+a.c"},
		{"a.b", "*.* q", "-a.b;+a.c"},
		{"a.b q", "*.* q", "-a.b;+a.c"},
		{"a.b *.x", "*.* q.x", "-a.b;+a.c"},
		{"a.* q", "*.b q", "-a.b;+c.b"},
		{"*.b q", "a.* q", "-a.b;+a.c"},
		{"a.b q;c", "> r", "+a.b;-c"},
		{"a.b q", "*.* r", NULL},
		{"a.b q", "*.*", NULL},
		{"a.b", "a.c", NULL},
		{"a.b", "b.*", NULL},
		{"a.b", "*", NULL},
	};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct lists lists = {.subscribe_deny = rows[at].deny};
		struct permit *permit = make_permit(&lists);
		struct slice rest = slice_of(rows[at].answers ? rows[at].answers : "");
		struct slice subject, queue;
		uint64_t work = 0;

		CHECK(permit_split(slice_of(rows[at].subscription), &subject, &queue));
		CHECK(permit_subscribes(permit, subject, queue, &work));
		CHECK_NUMBER(permit_filters(permit, subject, queue, &work), !!rows[at].answers);
		while (rest.length > 0) {
			struct slice entry = next_entry(&rest);

			for (int times = 0; times < 2; times++)
				CHECK_NUMBER(permit_delivers(permit, slice_after(entry, 1), queue,
							     &work), entry.bytes[0] == '+');
		}
		permit_unref(permit);
	}
}

/* Lists at random, against a reference that tries all subjects. */

enum { TEXT_MAX = 16, ROUNDS = 3000, TRIES = 40 };

static uint64_t state = 88172645463325252u;

static unsigned below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % limit;
}

struct entry {
	char text[2 * TEXT_MAX];
	char subject[TEXT_MAX];
	char queue[TEXT_MAX]; /* empty: none */
};

/* One to `most` of these tokens. */
static void make_tokens(const char *tokens, unsigned most, char text[TEXT_MAX])
{
	unsigned count = 1 + below(most);

	for (unsigned at = 0; at < count; at++) {
		*text++ = tokens[below((unsigned)strlen(tokens))];
		*text++ = '.';
	}
	text[-1] = '\0';
}

static void make_entry(struct entry *entry, bool with_queue)
{
	do
		make_tokens("ab*>", 3, entry->subject);
	while (!naive_is_valid(slice_of(entry->subject)));
	do
		make_tokens("qr*>", 2, entry->queue);
	while (!naive_is_valid(slice_of(entry->queue)));
	if (!with_queue)
		entry->queue[0] = '\0';
	snprintf(entry->text, sizeof(entry->text), "%s %s", entry->subject, entry->queue);
}

/* Does the one match all that the other matches, of subjects of a, b and another token? */
static bool naive_covers(struct slice one, struct slice other, const char *tokens)
{
	unsigned length = 1;

	if (naive_has_empty_token(other))
		return false;
	for (unsigned count = 1; count <= 4; count++) {
		length *= 3;
		for (unsigned at = 0; at < length; at++) {
			char text[TEXT_MAX], *to = text;

			for (unsigned rest = at, left = count; left > 0; left--, rest /= 3) {
				*to++ = tokens[rest % 3];
				*to++ = '.';
			}
			if (naive_matches(other, (struct slice){text, 2 * count - 1}) &&
			    !naive_matches(one, (struct slice){text, 2 * count - 1}))
				return false;
		}
	}
	return true;
}

static bool naive_concerns(const struct entry *rule, const char *queue)
{
	struct slice pattern = slice_of(rule->queue);

	return pattern.length == 0 ||
	       (*queue && naive_covers(pattern, slice_of(queue), "qrx"));
}

struct lists_of_entries {
	struct entry allow[ENTRIES], deny[ENTRIES];
	unsigned allow_count, deny_count;
};

static bool naive_subscribes(const struct lists_of_entries *lists, const struct entry *wanted)
{
	struct slice subject = slice_of(wanted->subject);
	bool by_queue = false, its_queue = false, plain = false;

	for (unsigned at = 0; at < lists->deny_count; at++)
		if (naive_matches(slice_of(lists->deny[at].subject), subject) &&
		    naive_concerns(&lists->deny[at], wanted->queue))
			return false;
	for (unsigned at = 0; at < lists->allow_count; at++) {
		const struct entry *rule = &lists->allow[at];

		if (!naive_covers(slice_of(rule->subject), subject, "abx"))
			continue;
		if (!rule->queue[0])
			plain = true;
		else if (by_queue = true, naive_concerns(rule, wanted->queue))
			its_queue = true;
	}
	if (lists->allow_count == 0)
		return true;
	return wanted->queue[0] && by_queue ? its_queue : plain;
}

/* Is there a rule against what is published? Only such may be, and all such are filtered. */
static bool naive_denies(const struct lists_of_entries *lists, const struct entry *wanted,
			 struct slice published)
{
	for (unsigned at = 0; at < lists->deny_count; at++)
		if (naive_matches(slice_of(lists->deny[at].subject), published) &&
		    naive_concerns(&lists->deny[at], wanted->queue))
			return true;
	return false;
}

static struct permit *make_random(struct lists_of_entries *lists)
{
	struct slice allow[ENTRIES], deny[ENTRIES];
	struct permit_rules rules = {
		.publish_allow = {allow, 0},
		.publish_deny = {deny, 0},
		.subscribe_allow = {allow, lists->allow_count = below(4)},
		.subscribe_deny = {deny, lists->deny_count = below(4)},
	};

	for (unsigned at = 0; at < lists->allow_count; at++) {
		make_entry(&lists->allow[at], below(2));
		allow[at] = slice_of(lists->allow[at].text);
	}
	for (unsigned at = 0; at < lists->deny_count; at++) {
		make_entry(&lists->deny[at], below(2));
		deny[at] = slice_of(lists->deny[at].text);
	}
	return permit_new(&rules);
}

static void check_delivery(struct permit *permit, const struct lists_of_entries *lists,
			   const struct entry *wanted)
{
	struct slice queue = slice_of(wanted->queue);
	uint64_t work = 0;
	bool filters = permit_filters(permit, slice_of(wanted->subject), queue, &work);
	char text[TEXT_MAX];
	bool denied;

	make_tokens("abx", 4, text);
	if (!naive_matches(slice_of(wanted->subject), slice_of(text)))
		return;
	denied = naive_denies(lists, wanted, slice_of(text));
	CHECK(filters || !denied);
	CHECK_NUMBER(permit_delivers(permit, slice_of(text), queue, &work), !denied);
}

static void random_lists_are_read_as_the_reference_reads_them(void)
{
	unsigned allowed = 0, refused = 0;

	for (unsigned round = 0; round < ROUNDS && !test_failures; round++) {
		struct lists_of_entries lists;
		struct permit *permit = make_random(&lists);

		for (unsigned at = 0; at < TRIES; at++) {
			struct entry wanted;
			uint64_t work = 0;
			bool expected;

			make_entry(&wanted, below(2));
			expected = naive_subscribes(&lists, &wanted);
			CHECK_NUMBER(permit_subscribes(permit, slice_of(wanted.subject),
						       slice_of(wanted.queue), &work), expected);
			if (expected)
				check_delivery(permit, &lists, &wanted);
			allowed += expected;
			refused += !expected;
		}
		permit_unref(permit);
	}
	CHECK(allowed > 1000);
	CHECK(refused > 1000);
}

/* What is remembered. */

static void more_subjects_than_are_remembered_are_told_apart(void)
{
	struct permit *permit = make_permit(
		&(struct lists){.publish_allow = "a.>", .publish_deny = "a.*.odd",
				.subscribe_deny = "a.*.odd"});
	uint64_t work = 0;
	char text[96];

	for (int at = 0; at < 3000; at++) {
		int number = at / 3 % 500;
		const char *filler = number % 7 ? "" : ".some.tokens.that.make.it.too.long.to.keep";
		struct slice subject;

		snprintf(text, sizeof(text), "%c.%d.%s%s", number % 5 ? 'a' : 'b', number,
			number % 2 ? "odd" : "even", filler);
		subject = slice_of(text);
		CHECK_NUMBER(permit_publishes(permit, subject, &work),
			     number % 5 && (number % 2 == 0 || *filler));
		CHECK_NUMBER(permit_delivers(permit, subject, SLICE(""), &work),
			     number % 5 == 0 || number % 2 == 0 || *filler);
	}
	permit_unref(permit);
}

static void a_remembered_answer_costs_no_walk(void)
{
	struct permit *permit = make_permit(
		&(struct lists){.publish_allow = "a;b;c", .subscribe_deny = "d;e"});
	uint64_t work = 0;

	CHECK(permit_publishes(permit, SLICE("c"), &work));
	CHECK(permit_delivers(permit, SLICE("c"), SLICE(""), &work));
	CHECK_NUMBER(work, 5);
	CHECK(permit_publishes(permit, SLICE("c"), &work));
	CHECK(permit_delivers(permit, SLICE("c"), SLICE("q"), &work));
	CHECK_NUMBER(work, 5);
	permit_unref(permit);
}

/* Permits as such. */

static void who_has_no_permit_may_do_everything(void)
{
	uint64_t work = 0;

	CHECK(!permit_is_narrow(NULL));
	CHECK(permit_publishes(NULL, SLICE("a"), &work));
	CHECK(permit_subscribes(NULL, SLICE(">"), SLICE("q"), &work));
	CHECK(!permit_filters(NULL, SLICE(">"), SLICE("q"), &work));
	CHECK(permit_delivers(NULL, SLICE("a"), SLICE("q"), &work));
	CHECK(!permit_allows_responses(NULL));
	CHECK(!permit_ref(NULL));
	permit_unref(NULL);
}

static void a_permit_is_narrow_if_it_forbids_anything(void)
{
	static const struct lists rows[] = {
		{0},
		{.publish_allow = "a"},
		{.publish_deny = "a"},
		{.subscribe_allow = "a"},
		{.subscribe_deny = "a"},
		{.allow_responses = true},
	};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct permit *permit = make_permit(&rows[at]);

		CHECK_NUMBER(permit_is_narrow(permit), at > 0);
		permit_unref(permit);
	}
}

static void responses_have_limits_by_default(void)
{
	static const struct {
		int64_t max, expiry_ms, max_expected, expiry_expected;
	} rows[] = {{0, 0, 1, 120000}, {5, 500, 5, 500}, {-1, -1, -1, -1}};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct permit *permit = permit_new(&(struct permit_rules){
			.allow_responses = true,
			.max_responses = rows[at].max,
			.response_expiry_ms = rows[at].expiry_ms,
		});

		CHECK(permit_allows_responses(permit));
		CHECK_NUMBER(permit_max_responses(permit), rows[at].max_expected);
		CHECK_NUMBER(permit_response_expiry_ms(permit), rows[at].expiry_expected);
		permit_unref(permit);
	}
}

static struct permit *with_rules(struct slice allow, struct slice deny, bool allow_responses)
{
	struct permit_rules rules = {
		.subscribe_allow = {&allow, 1},
		.subscribe_deny = {&deny, 1},
		.allow_responses = allow_responses,
		.publish_allow = {&allow, allow_responses},
	};

	return permit_new(&rules);
}

/* Whatever they say of publishing. */
static void permits_that_say_the_same_of_subscriptions_are_known(void)
{
	struct permit *permit = with_rules(SLICE("a.>"), SLICE("a.b q"), false);
	struct permit *others[] = {
		with_rules(SLICE("a.>"), SLICE("a.b q"), false),
		with_rules(SLICE("a.*"), SLICE("a.b q"), false),
		with_rules(SLICE("a.>"), SLICE("a.b"), false),
		with_rules(SLICE("a.>"), SLICE("a.b r"), false),
		with_rules(SLICE("a.>"), SLICE("a.b q"), true),
	};

	for (size_t at = 0; at < COUNT(others); at++) {
		CHECK(permit_subscribes_as(permit, others[at]) == (at == 0));
		permit_unref(others[at]);
	}
	CHECK(permit_subscribes_as(permit, permit) && permit_subscribes_as(NULL, NULL));
	CHECK(!permit_subscribes_as(permit, NULL) && !permit_subscribes_as(NULL, permit));
	permit_unref(permit);
}

static void the_last_reference_frees_it(void)
{
	struct permit *permit = make_permit(&(struct lists){.publish_allow = "a"});
	uint64_t work = 0;

	CHECK(permit_ref(permit) == permit);
	permit_unref(permit);
	CHECK(permit_publishes(permit, SLICE("a"), &work));
	permit_unref(permit);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(an_entry_is_a_subject_and_perhaps_a_queue),
		TEST_CASE(all_else_is_none),
		TEST_CASE(publishing_is_allowed_as_in_nats_server),
		TEST_CASE(subscribing_is_allowed_as_in_nats_server),
		TEST_CASE(no_wildcard_hears_more_than_is_allowed),
		TEST_CASE(what_is_denied_is_not_delivered_under_a_wildcard),
		TEST_CASE(random_lists_are_read_as_the_reference_reads_them),
		TEST_CASE(more_subjects_than_are_remembered_are_told_apart),
		TEST_CASE(a_remembered_answer_costs_no_walk),
		TEST_CASE(who_has_no_permit_may_do_everything),
		TEST_CASE(a_permit_is_narrow_if_it_forbids_anything),
		TEST_CASE(responses_have_limits_by_default),
		TEST_CASE(permits_that_say_the_same_of_subscriptions_are_known),
		TEST_CASE(the_last_reference_frees_it),
	};

	return test_run(cases, COUNT(cases));
}
