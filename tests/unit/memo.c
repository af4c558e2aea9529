/* SPDX-License-Identifier: MIT */
#include "broker/memo.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "broker/sub.h"
#include "test.h"

enum { SUBS_MAX = 64, TEXT_MAX = 65536 };

/* A trie with some who subscribe, and what was looked up in it. */
struct bench {
	struct trie trie;
	struct memos memos;
	uint64_t work;
	struct sub *subs[SUBS_MAX];
	size_t count;
	struct buf text; /* operations */
};

static struct bench bench;

static void begin(void)
{
	memset(&bench, 0, sizeof(bench));
	trie_init(&bench.trie, 0x1234567890abcdef);
}

static void finish(void)
{
	while (bench.count > 0) {
		struct sub *sub = bench.subs[--bench.count];
		struct leaf *leaf = sub->leaf;

		if (leaf_leave(leaf, sub) == TRIE_LAST)
			trie_drop(&bench.trie, leaf);
		sub_free(&bench.trie.slab, sub);
	}
	memos_fini(&bench.memos);
	trie_fini(&bench.trie);
	buf_fini(&bench.text);
}

static void subscribe(const char *subject)
{
	struct sub *sub = sub_new(&bench.trie.slab, NULL, SLICE("1"));
	struct leaf *leaf;

	CHECK(bench.count < SUBS_MAX);
	CHECK(trie_take(&bench.trie, slice_of(subject), &leaf) >= 0);
	CHECK_NUMBER(leaf_join(leaf, sub), 0);
	bench.subs[bench.count++] = sub;
}

static void say(const char *text)
{
	CHECK_NUMBER(buf_append(&bench.text, slice_of(text)), 0);
}

/* For how many of what was said there is a memo. */
static uint32_t foresee(void)
{
	uint32_t count = memos_foresee(&bench.memos, &bench.trie, buf_slice(&bench.text),
				       &bench.work);

	bench.text.length = 0;
	return count;
}

/* Is the next but `at` to this subject, and does it have the trie's answer? */
static void check_memo(uint32_t at, const char *subject)
{
	struct memo *memo = &bench.memos.ahead[at];
	struct slice wanted = slice_of(subject), named = memo_subject(memo);
	uint32_t hash = trie_hash(&bench.trie, wanted);
	struct match match = trie_find(&bench.trie, wanted, hash);

	CHECK(slice_equal((struct slice){named.bytes, named.length - 1}, wanted));
	CHECK(named.bytes[named.length - 1] == ' ');
	CHECK(memo_is_fresh(memo, &bench.trie));
	CHECK(memo->match.literal == match.literal);
	CHECK(memo->match.groups == match.groups);
	CHECK_NUMBER(memo->match.count, match.count);
	for (uint32_t pattern = 0; pattern < match.count; pattern++)
		CHECK(memo->match.patterns[pattern] == match.patterns[pattern]);
}

static void the_next_subjects_are_looked_up_together(void)
{
	begin();
	subscribe("foo.a");
	subscribe("foo.*");
	subscribe("foo.>");
	say("PUB foo.a 2\r\nhi\r\nPUB foo.b reply 0\r\n\r\nPUB bar 1\r\nx\r\n");
	CHECK_NUMBER(foresee(), 3);
	check_memo(0, "foo.a");
	check_memo(1, "foo.b");
	check_memo(2, "bar");
	CHECK_NUMBER(bench.memos.ahead[0].match.count, 2);
	CHECK(bench.memos.ahead[0].match.literal);
	CHECK(bench.work > 0);
	subscribe("bar");
	CHECK(!memo_is_fresh(&bench.memos.ahead[2], &bench.trie));
	finish();
}

