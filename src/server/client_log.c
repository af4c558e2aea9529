/* SPDX-License-Identifier: MIT */
#include "server/client_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "os/listener.h"
#include "os/units.h"
#include "proto/writer.h"
#include "server/client.h"
#include "server/events.h"
#include "server/server.h"

enum { SUBJECT_MAX = 1024, TELL_MS = 2000 };

struct credentials_text {
	char uid[24], gid[24], pid[24];
};

static const char *text_or_nothing(const char *text)
{
	return text ? text : "";
}

/* Empty where there is nothing to be known. */
static void print_credentials(const struct peer *peer, struct credentials_text *text)
{
	struct credentials credentials = peer_credentials(peer);

	*text = (struct credentials_text){.uid = ""};
	if (!credentials_are_known(&credentials))
		return;
	snprintf(text->uid, sizeof(text->uid), "%ju", (uintmax_t)credentials.uid);
	snprintf(text->gid, sizeof(text->gid), "%ju", (uintmax_t)credentials.gid);
	if (credentials.pid > 0)
		snprintf(text->pid, sizeof(text->pid), "%jd", (intmax_t)credentials.pid);
}

/*
 * "127.0.0.1:57678 - cid:5 - " or "unix uid:1000 pid:4711 - cid:5 - " and, once known,
 * "\"v1.0:c:name\" - ".
 */
static void print_who(const struct client *client, const struct log_fields *fields, char *who,
		      size_t size)
{
	int length = snprintf(who, size, "%s%s%s%s%s - cid:%" PRIu64, fields->peer,
			      *fields->uid ? " uid:" : "", fields->uid,
			      *fields->pid ? " pid:" : "", fields->pid, client->cid);

	if (fields->name || fields->lang || fields->version)
		snprintf(who + length, size - (size_t)length, " - \"%s%s:%s:%s\"",
			 fields->version ? "v" : "", text_or_nothing(fields->version),
			 text_or_nothing(fields->lang), text_or_nothing(fields->name));
}

void client_log(const struct client *client, enum log_level level,
		const struct log_fields *about, const char *format, ...)
{
	struct log *log = client->server->log;
	const struct connect *connect = &client->session.connect;
	struct log_fields fields = about ? *about : (struct log_fields){0};
	struct credentials_text credentials;
	char peer[ADDRESS_TEXT];
	char text[LOG_TEXT_MAX];
	char who[1024];
	va_list arguments;

	if (!log_wants(log, level))
		return;
	peer_text(&client->peer, peer);
	print_credentials(&client->peer, &credentials);
	fields.cid = client->cid;
	fields.peer = peer;
	fields.uid = credentials.uid;
	fields.gid = credentials.gid;
	fields.pid = credentials.pid;
	fields.unit = unit_name(client->unit);
	fields.name = connect_text(connect, CONNECT_NAME);
	fields.lang = connect_text(connect, CONNECT_LANG);
	fields.version = connect_text(connect, CONNECT_VERSION);
	fields.listener = client->listener->text;
	print_who(client, &fields, who, sizeof(who));
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_write(log, level, &fields, "%s - %s", who, text);
}

