/* SPDX-License-Identifier: MIT */
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/log_sink.h"
#include "folder.h"
#include "test.h"

enum { LIMIT_SECONDS = 120, PATIENCE_MS = 10000, PATH_ROOM = 512 };

static char folder[FOLDER_ROOM];
static char file[PATH_ROOM];

/* Of its own for each case. */
static void begin(void)
{
	make_folder(folder);
	snprintf(file, sizeof(file), "%s/log", folder);
}

static void end(void)
{
	unlink(file);
	CHECK_NUMBER(rmdir(folder), 0);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The file's bytes with a NUL; yours to free. Empty when there is no file. */
static char *read_file(const char *path)
{
	FILE *stream = fopen(path, "r");
	size_t length = 0, room = 1 << 16;
	char *text = malloc(room + 1);

	while (stream) {
		length += fread(text + length, 1, room - length, stream);
		if (length < room)
			break;
		room *= 2;
		text = realloc(text, room + 1);
	}
	if (stream)
		fclose(stream);
	text[length] = '\0';
	return text;
}

/* Waits until the log thread has written `text`. */
static bool wait_for(const char *path, const char *text)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	bool found = false;

	while (!found && now_ms() < until) {
		char *content = read_file(path);

		found = strstr(content, text) != NULL;
		free(content);
		if (!found)
			poll(NULL, 0, 1);
	}
	return found;
}

static struct log *open_log(struct log_options options)
{
	char why[256] = "";
	struct log *log;

