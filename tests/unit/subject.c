/* SPDX-License-Identifier: MIT */
#include "proto/subject.h"

#include "naive.h"
#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* A slice where only a constant will do. */
#define TEXT(literal) {(literal), sizeof(literal) - 1}

static const struct row {
	struct slice subject;
	enum subject_kind kind;
	size_t tokens;
	bool has_only_full_tokens;
} rows[] = {
	{TEXT("foo"), SUBJECT_LITERAL, 1, true},
	{TEXT("foo.bar"), SUBJECT_LITERAL, 2, true},
	{TEXT("a.b.c.d.e.f.g.h"), SUBJECT_LITERAL, 8, true},
	{TEXT("FOO.foo"), SUBJECT_LITERAL, 2, true},
	/* Inside a longer token * and > are bytes like others. */
	{TEXT("foo*"), SUBJECT_LITERAL, 1, true},
	{TEXT("f*o.b>r"), SUBJECT_LITERAL, 2, true},
	{TEXT("foo.**"), SUBJECT_LITERAL, 2, true},
	{TEXT("foo.>>"), SUBJECT_LITERAL, 2, true},
	{TEXT(">>.foo"), SUBJECT_LITERAL, 2, true},
	{TEXT("*>.foo"), SUBJECT_LITERAL, 2, true},
	/* Any byte goes. */
	{TEXT("a\0b.\x01"), SUBJECT_LITERAL, 2, true},
	{TEXT("\xff.\xc3\xa9"), SUBJECT_LITERAL, 2, true},
	{TEXT("$SYS.REQ"), SUBJECT_LITERAL, 2, true},
	{TEXT("*"), SUBJECT_WILDCARD, 1, true},
	{TEXT(">"), SUBJECT_WILDCARD, 1, true},
	{TEXT("foo.*"), SUBJECT_WILDCARD, 2, true},
	{TEXT("*.foo"), SUBJECT_WILDCARD, 2, true},
	{TEXT("*.*.*"), SUBJECT_WILDCARD, 3, true},
	{TEXT("foo.*.bar"), SUBJECT_WILDCARD, 3, true},
	{TEXT("foo.>"), SUBJECT_WILDCARD, 2, true},
	{TEXT("*.>"), SUBJECT_WILDCARD, 2, true},
	{TEXT("foo*.>"), SUBJECT_WILDCARD, 2, true},
	/* > anywhere but at the end. */
	{TEXT("foo.>.bar"), SUBJECT_INVALID, 3, true},
	{TEXT(">.foo"), SUBJECT_INVALID, 2, true},
	{TEXT(">.>"), SUBJECT_INVALID, 2, true},
	{TEXT(">.*"), SUBJECT_INVALID, 2, true},
	/* Empty tokens. */
	{TEXT(""), SUBJECT_INVALID, 1, false},
	{TEXT("."), SUBJECT_INVALID, 2, false},
	{TEXT(".."), SUBJECT_INVALID, 3, false},
	{TEXT(".foo"), SUBJECT_INVALID, 2, false},
	{TEXT("foo."), SUBJECT_INVALID, 2, false},
	{TEXT("foo..bar"), SUBJECT_INVALID, 3, false},
	{TEXT("*."), SUBJECT_INVALID, 2, false},
	{TEXT(".*"), SUBJECT_INVALID, 2, false},
	{TEXT("foo.>."), SUBJECT_INVALID, 3, false},
	{TEXT("..>"), SUBJECT_INVALID, 3, false},
};

/* The subject in a block of its own size: nobody may look behind its end. */
static struct slice alone(struct slice subject)
{
	char *bytes = malloc(subject.length ? subject.length : 1);

	if (!bytes)
		abort();
	memcpy(bytes, subject.bytes, subject.length);
	return (struct slice){bytes, subject.length};
}

static void release(struct slice subject)
{
	char *bytes;

	memcpy(&bytes, &subject.bytes, sizeof(bytes));
	free(bytes);
}

/* Says which row failed, since the checks name the loop only. */
static void check_row(const struct row *row, intmax_t value, intmax_t expected, const char *what)
{
	if (value == expected)
		return;
	test_check_number(__FILE__, __LINE__, what, value, expected);
	printf("#   of «");
	test_print(row->subject);
	printf("»\n");
}

static void what_is_legal_is_told_from_what_is_not(void)
{
	for (size_t at = 0; at < COUNT(rows); at++) {
		struct slice subject = alone(rows[at].subject);

		check_row(&rows[at], subject_kind(subject), rows[at].kind, "the kind");
		release(subject);
	}
}

static void only_full_tokens_without_wildcards_may_be_published(void)
{
	for (size_t at = 0; at < COUNT(rows); at++) {
		struct slice subject = alone(rows[at].subject);

		check_row(&rows[at], subject_is_publishable(subject),
			  rows[at].kind == SUBJECT_LITERAL, "publishable");
		release(subject);
	}
}

static void empty_tokens_are_seen_wherever_they_are(void)
{
	for (size_t at = 0; at < COUNT(rows); at++) {
		struct slice subject = alone(rows[at].subject);

		check_row(&rows[at], subject_has_only_full_tokens(subject),
			  rows[at].has_only_full_tokens, "only full tokens");
		release(subject);
	}
}

