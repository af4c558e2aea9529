/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer's mutations, within tagged fields (base/tags.h): lengths stay true, so that what is
 * changed is met where it means something. Included once, by the fuzzer.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "base/tags.h"

enum { TAGGED_GROWTH = 64 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static inline unsigned tagged_choose(unsigned *seed, unsigned count)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % count;
}

/* 0: it is no fields, but bytes. */
static inline unsigned tagged_count(struct slice input)
{
	struct tags_field field;
	enum tags_answer answer;
	unsigned count = 0;

	while ((answer = tags_next(&input, &field)) == TAGS_FIELD)
		count++;
	return answer == TAGS_END ? count : 0;
}

static inline void tagged_mutate_value(struct tags_writer *writer, const struct tags_field *field)
{
	size_t length = field->value.length;
	uint8_t *copy = malloc(length + TAGGED_GROWTH);

	if (length > 0)
		memcpy(copy, field->value.bytes, length);
	length = LLVMFuzzerMutate(copy, length, length + TAGGED_GROWTH);
	tags_put(writer, field->tag, (struct slice){(const char *)copy, length});
	free(copy);
}

static inline void tagged_mutate(struct tags_writer *writer, struct slice input, unsigned *seed);

static inline void tagged_mutate_field(struct tags_writer *writer, const struct tags_field *field,
				       unsigned *seed)
{
	size_t start;

	switch (tagged_choose(seed, 8)) {
	case 0:
		return;
	case 1:
		tags_put(writer, field->tag, field->value);
		tags_put(writer, field->tag, field->value);
		return;
	case 2:
		tags_put(writer, (uint8_t)tagged_choose(seed, 32), field->value);
		return;
	default:
		if (tagged_count(field->value) == 0 || tagged_choose(seed, 8) == 0) {
			tagged_mutate_value(writer, field);
			return;
		}
		start = tags_begin(writer, field->tag);
		tagged_mutate(writer, field->value, seed);
		tags_end(writer, start);
	}
}

static inline void tagged_mutate(struct tags_writer *writer, struct slice input, unsigned *seed)
{
	unsigned chosen = tagged_choose(seed, tagged_count(input));
	struct tags_field field;

	for (unsigned at = 0; tags_next(&input, &field) == TAGS_FIELD; at++)
		if (at == chosen)
			tagged_mutate_field(writer, &field, seed);
		else
			tags_put(writer, field.tag, field.value);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct slice input = {(const char *)data, size};
	struct tags_writer writer = {0};

	if (tagged_count(input) == 0 || tagged_choose(&seed, 8) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	tagged_mutate(&writer, input, &seed);
	if (!writer.failed && writer.out.length <= max_size) {
		size = writer.out.length;
		if (size > 0)
			memcpy(data, writer.out.bytes, size);
	}
	buf_fini(&writer.out);
	return size;
}
