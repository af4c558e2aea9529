/* SPDX-License-Identifier: MIT */
/*
 * The conversations of tests/differ, held without sockets: cut at each byte, and byte by byte, all
 * hear what they hear when nothing is cut.
 *
 * tests/differ/conversation.py has the format. Those that need users are left out.
 */
#include <ctype.h>
#include <dirent.h>

#include "base/buf.h"
#include "broker/router.h"
#include "broker/session.h"
#include "hear.h"
#include "test.h"

#define FOLDER "tests/differ/conversations"
#define QUIET \
	"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n"

enum { PEERS = 3, STEPS = 40, COMMON = 8, NO_LIMIT = 1 << 30, TALKS_MIN = 500 };

struct step {
	unsigned who;
	bool leaves;
	struct buf text;
};

struct talk {
	char *title;
	const struct limits *limits; /* NULL: it is left out */
	struct step steps[STEPS];
	size_t count;
	size_t common; /* bytes that others begin with as well, and that are cut there */
};

/* How it is held: a cut behind so many bytes of all, or a cut behind each; 0 and false: none. */
struct manner {
	size_t cut;
	bool bytewise;
};

struct peer {
	struct session session;
	struct buf rest; /* what the session left for later */
	struct buf heard;
	bool over;
};

static const struct limits plain = {
	.max_payload = 1 << 20, .max_control_line = 4096, .headers = true};
static const struct limits headerless = {.max_payload = 1 << 20, .max_control_line = 4096};
static const struct limits near = {.max_payload = 64, .max_control_line = 128,
				   .max_subscriptions = 3, .max_subscription_tokens = 3,
				   .headers = true};

static struct pool pool;
static struct router router;
static struct peer peers[PEERS];
static uint64_t now_ms;

static size_t talks_held, manners_held;

/* Reading. */

static char byte_of(char code)
{
	return code == 'r' ? '\r' : code == 'n' ? '\n' : code == 't' ? '\t' : code == '0' ? 0 : code;
}

static void append(struct buf *out, const char *bytes, size_t length)
{
	CHECK_NUMBER(buf_append(out, (struct slice){bytes, length}), 0);
}

/* One escape, behind its backslash. Returns what comes next. A cut is no byte. */
static const char *decode_escape(struct buf *out, const char *code)
{
	if (*code == 'x') {
		char digits[3] = {code[1], code[2], 0};
		char byte = (char)strtoul(digits, NULL, 16);

		append(out, &byte, 1);
		return code + 3;
	}
	if (*code != '|')
		append(out, &(char){byte_of(*code)}, 1);
	return code + 1;
}

/* One byte or escape. */
static const char *decode_one(struct buf *out, const char *text)
{
	if (*text == '\\')
		return decode_escape(out, text + 1);
	append(out, text, 1);
	return text + 1;
}

/* `{N TEXT}`: returns what comes behind it. */
static const char *decode_repeated(struct buf *out, const char *text)
{
	char *end;
	unsigned long count = strtoul(text + 1, &end, 10);
	struct buf once = {0};
	const char *at = end + 1;

	while (*at && *at != '}')
		at = decode_one(&once, at);
	CHECK(*at == '}');
	while (count-- > 0)
		append(out, once.bytes, once.length);
	buf_fini(&once);
	return at + 1;
}

static void decode_line(struct buf *out, const char *text)
{
	while (*text) {
		if (text[0] == '\\' && !text[1])
			return;
		text = text[0] == '\\' && text[1] == '{' ? decode_repeated(out, text + 1)
							  : decode_one(out, text);
	}
	append(out, "\r\n", 2);
}

static bool has_said(const struct talk *talk, unsigned who)
{
	for (size_t at = 0; at < talk->count; at++)
		if (talk->steps[at].who == who)
			return true;
	return false;
}

/* A step may come in several: nothing is told apart by who says more at a time. */
static void add_step(struct talk *talk, char name, const char *text)
{
	struct step *step = &talk->steps[talk->count];
	unsigned who = (unsigned)(toupper(name) - 'A');

	CHECK(who < PEERS && talk->count < STEPS);
	*step = (struct step){.who = who, .leaves = !text};
	if (islower(name) && !has_said(talk, who))
		append(&step->text, QUIET, sizeof(QUIET) - 1);
	if (text)
		decode_line(&step->text, text);
	talk->count++;
}

static void forget(struct talk *talk)
{
	while (talk->count > 0)
		buf_fini(&talk->steps[--talk->count].text);
	free(talk->title);
	*talk = (struct talk){0};
}

static const struct limits *limits_of(const char *name)
{
	return strcmp(name, "limits") == 0 ? &near : strcmp(name, "headerless") == 0 ? &headerless : NULL;
}

