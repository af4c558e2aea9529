/* SPDX-License-Identifier: MIT */
#include "broker/session.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hints.h"
#include "broker/auth.h"
#include "broker/guard.h"
#include "broker/router.h"
#include "broker/session_own.h"
#include "broker/trace.h"
#include "proto/subject.h"
#include "proto/writer.h"

/* In router.work: what an object costs to read. */
enum { JSON_WORK = 256 };

void session_init(struct session *session, struct router *router, const struct limits *limits)
{
	*session = (struct session){.router = router, .limits = limits,
				    .connect = HANDSHAKE_DEFAULTS};
	outbox_init(&session->outbox, router->pool);
	session_update_care(session);
}

/*
 * To look at millions would take long; a few tell of all, and which they are depends on a hash that
 * no client can guess.
 */
static uint64_t sub_bytes(const struct session *session)
{
	enum { SOME = 16 };
	uint64_t bytes = 0, count = 0;
	uint32_t at = session->ended_subs;
	struct sub *sub;

	while (count < SOME && (sub = map_next(&session->subs, &at))) {
		bytes += router_sub_bytes(session->router, sub);
		count++;
	}
	return count > 0 ? bytes * session->subs.count / count : 0;
}

size_t session_held_bytes(const struct session *session)
{
	const struct outbox *outbox = &session->outbox;
	size_t unread = outbox->is_behind ? outbox->pending_bytes : 0;
	size_t inbound = session->inbound ? session->inbound->capacity : 0;
	size_t granted = outbox->guard ? outbox->guard->grant_bytes : 0;

	return unread + inbound + granted + map_bytes(&session->subs) + (size_t)sub_bytes(session);
}

void session_give_up(struct session *session)
{
	if (session->inbound)
		pool_release_payload(session->router->pool, session->inbound);
	session->inbound = NULL;
	outbox_fini(&session->outbox);
}

void session_fini(struct session *session)
{
	session_end_subs(session);
	session_give_up(session);
	guard_free(session->outbox.guard);
	session_forget_claim(session);
	handshake_fini(&session->connect);
}

/* Messages. */

/* A prefix, and something behind it. */
static bool is_below(struct slice subject, struct slice prefix)
{
	return subject.length > prefix.length && slice_starts_with(subject, prefix);
}

/* Subjects that begin like the reserved ones are few: one byte tells most apart. */
static bool needs_look(struct slice subject)
{
	return subject.bytes[0] == '_' || subject.bytes[0] == '$';
}

NOINLINE static bool is_reserved_subject(struct slice subject)
{
	return is_below(subject, SLICE("_GR_.")) || slice_starts_with(subject, SLICE("$NRG."));
}

static bool is_reserved_reply(struct slice reply)
{
	return slice_starts_with(reply, SLICE("_R_.")) || is_below(reply, SLICE("$JS.")) ||
	       is_below(reply, SLICE("_GR_."));
}

/* For careful sessions. False: it may not be published. */
static bool check_subject(struct session *session, struct slice subject)
{
	struct guard *guard = session->outbox.guard;

	if (session->connect.pedantic && !subject_is_publishable(subject))
		session_complain_about(session, FAULT_INVALID_PUBLISH_SUBJECT, subject);
	return !guard || guard_publishes(guard, subject, &session->router->work);
}

static void refuse(struct session *session, enum fault fault, struct slice subject)
{
	session_deny(session, fault, subject);
	session->denied = true;
}

/* What is decided before the payload is there (PROTOCOL 3.3, 5.2, 5.4, 10.7). */
static enum step check_head(struct session *session, const struct op *op)
{
	session->denied = false;
	if (op->verb == VERB_HPUB && !session->outbox.wants_headers)
		return complain(session, FAULT_NO_HEADERS);
	if (op->payload_length > session->limits->max_payload)
		return session_complain_about(session, FAULT_MAX_PAYLOAD, op->subject);
	if (session->careful && !check_subject(session, op->subject))
		refuse(session, FAULT_PUBLISH_DENIED, op->subject);
	else if (needs_look(op->subject) && is_reserved_subject(op->subject))
		refuse(session, FAULT_PUBLISH_DENIED, op->subject);
	else if (op->reply.length > 0 && is_reserved_reply(op->reply))
		refuse(session, FAULT_REPLY_DENIED, op->reply);
	return STEP_NEXT;
}

