/* SPDX-License-Identifier: MIT */
#include "broker/trie.h"

#include "broker/sub.h"
#include "naive.h"
#include "take.h"
#include "test.h"

enum { QUEUES = 3, SUBJECT_MAX = 32 };

/* The trie compares queue groups by address and looks into none. Group 0 is: none. */
static char queue_bytes[QUEUES];

static struct queue *queue_number(size_t number)
{
	return number ? (struct queue *)(void *)&queue_bytes[number] : NULL;
}

static struct sub *join(struct trie *trie, const char *subject, size_t queue, int expected)
{
	struct sub *sub = sub_new(&trie->slab, NULL, SLICE("1"));
	struct leaf *leaf = NULL;

	CHECK_NUMBER(take_leaf(trie, slice_of(subject), queue_number(queue), &leaf), expected);
	CHECK_NUMBER(leaf_join(leaf, sub), 0);
	CHECK(sub->leaf == leaf);
	return sub;
}

static void leave(struct trie *trie, struct sub *sub, int expected)
{
	struct leaf *leaf = sub->leaf;
	int answer = leaf_leave(leaf, sub);

	CHECK_NUMBER(answer, expected);
	CHECK(sub->leaf == NULL);
	if (answer == TRIE_LAST)
		trie_drop(trie, leaf);
	sub_free(&trie->slab, sub);
}

/* How many leaves hear a subject, the literal ones included. */
static uint32_t count_matches(struct trie *trie, struct slice subject)
{
	uint32_t hash = trie_hash(trie, subject);
	struct leaf *leaf = trie_find_groups(trie, subject, hash);
	uint32_t count = trie_find_patterns(trie, subject);

	for (; leaf; leaf = leaf_links(leaf)->next)
		count++;
	return count + (trie_find_literal(trie, subject, hash) != NULL);
}

#define HEARD(trie, subject) count_matches((trie), SLICE(subject))

static void check_empty(struct trie *trie)
{
	CHECK(trie->root == NULL);
	CHECK_NUMBER(trie->literals.count, 0);
	CHECK_NUMBER(trie->pattern_leaves, 0);
	CHECK(trie->visits == NULL);
	CHECK(trie->found == NULL);
	trie_fini(trie);
}

static void an_empty_trie_matches_nothing(void)
{
	struct trie trie;

	trie_init(&trie, 1);
	CHECK_NUMBER(HEARD(&trie, "foo"), 0);
	CHECK_NUMBER(HEARD(&trie, "foo.bar"), 0);
	CHECK_NUMBER(HEARD(&trie, ">"), 0);
	check_empty(&trie);
}

static void interest_begins_once_and_ends_once(const char *subject)
{
	struct trie trie;
	struct sub *subs[4];

	trie_init(&trie, 2);
	subs[0] = join(&trie, subject, 0, TRIE_FIRST);
	subs[1] = join(&trie, subject, 0, TRIE_OK);
	subs[2] = join(&trie, subject, 1, TRIE_FIRST);
	subs[3] = join(&trie, subject, 2, TRIE_FIRST);
	leave(&trie, subs[0], TRIE_OK);
	leave(&trie, subs[2], TRIE_LAST);
	leave(&trie, subs[1], TRIE_LAST);
	subs[1] = join(&trie, subject, 0, TRIE_FIRST);
	leave(&trie, subs[3], TRIE_LAST);
	leave(&trie, subs[1], TRIE_LAST);
	check_empty(&trie);
}

static void each_subject_and_queue_has_edges_of_its_own(void)
{
	interest_begins_once_and_ends_once("foo");
	interest_begins_once_and_ends_once("foo.bar.baz");
	interest_begins_once_and_ends_once("foo.*");
	interest_begins_once_and_ends_once("*");
	interest_begins_once_and_ends_once("foo.*.bar");
	interest_begins_once_and_ends_once("foo.>");
	interest_begins_once_and_ends_once(">");
}

static void a_leaf_knows_its_subject_and_queue(void)
{
	struct trie trie;
	struct sub *literal, *pattern;
	struct slice slice;

	trie_init(&trie, 3);
	literal = join(&trie, "foo.bar", 1, TRIE_FIRST);
	pattern = join(&trie, "foo.>", 2, TRIE_FIRST);
	slice = leaf_subject(literal->leaf);
	CHECK_TEXT(slice, "foo.bar");
	CHECK(leaf_queue(literal->leaf) == queue_number(1));
	CHECK(leaf_links(literal->leaf)->node == NULL);
	slice = leaf_subject(pattern->leaf);
	CHECK_TEXT(slice, "foo.>");
	CHECK(leaf_queue(pattern->leaf) == queue_number(2));
	CHECK(leaf_links(pattern->leaf)->node != NULL);
	leave(&trie, literal, TRIE_LAST);
	leave(&trie, pattern, TRIE_LAST);
	check_empty(&trie);
}

