/* SPDX-License-Identifier: MIT */
#include "server/config_parse.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* A map that is being filled: what stands in it already, a variable may refer to. */
struct scope {
	json_t *map;
	json_t *marks; /* the number in config.marks of each key */
	const struct scope *outer;
};

/* What all files have in common. */
struct common {
	struct config *config;
	const struct config_reader *reader;
	struct buf *why;
	size_t bytes; /* of all of them */
};

/* A file, or a variable of the environment. */
struct reading {
	struct common *common;
	const struct reading *outer; /* which includes or asks for it */
	const char *name;
	uint32_t file;
	uint32_t level;
	uint32_t line;
	const char *line_start;
	const char *at, *end;
	const struct scope *scope;
};

/* A value, and how many maps and arrays it has one in another. */
struct value {
	json_t *json;
	uint32_t depth;
};

static int read_value(struct reading *reading, uint32_t depth, struct value *value);

/* Errors. */

static struct config_mark here(const struct reading *reading)
{
	return (struct config_mark){
		.file = reading->file,
		.line = reading->line,
		.column = (uint32_t)(reading->at - reading->line_start) + 1,
	};
}

__attribute__((format(printf, 3, 4))) static int fail_at(const struct reading *reading,
							  const struct config_mark *mark,
							  const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (buf_printf(reading->common->why, "%.400s:%u:%u: %s", reading->name, mark->line,
		       mark->column, text) < 0)
		return -ENOMEM;
	return 1;
}

/* What was wanted, and what there is in its place. */
static int fail(const struct reading *reading, const char *wanted)
{
	struct config_mark mark = here(reading);

	if (reading->at == reading->end)
		return fail_at(reading, &mark, "%s was expected, not the end of the file", wanted);
	if (*reading->at == '\n' || *reading->at == '\r')
		return fail_at(reading, &mark, "%s was expected, not the end of the line", wanted);
	if ((unsigned char)*reading->at < ' ')
		return fail_at(reading, &mark, "%s was expected, not the byte 0x%02x", wanted,
			       (unsigned)(unsigned char)*reading->at);
	return fail_at(reading, &mark, "%s was expected, not \"%c\"", wanted, *reading->at);
}

/* Moving on. */