/* What is the client's own doing is worth a line; its coming and going is not, without -D. */
static const struct {
	const char *event;
	enum log_level level;
} kinds[FAULT_COUNT] = {
	[FAULT_INVALID_SUBJECT] = {EVENT_INVALID_SUBJECT, LOG_LEVEL_WARNING},
	[FAULT_INVALID_PUBLISH_SUBJECT] = {EVENT_INVALID_SUBJECT, LOG_LEVEL_WARNING},
	[FAULT_MAX_SUBSCRIPTIONS] = {EVENT_MAX_SUBSCRIPTIONS, LOG_LEVEL_WARNING},
	[FAULT_PUBLISH_DENIED] = {EVENT_PERMISSION, LOG_LEVEL_WARNING},
	[FAULT_REPLY_DENIED] = {EVENT_PERMISSION, LOG_LEVEL_WARNING},
	[FAULT_SUBSCRIPTION_DENIED] = {EVENT_PERMISSION, LOG_LEVEL_WARNING},
	[FAULT_TOKENS_DENIED] = {EVENT_PERMISSION, LOG_LEVEL_WARNING},
	[FAULT_UNKNOWN_OPERATION] = {EVENT_PROTOCOL_VIOLATION, LOG_LEVEL_WARNING},
	[FAULT_CONTROL_LINE] = {EVENT_CONTROL_LINE, LOG_LEVEL_WARNING},
	[FAULT_MAX_PAYLOAD] = {EVENT_MAX_PAYLOAD, LOG_LEVEL_WARNING},
	[FAULT_CLIENT_PROTOCOL] = {EVENT_PROTOCOL_VERSION, LOG_LEVEL_WARNING},
	[FAULT_NO_RESPONDERS] = {EVENT_NO_RESPONDERS, LOG_LEVEL_WARNING},
	[FAULT_AUTHORIZATION] = {EVENT_AUTHENTICATION, LOG_LEVEL_WARNING},
	[FAULT_AUTHENTICATION_TIMEOUT] = {EVENT_AUTHENTICATION, LOG_LEVEL_WARNING},
	[FAULT_MAX_CONNECTIONS] = {EVENT_MAX_CONNECTIONS, LOG_LEVEL_WARNING},
	[FAULT_STALE] = {EVENT_STALE, LOG_LEVEL_INFO},
	[FAULT_ARGUMENTS] = {EVENT_PROTOCOL_VIOLATION, LOG_LEVEL_WARNING},
	[FAULT_JSON] = {EVENT_PROTOCOL_VIOLATION, LOG_LEVEL_WARNING},
	[FAULT_NO_HEADERS] = {EVENT_PROTOCOL_VIOLATION, LOG_LEVEL_WARNING},
	[FAULT_CLIENT_ERROR] = {EVENT_CLIENT_ERROR, LOG_LEVEL_WARNING},
	[FAULT_CLIENT_CLOSED] = {EVENT_CLIENT_CLOSED, LOG_LEVEL_DEBUG},
	[FAULT_PENDING] = {EVENT_SLOW_PENDING, LOG_LEVEL_WARNING},
	[FAULT_WRITE_DEADLINE] = {EVENT_SLOW_DEADLINE, LOG_LEVEL_WARNING},
	[FAULT_BUDGET] = {EVENT_SLOW_BUDGET, LOG_LEVEL_WARNING},
	[FAULT_READ] = {EVENT_CLIENT_LOST, LOG_LEVEL_DEBUG},
	[FAULT_WRITE] = {EVENT_CLIENT_LOST, LOG_LEVEL_DEBUG},
	[FAULT_MEMORY] = {EVENT_OUT_OF_MEMORY, LOG_LEVEL_ERROR},
	[FAULT_STRANGER] = {EVENT_STRANGER, LOG_LEVEL_WARNING},
	[FAULT_SHUTDOWN] = {EVENT_CLIENT_DISMISSED, LOG_LEVEL_DEBUG},
};

static void on_told(struct timer *timer)
{
	client_log_left_out(container_of(timer, struct server, restraint_timer));
}

/* Clients may cause it as often as they like: not each time it is worth a line. */
static bool is_worth_a_line(const struct client *client, enum fault fault)
{
	struct server *server = client->server;
	uint64_t now_ms = server->loop.now_ms;

	if (log_wants(server->log, LOG_LEVEL_DEBUG) || kinds[fault].level == LOG_LEVEL_DEBUG ||
	    restraint_permits(&server->restraint, fault, now_ms))
		return true;
	server->restraint_timer.expired = on_told;
	if (!server->restraint_timer.place)
		(void)loop_set_timer(&server->loop, &server->restraint_timer, now_ms + TELL_MS);
	return false;
}

void client_log_left_out(struct server *server)
{
	for (enum fault fault = 0; fault < FAULT_COUNT; fault++) {
		uint64_t count = restraint_take(&server->restraint, fault);
		struct log_fields fields = {
			.event = EVENT_LEFT_OUT, .count = count, .reason = fault_reason(fault)};

		if (count > 0)
			log_write(server->log, kinds[fault].level, &fields,
				  "%" PRIu64 " records about clients were left out: %s", count,
				  fields.reason);
	}
}

/* A subject with a NUL in it is cut there. */
static void print_subject(const struct client *client, char subject[SUBJECT_MAX])
{
	struct slice about = session_about(&client->session);
	int length = (int)(about.length < SUBJECT_MAX ? about.length : SUBJECT_MAX);

	snprintf(subject, SUBJECT_MAX, "%.*s", length, about.bytes ? about.bytes : "");
}

