/* SPDX-License-Identifier: MIT */
/*
 * nats-server's grammar, against files and an environment that are only here.
 */
#include "server/config_parse.h"

#include <errno.h>
#include <jansson.h>

#include "test.h"

struct pair {
	const char *name, *text;
};

/* A reader must come first in it. */
struct world {
	struct config_reader reader;
	const struct pair *files, *variables;
};

static const char *find(const struct pair *pairs, const char *name)
{
	for (; pairs && pairs->name; pairs++)
		if (strcmp(pairs->name, name) == 0)
			return pairs->text;
	return NULL;
}

static int read_file(const struct config_reader *reader, const char *path, struct buf *text,
		     struct buf *why)
{
	const struct world *world = (const struct world *)(const void *)reader;
	const char *found = find(world->files, path);

	if (!found)
		return buf_append(why, SLICE("no such file")) < 0 ? -ENOMEM : 1;
	return buf_append(text, slice_of(found));
}

static int read_variable(const struct config_reader *reader, const char *name, struct buf *text)
{
	const char *found = find(((const struct world *)(const void *)reader)->variables, name);

	return found ? buf_append(text, slice_of(found)) : -ENOENT;
}

static struct config config;
static struct buf why;

static int parse_world(const struct pair *files, const struct pair *variables)
{
	struct world world = {{read_file, read_variable}, files, variables};

	CHECK_NUMBER(config_init(&config), 0);
	return config_parse(&config, &world.reader, files[0].name, &why);
}

static void end(void)
{
	config_fini(&config);
	buf_fini(&why);
}

static void check_world(int line, const struct pair *files, const struct pair *variables,
			const char *expected)
{
	int error = parse_world(files, variables);
	char *text = json_dumps(config.root, JSON_COMPACT | JSON_REAL_PRECISION(6));

	if (error)
		test_check_text(__FILE__, line, files[0].text, buf_slice(&why), slice_of(expected));
	else
		test_check_text(__FILE__, line, files[0].text, slice_of(text ? text : "no JSON"),
				slice_of(expected));
	free(text);
	end();
}

static void check(int line, const char *text, const char *expected)
{
	check_world(line, (const struct pair[]){{"f", text}, {0}}, NULL, expected);
}

#define IS(text, expected) check(__LINE__, text, expected)
/* The message only begins so. */
#define FAILS(text, expected) check_failure(__LINE__, text, expected)

static void check_failure(int line, const char *text, const char *expected)
{
	int error = parse_world((const struct pair[]){{"f", text}, {0}}, NULL);

	test_check_number(__FILE__, line, text, error, 1);
	if (why.length > strlen(expected))
		why.length = strlen(expected);
	test_check_text(__FILE__, line, text, buf_slice(&why), slice_of(expected));
	end();
}

static void assignments_comments_and_ends_of_lines(void)
{
	IS("", "{}");
	IS(" \r\n\t# only a comment", "{}");
	IS("a = 1\nb: 2\nc 3\nd=4\ne:5", "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}");
	IS("a: 1; b: 2, c: 3 // x\nd: 4 # y\n# z\n\n// zz\ne: 5;",
	   "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}");
	IS("a\n: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}");
	IS("\"a b\": 1\n'c=d' = 2", "{\"a b\":1,\"c=d\":2}");
	IS("a: 1\na: 2", "{\"a\":2}");
	IS("a: http://x//y#z", "{\"a\":\"http://x//y#z\"}");
	IS("include: 1\nincludes 2", "{\"include\":1,\"includes\":2}");
}