/* The 503 that tells a requester that nobody listens (PROTOCOL 6.7). */
static void say_no_responders(struct session *session, const struct message *message)
{
	static const char verb[] = "HMSG ";
	static const char status[] = "NATS/1.0 503\r\nNats-Subject: ";
	static const char end[] = "\r\n\r\n\r\n";
	struct slice subject = message->subject;
	struct sub *sub = router_find_own(session->router, message->reply, &session->outbox);
	/* The headers end with an empty line; the last CRLF is the payload's. */
	size_t length = SLICE(status).length + subject.length + SLICE(end).length - 2;
	char tail[WRITER_TAIL];
	struct slice tail_slice = {tail, 0};
	char *start, *to;

	if (!sub)
		return;
	tail_slice.length = writer_hmsg_tail(tail, (struct slice){NULL, 0}, (uint32_t)length,
					     (uint32_t)length);
	assert(tail_slice.length <= sizeof(tail));
	length += 2 + SLICE(verb).length + message->reply.length + 1 +
		  writer_line_length((struct slice){NULL, 0}, sub_sid(sub), tail_slice);
	start = outbox_room(&session->outbox, length, 0);
	if (!start)
		return;
	to = writer_copy(writer_copy(start, SLICE(verb)), message->reply);
	*to++ = ' ';
	to = writer_line(to, (struct slice){NULL, 0}, sub_sid(sub), tail_slice);
	/* The trace shows the line up to its CRLF, without the verb. */
	show(session, TRACE_OUT, SLICE("HMSG"),
	     (struct slice){start + 5, (size_t)(to - start) - 7});
	to = writer_copy(to, SLICE(status));
	to = writer_copy(to, subject);
	writer_copy(to, SLICE(end));
	outbox_wrote(&session->outbox, length);
}

static enum step publish(struct session *session, const struct op *op, struct slice body,
			 struct payload *payload)
{
	struct router *router = session->router;
	uint64_t heard;
	struct message message = {
		.except = session->connect.echo ? NULL : &session->outbox,
		.memo = op->is_known ? session->recent : NULL,
		.subject = op->subject,
		.reply = op->reply,
		.tail = op->tail,
		.body = body,
		.payload = payload,
		.header_length = op->header_length,
	};

	show(session, TRACE_PAYLOAD, SLICE("MSG_PAYLOAD"),
	     (struct slice){body.bytes, body.length - 2});
	if (session->denied)
		return STEP_NEXT;
	ok(session);
	/* No headers after all: the tail of an HPUB line does not do for MSG. */
	if (op->verb == VERB_HPUB && op->header_length == 0)
		message.tail.length = 0;
	heard = router_publish(router, &message);
	session->recent = router->memos.recent;
	if (heard == 0 && router->lacked_memory) {
		router->lacked_memory = false;
		return end(session, FAULT_MEMORY);
	}
	if (heard == 0 && session->connect.no_responders &&
	    op->reply.length > 0)
		say_no_responders(session, &message);
	if (router->expired)
		session_remove_expired(router);
	return STEP_NEXT;
}

/* A large message that is not all there gets a place of its own, line included. */
static enum step begin_inbound(struct session *session, const struct op *op, struct slice *input)
{
	size_t length = op->line.length + 2 + op->payload_length + 2;
	struct payload *payload = pool_take_payload(session->router->pool, length);
	struct slice line = op->line;
	struct slice start = parser_give_up_payload(&session->parser, input, op);
	char *to;

	if (!payload)
		return end(session, FAULT_MEMORY);
	to = writer_copy(payload->bytes, line);
	to = writer_copy(to, SLICE("\r\n"));
	to = writer_copy(to, start);
	session->inbound = payload;
	session->inbound_verb = (uint8_t)op->verb;
	session->inbound_line = (uint32_t)line.length;
	session->inbound_length = (uint32_t)length;
	session->inbound_filled = (uint32_t)(to - payload->bytes);
	return STEP_WAIT;
}

static enum step on_pub(struct session *session, const struct op *op, struct slice *input)
{
	enum parser_answer answer;
	enum fault fault;
	struct slice body;

