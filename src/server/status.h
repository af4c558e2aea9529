/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor is told: ready, how it goes, stopping; and that the loop still turns.
 *
 * Told seldom, and never when nothing changed: an idle broker does not wake for it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "os/loop.h"

struct server;

enum { STATUS_TEXT = 256, STATUS_REFUSAL = 512 };

struct status {
	struct timer timer;
	struct timer watchdog;
	uint64_t messages;    /* in and out, when it was last told */
	uint64_t told_ms;
	uint32_t owed;        /* tries that are left to say that we are ready; 0: it was said */
	uint64_t watchdog_ms; /* how often the supervisor wants to hear from us; 0: never */
	bool is_watched;      /* there is a supervisor */
	bool has_changed;     /* a client came or went since it was last told */
	char text[STATUS_TEXT]; /* what was last told, but for this: */
	char refusal[STATUS_REFUSAL]; /* of the last reload; empty: none */
};

void status_init(struct status *status);

/* Every listener is armed. */
void status_ready(struct server *server);

/* A turn has ended: soon tell what changed. */
void status_plan(struct server *server);

/* Settings are about to be taken anew, */
void status_reloading(void);

/* and were: `refusal` is NULL, or says why not. It is told until another reload goes well. */
void status_reloaded(struct server *server, const char *refusal);

void status_stopping(const char *text);
