/* SPDX-License-Identifier: MIT */
#include "server/config_permit.h"

#include <stdlib.h>

#include "broker/permit.h"
#include "server/config_block.h"

/* One of the lists, while it grows. Its entries are borrowed from the tree. */
struct draft_list {
	struct slice *entries;
	size_t count;
	bool has_queues; /* "subject queue" is an entry, too */
	bool has_failed; /* for want of memory */
};

struct draft_way {
	struct draft_list allow;
	struct draft_list deny;
};

struct draft {
	struct draft_way publish;
	struct draft_way subscribe;
	struct permit_rules rules;
};

static bool is_entry(const struct draft_list *list, struct slice text)
{
	struct slice subject, queue;

	return permit_split(text, &subject, &queue) && (list->has_queues || queue.length == 0);
}

static void read_subject(const struct config_field *field, void *to)
{
	struct draft_list *list = to;
	const char *text = config_read_text(field);
	struct slice *more;

	if (!text)
		return;
	if (!is_entry(list, slice_of(text))) {
		CONFIG_COMPLAIN(field, "%s: \"%s\" is not a subject%s", config_field_name(field),
				text, list->has_queues ? ", nor one and a queue" : "");
		return;
	}
	more = realloc(list->entries, (list->count + 1) * sizeof(*more));
	list->has_failed |= !more;
	if (!more)
		return;
	list->entries = more;
	more[list->count++] = slice_of(text);
}

static void read_allow(const struct config_field *field, void *to)
{
	config_read_items(field, read_subject, &((struct draft_way *)to)->allow);
}

static void read_deny(const struct config_field *field, void *to)
{
	config_read_items(field, read_subject, &((struct draft_way *)to)->deny);
}

static const struct config_entry way_entries[] = {
	{{"allow"}, read_allow, NULL},
	{{"deny"}, read_deny, NULL},
	{{NULL}, NULL, NULL},
};

/* Subjects alone are those that are allowed. */
static void read_way(const struct config_field *field, struct draft_way *way)
{
	if (json_is_object(field->value))
		config_read_block(field, way_entries, way);
	else
		read_allow(field, way);
}

static void read_publish(const struct config_field *field, void *to)
{
	read_way(field, &((struct draft *)to)->publish);
}

static void read_subscribe(const struct config_field *field, void *to)
{
	read_way(field, &((struct draft *)to)->subscribe);
}

static void read_most(const struct config_field *field, void *to)
{
	if (json_is_integer(field->value))
		((struct draft *)to)->rules.max_responses = json_integer_value(field->value);
	else
		config_complain_of_type(field, "a number");
}

/* Below 0 they do not expire. */
static void read_expiry(const struct config_field *field, void *to)
{
	int64_t *ms = &((struct draft *)to)->rules.response_expiry_ms;
	const char *text = json_string_value(field->value);
	struct config_field positive = *field;
	json_t *rest = text && *text == '-' ? json_string_nocheck(text + 1) : NULL;

	positive.value = rest ? rest : field->value;
	if (config_read_time(&positive, ms) && rest)
		*ms = -*ms;
	json_decref(rest);
}

static const struct config_entry response_entries[] = {
	{{"max", "max_msgs", "max_messages", "max_responses"}, read_most, NULL},
	{{"expires", "expiration", "ttl"}, read_expiry, NULL},
	{{NULL}, NULL, NULL},
};

static void read_responses(const struct config_field *field, void *to)
{
	struct draft *draft = to;

	draft->rules.allow_responses = !json_is_false(field->value);
	if (json_is_object(field->value))
		config_read_block(field, response_entries, draft);
	else if (!json_is_boolean(field->value))
		config_complain_of_type(field, "true, false or a map { max, expires }");
}

static const struct config_entry entries[] = {
	{{"publish", "pub", "import"}, read_publish, NULL},
	{{"subscribe", "sub", "export"}, read_subscribe, NULL},
	{{"allow_responses", "publish_allow_responses"}, read_responses, NULL},
	{{NULL}, NULL, NULL},
};

static struct permit_list list_of(const struct draft_list *draft)
{
	return (struct permit_list){draft->entries, draft->count};
}

static struct permit *make(struct draft *draft)
{
	struct permit_rules *rules = &draft->rules;

	if (draft->publish.allow.has_failed || draft->publish.deny.has_failed ||
	    draft->subscribe.allow.has_failed || draft->subscribe.deny.has_failed)
		return NULL;
	rules->publish_allow = list_of(&draft->publish.allow);
	rules->publish_deny = list_of(&draft->publish.deny);
	rules->subscribe_allow = list_of(&draft->subscribe.allow);
	rules->subscribe_deny = list_of(&draft->subscribe.deny);
	return permit_new(rules);
}

struct permit *config_permit_read(const struct config_field *field)
{
	uint32_t before = field->config->complaint_count;
	struct draft draft = {
		.subscribe = {.allow = {.has_queues = true}, .deny = {.has_queues = true}},
	};
	struct permit *permit = NULL;

	config_read_block(field, entries, &draft);
	if (field->config->complaint_count == before)
		permit = make(&draft);
	free(draft.publish.allow.entries);
	free(draft.publish.deny.entries);
	free(draft.subscribe.allow.entries);
	free(draft.subscribe.deny.entries);
	return permit;
}
