/* SPDX-License-Identifier: MIT */
/*
 * Every complaint: its text on the wire and whether it ends the connection (PROTOCOL 4).
 *
 * Each has a reason for the log; where the connection ends it is in the words of nats-server's
 * closed reasons. Some end it without a word on the wire.
 */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

enum fault {
	FAULT_NONE,
	/* The connection goes on. */
	FAULT_INVALID_SUBJECT,
	FAULT_INVALID_PUBLISH_SUBJECT,
	FAULT_MAX_SUBSCRIPTIONS,
	FAULT_PUBLISH_DENIED,     /* followed by the subject, quoted */
	FAULT_REPLY_DENIED,       /* likewise */
	FAULT_SUBSCRIPTION_DENIED, /* likewise, and by its queue and sid where these matter */
	FAULT_TOKENS_DENIED,      /* likewise, and by fault_detail() */
	/* The connection ends. */
	FAULT_UNKNOWN_OPERATION,
	FAULT_CONTROL_LINE,
	FAULT_MAX_PAYLOAD,
	FAULT_CLIENT_PROTOCOL,
	FAULT_NO_RESPONDERS,
	FAULT_AUTHORIZATION,
	FAULT_AUTHENTICATION_TIMEOUT,
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
	FAULT_BUDGET,             /* all clients together hold too much, and it holds most */
	FAULT_READ,
	FAULT_WRITE,
	FAULT_MEMORY,
	FAULT_STRANGER,           /* it did not say who it is, and others came */
	FAULT_SHUTDOWN,
	FAULT_COUNT
};

/* The text between `-ERR '` and `'`; empty for those that say nothing. */
struct slice fault_text(enum fault fault);

/* Does it end the connection? */
static inline bool fault_ends(enum fault fault)
{
	return fault >= FAULT_UNKNOWN_OPERATION;
}

/* Is it one of those of slow consumers? */
static inline bool fault_is_slow(enum fault fault)
{
	return fault >= FAULT_PENDING && fault <= FAULT_BUDGET;
}

/* What happened, or why the connection ended; NULL for FAULT_NONE. */
const char *fault_reason(enum fault fault);

/*
 * NULL, or where the connection ends more for the log than the reason says; where it goes on, what
 * follows the subject.
 */
const char *fault_detail(enum fault fault);
