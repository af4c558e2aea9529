/* SPDX-License-Identifier: MIT */
#include "proto/writer.h"

#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* A slice where only a constant will do. */
#define TEXT(literal) {(literal), sizeof(literal) - 1}

struct quoted {
	struct slice text;
	struct slice expected;
};

/* Into a buf, behind what is there; the text in a block of its own size. */
static void check_quoted(const struct quoted *rows, size_t count)
{
	for (size_t at = 0; at < count; at++) {
		struct buf out = {0};
		size_t length = rows[at].text.length;
		char *alone = malloc(length ? length : 1);

		if (!alone)
			abort();
		memcpy(alone, rows[at].text.bytes, length);
		CHECK_NUMBER(buf_append(&out, SLICE("to ")), 0);
		CHECK_NUMBER(writer_quote(&out, (struct slice){alone, length}), 0);
		CHECK(slice_starts_with(buf_slice(&out), SLICE("to ")));
		test_check_text(__FILE__, __LINE__, "what was quoted",
				slice_after(buf_slice(&out), 3), rows[at].expected);
		free(alone);
		buf_fini(&out);
	}
}

#define CHECK_QUOTED(...)                                         \
	do {                                                      \
		static const struct quoted rows[] = {__VA_ARGS__}; \
		check_quoted(rows, COUNT(rows));                  \
	} while (0)

static void plain_subjects_stand_in_quotes(void)
{
	CHECK_QUOTED({TEXT("foo"), TEXT("\"foo\"")}, {TEXT(""), TEXT("\"\"")},
		     {TEXT("foo.*.>"), TEXT("\"foo.*.>\"")},
		     {TEXT("a b~'`$%"), TEXT("\"a b~'`$%\"")});
}

static void quotes_and_backslashes_are_escaped(void)
{
	CHECK_QUOTED({TEXT("\""), TEXT("\"\\\"\"")}, {TEXT("\\"), TEXT("\"\\\\\"")},
		     {TEXT("x\"y\\z\xc3\xa9\x01"), TEXT("\"x\\\"y\\\\z\xc3\xa9\\x01\"")});
}

static void controls_have_a_letter_or_two_digits(void)
{
	CHECK_QUOTED({TEXT("\a\b\f\n\r\t\v"), TEXT("\"\\a\\b\\f\\n\\r\\t\\v\"")},
		     {TEXT("\0"), TEXT("\"\\x00\"")}, {TEXT("a\0b"), TEXT("\"a\\x00b\"")},
		     {TEXT("\x01\x06\x0e\x1f"), TEXT("\"\\x01\\x06\\x0e\\x1f\"")},
		     {TEXT("\x1b[m"), TEXT("\"\\x1b[m\"")}, {TEXT("\x7f"), TEXT("\"\\x7f\"")});
}

static void bytes_that_are_no_utf8_are_shown_one_by_one(void)
{
	CHECK_QUOTED({TEXT("\xff"), TEXT("\"\\xff\"")}, {TEXT("\x80" "a"), TEXT("\"\\x80a\"")},
		     {TEXT("a\xc3"), TEXT("\"a\\xc3\"")}, {TEXT("\xc3("), TEXT("\"\\xc3(\"")},
		     {TEXT("\xe2\x82"), TEXT("\"\\xe2\\x82\"")},
		     {TEXT("\xed\xa0\x80"), TEXT("\"\\xed\\xa0\\x80\"")},
		     {TEXT("\xc0\x80"), TEXT("\"\\xc0\\x80\"")},
		     {TEXT("\xf4\x90\x80\x80"), TEXT("\"\\xf4\\x90\\x80\\x80\"")});
}

static void runes_that_can_be_seen_stay_as_they_are(void)
{
	CHECK_QUOTED({TEXT("\xc3\xa9"), TEXT("\"\xc3\xa9\"")},
		     {TEXT("\xe2\x82\xac"), TEXT("\"\xe2\x82\xac\"")},
		     {TEXT("\xe4\xb8\xad.\xe6\x96\x87"), TEXT("\"\xe4\xb8\xad.\xe6\x96\x87\"")},
		     {TEXT("\xf0\x9f\x98\x80"), TEXT("\"\xf0\x9f\x98\x80\"")},
		     /* U+FFFD that was sent is not a byte that went wrong. */
		     {TEXT("\xef\xbf\xbd"), TEXT("\"\xef\xbf\xbd\"")});
}

