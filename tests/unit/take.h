/* SPDX-License-Identifier: MIT */
/*
 * The leaf of a subject and a queue group, made if need be: what the router does, which knows the
 * leaves of its groups, without a router.
 */
#pragma once

#include "broker/trie.h"

static inline struct leaf *take_if(struct leaf *leaf, struct slice subject,
				   const struct queue *queue)
{
	return leaf_queue(leaf) == queue && slice_equal(leaf_subject(leaf), subject) ? leaf : NULL;
}

/* A pattern matches itself when it is published. */
static inline struct leaf *take_existing(struct trie *trie, struct slice subject,
					 const struct queue *queue)
{
	struct leaf *leaf = trie_find_groups(trie, subject, trie_hash(trie, subject));
	uint32_t count = trie_find_patterns(trie, subject);

	for (; leaf; leaf = leaf_links(leaf)->next)
		if (take_if(leaf, subject, queue))
			return leaf;
	while (count-- > 0)
		if (take_if(trie->found[count], subject, queue))
			return trie->found[count];
	return NULL;
}

static inline int take_leaf(struct trie *trie, struct slice subject, struct queue *queue,
			    struct leaf **leaf)
{
	if (!queue)
		return trie_take(trie, subject, leaf);
	*leaf = take_existing(trie, subject, queue);
	return *leaf ? TRIE_OK : trie_take_queue(trie, subject, queue, leaf);
}
