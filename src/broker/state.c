/* SPDX-License-Identifier: MIT */
#include "broker/state.h"

#include <stdlib.h>

#include "broker/guard.h"
#include "broker/router.h"
#include "proto/subject.h"

/* What a tag means never changes. */
enum session_tag {
	SESSION_FLAGS = 1,
	SESSION_PROTOCOL = 2,
	SESSION_NAME = 3,
	SESSION_LANG = 4,
	SESSION_VERSION = 5,
	SESSION_PARSER_STATE = 6,
	SESSION_PARSER_VERB = 7,
	SESSION_INBOUND = 8,  /* fields: inbound_tag */
	SESSION_SUB = 9,      /* fields: sub_tag; any number of times */
	SESSION_PENDING = 10, /* bytes of the outbox; this and the next in their order */
	SESSION_SHARED = 11,  /* fields: shared_tag */
	SESSION_GRANT = 12,   /* fields: grant_tag; any number of times, the oldest first */
};

enum inbound_tag { INBOUND_VERB = 1, INBOUND_LINE = 2, INBOUND_LENGTH = 3, INBOUND_BYTES = 4 };

enum sub_tag { SUB_SUBJECT = 1, SUB_QUEUE = 2, SUB_SID = 3, SUB_MAX = 4, SUB_DELIVERED = 5 };

enum shared_tag { SHARED_NUMBER = 1, SHARED_START = 2, SHARED_END = 3 };

enum grant_tag { GRANT_REPLY = 1, GRANT_LEFT = 2 /* missing: no limit */, GRANT_AGE_MS = 3 };

/* Bits of SESSION_FLAGS; they never change either. */
enum flag {
	FLAG_VERBOSE = 1 << 0,
	FLAG_PEDANTIC = 1 << 1,
	FLAG_ECHO = 1 << 2,
	FLAG_HEADERS = 1 << 3,
	FLAG_NO_RESPONDERS = 1 << 4,
	FLAG_CONNECTED = 1 << 5,
	FLAG_PINGED = 1 << 6,
	FLAG_DENIED = 1 << 7,
	FLAG_WANTS_HEADERS = 1 << 8,
};

/* Saving. */

static void save_text(struct tags_writer *writer, uint8_t tag, const char *text)
{
	if (text)
		tags_put(writer, tag, slice_of(text));
}

static uint64_t flags_of(const struct session *session)
{
	const struct connect *connect = &session->connect;
	uint64_t flags = 0;

	flags |= connect->verbose ? FLAG_VERBOSE : 0;
	flags |= connect->pedantic ? FLAG_PEDANTIC : 0;
	flags |= connect->echo ? FLAG_ECHO : 0;
	flags |= connect->headers ? FLAG_HEADERS : 0;
	flags |= connect->no_responders ? FLAG_NO_RESPONDERS : 0;
	flags |= session->connected ? FLAG_CONNECTED : 0;
	flags |= session->pinged ? FLAG_PINGED : 0;
	flags |= session->denied ? FLAG_DENIED : 0;
	flags |= session->outbox.wants_headers ? FLAG_WANTS_HEADERS : 0;
	return flags;
}

static void save_inbound(const struct session *session, struct tags_writer *writer)
{
	size_t start;

	if (!session->inbound)
		return;
	start = tags_begin(writer, SESSION_INBOUND);
	tags_put_number(writer, INBOUND_VERB, session->inbound_verb);
	tags_put_number(writer, INBOUND_LINE, session->inbound_line);
	tags_put_number(writer, INBOUND_LENGTH, session->inbound_length);
	tags_put(writer, INBOUND_BYTES,
		 (struct slice){session->inbound->bytes, session->inbound_filled});
	tags_end(writer, start);
}

static void save_sub(const struct sub *sub, struct tags_writer *writer)
{
	size_t start = tags_begin(writer, SESSION_SUB);

	tags_put(writer, SUB_SUBJECT, leaf_subject(sub->leaf));
	if (leaf_queue(sub->leaf))
		tags_put(writer, SUB_QUEUE, router_queue_name(leaf_queue(sub->leaf)));
	tags_put(writer, SUB_SID, sub_sid(sub));
	tags_put_number(writer, SUB_MAX, sub->max);
	tags_put_number(writer, SUB_DELIVERED, sub->delivered);
	tags_end(writer, start);
}

static void save_grants(const struct guard *guard, struct tags_writer *writer)
{
	for (const struct list *link = guard->by_age.next; link != &guard->by_age;
	     link = link->next) {
		const struct grant *grant = container_of(link, struct grant, link);
		size_t start = tags_begin(writer, SESSION_GRANT);

		tags_put(writer, GRANT_REPLY, (struct slice){grant->reply, grant->length});
		if (grant->left > 0)
			tags_put_number(writer, GRANT_LEFT, (uint64_t)grant->left);
		tags_put_number(writer, GRANT_AGE_MS, guard_grant_age_ms(guard, grant));
		tags_end(writer, start);
	}
}

