/* SPDX-License-Identifier: MIT */
/*
 * Every text is fed whole, then cut in two at every byte, then byte by byte; and all that twice:
 * once by a reader that waits for payloads, once by one that collects them in a place of its own.
 * Each time the same has to come out.
 *
 * What comes out is written down, a line for each thing, so that order and number count:
 *
 *   PUB [subject] [reply] size [tail]             a head; HPUB likewise, with two sizes
 *   + [payload]                                   its payload, CRLF included
 *   SUB [subject] [queue] [sid]
 *   UNSUB [sid] max
 *   CONNECT [line], INFO [line], -ERR [line]
 *   PING, PONG, +OK
 *   fault NAME
 */
#include "proto/parser.h"

#include <stdarg.h>

#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* A slice where only a constant will do. */
#define TEXT(literal) {(literal), sizeof(literal) - 1}

enum { MAX_CONTROL_LINE = 4096, SHORT_LINE = 16, ROOM = 16384 };

/* What the broker's session keeps of a large message that is not all there. */
struct collected {
	char *bytes; /* NULL: nothing is being collected */
	size_t line_length;
	size_t filled, length;
	struct op head; /* its slices point to bytes that are gone */
};

/* That have seen something: who_looks_ahead_sees_what_comes(). */
static unsigned glances, unsub_glances;

struct reader {
	struct parser parser;
	size_t max_control_line;
	bool collects;
	struct collected collected;
	bool waits; /* a head is out, its payload is not */
	bool over;  /* by a fault */
	size_t rest_length, heard_length;
	size_t head_start; /* where the last head stands in `heard` */
	char rest[ROOM];   /* what the parser left */
	char heard[ROOM];
};

/* Notes. */

static void note_bytes(struct reader *reader, const char *bytes, size_t length)
{
	if (length > ROOM - reader->heard_length)
		abort();
	if (length > 0)
		memcpy(reader->heard + reader->heard_length, bytes, length);
	reader->heard_length += length;
}

__attribute__((format(printf, 2, 3))) static void note(struct reader *reader, const char *format,
						       ...)
{
	char text[64];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(text))
		abort();
	note_bytes(reader, text, (size_t)length);
}

static void note_slice(struct reader *reader, struct slice text)
{
	note(reader, " [");
	note_bytes(reader, text.bytes, text.length);
	note(reader, "]");
}

static void note_fault(struct reader *reader, enum fault fault)
{
	const char *name = fault == FAULT_UNKNOWN_OPERATION ? "unknown operation"
			   : fault == FAULT_CONTROL_LINE    ? "control line"
			   : fault == FAULT_ARGUMENTS       ? "arguments"
							    : "of another kind";

	note(reader, "fault %s\n", name);
	reader->over = true;
}

static void note_head(struct reader *reader, const struct op *op)
{
	note(reader, "%s", verb_name(op->verb));
	note_slice(reader, op->subject);
	note_slice(reader, op->reply);
	if (op->verb == VERB_HPUB)
		note(reader, " %" PRIu32, op->header_length);
	else
		CHECK_NUMBER(op->header_length, 0);
	note(reader, " %" PRIu32, op->payload_length);
	note_slice(reader, op->tail);
	note(reader, "\n");
}

static void note_payload(struct reader *reader, struct slice payload)
{
	note(reader, "+");
	note_slice(reader, payload);
	note(reader, "\n");
	reader->waits = false;
}

static void note_op(struct reader *reader, const struct op *op)
{
	note(reader, "%s", verb_name(op->verb));
	switch (op->verb) {
	case VERB_SUB:
		note_slice(reader, op->subject);
		note_slice(reader, op->queue);
		note_slice(reader, op->sid);
		break;
	case VERB_UNSUB:
		note_slice(reader, op->sid);
		note(reader, " %" PRIu32, op->max);
		break;
	case VERB_CONNECT:
	case VERB_INFO:
	case VERB_ERR:
		note_slice(reader, op->line);
		break;
	default:
		break;
	}
	note(reader, "\n");
}

/* Reading, as the broker does. */

