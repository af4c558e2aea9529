/* SPDX-License-Identifier: MIT */
#include "proto/handshake.h"

#include <errno.h>
#include <jansson.h>

#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* A slice where only a constant will do. */
#define TEXT(literal) {(literal), sizeof(literal) - 1}
#define REPLACEMENT "\xef\xbf\xbd"

/* The text in a block of its own size: nobody may look behind its end. */
static char *copy_alone(struct slice text)
{
	char *copy = malloc(text.length ? text.length : 1);

	if (!copy)
		abort();
	memcpy(copy, text.bytes, text.length);
	return copy;
}

static enum fault read_connect(struct slice json, struct connect *connect)
{
	char *alone = copy_alone(json);
	enum fault fault = handshake_read_connect((struct slice){alone, json.length}, connect, NULL);

	free(alone);
	return fault;
}

static void check_fault(struct slice json, enum fault fault, enum fault expected)
{
	if (fault == expected)
		return;
	CHECK_NUMBER(fault, expected);
	printf("#   of «");
	test_print(json);
	printf("»\n");
}

static bool same_flags(const struct connect *a, const struct connect *b)
{
	return a->verbose == b->verbose && a->pedantic == b->pedantic && a->echo == b->echo &&
	       a->headers == b->headers && a->no_responders == b->no_responders &&
	       a->protocol == b->protocol;
}

static void check_flags(struct slice json, const struct connect *connect,
			const struct connect *expected)
{
	if (same_flags(connect, expected))
		return;
	CHECK_NUMBER(connect->verbose, expected->verbose);
	CHECK_NUMBER(connect->pedantic, expected->pedantic);
	CHECK_NUMBER(connect->echo, expected->echo);
	CHECK_NUMBER(connect->headers, expected->headers);
	CHECK_NUMBER(connect->no_responders, expected->no_responders);
	CHECK_NUMBER(connect->protocol, expected->protocol);
	printf("#   of «");
	test_print(json);
	printf("»\n");
}

static void check_text(const char *what, const char *text, const char *expected)
{
	if (!text || !expected)
		test_check_number(__FILE__, __LINE__, what, text != NULL, expected != NULL);
	else
		test_check_text(__FILE__, __LINE__, what, slice_of(text), slice_of(expected));
}

/* Read into the defaults and there is no fault. */
struct accepted {
	struct slice json;
	struct connect expected;
};

static void check_accepted(const struct accepted *rows, size_t count)
{
	for (size_t at = 0; at < count; at++) {
		struct connect connect = HANDSHAKE_DEFAULTS;

		check_fault(rows[at].json, read_connect(rows[at].json, &connect), FAULT_NONE);
		check_flags(rows[at].json, &connect, &rows[at].expected);
		handshake_fini(&connect);
	}
}

#define CHECK_ACCEPTED(...)                                         \
	do {                                                        \
		static const struct accepted rows[] = {__VA_ARGS__}; \
		check_accepted(rows, COUNT(rows));                  \
	} while (0)

#define UNCHANGED {.verbose = true, .pedantic = true, .echo = true}

static void check_faults(const struct slice *rows, size_t count, enum fault expected)
{
	for (size_t at = 0; at < count; at++) {
		struct connect connect = HANDSHAKE_DEFAULTS;

		check_fault(rows[at], read_connect(rows[at], &connect), expected);
		handshake_fini(&connect);
	}
}

#define CHECK_FAULTS(expected, ...)                              \
	do {                                                     \
		static const struct slice rows[] = {__VA_ARGS__}; \
		check_faults(rows, COUNT(rows), expected);       \
	} while (0)

static void a_new_client_is_verbose_pedantic_and_hears_itself(void)
{
	struct connect connect = HANDSHAKE_DEFAULTS;

	CHECK(connect.verbose && connect.pedantic && connect.echo);
	CHECK(!connect.headers && !connect.no_responders && connect.protocol == 0);
	CHECK(!connect.texts);
}