	session->events |= SESSION_HEARD;
	if (!op->again && check_head(session, op) == STEP_OVER)
		return STEP_OVER;
	answer = parser_payload(&session->parser, input, op, &body, &fault);
	if (answer == PARSER_OP)
		return publish(session, op, body, NULL);
	if (answer == PARSER_FAULT)
		return complain(session, fault);
	if (op->payload_length >= OUTBOX_SHARE_BYTES)
		return begin_inbound(session, op, input);
	return STEP_WAIT;
}

/* The rest of the conversation. */

void session_ping(struct session *session)
{
	say(session, SLICE("PING"), WRITER_PING);
}

static enum step on_ping(struct session *session, const struct op *op, struct slice *input)
{
	(void)op, (void)input;
	session->events |= SESSION_HEARD;
	say(session, SLICE("PONG"), WRITER_PONG);
	if (!session->connected || session->pinged)
		return STEP_NEXT;
	session->pinged = true;
	if (session->connect.protocol >= 1)
		session->events |= SESSION_FIRST_PING;
	return STEP_NEXT;
}

static enum step on_pong(struct session *session, const struct op *op, struct slice *input)
{
	(void)op, (void)input;
	session->events |= SESSION_PONG;
	return STEP_NEXT;
}

/* CONNECT is what it should be, but for `fault`. */
static enum step finish_connect(struct session *session, enum fault fault)
{
	const struct connect *connect = &session->connect;

	if (fault == FAULT_NONE && connect->no_responders && !session->outbox.wants_headers)
		fault = FAULT_NO_RESPONDERS;
	session_update_care(session);
	if (fault != FAULT_NONE)
		return complain(session, fault);
	session->connected = true;
	session->events |= SESSION_CONNECTED;
	return ok(session);
}

/* Who this is comes before everything else that may be wrong (2.3). */
static enum step claim(struct session *session, struct claim *claim, enum fault fault)
{
	session->is_locked = true;
	session->claim = claim;
	session->late_fault = (uint8_t)fault;
	session->events |= SESSION_CLAIMS;
	return STEP_NEXT;
}

static enum step on_connect(struct session *session, const struct op *op, struct slice *input)
{
	struct connect *connect = &session->connect;
	struct claim *claimed = session->is_guarded ? calloc(1, sizeof(*claimed)) : NULL;
	enum fault fault = handshake_read_connect(op->line, connect, claimed);

	(void)input;
	session->router->work += JSON_WORK;
	session->outbox.wants_headers = connect->headers && session->limits->headers;
	if (claimed && fault != FAULT_JSON && fault != FAULT_MEMORY)
		return claim(session, claimed, fault);
	if (claimed)
		claim_fini(claimed);
	free(claimed);
	if (session->is_guarded && fault == FAULT_NONE)
		fault = FAULT_MEMORY;
	return finish_connect(session, fault);
}

void session_guard(struct session *session)
{
	session->is_guarded = session->is_locked = true;
}

void session_forget_claim(struct session *session)
{
	if (session->claim)
		claim_fini(session->claim);
	free(session->claim);
	session->claim = NULL;
}

void session_admit(struct session *session, const struct auth_user *user, struct router *router)
{
	session_enter(session, router);
	session->user = user;
	session->is_locked = false;
	if (session_set_permit(session, user ? user->permit : NULL) < 0)
		session->fault = FAULT_MEMORY;
	while (session_remove_forbidden(session))
		continue;
	/* A first operation that was no CONNECT has still to be done. */
	if (session->claim)
		finish_connect(session, (enum fault)session->late_fault);
	session_forget_claim(session);
}

void session_refuse(struct session *session)
{
	session_forget_claim(session);
	session_complain(session, FAULT_AUTHORIZATION);
}

static enum step on_info(struct session *session, const struct op *op, struct slice *input)
{
	(void)input;
	session->router->work += JSON_WORK;
	if (handshake_is_object(op->line))
		return STEP_NEXT;
	return complain(session, FAULT_JSON);
}

static enum step on_nothing(struct session *session, const struct op *op, struct slice *input)
{
	(void)session, (void)op, (void)input;
	return STEP_NEXT;
}

static enum step on_error(struct session *session, const struct op *op, struct slice *input)
{
	(void)op, (void)input;
	return complain(session, FAULT_CLIENT_ERROR);
}

