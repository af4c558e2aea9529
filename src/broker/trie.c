/* SPDX-License-Identifier: MIT */
#include "broker/trie.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/scan.h"
#include "broker/sub.h"
#include "proto/subject.h"

/* One token of a pattern, below those before it. */
struct node {
	struct node *parent;
	struct map children;  /* literal tokens */
	struct node *star;    /* the child for `*` */
	struct leaf *leaves;  /* patterns that end here */
	struct leaf *tails;   /* patterns that go on with a last `>` */
	uint32_t length;
	char token[];
};

/* One of a published subject. */
struct token {
	struct slice text;
	uint32_t hash;
};

/* A place where a walk still has to go: a node, and which token decides below it. */
struct visit {
	struct node *node;
	size_t at;
};

static struct slice node_name(const void *item)
{
	const struct node *node = item;

	return (struct slice){node->token, node->length};
}

static uint32_t node_hash(uint64_t key, const void *node)
{
	return hash_bytes(key, node_name(node));
}

void trie_init(struct trie *trie, uint64_t key)
{
	*trie = (struct trie){.key = key, .pattern_generation = 1, .literal_generation = 1};
	slab_init(&trie->slab);
}

void trie_count_bytes(struct trie *trie, size_t *bytes)
{
	trie->slab.bytes = bytes;
}

/* The room for walks, when there is nothing to walk. */
static void free_room(struct trie *trie)
{
	free(trie->visits);
	free(trie->tokens);
	free(trie->found);
	trie->visits = NULL;
	trie->tokens = NULL;
	trie->found = NULL;
	trie->depth = trie->found_capacity = 0;
}

void trie_fini(struct trie *trie)
{
	assert(!trie->root && trie->literals.count == 0 && trie->groups.count == 0);
	map_fini(&trie->literals, trie->slab.bytes);
	map_fini(&trie->groups, trie->slab.bytes);
	free_room(trie);
	slab_fini(&trie->slab);
}

void trie_trim(struct trie *trie)
{
	slab_trim(&trie->slab);
}

static bool is_token(struct slice token, char wildcard)
{
	return token.length == 1 && token.bytes[0] == wildcard;
}

static size_t node_size(size_t length)
{
	return sizeof(struct node) + length;
}

static struct node *new_node(struct trie *trie, struct node *parent, struct slice token)
{
	struct node *node = slab_take(&trie->slab, node_size(token.length));

	if (!node)
		return NULL;
	*node = (struct node){.parent = parent, .length = (uint32_t)token.length};
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
			map_remove(&parent->children, node_hash(trie->key, node), node, trie->key,
				   node_hash, trie->slab.bytes);
		/* Room for a child that never came. */
		map_fini(&node->children, trie->slab.bytes);
		slab_return(&trie->slab, node, node_size(node->length));
		node = parent;
	}
}

static struct node *take_star(struct trie *trie, struct node *node)
{
	if (!node->star)
		node->star = new_node(trie, node, SLICE("*"));
	return node->star;
}

/* The child for a token of a pattern, made if need be; NULL without memory. */
static struct node *take_child(struct trie *trie, struct node *node, struct slice token)
{
	uint32_t hash = hash_bytes(trie->key, token);
	struct node *child;

	if (is_token(token, '*'))
		return take_star(trie, node);
	child = map_find(&node->children, hash, token, node_name);
	if (child ||
	    map_reserve(&node->children, trie->key, node_hash, trie->slab.bytes) < 0)
		return child;
	child = new_node(trie, node, token);
	if (child)
		map_put(&node->children, hash, child);
	return child;
}

