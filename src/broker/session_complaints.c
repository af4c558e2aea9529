/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "broker/router.h"
#include "broker/session.h"
#include "broker/session_own.h"
#include "broker/trace.h"
#include "proto/writer.h"

static void set_about(struct session *session, struct slice subject, struct slice queue)
{
	session->has_about = true;
	session->router->about[0] = subject;
	session->router->about[1] = queue;
}

void session_forget_about(struct session *session)
{
	session->has_about = false;
}

struct slice session_about(const struct session *session)
{
	return session->has_about ? session->router->about[0] : (struct slice){NULL, 0};
}

struct slice session_about_queue(const struct session *session)
{
	return session->has_about ? session->router->about[1] : (struct slice){NULL, 0};
}

/* Puts -ERR 'text' and, where it names a subject, that in quotes and what stands behind it. */
static void put_error(struct session *session, enum fault fault, struct slice subject,
		      struct slice detail)
{
	struct buf line = {0};
	int error = buf_append(&line, fault_text(fault));

	if (fault_ends(fault)) {
		session->fault = (uint8_t)fault;
	} else {
		session->complaint = (uint8_t)fault;
		session->events |= SESSION_COMPLAINED;
	}
	if (error == 0 && subject.bytes)
		error = writer_quote(&line, subject);
	if (error == 0 && detail.length > 0)
		error = buf_append(&line, detail);
	if (error == 0) {
		show(session, TRACE_OUT, SLICE("-ERR"), buf_slice(&line));
		error = buf_append(&line, SLICE("'\r\n"));
	}
	if (error == 0 && outbox_put(&session->outbox, SLICE("-ERR '")))
		outbox_put(&session->outbox, buf_slice(&line));
	buf_fini(&line);
}

void session_complain(struct session *session, enum fault fault)
{
	struct slice nothing = {NULL, 0};

	/* A second one about the same operation leaves the subject to the first. */
	if (!(session->events & SESSION_COMPLAINED))
		session_forget_about(session);
	if (fault_text(fault).length > 0)
		put_error(session, fault, nothing, nothing);
	else
		session->fault = (uint8_t)fault;
}

enum step session_complain_about(struct session *session, enum fault fault, struct slice subject)
{
	enum step step = complain(session, fault);

	set_about(session, subject, SLICE(""));
	return step;
}

enum step session_deny(struct session *session, enum fault fault, struct slice subject)
{
	const char *detail = fault_detail(fault);

	set_about(session, subject, SLICE(""));
	put_error(session, fault, subject, slice_of(detail ? detail : ""));
	return STEP_NEXT;
}

static int put_quoted(struct buf *to, struct slice before, struct slice text, struct slice behind)
{
	int error = buf_append(to, before);

	if (error == 0)
		error = writer_quote(to, text);
	return error < 0 ? error : buf_append(to, behind);
}

enum step session_deny_sub(struct session *session, struct slice subject, struct slice queue,
			   struct slice sid)
{
	struct buf detail = {0};
	int error = 0;

	set_about(session, subject, queue);
	if (queue.length > 0)
		error = put_quoted(&detail, SLICE(" using queue "), queue, SLICE(""));
	if (error == 0 && sid.length > 0)
		error = put_quoted(&detail, SLICE(" (sid "), sid, SLICE(")"));
	if (error == 0)
		put_error(session, FAULT_SUBSCRIPTION_DENIED, subject, buf_slice(&detail));
	buf_fini(&detail);
	return STEP_NEXT;
}
