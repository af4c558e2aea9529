/* SPDX-License-Identifier: MIT */
/*
 * The trie, and what is known of subjects, against a naive matcher.
 *
 * An input is lines: "+SUBJECT" and "1SUBJECT" to "3SUBJECT" subscribe, without and with a queue
 * group; "-" and a byte unsubscribes; anything else is a subject that is published. Tokens are
 * what one likes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/naive.h"
#include "../unit/take.h"
#include "broker/sub.h"
#include "broker/trie.h"
#include "proto/subject.h"
#include "fuzz.h"

enum { STANDING = 64 };

struct standing {
	struct slice subject; /* in the input */
	struct queue *queue;
	struct sub *sub;      /* NULL: nobody stands here */
};

static size_t count_alike(const struct standing *all, const struct standing *one)
{
	size_t count = 0;

	for (size_t at = 0; at < STANDING; at++)
		count += all[at].sub && all[at].queue == one->queue &&
			 slice_equal(all[at].subject, one->subject);
	return count;
}

static void subscribe(struct trie *trie, struct standing *all, struct slice subject, size_t queue)
{
	static char queues[4];
	struct standing *one = all;
	struct leaf *leaf;
	size_t alike;
	int answer;

	require((subject_kind(subject) != SUBJECT_INVALID) == naive_is_valid(subject),
		"both know what is valid");
	while (one < all + STANDING && one->sub)
		one++;
	if (one == all + STANDING || !naive_is_valid(subject))
		return;
	one->subject = subject;
	one->queue = queue ? (struct queue *)(void *)&queues[queue] : NULL;
	alike = count_alike(all, one);
	answer = take_leaf(trie, subject, one->queue, &leaf);
	require(answer == (alike ? TRIE_OK : TRIE_FIRST), "the first one is told");
	require(leaf_count(leaf) == alike, "a leaf has all members");
	one->sub = sub_new(&trie->slab, NULL, SLICE("1"));
	require(leaf_join(leaf, one->sub) == 0, "there is memory");
}

static void unsubscribe(struct trie *trie, struct standing *all, struct standing *one)
{
	struct leaf *leaf;
	int answer;

	if (!one->sub)
		return;
	leaf = one->sub->leaf;
	answer = leaf_leave(leaf, one->sub);
	require(answer == (count_alike(all, one) == 1 ? TRIE_LAST : TRIE_OK),
		"the last one is told");
	if (answer == TRIE_LAST)
		trie_drop(trie, leaf);
	sub_free(&trie->slab, one->sub);
	one->sub = NULL;
}

/* What two patterns are to each other shows in what each of them hears. */
static void compare(struct slice one, struct slice other, struct slice subject)
{
	bool hears = naive_matches(one, subject), other_hears = naive_matches(other, subject);

	require(!hears || !other_hears || (subject_overlaps(one, other) &&
					   subject_overlaps(other, one)),
		"what hears the same overlaps");
	require(!other_hears || hears || !subject_covers(one, other),
		"what covers another hears all that it does");
	require(subject_overlaps(one, other) || !subject_covers(one, other),
		"what covers another overlaps it");
}

static void check_subject(const struct standing *all, struct slice subject)
{
	const struct standing *before = NULL;

	require(subject_has_only_full_tokens(subject) == !naive_has_empty_token(subject),
		"both know what is empty");
	for (const struct standing *one = all; one < all + STANDING; one++) {
		if (!one->sub)
			continue;
		require(subject_matches(one->subject, subject) ==
				naive_matches(one->subject, subject),
			"both know what matches");
		require(subject_covers(one->subject, one->subject), "each covers itself");
		if (before) {
			compare(one->subject, before->subject, subject);
			compare(before->subject, one->subject, subject);
		}
		before = one;
	}
}

static void publish(struct trie *trie, const struct standing *all, struct slice subject)
{
	uint32_t hash = trie_hash(trie, subject);
	struct leaf *leaf = trie_find_literal(trie, subject, hash);
	struct leaf *group = trie_find_groups(trie, subject, hash);
	uint32_t patterns = trie_find_patterns(trie, subject);
	size_t members = 0, expected = 0;

	if (leaf) {
		require(naive_matches(leaf_subject(leaf), subject), "a literal answer matches");
		members += leaf_count(leaf);
	}
	for (; group; group = leaf_links(group)->next) {
		require(naive_matches(leaf_subject(group), subject), "a group matches");
		members += leaf_count(group);
	}
	for (uint32_t at = 0; at < patterns; at++) {
		require(naive_matches(leaf_subject(trie->found[at]), subject), "a pattern matches");
		members += leaf_count(trie->found[at]);
	}
	for (size_t at = 0; at < STANDING; at++)
		expected += all[at].sub && naive_matches(all[at].subject, subject);
	require(members == expected, "all that match are found, once");
	check_subject(all, subject);
}

static void obey(struct trie *trie, struct standing *all, struct slice line)
{
	if (line.length > 1 && line.bytes[0] == '+')
		subscribe(trie, all, slice_after(line, 1), 0);
	else if (line.length > 1 && line.bytes[0] >= '1' && line.bytes[0] <= '3')
		subscribe(trie, all, slice_after(line, 1), (size_t)(line.bytes[0] - '0'));
	else if (line.length == 2 && line.bytes[0] == '-')
		unsubscribe(trie, all, &all[(unsigned char)line.bytes[1] % STANDING]);
	else
		publish(trie, all, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct standing all[STANDING] = {{{NULL, 0}, NULL, NULL}};
	struct slice rest = {(const char *)data, size};
	struct trie trie;

	trie_init(&trie, 0x9e3779b97f4a7c15u);
	while (rest.length > 0) {
		const char *end = memchr(rest.bytes, '\n', rest.length);
		size_t length = end ? (size_t)(end - rest.bytes) : rest.length;

		obey(&trie, all, (struct slice){rest.bytes, length});
		rest = slice_after(rest, length + (end != NULL));
	}
	for (size_t at = 0; at < STANDING; at++)
		unsubscribe(&trie, all, &all[at]);
	require(!trie.root && trie.literals.count == 0 && trie.pattern_leaves == 0,
		"nothing is left");
	trie_fini(&trie);
	return 0;
}
