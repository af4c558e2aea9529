/* SPDX-License-Identifier: MIT */
/*
 * Bytes in, operations out (PROTOCOL 3).
 *
 * The parser is asked, never calls back, allocates nothing and works in place: the slices of an
 * operation point into the caller's bytes. What parser_next() leaves in `input` is to be handed in
 * again, with more behind it; it is never more than a control line, or a message too small to be
 * worth a buffer of its own.
 *
 * A message comes in two steps. Its head is handed out as soon as its line is whole, so that
 * limits and permissions are decided before the payload is awaited; then parser_payload() is asked
 * until the payload is there. If the bytes run out in between, the head comes a second time, with
 * `again` set.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hints.h"
#include "base/scan.h"
#include "base/slice.h"
#include "proto/fault.h"

/*
 * In the order in which the parser looks for them: the frequent ones first. Part of a session's
 * state: new ones come last.
 */
enum verb {
	VERB_PUB,
	VERB_HPUB,
	VERB_SUB,
	VERB_UNSUB,
	VERB_PING,
	VERB_PONG,
	VERB_CONNECT,
	VERB_INFO,
	VERB_OK,
	VERB_ERR,
	VERB_COUNT
};

/* What an operation of each verb fills in is said behind each field. */
struct op {
	struct slice known;   /* from the caller: a subject and the blank behind it that are likely to
				 come, lest they be looked for; empty: none */
	enum verb verb;
	bool again;           /* PUB, HPUB: this head was handed out before */
	bool is_known;        /* PUB: it was that subject; may be false though it was */
	struct slice line;    /* all with arguments: the arguments as they came */
	struct slice subject; /* PUB, HPUB, SUB */
	struct slice reply;   /* PUB, HPUB; empty: none */
	struct slice queue;   /* SUB; empty: none */
	struct slice sid;     /* SUB, UNSUB */
	struct slice tail;    /* PUB, HPUB: from the reply or first size to the line's end, CRLF
				 included, if it is just what a MSG line needs; else empty */
	uint32_t header_length;  /* HPUB */
	uint32_t payload_length; /* PUB, HPUB: headers included */
	uint32_t max;            /* UNSUB; 0: at once */
};

struct parser {
	uint8_t state;
	uint8_t verb;
};

enum parser_answer {
	PARSER_MORE,  /* nothing whole: come back with more bytes */
	PARSER_OP,    /* `op` is filled */
	PARSER_FAULT, /* `fault` says which; the parser is of no use any more */
};

/* All zero is a fresh parser. Advances `input`. max_control_line limits the arguments (3.5). */
enum parser_answer parser_next(struct parser *parser, struct slice *input, size_t max_control_line,
			       struct op *op, enum fault *fault);

enum { PARSER_TERMINATOR = 2 }; /* CRLF behind a payload */

/* For parser_payload(), when the payload is not all there, or does not end as it should. */
enum parser_answer parser_payload_open(struct parser *parser, struct slice rest,
				       const struct op *op, enum fault *fault);

/*
 * After a head of PUB or HPUB. PARSER_OP: the payload, its CRLF included, stands in `payload` and
 * `input` is behind it.
 */
static inline enum parser_answer parser_payload(struct parser *parser, struct slice *input,
						const struct op *op, struct slice *payload,
						enum fault *fault)
{
	/* Where the payload starts: behind the line's end, CRLF or LF. */
	size_t start = op->line.length + (input->bytes[op->line.length] == '\r' ? 2 : 1);
	size_t length = op->payload_length;
	const char *body = input->bytes + start;

	if (input->length - start < length + PARSER_TERMINATOR || body[length] != '\r' ||
	    body[length + 1] != '\n')
		return parser_payload_open(parser, slice_after(*input, start), op, fault);
	*payload = (struct slice){body, length + PARSER_TERMINATOR};
	*input = slice_after(*input, start + length + PARSER_TERMINATOR);
	/* As fresh: at the start of an operation. */
	*parser = (struct parser){0};
	return PARSER_OP;
}

/*
 * Instead of asking parser_payload() again, the caller may collect a large payload elsewhere. It
 * gets what is there of it, takes all of `input`, and the parser goes on behind the payload. The
 * caller checks the CRLF by parser_check_end().
 */
struct slice parser_give_up_payload(struct parser *parser, struct slice *input,
				    const struct op *op);

/* Are the bytes after `length` bytes of payload, as far as they are there, a CRLF? */
bool parser_check_end(struct slice payload, size_t length);

/*
 * The arguments of a line that parser_next() has handed out before, wherever they stand now; a CRLF
 * follows them there. False: there never was such a line.
 */
bool parser_read_again(enum verb verb, struct slice line, struct op *op);

/* Is it at the start of an operation? */
static inline bool parser_is_between(const struct parser *parser)
{
	return parser->state == 0;
}

/*
 * Between operations: is the next one, and all of it, a PUB to a known subject (a blank is behind
 * it), without a reply, written as clients write it? Most operations are. Returns its length, or 0:
 * it is not, or cannot be told quickly, and parser_next() is to be asked. `size` may hold the size
 * of the message before. What follows the subject, to the CRLF behind the payload, is the `text`.
 */
static INLINE size_t
parser_repeated(struct slice input, struct slice known, struct scan_number *size,
		struct slice *text)
{
	size_t start = sizeof("PUB ") - 1 + known.length;
	size_t whole;

	if (input.length < start + 8 || memcmp(input.bytes, "PUB ", 4) != 0 ||
	    !scan_equal(input.bytes + 4, known.bytes, known.length) ||
	    !scan_number(input.bytes + start, size))
		return 0;
	whole = start + size->digits + 2 + size->value + PARSER_TERMINATOR;
	if (input.length < whole ||
	    memcmp(input.bytes + whole - PARSER_TERMINATOR, "\r\n", 2) != 0)
		return 0;
	*text = (struct slice){input.bytes + start, whole - start};
	return whole;
}

/*
 * At the start of an operation: is the next one, and all of it, a PUB as clients write it? Then `op`
 * is filled as by parser_next(), and `input` moves on behind it. For who looks ahead: nothing is
 * decided, no limit is looked at.
 */
bool parser_glance(struct slice *input, struct op *op);

/* The same for UNSUB: only its sid. */
bool parser_glance_unsub(struct slice *input, struct slice *sid);

/* Could it have come to where it stands? For one that was saved and loaded. */
bool parser_is_sound(const struct parser *parser);

/* The verb's name, as in the trace. */
const char *verb_name(enum verb verb);
