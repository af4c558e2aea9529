/* SPDX-License-Identifier: MIT */
/*
 * Borrowed bytes.
 *
 * A slice owns nothing. Whoever hands one out says until when it may be read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *bytes;
	size_t length;
};

/* Where bytes may be written to: likewise not owned. */
struct room {
	char *bytes;
	size_t length;
};

/* For string literals only: sizeof counts the terminator. */
#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static inline bool slice_starts_with(struct slice text, struct slice prefix)
{
	return text.length >= prefix.length && memcmp(text.bytes, prefix.bytes, prefix.length) == 0;
}

/* Takes `count` bytes off the front. */
static inline struct slice slice_after(struct slice text, size_t count)
{
	return (struct slice){text.bytes + count, text.length - count};
}
