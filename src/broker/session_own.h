/* SPDX-License-Identifier: MIT */
/*
 * What only the files of a session share.
 *
 * session.c is the conversation, with the whole path of a message. It calls session_subs.c: what
 * the session listens to, what it may, and where it is. Both call session_complaints.c: what the
 * client did wrong, and how it is told. Nothing is called the other way.
 */
#pragma once

#include "broker/router.h"
#include "broker/session.h"
#include "broker/trace.h"
#include "proto/writer.h"

/* What comes after an operation. */
enum step {
	STEP_NEXT, /* on to the next operation */
	STEP_WAIT, /* this one is not whole yet */
	STEP_OVER, /* the session has ended */
};

/* To whoever watches. */
static inline void show(struct session *session, enum trace_way way, struct slice verb,
			struct slice text)
{
	struct trace *trace = session->router->trace;

	if (trace)
		trace->line(trace, &session->outbox, way, verb, text);
}

static inline enum step say(struct session *session, struct slice verb, struct slice text)
{
	show(session, TRACE_OUT, verb, (struct slice){NULL, 0});
	outbox_put(&session->outbox, text);
	return STEP_NEXT;
}

/* Only to those who want to hear it. */
static inline enum step ok(struct session *session)
{
	if (!session->connect.verbose)
		return STEP_NEXT;
	return say(session, SLICE("OK"), WRITER_OK);
}

/* Without a word to the client. */
static inline enum step end(struct session *session, enum fault fault)
{
	session->fault = (uint8_t)fault;
	return STEP_OVER;
}

static inline enum step complain(struct session *session, enum fault fault)
{
	session_complain(session, fault);
	return session->fault ? STEP_OVER : STEP_NEXT;
}

/* The subject is for the log only. */
enum step session_complain_about(struct session *session, enum fault fault, struct slice subject);

/* The client is told the subject as well. */
enum step session_deny(struct session *session, enum fault fault, struct slice subject);

/* `sid` is empty where the subscription is only asked for. */
enum step session_deny_sub(struct session *session, struct slice subject, struct slice queue,
			   struct slice sid);

/* Handlers of SUB and UNSUB. */
enum step session_on_sub(struct session *session, const struct op *op, struct slice *input);
enum step session_on_unsub(struct session *session, const struct op *op, struct slice *input);

/* Those whose last message was just delivered, of whichever sessions they are. */
void session_remove_expired(struct router *router);

/* All that are left, however many. */
void session_end_subs(struct session *session);