static int save_shared(const struct chunk *chunk, struct state_payloads *payloads,
		       struct tags_writer *writer)
{
	struct payload *payload = chunk->payload;
	size_t start;

	if (!payload->number) {
		struct slice bytes = {payload->bytes, payload->filled};
		int error = payloads->keep(payloads, bytes);

		if (error < 0)
			return error;
		payload->number = ++payloads->count;
	}
	start = tags_begin(writer, SESSION_SHARED);
	tags_put_number(writer, SHARED_NUMBER, payload->number);
	tags_put_number(writer, SHARED_START, chunk->payload_start);
	tags_put_number(writer, SHARED_END, chunk->payload_end);
	tags_end(writer, start);
	return 0;
}

static int save_outbox(const struct outbox *outbox, struct state_payloads *payloads,
		       struct tags_writer *writer)
{
	int error = 0;

	for (const struct chunk *chunk = outbox->first; chunk && error >= 0; chunk = chunk->next) {
		if (chunk->start < chunk->end)
			tags_put(writer, SESSION_PENDING,
				 (struct slice){chunk->bytes + chunk->start,
						chunk->end - chunk->start});
		if (chunk->payload && chunk->payload_start < chunk->payload_end)
			error = save_shared(chunk, payloads, writer);
	}
	return error;
}

void state_forget_numbers(struct session *session)
{
	for (struct chunk *chunk = session->outbox.first; chunk; chunk = chunk->next)
		if (chunk->payload)
			chunk->payload->number = 0;
}

int state_save(const struct session *session, struct state_payloads *payloads,
	       struct tags_writer *writer)
{
	const struct connect *connect = &session->connect;
	uint32_t at = 0;
	const struct sub *sub;

	tags_put_number(writer, SESSION_FLAGS, flags_of(session));
	tags_put_number(writer, SESSION_PROTOCOL, connect->protocol);
	save_text(writer, SESSION_NAME, connect_text(connect, CONNECT_NAME));
	save_text(writer, SESSION_LANG, connect_text(connect, CONNECT_LANG));
	save_text(writer, SESSION_VERSION, connect_text(connect, CONNECT_VERSION));
	/* One that is over reads nothing more. */
	if (!session->fault) {
		tags_put_number(writer, SESSION_PARSER_STATE, session->parser.state);
		tags_put_number(writer, SESSION_PARSER_VERB, session->parser.verb);
		save_inbound(session, writer);
	}
	/* Those of one who has left are about to go, some of them are gone. */
	while (!session->outbox.closed && (sub = map_next(&session->subs, &at)))
		save_sub(sub, writer);
	if (session->outbox.guard)
		save_grants(session->outbox.guard, writer);
	return save_outbox(&session->outbox, payloads, writer);
}

/* Loading. What is read is not trusted. */

static bool load_text(struct connect *connect, enum connect_text which, struct slice value)
{
	return !memchr(value.bytes, '\0', value.length) &&
	       connect_set_text(connect, which, value) == 0;
}

static void load_flags(struct session *session, uint64_t flags)
{
	struct connect *connect = &session->connect;

	connect->verbose = flags & FLAG_VERBOSE;
	connect->pedantic = flags & FLAG_PEDANTIC;
	connect->echo = flags & FLAG_ECHO;
	connect->headers = flags & FLAG_HEADERS;
	connect->no_responders = flags & FLAG_NO_RESPONDERS;
	session->connected = flags & FLAG_CONNECTED;
	session->pinged = flags & FLAG_PINGED;
	session->denied = flags & FLAG_DENIED;
	session->outbox.wants_headers = flags & FLAG_WANTS_HEADERS;
	session_update_care(session);
}

/* A field of fields, read into what each tag is for. False: damaged. */
static bool split(struct slice fields, struct slice *values, size_t count)
{
	struct tags_field field;
	enum tags_answer answer;

	while ((answer = tags_next(&fields, &field)) == TAGS_FIELD)
		if (field.tag < count)
			values[field.tag] = field.value;
	return answer == TAGS_END;
}

static bool load_inbound(struct session *session, struct slice fields)
{
	struct slice values[INBOUND_BYTES + 1] = {0};
	struct slice bytes;

	if (session->inbound || !split(fields, values, INBOUND_BYTES + 1))
		return false;
	bytes = values[INBOUND_BYTES];
	return session_restore_inbound(session, tags_number(values[INBOUND_VERB]),
				       tags_number(values[INBOUND_LINE]),
				       tags_number(values[INBOUND_LENGTH]), bytes);
}

