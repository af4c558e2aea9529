/* SPDX-License-Identifier: MIT */
#include "proto/parser.h"

#include <assert.h>

enum state {
	STATE_VERB,       /* at the start of an operation */
	STATE_SKIP,       /* PING and its like: everything up to LF is ignored */
	STATE_SPACE,      /* behind a verb: white space before the arguments is not counted */
	STATE_ARGUMENTS,
	STATE_PAYLOAD,    /* the head was handed out; `input` still starts at the arguments */
	STATE_ARGUMENTS_AGAIN,
};

/* What follows a verb. */
enum shape {
	SHAPE_SKIP,          /* anything, up to LF */
	SHAPE_ARGUMENTS,     /* arguments, white space before them optional */
	SHAPE_SPACE,         /* at least one blank, then arguments */
};

/* A new verb is a row here and one in the session. */
static const struct {
	const char *name;
	uint8_t length;
	uint8_t shape;
} verbs[VERB_COUNT] = {
	[VERB_PUB] = {"PUB", 3, SHAPE_SPACE},
	[VERB_HPUB] = {"HPUB", 4, SHAPE_SPACE},
	[VERB_SUB] = {"SUB", 3, SHAPE_SPACE},
	[VERB_UNSUB] = {"UNSUB", 5, SHAPE_SPACE},
	[VERB_PING] = {"PING", 4, SHAPE_SKIP},
	[VERB_PONG] = {"PONG", 4, SHAPE_SKIP},
	[VERB_CONNECT] = {"CONNECT", 7, SHAPE_ARGUMENTS},
	[VERB_INFO] = {"INFO", 4, SHAPE_ARGUMENTS},
	[VERB_OK] = {"+OK", 3, SHAPE_SKIP},
	[VERB_ERR] = {"-ERR", 4, SHAPE_SPACE},
};

enum { DIGITS_MAX = 9, TOKENS_MAX = 4, TERMINATOR = 2 };