static void nothing_is_foreseen_of_what_is_no_message_or_not_whole(void)
{
	static const char *const ends[] = {
		"", "PUB bar 2\r\nhi\r", "PUB bar 2\r\nhi", "PUB bar 2\r\n", "PUB bar 2", "PUB ",
		"P", "PING\r\n", "SUB bar 1\r\n", "UNSUB 1\r\n", "pub bar 2\r\nhi\r\n",
		"PUB bar 2\nhi\r\n",
		"PUB  bar 2\r\nhi\r\n", "PUB bar -2\r\nhi\r\n", "PUB bar 9999999999\r\nhi\r\n",
		"PUB bar 999999999\r\nhi\r\n", "PUB 2\r\nhi\r\n", "HPUB bar 2 2\r\n\r\n\r\n",
	};

	for (size_t at = 0; at < sizeof(ends) / sizeof(ends[0]); at++) {
		begin();
		subscribe("bar");
		say("PUB foo 2\r\nhi\r\n");
		say(ends[at]);
		CHECK_NUMBER(foresee(), 1);
		check_memo(0, "foo");
		say(ends[at]);
		CHECK_NUMBER(foresee(), 0);
		finish();
	}
}

/* They are better kept than looked up ahead each time. */
static void a_subject_that_comes_again_ends_it(void)
{
	unsigned rested = 0;
	struct memo *memo;

	begin();
	subscribe("foo");
	say("PUB foo 0\r\n\r\nPUB bar 0\r\n\r\nPUB foo 0\r\n\r\nPUB baz 0\r\n\r\n");
	CHECK_NUMBER(foresee(), 2);
	say("PUB foo 0\r\n\r\nPUB baz 0\r\n\r\n");
	CHECK_NUMBER(foresee(), 0);
	/* Others will as well: for a while nothing is tried. */
	say("PUB new 0\r\n\r\n");
	CHECK_NUMBER(foresee(), 0);
	for (; rested < 100 && foresee() == 0; rested++)
		say("PUB newer 0\r\n\r\n");
	CHECK(rested > 10 && rested < 100);
	/* As it has passed it is remembered at once. */
	memos_find(&bench.memos, &bench.trie, SLICE("foo"), NULL, &bench.work);
	memo = bench.memos.recent;
	CHECK(memo && memo->match.literal);
	finish();
}

static void so_many_are_foreseen_and_no_more(void)
{
	char line[64];

	begin();
	for (unsigned at = 0; at < 2 * MEMOS_AHEAD; at++) {
		snprintf(line, sizeof(line), "PUB foo.%u 0\r\n\r\n", at);
		say(line);
	}
	CHECK_NUMBER(foresee(), MEMOS_AHEAD);
	check_memo(MEMOS_AHEAD - 1, "foo.15");
	finish();
}

static void what_no_memo_can_hold_is_left_to_the_general_way(void)
{
	static const char *const patterns[MEMO_PATTERNS + 1] = {
		"a.b.*", "a.*.c", "*.b.c", "a.*.*", "*.b.*", "*.*.c", "*.*.*", "a.b.>", "a.>"};
	char subject[MEMO_SUBJECT + 2], line[2 * MEMO_SUBJECT];

	begin();
	memset(subject, 'x', sizeof(subject));
	subject[MEMO_SUBJECT + 1] = '\0';
	snprintf(line, sizeof(line), "PUB %s 0\r\n\r\n", subject);
	say(line);
	CHECK_NUMBER(foresee(), 0);
	finish();
	begin();
	subject[MEMO_SUBJECT] = '\0';
	snprintf(line, sizeof(line), "PUB %s 0\r\n\r\n", subject);
	say(line);
	CHECK_NUMBER(foresee(), 1);
	check_memo(0, subject);
	/* More patterns than a memo has room for. */
	for (unsigned at = 0; at <= MEMO_PATTERNS; at++)
		subscribe(patterns[at]);
	say("PUB 1 0\r\n\r\nPUB 2 0\r\n\r\nPUB 3 0\r\n\r\n");
	CHECK_NUMBER(foresee(), 3);
	say("PUB foo 0\r\n\r\nPUB a.b.c 0\r\n\r\nPUB bar 0\r\n\r\n");
	CHECK_NUMBER(foresee(), 1);
	/* Others may still have them for their last ones. */
	CHECK(!memo_is_fresh(&bench.memos.ahead[1], &bench.trie));
	CHECK(!memo_is_fresh(&bench.memos.ahead[2], &bench.trie));
	finish();
}