static void each_field_is_read(void)
{
	CHECK_ACCEPTED({TEXT("{\"verbose\":false}"), {.pedantic = true, .echo = true}},
		       {TEXT("{\"pedantic\":false}"), {.verbose = true, .echo = true}},
		       {TEXT("{\"echo\":false}"), {.verbose = true, .pedantic = true}},
		       {TEXT("{\"headers\":true}"),
			{.verbose = true, .pedantic = true, .echo = true, .headers = true}},
		       {TEXT("{\"no_responders\":true}"),
			{.verbose = true, .pedantic = true, .echo = true, .no_responders = true}},
		       {TEXT("{\"protocol\":1}"),
			{.verbose = true, .pedantic = true, .echo = true, .protocol = 1}},
		       {TEXT("{\"protocol\":0}"), UNCHANGED},
		       {TEXT("{\"verbose\":false,\"pedantic\":false,\"echo\":false,"
			     "\"headers\":true,\"no_responders\":true,\"protocol\":1,"
			     "\"tls_required\":false}"),
			{.headers = true, .no_responders = true, .protocol = 1}});
}

static void names_are_kept(void)
{
	struct connect connect = HANDSHAKE_DEFAULTS;
	struct slice json = SLICE("{\"name\":\"n\\u00e9\\n\",\"lang\":\"c\",\"version\":\"3.6\"}");

	CHECK_NUMBER(read_connect(json, &connect), FAULT_NONE);
	check_text("the name", connect_text(&connect, CONNECT_NAME), "n\xc3\xa9\n");
	check_text("the language", connect_text(&connect, CONNECT_LANG), "c");
	check_text("the version", connect_text(&connect, CONNECT_VERSION), "3.6");
	handshake_fini(&connect);
	CHECK(!connect.texts);
}

static void what_is_not_said_stays(void)
{
	CHECK_ACCEPTED({TEXT("{}"), UNCHANGED}, {TEXT("null"), UNCHANGED},
		       {TEXT(" null\t"), UNCHANGED},
		       {TEXT("{\"verbose\":null,\"name\":null,\"protocol\":null}"), UNCHANGED},
		       {TEXT("{\"account\":null,\"new_account\":null}"), UNCHANGED});
}

static void a_second_connect_lies_over_the_first(void)
{
	struct connect connect = HANDSHAKE_DEFAULTS;
	struct connect expected = {.echo = true, .headers = true, .protocol = 1};
	struct slice json = SLICE("{}");

	CHECK_NUMBER(read_connect(SLICE("{\"verbose\":false,\"name\":\"one\",\"lang\":\"go\","
					"\"headers\":true,\"protocol\":1}"), &connect), FAULT_NONE);
	CHECK_NUMBER(read_connect(SLICE("{\"pedantic\":false,\"name\":\"two\"}"), &connect),
		     FAULT_NONE);
	check_flags(json, &connect, &expected);
	check_text("the name", connect_text(&connect, CONNECT_NAME), "two");
	check_text("the language", connect_text(&connect, CONNECT_LANG), "go");
	CHECK_NUMBER(read_connect(json, &connect), FAULT_NONE);
	check_flags(json, &connect, &expected);
	CHECK_NUMBER(read_connect(SLICE("{\"name\":null,\"lang\":\"\"}"), &connect), FAULT_NONE);
	check_text("the name", connect_text(&connect, CONNECT_NAME), "two");
	check_text("the language", connect_text(&connect, CONNECT_LANG), NULL);
	CHECK_NUMBER(read_connect(SLICE("{\"verbose\":true,\"protocol\":0}"), &connect),
		     FAULT_NONE);
	expected.verbose = true;
	expected.protocol = 0;
	check_flags(json, &connect, &expected);
	handshake_fini(&connect);
}

static void keys_match_in_any_case(void)
{
	CHECK_ACCEPTED({TEXT("{\"VERBOSE\":false}"), {.pedantic = true, .echo = true}},
		       {TEXT("{\"Verbose\":false,\"eChO\":false}"), {.pedantic = true}},
		       {TEXT("{\"verbos\":false,\"verbose \":false,\"verbosee\":1}"), UNCHANGED});
}

static void of_keys_that_come_twice_the_last_counts(void)
{
	CHECK_ACCEPTED({TEXT("{\"verbose\":true,\"verbose\":false}"),
			{.pedantic = true, .echo = true}},
		       {TEXT("{\"verbose\":false,\"verbose\":true}"), UNCHANGED},
		       {TEXT("{\"verbose\":true,\"VERBOSE\":false}"),
			{.pedantic = true, .echo = true}},
		       {TEXT("{\"VERBOSE\":false,\"verbose\":true}"), UNCHANGED});
}

