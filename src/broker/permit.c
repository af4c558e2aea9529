/* SPDX-License-Identifier: MIT */
#include "broker/permit.h"

#include <stdlib.h>

#include "base/hash.h"
#include "proto/subject.h"

enum { VERDICTS = 128, VERDICT_SUBJECT = 57 };

enum question { QUESTION_NONE, QUESTION_PUBLISH, QUESTION_DELIVER };

/* Any odd number with many bits, another for each question. */
static const uint64_t hash_keys[] = {
	[QUESTION_PUBLISH] = 0x9e3779b97f4a7c15,
	[QUESTION_DELIVER] = 0xc2b2ae3d27d4eb4f,
};

/*
 * What was answered lately, one for each hash. Subjects made so that they share one cost whoever
 * publishes them a walk of the lists each, which is charged to him.
 */
struct verdict {
	uint32_t hash;
	uint8_t question;
	uint8_t length;
	bool allowed;
	char subject[VERDICT_SUBJECT];
};

/* One entry of a list, its texts in the permit. */
struct rule {
	struct slice subject;
	struct slice queue; /* empty: whatever queue, or none */
};

struct rules {
	const struct rule *all;
	size_t count; /* 0: there is no such list */
	bool has_queues;
};

struct permit {
	uint32_t refs;
	bool allow_responses;
	int64_t max_responses; /* < 0: no limit */
	int64_t response_expiry_ms;
	struct verdict *verdicts; /* VERDICTS of them, by hash; NULL: nothing was asked yet */
	struct rules publish_allow;
	struct rules publish_deny;
	struct rules subscribe_allow;
	struct rules subscribe_deny;
	struct rule rules[]; /* of all four lists; behind them their texts */
};

static bool is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Cuts the next word off the front of `rest`; empty at the end. */
static struct slice next_word(struct slice *rest)
{
	struct slice word;
	size_t at = 0;

	while (at < rest->length && is_blank(rest->bytes[at]))
		at++;
	word = *rest = slice_after(*rest, at);
	for (at = 0; at < rest->length && !is_blank(rest->bytes[at]);)
		at++;
	word.length = at;
	*rest = slice_after(*rest, at);
	return word;
}

bool permit_split(struct slice entry, struct slice *subject, struct slice *queue)
{
	*subject = next_word(&entry);
	*queue = next_word(&entry);
	return next_word(&entry).length == 0 && subject->length > 0 &&
	       subject_kind(*subject) != SUBJECT_INVALID;
}

static void add_size(const struct permit_list *list, size_t *size)
{
	for (size_t at = 0; at < list->count; at++)
		*size += sizeof(struct rule) + list->entries[at].length;
}

static struct slice keep(struct slice text, char **to)
{
	struct slice kept = {*to, text.length};

	memcpy(*to, text.bytes, text.length);
	*to += text.length;
	return kept;
}

static struct rules compile(const struct permit_list *list, struct rule **rule, char **text)
{
	struct rules rules = {.all = *rule, .count = list->count};

	for (size_t at = 0; at < list->count; at++, ++*rule) {
		struct slice subject, queue;

		permit_split(list->entries[at], &subject, &queue);
		(*rule)->subject = keep(subject, text);
		(*rule)->queue = keep(queue, text);
		rules.has_queues |= queue.length > 0;
	}
	return rules;
}

struct permit *permit_new(const struct permit_rules *rules)
{
	const struct permit_list *lists[] = {&rules->publish_allow, &rules->publish_deny,
					     &rules->subscribe_allow, &rules->subscribe_deny};
	size_t size = sizeof(struct permit), count = 0;
	struct permit *permit;
	struct rule *rule;
	char *text;

