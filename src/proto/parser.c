/* SPDX-License-Identifier: MIT */
#include "proto/parser.h"

#include <assert.h>

#include "base/hints.h"
#include "base/scan.h"

/* Part of a session's state: the numbers do not change. */
enum state {
	STATE_VERB = 0,      /* at the start of an operation */
	STATE_SKIP = 1,      /* PING and its like: everything up to LF is ignored */
	STATE_SPACE = 2,     /* behind a verb: white space before the arguments is not counted */
	STATE_ARGUMENTS = 3,
	STATE_PAYLOAD = 4,   /* the head was handed out; `input` still starts at the arguments */
	STATE_ARGUMENTS_AGAIN = 5,
};

/* What follows a verb. */
enum shape {
	SHAPE_SKIP,      /* anything, up to LF */
	SHAPE_TEXT,      /* one text; white space before it is not part of it */
	SHAPE_ARGUMENTS, /* tokens */
};

/*
 * A new verb is a row here and one in the session. `start` is the beginning of the verb, as far as
 * `fold` has bits: letters count without the one bit in which upper and lower case differ.
 */
static const struct {
	const char *name;
	uint8_t length;
	uint8_t shape;
	bool needs_blank; /* behind the verb */
	char start[5];
	char fold[5];
} verbs[VERB_COUNT] = {
#define LETTER "\xdf"
#define OTHER "\xff"
#define ANY "\0"
	[VERB_PUB] = {"PUB", 3, SHAPE_ARGUMENTS, true, "PUB", LETTER LETTER LETTER ANY},
	[VERB_HPUB] = {"HPUB", 4, SHAPE_ARGUMENTS, true, "HPUB", LETTER LETTER LETTER LETTER},
	[VERB_SUB] = {"SUB", 3, SHAPE_ARGUMENTS, true, "SUB", LETTER LETTER LETTER ANY},
	[VERB_UNSUB] = {"UNSUB", 5, SHAPE_ARGUMENTS, true, "UNSU", LETTER LETTER LETTER LETTER},
	[VERB_PING] = {"PING", 4, SHAPE_SKIP, false, "PING", LETTER LETTER LETTER LETTER},
	[VERB_PONG] = {"PONG", 4, SHAPE_SKIP, false, "PONG", LETTER LETTER LETTER LETTER},
	[VERB_CONNECT] = {"CONNECT", 7, SHAPE_TEXT, false, "CONN", LETTER LETTER LETTER LETTER},
	[VERB_INFO] = {"INFO", 4, SHAPE_TEXT, false, "INFO", LETTER LETTER LETTER LETTER},
	[VERB_OK] = {"+OK", 3, SHAPE_SKIP, false, "+OK", OTHER LETTER LETTER ANY},
	[VERB_ERR] = {"-ERR", 4, SHAPE_TEXT, true, "-ERR", OTHER LETTER LETTER LETTER},
#undef LETTER
#undef OTHER
#undef ANY
};

enum { DIGITS_MAX = 9, TOKENS_MAX = 4 };