static void what_is_not_known_is_ignored(void)
{
	CHECK_ACCEPTED({TEXT("{\"x\":1,\"y\":[1,{\"verbose\":false}],\"z\":{\"echo\":{\"a\":[]}}}"),
			UNCHANGED},
		       {TEXT("{\"\":null,\"x\":1.5e3,\"y\":\"\\\\u0000\",\"z\":-0}"), UNCHANGED});
}

/* Numbers that fit no machine are numbers all the same, where nobody wants them. */
static void numbers_of_any_size_are_ignored_where_they_are_not_known(void)
{
	CHECK_ACCEPTED({TEXT("{\"x\":123456789012345678901234567890}"), UNCHANGED},
		       {TEXT("{\"x\":-123456789012345678901234567890}"), UNCHANGED},
		       {TEXT("{\"x\":[1e999]}"), UNCHANGED});
}

static void blanks_around_are_no_matter(void)
{
	CHECK_ACCEPTED({TEXT("  {}"), UNCHANGED}, {TEXT("\t{\t}\t "), UNCHANGED},
		       {TEXT("{ \"verbose\" : false }  "), {.pedantic = true, .echo = true}},
		       {TEXT("{\r}\r"), UNCHANGED});
}

static void a_value_of_the_wrong_type_ends_it(void)
{
	CHECK_FAULTS(FAULT_JSON, TEXT("{\"verbose\":1}"), TEXT("{\"verbose\":\"false\"}"),
		     TEXT("{\"verbose\":{}}"), TEXT("{\"pedantic\":0}"), TEXT("{\"echo\":\"\"}"),
		     TEXT("{\"headers\":[]}"), TEXT("{\"no_responders\":1.0}"),
		     TEXT("{\"tls_required\":\"no\"}"), TEXT("{\"name\":1}"),
		     TEXT("{\"name\":true}"),
		     TEXT("{\"lang\":[\"c\"]}"), TEXT("{\"version\":3}"), TEXT("{\"user\":1}"),
		     TEXT("{\"pass\":false}"), TEXT("{\"auth_token\":{}}"), TEXT("{\"sig\":1}"),
		     TEXT("{\"NAME\":1}"), TEXT("{\"account\":1}"), TEXT("{\"new_account\":\"x\"}"),
		     TEXT("{\"protocol\":\"1\"}"), TEXT("{\"protocol\":true}"),
		     TEXT("{\"protocol\":1.0}"), TEXT("{\"protocol\":1e0}"),
		     TEXT("{\"protocol\":0.5}"), TEXT("{\"verbose\":false,\"protocol\":[]}"));
}

static void what_is_no_object_ends_it(void)
{
	CHECK_FAULTS(FAULT_JSON, TEXT(""), TEXT(" "), TEXT("\t"), TEXT("[]"), TEXT("[{}]"),
		     TEXT("\"x\""),
		     TEXT("1"), TEXT("1.5"), TEXT("true"), TEXT("false"), TEXT("nul"),
		     TEXT("NULL"));
}

static void what_is_no_json_ends_it(void)
{
	CHECK_FAULTS(FAULT_JSON, TEXT("{"), TEXT("}"), TEXT("{\"verbose\":false,}"), TEXT("{,}"),
		     TEXT("{'verbose':false}"), TEXT("{verbose:false}"), TEXT("{} x"), TEXT("{}{}"),
		     TEXT("{}]"), TEXT("null x"), TEXT("{\"verbose\":False}"),
		     TEXT("{\"verbose\"}"),
		     TEXT("{\"verbose\":}"), TEXT("{\"name\":\"a\tb\"}"),
		     TEXT("{\"name\":\"a\0b\"}"),
		     TEXT("{\"name\":\"a\x1f\"}"), TEXT("{\"name\":\"open}"),
		     TEXT("{\"name\":\"\\"),
		     TEXT("{\"name\":\"\\\"}"), TEXT("{\"name\":\"\\x\"}"),
		     TEXT("{\"name\":\"\\u12\"}"), TEXT("{\"name\":\"\\u12g4\"}"),
		     TEXT("{\"name\":\"\\u"), TEXT("{\"name\":\"\\ud800\\u"),
		     TEXT("{\"protocol\":01}"),
		     TEXT("{\"protocol\":+1}"), TEXT("{\"x\":.5}"), TEXT("{\"x\":0x1}"),
		     TEXT("{\"x\":NaN}"), TEXT("\xef\xbb\xbf{}"), TEXT("\xff{}"), TEXT("{}\xff"),
		     TEXT("{\"x\":\xff}"), TEXT("{}\\u0000"), TEXT("\0{}"), TEXT("{}\0"),
		     TEXT("{\"x\":1\0}"), TEXT("{\"x\":true\0}"), TEXT("{\"x\":null\0,\"y\":1}"),
		     TEXT("{\"x\":t\0rue}"), TEXT("{\"x\":[1\0]}"), TEXT("{} // x"));
}