/* Holding. */

static void begin(const struct limits *limits)
{
	static const uint64_t seeds[2] = {0xfedcba0987654321, 7};

	pool_init(&pool, NO_LIMIT);
	router_init(&router, &pool, seeds);
	router.now_ms = &now_ms;
	for (size_t at = 0; at < PEERS; at++) {
		peers[at] = (struct peer){0};
		session_init(&peers[at].session, &router, limits);
	}
}

static void finish(void)
{
	for (size_t at = 0; at < PEERS; at++) {
		session_fini(&peers[at].session);
		buf_fini(&peers[at].rest);
		buf_fini(&peers[at].heard);
	}
	CHECK_NUMBER(router.subscriptions, 0);
	router_fini(&router);
	pool_fini(&pool);
}

static void send_all(void)
{
	for (size_t at = 0; at < PEERS; at++)
		hear(&peers[at].session.outbox, &peers[at].heard);
}

static void end_turn(struct peer *peer)
{
	peer->session.events = 0;
	if (peer->over)
		session_end_some_subs(&peer->session, &(uint32_t){UINT32_MAX});
	send_all();
}

/* The rest of a large message is read to its place. */
static struct slice feed_directly(struct peer *peer, struct slice bytes)
{
	struct room room = session_room(&peer->session);
	size_t length = bytes.length < room.length ? bytes.length : room.length;

	if (length == 0)
		return bytes;
	memcpy(room.bytes, bytes.bytes, length);
	peer->over = session_filled(&peer->session, length) == SESSION_OVER;
	end_turn(peer);
	return slice_after(bytes, length);
}

static void feed(struct peer *peer, struct slice bytes)
{
	enum session_answer answer = SESSION_WAIT;
	struct buf said = peer->rest;
	struct slice input;

	if (peer->over)
		return;
	bytes = feed_directly(peer, bytes);
	append(&said, bytes.bytes, bytes.length);
	peer->rest = (struct buf){0};
	input = buf_slice(&said);
	while (answer == SESSION_WAIT && !peer->over) {
		answer = session_feed(&peer->session, &input);
		peer->over = answer == SESSION_OVER;
		end_turn(peer);
	}
	if (!peer->over)
		append(&peer->rest, input.bytes, input.length);
	buf_fini(&said);
}

static void take_step(const struct step *step, size_t at, struct manner manner)
{
	struct peer *peer = &peers[step->who];
	struct slice text = buf_slice(&step->text);

	if (step->leaves) {
		peer->over = true;
		end_turn(peer);
	}
	while (text.length > 0) {
		size_t length = manner.bytewise ? 1 : text.length;

		if (manner.cut > at && manner.cut - at < text.length)
			length = manner.cut - at;
		feed(peer, (struct slice){text.bytes, length});
		text = slice_after(text, length);
		at += length;
	}
}

static void hold(const struct talk *talk, struct manner manner)
{
	size_t at = 0;

	begin(talk->limits);
	for (size_t step = 0; step < talk->count; step++) {
		take_step(&talk->steps[step], at, manner);
		at += talk->steps[step].text.length;
	}
	manners_held++;
}

/* What all hear, and how it ends for them. */
struct heard {
	struct buf texts[PEERS];
	enum fault faults[PEERS];
};

static void keep_heard(struct heard *heard)
{
	for (size_t at = 0; at < PEERS; at++) {
		heard->texts[at] = peers[at].heard;
		heard->faults[at] = peers[at].session.fault;
		peers[at].heard = (struct buf){0};
	}
}

static void forget_heard(struct heard *heard)
{
	for (size_t at = 0; at < PEERS; at++)
		buf_fini(&heard->texts[at]);
}

static bool is_heard(const struct heard *heard)
{
	for (size_t at = 0; at < PEERS; at++)
		if (!slice_equal(buf_slice(&peers[at].heard), buf_slice(&heard->texts[at])) ||
		    peers[at].session.fault != heard->faults[at])
			return false;
	return true;
}

static void check_manner(const struct talk *talk, const struct heard *heard, struct manner manner)
{
	hold(talk, manner);
	if (!is_heard(heard)) {
		test_failures++;
		printf("# %s: not the same %s %zu\n", talk->title,
		       manner.bytewise ? "byte by byte" : "cut behind byte", manner.cut);
	}
	finish();
}

/* In the middle of a filling one place is as good as another. */
static bool is_filling(struct slice text, size_t at)
{
	enum { AROUND = 3, EVERY = 4999 };

	if (at < AROUND || at + AROUND > text.length || at % EVERY == 0)
		return false;
	for (size_t near_by = at - AROUND; near_by < at + AROUND; near_by++)
		if (text.bytes[near_by] != text.bytes[at])
			return false;
	return true;
}