static enum step (*const handlers[VERB_COUNT])(struct session *, const struct op *,
					       struct slice *) = {
	[VERB_PUB] = on_pub,
	[VERB_HPUB] = on_pub,
	[VERB_SUB] = session_on_sub,
	[VERB_UNSUB] = session_on_unsub,
	[VERB_PING] = on_ping,
	[VERB_PONG] = on_pong,
	[VERB_CONNECT] = on_connect,
	[VERB_INFO] = on_info,
	[VERB_OK] = on_nothing,
	[VERB_ERR] = on_error,
};

/* Only where somebody watches. */
static void show_op(struct session *session, const struct op *op)
{
	struct slice text = {NULL, 0};
	char *redacted = NULL;

	if (op->again)
		return;
	if (op->verb == VERB_CONNECT) {
		redacted = handshake_redact(op->line);
		text = slice_of(redacted ? redacted : "");
	} else if (op->verb != VERB_PING && op->verb != VERB_PONG && op->verb != VERB_OK) {
		text = op->line;
	}
	show(session, TRACE_IN, slice_of(verb_name(op->verb)), text);
	free(redacted);
}

struct room session_room(const struct session *session)
{
	if (!session->inbound)
		return (struct room){NULL, 0};
	return (struct room){session->inbound->bytes + session->inbound_filled,
			     session->inbound_length - session->inbound_filled};
}

/* The large message is all there. */
static enum step finish_inbound(struct session *session)
{
	struct payload *payload = session->inbound;
	struct slice line = {payload->bytes, session->inbound_line};
	struct slice body = {payload->bytes + line.length + 2,
			     session->inbound_length - line.length - 2};
	struct op op = {0};
	enum step step;
	bool is_read;

	session->inbound = NULL;
	payload->filled = session->inbound_length;
	is_read = parser_read_again((enum verb)session->inbound_verb, line, &op);
	assert(is_read);
	(void)is_read;
	step = publish(session, &op, body, payload);
	pool_release_payload(session->router->pool, payload);
	return step;
}

enum session_answer session_filled(struct session *session, size_t length)
{
	size_t start = session->inbound_line + 2;
	size_t total = session->inbound_length - start - 2;
	struct slice body;
	enum step step = STEP_NEXT;

	session->events |= SESSION_HEARD;
	session->inbound_filled += (uint32_t)length;
	assert(session->inbound_filled <= session->inbound_length);
	body = (struct slice){session->inbound->bytes + start, session->inbound_filled - start};
	if (!parser_check_end(body, total))
		step = complain(session, FAULT_UNKNOWN_OPERATION);
	else if (session->inbound_filled == session->inbound_length)
		step = finish_inbound(session);
	return step == STEP_OVER ? SESSION_OVER : SESSION_MORE;
}

bool session_restore_inbound(struct session *session, uint64_t verb, uint64_t line_length,
			     uint64_t length, struct slice bytes)
{
	struct slice line = {bytes.bytes, (size_t)line_length};
	struct op op = {0};

	if ((verb != VERB_PUB && verb != VERB_HPUB) || length > UINT32_MAX ||
	    bytes.length >= length || bytes.length < 2 || line_length > bytes.length - 2 ||
	    memcmp(bytes.bytes + line_length, "\r\n", 2) != 0 ||
	    !parser_read_again((enum verb)verb, line, &op) ||
	    line_length + 2 + op.payload_length + 2 != length ||
	    !parser_check_end(slice_after(bytes, line.length + 2), op.payload_length))
		return false;
	session->inbound = pool_take_payload(session->router->pool, (size_t)length);
	if (!session->inbound)
		return false;
	memcpy(session->inbound->bytes, bytes.bytes, bytes.length);
	session->inbound_verb = (uint8_t)verb;
	session->inbound_line = (uint32_t)line_length;
	session->inbound_length = (uint32_t)length;
	session->inbound_filled = (uint32_t)bytes.length;
	return true;
}

/* Moves what there is of a large message to its place. */
static void fill_inbound(struct session *session, struct slice *input)
{
	struct room room = session_room(session);
	size_t length = input->length < room.length ? input->length : room.length;

	if (length == 0)
		return;
	memcpy(room.bytes, input->bytes, length);
	*input = slice_after(*input, length);
	session_filled(session, length);
}