static void every_beginning_of_an_object_is_none(void)
{
	struct slice json = SLICE("{\"name\":\"\\u00e9\\ud83d\\ude00\\\\\",\"echo\":false,"
				  "\"x\":[1]}");

	for (size_t length = 0; length < json.length; length++) {
		struct connect connect = HANDSHAKE_DEFAULTS;
		struct slice part = {json.bytes, length};

		check_fault(part, read_connect(part, &connect), FAULT_JSON);
		handshake_fini(&connect);
	}
}

/* nats-server reads these names as Go does; jansson alone would refuse them. */
static void names_that_are_no_text_become_text(void)
{
	static const struct {
		struct slice json;
		const char *name;
	} rows[] = {
		/* No UTF-8. */
		{TEXT("{\"name\":\"a\xff" "b\"}"), "a" REPLACEMENT "b"},
		{TEXT("{\"name\":\"\x80\xc3\"}"), REPLACEMENT REPLACEMENT},
		{TEXT("{\"name\":\"\xed\xa0\x80\"}"), REPLACEMENT REPLACEMENT REPLACEMENT},
		{TEXT("{\"name\":\"\xc0\x80\"}"), REPLACEMENT REPLACEMENT},
		/* U+0000. */
		{TEXT("{\"name\":\"a\\u0000b\"}"), "a" REPLACEMENT "b"},
		{TEXT("{\"name\":\"\\u0000\\u0000\"}"), REPLACEMENT REPLACEMENT},
		/* Halves of a pair. */
		{TEXT("{\"name\":\"\\ud800\"}"), REPLACEMENT},
		{TEXT("{\"name\":\"\\udfffx\"}"), REPLACEMENT "x"},
		{TEXT("{\"name\":\"\\uD83Dx\"}"), REPLACEMENT "x"},
		{TEXT("{\"name\":\"\\ud83d\\ud83d\"}"), REPLACEMENT REPLACEMENT},
		{TEXT("{\"name\":\"\\ude00\\ud83d\"}"), REPLACEMENT REPLACEMENT},
		{TEXT("{\"name\":\"\\ud83d\\u0041\"}"), REPLACEMENT "A"},
		{TEXT("{\"name\":\"\\ud83d\\n\"}"), REPLACEMENT "\n"},
		{TEXT("{\"name\":\"\\ud83d\\ud83d\\ude00\"}"), REPLACEMENT "\xf0\x9f\x98\x80"},
		{TEXT("{\"name\":\"\\udbff\\u0000\"}"), REPLACEMENT REPLACEMENT},
		/* These are in order. */
		{TEXT("{\"name\":\"\\ud83d\\ude00\"}"), "\xf0\x9f\x98\x80"},
		{TEXT("{\"name\":\"\\uD83D\\uDE00\"}"), "\xf0\x9f\x98\x80"},
		{TEXT("{\"name\":\"\\ud7ff\\ue000\\uFFFF\"}"),
		 "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"},
		{TEXT("{\"name\":\"\\u00e9\xc3\xa9\\u00E9\"}"), "\xc3\xa9\xc3\xa9\xc3\xa9"},
		{TEXT("{\"name\":\"\\\\u0000\"}"), "\\u0000"},
		{TEXT("{\"name\":\"\\\\\\u0000\"}"), "\\" REPLACEMENT},
		{TEXT("{\"name\":\"\\\\ud800\"}"), "\\ud800"},
		{TEXT("{\"name\":\"\\/\\\"\\b\x7f\"}"), "/\"\b\x7f"},
		/* In a key of no interest. */
		{TEXT("{\"\xff\":1,\"\\u0000\":2,\"\\ud800\":3,\"name\":\"n\"}"), "n"},
	};

	for (size_t at = 0; at < COUNT(rows); at++) {
		struct connect connect = HANDSHAKE_DEFAULTS;

		check_fault(rows[at].json, read_connect(rows[at].json, &connect), FAULT_NONE);
		check_text("the name", connect_text(&connect, CONNECT_NAME), rows[at].name);
		handshake_fini(&connect);
	}
}

