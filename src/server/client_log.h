/* SPDX-License-Identifier: MIT */
/*
 * How a client appears in the log and in the trace.
 */
#pragma once

#include "broker/trace.h"
#include "os/log.h"
#include "proto/fault.h"

struct client;
struct server;

/*
 * The text is preceded by who it is about; what log_fields can tell of the client is added to
 * `about`, which may be NULL.
 */
__attribute__((format(printf, 4, 5))) void client_log(const struct client *client,
						       enum log_level level,
						       const struct log_fields *about,
						       const char *format, ...);

/* What it did wrong, after which it stays: session.complaint. */
void client_log_complaint(const struct client *client);

/* Why it ended, at the priority that fits. */
void client_log_end(const struct client *client, enum fault fault);

/* Of neither is there a line each time (server/restraint.h): how many there were not, until now. */
void client_log_left_out(struct server *server);

/* The watcher of struct trace; `trace` is server.trace. */
void client_log_line(struct trace *trace, struct outbox *whose, enum trace_way way,
		     struct slice verb, struct slice text);
