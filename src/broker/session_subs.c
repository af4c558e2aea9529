/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/hash.h"
#include "base/hints.h"
#include "broker/guard.h"
#include "broker/permit.h"
#include "broker/router.h"
#include "broker/session.h"
#include "broker/session_own.h"
#include "broker/trace.h"
#include "proto/subject.h"

/* In router.work: what a subscription costs to make or to end. */
enum { SUB_WORK = 16 };

/* Subscriptions. */

static struct sub *find_sub(const struct session *session, struct slice sid, uint32_t *hash)
{
	*hash = hash_bytes(session->router->trie.key, sid);
	return map_find(&session->subs, *hash, sid, sub_name);
}

static void remove_sub(struct session *session, struct sub *sub, uint32_t hash)
{
	show(session, TRACE_DONE, SLICE("DELSUB"), sub_sid(sub));
	map_remove(&session->subs, hash, sub, session->router->trie.key, sub_hash,
		   &session->router->pool->taken_bytes);
	router_unsubscribe(session->router, sub);
	sub_free(&session->router->trie.slab, sub);
}

bool session_remove_some_subs(struct session *session, uint32_t *most)
{
	while (*most > 0 && session->subs.count > 0) {
		struct sub *sub = map_next(&session->subs, &session->ended_subs);

		if (sub) {
			remove_sub(session, sub, sub_hash(session->router->trie.key, sub));
			(*most)--;
		} else {
			/* Some have moved in the table when others went. */
			session->ended_subs = 0;
		}
	}
	if (session->subs.count == 0)
		session->ended_subs = 0;
	return session->subs.count == 0;
}

bool session_end_some_subs(struct session *session, uint32_t *most)
{
	while (*most > 0 || session->subs.count == 0) {
		struct sub *sub = map_drain(&session->subs, &session->ended_subs);

		if (!sub) {
			map_fini(&session->subs, &session->router->pool->taken_bytes);
			session->ended_subs = 0;
			return true;
		}
		router_unsubscribe(session->router, sub);
		sub_free(&session->router->trie.slab, sub);
		(*most)--;
	}
	return false;
}

void session_end_subs(struct session *session)
{
	uint32_t most = UINT32_MAX;

	/* Wherever it was: some may have been taken out one by one, which moves others. */
	session->ended_subs = 0;
	while (!session_end_some_subs(session, &most))
		most = UINT32_MAX;
}

/* Only sessions limit their subscriptions. */
void session_remove_expired(struct router *router)
{
	while (router->expired) {
		struct sub *sub = router->expired;

		router->expired = sub->next_expired;
		remove_sub(container_of(sub->outbox, struct session, outbox), sub,
			   sub_hash(router->trie.key, sub));
	}
}

/* NULL without memory. */
static struct sub *add_sub(struct session *session, struct slice subject, struct slice queue,
			   struct slice sid, uint32_t hash)
{
	struct slab *slab = &session->router->trie.slab;
	struct sub *sub;

	if (map_reserve(&session->subs, session->router->trie.key, sub_hash,
			&session->router->pool->taken_bytes) < 0)
		return NULL;
	sub = sub_new(slab, &session->outbox, sid);
	if (!sub)
		return NULL;
	if (router_subscribe(session->router, sub, subject, queue) < 0) {
		sub_free(slab, sub);
		return NULL;
	}
	map_put(&session->subs, hash, sub);
	if (session->outbox.guard)
		sub->guarded = guard_watches(session->outbox.guard, subject, queue,
					     &session->router->work);
	return sub;
}

struct sub *session_restore_sub(struct session *session, struct slice subject, struct slice queue,
				struct slice sid)
{
	uint32_t hash;

	if (find_sub(session, sid, &hash))
		return NULL;
	return add_sub(session, subject, queue, sid, hash);
}

static bool may_subscribe(struct session *session, struct slice subject, struct slice queue)
{
	const struct guard *guard = session->outbox.guard;

	/* What nats-server calls itself. */
	if (slice_equal(queue, SLICE("_sys_")))
		return false;
	return !guard || permit_subscribes(guard->permit, subject, queue, &session->router->work);
}

enum step session_on_sub(struct session *session, const struct op *op, struct slice *input)
{
	const struct limits *limits = session->limits;
	uint32_t hash;

	(void)input;
	session->events |= SESSION_HEARD;
	session->router->work += SUB_WORK;
	if (!may_subscribe(session, op->subject, op->queue))
		return session_deny_sub(session, op->subject, op->queue, SLICE(""));
	if (limits->max_subscription_tokens > 0 &&
	    subject_count_tokens(op->subject) > limits->max_subscription_tokens)
		return session_deny(session, FAULT_TOKENS_DENIED, op->subject);
	if (limits->max_subscriptions > 0 && session->subs.count >= limits->max_subscriptions)
		return session_complain_about(session, FAULT_MAX_SUBSCRIPTIONS, op->subject);
	/* A sid in use: the old subscription stays, the new one is not even looked at (6.1). */
	if (find_sub(session, op->sid, &hash))
		return ok(session);
	if (subject_kind(op->subject) == SUBJECT_INVALID)
		return session_complain_about(session, FAULT_INVALID_SUBJECT, op->subject);
	if (!add_sub(session, op->subject, op->queue, op->sid, hash))
		return end(session, FAULT_MEMORY);
	return ok(session);
}