static void protocols_are_0_and_1(void)
{
	CHECK_FAULTS(FAULT_CLIENT_PROTOCOL, TEXT("{\"protocol\":2}"), TEXT("{\"protocol\":-1}"),
		     TEXT("{\"protocol\":256}"), TEXT("{\"protocol\":257}"),
		     TEXT("{\"protocol\":4294967297}"), TEXT("{\"Protocol\":9}"));
}

static void accounts_of_the_old_kind_are_refused(void)
{
	CHECK_FAULTS(FAULT_AUTHORIZATION, TEXT("{\"account\":\"a\"}"),
		     TEXT("{\"new_account\":true}"),
		     TEXT("{\"account\":\"a\",\"new_account\":false}"));
	CHECK_ACCEPTED({TEXT("{\"account\":\"\",\"new_account\":false}"), UNCHANGED});
}

/* JSON, then the account, then the protocol. */
static void the_first_complaint_goes_first(void)
{
	CHECK_FAULTS(FAULT_JSON, TEXT("{\"protocol\":2,\"verbose\":1}"),
		     TEXT("{\"account\":\"a\",\"verbose\":1}"));
	CHECK_FAULTS(FAULT_AUTHORIZATION, TEXT("{\"protocol\":2,\"account\":\"a\"}"));
}

static void credentials_are_accepted_where_nobody_asks_for_them(void)
{
	CHECK_ACCEPTED({TEXT("{\"user\":\"u\",\"pass\":\"p\",\"auth_token\":\"t\",\"nkey\":\"U\","
			     "\"sig\":\"s\",\"jwt\":\"j\",\"proxy_sig\":\"x\"}"), UNCHANGED});
}

static void objects_and_null_are_told_from_the_rest(void)
{
	CHECK(handshake_is_object(SLICE("{}")));
	CHECK(handshake_is_object(SLICE(" {\"a\":[{}]} ")));
	CHECK(handshake_is_object(SLICE("null")));
	CHECK(handshake_is_object(SLICE("{\"a\":\"\xff\\u0000\"}")));
	CHECK(!handshake_is_object(SLICE("")));
	CHECK(!handshake_is_object(SLICE("[]")));
	CHECK(!handshake_is_object(SLICE("1")));
	CHECK(!handshake_is_object(SLICE("\"{}\"")));
	CHECK(!handshake_is_object(SLICE("true")));
	CHECK(!handshake_is_object(SLICE("{} x")));
	CHECK(!handshake_is_object(SLICE("{")));
	CHECK(!handshake_is_object((struct slice){NULL, 0}));
}

/* Secrets. */

static void check_redacted(struct slice json, const char *expected)
{
	char *alone = copy_alone(json);
	char *text = handshake_redact((struct slice){alone, json.length});

	check_text("the redacted text", text, expected);
	free(text);
	free(alone);
}

static void secrets_are_covered_in_the_trace(void)
{
	check_redacted(SLICE("{\"verbose\":false,\"user\":\"u\",\"pass\":\"p\",\"name\":\"n\"}"),
		       "{\"verbose\":false,\"user\":\"u\",\"pass\":\"[REDACTED]\",\"name\":\"n\"}");
	check_redacted(SLICE("{\"auth_token\":\"t\"}"), "{\"auth_token\":\"[REDACTED]\"}");
	check_redacted(SLICE("{\"nkey\":\"U\",\"sig\":\"s\",\"proxy_sig\":\"x\",\"jwt\":\"j\"}"),
		       "{\"nkey\":\"[REDACTED]\",\"sig\":\"[REDACTED]\","
		       "\"proxy_sig\":\"[REDACTED]\",\"jwt\":\"[REDACTED]\"}");
	check_redacted(SLICE(" { } "), "{}");
}

