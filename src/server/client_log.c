/* SPDX-License-Identifier: MIT */
#include "server/client_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "proto/writer.h"
#include "server/client.h"
#include "server/server.h"

static const char *text_or_nothing(const char *text)
{
	return text ? text : "";
}

/* "127.0.0.1:57678 - cid:5 - " and, once known, "\"v1.0:c:name\" - ". */
static void print_who(const struct client *client, const char *peer, char *who, size_t size)
{
	const struct connect *connect = &client->session.connect;
	int length = snprintf(who, size, "%s - cid:%" PRIu64, peer, client->cid);

	if (connect->name || connect->lang || connect->version)
		snprintf(who + length, size - (size_t)length, " - \"%s%s:%s:%s\"",
			 connect->version ? "v" : "", text_or_nothing(connect->version),
			 text_or_nothing(connect->lang), text_or_nothing(connect->name));
}

void client_log(const struct client *client, enum log_level level, const char *reason,
		const char *format, ...)
{
	struct log *log = client->server->log;
	char peer[ADDRESS_TEXT];
	char text[LOG_TEXT_MAX];
	char who[1024];
	struct log_fields fields = {client->cid, peer, client->session.connect.name, reason};
	va_list arguments;

	if (!log_wants(log, level))
		return;
	peer_text(&client->peer, peer);
	print_who(client, peer, who, sizeof(who));
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_write(log, level, &fields, "%s - %s", who, text);
}

/* What is the client's own doing is worth a line; its coming and going is not, without -D. */
static enum log_level level_of(enum fault fault)
{
	switch (fault) {
	case FAULT_CLIENT_CLOSED:
	case FAULT_SHUTDOWN:
	case FAULT_READ:
	case FAULT_WRITE:
		return LOG_LEVEL_DEBUG;
	case FAULT_STALE:
		return LOG_LEVEL_INFO;
	case FAULT_MEMORY:
		return LOG_LEVEL_ERROR;
	default:
		return LOG_LEVEL_WARNING;
	}
}

void client_log_end(const struct client *client, enum fault fault)
{
	const struct options *options = client->server->options;
	const char *reason = fault_reason(fault);
	const char *detail = fault_detail(fault);

	if (fault == FAULT_PENDING)
		client_log(client, LOG_LEVEL_WARNING, reason,
			   "Slow Consumer Detected: MaxPending of %" PRId64 " Exceeded",
			   options->max_pending);
	else if (fault == FAULT_WRITE_DEADLINE)
		client_log(client, LOG_LEVEL_WARNING, reason,
			   "Slow Consumer Detected: WriteDeadline of %gs exceeded with %zu bytes "
			   "pending", (double)options->write_deadline_ms / 1000,
			   client->session.outbox.pending_bytes);
	client_log(client, level_of(fault), reason, "Client connection closed: %s%s%s", reason,
		   detail ? ", " : "", detail ? detail : "");
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
