/* SPDX-License-Identifier: MIT */
/*
 * Every complaint: its text on the wire and whether it ends the connection (PROTOCOL 4).
 *
 * A fault that ends the connection has a reason, in the words of nats-server's closed reasons; it
 * stands in the log. Some end it without a word on the wire.
 */
#pragma once


#include "base/slice.h"

enum fault {
	FAULT_NONE,
	/* The connection goes on. */
	FAULT_INVALID_SUBJECT,
	FAULT_INVALID_PUBLISH_SUBJECT,
	FAULT_MAX_SUBSCRIPTIONS,
	FAULT_PUBLISH_DENIED,     /* followed by the subject, quoted */
	FAULT_REPLY_DENIED,       /* likewise */
	FAULT_SUBSCRIBE_DENIED,   /* likewise */
	/* The connection ends. */
	FAULT_UNKNOWN_OPERATION,
	FAULT_CONTROL_LINE,
	FAULT_MAX_PAYLOAD,
	FAULT_CLIENT_PROTOCOL,
	FAULT_NO_RESPONDERS,
	FAULT_AUTHORIZATION,
	FAULT_MAX_CONNECTIONS,
	FAULT_STALE,
	/* The connection ends without a word. */
	FAULT_ARGUMENTS,          /* wrong number of arguments, or a size that is none */
	FAULT_JSON,               /* CONNECT or INFO with something else than the JSON we expect */
	FAULT_NO_HEADERS,         /* HPUB where headers were not agreed on */
	FAULT_CLIENT_ERROR,       /* the client sent -ERR */
	FAULT_CLIENT_CLOSED,
	FAULT_PENDING,
	FAULT_WRITE_DEADLINE,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_MEMORY,
	FAULT_SHUTDOWN,
	FAULT_COUNT
};

/* The text between `-ERR '` and `'`; empty for those that say nothing. */
struct slice fault_text(enum fault fault);

/* Why the connection ended; NULL for those that leave it open. */
const char *fault_reason(enum fault fault);

/* More for the log than the reason says, or NULL. */
const char *fault_detail(enum fault fault);
