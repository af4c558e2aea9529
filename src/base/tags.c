/* SPDX-License-Identifier: MIT */
#include "base/tags.h"

enum { HEAD = 5, NUMBER_MAX = 8 };

static void put_length(char *to, size_t length)
{
	for (size_t at = 0; at < 4; at++)
		to[at] = (char)(unsigned char)(length >> (8 * at));
}

static void put_head(struct tags_writer *writer, uint8_t tag, size_t length)
{
	char head[HEAD] = {(char)tag};

	put_length(head + 1, length);
	if (length > UINT32_MAX || buf_append(&writer->out, (struct slice){head, HEAD}) < 0)
		writer->failed = true;
}

void tags_put(struct tags_writer *writer, uint8_t tag, struct slice value)
{
	put_head(writer, tag, value.length);
	if (!writer->failed && buf_append(&writer->out, value) < 0)
		writer->failed = true;
}

void tags_put_number(struct tags_writer *writer, uint8_t tag, uint64_t value)
{
	char bytes[NUMBER_MAX];
	size_t length = 0;

	for (; value > 0; value >>= 8)
		bytes[length++] = (char)(unsigned char)value;
	if (length > 0)
		tags_put(writer, tag, (struct slice){bytes, length});
}

size_t tags_begin(struct tags_writer *writer, uint8_t tag)
{
	put_head(writer, tag, 0);
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
	length = (size_t)tags_number((struct slice){input->bytes + 1, HEAD - 1});
	if (length > input->length - HEAD)
		return TAGS_DAMAGED;
	field->tag = (uint8_t)input->bytes[0];
	field->value = (struct slice){input->bytes + HEAD, length};
	*input = slice_after(*input, HEAD + length);
	return TAGS_FIELD;
}

uint64_t tags_checksum(struct slice bytes)
{
	uint64_t sum = bytes.length, weighted = 0;

	/* After Fletcher: the second sum tells where things stood. Eight bytes at a time. */
	while (bytes.length > 0) {
		size_t length = bytes.length < NUMBER_MAX ? bytes.length : NUMBER_MAX;

		sum = (sum << 1 | sum >> 63) ^ tags_number((struct slice){bytes.bytes, length});
		weighted += sum;
		bytes = slice_after(bytes, length);
	}
	return weighted ^ (sum << 32 | sum >> 32);
}
