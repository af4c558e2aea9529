/* SPDX-License-Identifier: MIT */
/*
 * A session as tagged fields (base/tags.h), so that another process can go on with it.
 *
 * How to change it: a new field gets a new tag, has a meaning when it is missing (that of the
 * processes that did not know it), and may be skipped by those. What a tag means never changes; if
 * it has to, that is a new tag, and both are written until nobody needs the old one. Every release
 * leaves a sample in tests/unit/states, which all later ones read.
 *
 * Large payloads that several outboxes wait for are written once, apart from the sessions, and
 * known by their numbers.
 */
#pragma once

#include "base/tags.h"
#include "broker/pool.h"
#include "broker/session.h"

/* Where large payloads go. */
struct state_payloads {
	/* The bytes of a payload that gets the next number. < 0: they could not be kept. */
	int (*keep)(struct state_payloads *payloads, struct slice bytes);
	uint32_t count; /* numbers that were given, from 1 on */
};

/* A payload that was read again; NULL: it could not be. */
struct state_payload {
	struct payload *payload;
	uint32_t length;
};

struct state_source {
	const struct state_payload *all;
	uint32_t count;
};

/* Before outboxes are saved again, for all of them: no payload has a number any more. */
void state_forget_numbers(struct session *session);

/* Changes nothing but the numbers of payloads. 0 or < 0: a payload could not be kept. */
int state_save(const struct session *session, struct state_payloads *payloads,
	       struct tags_writer *writer);

/*
 * Into a fresh session of this process, with its router and its limits. False: the fields make no
 * sense, or there is no memory; the session is to be ended.
 */
bool state_load(struct session *session, const struct state_source *source, struct slice fields);