/* Nobody may look beyond these bytes: they fill a block of their own. */
static char *copy_alone(const char *bytes, size_t length)
{
	char *copy = malloc(length ? length : 1);

	if (!copy)
		abort();
	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

static void begin_collecting(struct reader *reader, struct slice *input, const struct op *op)
{
	struct collected *collected = &reader->collected;
	struct slice line = op->line;
	struct slice start = parser_give_up_payload(&reader->parser, input, op);

	CHECK_NUMBER(input->length, 0);
	collected->head = *op;
	collected->line_length = line.length;
	collected->length = line.length + 2 + op->payload_length + 2;
	collected->filled = line.length + 2 + start.length;
	collected->bytes = malloc(collected->length);
	if (!collected->bytes)
		abort();
	memcpy(collected->bytes, line.bytes, line.length);
	memcpy(collected->bytes + line.length, "\r\n", 2);
	memcpy(collected->bytes + line.length + 2, start.bytes, start.length);
}

/* The line, read again where it stands now, says what it said before. */
static void check_read_again(const struct collected *collected, struct slice line)
{
	const struct op *head = &collected->head;
	struct op op = {0};

	memset(&op, 0xff, sizeof(op));
	parser_read_again(head->verb, line, &op);
	CHECK_NUMBER(op.verb, head->verb);
	CHECK(op.line.bytes == line.bytes && op.line.length == line.length);
	CHECK_NUMBER(op.payload_length, head->payload_length);
	CHECK_NUMBER(op.header_length, head->header_length);
	CHECK_NUMBER(op.subject.length, head->subject.length);
	CHECK(op.subject.bytes == line.bytes);
	CHECK_NUMBER(op.reply.length, head->reply.length);
	/* The line ends by CRLF now, so a tail may have come to be, but none is lost. */
	CHECK(op.tail.length == head->tail.length || head->tail.length == 0);
	CHECK(op.tail.length == 0 ||
	      op.tail.bytes + op.tail.length == line.bytes + line.length + 2);
}

static void collect(struct reader *reader, struct slice *input)
{
	struct collected *collected = &reader->collected;
	size_t room = collected->length - collected->filled;
	size_t length = input->length < room ? input->length : room;
	size_t start = collected->line_length + 2;
	struct slice body;

	memcpy(collected->bytes + collected->filled, input->bytes, length);
	*input = slice_after(*input, length);
	collected->filled += length;
	body = (struct slice){collected->bytes + start, collected->filled - start};
	if (!parser_check_end(body, collected->head.payload_length)) {
		note_fault(reader, FAULT_UNKNOWN_OPERATION);
		return;
	}
	if (collected->filled < collected->length)
		return;
	check_read_again(collected, (struct slice){collected->bytes, collected->line_length});
	note_payload(reader, body);
	free(collected->bytes);
	*collected = (struct collected){0};
}

/* The head that came before comes again, the same in every part. */
static void check_same_head(struct reader *reader, const struct op *op)
{
	size_t end = reader->heard_length;
	struct slice before = {reader->heard + reader->head_start, end - reader->head_start};

	note_head(reader, op);
	CHECK(slice_equal((struct slice){reader->heard + end, reader->heard_length - end}, before));
	reader->heard_length = end;
}

/* False: it takes more bytes. */
static bool read_message(struct reader *reader, struct slice *input, const struct op *op)
{
	struct slice payload = {NULL, 0};
	enum fault fault = FAULT_NONE;

	CHECK_NUMBER(op->again, reader->waits);
	if (op->again) {
		check_same_head(reader, op);
	} else {
		reader->head_start = reader->heard_length;
		note_head(reader, op);
		reader->waits = true;
	}
	switch (parser_payload(&reader->parser, input, op, &payload, &fault)) {
	case PARSER_OP:
		CHECK_NUMBER(payload.length, op->payload_length + 2);
		note_payload(reader, payload);
		return true;
	case PARSER_FAULT:
		note_fault(reader, fault);
		return true;
	default:
		/* What is announced and never comes needs no place. */
		if (reader->collects && op->payload_length < ROOM)
			begin_collecting(reader, input, op);
		return false;
	}
}

static bool is_same(struct slice a, struct slice b)
{
	return a.length == b.length && (a.length == 0 || a.bytes == b.bytes);
}

/* Who looks ahead at an operation sees what it will be. */
static void check_glance(struct parser parser, struct slice input)
{
	struct slice ahead = input, behind = input, sid;
	struct op seen = {0}, op = {0};
	enum fault fault;

	if (!parser_is_between(&parser))
		return;
	if (parser_glance(&ahead, &seen)) {
		CHECK_NUMBER(parser_next(&parser, &behind, SIZE_MAX, &op, &fault), PARSER_OP);
		CHECK_NUMBER(op.verb, VERB_PUB);
		CHECK(is_same(seen.subject, op.subject));
		CHECK(is_same(seen.reply, op.reply));
		CHECK_NUMBER(seen.payload_length, op.payload_length);
		CHECK(ahead.bytes == behind.bytes + op.line.length + 2 + op.payload_length + 2);
	} else if (parser_glance_unsub(&ahead, &sid)) {
		CHECK_NUMBER(parser_next(&parser, &behind, SIZE_MAX, &op, &fault), PARSER_OP);
		CHECK_NUMBER(op.verb, VERB_UNSUB);
		CHECK(is_same(sid, op.sid));
		CHECK(ahead.bytes == behind.bytes);
	} else {
		return;
	}
	CHECK(ahead.bytes + ahead.length == input.bytes + input.length);
	*(op.verb == VERB_PUB ? &glances : &unsub_glances) += 1;
}

static void read_all(struct reader *reader, struct slice *input)
{
	if (reader->collected.bytes)
		collect(reader, input);
	while (!reader->over && !reader->collected.bytes) {
		struct op op = {0};
		enum fault fault = FAULT_NONE;
		enum parser_answer answer;

		/* What a verb does not fill in is not to be relied on. */
		memset(&op, 0xff, sizeof(op));
		op.again = false;
		check_glance(reader->parser, *input);
		answer = parser_next(&reader->parser, input, reader->max_control_line, &op, &fault);
		if (answer == PARSER_MORE)
			return;
		if (answer == PARSER_FAULT)
			note_fault(reader, fault);
		else if (op.verb != VERB_PUB && op.verb != VERB_HPUB)
			note_op(reader, &op);
		else if (!read_message(reader, input, &op))
			return;
	}
}

static void feed(struct reader *reader, const char *bytes, size_t length)
{
	size_t whole = reader->rest_length + length;
	char *block;
	struct slice input;

	if (reader->over)
		return;
	if (whole > ROOM)
		abort();
	memcpy(reader->rest + reader->rest_length, bytes, length);
	block = copy_alone(reader->rest, whole);
	input = (struct slice){block, whole};
	read_all(reader, &input);
	/* No more than a line and its CR is kept, unless it is a message that comes. */
	CHECK(reader->over || reader->waits || input.length <= reader->max_control_line + 1);
	CHECK(reader->over || input.bytes + input.length == block + whole);
	memcpy(reader->rest, input.bytes, input.length);
	reader->rest_length = input.length;
	free(block);
}

static struct slice heard(const struct reader *reader)
{
	return (struct slice){reader->heard, reader->heard_length};
}

/* Tables. */

struct row {
	struct slice text;
	struct slice expected;
};

/* `cut` bytes and then `step` at a time. True: it went as expected. */
static bool try(const struct row *row, struct reader *reader, size_t cut, size_t step)
{
	bool good;

	reader->parser = (struct parser){0};
	reader->waits = reader->over = false;
	reader->rest_length = reader->heard_length = 0;
	if (cut > 0)
		feed(reader, row->text.bytes, cut);
	for (size_t at = cut; at < row->text.length; at += step)
		feed(reader, row->text.bytes + at,
		     step < row->text.length - at ? step : row->text.length - at);
	free(reader->collected.bytes);
	reader->collected = (struct collected){0};
	good = slice_equal(heard(reader), row->expected);
	if (good)
		return true;
	test_check_text(__FILE__, __LINE__, "what was heard", heard(reader), row->expected);
	printf("#   of «");
	test_print(row->text);
	printf("», %zu bytes first, then %zu at a time, %s\n", cut, step,
	       reader->collects ? "collecting" : "waiting");
	return false;
}

/* The first way that goes wrong is enough of a report. */
static void check_row(const struct row *row, size_t max_control_line)
{
	bool good = true;

	for (int collects = 0; collects < 2 && good; collects++) {
		static struct reader reader;

		reader.max_control_line = max_control_line;
		reader.collects = collects;
		for (size_t cut = 0; cut < row->text.length && good; cut++)
			good = try(row, &reader, cut, row->text.length);
		good = good && try(row, &reader, 0, 1);
	}
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t at = 0; at < count; at++)
		check_row(&rows[at], MAX_CONTROL_LINE);
}

#define CHECK_ROWS(...)                                        \
	do {                                                   \
		static const struct row rows[] = {__VA_ARGS__}; \
		check_rows(rows, COUNT(rows));                 \
	} while (0)

#define ROW(text, expected) {TEXT(text), TEXT(expected)}
#define UNKNOWN "fault unknown operation\n"
#define BAD "fault arguments\n"
#define TOO_LONG "fault control line\n"

/* The four texts of the exercise. */

static void the_ping_of_the_exercise_is_understood(void)
{
	CHECK_ROWS(ROW("PING\r\n", "PING\n"));
}

static void the_pong_of_the_exercise_is_understood(void)
{
	CHECK_ROWS(ROW("PONG\r\n", "PONG\n"));
}

static void the_sub_of_the_exercise_is_understood(void)
{
	CHECK_ROWS(ROW("SUB FOO 1\r\n", "SUB [FOO] [] [1]\n"));
}

static void the_pub_of_the_exercise_is_understood(void)
{
	CHECK_ROWS(ROW("PUB CodingChallenge 11\r\nHello John!\r\n",
		       "PUB [CodingChallenge] [] 11 [11\r\n]\n+ [Hello John!\r\n]\n"));
}

