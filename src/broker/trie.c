/* SPDX-License-Identifier: MIT */
#include "broker/trie.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "broker/sub.h"
#include "proto/subject.h"

/* One token of a pattern, below those before it. */
struct node {
	struct node *parent;
	struct map children;  /* literal tokens */
	struct node *star;    /* the child for `*` */
	struct leaf *leaves;  /* patterns that end here */
	struct leaf *tails;   /* patterns that go on with a last `>` */
	uint32_t hash;
	uint32_t length;
	char token[];
};

/* A place where a walk still has to go: a node, and the subject's rest below it. */
struct visit {
	struct node *node;
	struct slice rest;
};

static struct slice node_name(const void *item)
{
	const struct node *node = item;

	return (struct slice){node->token, node->length};
}

void trie_init(struct trie *trie, uint64_t key)
{
	*trie = (struct trie){.key = key};
}

/* The room for walks, when there is nothing to walk. */
static void free_room(struct trie *trie)
{
	free(trie->visits);
	free(trie->found);
	trie->visits = NULL;
	trie->found = NULL;
	trie->depth = trie->found_capacity = 0;
}

void trie_fini(struct trie *trie)
{
	assert(!trie->root && trie->literals.count == 0);
	map_fini(&trie->literals);
	free_room(trie);
}

static bool is_token(struct slice token, char wildcard)
{
	return token.length == 1 && token.bytes[0] == wildcard;
}

static struct node *new_node(struct node *parent, struct slice token, uint32_t hash)
{
	struct node *node = malloc(sizeof(*node) + token.length);

	if (!node)
		return NULL;
	*node = (struct node){.parent = parent, .hash = hash, .length = (uint32_t)token.length};
	if (token.length > 0)
		memcpy(node->token, token.bytes, token.length);
	return node;
}

static bool node_is_empty(const struct node *node)
{
	return node->children.count == 0 && !node->star && !node->leaves && !node->tails;
}

/* Frees a node that holds nothing, and its parents as long as they hold nothing else. */
static void prune(struct trie *trie, struct node *node)
{
	while (node && node_is_empty(node)) {
		struct node *parent = node->parent;

		if (!parent)
			trie->root = NULL;
		else if (parent->star == node)
			parent->star = NULL;
		else
			map_remove(&parent->children, node->hash, node);
		map_fini(&node->children);
		free(node);
		node = parent;
	}
}

static struct node *take_star(struct node *node)
{
	if (!node->star)
		node->star = new_node(node, SLICE("*"), 0);
	return node->star;
}

/* The child for a token of a pattern, made if need be; NULL without memory. */
static struct node *take_child(struct trie *trie, struct node *node, struct slice token)
{
	uint32_t hash = hash_bytes(trie->key, token);
	struct node *child;

	if (is_token(token, '*'))
		return take_star(node);
	child = map_find(&node->children, hash, token, node_name);
	if (child || map_reserve(&node->children) < 0)
		return child;
	child = new_node(node, token, hash);
	if (child)
		map_put(&node->children, hash, child);
	return child;
}

/* The node under which a pattern's leaf hangs. A last `>` has no node of its own. */
static int take_node(struct trie *trie, struct slice subject, struct node **found, bool *tail)
{
	struct node *node;

	if (!trie->root)
		trie->root = new_node(NULL, (struct slice){NULL, 0}, 0);
	node = trie->root;
	*tail = false;
	while (node && subject.bytes && !*tail) {
		struct slice token = subject_next_token(&subject);
		struct node *child;

		if (is_token(token, '>')) {
			*tail = true;
			break;
		}
		child = take_child(trie, node, token);
		if (!child)
			prune(trie, node);
		node = child;
	}
	*found = node;
	return node ? 0 : -ENOMEM;
}

/* A walk remembers at most one place a level. */
static int reserve_depth(struct trie *trie, size_t depth)
{
	struct visit *visits;

	if (depth <= trie->depth && trie->visits)
		return 0;
	visits = realloc(trie->visits, (depth + 1) * sizeof(*visits));
	if (!visits)
		return -ENOMEM;
	trie->visits = visits;
	trie->depth = (uint32_t)depth;
	return 0;
}

