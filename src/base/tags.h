/* SPDX-License-Identifier: MIT */
/*
 * Tagged fields, for what outlives the process that wrote it.
 *
 * A field is a tag (1 byte), the length of its value (4 bytes, little-endian), and the value:
 * bytes, a number (little-endian, no longer than it needs to be), or fields again. A reader skips
 * tags that it does not know and takes a number that is missing for 0, so that older and newer
 * programs understand each other. A tag that was given away never changes its meaning.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

struct tags_writer {
	struct buf out;
	bool failed; /* out of memory, or a value too long; what is in `out` is of no use then */
};

void tags_put(struct tags_writer *writer, uint8_t tag, struct slice value);

/* 0 is not written. */
void tags_put_number(struct tags_writer *writer, uint8_t tag, uint64_t value);

/* What is put until tags_end() with the same `start` is this field's value. */
size_t tags_begin(struct tags_writer *writer, uint8_t tag);
void tags_end(struct tags_writer *writer, size_t start);

struct tags_field {
	uint8_t tag;
	struct slice value; /* of the bytes that are read */
};

enum tags_answer { TAGS_FIELD, TAGS_END, TAGS_DAMAGED };

/* The next field, and `input` is behind it. */
enum tags_answer tags_next(struct slice *input, struct tags_field *field);

/* Of a value of eight bytes at most; a longer one is taken for the largest number. */
uint64_t tags_number(struct slice value);

/* Tells bytes from damaged ones. Part of the format: it never changes. */
uint64_t tags_checksum(struct slice bytes);