/* PROTOCOL 3, table by table. */

static void every_verb_is_understood_in_all_its_shapes(void)
{
	CHECK_ROWS(
		ROW("PUB foo 2\r\nhi\r\n", "PUB [foo] [] 2 [2\r\n]\n+ [hi\r\n]\n"),
		ROW("PUB foo re.ply 2\r\nhi\r\n",
		    "PUB [foo] [re.ply] 2 [re.ply 2\r\n]\n+ [hi\r\n]\n"),
		ROW("PUB foo 0\r\n\r\n", "PUB [foo] [] 0 [0\r\n]\n+ [\r\n]\n"),
		ROW("HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n",
		    "HPUB [foo] [] 12 14 [12 14\r\n]\n+ [NATS/1.0\r\n\r\nhi\r\n]\n"),
		ROW("HPUB foo bar 12 12\r\nNATS/1.0\r\n\r\n\r\n",
		    "HPUB [foo] [bar] 12 12 [bar 12 12\r\n]\n+ [NATS/1.0\r\n\r\n\r\n]\n"),
		ROW("SUB foo 1\r\n", "SUB [foo] [] [1]\n"),
		ROW("SUB foo q 1\r\n", "SUB [foo] [q] [1]\n"),
		ROW("UNSUB 1\r\n", "UNSUB [1] 0\n"),
		ROW("UNSUB 1 5\r\n", "UNSUB [1] 5\n"),
		ROW("CONNECT {\"verbose\":false}\r\n", "CONNECT [{\"verbose\":false}]\n"),
		ROW("CONNECT{}\r\n", "CONNECT [{}]\n"),
		ROW("CONNECT\r\n", "CONNECT []\n"),
		ROW("CONNECT \r\n", "CONNECT []\n"),
		ROW("CONNECTION\r\n", "CONNECT [ION]\n"),
		ROW("CONNECT {} \t \r\n", "CONNECT [{} \t ]\n"),
		ROW("INFO {}\r\n", "INFO [{}]\n"),
		ROW("INFO{}\r\n", "INFO [{}]\n"),
		ROW("INFO\r\n", "INFO []\n"),
		ROW("+OK\r\n", "+OK\n"),
		ROW("-ERR 'Some Text'\r\n", "-ERR ['Some Text']\n"),
		ROW("-ERR \r\n", "-ERR []\n"));
}

static void upper_and_lower_case_are_alike(void)
{
	CHECK_ROWS(
		ROW("PiNg\r\npOnG\r\nping\r\n", "PING\nPONG\nPING\n"),
		ROW("pub foo 1\r\nx\r\nPub foo 1\r\nx\r\n",
		    "PUB [foo] [] 1 [1\r\n]\n+ [x\r\n]\nPUB [foo] [] 1 [1\r\n]\n+ [x\r\n]\n"),
		ROW("hPuB foo 0 1\r\nx\r\n", "HPUB [foo] [] 0 1 [0 1\r\n]\n+ [x\r\n]\n"),
		ROW("sub FOO foo 1\r\nunsub 1\r\n", "SUB [FOO] [foo] [1]\nUNSUB [1] 0\n"),
		ROW("connect {}\r\ninfo {}\r\n+ok\r\n-err x\r\n",
		    "CONNECT [{}]\nINFO [{}]\n+OK\n-ERR [x]\n"));
}

/* Of each byte a letter differs from by its case bit only, none is taken for the letter. */
static void only_letters_have_two_cases(void)
{
	CHECK_ROWS(ROW("\x0bOK\r\n", UNKNOWN), ROW("\rERR x\r\n", UNKNOWN),
		   ROW("\x10ING\r\n", UNKNOWN), ROW("\xd0ING\r\n", UNKNOWN));
}

static void ping_and_its_like_may_carry_anything(void)
{
	CHECK_ROWS(
		ROW("PING\n", "PING\n"),
		ROW("PINGxyz\r\n", "PING\n"),
		ROW("PING foo bar\r\n", "PING\n"),
		ROW("PINGPONG\r\nPONGPING\r\n", "PING\nPONG\n"),
		ROW("PONG \r\r\r\n", "PONG\n"),
		ROW("PING \0\xff\r\n", "PING\n"),
		ROW("+OK whatever\r\n+OKAY\n", "+OK\n+OK\n"),
		ROW("PING\r", ""),
		ROW("PING\r\nPING\r\n\r\n", "PING\nPING\n" UNKNOWN));
}

static void operations_follow_each_other_at_once(void)
{
	CHECK_ROWS(
		ROW("CONNECT {}\r\nPING\r\nSUB a.* 1\r\nSUB b q 2\r\nPUB a.b c 3\r\nabc\r\n"
		    "UNSUB 2 1\r\nHPUB b 2 3\r\nhhp\r\nPONG\r\nPUB b 0\r\n\r\nPING\r\n",
		    "CONNECT [{}]\nPING\nSUB [a.*] [] [1]\nSUB [b] [q] [2]\n"
		    "PUB [a.b] [c] 3 [c 3\r\n]\n+ [abc\r\n]\nUNSUB [2] 1\n"
		    "HPUB [b] [] 2 3 [2 3\r\n]\n+ [hhp\r\n]\nPONG\nPUB [b] [] 0 [0\r\n]\n+ [\r\n]\n"
		    "PING\n"));
}

static void what_is_not_whole_says_nothing_yet(void)
{
	CHECK_ROWS(
		ROW("P", ""), ROW("PIN", ""), ROW("PING", ""), ROW("PUB", ""), ROW("PUB ", ""),
		ROW("PUB foo 2", ""), ROW("PUB foo 2\r", ""), ROW("SUB foo 1\r", ""),
		ROW("UNSU", ""), ROW("-ER", ""), ROW("-ERR", ""), ROW("+", ""), ROW("+OK", ""),
		ROW("CONNECT {", ""), ROW("HPUB foo 1", ""),
		/* The head as soon as its line is there, the payload when it is all there. */
		ROW("PUB foo 2\r\n", "PUB [foo] [] 2 [2\r\n]\n"),
		ROW("PUB foo 2\r\nh", "PUB [foo] [] 2 [2\r\n]\n"),
		ROW("PUB foo 2\r\nhi", "PUB [foo] [] 2 [2\r\n]\n"),
		ROW("PUB foo 2\r\nhi\r", "PUB [foo] [] 2 [2\r\n]\n"),
		ROW("PUB foo 999999999\r\nhi", "PUB [foo] [] 999999999 [999999999\r\n]\n"),
		ROW("PING\r\nHPUB foo 2 3\r\nabc", "PING\nHPUB [foo] [] 2 3 [2 3\r\n]\n"));
}

