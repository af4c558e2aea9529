/* SPDX-License-Identifier: MIT */
#include "proto/subject.h"

struct slice subject_next_token(struct slice *rest)
{
	const char *dot = rest->length > 0 ? memchr(rest->bytes, '.', rest->length) : NULL;
	struct slice token = *rest;

	if (!dot) {
		*rest = (struct slice){NULL, 0};
		return token;
	}
	token.length = (size_t)(dot - rest->bytes);
	*rest = slice_after(*rest, token.length + 1);
	return token;
}

enum subject_kind subject_kind(struct slice subject)
{
	enum subject_kind kind = SUBJECT_LITERAL;

	while (subject.bytes) {
		struct slice token = subject_next_token(&subject);

		if (token.length == 0)
			return SUBJECT_INVALID;
		if (token.length > 1)
			continue;
		if (token.bytes[0] == '>' && subject.bytes)
			return SUBJECT_INVALID;
		if (token.bytes[0] == '>' || token.bytes[0] == '*')
			kind = SUBJECT_WILDCARD;
	}
	return kind;
}

size_t subject_count_tokens(struct slice subject)
{
	size_t count = 0;

	for (; subject.bytes; count++)
		subject_next_token(&subject);
	return count;
}

bool subject_has_only_full_tokens(struct slice subject)
{
	bool dot = true; /* the byte before was a dot, or the start */

	for (size_t at = 0; at < subject.length; at++) {
		if (subject.bytes[at] != '.')
			dot = false;
		else if (dot)
			return false;
		else
			dot = true;
	}
	return !dot;
}

bool subject_is_publishable(struct slice subject)
{
	return subject_kind(subject) == SUBJECT_LITERAL;
}

static bool is_wildcard(struct slice token, char wildcard)
{
	return token.length == 1 && token.bytes[0] == wildcard;
}

bool subject_covers(struct slice pattern, struct slice other)
{
	if (!subject_has_only_full_tokens(other))
		return false;
	while (pattern.bytes && other.bytes) {
		struct slice mine = subject_next_token(&pattern);
		struct slice its = subject_next_token(&other);

		if (is_wildcard(mine, '>'))
			return true;
		if (is_wildcard(mine, '*') ? is_wildcard(its, '>') : !slice_equal(mine, its))
			return false;
	}
	return !pattern.bytes && !other.bytes;
}

bool subject_overlaps(struct slice one, struct slice other)
{
	while (one.bytes && other.bytes) {
		struct slice a = subject_next_token(&one);
		struct slice b = subject_next_token(&other);

		if (is_wildcard(a, '>') || is_wildcard(b, '>'))
			return true;
		if (!is_wildcard(a, '*') && !is_wildcard(b, '*') && !slice_equal(a, b))
			return false;
	}
	return !one.bytes && !other.bytes;
}

bool subject_matches(struct slice pattern, struct slice subject)
{
	if (!subject_has_only_full_tokens(subject))
		return false;
	while (pattern.bytes && subject.bytes) {
		struct slice mine = subject_next_token(&pattern);
		struct slice its = subject_next_token(&subject);

		if (is_wildcard(mine, '>'))
			return true;
		if (!is_wildcard(mine, '*') && !slice_equal(mine, its))
			return false;
	}
	return !pattern.bytes && !subject.bytes;
}
