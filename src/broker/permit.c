/* SPDX-License-Identifier: MIT */
#include "broker/permit.h"

#include <stdlib.h>

#include "proto/subject.h"

/* One entry of a list, its texts in the permit. */
struct rule {
	struct slice subject;
	struct slice queue; /* empty: whatever queue, or none */
};

struct rules {
	const struct rule *all;
	size_t count; /* 0: there is no such list */
};

struct permit {
	uint32_t refs;
	bool allow_responses;
	int64_t max_responses; /* < 0: no limit */
	int64_t response_expiry_ms;
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
	struct rules rules = {*rule, list->count};

	for (size_t at = 0; at < list->count; at++, ++*rule) {
		struct slice subject, queue;

		permit_split(list->entries[at], &subject, &queue);
		(*rule)->subject = keep(subject, text);
		(*rule)->queue = keep(queue, text);
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
	if (permit && --permit->refs == 0)
		free(permit);
}