static void maps_and_arrays(void)
{
	IS("a { b: 1, c = 2; d 3 }", "{\"a\":{\"b\":1,\"c\":2,\"d\":3}}");
	IS("a{b:1}", "{\"a\":{\"b\":1}}");
	IS("a\n{\n b\n {c:1}\n d:\n 2 # e\n}\n", "{\"a\":{\"b\":{\"c\":1},\"d\":2}}");
	IS("a {}\nb []", "{\"a\":{},\"b\":[]}");
	IS("a [1,2, 3\n4 # x\n\n5, // y\n]", "{\"a\":[1,2,3,4,5]}");
	IS("a = [[1],{b:c},\"d\",'e']", "{\"a\":[[1],{\"b\":\"c\"},\"d\",\"e\"]}");
	IS("{\"a\": 1, \"b\": [true, false], \"c\": {\"d\": \"e\"}}\n",
	   "{\"a\":1,\"b\":[true,false],\"c\":{\"d\":\"e\"}}");
	IS("{ a: 1\n b: 2 } # x", "{\"a\":1,\"b\":2}");
}

static void numbers(void)
{
	IS("a: [0, -1, 42]", "{\"a\":[0,-1,42]}");
	IS("a: [1k, 1K, 1kb, 1KB, 1ki, 1kib, -2m, 2MB, 1g, 1GiB, 1t, 1p, 1e]",
	   "{\"a\":[1000,1000,1024,1024,1024,1024,-2000000,2097152,1000000000,1073741824,"
	   "1000000000000,1000000000000000,1000000000000000000]}");
	IS("a: [1.5, -0.25, 10.0]", "{\"a\":[1.5,-0.25,10.0]}");
	IS("a: [1h, 10s, 1kbb, 1x, 1., .5, -, --1, 1_0, 0x10, 1.2.3.4:5, 1.5s, 1-2]",
	   "{\"a\":[\"1h\",\"10s\",\"1kbb\",\"1x\",\"1.\",\".5\",\"-\",\"--1\",\"1_0\",\"0x10\","
	   "\"1.2.3.4:5\",\"1.5s\",\"1-2\"]}");
	IS("a: 9223372036854775807", "{\"a\":9223372036854775807}");
	IS("a: 2016-05-04T18:53:41Z", "{\"a\":\"2016-05-04T18:53:41Z\"}");
	FAILS("\na: 9223372036854775808", "f:2:4: this number is too large");
	FAILS("a: 10000000t", "f:1:4: this number is too large");
	FAILS("a: [1, 10e]", "f:1:8: this number is too large");
}

static void words(void)
{
	IS("a [true, Yes, ON, false, no, oFF]", "{\"a\":[true,true,true,false,false,false]}");
	IS("a ['true', \"on\", truely]", "{\"a\":[\"true\",\"on\",\"truely\"]}");
}

static void texts(void)
{
	IS("a: b c: d", "f:1:6: \",\", \";\" or a new line was expected, not \"c\"");
	IS("a: \"b\\tc\\n\\\"\\\\\\x41\"", "{\"a\":\"b\\tc\\n\\\"\\\\A\"}");
	IS("a: 'b\\tc'", "{\"a\":\"b\\\\tc\"}");
	IS("a: \"b\nc\"\nd: 'e\nf'", "{\"a\":\"b\\nc\",\"d\":\"e\\nf\"}");
	IS("a: b\\x2cc\\x31", "{\"a\":\"b,c1\"}");
	IS("a: \\x31", "{\"a\":\"1\"}");
	IS("a: it's, b: \"$c\", d: '$e'", "{\"a\":\"it's\",\"b\":\"$c\",\"d\":\"$e\"}");
	IS("a: *.b.>", "{\"a\":\"*.b.>\"}");
	IS("a: \"\"\nb: ''", "{\"a\":\"\",\"b\":\"\"}");
	IS("a (\n x\n  )\n) y\n)\nb: 1", "{\"a\":\"\\n x\\n  )\\n) y\\n\",\"b\":1}");
	IS("a {b (\r\nx\r\n)\r\n}", "{\"a\":{\"b\":\"\\r\\nx\\r\\n\"}}");
	IS("a (\n)", "{\"a\":\"\\n\"}");
	FAILS("a: \"b\\q\"", "f:1:7: \\t, \\n, \\r, \\\", \\\\ or \\xHH was expected, not \"q\"");
	FAILS("a: \"b\\x0\"", "f:1:7: \\x and two hex");
	FAILS("a: \"b\\x00\"", "f:1:7: \\x and two hex");
	FAILS("a: \"\\", "f:1:6: the rest of an escape was expected, not the end of the file");
	FAILS("a: \"b\n\nc", "f:1:4: this \" has no other one");
	FAILS("\na: 'b", "f:2:4: this ' has no other one");
	FAILS("a: (\nb)\n", "f:1:4: this ( has no ) on a line of its own");
}