static void junk_is_an_unknown_operation_at_its_first_wrong_byte(void)
{
	CHECK_ROWS(
		ROW("\r\n", UNKNOWN), ROW("\n", UNKNOWN), ROW(" PING\r\n", UNKNOWN),
		ROW("\tPING\r\n", UNKNOWN), ROW("X", UNKNOWN), ROW("CX", UNKNOWN),
		ROW("BOGUS\r\n", UNKNOWN), ROW("PINX", UNKNOWN), ROW("PANG\r\n", UNKNOWN),
		ROW("PUBX", UNKNOWN), ROW("+OX", UNKNOWN), ROW("-ERX", UNKNOWN),
		ROW("MSG foo 1 2\r\nhi\r\n", UNKNOWN), ROW("HMSG x\r\n\r\n", UNKNOWN),
		ROW("RMSG a b 0\r\n\r\n", UNKNOWN), ROW("RS+ a b\r\n", UNKNOWN),
		ROW("LS+ a\r\n", UNKNOWN), ROW("A+ a\r\n", UNKNOWN),
		ROW("GET / HTTP/1.1\r\nHost: x\r\n\r\n", UNKNOWN),
		ROW("\x16\x03\x01\x02\x00\x01", UNKNOWN), ROW("\0", UNKNOWN), ROW("\xff", UNKNOWN),
		ROW("PI\0NG\r\n", UNKNOWN), ROW("P ING\r\n", UNKNOWN),
		/* What came before counts, what follows does not. */
		ROW("PING\r\nX\r\nPING\r\n", "PING\n" UNKNOWN),
		ROW("PUB foo 1\r\nx\r\n\r\nPING\r\n",
		    "PUB [foo] [] 1 [1\r\n]\n+ [x\r\n]\n" UNKNOWN));
}

static void arguments_need_a_blank_before_them(void)
{
	CHECK_ROWS(
		ROW("SUB\r\n", UNKNOWN), ROW("SUB\n", UNKNOWN), ROW("PUB\r\n", UNKNOWN),
		ROW("HPUB\r\n", UNKNOWN), ROW("UNSUB\r\n", UNKNOWN), ROW("-ERR\r\n", UNKNOWN),
		ROW("SUBfoo 1\r\n", UNKNOWN), ROW("PUBfoo 1\r\nx\r\n", UNKNOWN),
		ROW("UNSUB1\r\n", UNKNOWN), ROW("-ERR'x'\r\n", UNKNOWN), ROW("PUB\0foo", UNKNOWN));
}

static void blanks_and_tabs_in_any_number_separate(void)
{
	CHECK_ROWS(
		ROW("SUB \t foo \t\t 1 \t\r\n", "SUB [foo] [] [1]\n"),
		ROW("SUB\tfoo\tq\t1\r\n", "SUB [foo] [q] [1]\n"),
		ROW("UNSUB   1   2  \r\n", "UNSUB [1] 2\n"),
		ROW("PUB\tfoo\t2\r\nhi\r\n", "PUB [foo] [] 2 [2\r\n]\n+ [hi\r\n]\n"),
		ROW("PUB    foo    2\r\nhi\r\n", "PUB [foo] [] 2 [2\r\n]\n+ [hi\r\n]\n"),
		ROW("HPUB \t foo 0 \t 2\r\nhi\r\n", "HPUB [foo] [] 0 2 []\n+ [hi\r\n]\n"),
		ROW("CONNECT \t  {}\r\n", "CONNECT [{}]\n"),
		/* Nothing else does. */
		ROW("SUB foo\x0b" "1\r\n", BAD), ROW("SUB foo\x0c" "1\r\n", BAD),
		ROW("SUB foo\xa0" "1\r\n", BAD),
		ROW("SUB a\0b\x01 1\r\n", "SUB [a\0b\x01] [] [1]\n"));
}

static void a_line_ends_by_lf_and_a_cr_before_it_is_no_part_of_it(void)
{
	CHECK_ROWS(
		ROW("SUB foo 1\n", "SUB [foo] [] [1]\n"),
		ROW("UNSUB 1 5\n", "UNSUB [1] 5\n"),
		ROW("CONNECT {}\nPING\n", "CONNECT [{}]\nPING\n"),
		ROW("PUB foo 2\nhi\r\nPING\n", "PUB [foo] [] 2 []\n+ [hi\r\n]\nPING\n"),
		ROW("HPUB foo 0 2\nhi\r\n", "HPUB [foo] [] 0 2 []\n+ [hi\r\n]\n"),
		/* The CR may belong to the payload. */
		ROW("PUB foo 2\n\r\n\r\n", "PUB [foo] [] 2 []\n+ [\r\n\r\n]\n"));
}

static void a_cr_within_arguments_is_refused(void)
{
	CHECK_ROWS(
		ROW("SUB fo\ro 1\r\n", BAD), ROW("SUB foo\r1\r\n", BAD),
		ROW("SUB foo 1\r\r\n", BAD),
		ROW("SUB \r foo 1\r\n", BAD), ROW("SUB foo \r 1\r\n", BAD),
		ROW("UNSUB 1\r2\r\n", BAD),
		ROW("UNSUB 1 \r2\r\n", BAD), ROW("PUB foo\r 2\r\nhi\r\n", BAD),
		ROW("PUB foo r\rs 2\r\nhi\r\n", BAD), ROW("PUB foo 2\r\r\nhi\r\n", BAD),
		ROW("HPUB f\roo 0 2\r\nhi\r\n", BAD),
		/* JSON may have one between its parts: that is not decided here. */
		ROW("CONNECT {\r}\r\n", "CONNECT [{\r}]\n"), ROW("-ERR a\rb\r\n", "-ERR [a\rb]\n"));
}

static void a_payload_is_counted_never_read(void)
{
	CHECK_ROWS(
		ROW("PUB foo 4\r\nhi\r\n\r\n", "PUB [foo] [] 4 [4\r\n]\n+ [hi\r\n\r\n]\n"),
		ROW("PUB foo 6\r\nPING\r\n\r\nPONG\r\n",
		    "PUB [foo] [] 6 [6\r\n]\n+ [PING\r\n\r\n]\nPONG\n"),
		ROW("PUB foo 3\r\n\0\xff\n\r\n", "PUB [foo] [] 3 [3\r\n]\n+ [\0\xff\n\r\n]\n"),
		/* Headers are not looked at either. */
		ROW("HPUB foo 3 5\r\nabchi\r\n", "HPUB [foo] [] 3 5 [3 5\r\n]\n+ [abchi\r\n]\n"));
}

static void a_payload_ends_by_crlf_and_nothing_else(void)
{
	CHECK_ROWS(
		ROW("PUB foo 2\r\nhi\n", "PUB [foo] [] 2 [2\r\n]\n" UNKNOWN),
		ROW("PUB foo 2\r\nhix", "PUB [foo] [] 2 [2\r\n]\n" UNKNOWN),
		ROW("PUB foo 2\r\nhi\rx", "PUB [foo] [] 2 [2\r\n]\n" UNKNOWN),
		ROW("PUB foo 2\r\nhi\r\r\n", "PUB [foo] [] 2 [2\r\n]\n" UNKNOWN),
		ROW("PUB foo 2\r\nhi!\r\nPING\r\n", "PUB [foo] [] 2 [2\r\n]\n" UNKNOWN),
		ROW("PUB foo 3\r\nhi\r\nPING\r\n", "PUB [foo] [] 3 [3\r\n]\n" UNKNOWN),
		ROW("PUB foo 0\r\nPING\r\n", "PUB [foo] [] 0 [0\r\n]\n" UNKNOWN),
		ROW("PUB foo 0\r\n\n", "PUB [foo] [] 0 [0\r\n]\n" UNKNOWN),
		ROW("HPUB foo 1 2\r\nhi\n\r", "HPUB [foo] [] 1 2 [1 2\r\n]\n" UNKNOWN));
}