/* The node under which a pattern's leaf hangs. A last `>` has no node of its own. */
static int take_node(struct trie *trie, struct slice subject, struct node **found, bool *tail)
{
	struct node *node;

	if (!trie->root)
		trie->root = new_node(trie, NULL, (struct slice){NULL, 0});
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
	struct token *tokens;

	if (depth <= trie->depth)
		return 0;
	visits = realloc(trie->visits, (depth + 1) * sizeof(*visits));
	if (!visits)
		return -ENOMEM;
	trie->visits = visits;
	tokens = realloc(trie->tokens, depth * sizeof(*tokens));
	if (!tokens)
		return -ENOMEM;
	trie->tokens = tokens;
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

/* A leaf and what stands in front of it. */
static size_t leaf_size(size_t length, bool has_links)
{
	size_t size = offsetof(struct leaf, subject) + length;

	if (size < sizeof(struct leaf))
		size = sizeof(struct leaf);
	return size + (has_links ? sizeof(struct links) : 0);
}

static struct leaf *new_leaf(struct trie *trie, struct slice subject, bool has_links)
{
	void *memory = slab_take(&trie->slab, leaf_size(subject.length, has_links));
	struct leaf *leaf = memory;

	if (!memory)
		return NULL;
	if (has_links) {
		struct links *links = memory;

		*links = (struct links){0};
		leaf = (void *)(links + 1);
	}
	*leaf = (struct leaf){.subject_length = (uint32_t)subject.length, .has_links = has_links};
	memcpy(leaf->subject, subject.bytes, subject.length);
	return leaf;
}

static void free_leaf(struct trie *trie, struct leaf *leaf)
{
	void *memory = leaf->has_links ? (void *)leaf_links(leaf) : (void *)leaf;

	if (leaf->is_many)
		free(leaf->many);
	slab_return(&trie->slab, memory, leaf_size(leaf->subject_length, leaf->has_links));
}

/* How many things hang there. More than one of a pattern's queue groups count as one. */
static size_t node_count(const struct node *node)
{
	return node->children.count + (node->star != NULL) + (node->leaves != NULL) +
	       (node->tails != NULL);
}

static size_t table_share(const struct map *map)
{
	return map->count > 0 ? map_bytes(map) / map->count : 0;
}

static size_t nodes_share(const struct node *node)
{
	enum { MANY = 65536 };
	size_t bytes = 0, sharers = 1;

	for (; node && sharers < MANY; node = node->parent) {
		sharers *= node_count(node);
		bytes += (node_size(node->length) + SLAB_EXTRA + map_bytes(&node->children)) / sharers;
	}
	return bytes;
}

size_t trie_leaf_bytes(const struct trie *trie, const struct leaf *leaf)
{
	const struct links *links = leaf_links(leaf);
	size_t bytes = leaf_size(leaf->subject_length, leaf->has_links) + SLAB_EXTRA;

	if (!links)
		return bytes + table_share(&trie->literals);
	if (links->previous)
		return bytes;
	return bytes + (links->node ? nodes_share(links->node) : table_share(&trie->groups));
}

/* Plain subscriptions come first, so that theirs is found at once; groups follow in no order. */
static void link_leaf(struct leaf **list, struct leaf *leaf)
{
	struct links *links = leaf_links(leaf);
	struct leaf *first = *list;

	if (first && links->queue) {
		links->previous = first;
		links->next = leaf_links(first)->next;
		leaf_links(first)->next = leaf;
	} else {
		links->next = first;
		*list = leaf;
	}
	if (links->next)
		leaf_links(links->next)->previous = leaf;
}

static void unlink_leaf(struct leaf **list, struct leaf *leaf)
{
	const struct links *links = leaf_links(leaf);

	if (links->next)
		leaf_links(links->next)->previous = links->previous;
	if (links->previous)
		leaf_links(links->previous)->next = links->next;
	else
		*list = links->next;
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
	*leaf = *list;
	if (!queue && *leaf && !leaf_queue(*leaf))
		return TRIE_OK;
	*leaf = new_leaf(trie, subject, true);
	if (!*leaf) {
		prune(trie, node);
		return -ENOMEM;
	}
	leaf_links(*leaf)->node = node;
	leaf_links(*leaf)->queue = queue;
	link_leaf(list, *leaf);
	trie->pattern_leaves++;
	trie->pattern_generation++;
	return TRIE_FIRST;
}

static int take_literal(struct trie *trie, struct slice subject, struct leaf **leaf)
{
	uint32_t hash = trie_hash(trie, subject);

	*leaf = trie_find_literal(trie, subject, hash);
	if (*leaf)
		return TRIE_OK;
	if (map_reserve(&trie->literals, trie->key, leaf_hash, trie->slab.bytes) < 0)
		return -ENOMEM;
	*leaf = new_leaf(trie, subject, false);
	if (!*leaf)
		return -ENOMEM;
	map_put(&trie->literals, hash, *leaf);
	trie->literal_generation++;
	return TRIE_FIRST;
}

/* The first of a subject's groups stands in the map; others are linked behind it. */
static int take_group(struct trie *trie, struct slice subject, struct queue *queue,
		      struct leaf **leaf)
{
	uint32_t hash = trie_hash(trie, subject);
	struct leaf *first = trie_find_groups(trie, subject, hash);

	if (!first && map_reserve(&trie->groups, trie->key, leaf_hash, trie->slab.bytes) < 0)
		return -ENOMEM;
	*leaf = new_leaf(trie, subject, true);
	if (!*leaf)
		return -ENOMEM;
	leaf_links(*leaf)->queue = queue;
	link_leaf(&first, *leaf);
	if (first == *leaf)
		map_put(&trie->groups, hash, first);
	trie->literal_generation++;
	return TRIE_FIRST;
}

int trie_take(struct trie *trie, struct slice subject, struct leaf **leaf)
{
	if (subject_kind(subject) == SUBJECT_LITERAL)
		return take_literal(trie, subject, leaf);
	return take_pattern(trie, subject, NULL, leaf);
}

int trie_take_queue(struct trie *trie, struct slice subject, struct queue *queue,
		    struct leaf **leaf)
{
	if (subject_kind(subject) == SUBJECT_LITERAL)
		return take_group(trie, subject, queue, leaf);
	return take_pattern(trie, subject, queue, leaf);
}

static void drop_pattern(struct trie *trie, struct leaf *leaf)
{
	struct slice subject = leaf_subject(leaf);
	struct node *node = leaf_links(leaf)->node;
	bool tail = subject.bytes[subject.length - 1] == '>' &&
		    (subject.length == 1 || subject.bytes[subject.length - 2] == '.');

	unlink_leaf(tail ? &node->tails : &node->leaves, leaf);
	trie->pattern_leaves--;
	trie->pattern_generation++;
	prune(trie, node);
	if (trie->pattern_leaves == 0)
		free_room(trie);
}

static void drop_group(struct trie *trie, struct leaf *leaf)
{
	uint32_t hash = leaf_hash(trie->key, leaf);
	const struct links *links = leaf_links(leaf);
	struct leaf *first = leaf;

	if (!links->previous && links->next)
		map_replace(&trie->groups, hash, leaf, links->next);
	else if (!links->previous)
		map_remove(&trie->groups, hash, leaf, trie->key, leaf_hash, trie->slab.bytes);
	unlink_leaf(&first, leaf);
	trie->literal_generation++;
}

static void drop_literal(struct trie *trie, struct leaf *leaf)
{
	map_remove(&trie->literals, leaf_hash(trie->key, leaf), leaf, trie->key, leaf_hash,
		   trie->slab.bytes);
	trie->literal_generation++;
}

void trie_drop(struct trie *trie, struct leaf *leaf)
{
	assert(leaf_count(leaf) == 0);
	if (!leaf->has_links)
		drop_literal(trie, leaf);
	else if (leaf_links(leaf)->node)
		drop_pattern(trie, leaf);
	else
		drop_group(trie, leaf);
	free_leaf(trie, leaf);
}

/* From one member in place to an array, or to a larger one. */
static int grow(struct leaf *leaf)
{
	uint32_t capacity = leaf->is_many ? leaf->many->capacity * 2 : 4;
	struct members *many = realloc(leaf->is_many ? leaf->many : NULL,
				       sizeof(*many) + capacity * sizeof(struct sub *));

	if (!many)
		return -ENOMEM;
	if (!leaf->is_many) {
		many->count = 1;
		many->subs[0] = leaf->one;
	}
	many->capacity = capacity;
	leaf->many = many;
	leaf->is_many = true;
	return 0;
}

int leaf_join(struct leaf *leaf, struct sub *sub)
{
	uint32_t count = leaf_count(leaf);

	if (count == (leaf->is_many ? leaf->many->capacity : 1) && grow(leaf) < 0)
		return -ENOMEM;
	sub->leaf = leaf;
	sub->index = count & INT32_MAX;
	leaf_members(leaf)[count] = sub;
	if (leaf->is_many)
		leaf->many->count++;
	return 0;
}

/* A failure to shrink costs memory, nothing else. */
static void shrink(struct leaf *leaf)
{
	struct members *many = leaf->many;

	if (many->capacity <= 8 || many->count > many->capacity / 4)
		return;
	many = realloc(many, sizeof(*many) + many->capacity / 2 * sizeof(struct sub *));
	if (!many)
		return;
	many->capacity /= 2;
	leaf->many = many;
}

int leaf_leave(struct leaf *leaf, struct sub *sub)
{
	struct sub **members = leaf_members(leaf);
	struct sub *last = members[leaf_count(leaf) - 1];

	assert(members[sub->index] == sub);
	sub->leaf = NULL;
	if (!leaf->is_many) {
		leaf->one = NULL;
		return TRIE_LAST;
	}
	members[sub->index] = last;
	last->index = sub->index;
	leaf->many->count--;
	shrink(leaf);
	return leaf->many->count == 0 ? TRIE_LAST : TRIE_OK;
}

static uint32_t gather(struct trie *trie, uint32_t count, struct leaf *leaf)
{
	for (; leaf; leaf = leaf_links(leaf)->next)
		trie->found[count++] = leaf;
	return count;
}

/*
 * Takes a subject apart, as far as patterns go; returns how many tokens it has in all. 0: one of
 * them is empty, and no pattern matches.
 */
static size_t take_apart(struct trie *trie, struct slice subject)
{
	const char *start = subject.bytes;
	const char *end = start + subject.length;
	size_t count = 0;

	for (;; count++) {
		const char *dot = scan_dot(start, end);
		struct slice text = {start, (size_t)(dot - start)};

		if (dot == start)
			return 0;
		if (count < trie->depth)
			trie->tokens[count] = (struct token){text, hash_bytes(trie->key, text)};
		if (dot == end)
			return count + 1;
		start = dot + 1;
	}
}

/*
 * Down from a node, by the literal children; the star children beside the way are remembered for
 * later, at most one a level, and asked of memory early.
 */
static uint32_t descend(struct trie *trie, struct visit visit, size_t length, uint32_t count,
			size_t *open)
{
	struct node *node = visit.node;

	for (size_t at = visit.at; node; at++) {
		const struct token *token = &trie->tokens[at];

		trie->visited++;
		if (at == length)
			return gather(trie, count, node->leaves);
		if (node->tails)
			count = gather(trie, count, node->tails);
		/* No pattern goes on below. */
		if (at == trie->depth)
			return count;
		if (node->star) {
			prefetch(node->star);
			trie->visits[(*open)++] = (struct visit){node->star, at + 1};
		}
		node = map_find(&node->children, token->hash, token->text, node_name);
	}
	return count;
}

/* Depth first. */
static uint32_t walk(struct trie *trie, size_t length)
{
	uint32_t count = 0;
	size_t open = 0;

	trie->visits[open++] = (struct visit){trie->root, 0};
	while (open > 0) {
		open--;
		count = descend(trie, trie->visits[open], length, count, &open);
	}
	return count;
}

uint32_t trie_find_patterns(struct trie *trie, struct slice subject)
{
	size_t length = trie->root ? take_apart(trie, subject) : 0;

	trie->visited = 0;
	return length > 0 ? walk(trie, length) : 0;
}

/* What the literal subject needs of memory is on its way while the patterns are looked at. */
struct match trie_find(struct trie *trie, struct slice subject, uint32_t hash)
{
	struct match match = {.patterns = trie->found};
	size_t length;

	map_expect(&trie->literals, hash);
	length = trie->root ? take_apart(trie, subject) : 0;
	prefetch(map_likely(&trie->literals, hash));
	trie->visited = 0;
	if (length > 0)
		match.count = walk(trie, length);
	match.literal = trie_find_literal(trie, subject, hash);
	match.groups = trie_find_groups(trie, subject, hash);
	return match;
}
