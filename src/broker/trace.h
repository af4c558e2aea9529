/* SPDX-License-Identifier: MIT */
/*
 * Who watches the conversations go by (PROTOCOL 14, trace lines).
 *
 * The pure floors never log. Where a watcher is set they show it each line; nobody pays for one
 * that is not there.
 */
#pragma once

#include "base/slice.h"

struct outbox;

enum trace_way {
	TRACE_IN,      /* <<- [verb text] */
	TRACE_OUT,     /* ->> [verb text] */
	TRACE_DONE,    /* <-> [verb text] */
	TRACE_PAYLOAD, /* <<- verb: ["text"] */
};

struct trace {
	/* `whose` is the outbox of the client concerned. The slices live for the call only. */
	void (*line)(struct trace *trace, struct outbox *whose, enum trace_way way,
		     struct slice verb, struct slice text);
};