static void sizes_are_one_to_nine_digits(void)
{
	CHECK_ROWS(
		ROW("PUB foo 999999999\r\n", "PUB [foo] [] 999999999 [999999999\r\n]\n"),
		ROW("PUB foo 000000002\r\nhi\r\n", "PUB [foo] [] 2 [000000002\r\n]\n+ [hi\r\n]\n"),
		ROW("PUB foo 0002\r\nhi\r\n", "PUB [foo] [] 2 [0002\r\n]\n+ [hi\r\n]\n"),
		ROW("HPUB foo 000 02\r\nhi\r\n", "HPUB [foo] [] 0 2 [000 02\r\n]\n+ [hi\r\n]\n"),
		ROW("HPUB foo 999999999 999999999\r\n",
		    "HPUB [foo] [] 999999999 999999999 [999999999 999999999\r\n]\n"),
		ROW("PUB foo 1000000000\r\n", BAD), ROW("PUB foo 0000000002\r\nhi\r\n", BAD),
		ROW("PUB foo 4294967298\r\nhi\r\n", BAD),
		ROW("PUB foo 18446744073709551618\r\nhi\r\n", BAD),
		ROW("PUB foo -1\r\n", BAD), ROW("PUB foo +1\r\nx\r\n", BAD),
		ROW("PUB foo x\r\n", BAD),
		ROW("PUB foo 1x\r\n", BAD), ROW("PUB foo 0x1\r\n", BAD),
		ROW("PUB foo 1.0\r\n", BAD),
		ROW("PUB foo 1/\r\n", BAD), ROW("PUB foo 1:\r\n", BAD),
		ROW("PUB foo \xb2\r\n", BAD),
		ROW("HPUB foo x 2\r\nhi\r\n", BAD), ROW("HPUB foo 1 x\r\nhi\r\n", BAD),
		ROW("HPUB foo -1 2\r\nhi\r\n", BAD), ROW("HPUB foo 0000000001 2\r\nhi\r\n", BAD),
		ROW("HPUB foo 1 0000000002\r\nhi\r\n", BAD));
}

static void headers_are_a_part_of_the_whole(void)
{
	CHECK_ROWS(
		ROW("HPUB foo 0 2\r\nhi\r\n", "HPUB [foo] [] 0 2 [0 2\r\n]\n+ [hi\r\n]\n"),
		ROW("HPUB foo 0 0\r\n\r\n", "HPUB [foo] [] 0 0 [0 0\r\n]\n+ [\r\n]\n"),
		ROW("HPUB foo 2 2\r\nhi\r\n", "HPUB [foo] [] 2 2 [2 2\r\n]\n+ [hi\r\n]\n"),
		ROW("HPUB foo 3 2\r\nhi\r\n", BAD), ROW("HPUB foo bar 1 0\r\n\r\n", BAD));
}

static void a_max_that_is_no_number_is_none(void)
{
	CHECK_ROWS(
		ROW("UNSUB 1 999999999\r\n", "UNSUB [1] 999999999\n"),
		ROW("UNSUB 1 000000007\r\n", "UNSUB [1] 7\n"),
		ROW("UNSUB 1 0\r\n", "UNSUB [1] 0\n"),
		ROW("UNSUB 1 1000000000\r\n", "UNSUB [1] 0\n"),
		ROW("UNSUB 1 4294967301\r\n", "UNSUB [1] 0\n"),
		ROW("UNSUB 1 -5\r\n", "UNSUB [1] 0\n"), ROW("UNSUB 1 5x\r\n", "UNSUB [1] 0\n"),
		/* The one before says nothing about the next. */
		ROW("UNSUB 1 5\r\nUNSUB 2\r\n", "UNSUB [1] 5\nUNSUB [2] 0\n"));
}

static void a_wrong_number_of_arguments_is_refused(void)
{
	CHECK_ROWS(
		ROW("PUB \r\n", BAD), ROW("PUB \n", BAD), ROW("PUB foo\r\n", BAD),
		ROW("PUB 5\r\n", BAD),
		ROW("PUB a b c 1\r\nx\r\n", BAD), ROW("PUB a b c d 1\r\nx\r\n", BAD),
		ROW("HPUB \r\n", BAD), ROW("HPUB foo\r\n", BAD),
		ROW("HPUB foo 5\r\nhello\r\n", BAD),
		ROW("HPUB a b c 1 2\r\nhi\r\n", BAD), ROW("HPUB a b c d e f 1 2\r\nhi\r\n", BAD),
		ROW("SUB \r\n", BAD), ROW("SUB foo\r\n", BAD), ROW("SUB a b c d\r\n", BAD),
		ROW("SUB a b c d e f g\r\n", BAD), ROW("UNSUB \r\n", BAD),
		ROW("UNSUB 1 2 3\r\n", BAD),
		ROW("UNSUB 1 2 3 4 5\r\n", BAD),
		ROW("PUB foo 1\r\nx\r\nSUB foo\r\nPING\r\n",
		    "PUB [foo] [] 1 [1\r\n]\n+ [x\r\n]\n" BAD));
}

/* The tail is what a MSG line needs, byte for byte, or it is not given. */
static void a_tail_is_given_only_where_it_can_be_copied(void)
{
	CHECK_ROWS(
		ROW("PUB foo  2\r\nhi\r\n", "PUB [foo] [] 2 [2\r\n]\n+ [hi\r\n]\n"),
		ROW("PUB foo\tbar 2\r\nhi\r\n", "PUB [foo] [bar] 2 [bar 2\r\n]\n+ [hi\r\n]\n"),
		ROW("PUB foo bar  2\r\nhi\r\n", "PUB [foo] [bar] 2 []\n+ [hi\r\n]\n"),
		ROW("PUB foo bar\t2\r\nhi\r\n", "PUB [foo] [bar] 2 []\n+ [hi\r\n]\n"),
		ROW("PUB foo 2 \r\nhi\r\n", "PUB [foo] [] 2 []\n+ [hi\r\n]\n"),
		ROW("PUB foo 2\t\r\nhi\r\n", "PUB [foo] [] 2 []\n+ [hi\r\n]\n"),
		ROW("PUB foo bar 2\nhi\r\n", "PUB [foo] [bar] 2 []\n+ [hi\r\n]\n"),
		ROW("HPUB foo 1 2\nhi\r\n", "HPUB [foo] [] 1 2 []\n+ [hi\r\n]\n"),
		ROW("HPUB foo 1  2\r\nhi\r\n", "HPUB [foo] [] 1 2 []\n+ [hi\r\n]\n"),
		ROW("HPUB foo 1\t2\r\nhi\r\n", "HPUB [foo] [] 1 2 []\n+ [hi\r\n]\n"),
		ROW("HPUB foo bar\t1 2\r\nhi\r\n", "HPUB [foo] [bar] 1 2 []\n+ [hi\r\n]\n"),
		ROW("HPUB foo bar 1 2 \r\nhi\r\n", "HPUB [foo] [bar] 1 2 []\n+ [hi\r\n]\n"),
		ROW("HPUB foo bar 1 2\r\nhi\r\n",
		    "HPUB [foo] [bar] 1 2 [bar 1 2\r\n]\n+ [hi\r\n]\n"));
}

