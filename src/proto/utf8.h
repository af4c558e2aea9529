/* SPDX-License-Identifier: MIT */
/*
 * UTF-8, as strictly as RFC 3629 has it: no surrogates, nothing overlong, nothing above U+10FFFF.
 */
#pragma once

#include <stdint.h>

#include "base/slice.h"

/* Reads the first rune. Returns its length in bytes, or 0 if `text` does not start with one. */
size_t utf8_read(struct slice text, uint32_t *rune);

/* Go's notion of what may stand in a quoted string as it is (PROTOCOL 4, quoting). */
bool utf8_is_printable(uint32_t rune);
