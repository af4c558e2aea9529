/* SPDX-License-Identifier: MIT */
/*
 * Matching by the letter of PROTOCOL 5.1 and 5.2, without a thought to speed: what the trie is
 * measured against. It shares no code with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/slice.h"

/* Where the token that starts at `at` ends. */
static inline size_t naive_token_end(struct slice text, size_t at)
{
	while (at < text.length && text.bytes[at] != '.')
		at++;
	return at;
}

static inline bool naive_is(struct slice text, size_t from, size_t to, char wildcard)
{
	return to - from == 1 && text.bytes[from] == wildcard;
}

static inline bool naive_has_empty_token(struct slice text)
{
	size_t at = 0;

	for (;;) {
		size_t end = naive_token_end(text, at);

		if (end == at)
			return true;
		if (end == text.length)
			return false;
		at = end + 1;
	}
}

/* May it be subscribed to? */
static inline bool naive_is_valid(struct slice pattern)
{
	size_t at = 0;

	if (naive_has_empty_token(pattern))
		return false;
	for (;;) {
		size_t end = naive_token_end(pattern, at);

		if (end == pattern.length)
			return true;
		if (naive_is(pattern, at, end, '>'))
			return false;
		at = end + 1;
	}
}

/* `pattern` is valid; `subject` may be anything that can be published. */
static inline bool naive_matches(struct slice pattern, struct slice subject)
{
	size_t at = 0, from = 0;

	if (naive_has_empty_token(subject))
		return false;
	for (;;) {
		size_t pattern_end = naive_token_end(pattern, at);
		size_t end = naive_token_end(subject, from);

		if (naive_is(pattern, at, pattern_end, '>'))
			return true;
		if (!naive_is(pattern, at, pattern_end, '*') &&
		    (pattern_end - at != end - from ||
		     memcmp(pattern.bytes + at, subject.bytes + from, end - from) != 0))
			return false;
		if (pattern_end == pattern.length || end == subject.length)
			return pattern_end == pattern.length && end == subject.length;
		at = pattern_end + 1;
		from = end + 1;
	}
}
