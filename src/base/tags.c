/* SPDX-License-Identifier: MIT */
#include "base/tags.h"

enum { HEAD = 5, NUMBER_MAX = 8 };

/* In a form that compilers make one instruction of, as eight_bytes() below. */
static void put_length(char *to, size_t length)
{
	to[0] = (char)(unsigned char)length;
	to[1] = (char)(unsigned char)(length >> 8);
	to[2] = (char)(unsigned char)(length >> 16);
	to[3] = (char)(unsigned char)(length >> 24);
}

static size_t get_length(const char *from)
{
	const unsigned char *bytes = (const unsigned char *)from;

	return (size_t)((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
			(uint32_t)bytes[3] << 24);
}

/* Where the value goes, with room for it; NULL: it cannot be written. */
static char *put_head(struct tags_writer *writer, uint8_t tag, size_t length)
{
	struct buf *out = &writer->out;
	char *to;

	/* Mostly there is room, and a hand-over has a hundred thousand fields. */
	if (length > UINT32_MAX || (out->capacity - out->length < HEAD + length &&
				    buf_reserve(out, HEAD + length) < 0)) {
		writer->failed = true;
		return NULL;
	}
	to = out->bytes + out->length;
	to[0] = (char)tag;
	put_length(to + 1, length);
	out->length += HEAD + length;
	return to + HEAD;
}

void tags_put(struct tags_writer *writer, uint8_t tag, struct slice value)
{
	char *to = put_head(writer, tag, value.length);

	if (to && value.length > 0)
		memcpy(to, value.bytes, value.length);
}

void tags_put_number(struct tags_writer *writer, uint8_t tag, uint64_t value)
{
	size_t length = value > 0 ? (size_t)(64 - __builtin_clzll(value) + 7) / 8 : 0;
	char *to = length > 0 ? put_head(writer, tag, length) : NULL;

	for (size_t at = 0; to && at < length; at++)
		to[at] = (char)(unsigned char)(value >> (8 * at));
}

size_t tags_begin(struct tags_writer *writer, uint8_t tag)
{
	(void)put_head(writer, tag, 0);
	return writer->out.length;
}

void tags_end(struct tags_writer *writer, size_t start)
{
	size_t length = writer->out.length - start;

	if (length > UINT32_MAX)
		writer->failed = true;
	if (!writer->failed)
		put_length(writer->out.bytes + start - HEAD + 1, length);
}

uint64_t tags_number(struct slice value)
{
	uint64_t number = 0;

	if (value.length > NUMBER_MAX)
		return UINT64_MAX;
	for (size_t at = 0; at < value.length; at++)
		number |= (uint64_t)(unsigned char)value.bytes[at] << (8 * at);
	return number;
}

enum tags_answer tags_next(struct slice *input, struct tags_field *field)
{
	size_t length;

	if (input->length == 0)
		return TAGS_END;
	if (input->length < HEAD)
		return TAGS_DAMAGED;
	length = get_length(input->bytes + 1);
	if (length > input->length - HEAD)
		return TAGS_DAMAGED;
	field->tag = (uint8_t)input->bytes[0];
	field->value = (struct slice){input->bytes + HEAD, length};
	*input = slice_after(*input, HEAD + length);
	return TAGS_FIELD;
}

/* As tags_number() reads eight bytes, in a form that compilers make one instruction of. */
static uint64_t eight_bytes(const char *from)
{
	const unsigned char *bytes = (const unsigned char *)from;

	return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
	       (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 |
	       (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

uint64_t tags_checksum(struct slice bytes)
{
	uint64_t sum = bytes.length, weighted = 0;

	/* After Fletcher: the second sum tells where things stood. Eight bytes at a time. */
	for (; bytes.length >= NUMBER_MAX; bytes = slice_after(bytes, NUMBER_MAX)) {
		sum = (sum << 1 | sum >> 63) ^ eight_bytes(bytes.bytes);
		weighted += sum;
	}
	if (bytes.length > 0) {
		sum = (sum << 1 | sum >> 63) ^ tags_number(bytes);
		weighted += sum;
	}
	return weighted ^ (sum << 32 | sum >> 32);
}
