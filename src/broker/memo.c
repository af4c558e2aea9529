/* SPDX-License-Identifier: MIT */
#include "broker/memo.h"

#include <stdlib.h>

#include "proto/parser.h"
#include "proto/writer.h"

enum {
	/* Patterns that branch as much as they can are not looked through ahead of time. */
	AHEAD_WORK = 1024,
	/* Where it was of little use, so many messages go by before the next try. */
	FUTILE_REST = 32,
};

void memos_fini(struct memos *memos)
{
	free(memos->lately);
	free(memos->ahead);
}

/* All leaves that are found cost as well: a pattern may have a hundred thousand queue groups. */
static struct match look_up(struct trie *trie, struct slice subject, uint32_t hash, uint64_t *work)
{
	struct match match = trie_find(trie, subject, hash);

	*work += trie->visited + match.count;
	return match;
}

/* What it knew of another subject is not to be believed of this one. */
static void name_memo(struct memo *memo, struct slice subject, uint32_t hash)
{
	memo->pattern_generation = 0;
	*writer_copy(writer_copy(memo->line, SLICE("HMSG ")), subject) = ' ';
	memo->length = (uint32_t)subject.length;
	memo->hash = hash;
}

/* There are at most MEMO_PATTERNS. */
static void fill_memo(struct memo *memo, const struct trie *trie, const struct match *match)
{
	memo->match = *match;
	memo->match.patterns = memo->patterns;
	for (uint32_t at = 0; at < match->count; at++)
		memo->patterns[at] = match->patterns[at];
	memo->pattern_generation = trie->pattern_generation;
	memo->literal_generation = trie->literal_generation;
}

/* Lately. */

/* The place of a subject's memo; NULL: it can have none. */
static struct memo *memo_place(const struct memos *memos, struct slice subject, uint32_t hash)
{
	if (!memos->lately || subject.length > MEMO_SUBJECT)
		return NULL;
	return &memos->lately[hash % MEMOS_LATELY];
}

static bool memo_is_of(const struct memo *memo, const struct trie *trie, struct slice subject,
		       uint32_t hash)
{
	return memo->pattern_generation == trie->pattern_generation && memo->hash == hash &&
	       memo->length == subject.length &&
	       memcmp(memo->line + 5, subject.bytes, subject.length) == 0;
}

/* Notes that this subject passed. True: it had, lately. */
static bool note_passed(struct memos *memos, uint32_t hash)
{
	uint32_t *passed = &memos->passed[hash % MEMOS_LATELY];
	bool had = *passed == hash;

	*passed = hash;
	return had;
}

/* Of a subject that was looked up. The first time it is only noted that it was there. */
static struct memo *remember(struct memos *memos, const struct trie *trie, struct slice subject,
			     uint32_t hash, const struct match *match)
{
	struct memo *memo;

	if (!memos->lately)
		memos->lately = calloc(MEMOS_LATELY, sizeof(*memos->lately));
	memo = memo_place(memos, subject, hash);
	if (!memo || match->count > MEMO_PATTERNS || !note_passed(memos, hash))
		return NULL;
	name_memo(memo, subject, hash);
	fill_memo(memo, trie, match);
	return memo;
}

/* Literal subjects come and go all day: those are looked up without asking the patterns again. */
static void refresh(struct memo *memo, const struct trie *trie, struct slice subject)
{
	memo->match.literal = trie_find_literal(trie, subject, memo->hash);
	memo->match.groups = trie_find_groups(trie, subject, memo->hash);
	memo->literal_generation = trie->literal_generation;
}

struct match memos_find(struct memos *memos, struct trie *trie, struct slice subject,
			struct memo *memo, uint64_t *work)
{
	struct match match;
	uint32_t hash;

	memos->recent = memo;
	if (memo && memo_is_fresh(memo, trie))
		return memo->match;
	hash = memo ? memo->hash : trie_hash(trie, subject);
	memo = memo_place(memos, subject, hash);
	if (!memo || !memo_is_of(memo, trie, subject, hash)) {
		match = look_up(trie, subject, hash, work);
		memos->recent = remember(memos, trie, subject, hash, &match);
		return match;
	}
	memos->recent = memo;
	if (!memo_is_fresh(memo, trie))
		refresh(memo, trie, subject);
	return memo->match;
}

/* Ahead. */

/*
 * Names memos for the next messages, up to the first whose subject has passed lately, or is too
 * long. Who has passed comes again, and is better kept; where the first is such a one, others will
 * be, and looking ahead rests for a while. Asks memory for their places among literal subjects.
 */
static uint32_t name_next(struct memos *memos, const struct trie *trie, struct slice input)
{
	uint32_t count = 0;
	struct op op = {0};

	while (count < MEMOS_AHEAD && parser_glance(&input, &op)) {
		struct memo *memo = &memos->ahead[count];
		uint32_t hash = trie_hash(trie, op.subject);

		if (op.subject.length > MEMO_SUBJECT || note_passed(memos, hash)) {
			if (count == 0)
				memos->futile = FUTILE_REST;
			break;
		}
		name_memo(memo, op.subject, hash);
		map_expect(&trie->literals, hash);
		count++;
	}
	for (uint32_t at = 0; at < count; at++)
		prefetch(map_likely(&trie->literals, memos->ahead[at].hash));
	return count;
}

void memos_leave(struct memos *memos, uint32_t from, uint32_t to)
{
	for (uint32_t at = from; at < to; at++)
		memos->passed[memos->ahead[at].hash % MEMOS_LATELY] = 0;
}

uint32_t memos_foresee(struct memos *memos, struct trie *trie, struct slice input, uint64_t *work)
{
	uint64_t before = *work;
	uint32_t count, at = 0;

	if (memos->futile > 0) {
		memos->futile--;
		return 0;
	}
	if (!memos->ahead)
		memos->ahead = calloc(MEMOS_AHEAD, sizeof(*memos->ahead));
	if (!memos->ahead)
		return 0;
	count = name_next(memos, trie, input);
	for (; at < count; at++) {
		struct memo *memo = &memos->ahead[at];
		struct slice subject = {memo->line + 5, memo->length};
		struct match match = look_up(trie, subject, memo->hash, work);

		/* More than a memo holds, or than should be done in one go. */
		if (match.count > MEMO_PATTERNS || *work - before > AHEAD_WORK) {
			memos->futile = FUTILE_REST;
			break;
		}
		fill_memo(memo, trie, &match);
		if (match.literal)
			prefetch(match.literal->one);
		else if (match.count)
			prefetch(match.patterns[0]->one);
	}
	memos_leave(memos, at, count);
	return at;
}