static void what_is_wrong_is_named(void)
{
	FAILS("a:\nb", "f:1:3: a value of a was expected, not the end of the line");
	FAILS("a: 1\nb", "f:2:2: a value of b was expected, not the end of the file");
	FAILS("a {b}", "f:1:5: a value of b was expected, not \"}\"");
	FAILS("a: ,", "f:1:4: a value of a was expected, not \",\"");
	FAILS("a: 1 }", "f:1:6: \",\", \";\" or a new line was expected, not \"}\"");
	FAILS("a: {b: 1", "f:1:4: this { has no }");
	FAILS("a: 1\nb: [1, 2", "f:2:4: this [ has no ]");
	FAILS("a: [1 2]", "f:1:7: \",\", \"]\" or a new line was expected, not \"2\"");
	FAILS("a: [1,,2]", "f:1:7: a value was expected, not \",\"");
	FAILS("a: [1}", "f:1:6: \",\", \"]\" or a new line was expected, not \"}\"");
	FAILS("a: \"b\"c", "f:1:7: \",\", \";\" or a new line was expected, not \"c\"");
	FAILS("= 1", "f:1:1: a key was expected, not \"=\"");
	FAILS("\"\" 1", "f:1:3: a key was expected");
	FAILS("{a: 1", "f:1:1: this { has no }");
	FAILS("{a: 1} b: 2", "f:1:8: the end was expected, not \"b\"");
	FAILS("a: [1\n,2]", "f:2:1: a value was expected, not \",\"");
}

static void variables(void)
{
	static const struct pair environment[] = {
		{"N", "2048"},   {"T", "a\"b"}, {"L", "[1, {b: $N}]"}, {"Q", "'x y'"}, {"E", ""},
		{"BAD", "a b"}, {"SELF", "$SELF"}, {0},
	};
#define WITH(text, expected) \
	check_world(__LINE__, (const struct pair[]){{"f", text}, {0}}, environment, expected)
	WITH("X: 1\na: $X\nb {c: $X, X: 2, d: $X}\ne: $X",
	     "{\"X\":1,\"a\":1,\"b\":{\"c\":1,\"X\":2,\"d\":2},\"e\":1}");
	WITH("X {y: [1]}\na [$X, $X]", "{\"X\":{\"y\":[1]},\"a\":[{\"y\":[1]},{\"y\":[1]}]}");
	WITH("a [$N,$T, $L, $Q]", "{\"a\":[2048,\"a\\\"b\",[1,{\"b\":2048}],\"x y\"]}");
	WITH("N: 1\na: $N", "{\"N\":1,\"a\":1}");
	WITH("a: $2a$11$abc/.\nb: $2b$11$x", "{\"a\":\"$2a$11$abc/.\",\"b\":\"$2b$11$x\"}");
	WITH("a: $BAD", "$BAD:1:3: the end was expected, not \"b\"");
	WITH("a: $E", "$E:1:1: a value was expected, not the end of the file");
	WITH("a: $SELF", "$SELF:1:1: $SELF: there are too many variables one in another");
	WITH("a: $X\nX: 1", "f:1:4: variable reference for 'X' can not be found: no key above it "
			    "has this name, nor a variable of the environment (a text with a $ "
			    "belongs into quotes)");
	WITH("a: $s3cret!", "f:1:4: variable reference can not be found: no key above it "
			    "has this name, nor a variable of the environment (a text with a $ "
			    "belongs into quotes)");
	/* What a map has is seen in it only. */
	FAILS("a {X: 1}\nb: $X", "f:2:4: variable reference for 'X'");
#undef WITH
}