/* Patterns that branch at six tokens: a few subjects are work enough. */
static void work_ends_it(void)
{
	char line[64];
	uint32_t count;

	begin();
	for (unsigned mask = 0; mask < SUBS_MAX; mask++) {
		char pattern[] = "a.a.a.a.a.a.none";

		for (unsigned at = 0; at < 6; at++)
			if (mask >> at & 1)
				pattern[2 * at] = '*';
		subscribe(pattern);
	}
	/* None matches: it is the way there that costs. */
	for (unsigned at = 0; at < MEMOS_AHEAD; at++) {
		snprintf(line, sizeof(line), "PUB a.a.a.a.a.a.b%u 0\r\n\r\n", at);
		say(line);
	}
	count = foresee();
	CHECK(count > 0 && count < MEMOS_AHEAD);
	CHECK(bench.work >= 1024 && bench.work < 2048);
	finish();
}

static bool has_passed(const char *subject)
{
	uint32_t hash = trie_hash(&bench.trie, slice_of(subject));

	return bench.memos.passed[hash % MEMOS_LATELY] == hash;
}

/* They come again, each for the first time. */
static void what_is_left_of_it_has_not_passed(void)
{
	begin();
	say("PUB foo 0\r\n\r\nPUB bar 0\r\n\r\nPUB baz 0\r\n\r\n");
	CHECK_NUMBER(foresee(), 3);
	CHECK(has_passed("foo") && has_passed("bar") && has_passed("baz"));
	memos_leave(&bench.memos, 1, 3);
	CHECK(has_passed("foo") && !has_passed("bar") && !has_passed("baz"));
	finish();
}

/* All on one pattern: a few steps to find, and then so many that are found. */
static void what_is_found_is_work_as_well(void)
{
	enum { GROUPS = 1000 };
	static char queues[GROUPS];
	struct leaf *leaves[GROUPS];
	struct sub *subs[GROUPS];

	begin();
	for (unsigned at = 0; at < GROUPS; at++) {
		subs[at] = sub_new(&bench.trie.slab, NULL, SLICE("1"));
		CHECK_NUMBER(trie_take_queue(&bench.trie, SLICE("foo.>"),
					     (struct queue *)(void *)&queues[at], &leaves[at]),
			     TRIE_FIRST);
		CHECK_NUMBER(leaf_join(leaves[at], subs[at]), 0);
	}
	say("PUB foo.1 0\r\n\r\nPUB foo.2 0\r\n\r\n");
	CHECK_NUMBER(foresee(), 0);
	CHECK(bench.work >= GROUPS && bench.work < 2 * GROUPS);
	/* For a while that is not tried again. */
	say("PUB foo.3 0\r\n\r\n");
	CHECK_NUMBER(foresee(), 0);
	CHECK(bench.work < 2 * GROUPS);
	memos_find(&bench.memos, &bench.trie, SLICE("foo.4"), NULL, &bench.work);
	CHECK(bench.work >= 2 * GROUPS);
	for (unsigned at = 0; at < GROUPS; at++) {
		leaf_leave(leaves[at], subs[at]);
		trie_drop(&bench.trie, leaves[at]);
		sub_free(&bench.trie.slab, subs[at]);
	}
	finish();
}

static const struct test_case cases[] = {
	TEST_CASE(the_next_subjects_are_looked_up_together),
	TEST_CASE(nothing_is_foreseen_of_what_is_no_message_or_not_whole),
	TEST_CASE(a_subject_that_comes_again_ends_it),
	TEST_CASE(so_many_are_foreseen_and_no_more),
	TEST_CASE(what_no_memo_can_hold_is_left_to_the_general_way),
	TEST_CASE(work_ends_it),
	TEST_CASE(what_is_left_of_it_has_not_passed),
	TEST_CASE(what_is_found_is_work_as_well),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