static void tokens_are_counted_empty_ones_too(void)
{
	for (size_t at = 0; at < COUNT(rows); at++) {
		struct slice subject = alone(rows[at].subject);

		check_row(&rows[at], (intmax_t)subject_count_tokens(subject),
			  (intmax_t)rows[at].tokens, "the count");
		release(subject);
	}
}

static void tokens_come_off_the_front_one_by_one(void)
{
	struct slice rest = SLICE("foo.*..b");

	CHECK_TEXT(subject_next_token(&rest), "foo");
	CHECK_TEXT(rest, "*..b");
	CHECK_TEXT(subject_next_token(&rest), "*");
	CHECK_TEXT(subject_next_token(&rest), "");
	CHECK_TEXT(rest, "b");
	CHECK_TEXT(subject_next_token(&rest), "b");
	CHECK(!rest.bytes);
	CHECK_NUMBER(rest.length, 0);
}

static void an_empty_last_token_is_a_token(void)
{
	struct slice rest = SLICE("foo.");

	CHECK_TEXT(subject_next_token(&rest), "foo");
	CHECK(rest.bytes);
	CHECK_NUMBER(rest.length, 0);
	CHECK_TEXT(subject_next_token(&rest), "");
	CHECK(!rest.bytes);
}

/*
 * What patterns have to do with each other is found by trying all subjects: up to three tokens of
 * a, b, * and > there, up to four of a, b and c here, where c stands for all other tokens.
 */
enum { PATTERNS = 4 + 16 + 64, SUBJECTS = 3 + 9 + 27 + 81, LONGEST = 8 };

/* The subject number `number` of those that are made of these tokens, the short ones first. */
static struct slice make_subject(const char *tokens, unsigned number, char bytes[LONGEST])
{
	unsigned base = (unsigned)strlen(tokens), count = 1, power = base;
	size_t length = 0;

	for (; number >= power; count++, power *= base)
		number -= power;
	while (count-- > 0) {
		bytes[length++] = tokens[number % base];
		number /= base;
		if (count > 0)
			bytes[length++] = '.';
	}
	return (struct slice){bytes, length};
}

static void check_pair(struct slice one, struct slice other)
{
	bool covers = true, overlaps = false;
	unsigned before = test_failures;

	for (unsigned at = 0; at < SUBJECTS; at++) {
		char bytes[LONGEST];
		struct slice subject = make_subject("abc", at, bytes);
		bool by_one = naive_matches(one, subject), by_other = naive_matches(other, subject);

		covers &= by_one || !by_other;
		overlaps |= by_one && by_other;
	}
	CHECK_NUMBER(subject_covers(one, other), covers);
	CHECK_NUMBER(subject_overlaps(one, other), overlaps);
	if (test_failures > before)
		printf("# of %.*s and %.*s\n", (int)one.length, one.bytes, (int)other.length,
		       other.bytes);
}

static void what_a_pattern_covers_and_overlaps_is_what_it_matches(void)
{
	for (unsigned at = 0; at < PATTERNS * PATTERNS; at++) {
		char bytes[2][LONGEST];
		struct slice one = make_subject("ab*>", at / PATTERNS, bytes[0]);
		struct slice other = make_subject("ab*>", at % PATTERNS, bytes[1]);

		if (naive_is_valid(one) && naive_is_valid(other))
			check_pair(one, other);
	}
}

/* Whatever is published: there wildcards are bytes like others. */
static void a_pattern_matches_as_a_subscription_does(void)
{
	for (unsigned at = 0; at < PATTERNS * PATTERNS; at++) {
		char bytes[2][LONGEST];
		struct slice pattern = make_subject("ab*>", at / PATTERNS, bytes[0]);
		struct slice subject = make_subject("ab*>", at % PATTERNS, bytes[1]);

		if (naive_is_valid(pattern))
			CHECK_NUMBER(subject_matches(pattern, subject),
				     naive_matches(pattern, subject));
	}
}

static void nothing_matches_an_empty_token(void)
{
	static const struct slice broken[] = {TEXT(""), TEXT("."), TEXT("a."), TEXT(".a"),
					      TEXT("a..a")};

	for (size_t at = 0; at < COUNT(broken); at++) {
		CHECK(!subject_matches(SLICE(">"), broken[at]));
		CHECK(!subject_covers(SLICE(">"), broken[at]));
		CHECK(!subject_covers(SLICE("a.>"), broken[at]));
	}
}

static const struct test_case cases[] = {
	TEST_CASE(what_is_legal_is_told_from_what_is_not),
	TEST_CASE(only_full_tokens_without_wildcards_may_be_published),
	TEST_CASE(empty_tokens_are_seen_wherever_they_are),
	TEST_CASE(tokens_are_counted_empty_ones_too),
	TEST_CASE(tokens_come_off_the_front_one_by_one),
	TEST_CASE(an_empty_last_token_is_a_token),
	TEST_CASE(what_a_pattern_covers_and_overlaps_is_what_it_matches),
	TEST_CASE(a_pattern_matches_as_a_subscription_does),
	TEST_CASE(nothing_matches_an_empty_token),
};

int main(void)
{
	return test_run(cases, COUNT(cases));
}