static bool load_sub(struct session *session, struct slice fields)
{
	struct slice values[SUB_DELIVERED + 1] = {0};
	struct sub *sub;
	uint64_t max, delivered;

	if (!split(fields, values, SUB_DELIVERED + 1))
		return false;
	max = tags_number(values[SUB_MAX]);
	delivered = tags_number(values[SUB_DELIVERED]);
	if (values[SUB_SUBJECT].length == 0 ||
	    subject_kind(values[SUB_SUBJECT]) == SUBJECT_INVALID ||
	    values[SUB_SID].length == 0 || max > UINT32_MAX || (max > 0 && delivered >= max))
		return false;
	sub = session_restore_sub(session, values[SUB_SUBJECT], values[SUB_QUEUE],
				  values[SUB_SID]);
	if (!sub)
		return false;
	sub->max = (uint32_t)max;
	sub->delivered = delivered < UINT32_MAX ? (uint32_t)delivered : UINT32_MAX;
	return true;
}

static bool load_pending(struct outbox *outbox, struct slice bytes)
{
	while (bytes.length > 0) {
		size_t most = CHUNK_LARGE - sizeof(struct chunk) - CHUNK_SLACK;
		struct slice piece = {bytes.bytes, bytes.length < most ? bytes.length : most};

		if (!outbox_put(outbox, piece))
			return false;
		bytes = slice_after(bytes, piece.length);
	}
	return true;
}

static bool load_shared(struct outbox *outbox, const struct state_source *source,
			struct slice fields)
{
	struct slice values[SHARED_END + 1] = {0};
	uint64_t number, start, end;

	if (!split(fields, values, SHARED_END + 1))
		return false;
	number = tags_number(values[SHARED_NUMBER]);
	start = tags_number(values[SHARED_START]);
	end = tags_number(values[SHARED_END]);
	if (number == 0 || number > source->count || !source->all[number - 1].payload ||
	    start >= end || end > source->all[number - 1].length)
		return false;
	if (!outbox_room(outbox, 0, (size_t)(end - start)))
		return false;
	outbox_attach(outbox, source->all[number - 1].payload, (size_t)start,
		      (size_t)end);
	return true;
}

/* The permit that it was given under comes later. */
static bool load_grant(struct session *session, struct slice fields)
{
	struct slice values[GRANT_AGE_MS + 1] = {0};
	struct guard *guard;
	uint64_t left;

	if (!split(fields, values, GRANT_AGE_MS + 1))
		return false;
	left = tags_number(values[GRANT_LEFT]);
	guard = session_take_guard(session);
	if (!guard || values[GRANT_REPLY].length == 0 || left > INT64_MAX)
		return false;
	return guard_restore_grant(guard, values[GRANT_REPLY], left ? (int64_t)left : -1,
				   tags_number(values[GRANT_AGE_MS]));
}

/* Numbers that do not fit are nobody's. */
static uint8_t small(struct slice value)
{
	uint64_t number = tags_number(value);

	return number > UINT8_MAX ? UINT8_MAX : (uint8_t)number;
}

static bool load_field(struct session *session, const struct state_source *source,
		       const struct tags_field *field)
{
	struct connect *connect = &session->connect;

	switch (field->tag) {
	case SESSION_FLAGS:
		load_flags(session, tags_number(field->value));
		return true;
	case SESSION_PROTOCOL:
		connect->protocol = small(field->value);
		return true;
	case SESSION_NAME:
		return load_text(connect, CONNECT_NAME, field->value);
	case SESSION_LANG:
		return load_text(connect, CONNECT_LANG, field->value);
	case SESSION_VERSION:
		return load_text(connect, CONNECT_VERSION, field->value);
	case SESSION_PARSER_STATE:
		session->parser.state = small(field->value);
		return true;
	case SESSION_PARSER_VERB:
		session->parser.verb = small(field->value);
		return true;
	case SESSION_INBOUND:
		return load_inbound(session, field->value);
	case SESSION_SUB:
		return load_sub(session, field->value);
	case SESSION_GRANT:
		return load_grant(session, field->value);
	case SESSION_PENDING:
		return load_pending(&session->outbox, field->value);
	case SESSION_SHARED:
		return load_shared(&session->outbox, source, field->value);
	default:
		return true;
	}
}

bool state_load(struct session *session, const struct state_source *source, struct slice fields)
{
	struct tags_field field;
	enum tags_answer answer;

	/* Flags that are all off are not written, but a new session has some on. */
	load_flags(session, 0);
	while ((answer = tags_next(&fields, &field)) == TAGS_FIELD)
		if (!load_field(session, source, &field))
			return false;
	return answer == TAGS_END && parser_is_sound(&session->parser);
}