static void a_secret_is_covered_however_it_is_written(void)
{
	static const struct slice texts[] = {
		TEXT("{\"pass\":\"hunter2\"}"), TEXT("{\"PASS\":\"hunter2\"}"),
		TEXT("{\"p\\u0061ss\":\"hunter2\"}"), TEXT("{\"pass\":\"x\",\"pass\":\"hunter2\"}"),
		TEXT("{\"pass\":\"hunter2\",\"Pass\":\"hunter2\"}"),
		TEXT("{\"pass\":[\"hunter2\"]}"),
		TEXT("{\"pass\":{\"a\":\"hunter2\"}}"), TEXT("{\"pass\":\"hunter2\xff\"}"),
		TEXT("{\"pass\":\"hunter2\\u0000\"}"), TEXT("{\"pass\":\"hunter2\""),
		TEXT("{\"pass\":\"hunter2\"},"), TEXT("[{\"pass\":\"hunter2\"}]"),
		TEXT("\"hunter2\""), TEXT("{'pass':'hunter2'}"),
		TEXT("{\"auth_TOKEN\":\"hunter2\"}"),
	};

	for (size_t at = 0; at < COUNT(texts); at++) {
		char *text = handshake_redact(texts[at]);

		CHECK(text && *text);
		if (text && strstr(text, "hunter2"))
			test_check_text(__FILE__, __LINE__, "a secret", slice_of(text), SLICE(""));
		free(text);
	}
}

/* INFO. */

static const struct info_client some_client = {
	.host = "127.0.0.1", .port = 4222, .client_id = 5, .client_ip = "10.0.0.1"};

/* The object between "INFO " and " \r\n". Yours to json_decref(). */
static json_t *read_info(struct slice line)
{
	struct slice end = SLICE("} \r\n");
	json_t *object = NULL;

	CHECK(slice_starts_with(line, SLICE("INFO {")));
	CHECK(line.length > 9 &&
	      slice_equal(slice_after(line, line.length - end.length), end));
	CHECK(line.length > 0 && memchr(line.bytes, '\n', line.length) ==
	      line.bytes + line.length - 1);
	if (line.length > 9)
		object = json_loadb(line.bytes + 5, line.length - 5 - 3, JSON_REJECT_DUPLICATES,
				    NULL);
	CHECK(json_is_object(object));
	return object;
}

static json_t *make_info(const struct info *info, const struct info_client *client)
{
	struct buf common = {0};
	struct buf out = {0};
	json_t *object;

	CHECK_NUMBER(handshake_info_common(&common, info), 0);
	CHECK_NUMBER(handshake_info(&out, buf_slice(&common), client), 0);
	object = read_info(buf_slice(&out));
	buf_fini(&common);
	buf_fini(&out);
	return object;
}

static void check_member(const json_t *object, const char *key, const char *expected)
{
	const json_t *value = json_object_get(object, key);
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	check_text(key, text, expected);
	free(text);
}

static void info_tells_what_a_client_needs(void)
{
	struct info info = {"NAID", "a server", "0.1.0", true, 1048576};
	json_t *object = make_info(&info, &some_client);

	check_member(object, "server_id", "\"NAID\"");
	check_member(object, "server_name", "\"a server\"");
	check_member(object, "version", "\"" HANDSHAKE_LEVEL "\"");
	check_member(object, "minats", "\"0.1.0\"");
	check_member(object, "proto", "1");
	check_member(object, "headers", "true");
	check_member(object, "max_payload", "1048576");
	check_member(object, "host", "\"127.0.0.1\"");
	check_member(object, "port", "4222");
	check_member(object, "client_id", "5");
	check_member(object, "client_ip", "\"10.0.0.1\"");
	/* And nothing else: what is absent is off. */
	CHECK_NUMBER(json_object_size(object), 11);
	json_decref(object);
}

static void info_tells_the_ends_of_its_ranges(void)
{
	struct info info = {"", "", "", false, UINT32_MAX};
	struct info_client client = {
		.host = "::", .port = 65535, .client_id = INT64_MAX, .client_ip = "fe80::1%eth0"};
	json_t *object = make_info(&info, &client);

	check_member(object, "headers", "false");
	check_member(object, "max_payload", "4294967295");
	check_member(object, "port", "65535");
	check_member(object, "client_id", "9223372036854775807");
	check_member(object, "client_ip", "\"fe80::1%eth0\"");
	check_member(object, "host", "\"::\"");
	json_decref(object);
}