/* The general way of one operation. */
static INLINE enum step next_step(struct session *session, struct op *op, struct slice *input)
{
	enum fault fault;

	op->known = session->recent ? memo_subject(session->recent) : (struct slice){NULL, 0};
	switch (parser_next(&session->parser, input, session->limits->max_control_line, op,
			    &fault)) {
	case PARSER_MORE:
		return STEP_WAIT;
	case PARSER_FAULT:
		return complain(session, fault);
	default:
		break;
	}
	if (session->router->trace)
		show_op(session, op);
	return handlers[op->verb](session, op, input);
}

/*
 * The quick way of a message like the one before: for those who publish much to few subjects. What
 * has to be looked at more closely goes the general way.
 */
static INLINE bool publish_again(struct session *session, struct slice *input)
{
	const struct limits *limits = session->limits;
	struct memo *memo = session->recent;
	struct router *router = session->router;
	struct slice known, text;
	uint32_t size;
	size_t length;

	if (!memo || !parser_is_between(&session->parser) || session->careful ||
	    router->trace || !memo_is_fresh(memo, &router->trie))
		return false;
	known = memo_subject(memo);
	length = parser_repeated(*input, known, &memo->size, &text);
	size = memo->size.value;
	if (length == 0 || size >= OUTBOX_SHARE_BYTES || size > limits->max_payload ||
	    known.length + text.length - size > limits->max_control_line)
		return false;
	if (needs_look(known) && is_reserved_subject(known))
		return false;
	*input = slice_after(*input, length);
	session->events |= SESSION_HEARD;
	ok(session);
	router_repeat(router, memo, text, session->connect.echo ? NULL : &session->outbox);
	if (router->expired)
		session_remove_expired(router);
	return true;
}

/* Is there something that the owner should look at before the session goes on? */
static INLINE bool must_pause(const struct session *session, uint64_t work_before)
{
	const struct pool *pool = session->router->pool;

	return (session->events &
		(SESSION_CONNECTED | SESSION_FIRST_PING | SESSION_COMPLAINED | SESSION_CLAIMS)) ||
	       !list_is_empty(&pool->hot) || pool->congested ||
	       session->router->work - work_before > SESSION_WORK;
}

NOINLINE static enum step step_apart(struct session *session, struct op *op, struct slice *input)
{
	return next_step(session, op, input);
}

/*
 * Messages to ever other subjects: what the next ones will look up is looked up together, and then
 * they are as good as repeated. All of them are whole. Careful sessions may not be allowed to.
 */
NOINLINE static void publish_foreseen(struct session *session, struct slice *input,
				      uint64_t work_before)
{
	struct router *router = session->router;
	uint32_t count = 0, at = 0;
	struct op op = {0};

	while (!session->fault && !must_pause(session, work_before)) {
		if (at == count) {
			count = memos_foresee(&router->memos, &router->trie, *input, &router->work);
			at = 0;
		}
		if (count == 0)
			return;
		session->recent = &router->memos.ahead[at++];
		if (!publish_again(session, input) &&
		    step_apart(session, &op, input) == STEP_WAIT)
			break;
	}
	memos_leave(&router->memos, at, count);
}

/*
 * Before it is known who he is: whoever begins with something else than CONNECT has no credentials.
 */
static bool claims_to_be_nobody(struct session *session, struct slice input)
{
	const struct parser *parser = &session->parser;
	bool connects = parser->state == 0
				? input.length == 0 || (input.bytes[0] | 0x20) == 'c'
				: parser->verb == VERB_CONNECT;

	if (connects)
		return false;
	session->events |= SESSION_CLAIMS;
	return true;
}

enum session_answer session_feed(struct session *session, struct slice *input)
{
	uint64_t work_before = session->router->work;
	struct op op = {0};

	if (session->inbound)
		fill_inbound(session, input);
	if (session->is_locked && claims_to_be_nobody(session, *input))
		return session->fault ? SESSION_OVER : SESSION_WAIT;
	while (!session->fault) {
		if (!LIKELY(publish_again(session, input))) {
			if (next_step(session, &op, input) == STEP_WAIT)
				return SESSION_MORE;
			if (op.verb == VERB_PUB && !session->recent && !session->careful)
				publish_foreseen(session, input, work_before);
		}
		if (must_pause(session, work_before))
			return session->fault ? SESSION_OVER : SESSION_WAIT;
	}
	return SESSION_OVER;
}