enum {
	UNSUBS_AHEAD = 16,
	SUBS_LARGE = 4096, /* fewer are in the processor's caches */
};

/* Of a burst: what the next ones will look at is asked of memory, of all of them at once. */
static void expect_unsubs(const struct session *session, struct slice input)
{
	const struct trie *trie = &session->router->trie;
	const struct sub *subs[UNSUBS_AHEAD];
	uint32_t hashes[UNSUBS_AHEAD], count = 0;
	struct slice sid;

	for (; count < UNSUBS_AHEAD && parser_glance_unsub(&input, &sid); count++) {
		hashes[count] = hash_bytes(trie->key, sid);
		map_expect(&session->subs, hashes[count]);
	}
	for (uint32_t at = 0; at < count; at++) {
		subs[at] = map_likely(&session->subs, hashes[at]);
		prefetch(subs[at]);
	}
	for (uint32_t at = 0; at < count; at++)
		if (subs[at])
			prefetch(subs[at]->leaf);
	for (uint32_t at = 0; at < count; at++)
		if (subs[at])
			trie_expect_leaf(trie, subs[at]->leaf);
}

static void end_sub(struct session *session, struct sub *sub, uint32_t hash, struct slice input)
{
	remove_sub(session, sub, hash);
	/* Once for each UNSUBS_AHEAD that end. */
	if (session->subs.count > SUBS_LARGE && session->router->unsubscribed % UNSUBS_AHEAD == 0)
		expect_unsubs(session, input);
}

enum step session_on_unsub(struct session *session, const struct op *op, struct slice *input)
{
	uint32_t hash;
	struct sub *sub = find_sub(session, op->sid, &hash);

	session->events |= SESSION_HEARD;
	session->router->work += SUB_WORK;
	if (sub && op->max > sub->delivered)
		sub->max = op->max;
	else if (sub)
		end_sub(session, sub, hash, *input);
	return ok(session);
}

/* Permissions. */

static struct slice queue_of(const struct sub *sub)
{
	const struct queue *queue = leaf_queue(sub->leaf);

	return queue ? router_queue_name(queue) : SLICE("");
}

/* Each subscription is allowed, and perhaps guarded, or it is forbidden. */
static void judge_subs(struct session *session, struct guard *guard)
{
	uint32_t at = 0;
	struct sub *sub;

	session->router->work += session->subs.count;
	while ((sub = map_next(&session->subs, &at))) {
		struct slice subject = leaf_subject(sub->leaf), queue = queue_of(sub);

		sub->guarded = guard && guard_watches(guard, subject, queue,
						      &session->router->work);
		if (!guard || may_subscribe(session, subject, queue))
			continue;
		sub->next_expired = guard->forbidden;
		guard->forbidden = sub;
	}
}

void session_update_care(struct session *session)
{
	session->careful = session->connect.pedantic || session->outbox.guard;
}

struct guard *session_take_guard(struct session *session)
{
	if (!session->outbox.guard)
		session->outbox.guard = guard_new(session->router);
	session_update_care(session);
	return session->outbox.guard;
}

static void drop_guard(struct session *session)
{
	guard_free(session->outbox.guard);
	session->outbox.guard = NULL;
	session_update_care(session);
}

int session_set_permit(struct session *session, struct permit *permit)
{
	struct guard *guard = session->outbox.guard;
	bool is_narrow = permit_is_narrow(permit);
	/* A reload mostly brings the same again, and there may be a million to look at. */
	bool is_judged = guard && permit_subscribes_as(guard->permit, permit);

	/* As before: CONNECT may come again and again. */
	if (guard ? is_narrow && guard->permit == permit : !is_narrow)
		return 0;
	if (is_narrow) {
		guard = session_take_guard(session);
		if (!guard)
			return -ENOMEM;
		guard_set_permit(guard, permit);
		guard->forbidden = NULL;
	} else {
		drop_guard(session);
		guard = NULL;
	}
	if (!is_narrow || !is_judged)
		judge_subs(session, guard);
	return 0;
}

bool session_remove_forbidden(struct session *session)
{
	struct guard *guard = session->outbox.guard;
	struct sub *sub = guard ? guard->forbidden : NULL;
	struct slice subject, queue;

	if (!sub)
		return false;
	guard->forbidden = sub->next_expired;
	subject = leaf_subject(sub->leaf);
	queue = queue_of(sub);
	/* Removing it frees them. */
	guard_keep_about(guard, &subject, &queue);
	session_deny_sub(session, subject, queue, sub_sid(sub));
	remove_sub(session, sub, sub_hash(session->router->trie.key, sub));
	return true;
}

/* Another account. */

void session_enter(struct session *session, struct router *router)
{
	if (router == session->router)
		return;
	session_end_subs(session);
	drop_guard(session);
	session_forget_about(session);
	session->recent = NULL;
	session->router = router;
}