static bool is_at(const struct reading *reading, char byte)
{
	return reading->at < reading->end && *reading->at == byte;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool is_space(char byte)
{
	return is_blank(byte) || (byte >= '\n' && byte <= '\r');
}

static char step(struct reading *reading)
{
	char byte = *reading->at++;

	if (byte == '\n') {
		reading->line++;
		reading->line_start = reading->at;
	}
	return byte;
}

static bool step_over(struct reading *reading, char byte)
{
	bool is_there = is_at(reading, byte);

	if (is_there)
		step(reading);
	return is_there;
}

static void skip_blanks(struct reading *reading)
{
	while (reading->at < reading->end && is_blank(*reading->at))
		step(reading);
}

static void skip_spaces(struct reading *reading)
{
	while (reading->at < reading->end && is_space(*reading->at))
		step(reading);
}

static bool is_comment(const struct reading *reading)
{
	return is_at(reading, '#') || (reading->end - reading->at >= 2 &&
				       reading->at[0] == '/' && reading->at[1] == '/');
}

static void skip_comment(struct reading *reading)
{
	while (reading->at < reading->end && *reading->at != '\n')
		step(reading);
}

/* Between values. */
static void skip_all(struct reading *reading)
{
	for (skip_spaces(reading); is_comment(reading); skip_spaces(reading))
		skip_comment(reading);
}

/* Behind a value: what divides it from the next. At the end of the whole there may be nothing. */
static int skip_divider(struct reading *reading, const char *dividers, char end, const char *wanted)
{
	skip_blanks(reading);
	if (reading->at == reading->end || is_at(reading, '\n') || is_at(reading, '\r') ||
	    is_comment(reading))
		return 0;
	if (strchr(dividers, *reading->at)) {
		step(reading);
		return 0;
	}
	return end && is_at(reading, end) ? 0 : fail(reading, wanted);
}

/* Texts. */

static void wipe(struct buf *text)
{
	if (text->bytes)
		secret_erase(text->bytes, text->capacity);
	buf_fini(text);
}

static int check_text(const struct reading *reading, struct slice text)
{
	struct reading at = *reading;

	if (!memchr(text.bytes ? text.bytes : "", '\0', text.length))
		return 0;
	while (*at.at)
		step(&at);
	return fail(&at, "text");
}

static int digit_of(char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = byte ? strchr(digits, tolower((unsigned char)byte)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Behind the backslash. */
static int read_escape(struct reading *reading, char *byte)
{
	static const char names[] = "tnr\"\\", bytes[] = "\t\n\r\"\\";
	const char *name;
	int high, low;

	if (reading->at == reading->end)
		return fail(reading, "the rest of an escape");
	name = *reading->at ? strchr(names, *reading->at) : NULL;
	if (name) {
		*byte = bytes[name - names];
		step(reading);
		return 0;
	}
	if (*reading->at != 'x')
		return fail(reading, "\\t, \\n, \\r, \\\", \\\\ or \\xHH");
	if (reading->end - reading->at < 3)
		return fail(reading, "\\x and two hexadecimal digits");
	high = digit_of(reading->at[1]);
	low = digit_of(reading->at[2]);
	if (high < 0 || low < 0 || high + low == 0)
		return fail(reading, "\\x and two hexadecimal digits, not both 0,");
	*byte = (char)(high * 16 + low);
	reading->at += 3;
	return 0;
}

static int read_byte(struct reading *reading, struct buf *text, bool escapes)
{
	char byte = step(reading);
	int error = escapes && byte == '\\' ? read_escape(reading, &byte) : 0;

	return error ? error : buf_append(text, (struct slice){&byte, 1});
}

static int read_quoted(struct reading *reading, struct buf *text, bool escapes)
{
	struct config_mark start = here(reading);
	char quote = step(reading);
	int error = 0;

	while (reading->at < reading->end && *reading->at != quote && error == 0)
		error = read_byte(reading, text, escapes);
	if (error == 0 && !step_over(reading, quote))
		error = fail_at(reading, &start, "this %c has no other one", quote);
	return error;
}

/* The text ends before a ")" that has a line for itself. */
static int read_block(struct reading *reading, struct buf *text)
{
	struct config_mark start = here(reading);
	int error = 0;

	for (step(reading); reading->at < reading->end && error == 0;
	     error = read_byte(reading, text, false)) {
		bool is_alone = *reading->at == ')' && reading->at == reading->line_start;
		struct reading behind = *reading;

		if (!is_alone)
			continue;
		step(&behind);
		(void)step_over(&behind, '\r');
		if (behind.at < behind.end && *behind.at != '\n')
			continue;
		step(reading);
		return 0;
	}
	return error ? error : fail_at(reading, &start, "this ( has no ) on a line of its own");
}

/* Up to a blank, or a byte that ends it. */
static int read_bare(struct reading *reading, struct buf *text, const char *ends, bool *escaped)
{
	int error = 0;

	for (*escaped = false; reading->at < reading->end && error == 0;
	     error = read_byte(reading, text, true)) {
		if (is_space(*reading->at) || strchr(ends, *reading->at))
			break;
		*escaped |= *reading->at == '\\';
	}
	return error;
}

/* What a bare text means. */

static size_t count_digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* k is a thousand, kb, ki and kib are 1024, and so on. 0: it is no suffix. */
static int64_t factor_of(const char *suffix)
{
	static const char letters[] = "kmgtpe";
	const char *letter = strchr(letters, tolower((unsigned char)*suffix));
	int64_t factor = 1;

	if (!*suffix)
		return 1;
	if (!letter || (suffix[1] && strcasecmp(suffix + 1, "b") != 0 &&
			strcasecmp(suffix + 1, "i") != 0 && strcasecmp(suffix + 1, "ib") != 0))
		return 0;
	for (ptrdiff_t power = letter - letters + 1; power > 0; power--)
		factor *= suffix[1] ? 1024 : 1000;
	return factor;
}

/* 0 with `json`; it stays as it is if this is no number. */
static int read_number(const struct reading *reading, const struct config_mark *start,
		       const char *text, json_t **json)
{
	const char *digits = text + (*text == '-');
	const char *suffix = digits + count_digits(digits);
	int64_t factor = factor_of(suffix);
	int64_t number;

	if (suffix == digits)
		return 0;
	if (*suffix == '.' && count_digits(suffix + 1) > 0 &&
	    !suffix[1 + count_digits(suffix + 1)]) {
		*json = json_real(strtod(text, NULL));
		return *json ? 0 : fail_at(reading, start, "this number is too large");
	}
	if (factor == 0)
		return 0;
	errno = 0;
	number = strtoll(text, NULL, 10);
	if (errno || __builtin_mul_overflow(number, factor, &number))
		return fail_at(reading, start, "this number is too large");
	*json = json_integer(number);
	return *json ? 0 : -ENOMEM;
}

static bool read_word(const char *text, json_t **json)
{
	static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}};

	for (size_t at = 0; at < 6; at++)
		if (strcasecmp(text, words[at / 2][at % 2]) == 0)
			*json = json_boolean(at % 2);
	return *json;
}

/* An unquoted hash of a password is no variable. */
static bool is_hash(const char *text)
{
	return text[0] == '$' && text[1] == '2' && text[2] && strchr("abxy", text[2]) &&
	       text[3] == '$';
}

/* It is kept until all goes, for marks may refer to what is in it. */
static int discard(struct reading *reading, struct value *value)
{
	json_t *json = value->json;

	value->json = NULL;
	return json_array_append_new(reading->common->config->replaced, json) < 0 ? -ENOMEM : 0;
}

static int64_t find_in_scopes(const struct reading *reading, const char *name, json_t **json)
{
	for (const struct scope *scope = reading->scope; scope; scope = scope->outer) {
		const json_t *mark = json_object_get(scope->marks, name);

		if (!mark)
			continue;
		*json = json_incref(json_object_get(scope->map, name));
		return json_integer_value(mark);
	}
	return -1;
}

static int begin(struct reading *reading, struct common *common, const struct reading *outer,
		 const char *name, struct slice text)
{
	json_t *files = common->config->files;

	*reading = (struct reading){
		.common = common,
		.outer = outer,
		.name = name,
		.file = (uint32_t)json_array_size(files),
		.level = outer ? outer->level + 1 : 0,
		.line = 1,
		.line_start = text.bytes,
		.at = text.bytes,
		.end = text.bytes + text.length,
	};
	return json_array_append_new(files, json_stringn_nocheck(name, strlen(name))) < 0 ? -ENOMEM
											 : 0;
}

/* Its text is read as a value of a file would be. */
static int read_environment(const struct reading *reading, const struct config_mark *start,
			    const char *name, struct slice text, uint32_t depth,
			    struct value *value)
{
	struct common *common = reading->common;
	struct reading inner;
	char called[256];
	int error;

	snprintf(called, sizeof(called), "$%s", name);
	if (reading->level == CONFIG_INCLUDES_MAX ||
	    json_array_size(common->config->files) >= CONFIG_FILES_MAX)
		return fail_at(reading, start, "$%s: there are too many variables one in another",
			       name);
	error = begin(&inner, common, reading, called, text);
	if (error == 0)
		error = check_text(&inner, text);
	if (error == 0) {
		skip_spaces(&inner);
		error = read_value(&inner, depth, value);
	}
	if (error)
		return error;
	skip_all(&inner);
	if (inner.at == inner.end)
		return 0;
	error = discard(&inner, value);
	return error ? error : fail(&inner, "the end");
}

/* What begins with a "$" may have been meant as a password: it is not told then. */
static int fail_unknown(const struct reading *reading, const struct config_mark *start,
			const char *name)
{
	bool is_name = strspn(name, LETTERS "_") > 0 &&
		       strspn(name, LETTERS "_0123456789") == strlen(name);

	return fail_at(reading, start,
		       "variable reference%s%.200s%s can not be found: no key above it has this "
		       "name, nor a variable of the environment (a text with a $ belongs into "
		       "quotes)", is_name ? " for '" : "", is_name ? name : "", is_name ? "'" : "");
}

static int read_outside(struct reading *reading, const struct config_mark *start, const char *name,
			uint32_t depth, struct value *value)
{
	const struct config_reader *reader = reading->common->reader;
	struct buf text = {0};
	int error = reader->variable(reader, name, &text);

	if (error == -ENOENT)
		error = fail_unknown(reading, start, name);
	else if (error < 0)
		error = fail_at(reading, start, "$%.200s: %s", name, strerror(-error));
	else
		error = read_environment(reading, start, name,
					 text.bytes ? buf_slice(&text) : SLICE(""), depth, value);
	wipe(&text);
	return error;
}

static int read_variable(struct reading *reading, const struct config_mark *start, const char *name,
			 uint32_t depth, struct value *value)
{
	int64_t number = find_in_scopes(reading, name, &value->json);
	struct config_mark *mark;

	if (number < 0)
		return read_outside(reading, start, name, depth, value);
	mark = &reading->common->config->marks[number];
	mark->is_used = true;
	value->depth = mark->depth;
	if (depth + value->depth <= CONFIG_DEPTH_MAX)
		return 0;
	json_decref(value->json);
	value->json = NULL;
	return fail_at(reading, start, "more than %d maps and arrays one in another",
		       CONFIG_DEPTH_MAX);
}

static int judge_bare(struct reading *reading, const struct config_mark *start,
		      const struct buf *text, uint32_t depth, struct value *value)
{
	const char *bytes = text->bytes;
	int error;

	if (read_word(bytes, &value->json))
		return 0;
	if (*bytes == '$' && !is_hash(bytes))
		return read_variable(reading, start, bytes + 1, depth, value);
	error = read_number(reading, start, bytes, &value->json);
	if (error || value->json)
		return error;
	value->json = json_stringn_nocheck(bytes, strlen(bytes));
	return value->json ? 0 : -ENOMEM;
}

static int read_text(struct reading *reading, uint32_t depth, struct value *value)
{
	struct config_mark start = here(reading);
	struct buf text = {0};
	bool is_bare = false;
	bool escaped = false;
	int error;

	if (*reading->at == '"' || *reading->at == '\'') {
		error = read_quoted(reading, &text, *reading->at == '"');
	} else if (*reading->at == '(') {
		error = read_block(reading, &text);
	} else {
		is_bare = true;
		error = read_bare(reading, &text, ";,]}", &escaped);
	}
	if (error == 0 && is_bare && text.length == 0)
		error = fail(reading, "a value");
	else if (error == 0)
		error = buf_append(&text, (struct slice){"", 1});
	if (error == 0 && is_bare && !escaped)
		error = judge_bare(reading, &start, &text, depth, value);
	else if (error == 0 && !(value->json = json_stringn_nocheck(text.bytes, text.length - 1)))
		error = -ENOMEM;
	wipe(&text);
	return error;
}

/* Maps and arrays. */

static int set_item(struct reading *reading, json_t *array, struct config_mark *mark,
		    const struct value *item)
{
	mark->in = array;
	mark->index = json_array_size(array);
	mark->depth = item->depth;
	if (json_array_append_new(array, item->json) < 0)
		return -ENOMEM;
	return config_add_mark(reading->common->config, mark);
}

static int read_items(struct reading *reading, json_t *array, uint32_t depth, uint32_t *deepest)
{
	struct config_mark start = here(reading);
	int error = 0;

	step(reading);
	while (error == 0) {
		struct config_mark mark;
		struct value item = {0};

		skip_all(reading);
		if (reading->at == reading->end)
			return fail_at(reading, &start, "this [ has no ]");
		if (step_over(reading, ']'))
			return 0;
		mark = here(reading);
		error = read_value(reading, depth + 1, &item);
		if (error == 0)
			error = set_item(reading, array, &mark, &item);
		if (error == 0)
			error = skip_divider(reading, ",", ']', "\",\", \"]\" or a new line");
		*deepest = item.depth > *deepest ? item.depth : *deepest;
	}
	return error;
}

/* Of a key that comes again the last value counts. The one before is kept: marks refer to it. */
static int set_member(struct reading *reading, struct config_mark *mark, const char *key,
		      const struct value *value)
{
	struct config *config = reading->common->config;
	const struct scope *scope = reading->scope;
	json_t *before = json_object_get(scope->map, key);
	union {
		const char *given;
		char *kept; /* as a copy only */
	} name = {key};
	json_t *number = json_integer((json_int_t)config->mark_count);

	mark->in = scope->map;
	mark->key = name.kept;
	mark->depth = value->depth;
	if (json_object_set_new_nocheck(scope->marks, key, number) < 0 ||
	    (before && json_array_append(config->replaced, before) < 0)) {
		json_decref(value->json);
		return -ENOMEM;
	}
	if (json_object_set_new_nocheck(scope->map, key, value->json) < 0)
		return -ENOMEM;
	return config_add_mark(config, mark);
}

static int read_key(struct reading *reading, struct buf *key, bool *is_bare)
{
	bool is_escaped;
	int error;

	*is_bare = *reading->at != '"' && *reading->at != '\'';
	if (!*is_bare)
		error = read_quoted(reading, key, false);
	else if (strchr(",;]})[(", *reading->at))
		error = fail(reading, "a key");
	else
		error = read_bare(reading, key, "=:{}", &is_escaped);
	if (error == 0 && key->length == 0)
		error = fail(reading, "a key");
	if (error == 0 && memchr(key->bytes, '\0', key->length))
		error = fail(reading, "a key without a NUL");
	return error ? error : buf_append(key, (struct slice){"", 1});
}

static int read_include(struct reading *reading, const struct config_mark *start);

/* Its separator, and its value. At the top nothing may come between them but blanks. */
static int read_member_value(struct reading *reading, const char *key, uint32_t depth,
			     struct value *value)
{
	skip_spaces(reading);
	if (is_at(reading, '=') || is_at(reading, ':')) {
		step(reading);
		if (depth > 0)
			skip_spaces(reading);
		else
			skip_blanks(reading);
	}
	if (reading->at == reading->end || strchr("\r\n,;]}", *reading->at)) {
		char wanted[128];

		snprintf(wanted, sizeof(wanted), "a value of %.80s", key);
		return fail(reading, wanted);
	}
	return read_value(reading, depth + 1, value);
}

static bool is_include(const struct reading *reading, const struct buf *key)
{
	const char *at = reading->at;

	while (at < reading->end && is_blank(*at))
		at++;
	return strcasecmp(key->bytes, "include") == 0 && at > reading->at && at < reading->end &&
	       *at != '=' && *at != ':';
}

static int read_member(struct reading *reading, uint32_t depth, uint32_t *deepest)
{
	struct config_mark mark = here(reading);
	struct value value = {0};
	struct buf key = {0};
	bool is_bare;
	int error = read_key(reading, &key, &is_bare);

	if (error == 0 && is_bare && is_include(reading, &key)) {
		error = read_include(reading, &mark);
	} else if (error == 0) {
		error = read_member_value(reading, key.bytes, depth, &value);
		if (error == 0)
			error = set_member(reading, &mark, key.bytes, &value);
	}
	*deepest = value.depth > *deepest ? value.depth : *deepest;
	buf_fini(&key);
	return error;
}

/* Up to `end`, which is taken; without one, up to the end of the file. */
static int read_members(struct reading *reading, uint32_t depth, char end,
			const struct config_mark *start, uint32_t *deepest)
{
	int error = 0;

	while (error == 0) {
		skip_all(reading);
		if (end && step_over(reading, end))
			return 0;
		if (reading->at == reading->end)
			return end ? fail_at(reading, start, "this { has no }") : 0;
		error = read_member(reading, depth, deepest);
		if (error == 0)
			error = skip_divider(reading, ",;", end,
					     end ? "\",\", \";\", \"}\" or a new line"
						 : "\",\", \";\" or a new line");
	}
	return error;
}

static int read_map(struct reading *reading, json_t *map, uint32_t depth, uint32_t *deepest)
{
	struct config_mark start = here(reading);
	struct scope scope = {map, json_object(), reading->scope};
	int error = -ENOMEM;

	step(reading);
	reading->scope = &scope;
	if (scope.marks)
		error = read_members(reading, depth, '}', &start, deepest);
	reading->scope = scope.outer;
	json_decref(scope.marks);
	return error;
}

static int read_value(struct reading *reading, uint32_t depth, struct value *value)
{
	struct config_mark start = here(reading);
	uint32_t deepest = 0;
	int error;

	if (reading->at == reading->end)
		return fail(reading, "a value");
	if (*reading->at != '{' && *reading->at != '[')
		return read_text(reading, depth, value);
	if (depth >= CONFIG_DEPTH_MAX)
		return fail_at(reading, &start, "more than %d maps and arrays one in another",
			       CONFIG_DEPTH_MAX);
	value->json = *reading->at == '{' ? json_object() : json_array();
	if (!value->json)
		return -ENOMEM;
	if (*reading->at == '{')
		error = read_map(reading, value->json, depth, &deepest);
	else
		error = read_items(reading, value->json, depth, &deepest);
	value->depth = deepest + 1;
	return error && discard(reading, value) < 0 ? -ENOMEM : error;
}

/* Files. */

/* All of it may stand in braces, as JSON does. */
static int read_all(struct reading *reading, json_t *map)
{
	struct scope scope = {map, json_object(), NULL};
	struct config_mark start;
	uint32_t deepest = 0;
	bool is_braced;
	int error;

	if (!scope.marks)
		return -ENOMEM;
	reading->scope = &scope;
	skip_all(reading);
	start = here(reading);
	is_braced = step_over(reading, '{');
	error = read_members(reading, is_braced, is_braced ? '}' : '\0', &start, &deepest);
	if (error == 0) {
		skip_all(reading);
		error = reading->at < reading->end ? fail(reading, "the end") : 0;
	}
	reading->scope = NULL;
	json_decref(scope.marks);
	return error;
}

static bool is_open(const struct reading *reading, const char *path)
{
	for (; reading; reading = reading->outer)
		if (strcmp(reading->name, path) == 0)
			return true;
	return false;
}

/* `outer` includes it; NULL: it is the first. */
static int read_file(struct common *common, const struct reading *outer,
		     const struct config_mark *start, const char *path, json_t *map)
{
	struct reading reading;
	struct buf text = {0};
	struct buf problem = {0};
	int error = common->reader->read(common->reader, path, &text, &problem);

	common->bytes += text.length;
	if (error == 0 && common->bytes > CONFIG_BYTES_MAX)
		error = buf_printf(&problem, "all files together have more than %d MiB",
				   CONFIG_BYTES_MAX >> 20) < 0 ? -ENOMEM : 1;
	if (error > 0 && outer)
		error = fail_at(outer, start, "cannot include %.400s: %.*s", path,
				(int)problem.length, problem.bytes);
	else if (error > 0 && buf_printf(common->why, "%s: %.*s", path, (int)problem.length,
					 problem.bytes) < 0)
		error = -ENOMEM;
	if (error == 0)
		error = begin(&reading, common, outer, path,
			      text.bytes ? buf_slice(&text) : SLICE(""));
	if (error == 0)
		error = check_text(&reading, buf_slice(&text));
	if (error == 0)
		error = read_all(&reading, map);
	buf_fini(&problem);
	wipe(&text);
	return error;
}

/* From one map into another that includes its file. */
static int move_members(struct reading *reading, const json_t *from, size_t first_mark)
{
	struct config *config = reading->common->config;
	size_t last_mark = config->mark_count;

	for (size_t at = first_mark; at < last_mark; at++) {
		/* Not by reference: adding marks may move them all. */
		struct config_mark mark = config->marks[at];
		struct value value = {.depth = mark.depth};
		int error;

		if (mark.in != from)
			continue;
		value.json = json_incref(json_object_get(from, mark.key));
		error = set_member(reading, &mark, config->marks[at].key, &value);
		if (error)
			return error;
		config->marks[config->mark_count - 1].is_used = config->marks[at].is_used;
	}
	return 0;
}

/* Texts with their ends. Even with a "/" it is of the directory of the file that includes it. */
static int join(const struct reading *reading, const struct buf *name, struct buf *path)
{
	const char *slash = strrchr(reading->name, '/');
	size_t length = slash ? (size_t)(slash - reading->name) + 1 : 0;
	size_t slashes = strspn(name->bytes, "/");
	int error = buf_append(path, (struct slice){reading->name, length});

	return error < 0 ? error : buf_append(path, slice_after(buf_slice(name), slashes));
}

static int include(struct reading *reading, const struct config_mark *start, const char *path)
{
	struct config *config = reading->common->config;
	size_t first_mark = config->mark_count;
	json_t *map;
	int error;

	if (is_open(reading, path))
		return fail_at(reading, start, "%.400s would include itself", path);
	if (reading->level == CONFIG_INCLUDES_MAX)
		return fail_at(reading, start, "more than %d files one included by another",
			       CONFIG_INCLUDES_MAX);
	if (json_array_size(config->files) >= CONFIG_FILES_MAX)
		return fail_at(reading, start, "more than %d files", CONFIG_FILES_MAX);
	map = json_object();
	if (!map || json_array_append_new(config->replaced, map) < 0)
		return -ENOMEM;
	error = read_file(reading->common, reading, start, path, map);
	return error ? error : move_members(reading, map, first_mark);
}

static int read_include(struct reading *reading, const struct config_mark *start)
{
	struct buf name = {0};
	struct buf path = {0};
	bool escaped;
	int error;

	skip_blanks(reading);
	if (is_at(reading, '"') || is_at(reading, '\''))
		error = read_quoted(reading, &name, false);
	else
		error = read_bare(reading, &name, ";}", &escaped);
	if (error == 0)
		error = buf_append(&name, (struct slice){"", 1});
	if (error == 0 && strspn(name.bytes, "/") + 1 == name.length)
		error = fail(reading, "the name of a file");
	if (error == 0)
		error = join(reading, &name, &path);
	if (error == 0)
		error = include(reading, start, path.bytes);
	buf_fini(&name);
	buf_fini(&path);
	return error;
}

int config_parse(struct config *config, const struct config_reader *reader, const char *path,
		 struct buf *why)
{
	struct common common = {.config = config, .reader = reader, .why = why};
	int error = read_file(&common, NULL, NULL, path, config->root);

	if (error < 0) {
		/* They may refer to what could not be kept. */
		config_forget_marks(config);
		why->length = 0;
		(void)buf_printf(why, "%s: out of memory", path);
	}
	config_sort_marks(config);
	return error ? 1 : 0;
}