const char *verb_name(enum verb verb)
{
	return verbs[verb].name;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static uint32_t four_bytes(const char *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* Is the verb there, as far as its bytes are? */
static bool match_letters(enum verb verb, struct slice input, size_t from)
{
	const char *name = verbs[verb].name;

	for (size_t at = from; at < verbs[verb].length && at < input.length; at++) {
		int other = input.bytes[at] ^ name[at];

		if (other != 0 && (other != 0x20 || name[at] < 'A'))
			return false;
	}
	return true;
}

static inline bool match_verb(enum verb verb, struct slice input)
{
	if (input.length < 4)
		return match_letters(verb, input, 0);
	if ((four_bytes(input.bytes) & four_bytes(verbs[verb].fold)) !=
	    four_bytes(verbs[verb].start))
		return false;
	return verbs[verb].length <= 4 || match_letters(verb, input, 4);
}

/* 1 to 9 digits (PROTOCOL 3.3). */
static bool read_number(struct slice text, uint32_t *number)
{
	uint32_t value = 0;

	if (text.length == 0 || text.length > DIGITS_MAX)
		return false;
	for (size_t at = 0; at < text.length; at++) {
		unsigned digit = (unsigned char)text.bytes[at] - (unsigned)'0';

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
	size_t count;  /* more than TOKENS_MAX: those beyond are not kept */
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
	const char *start = at;
	enum line_answer answer = LINE_GOOD;
	size_t count = 0;

	for (;;) {
		at = scan_break(at, end);
		if (at == end)
			return LINE_OPEN;
		if (*at != ' ' && *at != '\t' && *at != '\r' && *at != '\n') {
			at++; /* a control byte like any other */
			continue;
		}
		if (at > start) {
			if (count < TOKENS_MAX)
				line->tokens[count] = (struct slice){start, (size_t)(at - start)};
			count++;
		}
		if (*at == '\r' && at + 1 == end)
			return LINE_OPEN;
		if (*at == '\n' || (*at == '\r' && at[1] == '\n'))
			break;
		if (*at == '\r')
			answer = LINE_BAD;
		start = ++at;
	}
	line->count = count;
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

bool parser_read_again(enum verb verb, struct slice text, struct op *op)
{
	struct line line;

	op->verb = verb;
	op->line = text;
	return split((struct slice){text.bytes, text.length + PARSER_TERMINATOR}, &line) == LINE_GOOD &&
	       line.length == text.length && read_arguments(op, &line);
}

bool parser_is_sound(const struct parser *parser)
{
	enum verb verb = parser->verb;

	switch (parser->state) {
	case STATE_VERB:
		return true;
	case STATE_SKIP:
		return verb < VERB_COUNT && verbs[verb].shape == SHAPE_SKIP;
	case STATE_SPACE:
	case STATE_ARGUMENTS:
		return verb < VERB_COUNT && verbs[verb].shape != SHAPE_SKIP;
	case STATE_ARGUMENTS_AGAIN:
		return verb == VERB_PUB || verb == VERB_HPUB;
	default:
		return false;
	}
}

/* Finds the verb at the start of `input`. */
static enum parser_answer next_verb(struct parser *parser, struct slice *input, enum fault *fault)
{
	enum verb verb = 0;
	size_t length;

	while (verb < VERB_COUNT && !match_verb(verb, *input))
		verb++;
	*fault = FAULT_UNKNOWN_OPERATION;
	if (verb == VERB_COUNT)
		return PARSER_FAULT;
	length = verbs[verb].length;
	if (input->length < length + verbs[verb].needs_blank)
		return PARSER_MORE;
	if (verbs[verb].needs_blank && !is_blank(input->bytes[length]))
		return PARSER_FAULT;
	parser->verb = (uint8_t)verb;
	parser->state = verbs[verb].shape == SHAPE_SKIP ? STATE_SKIP : STATE_SPACE;
	*input = slice_after(*input, length);
	return PARSER_OP;
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
	op->is_known = false;
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

/* Digits up to CRLF. Returns where they end, or NULL: something else stands there. */
static inline const char *quick_size(const char *at, const char *end, uint32_t *size)
{
	const char *most = end - at > DIGITS_MAX ? at + DIGITS_MAX : end;
	const char *start = at;
	uint32_t value = 0;

	while (at < most && (unsigned char)(*at - '0') <= 9)
		value = value * 10 + (unsigned char)(*at++ - '0');
	if (at == start || end - at < PARSER_TERMINATOR || at[0] != '\r' || at[1] != '\n')
		return NULL;
	*size = value;
	return at;
}

/*
 * PUB as all clients write it: in capitals, with single blanks and CRLF. This is the path of most
 * messages; whatever differs, or is not whole, or is wrong, takes the general way.
 */
static INLINE bool
quick_pub(struct slice *input, size_t max_control_line, struct op *op)
{
	const char *end = input->bytes + input->length;
	const char *start = input->bytes + 4;
	const char *blank, *tail, *line_end;

	if (input->length < 4 || four_bytes(input->bytes) != four_bytes("PUB "))
		return false;
	op->is_known = op->known.length > 0 && (size_t)(end - start) > op->known.length &&
		       scan_equal(start, op->known.bytes, op->known.length);
	blank = op->is_known ? start + op->known.length - 1 : scan_break(start, end);
	if (blank == start || blank == end || *blank != ' ')
		return false;
	op->subject = (struct slice){start, (size_t)(blank - start)};
	op->reply = (struct slice){NULL, 0};
	tail = blank + 1;
	line_end = quick_size(tail, end, &op->payload_length);
	if (!line_end) {
		blank = scan_break(tail, end);
		if (blank == tail || blank == end || *blank != ' ')
			return false;
		op->reply = (struct slice){tail, (size_t)(blank - tail)};
		line_end = quick_size(blank + 1, end, &op->payload_length);
	}
	if (!line_end || (size_t)(line_end - start) > max_control_line)
		return false;
	op->verb = VERB_PUB;
	op->again = false;
	op->header_length = 0;
	op->line = (struct slice){start, (size_t)(line_end - start)};
	op->tail = (struct slice){tail, (size_t)(line_end - tail) + PARSER_TERMINATOR};
	*input = (struct slice){start, (size_t)(end - start)};
	return true;
}

enum parser_answer parser_next(struct parser *parser, struct slice *input, size_t max_control_line,
			       struct op *op, enum fault *fault)
{
	assert(parser->state != STATE_PAYLOAD);
	if (input->length == 0)
		return PARSER_MORE;
	if (parser->state == STATE_VERB && quick_pub(input, max_control_line, op)) {
		parser->verb = VERB_PUB;
		parser->state = STATE_PAYLOAD;
		return PARSER_OP;
	}
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

enum parser_answer parser_payload_open(struct parser *parser, struct slice rest,
				       const struct op *op, enum fault *fault)
{
	assert(parser->state == STATE_PAYLOAD);
	if (!parser_check_end(rest, op->payload_length)) {
		*fault = FAULT_UNKNOWN_OPERATION;
		return PARSER_FAULT;
	}
	parser->state = STATE_ARGUMENTS_AGAIN;
	return PARSER_MORE;
}

struct slice parser_give_up_payload(struct parser *parser, struct slice *input, const struct op *op)
{
	struct slice rest = after_line(*input, op);

	assert(rest.length < (size_t)op->payload_length + PARSER_TERMINATOR);
	*input = slice_after(*input, input->length);
	parser->state = STATE_VERB;
	return rest;
}

bool parser_glance(struct slice *input, struct op *op)
{
	struct slice rest = *input;
	size_t whole;

	op->known.length = 0;
	if (rest.length == 0 || !quick_pub(&rest, SIZE_MAX, op))
		return false;
	whole = op->line.length + 2 + op->payload_length + PARSER_TERMINATOR;
	if (rest.length < whole)
		return false;
	*input = slice_after(rest, whole);
	return true;
}

bool parser_glance_unsub(struct slice *input, struct slice *sid)
{
	const char *end = input->bytes + input->length;
	const char *start, *at;

	if (input->length < sizeof("UNSUB 1\r\n") - 1 || memcmp(input->bytes, "UNSUB ", 6) != 0)
		return false;
	start = input->bytes + sizeof("UNSUB ") - 1;
	at = scan_break(start, end);
	if (at == start || end - at < 2 || at[0] != '\r' || at[1] != '\n')
		return false;
	*sid = (struct slice){start, (size_t)(at - start)};
	*input = (struct slice){at + 2, (size_t)(end - at - 2)};
	return true;
}
