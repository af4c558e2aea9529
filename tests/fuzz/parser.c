/* SPDX-License-Identifier: MIT */
/*
 * The parser on any bytes: whatever the pieces they come in, the operations are the same.
 *
 * The first byte says how long the pieces are, and which limit holds for a line; the rest is the
 * client's. They come one by one as well.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "proto/parser.h"
#include "fuzz.h"

enum { SHORT_LINE = 64, CONTROL_LINE = 4096, LONGER = 128 };

/* What came out, as a number that any difference changes. */
struct record {
	uint64_t digest;
	uint64_t count;
};

static void add_number(struct record *record, uint64_t number)
{
	record->digest = (record->digest ^ number) * 0x100000001b3u + 1;
}

static void add_slice(struct record *record, struct slice slice)
{
	add_number(record, slice.length);
	for (size_t at = 0; at < slice.length; at++)
		add_number(record, (unsigned char)slice.bytes[at]);
}

static int is_inside(struct slice part, struct slice whole)
{
	return part.length == 0 || (part.bytes >= whole.bytes &&
				    part.bytes + part.length <= whole.bytes + whole.length);
}

static void check_token(struct slice token, struct slice line)
{
	require(is_inside(token, line), "a token stands in its line");
	for (size_t at = 0; at < token.length; at++)
		require(!memchr(" \t\r\n", token.bytes[at], 4), "a token has no blank, CR or LF");
}

static void add_op(struct record *record, const struct op *op, size_t max_line)
{
	int publishes = op->verb == VERB_PUB || op->verb == VERB_HPUB;

	record->count++;
	add_number(record, op->verb);
	if (op->verb == VERB_PING || op->verb == VERB_PONG || op->verb == VERB_OK)
		return;
	require(op->line.length <= max_line, "no line exceeds the limit");
	add_slice(record, op->line);
	if (publishes || op->verb == VERB_SUB) {
		require(op->subject.length > 0, "there is a subject");
		check_token(op->subject, op->line);
		add_slice(record, op->subject);
	}
	if (op->verb == VERB_SUB) {
		check_token(op->queue, op->line);
		add_slice(record, op->queue);
	}
	if (op->verb == VERB_SUB || op->verb == VERB_UNSUB) {
		require(op->sid.length > 0, "there is a sid");
		check_token(op->sid, op->line);
		add_slice(record, op->sid);
	}
	if (op->verb == VERB_UNSUB)
		add_number(record, op->max);
	if (!publishes)
		return;
	check_token(op->reply, op->line);
	add_slice(record, op->reply);
	require(op->header_length <= op->payload_length, "headers are part of the payload");
	add_number(record, op->header_length);
	add_number(record, op->payload_length);
	add_slice(record, op->tail);
	if (op->tail.length > 0)
		require(memcmp(op->tail.bytes + op->tail.length - 2, "\r\n", 2) == 0,
			"a tail ends with CRLF");
}

/* All operations in `input`. Returns 0 when there was a fault. */
static int parse(struct parser *parser, struct slice *input, size_t max_line,
		 struct record *record)
{
	for (;;) {
		struct op op = {0};
		struct slice payload;
		enum fault fault = FAULT_NONE;
		enum parser_answer answer = parser_next(parser, input, max_line, &op, &fault);

		if (answer == PARSER_OP && !op.again)
			add_op(record, &op, max_line);
		if (answer == PARSER_OP && (op.verb == VERB_PUB || op.verb == VERB_HPUB)) {
			answer = parser_payload(parser, input, &op, &payload, &fault);
			if (answer == PARSER_OP) {
				require(payload.length == (size_t)op.payload_length + 2,
					"a payload is as long as it was said to be");
				add_slice(record, payload);
			}
		}
		if (answer == PARSER_MORE)
			return 1;
		if (answer == PARSER_OP)
			continue;
		require(fault_ends(fault), "the parser's faults end the connection");
		add_number(record, fault);
		return 0;
	}
}

/* Each time in a block of just the right size, so that no byte beyond it is read unseen. */
static struct record parse_in_pieces(const uint8_t *data, size_t size, size_t piece,
				     size_t max_line)
{
	struct record record = {0};
	struct parser parser = {0};
	size_t start = 0, end = 0;
	int good = 1;

	while (good && end < size) {
		struct slice input;
		char *block;

		end += size - end < piece ? size - end : piece;
		block = malloc(end - start);
		memcpy(block, data + start, end - start);
		input = (struct slice){block, end - start};
		good = parse(&parser, &input, max_line, &record);
		start = end - input.length;
		free(block);
	}
	return record;
}

static void check_pieces(const struct record *whole, const uint8_t *data, size_t size, size_t piece,
			 size_t max_line)
{
	struct record split = parse_in_pieces(data, size, piece, max_line);

	require(whole->count == split.count, "as many operations, whole or in pieces");
	require(whole->digest == split.digest, "the same operations, whole or in pieces");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t max_line, piece;
	struct record whole;

	if (size < 2)
		return 0;
	max_line = data[0] & LONGER ? CONTROL_LINE : SHORT_LINE;
	piece = 1 + data[0] % LONGER;
	data++;
	size--;
	whole = parse_in_pieces(data, size, size, max_line);
	check_pieces(&whole, data, size, piece, max_line);
	if (piece > 1)
		check_pieces(&whole, data, size, 1, max_line);
	return 0;
}