const char *verb_name(enum verb verb)
{
	return verbs[verb].name;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static char to_upper(char byte)
{
	return byte >= 'a' && byte <= 'z' ? (char)(byte - 'a' + 'A') : byte;
}

/* How many bytes of the verb are there: all that could be, or -1 if it is another word. */
static int match_verb(enum verb verb, struct slice input)
{
	size_t length = verbs[verb].length;

	if (input.length < length)
		length = input.length;
	for (size_t at = 0; at < length; at++)
		if (to_upper(input.bytes[at]) != verbs[verb].name[at])
			return -1;
	return (int)length;
}

/* 1 to 9 digits (PROTOCOL 3.3). */
static bool read_number(struct slice text, uint32_t *number)
{
	uint32_t value = 0;

	if (text.length == 0 || text.length > DIGITS_MAX)
		return false;
	for (size_t at = 0; at < text.length; at++) {
		unsigned digit = (unsigned char)text.bytes[at] - '0';

		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

/*
 * Splits at runs of blanks. Returns how many tokens there are; TOKENS_MAX + 1 means too many. A CR
 * inside the arguments makes them bad (0 tokens): it must not reach anybody's MSG line.
 */
static size_t split(struct slice line, struct slice tokens[TOKENS_MAX])
{
	const char *at = line.bytes;
	const char *end = line.bytes + line.length;
	size_t count = 0;

	for (;;) {
		const char *start;

		while (at < end && is_blank(*at))
			at++;
		if (at == end)
			return count;
		if (count == TOKENS_MAX)
			return count + 1;
		start = at;
		while (at < end && !is_blank(*at))
			if (*at++ == '\r')
				return 0;
		tokens[count++] = (struct slice){start, (size_t)(at - start)};
	}
}

/*
 * A MSG line ends as the PUB line did, if that had single spaces and CRLF: then it can be copied
 * in one piece. `first` is the token after the subject, the last one ends where the line does.
 */
static struct slice find_tail(const struct slice *first, size_t count, struct slice line)
{
	const char *start = first->bytes;
	const char *end = line.bytes + line.length;
	size_t total = count - 1; /* the blanks between */

	for (size_t at = 0; at < count; at++)
		total += first[at].length;
	if (start + total != end || end[0] != '\r')
		return (struct slice){NULL, 0};
	for (size_t at = 0; at + 1 < count; at++)
		if (first[at].bytes[first[at].length] != ' ')
			return (struct slice){NULL, 0};
	return (struct slice){start, total + 2};
}

static bool read_pub(struct op *op)
{
	struct slice tokens[TOKENS_MAX];
	size_t count = split(op->line, tokens);

	if (count < 2 || count > 3 || !read_number(tokens[count - 1], &op->payload_length))
		return false;
	op->subject = tokens[0];
	op->reply = count == 3 ? tokens[1] : (struct slice){NULL, 0};
	op->header_length = 0;
	op->tail = find_tail(&tokens[1], count - 1, op->line);
	return true;
}

static bool read_hpub(struct op *op)
{
	struct slice tokens[TOKENS_MAX];
	size_t count = split(op->line, tokens);

	if (count < 3 || count > 4 || !read_number(tokens[count - 2], &op->header_length) ||
	    !read_number(tokens[count - 1], &op->payload_length) ||
	    op->header_length > op->payload_length)
		return false;
	op->subject = tokens[0];
	op->reply = count == 4 ? tokens[1] : (struct slice){NULL, 0};
	op->tail = find_tail(&tokens[1], count - 1, op->line);
	return true;
}

static bool read_sub(struct op *op)
{
	struct slice tokens[TOKENS_MAX];
	size_t count = split(op->line, tokens);

	if (count < 2 || count > 3)
		return false;
	op->subject = tokens[0];
	op->queue = count == 3 ? tokens[1] : (struct slice){NULL, 0};
	op->sid = tokens[count - 1];
	return true;
}

static bool read_unsub(struct op *op)
{
	struct slice tokens[TOKENS_MAX];
	size_t count = split(op->line, tokens);

	if (count < 1 || count > 2)
		return false;
	op->sid = tokens[0];
	/* A max that is no number counts as none (PROTOCOL 3.3). */
	if (count == 1 || !read_number(tokens[1], &op->max))
		op->max = 0;
	return true;
}

static bool read_arguments(struct op *op)
{
	switch (op->verb) {
	case VERB_PUB:
		return read_pub(op);
	case VERB_HPUB:
		return read_hpub(op);
	case VERB_SUB:
		return read_sub(op);
	case VERB_UNSUB:
		return read_unsub(op);
	default:
		return true;
	}
}

void parser_read_again(enum verb verb, struct slice line, struct op *op)
{
	bool good;

	op->verb = verb;
	op->line = line;
	good = read_arguments(op);
	assert(good);
	(void)good;
}

/* Finds the verb at the start of `input`. */
static enum parser_answer next_verb(struct parser *parser, struct slice *input, enum fault *fault)
{
	for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
		int length = match_verb(verb, *input);
		uint8_t shape = verbs[verb].shape;

		if (length < 0)
			continue;
		if ((size_t)length < verbs[verb].length)
			return PARSER_MORE;
		if (shape == SHAPE_SPACE && (size_t)length == input->length)
			return PARSER_MORE;
		if (shape == SHAPE_SPACE && !is_blank(input->bytes[length]))
			break;
		parser->verb = (uint8_t)verb;
		parser->state = shape == SHAPE_SKIP ? STATE_SKIP : STATE_SPACE;
		*input = slice_after(*input, (size_t)length);
		return PARSER_OP;
	}
	*fault = FAULT_UNKNOWN_OPERATION;
	return PARSER_FAULT;
}

static enum parser_answer next_skipped(struct parser *parser, struct slice *input, struct op *op)
{
	const char *end = memchr(input->bytes, '\n', input->length);

	if (!end) {
		*input = slice_after(*input, input->length);
		return PARSER_MORE;
	}
	*input = slice_after(*input, (size_t)(end - input->bytes) + 1);
	parser->state = STATE_VERB;
	op->verb = parser->verb;
	return PARSER_OP;
}

static void skip_blanks(struct parser *parser, struct slice *input)
{
	size_t at = 0;

	while (at < input->length && is_blank(input->bytes[at]))
		at++;
	*input = slice_after(*input, at);
	if (input->length > 0)
		parser->state = STATE_ARGUMENTS;
}

/* The line without its end: one CR before the LF belongs to the end. */
static size_t line_length(const char *bytes, size_t length)
{
	return length > 0 && bytes[length - 1] == '\r' ? length - 1 : length;
}

static enum parser_answer next_arguments(struct parser *parser, struct slice *input,
					 size_t max_control_line, struct op *op, enum fault *fault)
{
	const char *end = memchr(input->bytes, '\n', input->length);
	size_t whole = end ? (size_t)(end - input->bytes) : input->length;
	size_t length = line_length(input->bytes, whole);

	*fault = FAULT_CONTROL_LINE;
	if (length > max_control_line)
		return PARSER_FAULT;
	if (!end)
		return PARSER_MORE;
	op->verb = parser->verb;
	op->line = (struct slice){input->bytes, length};
	op->again = parser->state == STATE_ARGUMENTS_AGAIN;
	*fault = FAULT_ARGUMENTS;
	if (!read_arguments(op))
		return PARSER_FAULT;
	if (op->verb == VERB_PUB || op->verb == VERB_HPUB) {
		parser->state = STATE_PAYLOAD;
		return PARSER_OP;
	}
	parser->state = STATE_VERB;
	*input = slice_after(*input, whole + 1);
	return PARSER_OP;
}

enum parser_answer parser_next(struct parser *parser, struct slice *input, size_t max_control_line,
			       struct op *op, enum fault *fault)
{
	assert(parser->state != STATE_PAYLOAD);
	while (input->length > 0) {
		enum parser_answer answer;

		switch ((enum state)parser->state) {
		case STATE_VERB:
			answer = next_verb(parser, input, fault);
			if (answer != PARSER_OP)
				return answer;
			break;
		case STATE_SKIP:
			return next_skipped(parser, input, op);
		case STATE_SPACE:
			skip_blanks(parser, input);
			break;
		default:
			return next_arguments(parser, input, max_control_line, op, fault);
		}
	}
	return PARSER_MORE;
}

/* Where the payload starts: behind the line's end, CRLF or LF. */
static struct slice after_line(struct slice input, const struct op *op)
{
	size_t length = op->line.length + (input.bytes[op->line.length] == '\r' ? 2 : 1);

	return slice_after(input, length);
}

bool parser_check_end(struct slice payload, size_t length)
{
	return (payload.length <= length || payload.bytes[length] == '\r') &&
	       (payload.length <= length + 1 || payload.bytes[length + 1] == '\n');
}

enum parser_answer parser_payload(struct parser *parser, struct slice *input, const struct op *op,
				  struct slice *payload, enum fault *fault)
{
	struct slice rest = after_line(*input, op);

	assert(parser->state == STATE_PAYLOAD);
	if (!parser_check_end(rest, op->payload_length)) {
		*fault = FAULT_UNKNOWN_OPERATION;
		return PARSER_FAULT;
	}
	if (rest.length < (size_t)op->payload_length + TERMINATOR) {
		parser->state = STATE_ARGUMENTS_AGAIN;
		return PARSER_MORE;
	}
	*payload = (struct slice){rest.bytes, (size_t)op->payload_length + TERMINATOR};
	*input = slice_after(rest, payload->length);
	parser->state = STATE_VERB;
	return PARSER_OP;
}

struct slice parser_give_up_payload(struct parser *parser, struct slice *input, const struct op *op)
{
	struct slice rest = after_line(*input, op);

	assert(rest.length < (size_t)op->payload_length + TERMINATOR);
	*input = slice_after(*input, input->length);
	parser->state = STATE_VERB;
	return rest;
}