static int quote_about(const struct session *session, struct buf *quoted)
{
	struct slice queue = session_about_queue(session);
	int error = writer_quote(quoted, session_about(session));

	if (error < 0 || queue.length == 0)
		return error;
	error = buf_append(quoted, SLICE(" using queue "));
	return error < 0 ? error : writer_quote(quoted, queue);
}

void client_log_complaint(const struct client *client)
{
	enum fault fault = (enum fault)client->session.complaint;
	struct slice text = fault_text(fault);
	const char *detail = fault_detail(fault);
	char subject[SUBJECT_MAX];
	struct log_fields fields = {
		.event = kinds[fault].event, .reason = fault_reason(fault), .subject = subject};
	struct buf quoted = {0};

	if (!is_worth_a_line(client, fault))
		return;
	print_subject(client, subject);
	if (client->session.has_about && quote_about(&client->session, &quoted) == 0)
		client_log(client, kinds[fault].level, &fields, "Client error: %.*s%s%.*s%s",
			   (int)text.length, text.bytes,
			   text.bytes[text.length - 1] == ' ' ? "" : " ", (int)quoted.length,
			   quoted.bytes, detail ? detail : "");
	else
		client_log(client, kinds[fault].level, &fields, "Client error: %.*s",
			   (int)text.length, text.bytes);
	buf_fini(&quoted);
}

static void log_slow_consumer(const struct client *client, enum fault fault,
			      const struct log_fields *fields)
{
	const struct options *options = client->server->options;

	if (fault == FAULT_PENDING)
		client_log(client, LOG_LEVEL_WARNING, fields,
			   "Slow Consumer Detected: MaxPending of %" PRId64 " Exceeded",
			   options->max_pending);
	else if (fault == FAULT_BUDGET)
		client_log(client, LOG_LEVEL_WARNING, fields,
			   "Slow Consumer Detected: MaxMemory of %zu Exceeded, of which this client "
			   "held most: %zu, %" PRIu64 " bytes pending and %" PRIu32 " subscriptions",
			   client->server->pool.budget_bytes, client_held_bytes(client),
			   fields->pending, client->session.subs.count);
	else
		client_log(client, LOG_LEVEL_WARNING, fields,
			   "Slow Consumer Detected: WriteDeadline of %gs exceeded with %" PRIu64
			   " bytes pending", (double)options->write_deadline_ms / 1000,
			   fields->pending);
}

void client_log_end(const struct client *client, enum fault fault)
{
	const char *detail = fault_detail(fault);
	char subject[SUBJECT_MAX];
	struct log_fields fields = {.reason = fault_reason(fault), .subject = subject};

	if (!is_worth_a_line(client, fault))
		return;
	print_subject(client, subject);
	if (fault_is_slow(fault)) {
		fields.pending = client->session.outbox.pending_bytes;
		log_slow_consumer(client, fault, &fields);
	}
	/* Of two records about it this is the one to be found. */
	fields.event = kinds[fault].event;
	client_log(client, kinds[fault].level, &fields, "Client connection closed: %s%s%s",
		   fields.reason, detail ? ", " : "", detail ? detail : "");
}

static void log_payload(const struct client *client, struct slice verb, struct slice text)
{
	size_t most = (size_t)client->server->options->max_traced_msg_len;
	const char *more = "";
	struct buf quoted = {0};

	if (most > 0 && text.length > most) {
		text.length = most;
		more = "...";
	}
	if (text.length > LOG_TEXT_MAX)
		text.length = LOG_TEXT_MAX;
	if (writer_quote(&quoted, text) == 0)
		client_log(client, LOG_LEVEL_TRACE, NULL, "<<- %.*s: [%.*s%s\"]", (int)verb.length,
			   verb.bytes, (int)quoted.length - 1, quoted.bytes, more);
	buf_fini(&quoted);
}

void client_log_line(struct trace *trace, struct outbox *whose, enum trace_way way,
		     struct slice verb, struct slice text)
{
	static const char *const ways[] = {
		[TRACE_IN] = "<<-", [TRACE_OUT] = "->>", [TRACE_DONE] = "<->"};
	const struct client *client = client_of(whose);

	(void)trace;
	if (way == TRACE_PAYLOAD)
		log_payload(client, verb, text);
	else
		client_log(client, LOG_LEVEL_TRACE, NULL, "%s [%.*s%s%.*s]", ways[way],
			   (int)verb.length, verb.bytes, text.length ? " " : "", (int)text.length,
			   text.length ? text.bytes : "");
}