static int reserve_found(struct trie *trie)
{
	uint32_t capacity = trie->found_capacity ? trie->found_capacity * 2 : 16;
	struct leaf **found;

	if (trie->pattern_leaves < trie->found_capacity)
		return 0;
	found = realloc(trie->found, capacity * sizeof(struct leaf *));
	if (!found)
		return -ENOMEM;
	trie->found = found;
	trie->found_capacity = capacity;
	return 0;
}

static struct leaf *new_leaf(struct slice subject, struct queue *queue, uint32_t hash)
{
	struct leaf *leaf = malloc(sizeof(*leaf) + subject.length);

	if (!leaf)
		return NULL;
	*leaf = (struct leaf){.queue = queue, .hash = hash,
			      .subject_length = (uint32_t)subject.length};
	memcpy(leaf->subject, subject.bytes, subject.length);
	return leaf;
}

/* Plain subscriptions come first, so that theirs is found at once; groups follow in no order. */
static void link_leaf(struct leaf **list, struct leaf *leaf)
{
	struct leaf *first = *list;

	if (first && leaf->queue) {
		leaf->previous = first;
		leaf->next = first->next;
		first->next = leaf;
	} else {
		leaf->next = first;
		*list = leaf;
	}
	if (leaf->next)
		leaf->next->previous = leaf;
}

static void unlink_leaf(struct leaf **list, const struct leaf *leaf)
{
	if (leaf->next)
		leaf->next->previous = leaf->previous;
	if (leaf->previous)
		leaf->previous->next = leaf->next;
	else
		*list = leaf->next;
}

/* The leaf of plain subscriptions, if this is what is asked for and there is one. */
static struct leaf *find_plain(struct leaf *first, const struct queue *queue)
{
	return first && !first->queue && !queue ? first : NULL;
}

static int take_pattern(struct trie *trie, struct slice subject, struct queue *queue,
			struct leaf **leaf)
{
	struct leaf **list;
	struct node *node;
	bool tail;

	if (reserve_depth(trie, subject_count_tokens(subject)) < 0 || reserve_found(trie) < 0 ||
	    take_node(trie, subject, &node, &tail) < 0)
		return -ENOMEM;
	list = tail ? &node->tails : &node->leaves;
	*leaf = find_plain(*list, queue);
	if (*leaf)
		return TRIE_OK;
	*leaf = new_leaf(subject, queue, 0);
	if (!*leaf) {
		prune(trie, node);
		return -ENOMEM;
	}
	(*leaf)->node = node;
	link_leaf(list, *leaf);
	trie->pattern_leaves++;
	trie->generation++;
	return TRIE_FIRST;
}

static int take_literal(struct trie *trie, struct slice subject, struct queue *queue,
			struct leaf **leaf)
{
	uint32_t hash = trie_hash(trie, subject);
	struct leaf *first = trie_find_literal(trie, subject, hash);
	struct leaf *list = first;

	*leaf = find_plain(first, queue);
	if (*leaf)
		return TRIE_OK;
	if (!first && map_reserve(&trie->literals) < 0)
		return -ENOMEM;
	*leaf = new_leaf(subject, queue, hash);
	if (!*leaf)
		return -ENOMEM;
	link_leaf(&list, *leaf);
	if (!first)
		map_put(&trie->literals, hash, *leaf);
	else if (list != first)
		map_replace(&trie->literals, hash, first, list);
	return TRIE_FIRST;
}

static int take(struct trie *trie, struct slice subject, struct queue *queue, struct leaf **leaf)
{
	if (subject_kind(subject) == SUBJECT_LITERAL)
		return take_literal(trie, subject, queue, leaf);
	return take_pattern(trie, subject, queue, leaf);
}

int trie_take(struct trie *trie, struct slice subject, struct leaf **leaf)
{
	return take(trie, subject, NULL, leaf);
}

int trie_take_queue(struct trie *trie, struct slice subject, struct queue *queue,
		    struct leaf **leaf)
{
	return take(trie, subject, queue, leaf);
}