static void arguments_may_be_as_long_as_max_control_line_and_no_longer(void)
{
	static const struct row rows[] = {
		/* 16 bytes and 17 of each kind. */
		ROW("SUB 0123456789abc q 1\r\nPING\r\n", TOO_LONG),
		ROW("SUB 0123456789ab q 1\r\nPING\r\n", "SUB [0123456789ab] [q] [1]\nPING\n"),
		ROW("SUB 0123456789ab q 1\nPING\n", "SUB [0123456789ab] [q] [1]\nPING\n"),
		ROW("SUB 0123456789abc q 1\n", TOO_LONG),
		ROW("UNSUB 0123456789abcd 1\r\n", "UNSUB [0123456789abcd] 1\n"),
		ROW("UNSUB 0123456789abcde 1\r\n", TOO_LONG),
		ROW("PUB 0123456789abcd 1\r\nx\r\n",
		    "PUB [0123456789abcd] [] 1 [1\r\n]\n+ [x\r\n]\n"),
		ROW("PUB 0123456789abcde 1\r\nx\r\n", TOO_LONG),
		ROW("HPUB 0123456789ab 0 1\r\nx\r\n",
		    "HPUB [0123456789ab] [] 0 1 [0 1\r\n]\n+ [x\r\n]\n"),
		ROW("HPUB 0123456789abc 0 1\r\nx\r\n", TOO_LONG),
		ROW("CONNECT 0123456789abcdef\r\n", "CONNECT [0123456789abcdef]\n"),
		ROW("CONNECT 0123456789abcdefg\r\n", TOO_LONG),
		ROW("INFO 0123456789abcdef\r\n", "INFO [0123456789abcdef]\n"),
		ROW("INFO 0123456789abcdefg\r\n", TOO_LONG),
		ROW("-ERR 0123456789abcdef\r\n", "-ERR [0123456789abcdef]\n"),
		ROW("-ERR 0123456789abcdefg\r\n", TOO_LONG),
		/* Blanks behind count, blanks before do not. */
		ROW("UNSUB 1               \r\n", "UNSUB [1] 0\n"),
		ROW("UNSUB 1                \r\n", TOO_LONG),
		ROW("UNSUB                       \t   1\r\n", "UNSUB [1] 0\n"),
		ROW("CONNECT                        {}\r\n", "CONNECT [{}]\n"),
		/* One CR is no part of it, a second one is. */
		ROW("CONNECT 0123456789abcdef\r\r\n", TOO_LONG),
		ROW("CONNECT 0123456789abcdef\rx\r\n", TOO_LONG),
		/* Length goes before content. */
		ROW("SUB 0123456789abcdefg\r\n", TOO_LONG),
		ROW("SUB a b c d e f g h i\r\n", TOO_LONG),
		ROW("PUB a b c d e f g h 1\r\n", TOO_LONG),
		ROW("SUB a\rb 0123456789abcdef\r\n", TOO_LONG),
		ROW("UNSUB 1 2 3 4 5 6 7 8\r\n", BAD), ROW("SUB a\rb 0123456789ab\r\n", BAD),
		ROW("PUB a b c d e f 12\r\n", BAD),
		/* Nobody waits for the end of what is too long already. */
		ROW("SUB 0123456789abcdef", ""), ROW("SUB 0123456789abcdef\r", ""),
		ROW("SUB 0123456789abcdefg", TOO_LONG), ROW("PUB 0123456789abcdef\rx", TOO_LONG),
		ROW("INFO                                      ", ""),
		/* A payload and what PING carries are not limited by it. */
		ROW("PUB a 20\r\n0123456789abcdefghij\r\n",
		    "PUB [a] [] 20 [20\r\n]\n+ [0123456789abcdefghij\r\n]\n"),
		ROW("PING 0123456789abcdefghijklmnopq\r\n", "PING\n"),
		ROW("+OK 0123456789abcdefghijklmnopqrst\r\n", "+OK\n"),
	};

	for (size_t at = 0; at < COUNT(rows); at++)
		check_row(&rows[at], SHORT_LINE);
}

/* `count` bytes of `fill` between two texts. Yours to free. */
static struct slice stretch(struct slice before, char fill, size_t count, struct slice after)
{
	size_t length = before.length + count + after.length;
	char *bytes = malloc(length);

	if (!bytes)
		abort();
	memcpy(bytes, before.bytes, before.length);
	memset(bytes + before.length, fill, count);
	memcpy(bytes + before.length + count, after.bytes, after.length);
	return (struct slice){bytes, length};
}

static void release(struct slice text)
{
	char *bytes;

	memcpy(&bytes, &text.bytes, sizeof(bytes));
	free(bytes);
}

/* Texts too long to be cut at every byte of them. */
static void check_stretched(const struct row *row)
{
	for (int collects = 0; collects < 2; collects++) {
		static struct reader reader = {.max_control_line = MAX_CONTROL_LINE};

		reader.collects = collects;
		if (!try(row, &reader, 0, row->text.length) || !try(row, &reader, 0, 1) ||
		    !try(row, &reader, 0, 509))
			return;
		for (size_t cut = 1; cut < row->text.length; cut += cut < 8 ? 1 : 997)
			if (!try(row, &reader, cut, row->text.length))
				return;
		for (size_t back = 1; back < 8; back++)
			if (!try(row, &reader, row->text.length - back, 8))
				return;
	}
}

static void the_usual_limit_holds_to_the_byte(void)
{
	/* Behind the subject stand a blank and a sid. */
	for (size_t length = MAX_CONTROL_LINE - 1; length <= MAX_CONTROL_LINE + 1; length++) {
		struct row row = {
			stretch(SLICE("SUB "), 's', length - 2, SLICE(" 1\r\n")),
			stretch(SLICE("SUB ["), 's', length - 2, SLICE("] [] [1]\n")),
		};

		if (length > MAX_CONTROL_LINE) {
			release(row.expected);
			row.expected = stretch(SLICE(TOO_LONG), 0, 0, SLICE(""));
		}
		check_stretched(&row);
		release(row.text);
		release(row.expected);
	}
}

static void ten_thousand_blanks_before_arguments_are_no_matter(void)
{
	struct row row = {stretch(SLICE("SUB"), ' ', 10000, SLICE("foo 1\r\n")),
			  SLICE("SUB [foo] [] [1]\n")};

	check_stretched(&row);
	release(row.text);
}