	for (size_t at = 0; at < 4; at++) {
		add_size(lists[at], &size);
		count += lists[at]->count;
	}
	permit = malloc(size);
	if (!permit)
		return NULL;
	*permit = (struct permit){
		.refs = 1,
		.allow_responses = rules->allow_responses,
		.max_responses = rules->max_responses ? rules->max_responses : PERMIT_RESPONSES,
		.response_expiry_ms = rules->response_expiry_ms ? rules->response_expiry_ms
								: PERMIT_RESPONSE_MS,
	};
	rule = permit->rules;
	text = (char *)(rule + count);
	permit->publish_allow = compile(lists[0], &rule, &text);
	permit->publish_deny = compile(lists[1], &rule, &text);
	permit->subscribe_allow = compile(lists[2], &rule, &text);
	permit->subscribe_deny = compile(lists[3], &rule, &text);
	return permit;
}

struct permit *permit_ref(struct permit *permit)
{
	if (permit)
		permit->refs++;
	return permit;
}

void permit_unref(struct permit *permit)
{
	if (!permit || --permit->refs > 0)
		return;
	free(permit->verdicts);
	free(permit);
}

bool permit_is_narrow(const struct permit *permit)
{
	return permit && (permit->publish_allow.count > 0 || permit->publish_deny.count > 0 ||
			  permit->subscribe_allow.count > 0 || permit->subscribe_deny.count > 0 ||
			  permit->allow_responses);
}

/* What is remembered. */

/* NULL: it is not. */
static const struct verdict *find_verdict(const struct permit *permit, enum question question,
					  struct slice subject, uint32_t hash)
{
	const struct verdict *verdict;

	if (!permit->verdicts)
		return NULL;
	verdict = &permit->verdicts[hash % VERDICTS];
	if (verdict->question != question || verdict->hash != hash ||
	    !slice_equal((struct slice){verdict->subject, verdict->length}, subject))
		return NULL;
	return verdict;
}

static void remember(struct permit *permit, enum question question, struct slice subject,
		     uint32_t hash, bool allowed)
{
	struct verdict *verdict;

	if (subject.length > VERDICT_SUBJECT)
		return;
	if (!permit->verdicts)
		permit->verdicts = calloc(VERDICTS, sizeof(*permit->verdicts));
	if (!permit->verdicts)
		return;
	verdict = &permit->verdicts[hash % VERDICTS];
	verdict->hash = hash;
	verdict->question = (uint8_t)question;
	verdict->length = (uint8_t)subject.length;
	verdict->allowed = allowed;
	memcpy(verdict->subject, subject.bytes, subject.length);
}

/* Publishing. */

static bool any_matches(const struct rules *rules, struct slice subject, uint64_t *work)
{
	*work += rules->count;
	for (size_t at = 0; at < rules->count; at++)
		if (subject_matches(rules->all[at].subject, subject))
			return true;
	return false;
}

bool permit_publishes(struct permit *permit, struct slice subject, uint64_t *work)
{
	const struct verdict *verdict;
	uint32_t hash;
	bool allowed;

	if (!permit)
		return true;
	if (permit->allow_responses && permit->publish_allow.count == 0)
		return false;
	if (permit->publish_allow.count + permit->publish_deny.count == 0)
		return true;
	hash = hash_bytes(hash_keys[QUESTION_PUBLISH], subject);
	verdict = find_verdict(permit, QUESTION_PUBLISH, subject, hash);
	if (verdict)
		return verdict->allowed;
	allowed = (permit->publish_allow.count == 0 ||
		   any_matches(&permit->publish_allow, subject, work)) &&
		  !any_matches(&permit->publish_deny, subject, work);
	/* Reply subjects are asked once each: they would only drive out the others. */
	if (allowed || !permit->allow_responses)
		remember(permit, QUESTION_PUBLISH, subject, hash, allowed);
	return allowed;
}

/* Subscribing. */

/* A queue in a rule may be a pattern, token by token like a subject. */
static bool concerns_queue(const struct rule *rule, struct slice queue)
{
	return rule->queue.length == 0 || slice_equal(rule->queue, queue) ||
	       (subject_kind(rule->queue) == SUBJECT_WILDCARD &&
		subject_covers(rule->queue, queue));
}

