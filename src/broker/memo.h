/* SPDX-License-Identifier: MIT */
/*
 * What the trie answered to subjects, so that it is not asked again: to those that come again, and,
 * in a burst of messages to ever other subjects, to those that come next. What many look-ups wait
 * for in memory is waited for once.
 */
#pragma once

#include <stdint.h>

#include "base/scan.h"
#include "broker/trie.h"

enum {
	MEMO_SUBJECT = 64,
	MEMO_PATTERNS = 8,
	MEMOS_LATELY = 64,
	MEMOS_AHEAD = 16,
};

/*
 * One subject's. A publisher remembers where the memo of its last subject is, and knows by the
 * subject in it whether it still is that.
 */
struct memo {
	struct match match;
	uint64_t pattern_generation; /* of the trie; another one: the match is stale. 0: unused */
	uint64_t literal_generation;
	uint32_t hash;
	uint32_t length; /* of the subject */
	struct scan_number size; /* of the last message to it, in the publisher's words */
	struct leaf *patterns[MEMO_PATTERNS];
	char line[5 + MEMO_SUBJECT + 1]; /* "HMSG subject ": how a line begins, and from its second
					    byte on one without headers */
};

/* All zero: none. */
struct memos {
	struct memo *lately; /* subjects that were looked up twice; NULL: none yet */
	struct memo *ahead;  /* the last answer of memos_foresee(); NULL: none yet */
	struct memo *recent; /* of the last message's subject; NULL: it has none */
	uint32_t passed[MEMOS_LATELY]; /* hashes of subjects that were looked up, or ahead */
	uint32_t futile;     /* so many calls of memos_foresee() do nothing: it was of little use */
};

void memos_fini(struct memos *memos);

/*
 * All leaves that match, and sets `recent`. `memo` is of this subject, where the publisher
 * remembers it; NULL: look it up. `work` grows by what that costs.
 */
struct match memos_find(struct memos *memos, struct trie *trie, struct slice subject,
			struct memo *memo, uint64_t *work);

/*
 * What the messages that `input` begins with will look up; nothing else is decided about them.
 * Returns for how many of them `ahead` has a memo, the first one's first. It stands there until the
 * next time. 0: nothing is foreseen.
 */
uint32_t memos_foresee(struct memos *memos, struct trie *trie, struct slice input, uint64_t *work);

/* The messages from one to another of these come later, perhaps: they have not passed yet. */
void memos_leave(struct memos *memos, uint32_t from, uint32_t to);

static inline bool memo_is_fresh(const struct memo *memo, const struct trie *trie)
{
	return memo->pattern_generation == trie->pattern_generation &&
	       memo->literal_generation == trie->literal_generation;
}

/* A memo's subject and the blank behind it. */
static inline struct slice memo_subject(const struct memo *memo)
{
	return (struct slice){memo->line + 5, memo->length + 1};
}