static void ping_may_carry_more_than_a_control_line(void)
{
	struct row row = {stretch(SLICE("PING"), 'x', 10000, SLICE("\nPONG\n")),
			  SLICE("PING\nPONG\n")};

	check_stretched(&row);
	release(row.text);
}

static void a_large_payload_comes_whole(void)
{
	struct row row = {
		stretch(SLICE("PUB foo bar 5000\r\n"), 'p', 5000, SLICE("\r\nPING\r\n")),
		stretch(SLICE("PUB [foo] [bar] 5000 [bar 5000\r\n]\n+ ["), 'p', 5000,
			SLICE("\r\n]\nPING\n")),
	};

	check_stretched(&row);
	release(row.text);
	release(row.expected);
}

/* A splitter that cannot be wrong. `line` ends by its LF. Its answer holds until the next one. */
static struct slice split_slowly(struct slice line)
{
	static struct reader out;
	struct slice tokens[64];
	struct op op = {.verb = VERB_SUB};
	size_t end = line.length - 1;
	size_t count = 0;
	bool in_token = false;

	end -= end > 0 && line.bytes[end - 1] == '\r';
	for (size_t at = 0; at < end; at++) {
		bool blank = line.bytes[at] == ' ' || line.bytes[at] == '\t';

		if (line.bytes[at] == '\r')
			return SLICE(BAD);
		if (!blank && !in_token)
			tokens[count++] = (struct slice){line.bytes + at, 0};
		if (!blank)
			tokens[count - 1].length++;
		in_token = !blank;
	}
	if (count < 2 || count > 3)
		return SLICE(BAD);
	op.subject = tokens[0];
	op.queue = count == 3 ? tokens[1] : (struct slice){NULL, 0};
	op.sid = tokens[count - 1];
	out.heard_length = 0;
	note_op(&out, &op);
	return heard(&out);
}

/* Whoever looks at several bytes at once must not be misled by their neighbours. */
static void lines_of_any_bytes_are_split_as_byte_by_byte(void)
{
	static const char often[] = "  \t\raab\x00\x01\x0b\x0c\x0e\x1f\x21\x80\x89\x8a\x8d\xa0\xff";
	static struct reader reader = {.max_control_line = MAX_CONTROL_LINE};
	uint32_t random = 0x9e3779b9;
	unsigned failures = test_failures;

	for (unsigned turn = 0; turn < 20000 && test_failures == failures; turn++) {
		char text[64] = "SUB ";
		size_t length = 4;
		struct row row;

		for (size_t more = turn % 41; more > 0; more--) {
			random = random * 1664525 + 1013904223;
			text[length] = often[(random >> 16) % (sizeof(often) - 1)];
			if (random >> 28 == 0)
				text[length] = (char)(random >> 20);
			length += text[length] != '\n';
		}
		memcpy(text + length, "\r\n", 2);
		row.text = (struct slice){text, length + 2};
		row.expected = split_slowly(slice_after(row.text, 4));
		try(&row, &reader, 0, row.text.length);
		try(&row, &reader, turn % (length + 1) + 1, 8);
	}
}

/* Single calls. */

static void a_head_stands_in_the_callers_bytes(void)
{
	static const char text[] = "PUB foo bar 2\r\nhi\r\nPING\r\n";
	struct parser parser = {0};
	struct slice input = {text, sizeof(text) - 1};
	struct slice payload = {NULL, 0};
	struct op op = {0};
	enum fault fault;

	CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_OP);
	CHECK_NUMBER(op.verb, VERB_PUB);
	CHECK(!op.again);
	CHECK(op.line.bytes == text + 4);
	CHECK_TEXT(op.line, "foo bar 2");
	CHECK(op.subject.bytes == text + 4);
	CHECK(op.reply.bytes == text + 8);
	CHECK(op.tail.bytes == text + 8);
	CHECK_TEXT(op.tail, "bar 2\r\n");
	CHECK_NUMBER(parser_payload(&parser, &input, &op, &payload, &fault), PARSER_OP);
	CHECK(payload.bytes == text + 15);
	CHECK_TEXT(payload, "hi\r\n");
	CHECK_TEXT(input, "PING\r\n");
}

static void a_message_that_is_not_whole_is_left_where_it_is(void)
{
	struct parser parser = {0};
	struct slice input = SLICE("PUB foo 2\r\nh");
	struct slice payload = {NULL, 0};
	struct op op = {0};
	enum fault fault;

	CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_OP);
	CHECK_NUMBER(parser_payload(&parser, &input, &op, &payload, &fault), PARSER_MORE);
	/* The verb is known; the arguments are to be handed in again. */
	CHECK_TEXT(input, "foo 2\r\nh");
	CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_OP);
	CHECK(op.again);
	CHECK_NUMBER(parser_payload(&parser, &input, &op, &payload, &fault), PARSER_MORE);
	CHECK_TEXT(input, "foo 2\r\nh");
}

/* One struct op for all, as the session has it: what one operation said must not stick. */
static void again_is_said_of_no_other_operation(void)
{
	static const char *const nexts[] = {"PING\r\n",	   "PONG\r\n",	 "+OK\r\n",   "SUB a 1\r\n",
					    "UNSUB 1\r\n", "CONNECT {}\r\n", "-ERR x\r\n",
					    "PUB a 0\r\n\r\n"};

	for (size_t at = 0; at < COUNT(nexts); at++) {
		struct parser parser = {0};
		struct slice input = SLICE("PUB foo 2\r\nh");
		struct slice payload = {NULL, 0};
		struct op op = {0};
		enum fault fault;

		parser_next(&parser, &input, 4096, &op, &fault);
		parser_payload(&parser, &input, &op, &payload, &fault);
		input = SLICE("foo 2\r\nhi\r\n");
		CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_OP);
		CHECK(op.again);
		CHECK_NUMBER(parser_payload(&parser, &input, &op, &payload, &fault), PARSER_OP);
		input = slice_of(nexts[at]);
		CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_OP);
		test_check_number(__FILE__, __LINE__, verb_name(op.verb), op.again, false);
	}
}

static void a_payload_given_up_is_handed_over_as_far_as_it_is_there(void)
{
	struct parser parser = {0};
	struct slice input = SLICE("HPUB foo 2 4\r\nabc");
	struct slice payload = {NULL, 0};
	struct op op = {0};
	enum fault fault;

	CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_OP);
	CHECK_NUMBER(parser_payload(&parser, &input, &op, &payload, &fault), PARSER_MORE);
	CHECK_TEXT(parser_give_up_payload(&parser, &input, &op), "abc");
	CHECK_NUMBER(input.length, 0);
	/* The parser goes on behind it. */
	input = SLICE("PING\r\n");
	CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_OP);
	CHECK_NUMBER(op.verb, VERB_PING);
}