static void includes(void)
{
#define WITH(text, expected) \
	check_world(__LINE__, (const struct pair[]){{"d/f", text}, \
						    {"d/a", "x: 1\ny {z: 2}\n"}, \
						    {"d/e/b", "include \"c\"\nq: $v\n"}, \
						    {"d/e/c", "v: 3"}, \
						    {"d/bad", "\n = 2"}, \
						    {"d/lean", "w: $x"}, \
						    {"d/loop", "a: 1\ninclude loop2"}, \
						    {"d/loop2", "include 'loop'"}, \
						    {0}}, NULL, expected)
	WITH("include a\nx: 5; include 'a'", "{\"x\":1,\"y\":{\"z\":2}}");
	WITH("k { include \"a\" } ", "{\"k\":{\"x\":1,\"y\":{\"z\":2}}}");
	WITH("k {include a}\nINCLUDE e/b # x", "{\"k\":{\"x\":1,\"y\":{\"z\":2}},\"v\":3,\"q\":3}");
	WITH("include a\nb: $x", "{\"x\":1,\"y\":{\"z\":2},\"b\":1}");
	WITH("include /a", "{\"x\":1,\"y\":{\"z\":2}}");
	WITH("include bad", "d/bad:2:2: a key was expected, not \"=\"");
	WITH("a: 1\n  include none", "d/f:2:3: cannot include d/none: no such file");
	WITH("include loop", "d/loop2:1:1: d/loop would include itself");
	WITH("include \"\"", "d/f:1:11: the name of a file was expected, not the end of the file");
	/* A file knows its own keys only. */
	FAILS("include f", "f:1:1: f would include itself");
#undef WITH
}

static void check_place(const json_t *in, const char *key, size_t index, const char *expected)
{
	char place[CONFIG_PLACE_TEXT];

	config_place(&config, in, key, index, place);
	test_check_text(__FILE__, __LINE__, key ? key : "item", slice_of(place), slice_of(expected));
}

static void all_have_their_places(void)
{
	const json_t *inner, *array;

	CHECK_NUMBER(parse_world((const struct pair[]){{"f", "a: 1\n b { c: [1,\n  2], d: $a }\n"
							    "include g\n  a: 3"},
						       {"g", "\n\nx: 1\n"},
						       {0}}, NULL), 0);
	inner = json_object_get(config.root, "b");
	array = json_object_get(inner, "c");
	check_place(config.root, "a", 0, "f:5:3");
	check_place(config.root, "b", 0, "f:2:2");
	check_place(inner, "c", 0, "f:2:6");
	check_place(array, NULL, 0, "f:2:10");
	check_place(array, NULL, 1, "f:3:3");
	check_place(config.root, "x", 0, "g:3:1");
	check_place(config.root, "y", 0, "f");
	CHECK(!config_is_variable(&config, config.root, "b"));
	config_complain(&config, inner, "d", 0, "%s", "no d");
	CHECK_TEXT(buf_slice(&config.complaints), "f:3:7: no d");
	end();
}

static void what_is_kept_outlives_the_tree(void)
{
	const char *kept;

	CHECK_NUMBER(parse_world((const struct pair[]){{"f", "a: secret"}, {0}}, NULL), 0);
	kept = config_keep(&config, "kept");
	config_drop_tree(&config);
	CHECK(config.root == NULL && config.mark_count == 0);
	CHECK_TEXT(slice_of(kept), "kept");
	end();
}

static const struct test_case cases[] = {
	TEST_CASE(all_have_their_places),
	TEST_CASE(what_is_kept_outlives_the_tree),
	TEST_CASE(assignments_comments_and_ends_of_lines),
	TEST_CASE(maps_and_arrays),
	TEST_CASE(numbers),
	TEST_CASE(words),
	TEST_CASE(texts),
	TEST_CASE(what_is_wrong_is_named),
	TEST_CASE(variables),
	TEST_CASE(includes),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