static void wildcards_match_as_the_protocol_says(void)
{
	struct trie trie;
	struct sub *subs[5];

	trie_init(&trie, 4);
	subs[0] = join(&trie, "foo.*", 0, TRIE_FIRST);
	subs[1] = join(&trie, "foo.>", 0, TRIE_FIRST);
	subs[2] = join(&trie, ">", 0, TRIE_FIRST);
	subs[3] = join(&trie, "foo*", 0, TRIE_FIRST);
	subs[4] = join(&trie, "foo.bar", 0, TRIE_FIRST);
	CHECK_NUMBER(HEARD(&trie, "foo"), 1);
	CHECK_NUMBER(HEARD(&trie, "foo*"), 2);
	CHECK_NUMBER(HEARD(&trie, "foo.bar"), 4);
	CHECK_NUMBER(HEARD(&trie, "foo.baz"), 3);
	CHECK_NUMBER(HEARD(&trie, "foo.bar.baz"), 2);
	/* Published wildcards are ordinary bytes. */
	CHECK_NUMBER(HEARD(&trie, "foo.*"), 3);
	CHECK_NUMBER(HEARD(&trie, "foo.>"), 3);
	CHECK_NUMBER(HEARD(&trie, "*.bar"), 1);
	CHECK_NUMBER(HEARD(&trie, ">"), 1);
	for (size_t at = 0; at < 5; at++)
		leave(&trie, subs[at], TRIE_LAST);
	check_empty(&trie);
}

static void empty_tokens_reach_nobody(void)
{
	static const char *const subjects[] = {"", ".", "..", ".foo", "foo.", "foo..bar", "*."};
	struct trie trie;
	struct sub *subs[3];

	trie_init(&trie, 5);
	subs[0] = join(&trie, ">", 0, TRIE_FIRST);
	subs[1] = join(&trie, "*.*", 0, TRIE_FIRST);
	subs[2] = join(&trie, "*", 0, TRIE_FIRST);
	for (size_t at = 0; at < sizeof(subjects) / sizeof(subjects[0]); at++)
		CHECK_NUMBER(count_matches(&trie, slice_of(subjects[at])), 0);
	for (size_t at = 0; at < 3; at++)
		leave(&trie, subs[at], TRIE_LAST);
	check_empty(&trie);
}

static void only_patterns_change_the_generation(void)
{
	struct trie trie;
	struct sub *first, *second, *literal;
	uint64_t before;

	trie_init(&trie, 6);
	before = trie.pattern_generation;
	literal = join(&trie, "foo.bar", 0, TRIE_FIRST);
	CHECK(trie.pattern_generation == before);
	first = join(&trie, "foo.*", 0, TRIE_FIRST);
	CHECK(trie.pattern_generation != before);
	before = trie.pattern_generation;
	second = join(&trie, "foo.*", 0, TRIE_OK);
	leave(&trie, first, TRIE_OK);
	leave(&trie, literal, TRIE_LAST);
	CHECK(trie.pattern_generation == before);
	leave(&trie, second, TRIE_LAST);
	CHECK(trie.pattern_generation != before);
	/* 0 is what a memo says that holds nothing. */
	CHECK(trie.pattern_generation != 0);
	check_empty(&trie);
}

static char *repeat(const char *piece, size_t count, const char *end)
{
	size_t length = strlen(piece);
	char *text = malloc(count * length + strlen(end) + 1);

	for (size_t at = 0; at < count; at++)
		memcpy(text + at * length, piece, length);
	strcpy(text + count * length, end);
	return text;
}

static void the_deepest_subject_needs_no_stack(void)
{
	enum { DEEP = 200000 };
	char *stars = repeat("*.", DEEP, "*");
	char *mixed = repeat("a.*.", DEEP / 2, "a");
	char *tail = repeat("a.", DEEP, ">");
	char *subject = repeat("a.", DEEP, "a");
	char *deeper = repeat("a.", DEEP, "a.a");
	struct sub *subs[3];
	struct trie trie;

	trie_init(&trie, 7);
	subs[0] = join(&trie, stars, 0, TRIE_FIRST);
	subs[1] = join(&trie, mixed, 0, TRIE_FIRST);
	subs[2] = join(&trie, tail, 0, TRIE_FIRST);
	CHECK_NUMBER(count_matches(&trie, slice_of(subject)), 3);
	CHECK_NUMBER(count_matches(&trie, slice_of(deeper)), 1);
	CHECK_NUMBER(HEARD(&trie, "a"), 0);
	for (size_t at = 0; at < 3; at++)
		leave(&trie, subs[at], TRIE_LAST);
	check_empty(&trie);
	free(stars);
	free(mixed);
	free(tail);
	free(subject);
	free(deeper);
}