static void a_payload_may_be_given_up_before_its_first_byte_and_before_its_last(void)
{
	static const struct {
		const char *text;
		const char *start;
	} rows[] = {{"PUB foo 2\r\n", ""}, {"PUB foo 2\n", ""}, {"PUB foo 2\r\nhi\r", "hi\r"},
		    {"PUB foo 2\nhi\r", "hi\r"}, {"PUB foo 0\r\n", ""}};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct parser parser = {0};
		struct slice input = slice_of(rows[at].text);
		struct slice payload = {NULL, 0};
		struct op op = {0};
		enum fault fault;

		CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_OP);
		CHECK_NUMBER(parser_payload(&parser, &input, &op, &payload, &fault), PARSER_MORE);
		test_check_text(__FILE__, __LINE__, rows[at].text,
				parser_give_up_payload(&parser, &input, &op),
				slice_of(rows[at].start));
	}
}

/* Elsewhere, and behind the line there is CRLF now, whatever was there before. */
static void a_line_is_read_again_elsewhere(void)
{
	char *bytes = copy_alone("foo bar 1 2\r\n", 13);
	struct op op = {0};

	memset(&op, 0xff, sizeof(op));
	parser_read_again(VERB_HPUB, (struct slice){bytes, 11}, &op);
	CHECK_NUMBER(op.verb, VERB_HPUB);
	CHECK_TEXT(op.line, "foo bar 1 2");
	CHECK_TEXT(op.subject, "foo");
	CHECK_TEXT(op.reply, "bar");
	CHECK_NUMBER(op.header_length, 1);
	CHECK_NUMBER(op.payload_length, 2);
	CHECK_TEXT(op.tail, "bar 1 2\r\n");
	CHECK(op.tail.bytes == bytes + 4);
	memset(&op, 0xff, sizeof(op));
	parser_read_again(VERB_PUB, (struct slice){bytes + 4, 7}, &op);
	CHECK_NUMBER(op.verb, VERB_PUB);
	CHECK_TEXT(op.subject, "bar");
	CHECK_TEXT(op.reply, "1");
	CHECK_NUMBER(op.header_length, 0);
	CHECK_NUMBER(op.payload_length, 2);
	CHECK_TEXT(op.tail, "1 2\r\n");
	free(bytes);
}

static void the_end_is_checked_as_far_as_it_is_there(void)
{
	CHECK(parser_check_end(SLICE(""), 2));
	CHECK(parser_check_end(SLICE("hi"), 2));
	CHECK(parser_check_end(SLICE("hi\r"), 2));
	CHECK(parser_check_end(SLICE("hi\r\n"), 2));
	CHECK(parser_check_end(SLICE("hi\r\nPING"), 2));
	CHECK(parser_check_end(SLICE("\r\n"), 0));
	CHECK(parser_check_end(SLICE("\r\r"), 2));
	CHECK(!parser_check_end(SLICE("hi\n"), 2));
	CHECK(!parser_check_end(SLICE("hix"), 2));
	CHECK(!parser_check_end(SLICE("hi\rx"), 2));
	CHECK(!parser_check_end(SLICE("hi\n\r"), 2));
	CHECK(!parser_check_end(SLICE("x"), 0));
	CHECK(!parser_check_end(SLICE("hi\r\n"), 1));
	CHECK(!parser_check_end(SLICE("hi\r\n"), 3));
}

static void nothing_in_is_nothing_out(void)
{
	struct parser parser = {0};
	struct slice input = {NULL, 0};
	struct op op = {0};
	enum fault fault;

	CHECK_NUMBER(parser_next(&parser, &input, 4096, &op, &fault), PARSER_MORE);
	CHECK_NUMBER(input.length, 0);
}

static void verbs_are_named_as_on_the_wire(void)
{
	static const char *const names[] = {"PUB",  "HPUB",    "SUB",  "UNSUB", "PING",
					    "PONG", "CONNECT", "INFO", "+OK",	"-ERR"};

	CHECK_NUMBER(COUNT(names), VERB_COUNT);
	for (size_t at = 0; at < COUNT(names); at++)
		CHECK(strcmp(verb_name((enum verb)at), names[at]) == 0);
}

/* In all texts above: see check_glance(). */
static void who_looks_ahead_sees_what_comes(void)
{
	CHECK(glances > 500 && unsub_glances > 30);
}

static const struct test_case cases[] = {
	TEST_CASE(the_ping_of_the_exercise_is_understood),
	TEST_CASE(the_pong_of_the_exercise_is_understood),
	TEST_CASE(the_sub_of_the_exercise_is_understood),
	TEST_CASE(the_pub_of_the_exercise_is_understood),
	TEST_CASE(every_verb_is_understood_in_all_its_shapes),
	TEST_CASE(upper_and_lower_case_are_alike),
	TEST_CASE(only_letters_have_two_cases),
	TEST_CASE(ping_and_its_like_may_carry_anything),
	TEST_CASE(operations_follow_each_other_at_once),
	TEST_CASE(what_is_not_whole_says_nothing_yet),
	TEST_CASE(junk_is_an_unknown_operation_at_its_first_wrong_byte),
	TEST_CASE(arguments_need_a_blank_before_them),
	TEST_CASE(blanks_and_tabs_in_any_number_separate),
	TEST_CASE(a_line_ends_by_lf_and_a_cr_before_it_is_no_part_of_it),
	TEST_CASE(a_cr_within_arguments_is_refused),
	TEST_CASE(a_payload_is_counted_never_read),
	TEST_CASE(a_payload_ends_by_crlf_and_nothing_else),
	TEST_CASE(sizes_are_one_to_nine_digits),
	TEST_CASE(headers_are_a_part_of_the_whole),
	TEST_CASE(a_max_that_is_no_number_is_none),
	TEST_CASE(a_wrong_number_of_arguments_is_refused),
	TEST_CASE(a_tail_is_given_only_where_it_can_be_copied),
	TEST_CASE(arguments_may_be_as_long_as_max_control_line_and_no_longer),
	TEST_CASE(the_usual_limit_holds_to_the_byte),
	TEST_CASE(ten_thousand_blanks_before_arguments_are_no_matter),
	TEST_CASE(ping_may_carry_more_than_a_control_line),
	TEST_CASE(a_large_payload_comes_whole),
	TEST_CASE(lines_of_any_bytes_are_split_as_byte_by_byte),
	TEST_CASE(a_head_stands_in_the_callers_bytes),
	TEST_CASE(a_message_that_is_not_whole_is_left_where_it_is),
	TEST_CASE(again_is_said_of_no_other_operation),
	TEST_CASE(a_payload_given_up_is_handed_over_as_far_as_it_is_there),
	TEST_CASE(a_payload_may_be_given_up_before_its_first_byte_and_before_its_last),
	TEST_CASE(a_line_is_read_again_elsewhere),
	TEST_CASE(the_end_is_checked_as_far_as_it_is_there),
	TEST_CASE(nothing_in_is_nothing_out),
	TEST_CASE(verbs_are_named_as_on_the_wire),
	/* The last: it counts what the others did. */
	TEST_CASE(who_looks_ahead_sees_what_comes),
};

int main(void)
{
	return test_run(cases, COUNT(cases));
}