	options.target = LOG_TARGET_FILE;
	options.file = file;
	log = log_new(&options, why);
	CHECK(log != NULL);
	CHECK(why[0] == '\0');
	CHECK_NUMBER(log_start(log), 0);
	return log;
}

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool good;

	CHECK_NUMBER(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	good = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	if (!good)
		printf("# «%.300s» does not match %s\n", text, pattern);
	return good;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void a_line_has_pid_time_and_level(void)
{
	char pattern[128];
	struct log *log;
	char *text;

	begin();
	log = open_log((struct log_options){0});
	log_write(log, LOG_LEVEL_INFO, NULL, "Listening on %s:%d", "127.0.0.1", 4222);
	log_free(log);
	text = read_file(file);
	snprintf(pattern, sizeof(pattern),
		 "^\\[%ld\\] [0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6} "
		 "\\[INF\\] Listening on 127\\.0\\.0\\.1:4222\n$", (long)getpid());
	CHECK(matches(text, pattern));
	free(text);
	end();
}

static void the_time_may_be_left_out(void)
{
	char pattern[64];
	struct log *log;
	char *text;

	begin();
	log = open_log((struct log_options){.without_time = true});
	log_write(log, LOG_LEVEL_ERROR, NULL, "one");
	log_free(log);
	text = read_file(file);
	snprintf(pattern, sizeof(pattern), "^\\[%ld\\] \\[ERR\\] one\n$", (long)getpid());
	CHECK(matches(text, pattern));
	free(text);
	end();
}

/* The hour of a zone far from Greenwich, and that of Greenwich. */
static void the_time_is_local_or_utc(void)
{
	char *zone = getenv("TZ") ? strdup(getenv("TZ")) : NULL;
	struct tm parts = {0};
	char *text;

	setenv("TZ", "FAR-14", 1);
	tzset();
	for (int utc = 0; utc < 2; utc++) {
		time_t before = time(NULL), written;
		struct log *log;

		begin();
		log = open_log((struct log_options){.utc = utc});
		log_write(log, LOG_LEVEL_INFO, NULL, "one");
		log_free(log);
		text = read_file(file);
		CHECK(strptime(strchr(text, ' ') + 1, "%Y/%m/%d %H:%M:%S", &parts) != NULL);
		written = timegm(&parts) - (utc ? 0 : 14 * 3600);
		/* time(NULL) may be a tick behind the clock that the log reads. */
		CHECK(written >= before && written <= time(NULL) + 1);
		free(text);
		end();
	}
	if (zone)
		setenv("TZ", zone, 1);
	else
		unsetenv("TZ");
	tzset();
	free(zone);
}

/* Writes one record of each level. */
static char *write_all_levels(struct log_options options)
{
	struct log *log;
	char *text;

	begin();
	options.without_time = true;
	log = open_log(options);
	for (int level = LOG_LEVEL_FATAL; level <= LOG_LEVEL_TRACE; level++) {
		bool wanted = level <= LOG_LEVEL_INFO ||
			      (level == LOG_LEVEL_DEBUG ? options.debug : options.trace);

		CHECK(log_wants(log, (enum log_level)level) == wanted);
		log_write(log, (enum log_level)level, NULL, "level %d", level);
	}
	log_free(log);
	text = read_file(file);
	end();
	return text;
}

static void each_level_has_its_mark(void)
{
	char *text = write_all_levels((struct log_options){.debug = true, .trace = true});

	CHECK(matches(text, "^.*\\[FTL\\] level 0\n.*\\[ERR\\] level 1\n.*\\[WRN\\] level 2\n"
			    ".*\\[INF\\] level 3\n.*\\[DBG\\] level 4\n.*\\[TRC\\] level 5\n$"));
	free(text);
}

static void debug_and_trace_are_written_on_request_only(void)
{
	char *text = write_all_levels((struct log_options){0});

	CHECK_NUMBER(count_lines(text), 4);
	free(text);
	text = write_all_levels((struct log_options){.debug = true});
	CHECK_NUMBER(count_lines(text), 5);
	CHECK(strstr(text, "[DBG]") && !strstr(text, "[TRC]"));
	free(text);
	text = write_all_levels((struct log_options){.trace = true});
	CHECK_NUMBER(count_lines(text), 5);
	CHECK(!strstr(text, "[DBG]") && strstr(text, "[TRC]"));
	free(text);
}

static void a_long_text_is_cut(void)
{
	static char longer[3 * LOG_TEXT_MAX];
	struct log_fields fields = {.cid = 1, .peer = longer, .name = longer, .reason = longer};
	struct log *log;
	char *text, *line;

	memset(longer, 'x', sizeof(longer) - 1);
	begin();
	log = open_log((struct log_options){.without_time = true});
	log_write(log, LOG_LEVEL_INFO, &fields, "%s", longer);
	log_write(log, LOG_LEVEL_INFO, NULL, "next");
	log_free(log);
	text = read_file(file);
	CHECK_NUMBER(count_lines(text), 2);
	line = strchr(text, 'x');
	CHECK(line != NULL);
	if (line) {
		size_t length = strspn(line, "x");

		CHECK(length > LOG_TEXT_MAX / 2 && length <= LOG_TEXT_MAX);
		CHECK(matches(line + length, "^\n\\[[0-9]+\\] \\[INF\\] next\n$"));
	}
	free(text);
	end();
}

static void control_bytes_do_no_harm(void)
{
	struct log *log;
	char text[256], *written, *line;

	for (int byte = 1; byte < 256; byte++)
		text[byte - 1] = (char)byte;
	text[255] = '\0';
	begin();
	log = open_log((struct log_options){.without_time = true});
	log_write(log, LOG_LEVEL_INFO, NULL, "%s", text);
	log_free(log);
	written = read_file(file);
	CHECK_NUMBER(count_lines(written), 1);
	line = strstr(written, "[INF] ");
	CHECK(line && strlen(line) == 6 + 255 + 1);
	for (size_t at = 0; line && line[6 + at] != '\n' && at < 255; at++) {
		unsigned char byte = (unsigned char)line[6 + at];

		CHECK(byte >= ' ' && byte != 0x7f);
		if (at + 1 >= ' ' && at + 1 != 0x7f)
			CHECK_NUMBER(byte, at + 1);
	}
	free(written);
	end();
}

static void a_file_is_appended_to(void)
{
	char *text;

	begin();
	for (int round = 0; round < 2; round++) {
		struct log *log = open_log((struct log_options){.without_time = true});

		log_write(log, LOG_LEVEL_INFO, NULL, "round %d", round);
		log_free(log);
	}
	text = read_file(file);
	CHECK(matches(text, "^.*round 0\n.*round 1\n$"));
	free(text);
	end();
}

static void after_a_renaming_the_file_is_opened_anew(void)
{
	char renamed[PATH_ROOM + 8];
	struct log *log;
	char *text;

	begin();
	snprintf(renamed, sizeof(renamed), "%s.1", file);
	log = open_log((struct log_options){.without_time = true});
	log_write(log, LOG_LEVEL_INFO, NULL, "one");
	CHECK(wait_for(file, "one\n"));
	CHECK_NUMBER(rename(file, renamed), 0);
	log_reopen(log);
	CHECK(wait_for(file, "File log re-opened\n"));
	log_write(log, LOG_LEVEL_INFO, NULL, "two");
	log_free(log);
	text = read_file(renamed);
	CHECK(matches(text, "^\\[[0-9]+\\] \\[INF\\] one\n$"));
	free(text);
	text = read_file(file);
	CHECK(matches(text, "^.*\\[INF\\] File log re-opened\n.*\\[INF\\] two\n$"));
	free(text);
	unlink(renamed);
	end();
}

static void where_reopening_fails_the_old_file_goes_on(void)
{
	char renamed[PATH_ROOM], inside[PATH_ROOM + 8];
	struct log *log;
	char *text;

	begin();
	snprintf(renamed, sizeof(renamed), "%s.away", folder);
	snprintf(inside, sizeof(inside), "%s/log", renamed);
	log = open_log((struct log_options){.without_time = true});
	CHECK_NUMBER(rename(folder, renamed), 0);
	log_reopen(log);
	CHECK(wait_for(inside, "Cannot open log file"));
	log_write(log, LOG_LEVEL_INFO, NULL, "two");
	log_free(log);
	text = read_file(inside);
	CHECK(matches(text, "^.*\\[ERR\\] Cannot open log file .*: .*\n.*\\[INF\\] two\n$"));
	free(text);
	CHECK_NUMBER(rename(renamed, folder), 0);
	end();
}

static void a_file_that_cannot_be_opened_is_told(void)
{
	struct log_options options = {.target = LOG_TARGET_FILE, .file = file};
	char why[256] = "";

	begin();
	snprintf(file, sizeof(file), "%s/nowhere/log", folder);
	CHECK(log_new(&options, why) == NULL);
	CHECK(strstr(why, file) != NULL);
	CHECK(strstr(why, strerror(ENOENT)) != NULL);
	end();
}

static void before_it_is_started_records_wait(void)
{
	enum { RECORDS = 600 }; /* more than the ring holds, and less than twice that */
	char why[256];
	struct log_options options = {
		.target = LOG_TARGET_FILE, .file = file, .without_time = true};
	struct log *log;
	char *text;

	begin();
	log = log_new(&options, why);
	CHECK(log != NULL);
	log_write(log, LOG_LEVEL_INFO, NULL, "first");
	poll(NULL, 0, 20);
	text = read_file(file);
	CHECK_NUMBER(count_lines(text), 0);
	free(text);
	/* The first full ring starts it, and is waited for. */
	for (int at = 0; at < RECORDS; at++)
		log_write(log, LOG_LEVEL_INFO, NULL, "record %d", at);
	log_free(log);
	text = read_file(file);
	CHECK_NUMBER(count_lines(text), 1 + RECORDS);
	CHECK(strstr(text, "record 599\n") != NULL);
	free(text);
	end();
}

/* In batches that the ring can hold, and many enough to go round it several times. */
static void all_records_come_in_order(void)
{
	enum { BATCHES = 20, BATCH = 300 };
	struct log *log;
	char *text, *line, *rest;
	char last[32];

	begin();
	log = open_log((struct log_options){.without_time = true});
	for (int batch = 0; batch < BATCHES; batch++) {
		for (int at = 0; at < BATCH; at++)
			log_write(log, LOG_LEVEL_INFO, NULL, "record %d%.*s", batch * BATCH + at,
				  at % 17, " ................");
		snprintf(last, sizeof(last), "record %d", (batch + 1) * BATCH - 1);
		CHECK(wait_for(file, last));
	}
	log_free(log);
	text = read_file(file);
	CHECK_NUMBER(count_lines(text), BATCHES * BATCH);
	line = strtok_r(text, "\n", &rest);
	for (int number = 0; line && number < BATCHES * BATCH; number++) {
		const char *record = strstr(line, "record ");

		CHECK_NUMBER(record ? atoi(record + 7) : -1, number);
		line = strtok_r(NULL, "\n", &rest);
	}
	free(text);
	end();
}

/* Standard error on a pipe that nobody reads. */
struct stuck {
	int saved;
	int ends[2];
};

static void stick(struct stuck *stuck)
{
	char bytes[4096] = {0};

	stuck->saved = dup(STDERR_FILENO);
	CHECK_NUMBER(pipe(stuck->ends), 0);
	CHECK_NUMBER(dup2(stuck->ends[1], STDERR_FILENO), STDERR_FILENO);
	fcntl(stuck->ends[1], F_SETFL, O_NONBLOCK);
	while (write(stuck->ends[1], bytes, sizeof(bytes)) > 0)
		;
	while (write(stuck->ends[1], bytes, 1) > 0)
		;
	CHECK_NUMBER(errno, EAGAIN);
	/* The log's writer blocks. */
	fcntl(stuck->ends[1], F_SETFL, 0);
	close(stuck->ends[1]);
}

/* Reads on until `text` was seen; what was read stands in `buffer`. */
static bool drain_until(const struct stuck *stuck, char *buffer, size_t room, const char *text)
{
	uint64_t until = now_ms() + PATIENCE_MS;
	size_t length = 0;

	buffer[0] = '\0';
	while (now_ms() < until && length + 1 < room) {
		struct pollfd end = {.fd = stuck->ends[0], .events = POLLIN};
		ssize_t count;

		if (poll(&end, 1, 100) <= 0)
			continue;
		count = read(stuck->ends[0], buffer + length, room - length - 1);
		if (count <= 0)
			break;
		/* What filled the pipe is no text. */
		for (size_t at = length; at < length + (size_t)count; at++)
			if (buffer[at] == '\0')
				buffer[at] = '\n';
		length += (size_t)count;
		buffer[length] = '\0';
		if (strstr(buffer, text))
			return true;
	}
	return false;
}

static void come_loose(struct stuck *stuck)
{
	dup2(stuck->saved, STDERR_FILENO);
	close(stuck->saved);
	close(stuck->ends[0]);
}

static unsigned long count_dropped(const char *text)
{
	unsigned long dropped = 0;

	while ((text = strstr(text, "[WRN] "))) {
		text += strlen("[WRN] ");
		dropped += strtoul(text, NULL, 10);
	}
	return dropped;
}

static void a_stuck_reader_costs_records_but_no_time(void)
{
	enum { RECORDS = 20000, ROOM = 4 << 20 };
	struct log_options options = {.target = LOG_TARGET_STDERR, .without_time = true};
	char *text = malloc(ROOM);
	char why[256];
	struct stuck stuck;
	struct log *log;
	unsigned long written = 0, dropped = 0;
	uint64_t start;
	int last = -1;

	stick(&stuck);
	log = log_new(&options, why);
	CHECK(log != NULL);
	CHECK_NUMBER(log_start(log), 0);
	start = now_ms();
	for (int at = 0; at < RECORDS; at++)
		log_write(log, LOG_LEVEL_INFO, NULL, "record %d of a day on which nobody reads",
			at);
	CHECK(now_ms() - start < 5000);
	/* They may be told more than once. */
	while (written + dropped < RECORDS && drain_until(&stuck, text, ROOM, "record")) {
		dropped += count_dropped(text);
		for (const char *at = text; (at = strstr(at, "record ")); written++) {
			/* Those that came through are in order. */
			CHECK(atoi(at + 7) > last);
			last = atoi(at + 7);
			at += 7;
		}
	}
	CHECK(dropped > 0);
	CHECK(written > 100);
	CHECK_NUMBER(written + dropped, RECORDS);
	/* The reader is back, and so is the log. */
	log_write(log, LOG_LEVEL_INFO, NULL, "back again");
	CHECK(drain_until(&stuck, text, ROOM, "back again"));
	CHECK_NUMBER(count_dropped(text), 0);
	log_free(log);
	come_loose(&stuck);
	free(text);
}

/* In a process of its own, since the stuck thread is left behind. */
static _Noreturn void end_with_a_stuck_writer(void)
{
	struct log_options options = {.target = LOG_TARGET_STDERR};
	struct stuck stuck;
	struct log *log;
	uint64_t start;
	char why[256];

	alarm(LIMIT_SECONDS / 4);
	stick(&stuck);
	log = log_new(&options, why);
	if (!log)
		_exit(2);
	log_write(log, LOG_LEVEL_INFO, NULL, "nobody reads this");
	start = now_ms();
	log_free(log);
	/* Two seconds, and what a loaded machine may take. */
	_exit(now_ms() - start <= 2000 + 3000 ? 0 : 3);
}

static void an_end_does_not_wait_for_a_stuck_writer(void)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		end_with_a_stuck_writer();
	CHECK(child > 0);
	CHECK_NUMBER(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_NUMBER(WEXITSTATUS(status), 0);
}

static void an_end_writes_what_is_left(void)
{
	struct log *log;
	char *text;

	begin();
	log = open_log((struct log_options){0});
	for (int at = 0; at < 200; at++)
		log_write(log, LOG_LEVEL_INFO, NULL, "record %d", at);
	log_free(log);
	text = read_file(file);
	CHECK_NUMBER(count_lines(text), 200);
	free(text);
	end();
	log_free(NULL);
}

/* A journal of our own in place of os/log_journal: it keeps what it is given. */
enum mood { TAKES, REFUSES, HANGS, IS_SLOW };

enum { KEPT_MOST = 4096, SLOW_MS = 20 };

static struct kept {
	enum log_level level;
	struct log_fields fields; /* whose texts are ours */
	char *text;
} kept[KEPT_MOST];
static atomic_int mood;
static atomic_size_t kept_count;
static unsigned long long lost_count;
static int loose[2]; /* a byte here ends a hanging */

bool log_stderr_is_journal(void)
{
	return false;
}

static const char **text_at(struct log_fields *fields, const struct log_text *text)
{
	return (const char **)(void *)((char *)fields + text->place);
}

static uint64_t *number_at(struct log_fields *fields, const struct log_number *number)
{
	return (uint64_t *)(void *)((char *)fields + number->place);
}

bool log_journal_write(const struct log_record *record)
{
	struct kept *keeps = &kept[kept_count];
	char byte;

	if (mood == REFUSES)
		return false;
	if (mood == IS_SLOW)
		poll(NULL, 0, SLOW_MS);
	if (mood == HANGS)
		while (read(loose[0], &byte, 1) < 0 && errno == EINTR)
			;
	CHECK(kept_count < KEPT_MOST);
	keeps->level = record->level;
	keeps->fields = record->fields;
	keeps->text = strdup(record->text);
	for (const struct log_text *text = log_texts; text->key; text++)
		if (*text_at(&keeps->fields, text))
			*text_at(&keeps->fields, text) = strdup(*text_at(&keeps->fields, text));
	kept_count++;
	return true;
}

void log_journal_tell_lost(unsigned long long count)
{
	lost_count = count;
}

static struct log *open_journal(enum mood at_first)
{
	const struct log_options options = {.target = LOG_TARGET_JOURNAL};
	struct log *log;
	char why[256];

	mood = at_first;
	kept_count = 0;
	lost_count = 0;
	CHECK_NUMBER(pipe(loose), 0);
	log = log_new(&options, why);
	CHECK(log != NULL);
	CHECK_NUMBER(log_start(log), 0);
	return log;
}

static void come_back(void)
{
	mood = TAKES;
	CHECK_NUMBER(write(loose[1], "", 1), 1);
}

static void close_journal(struct log *log)
{
	log_free(log);
	close(loose[0]);
	close(loose[1]);
	for (size_t at = 0; at < kept_count; at++) {
		free(kept[at].text);
		for (const struct log_text *text = log_texts; text->key; text++)
			free((void *)(uintptr_t)*text_at(&kept[at].fields, text));
	}
}

static void every_field_comes_through(void)
{
	static const char event[] = "0123456789abcdef0123456789abcdef";
	struct log *log = open_journal(TAKES);
	struct log_fields fields = {.event = event};
	char texts[16][32];
	size_t count = 0;

	for (const struct log_text *text = log_texts; text->key; text++) {
		snprintf(texts[count], sizeof(texts[count]), "the %s", text->key);
		*text_at(&fields, text) = texts[count++];
	}
	for (const struct log_number *number = log_numbers; number->key; number++)
		*number_at(&fields, number) = UINT64_MAX - count++;
	log_write(log, LOG_LEVEL_WARNING, &fields, "text %d", 1);
	/* What was lent for the call is gone. */
	memset(texts, 'x', sizeof(texts));
	log_write(log, LOG_LEVEL_INFO, NULL, "text 2");
	log_write(log, LOG_LEVEL_INFO, LOG_EVENT(event), "text 3");
	CHECK(log_flush(log, PATIENCE_MS));
	CHECK_NUMBER(kept_count, 3);
	CHECK_NUMBER(kept[0].level, LOG_LEVEL_WARNING);
	CHECK(strcmp(kept[0].text, "text 1") == 0);
	CHECK(kept[0].fields.event == event);
	CHECK(!kept[1].fields.event);
	CHECK(kept[2].fields.event == event);
	count = 0;
	for (const struct log_text *text = log_texts; text->key; text++, count++) {
		char expected[32];

		snprintf(expected, sizeof(expected), "the %s", text->key);
		CHECK(strcmp(*text_at(&kept[0].fields, text), expected) == 0);
		CHECK(**text_at(&kept[1].fields, text) == '\0');
		CHECK(**text_at(&kept[2].fields, text) == '\0');
	}
	for (const struct log_number *number = log_numbers; number->key; number++) {
		CHECK_NUMBER(*number_at(&kept[0].fields, number), UINT64_MAX - count++);
		CHECK_NUMBER(*number_at(&kept[1].fields, number), 0);
	}
	close_journal(log);
}

/* All at their longest, and more: none runs into the next. */
static void long_fields_are_cut_and_shown_without_control_bytes(void)
{
	static char longer[3 * LOG_TEXT_MAX];
	struct log *log = open_journal(TAKES);
	struct log_fields fields = {.cid = 1};

	memset(longer, '\n', sizeof(longer) - 1);
	for (const struct log_text *text = log_texts; text->key; text++)
		*text_at(&fields, text) = longer;
	log_write(log, LOG_LEVEL_WARNING, &fields, "%s", longer);
	CHECK(log_flush(log, PATIENCE_MS));
	CHECK_NUMBER(kept_count, 1);
	CHECK_NUMBER(strspn(kept[0].text, "."), LOG_TEXT_MAX - 1);
	for (const struct log_text *text = log_texts; text->key; text++) {
		CHECK_NUMBER(strspn(*text_at(&kept[0].fields, text), "."), text->most - 1);
		CHECK_NUMBER(strlen(*text_at(&kept[0].fields, text)), text->most - 1);
	}
	close_journal(log);
}

/* Adds up what records of the log's own tell. */
static unsigned long long count_told(void)
{
	unsigned long long told = 0;

	for (size_t at = 0; at < kept_count; at++) {
		const char *event = kept[at].fields.event;

		if (!event || strcmp(event, LOG_EVENT_DROPPED) != 0)
			continue;
		CHECK_NUMBER(kept[at].level, LOG_LEVEL_WARNING);
		CHECK_NUMBER(strtoull(kept[at].text, NULL, 10), kept[at].fields.count);
		told += kept[at].fields.count;
	}
	return told;
}

static size_t count_others(void)
{
	size_t others = 0;

	for (size_t at = 0; at < kept_count; at++)
		others += !kept[at].fields.event;
	return others;
}

static void what_the_journal_does_not_take_is_counted(void)
{
	struct log *log = open_journal(REFUSES);

	for (int at = 0; at < 10; at++)
		log_write(log, LOG_LEVEL_INFO, NULL, "nobody takes this");
	CHECK(log_flush(log, PATIENCE_MS));
	CHECK_NUMBER(kept_count, 0);
	mood = TAKES;
	log_write(log, LOG_LEVEL_INFO, NULL, "but this");
	CHECK(log_flush(log, PATIENCE_MS));
	CHECK_NUMBER(count_others(), 1);
	CHECK_NUMBER(count_told(), 10);
	close_journal(log);
}

static void what_is_dropped_adds_up(void)
{
	enum { RECORDS = 20000 };
	struct log *log = open_journal(HANGS);

	for (int at = 0; at < RECORDS; at++)
		log_write(log, LOG_LEVEL_INFO, NULL, "record %d", at);
	come_back();
	CHECK(log_flush(log, PATIENCE_MS));
	CHECK(count_others() > 100);
	CHECK(count_told() > 0);
	CHECK_NUMBER(count_others() + count_told(), RECORDS);
	close_journal(log);
}

/* Without a pause in which to tell. */
static void what_is_dropped_is_told_while_records_pour_in(void)
{
	struct log *log = open_journal(IS_SLOW);
	uint64_t until = now_ms() + PATIENCE_MS;
	unsigned long count = 0;

	while (now_ms() < until && count_told() == 0)
		for (int at = 0; at < 100; at++, count++)
			log_write(log, LOG_LEVEL_INFO, NULL, "record %lu", count);
	CHECK(count_told() > 0);
	mood = TAKES;
	CHECK(log_flush(log, PATIENCE_MS));
	CHECK_NUMBER(count_others() + count_told(), count);
	close_journal(log);
}

static void a_flush_waits_until_all_is_written(void)
{
	enum { RECORDS = 10 };
	struct log *log = open_journal(IS_SLOW);

	CHECK(log_flush(log, PATIENCE_MS));
	for (int round = 1; round <= 2; round++) {
		for (int at = 0; at < RECORDS; at++)
			log_write(log, LOG_LEVEL_INFO, NULL, "record %d", at);
		CHECK(log_flush(log, PATIENCE_MS));
		CHECK_NUMBER(kept_count, round * RECORDS);
	}
	close_journal(log);
}

static uint64_t cpu_ms(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

static void a_flush_does_not_wait_longer_than_it_may(void)
{
	enum { WAIT_MS = 400 };
	struct log *log = open_journal(HANGS);
	uint64_t start, used;

	log_write(log, LOG_LEVEL_INFO, NULL, "one");
	start = now_ms();
	used = cpu_ms();
	CHECK(!log_flush(log, WAIT_MS));
	CHECK(now_ms() - start >= WAIT_MS);
	CHECK(now_ms() - start < WAIT_MS + 3000);
	CHECK(cpu_ms() - used < WAIT_MS / 4);
	CHECK(!log_flush(log, 0));
	CHECK_NUMBER(kept_count, 0);
	/* Those that were given up do not count for the next. */
	mood = IS_SLOW;
	CHECK_NUMBER(write(loose[1], "", 1), 1);
	for (int at = 0; at < 5; at++)
		log_write(log, LOG_LEVEL_INFO, NULL, "more");
	CHECK(log_flush(log, PATIENCE_MS));
	CHECK_NUMBER(kept_count, 6);
	close_journal(log);
}

/* In a process of its own, since the stuck thread is left behind. */
static _Noreturn void end_with_a_stuck_journal(void)
{
	enum { RECORDS = 5000 };
	struct log *log = open_journal(HANGS);

	alarm(LIMIT_SECONDS / 4);
	for (int at = 0; at < RECORDS; at++)
		log_write(log, LOG_LEVEL_INFO, NULL, "nobody reads this");
	log_free(log);
	_exit(kept_count == 0 && lost_count == RECORDS ? 0 : 3);
}

static void what_is_lost_at_the_end_is_counted(void)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		end_with_a_stuck_journal();
	CHECK(child > 0);
	CHECK_NUMBER(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_NUMBER(WEXITSTATUS(status), 0);
}

static const struct test_case cases[] = {
	TEST_CASE(a_line_has_pid_time_and_level),
	TEST_CASE(the_time_may_be_left_out),
	TEST_CASE(the_time_is_local_or_utc),
	TEST_CASE(each_level_has_its_mark),
	TEST_CASE(debug_and_trace_are_written_on_request_only),
	TEST_CASE(a_long_text_is_cut),
	TEST_CASE(control_bytes_do_no_harm),
	TEST_CASE(a_file_is_appended_to),
	TEST_CASE(after_a_renaming_the_file_is_opened_anew),
	TEST_CASE(where_reopening_fails_the_old_file_goes_on),
	TEST_CASE(a_file_that_cannot_be_opened_is_told),
	TEST_CASE(before_it_is_started_records_wait),
	TEST_CASE(all_records_come_in_order),
	TEST_CASE(a_stuck_reader_costs_records_but_no_time),
	TEST_CASE(an_end_does_not_wait_for_a_stuck_writer),
	TEST_CASE(an_end_writes_what_is_left),
	TEST_CASE(every_field_comes_through),
	TEST_CASE(long_fields_are_cut_and_shown_without_control_bytes),
	TEST_CASE(what_the_journal_does_not_take_is_counted),
	TEST_CASE(what_is_dropped_adds_up),
	TEST_CASE(what_is_dropped_is_told_while_records_pour_in),
	TEST_CASE(a_flush_waits_until_all_is_written),
	TEST_CASE(a_flush_does_not_wait_longer_than_it_may),
	TEST_CASE(what_is_lost_at_the_end_is_counted),
};

int main(void)
{
	/* A log that waits for ever ends the program, and so fails the test. */
	alarm(LIMIT_SECONDS);
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