static void names_in_info_are_escaped(void)
{
	struct info info = {"N", "a\"b\\c\n\xc3\xa9<>", "0", true, 1};
	json_t *object = make_info(&info, &some_client);
	const char *name = json_string_value(json_object_get(object, "server_name"));

	check_text("the name", name, "a\"b\\c\n\xc3\xa9<>");
	json_decref(object);
}

static void a_unix_client_has_no_ip(void)
{
	struct info info = {"N", "n", "0", true, 1};
	struct info_client client = some_client;
	json_t *object;

	client.client_ip = NULL;
	object = make_info(&info, &client);
	check_member(object, "client_ip", NULL);
	check_member(object, "client_id", "5");
	json_decref(object);
}

static void a_later_info_tells_more(void)
{
	struct info info = {"N", "n", "0", true, 1};
	struct info_client client = some_client;
	json_t *object;

	client.lame_duck = true;
	object = make_info(&info, &client);
	check_member(object, "ldm", "true");
	check_member(object, "connect_info", NULL);
	check_member(object, "remote_account", NULL);
	json_decref(object);
	client.lame_duck = false;
	client.connect_info = true;
	object = make_info(&info, &client);
	check_member(object, "ldm", NULL);
	check_member(object, "connect_info", "true");
	check_member(object, "remote_account", "\"$G\"");
	json_decref(object);
	client.lame_duck = true;
	object = make_info(&info, &client);
	check_member(object, "ldm", "true");
	check_member(object, "connect_info", "true");
	json_decref(object);
}

static void info_goes_behind_what_waits_already(void)
{
	struct info info = {"N", "n", "0", true, 1};
	struct buf common = {0};
	struct buf out = {0};
	json_t *object;

	CHECK_NUMBER(handshake_info_common(&common, &info), 0);
	CHECK_NUMBER(buf_append(&out, SLICE("PONG\r\n")), 0);
	CHECK_NUMBER(handshake_info(&out, buf_slice(&common), &some_client), 0);
	CHECK(slice_starts_with(buf_slice(&out), SLICE("PONG\r\n")));
	object = read_info(slice_after(buf_slice(&out), 6));
	json_decref(object);
	buf_fini(&common);
	buf_fini(&out);
}

static void a_name_that_is_no_utf8_cannot_be_told(void)
{
	struct info info = {"N", "\xff", "0", true, 1};
	struct buf common = {0};

	CHECK_NUMBER(handshake_info_common(&common, &info), -ENOMEM);
	CHECK_NUMBER(common.length, 0);
	buf_fini(&common);
}

static const struct test_case cases[] = {
	TEST_CASE(a_new_client_is_verbose_pedantic_and_hears_itself),
	TEST_CASE(each_field_is_read),
	TEST_CASE(names_are_kept),
	TEST_CASE(what_is_not_said_stays),
	TEST_CASE(a_second_connect_lies_over_the_first),
	TEST_CASE(keys_match_in_any_case),
	TEST_CASE(of_keys_that_come_twice_the_last_counts),
	TEST_CASE(what_is_not_known_is_ignored),
	TEST_CASE(numbers_of_any_size_are_ignored_where_they_are_not_known),
	TEST_CASE(blanks_around_are_no_matter),
	TEST_CASE(a_value_of_the_wrong_type_ends_it),
	TEST_CASE(what_is_no_object_ends_it),
	TEST_CASE(what_is_no_json_ends_it),
	TEST_CASE(every_beginning_of_an_object_is_none),
	TEST_CASE(names_that_are_no_text_become_text),
	TEST_CASE(protocols_are_0_and_1),
	TEST_CASE(accounts_of_the_old_kind_are_refused),
	TEST_CASE(the_first_complaint_goes_first),
	TEST_CASE(credentials_are_accepted_where_nobody_asks_for_them),
	TEST_CASE(objects_and_null_are_told_from_the_rest),
	TEST_CASE(secrets_are_covered_in_the_trace),
	TEST_CASE(a_secret_is_covered_however_it_is_written),
	TEST_CASE(info_tells_what_a_client_needs),
	TEST_CASE(info_tells_the_ends_of_its_ranges),
	TEST_CASE(names_in_info_are_escaped),
	TEST_CASE(a_unix_client_has_no_ip),
	TEST_CASE(a_later_info_tells_more),
	TEST_CASE(info_goes_behind_what_waits_already),
	TEST_CASE(a_name_that_is_no_utf8_cannot_be_told),
};

int main(void)
{
	return test_run(cases, COUNT(cases));
}