static void runes_that_cannot_be_seen_are_numbers(void)
{
	CHECK_QUOTED({TEXT("\xc2\x80"), TEXT("\"\\u0080\"")},
		     {TEXT("\xc2\x85"), TEXT("\"\\u0085\"")},
		     {TEXT("\xc2\xa0"), TEXT("\"\\u00a0\"")},
		     {TEXT("\xc2\xad"), TEXT("\"\\u00ad\"")},
		     {TEXT("\xe2\x80\x8b"), TEXT("\"\\u200b\"")},
		     {TEXT("\xe2\x80\xa8"), TEXT("\"\\u2028\"")},
		     {TEXT("\xef\xbb\xbf"), TEXT("\"\\ufeff\"")},
		     {TEXT("\xee\x80\x80"), TEXT("\"\\ue000\"")},
		     {TEXT("\xf3\xa0\x80\x81"), TEXT("\"\\U000e0001\"")},
		     {TEXT("\xf4\x8f\xbf\xbf"), TEXT("\"\\U0010ffff\"")});
}

/* `to` has the room that the header demands, and not a byte more. */
static struct slice write_tail(struct slice reply, const uint32_t *header_length, uint32_t total)
{
	static char result[256];
	char *to = malloc(reply.length + WRITER_TAIL);
	size_t length;

	if (!to)
		abort();
	length = header_length ? writer_hmsg_tail(to, reply, *header_length, total)
			       : writer_msg_tail(to, reply, total);
	CHECK(length <= reply.length + WRITER_TAIL && length <= sizeof(result));
	memcpy(result, to, length);
	free(to);
	return (struct slice){result, length};
}

static void a_tail_of_msg_is_reply_and_size(void)
{
	CHECK_TEXT(write_tail(SLICE(""), NULL, 0), "0\r\n");
	CHECK_TEXT(write_tail(SLICE(""), NULL, 9), "9\r\n");
	CHECK_TEXT(write_tail(SLICE(""), NULL, 10), "10\r\n");
	CHECK_TEXT(write_tail(SLICE(""), NULL, 1048576), "1048576\r\n");
	CHECK_TEXT(write_tail((struct slice){NULL, 0}, NULL, 100), "100\r\n");
	CHECK_TEXT(write_tail(SLICE("_INBOX.a.1"), NULL, 11), "_INBOX.a.1 11\r\n");
	CHECK_TEXT(write_tail(SLICE("r"), NULL, UINT32_MAX), "r 4294967295\r\n");
}

static void a_tail_of_hmsg_has_two_sizes(void)
{
	static const uint32_t none, some = 12, most = UINT32_MAX;

	CHECK_TEXT(write_tail(SLICE(""), &none, 0), "0 0\r\n");
	CHECK_TEXT(write_tail(SLICE(""), &some, 17), "12 17\r\n");
	CHECK_TEXT(write_tail(SLICE("re.ply"), &some, 999999999), "re.ply 12 999999999\r\n");
	CHECK_TEXT(write_tail(SLICE("r"), &most, UINT32_MAX), "r 4294967295 4294967295\r\n");
}

/* A line in a block of exactly the length that was foretold. */
static void check_line(struct slice start, struct slice sid, struct slice expected)
{
	struct slice tail = SLICE("re.ply 5\r\n");
	size_t length = writer_line_length(start, sid, tail);
	char *line = malloc(length);

	if (!line)
		abort();
	CHECK(writer_line(line, start, sid, tail) == line + length);
	test_check_text(__FILE__, __LINE__, "the line", (struct slice){line, length}, expected);
	free(line);
}

static void a_line_is_as_long_as_foretold(void)
{
	check_line(SLICE("MSG foo.bar "), SLICE("1"), SLICE("MSG foo.bar 1 re.ply 5\r\n"));
	check_line(SLICE("HMSG f "), SLICE("sid-9"), SLICE("HMSG f sid-9 re.ply 5\r\n"));
	check_line(SLICE("MSG a\0b "), SLICE("\xff"), SLICE("MSG a\0b \xff re.ply 5\r\n"));
}

static void short_answers_are_whole_lines(void)
{
	CHECK_TEXT(WRITER_OK, "+OK\r\n");
	CHECK_TEXT(WRITER_PING, "PING\r\n");
	CHECK_TEXT(WRITER_PONG, "PONG\r\n");
}

static const struct test_case cases[] = {
	TEST_CASE(plain_subjects_stand_in_quotes),
	TEST_CASE(quotes_and_backslashes_are_escaped),
	TEST_CASE(controls_have_a_letter_or_two_digits),
	TEST_CASE(bytes_that_are_no_utf8_are_shown_one_by_one),
	TEST_CASE(runes_that_can_be_seen_stay_as_they_are),
	TEST_CASE(runes_that_cannot_be_seen_are_numbers),
	TEST_CASE(a_tail_of_msg_is_reply_and_size),
	TEST_CASE(a_tail_of_hmsg_has_two_sizes),
	TEST_CASE(a_line_is_as_long_as_foretold),
	TEST_CASE(short_answers_are_whole_lines),
};

int main(void)
{
	return test_run(cases, COUNT(cases));
}