/* Every level offers two ways: the room for a walk is used to its last place. */
static void a_walk_with_a_choice_on_every_level_finds_all(void)
{
	enum { LEVELS = 10 };
	struct sub *subs[1 << LEVELS];
	struct trie trie;
	char subject[2 * LEVELS + 1];

	trie_init(&trie, 8);
	for (unsigned number = 0; number < 1 << LEVELS; number++) {
		for (unsigned level = 0; level < LEVELS; level++) {
			subject[2 * level] = number >> level & 1 ? '*' : 'a';
			subject[2 * level + 1] = level + 1 < LEVELS ? '.' : '\0';
		}
		subs[number] = join(&trie, subject, 0, TRIE_FIRST);
	}
	CHECK_NUMBER(HEARD(&trie, "a.a.a.a.a.a.a.a.a.a"), 1 << LEVELS);
	CHECK_NUMBER(HEARD(&trie, "a.a.a.a.a.a.a.a.a.b"), 1 << (LEVELS - 1));
	CHECK_NUMBER(HEARD(&trie, "b.b.b.b.b.b.b.b.b.b"), 1);
	CHECK_NUMBER(HEARD(&trie, "a.a.a.a.a.a.a.a.a"), 0);
	for (unsigned number = 0; number < 1 << LEVELS; number++)
		leave(&trie, subs[number], TRIE_LAST);
	check_empty(&trie);
}

static void a_leaf_grows_and_shrinks_with_its_members(void)
{
	enum { MEMBERS = 1000 };
	struct sub *subs[MEMBERS];
	struct leaf *leaf;
	struct trie trie;

	trie_init(&trie, 9);
	for (size_t at = 0; at < MEMBERS; at++)
		subs[at] = join(&trie, "foo", 0, at ? TRIE_OK : TRIE_FIRST);
	leaf = subs[0]->leaf;
	CHECK_NUMBER(leaf_count(leaf), MEMBERS);
	CHECK(leaf->many->capacity >= MEMBERS && leaf->many->capacity <= 2 * MEMBERS);
	/* From the middle, the front and the back, as 7 is prime to 1000. */
	for (size_t round = 0; round + 1 < MEMBERS; round++) {
		leave(&trie, subs[round * 7 % MEMBERS], TRIE_OK);
		subs[round * 7 % MEMBERS] = NULL;
		CHECK(leaf->many->capacity <= 8 ||
		      leaf_count(leaf) * 4 + 4 >= leaf->many->capacity);
		for (uint32_t at = 0; at < leaf_count(leaf); at++)
			if (leaf_members(leaf)[at]->index != at)
				CHECK_NUMBER(leaf_members(leaf)[at]->index, at);
	}
	CHECK_NUMBER(leaf_count(leaf), 1);
	CHECK(leaf->many->capacity <= 8);
	for (size_t at = 0; at < MEMBERS; at++)
		if (subs[at])
			leave(&trie, subs[at], TRIE_LAST);
	check_empty(&trie);
}

/* A lone member needs no array of its own. */
static void a_leaf_of_one_owns_no_array(void)
{
	struct trie trie;
	struct sub *first, *second;

	trie_init(&trie, 10);
	first = join(&trie, "foo", 0, TRIE_FIRST);
	CHECK(!first->leaf->is_many);
	CHECK(*leaf_members(first->leaf) == first);
	second = join(&trie, "foo", 0, TRIE_OK);
	leave(&trie, first, TRIE_OK);
	CHECK(*leaf_members(second->leaf) == second);
	leave(&trie, second, TRIE_LAST);
	check_empty(&trie);
}

/* Against the naive matcher. */

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % limit);
}

static struct slice random_subject(char text[SUBJECT_MAX], bool clean)
{
	static const char *const tokens[] = {"a", "b", "ab", "*", ">", "a*", "", "*>"};
	uint32_t count = 1 + random_below(5);
	size_t length = 0;

	for (uint32_t at = 0; at < count; at++) {
		const char *token = tokens[random_below(clean ? 5 : 8)];

		if (at > 0)
			text[length++] = '.';
		memcpy(text + length, token, strlen(token));
		length += strlen(token);
	}
	return (struct slice){text, length};
}

enum { STANDING = 150 };

struct standing {
	char text[SUBJECT_MAX];
	struct slice subject;
	size_t queue;
	struct sub *sub;
};