static void check_cuts(const struct talk *talk, const struct heard *heard)
{
	size_t start = 0;

	for (size_t step = 0; step < talk->count; step++) {
		struct slice text = buf_slice(&talk->steps[step].text);

		for (size_t at = 1; at < text.length; at++)
			if (start + at >= talk->common && !is_filling(text, at))
				check_manner(talk, heard, (struct manner){.cut = start + at});
		start += text.length;
	}
}

static void check_talk(struct talk *talk)
{
	struct heard heard;

	if (!talk->limits || talk->count == 0)
		return;
	hold(talk, (struct manner){0});
	keep_heard(&heard);
	finish();
	check_manner(talk, &heard, (struct manner){.bytewise = true});
	check_cuts(talk, &heard);
	forget_heard(&heard);
	talks_held++;
}

/* The files. */

struct reader {
	struct talk talk;
	char *common[COMMON]; /* lines that all of a series begin with */
	size_t common_count;
	bool is_series;
};

static size_t talk_length(const struct talk *talk)
{
	size_t length = 0;

	for (size_t at = 0; at < talk->count; at++)
		length += talk->steps[at].text.length;
	return length;
}

static void read_title(struct reader *reader, const char *line)
{
	if (!reader->is_series)
		check_talk(&reader->talk);
	forget(&reader->talk);
	while (reader->common_count > 0)
		free(reader->common[--reader->common_count]);
	reader->is_series = line[1] == 'e';
	reader->talk.title = strdup(line);
	reader->talk.limits = &plain;
}

static void check_alone(struct reader *reader, const char *line)
{
	struct talk alone = {.title = strdup(line), .limits = reader->talk.limits};

	for (size_t at = 0; at < reader->common_count; at++)
		add_step(&alone, reader->common[at][1], reader->common[at] + 3);
	alone.common = talk_length(&alone);
	add_step(&alone, line[0], line[1] ? line + 2 : "");
	check_talk(&alone);
	forget(&alone);
}

static void read_line(struct reader *reader, const char *line)
{
	if (line[0] == '=') {
		read_title(reader, line);
	} else if (strncmp(line, "use ", 4) == 0) {
		reader->talk.limits = limits_of(line + 4);
	} else if (line[0] == '+') {
		CHECK(reader->common_count < COMMON);
		reader->common[reader->common_count++] = strdup(line);
	} else if (isalpha(line[0]) && (line[1] == ' ' || !line[1])) {
		if (reader->is_series)
			check_alone(reader, line);
		else
			add_step(&reader->talk, line[0], line[1] ? line + 2 : "");
	} else if (isalpha(line[0]) && line[1] == '.') {
		add_step(&reader->talk, line[0], NULL);
	}
}

static void check_file(const char *name)
{
	struct reader reader = {0};
	char path[512], *line = NULL;
	size_t size = 0;
	ssize_t length;
	FILE *file;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	file = fopen(path, "r");
	CHECK(file != NULL);
	while (file && (length = getline(&line, &size, file)) > 0) {
		line[length - 1] = '\0';
		read_line(&reader, line);
	}
	read_title(&reader, "==");
	forget(&reader.talk);
	free(line);
	if (file)
		fclose(file);
}

static int is_text(const struct dirent *entry)
{
	return strstr(entry->d_name, ".txt") != NULL;
}

static void cut_or_not_they_are_the_same(void)
{
	struct dirent **names;
	int count = scandir(FOLDER, &names, is_text, alphasort);

	CHECK(count > 0);
	for (int at = 0; at < count; at++) {
		check_file(names[at]->d_name);
		free(names[at]);
	}
	if (count >= 0)
		free(names);
	CHECK(talks_held >= TALKS_MIN);
	printf("# %zu conversations, held %zu times\n", talks_held, manners_held);
}

static void another_byte_would_be_heard(void)
{
	struct talk talk = {.limits = &plain};
	struct heard heard;

	add_step(&talk, 'A', "PUB foo 2");
	add_step(&talk, 'A', "hi");
	hold(&talk, (struct manner){0});
	keep_heard(&heard);
	finish();
	hold(&talk, (struct manner){.bytewise = true});
	CHECK(is_heard(&heard));
	CHECK_TEXT(buf_slice(&peers[0].heard), "+OK\r\n");
	append(&peers[1].heard, "x", 1);
	CHECK(!is_heard(&heard));
	finish();
	forget_heard(&heard);
	forget(&talk);
}

int main(void)
{
	const struct test_case cases[] = {
		TEST_CASE(another_byte_would_be_heard),
		TEST_CASE(cut_or_not_they_are_the_same),
	};

	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