static void drop_pattern(struct trie *trie, struct leaf *leaf)
{
	struct slice subject = leaf_subject(leaf);
	bool tail = subject.bytes[subject.length - 1] == '>' &&
		    (subject.length == 1 || subject.bytes[subject.length - 2] == '.');

	unlink_leaf(tail ? &leaf->node->tails : &leaf->node->leaves, leaf);
	trie->pattern_leaves--;
	trie->generation++;
	prune(trie, leaf->node);
	if (trie->pattern_leaves == 0)
		free_room(trie);
}

static void drop_literal(struct trie *trie, struct leaf *leaf)
{
	struct leaf *first = leaf;

	if (!leaf->previous && leaf->next)
		map_replace(&trie->literals, leaf->hash, leaf, leaf->next);
	else if (!leaf->previous)
		map_remove(&trie->literals, leaf->hash, leaf);
	unlink_leaf(&first, leaf);
}

void trie_drop(struct trie *trie, struct leaf *leaf)
{
	assert(leaf->count == 0);
	if (leaf->node)
		drop_pattern(trie, leaf);
	else
		drop_literal(trie, leaf);
	if (leaf->capacity)
		free(leaf->many);
	free(leaf);
}

/* From one member in place to an array, or to a larger one. */
static int grow(struct leaf *leaf)
{
	uint32_t capacity = leaf->capacity ? leaf->capacity * 2 : 4;
	struct sub **many = realloc(leaf->capacity ? leaf->many : NULL, capacity * sizeof(*many));

	if (!many)
		return -ENOMEM;
	if (!leaf->capacity && leaf->count == 1)
		many[0] = leaf->one;
	leaf->many = many;
	leaf->capacity = capacity;
	return 0;
}

int leaf_join(struct leaf *leaf, struct sub *sub)
{
	if (leaf->count == (leaf->capacity ? leaf->capacity : 1) && grow(leaf) < 0)
		return -ENOMEM;
	sub->leaf = leaf;
	sub->index = leaf->count;
	leaf_members(leaf)[leaf->count++] = sub;
	return 0;
}

/* A failure to shrink costs memory, nothing else. */
static void shrink(struct leaf *leaf)
{
	struct sub **many;

	if (leaf->capacity <= 8 || leaf->count > leaf->capacity / 4)
		return;
	many = realloc(leaf->many, leaf->capacity / 2 * sizeof(struct sub *));
	if (!many)
		return;
	leaf->many = many;
	leaf->capacity /= 2;
}

int leaf_leave(struct leaf *leaf, struct sub *sub)
{
	struct sub **members = leaf_members(leaf);
	struct sub *last = members[leaf->count - 1];

	assert(members[sub->index] == sub);
	members[sub->index] = last;
	last->index = sub->index;
	leaf->count--;
	sub->leaf = NULL;
	shrink(leaf);
	return leaf->count == 0 ? TRIE_LAST : TRIE_OK;
}

static uint32_t gather(struct trie *trie, uint32_t count, struct leaf *leaf)
{
	for (; leaf; leaf = leaf->next)
		trie->found[count++] = leaf;
	return count;
}

/*
 * Depth first. At each node the walk goes on with the literal child and remembers the star child
 * for later, so there is at most one place to remember a level.
 */
uint32_t trie_find_patterns(struct trie *trie, struct slice subject)
{
	uint32_t count = 0;
	size_t open = 0;

	trie->visited = 0;
	if (!trie->root || !subject_has_only_full_tokens(subject))
		return 0;
	trie->visits[open++] = (struct visit){trie->root, subject};
	while (open > 0) {
		struct visit visit = trie->visits[--open];
		struct node *node = visit.node;
		struct node *child;
		struct slice token;

		trie->visited++;
		if (!visit.rest.bytes) {
			count = gather(trie, count, node->leaves);
			continue;
		}
		count = gather(trie, count, node->tails);
		token = subject_next_token(&visit.rest);
		if (node->star)
			trie->visits[open++] = (struct visit){node->star, visit.rest};
		if (node->children.count == 0)
			continue;
		child = map_find(&node->children, hash_bytes(trie->key, token), token, node_name);
		if (child)
			trie->visits[open++] = (struct visit){child, visit.rest};
	}
	return count;
}