/*
 * Of the rules that cover the subject those with a queue come before those without: `a` and `a q`
 * allow plain subscriptions, and in groups q alone.
 */
static bool is_allowed(const struct rules *rules, struct slice subject, struct slice queue)
{
	bool plain = false, by_queue = false, its_queue = false;

	for (size_t at = 0; at < rules->count; at++) {
		const struct rule *rule = &rules->all[at];

		if (!subject_covers(rule->subject, subject))
			continue;
		plain |= rule->queue.length == 0;
		by_queue |= rule->queue.length > 0;
		its_queue |= rule->queue.length > 0 && concerns_queue(rule, queue);
	}
	return queue.length > 0 && by_queue ? its_queue : plain;
}

/* A wildcard that a rule matches as if it were published counts as denied. */
static bool is_denied(const struct rules *rules, struct slice subject, struct slice queue)
{
	for (size_t at = 0; at < rules->count; at++)
		if (subject_matches(rules->all[at].subject, subject) &&
		    concerns_queue(&rules->all[at], queue))
			return true;
	return false;
}

bool permit_subscribes(const struct permit *permit, struct slice subject, struct slice queue,
		       uint64_t *work)
{
	if (!permit)
		return true;
	*work += permit->subscribe_allow.count + permit->subscribe_deny.count;
	if (permit->subscribe_allow.count > 0 &&
	    !is_allowed(&permit->subscribe_allow, subject, queue))
		return false;
	return !is_denied(&permit->subscribe_deny, subject, queue);
}

bool permit_filters(const struct permit *permit, struct slice subject, struct slice queue,
		    uint64_t *work)
{
	const struct rules *deny;

	if (!permit)
		return false;
	deny = &permit->subscribe_deny;
	*work += deny->count;
	for (size_t at = 0; at < deny->count; at++)
		if (subject_overlaps(deny->all[at].subject, subject) &&
		    concerns_queue(&deny->all[at], queue))
			return true;
	return false;
}

bool permit_delivers(struct permit *permit, struct slice subject, struct slice queue,
		     uint64_t *work)
{
	const struct verdict *verdict;
	const struct rules *deny;
	uint32_t hash;
	bool allowed;

	if (!permit || permit->subscribe_deny.count == 0)
		return true;
	deny = &permit->subscribe_deny;
	/* A verdict is remembered for all queues or not at all. */
	if (deny->has_queues) {
		*work += deny->count;
		return !is_denied(deny, subject, queue);
	}
	hash = hash_bytes(hash_keys[QUESTION_DELIVER], subject);
	verdict = find_verdict(permit, QUESTION_DELIVER, subject, hash);
	if (verdict)
		return verdict->allowed;
	allowed = !any_matches(deny, subject, work);
	remember(permit, QUESTION_DELIVER, subject, hash, allowed);
	return allowed;
}

/* Responses. */

static bool rules_equal(const struct rules *one, const struct rules *other)
{
	if (one->count != other->count)
		return false;
	for (size_t at = 0; at < one->count; at++)
		if (!slice_equal(one->all[at].subject, other->all[at].subject) ||
		    !slice_equal(one->all[at].queue, other->all[at].queue))
			return false;
	return true;
}

bool permit_subscribes_as(const struct permit *permit, const struct permit *other)
{
	if (!permit || !other)
		return permit == other;
	return permit_allows_responses(permit) == permit_allows_responses(other) &&
	       rules_equal(&permit->subscribe_allow, &other->subscribe_allow) &&
	       rules_equal(&permit->subscribe_deny, &other->subscribe_deny);
}

bool permit_allows_responses(const struct permit *permit)
{
	return permit && permit->allow_responses;
}

int64_t permit_max_responses(const struct permit *permit)
{
	return permit ? permit->max_responses : -1;
}

int64_t permit_response_expiry_ms(const struct permit *permit)
{
	return permit ? permit->response_expiry_ms : -1;
}
