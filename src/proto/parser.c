/* SPDX-License-Identifier: MIT */
#include "proto/parser.h"

#include <assert.h>

#include "base/scan.h"

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
	SHAPE_SKIP,      /* anything, up to LF */
	SHAPE_TEXT,      /* one text; white space before it is not part of it */
	SHAPE_ARGUMENTS, /* tokens */
};

/* A new verb is a row here and one in the session. */
static const struct {
	const char *name;
	uint8_t length;
	uint8_t shape;
	bool needs_blank; /* behind the verb */
} verbs[VERB_COUNT] = {
	[VERB_PUB] = {"PUB", 3, SHAPE_ARGUMENTS, true},
	[VERB_HPUB] = {"HPUB", 4, SHAPE_ARGUMENTS, true},
	[VERB_SUB] = {"SUB", 3, SHAPE_ARGUMENTS, true},
	[VERB_UNSUB] = {"UNSUB", 5, SHAPE_ARGUMENTS, true},
	[VERB_PING] = {"PING", 4, SHAPE_SKIP, false},
	[VERB_PONG] = {"PONG", 4, SHAPE_SKIP, false},
	[VERB_CONNECT] = {"CONNECT", 7, SHAPE_TEXT, false},
	[VERB_INFO] = {"INFO", 4, SHAPE_TEXT, false},
	[VERB_OK] = {"+OK", 3, SHAPE_SKIP, false},
	[VERB_ERR] = {"-ERR", 4, SHAPE_TEXT, true},
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

/*
 * How many bytes of the verb are there: all that could be, or -1 if it is another word. Letters
 * that differ in one bit only, 0x20, differ in case only.
 */
static int match_verb(enum verb verb, struct slice input)
{
	const char *name = verbs[verb].name;
	size_t length = verbs[verb].length;

	if (((input.bytes[0] ^ name[0]) & ~0x20) != 0)
		return -1;
	if (input.length < length)
		length = input.length;
	for (size_t at = 0; at < length; at++) {
		int other = input.bytes[at] ^ name[at];

		if (other != 0 && (other != 0x20 || name[at] < 'A'))
			return -1;
	}
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

/* A line of arguments, taken apart. */
struct line {
	struct slice tokens[TOKENS_MAX];
	size_t count;  /* TOKENS_MAX + 1: too many */
	size_t length; /* without its end */
	size_t whole;  /* with it */
};

enum line_answer { LINE_OPEN, LINE_GOOD, LINE_BAD };

/*
 * Splits at runs of blanks, up to LF, in one pass. LINE_BAD: there is a CR among the arguments,
 * which must not reach anybody's MSG line.
 */
static enum line_answer split(struct slice input, struct line *line)
{
	const char *at = input.bytes;
	const char *end = input.bytes + input.length;
	enum line_answer answer = LINE_GOOD;

	line->count = 0;
	for (;;) {
		const char *start = at;

		at = scan_break(at, end);
		while (at < end && !is_blank(*at) && *at != '\n' && *at != '\r')
			at = scan_break(at + 1, end);
		if (at > start && line->count < TOKENS_MAX)
			line->tokens[line->count] = (struct slice){start, (size_t)(at - start)};
		line->count += at > start && line->count <= TOKENS_MAX;
		if (at == end || (*at == '\r' && at + 1 == end))
			return LINE_OPEN;
		if (*at == '\n' || (*at == '\r' && at[1] == '\n'))
			break;
		if (*at++ == '\r')
			answer = LINE_BAD;
	}
	line->length = (size_t)(at - input.bytes);
	line->whole = line->length + (*at == '\r' ? 2 : 1);
	return answer;
}

/*
 * A MSG line ends as the PUB line did, if that had single spaces and CRLF: then it can be copied
 * in one piece, from the token after the subject to the line's end.
 */
static struct slice find_tail(const struct line *line, const char *line_end)
{
	const struct slice *last = &line->tokens[line->count - 1];
	const char *start = line->tokens[1].bytes;

	for (const struct slice *token = &line->tokens[1]; token < last; token++)
		if (token->bytes[token->length] != ' ' ||
		    token->bytes + token->length + 1 != token[1].bytes)
			return (struct slice){NULL, 0};
	if (last->bytes + last->length != line_end || *line_end != '\r')
		return (struct slice){NULL, 0};
	return (struct slice){start, (size_t)(line_end - start) + 2};
}

static bool read_pub(struct op *op, const struct line *line)
{
	if (line->count < 2 || line->count > 3 ||
	    !read_number(line->tokens[line->count - 1], &op->payload_length))
		return false;
	op->subject = line->tokens[0];
	op->reply = line->count == 3 ? line->tokens[1] : (struct slice){NULL, 0};
	op->header_length = 0;
	op->tail = find_tail(line, op->line.bytes + line->length);
	return true;
}

static bool read_hpub(struct op *op, const struct line *line)
{
	if (line->count < 3 || line->count > 4 ||
	    !read_number(line->tokens[line->count - 2], &op->header_length) ||
	    !read_number(line->tokens[line->count - 1], &op->payload_length) ||
	    op->header_length > op->payload_length)
		return false;
	op->subject = line->tokens[0];
	op->reply = line->count == 4 ? line->tokens[1] : (struct slice){NULL, 0};
	op->tail = find_tail(line, op->line.bytes + line->length);
	return true;
}

static bool read_sub(struct op *op, const struct line *line)
{
	if (line->count < 2 || line->count > 3)
		return false;
	op->subject = line->tokens[0];
	op->queue = line->count == 3 ? line->tokens[1] : (struct slice){NULL, 0};
	op->sid = line->tokens[line->count - 1];
	return true;
}

static bool read_unsub(struct op *op, const struct line *line)
{
	if (line->count < 1 || line->count > 2)
		return false;
	op->sid = line->tokens[0];
	/* A max that is no number counts as none (PROTOCOL 3.3). */
	if (line->count == 1 || !read_number(line->tokens[1], &op->max))
		op->max = 0;
	return true;
}

static inline bool read_arguments(struct op *op, const struct line *line)
{
	switch (op->verb) {
	case VERB_PUB:
		return read_pub(op, line);
	case VERB_HPUB:
		return read_hpub(op, line);
	case VERB_SUB:
		return read_sub(op, line);
	default:
		return read_unsub(op, line);
	}
}

void parser_read_again(enum verb verb, struct slice text, struct op *op)
{
	struct line line;
	bool good;

	op->verb = verb;
	op->line = text;
	good = split((struct slice){text.bytes, text.length + TERMINATOR}, &line) == LINE_GOOD &&
	       read_arguments(op, &line);
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
		if (verbs[verb].needs_blank && (size_t)length == input->length)
			return PARSER_MORE;
		if (verbs[verb].needs_blank && !is_blank(input->bytes[length]))
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
	op->again = false;
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

/* CONNECT, INFO and -ERR: the arguments are one text, up to LF and one CR before it. */
static enum line_answer find_text(struct slice input, struct line *line)
{
	const char *end = memchr(input.bytes, '\n', input.length);

	if (!end)
		return LINE_OPEN;
	line->length = (size_t)(end - input.bytes);
	line->whole = line->length + 1;
	if (line->length > 0 && input.bytes[line->length - 1] == '\r')
		line->length--;
	return LINE_GOOD;
}

/* The arguments so far, when their line is not whole; a last CR may be the beginning of its end. */
static size_t open_length(struct slice input)
{
	return input.length - (input.bytes[input.length - 1] == '\r');
}

static enum parser_answer next_arguments(struct parser *parser, struct slice *input,
					 size_t max_control_line, struct op *op, enum fault *fault)
{
	enum verb verb = parser->verb;
	bool is_text = verbs[verb].shape == SHAPE_TEXT;
	struct line line;
	enum line_answer answer = is_text ? find_text(*input, &line) : split(*input, &line);

	*fault = FAULT_CONTROL_LINE;
	if ((answer == LINE_OPEN ? open_length(*input) : line.length) > max_control_line)
		return PARSER_FAULT;
	if (answer == LINE_OPEN)
		return PARSER_MORE;
	op->verb = verb;
	op->line = (struct slice){input->bytes, line.length};
	op->again = parser->state == STATE_ARGUMENTS_AGAIN;
	*fault = FAULT_ARGUMENTS;
	if (answer == LINE_BAD || (!is_text && !read_arguments(op, &line)))
		return PARSER_FAULT;
	if (verb == VERB_PUB || verb == VERB_HPUB) {
		parser->state = STATE_PAYLOAD;
		return PARSER_OP;
	}
	parser->state = STATE_VERB;
	*input = slice_after(*input, line.whole);
	return PARSER_OP;
}

enum parser_answer parser_next(struct parser *parser, struct slice *input, size_t max_control_line,
			       struct op *op, enum fault *fault)
{
	assert(parser->state != STATE_PAYLOAD);
	if (input->length == 0)
		return PARSER_MORE;
	if (parser->state == STATE_VERB) {
		enum parser_answer answer = next_verb(parser, input, fault);

		if (answer != PARSER_OP)
			return answer;
	}
	if (parser->state == STATE_SKIP)
		return next_skipped(parser, input, op);
	if (parser->state == STATE_SPACE)
		skip_blanks(parser, input);
	if (input->length == 0)
		return PARSER_MORE;
	return next_arguments(parser, input, max_control_line, op, fault);
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
