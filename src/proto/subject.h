/* SPDX-License-Identifier: MIT */
/*
 * What a subject may look like (PROTOCOL 5.1, 5.2).
 *
 * Tokens are separated by dots. A token that is exactly `*` stands for any one token, one that is
 * exactly `>` for one or more at the end; inside a longer token both are ordinary bytes.
 */
#pragma once

#include <stddef.h>

#include "base/slice.h"

enum subject_kind {
	SUBJECT_LITERAL,  /* matches itself only */
	SUBJECT_WILDCARD, /* a legal pattern */
	SUBJECT_INVALID,  /* an empty token, or `>` before the end */
};

enum subject_kind subject_kind(struct slice subject);

size_t subject_count_tokens(struct slice subject);

/* No empty token: such a subject reaches nobody, not even `>`. */
bool subject_has_only_full_tokens(struct slice subject);

/* Would a subscription to `pattern` hear what is published to `subject`, whatever that is? */
bool subject_matches(struct slice pattern, struct slice subject);

/* Does a valid pattern match whatever the other matches? Nothing covers an empty token. */
bool subject_covers(struct slice pattern, struct slice other);

/* Is there anything that both match? Both are valid. */
bool subject_overlaps(struct slice one, struct slice other);

/* May be published in pedantic mode: full tokens, none of them `*` or `>`. */
bool subject_is_publishable(struct slice subject);

/*
 * Cuts the next token off the front of `rest`; the dot goes with it. After the last token `rest`
 * has no bytes (bytes == NULL); until then an empty `rest` is an empty last token.
 */
struct slice subject_next_token(struct slice *rest);
