/* SPDX-License-Identifier: MIT */
/*
 * From a subject to those who want it. Knows leaves, no clients.
 *
 *                       root
 *        foo.* ──▶  foo ─┴─ *  ◀── *.bar
 *                    │      │
 *                    *     bar
 *                  leaf    leaf
 *
 * A leaf is one (subject, queue group) pair somebody subscribes to; it holds the subscriptions.
 * Patterns hang in a tree of tokens, a literal subject can only match itself and stands in one
 * hash table of whole subjects: to find it costs one look-up however many there are.
 *
 * What is emptied is pruned at once. TRIE_FIRST and TRIE_LAST say when the interest in a subject
 * and queue begins and ends, for those who must tell others of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/slab.h"
#include "base/slice.h"

struct sub;
struct queue;
struct node;
struct token;

/* The members of a leaf that has had more than one. */
struct members {
	uint32_t count;
	uint32_t capacity;
	struct sub *subs[];
};

/* There may be millions: what only some need stands in front of them, see below. */
struct leaf {
	union {
		struct sub *one; /* NULL: no member yet, or no more */
		struct members *many;
	};
	uint32_t subject_length;
	bool is_many;
	bool has_links;
	char subject[];
};

/* In front of the leaves of patterns and of queue groups. */
struct links {
	struct leaf *next;   /* same subject, another queue group; plain subscriptions come first */
	struct leaf *previous;
	struct leaf *next_noted; /* queue.noted */
	struct node *node;   /* of a pattern; NULL for a literal subject */
	struct queue *queue; /* NULL: plain subscriptions */
};

struct trie {
	struct slab slab;    /* leaves and nodes; and the subscriptions, which stand beside them */
	struct map literals; /* subject -> its leaf of plain subscriptions */
	struct map groups;   /* subject -> the first of its leaves of queue groups */
	struct node *root;   /* of the patterns; NULL: there are none */
	/* They change with the leaves of patterns, and of literal subjects: what was remembered is
	   stale. Never 0. */
	uint64_t pattern_generation;
	uint64_t literal_generation;
	uint64_t key;        /* of the hashes */
	uint32_t depth;      /* no pattern has had more tokens */
	uint32_t pattern_leaves;
	struct visit *visits; /* room for a walk: depth + 1 of them */
	struct token *tokens; /* and for the first tokens of its subject: depth of them */
	struct leaf **found;  /* the last walk's answer, room for pattern_leaves or more */
	uint32_t found_capacity;
	uint32_t visited;     /* nodes, in the last walk: what it cost */
};

enum { TRIE_OK = 0, TRIE_FIRST = 1, TRIE_LAST = 2 };

/* `key` is random. */
void trie_init(struct trie *trie, uint64_t key);
void trie_fini(struct trie *trie); /* all leaves are gone */

/* All that it takes, and its slab gives, is counted there as well from now on: it is still empty. */
void trie_count_bytes(struct trie *trie, size_t *bytes);

/*
 * A leaf's share of that, about: all of what is only there for it, and of a table or a node a part,
 * as if all that hangs there were alike.
 */
size_t trie_leaf_bytes(const struct trie *trie, const struct leaf *leaf);

/* Gives back the memory that nothing stands in. */
void trie_trim(struct trie *trie);

static inline uint32_t trie_hash(const struct trie *trie, struct slice subject)
{
	return hash_bytes(trie->key, subject);
}

/*
 * The leaf of a valid subject for plain subscriptions, made if need be. TRIE_OK; TRIE_FIRST: it is
 * new; -ENOMEM.
 */
int trie_take(struct trie *trie, struct slice subject, struct leaf **leaf);

/* A new leaf for a queue group that has none there, as the caller knows. TRIE_FIRST or -ENOMEM. */
int trie_take_queue(struct trie *trie, struct slice subject, struct queue *queue,
		    struct leaf **leaf);

/* Frees a leaf that has no members. */
void trie_drop(struct trie *trie, struct leaf *leaf);

/* 0 or -ENOMEM. */
int leaf_join(struct leaf *leaf, struct sub *sub);

/* TRIE_LAST: nobody is left, and the leaf is to be dropped. */
int leaf_leave(struct leaf *leaf, struct sub *sub);

static inline struct links *leaf_links(const struct leaf *leaf)
{
	return leaf->has_links ? (struct links *)(uintptr_t)leaf - 1 : NULL;
}

/* NULL: plain subscriptions. */
static inline struct queue *leaf_queue(const struct leaf *leaf)
{
	return leaf->has_links ? leaf_links(leaf)->queue : NULL;
}

static inline uint32_t leaf_count(const struct leaf *leaf)
{
	return leaf->is_many ? leaf->many->count : leaf->one != NULL;
}

static inline struct sub **leaf_members(struct leaf *leaf)
{
	return leaf->is_many ? leaf->many->subs : &leaf->one;
}

static inline struct slice leaf_subject(const struct leaf *leaf)
{
	return (struct slice){leaf->subject, leaf->subject_length};
}

/* For maps of leaves by subject. */

static inline struct slice leaf_name(const void *leaf)
{
	return leaf_subject(leaf);
}

static inline uint32_t leaf_hash(uint64_t key, const void *leaf)
{
	return hash_bytes(key, leaf_subject(leaf));
}

/* It will be dropped soon: asks for where it stands. */
static inline void trie_expect_leaf(const struct trie *trie, const struct leaf *leaf)
{
	if (!leaf->has_links)
		map_expect(&trie->literals, leaf_hash(trie->key, leaf));
}

/* The leaf of plain subscriptions to this very subject, or NULL. */
static inline struct leaf *trie_find_literal(const struct trie *trie, struct slice subject,
					     uint32_t hash)
{
	return map_find(&trie->literals, hash, subject, leaf_name);
}

/* The leaves of queue groups on this very subject, linked by `next`, or NULL. */
static inline struct leaf *trie_find_groups(const struct trie *trie, struct slice subject,
					    uint32_t hash)
{
	return map_find(&trie->groups, hash, subject, leaf_name);
}

/* All leaves that match a subject. */
struct match {
	struct leaf *literal;          /* of plain subscriptions to this very subject; or NULL */
	struct leaf *groups;           /* the first of its queue groups, linked by `next`; or NULL */
	struct leaf *const *patterns;  /* as with trie_find_patterns() */
	uint32_t count;                /* of patterns */
};

/* `hash` is the subject's. Allocates nothing. */
struct match trie_find(struct trie *trie, struct slice subject, uint32_t hash);

/*
 * The leaves of all patterns that match, in trie->found; returns how many. Allocates nothing.
 * They stay until the trie changes or is asked again.
 */
uint32_t trie_find_patterns(struct trie *trie, struct slice subject);
