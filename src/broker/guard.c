/* SPDX-License-Identifier: MIT */
#include "broker/guard.h"

#include <stdlib.h>

#include "broker/permit.h"
#include "broker/router.h"

static struct slice grant_name(const void *item)
{
	const struct grant *grant = item;

	return (struct slice){grant->reply, grant->length};
}

static uint32_t grant_hash(uint64_t key, const void *grant)
{
	return hash_bytes(key, grant_name(grant));
}

/* Its place in the table included, which may be half empty. */
static size_t grant_size(size_t length)
{
	return sizeof(struct grant) + length + 2 * (sizeof(void *) + 1);
}

/* For the budget as well. */
static void count_bytes(struct guard *guard, size_t more, size_t less)
{
	guard->grant_bytes += more - less;
	guard->pool->taken_bytes += more - less;
}

static struct grant *find_grant(const struct guard *guard, struct slice reply, uint32_t *hash)
{
	*hash = hash_bytes(guard->router->trie.key, reply);
	return map_find(&guard->grants, *hash, reply, grant_name);
}

static struct grant *oldest_grant(const struct guard *guard)
{
	return list_is_empty(&guard->by_age) ? NULL
		: container_of(guard->by_age.next, struct grant, link);
}

static void drop_grant(struct guard *guard, struct grant *grant)
{
	map_remove(&guard->grants, grant_hash(guard->router->trie.key, grant), grant,
		   guard->router->trie.key, grant_hash, NULL);
	list_remove(&grant->link);
	count_bytes(guard, 0, grant_size(grant->length));
	free(grant);
}

static void drop_all_grants(struct guard *guard)
{
	struct list *link;

	while ((link = list_pop(&guard->by_age)))
		free(container_of(link, struct grant, link));
	map_fini(&guard->grants, NULL);
	count_bytes(guard, 0, guard->grant_bytes);
}

struct guard *guard_new(const struct router *router)
{
	struct guard *guard = malloc(sizeof(*guard));

	if (!guard)
		return NULL;
	*guard = (struct guard){.router = router, .pool = router->pool};
	list_init(&guard->by_age);
	return guard;
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	drop_all_grants(guard);
	buf_fini(&guard->about);
	permit_unref(guard->permit);
	free(guard);
}

void guard_set_permit(struct guard *guard, struct permit *permit)
{
	permit_ref(permit);
	permit_unref(guard->permit);
	guard->permit = permit;
	if (!permit_allows_responses(permit)) {
		drop_all_grants(guard);
		return;
	}
	for (struct list *link = guard->by_age.next; link != &guard->by_age; link = link->next) {
		struct grant *grant = container_of(link, struct grant, link);

		if (grant->left < 0 || permit_max_responses(permit) < 0)
			grant->left = permit_max_responses(permit);
	}
}

void guard_keep_about(struct guard *guard, struct slice *subject, struct slice *queue)
{
	struct buf *about = &guard->about;

	about->length = 0;
	if (buf_append(about, *subject) < 0 || buf_append(about, *queue) < 0) {
		*subject = *queue = SLICE("");
		return;
	}
	subject->bytes = about->bytes;
	queue->bytes = about->bytes + subject->length;
}

/* Grants. */

static uint64_t now_of(const struct guard *guard)
{
	return guard->router->now_ms ? *guard->router->now_ms : 0;
}

uint64_t guard_grant_age_ms(const struct guard *guard, const struct grant *grant)
{
	return now_of(guard) - grant->since_ms;
}

static bool is_over(const struct guard *guard, const struct grant *grant)
{
	int64_t expiry_ms = permit_response_expiry_ms(guard->permit);

	return expiry_ms >= 0 && guard_grant_age_ms(guard, grant) > (uint64_t)expiry_ms;
}

/* Those that are over, and as many more as it takes for another one of this length. */
static void make_room(struct guard *guard, size_t length)
{
	struct grant *grant;

	while ((grant = oldest_grant(guard)) &&
	       (is_over(guard, grant) ||
		guard->grant_bytes + grant_size(length) > GUARD_GRANT_BYTES))
		drop_grant(guard, grant);
}

static struct grant *add_grant(struct guard *guard, struct slice reply, uint32_t hash)
{
	struct grant *grant;

	if (map_reserve(&guard->grants, guard->router->trie.key, grant_hash, NULL) < 0)
		return NULL;
	grant = malloc(sizeof(*grant) + reply.length);
	if (!grant)
		return NULL;
	*grant = (struct grant){.length = (uint32_t)reply.length};
	memcpy(grant->reply, reply.bytes, reply.length);
	list_init(&grant->link);
	map_put(&guard->grants, hash, grant);
	count_bytes(guard, grant_size(reply.length), 0);
	return grant;
}

/* Made if need be. */
static struct grant *take_grant(struct guard *guard, struct slice reply)
{
	struct grant *grant;
	uint32_t hash;

	make_room(guard, reply.length);
	grant = find_grant(guard, reply, &hash);
	return grant ? grant : add_grant(guard, reply, hash);
}

/* It is the youngest now, if not younger than that. */
static void date_grant(struct guard *guard, struct grant *grant, uint64_t age_ms)
{
	grant->since_ms = now_of(guard) - age_ms;
	list_remove(&grant->link);
	list_append(&guard->by_age, &grant->link);
}

/* Of two messages with the same reply subject each may be answered. */
static void give_grant(struct guard *guard, struct slice reply)
{
	int64_t more = permit_max_responses(guard->permit);
	struct grant *grant = take_grant(guard, reply);

	if (!grant)
		return; /* without memory nobody is answered */
	date_grant(guard, grant, 0);
	if (more < 0 || grant->left < 0 || grant->left > INT64_MAX - more)
		grant->left = -1;
	else
		grant->left += more;
}

static bool use_grant(struct guard *guard, struct slice subject)
{
	uint32_t hash;
	struct grant *grant = find_grant(guard, subject, &hash);
	bool good;

	if (!grant)
		return false;
	good = !is_over(guard, grant);
	if (good && grant->left > 0)
		grant->left--;
	if (!good || grant->left == 0)
		drop_grant(guard, grant);
	return good;
}

bool guard_restore_grant(struct guard *guard, struct slice reply, int64_t left, uint64_t age_ms)
{
	struct grant *grant = take_grant(guard, reply);

	if (!grant)
		return false;
	date_grant(guard, grant, age_ms);
	grant->left = left;
	return true;
}

/* What is asked. */

bool guard_publishes(struct guard *guard, struct slice subject, uint64_t *work)
{
	if (guard->grants.count > 0 && use_grant(guard, subject))
		return true;
	return permit_publishes(guard->permit, subject, work);
}

bool guard_watches(const struct guard *guard, struct slice subject, struct slice queue,
		   uint64_t *work)
{
	return permit_allows_responses(guard->permit) ||
	       permit_filters(guard->permit, subject, queue, work);
}

bool guard_delivers(struct guard *guard, struct slice subject, struct slice reply,
		    struct slice queue, uint64_t *work)
{
	if (!permit_delivers(guard->permit, subject, queue, work))
		return false;
	if (reply.length > 0 && permit_allows_responses(guard->permit) &&
	    !permit_publishes(guard->permit, reply, work))
		give_grant(guard, reply);
	return true;
}