static size_t count_standing(const struct standing *standing, const struct standing *like)
{
	size_t count = 0;

	for (size_t at = 0; at < STANDING; at++)
		count += standing[at].sub && standing[at].queue == like->queue &&
			 slice_equal(standing[at].subject, like->subject);
	return count;
}

static void remove_standing(struct trie *trie, struct standing *standing, struct standing *one)
{
	size_t before = count_standing(standing, one);

	leave(trie, one->sub, before == 1 ? TRIE_LAST : TRIE_OK);
	one->sub = NULL;
}

static void change_standing(struct trie *trie, struct standing *standing)
{
	struct standing *one = &standing[random_below(STANDING)];
	struct leaf *leaf;
	size_t before;

	if (one->sub) {
		remove_standing(trie, standing, one);
		return;
	}
	do
		one->subject = random_subject(one->text, false);
	while (!naive_is_valid(one->subject));
	one->queue = random_below(QUEUES);
	before = count_standing(standing, one);
	one->sub = sub_new(&trie->slab, NULL, SLICE("1"));
	CHECK_NUMBER(take_leaf(trie, one->subject, queue_number(one->queue), &leaf),
		     before == 0 ? TRIE_FIRST : TRIE_OK);
	CHECK_NUMBER(leaf_count(leaf), before);
	CHECK_NUMBER(leaf_join(leaf, one->sub), 0);
}

/* Is the leaf among the answers exactly once? */
static bool is_answered(struct trie *trie, uint32_t patterns, const struct leaf *literal,
			struct leaf *groups, const struct leaf *leaf)
{
	size_t times = literal == leaf;

	for (; groups; groups = leaf_links(groups)->next)
		times += groups == leaf;
	for (uint32_t at = 0; at < patterns; at++)
		times += trie->found[at] == leaf;
	if (times > 1)
		CHECK_NUMBER(times, 1);
	return times > 0;
}

static void compare(struct trie *trie, const struct standing *standing)
{
	char text[SUBJECT_MAX];
	struct slice subject = random_subject(text, random_below(2));
	uint32_t answered = count_matches(trie, subject);
	uint32_t patterns = trie_find_patterns(trie, subject);
	struct leaf *literal = trie_find_literal(trie, subject, trie_hash(trie, subject));
	struct leaf *groups = trie_find_groups(trie, subject, trie_hash(trie, subject));
	uint32_t members = 0, expected = 0;

	for (size_t at = 0; at < STANDING; at++) {
		const struct standing *one = &standing[at];
		bool matches, agrees;

		if (!one->sub)
			continue;
		matches = naive_matches(one->subject, subject);
		expected += matches;
		agrees = is_answered(trie, patterns, literal, groups, one->sub->leaf) == matches;
		if (!agrees) {
			CHECK(agrees);
			printf("# pattern %.*s, subject %.*s\n", (int)one->subject.length,
			       one->text, (int)subject.length, text);
		}
	}
	/* What is answered is nothing else than what stands. */
	for (uint32_t at = 0; at < patterns; at++)
		members += leaf_count(trie->found[at]);
	members += literal ? leaf_count(literal) : 0;
	for (struct leaf *leaf = groups; leaf; leaf = leaf_links(leaf)->next)
		members += leaf_count(leaf);
	if (members != expected)
		CHECK_NUMBER(members, expected);
	CHECK(answered <= members);
}

static void it_agrees_with_a_naive_matcher(void)
{
	static struct standing standing[STANDING];
	struct trie trie;

	for (uint64_t seed = 1; seed <= 10; seed++) {
		random_state = seed;
		trie_init(&trie, seed * 0x9e3779b97f4a7c15u);
		memset(standing, 0, sizeof(standing));
		for (size_t round = 0; round < 2000; round++) {
			change_standing(&trie, standing);
			compare(&trie, standing);
		}
		for (size_t at = 0; at < STANDING; at++)
			if (standing[at].sub)
				remove_standing(&trie, standing, &standing[at]);
		check_empty(&trie);
	}
}

static const struct test_case cases[] = {
	TEST_CASE(an_empty_trie_matches_nothing),
	TEST_CASE(each_subject_and_queue_has_edges_of_its_own),
	TEST_CASE(a_leaf_knows_its_subject_and_queue),
	TEST_CASE(wildcards_match_as_the_protocol_says),
	TEST_CASE(empty_tokens_reach_nobody),
	TEST_CASE(only_patterns_change_the_generation),
	TEST_CASE(the_deepest_subject_needs_no_stack),
	TEST_CASE(a_walk_with_a_choice_on_every_level_finds_all),
	TEST_CASE(a_leaf_grows_and_shrinks_with_its_members),
	TEST_CASE(a_leaf_of_one_owns_no_array),
	TEST_CASE(it_agrees_with_a_naive_matcher),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
