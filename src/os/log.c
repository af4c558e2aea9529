/* SPDX-License-Identifier: MIT */
/*
 * One producer, the loop's thread, and one consumer, the log thread, share a ring of bytes:
 *
 *       tail: the consumer's                head: the producer's
 *         ▼                                    ▼
 *   ┌─────┬──────────┬────────────┬────────────┬───────────┐
 *   │     │ record   │ record     │ record     │           │   offsets only grow; a byte's
 *   └─────┴──────────┴────────────┴────────────┴───────────┘   place is its offset mod the size
 *
 * A consumer with nothing to do says so in `asleep` and reads from a pipe; a producer that sees it
 * writes a byte there. Neither takes a lock.
 */
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/log_sink.h"

enum {
	RING_BYTES = 64 << 10,
	PATIENCE_MS = 2000,
	TEXTS = 4, /* text, peer, name, reason */
	PEER_MAX = 256,
	NAME_MAX_SHOWN = 512,
	REASON_MAX = 256,
	RECORD_MAX = LOG_TEXT_MAX + PEER_MAX + NAME_MAX_SHOWN + REASON_MAX,
};

/* How a record stands in the ring; behind it text, peer, name and reason, each with a NUL. */
struct entry {
	uint32_t length; /* with all that */
	uint32_t level;
	struct timespec time;
	uint64_t cid;
	uint32_t ends[TEXTS]; /* where each text ends, NUL included */
};

struct log {
	struct log_options options;
	int fd; /* of lines */
	int wake[2];
	int done[2]; /* closed by the thread when it ends */
	pthread_t thread;
	atomic_size_t head;
	atomic_size_t tail;
	atomic_bool asleep;
	atomic_bool stopping;
	atomic_bool reopen;
	atomic_ullong dropped;
	char ring[RING_BYTES];
	char record[RECORD_MAX]; /* the consumer's copy of a record's texts */
};

/* The ring. */

static void ring_put(struct log *log, size_t at, const void *bytes, size_t length)
{
	size_t start = at % RING_BYTES;
	size_t first = length < RING_BYTES - start ? length : RING_BYTES - start;

	memcpy(log->ring + start, bytes, first);
	memcpy(log->ring, (const char *)bytes + first, length - first);
}

static void ring_get(const struct log *log, size_t at, void *bytes, size_t length)
{
	size_t start = at % RING_BYTES;
	size_t first = length < RING_BYTES - start ? length : RING_BYTES - start;

	memcpy(bytes, log->ring + start, first);
	memcpy((char *)bytes + first, log->ring, length - first);
}

static void wake(struct log *log)
{
	ssize_t done = write(log->wake[1], "", 1);

	/* A full pipe will wake it just as well. */
	(void)done;
}

/* Puts an entry and its texts, or counts it as dropped. */
static void produce(struct log *log, const struct entry *entry, const char *const texts[TEXTS])
{
	size_t head = atomic_load_explicit(&log->head, memory_order_relaxed);
	size_t at = head + sizeof(*entry);
	uint32_t start = 0;

	if (RING_BYTES - (head - atomic_load(&log->tail)) < entry->length) {
		atomic_fetch_add(&log->dropped, 1);
		return;
	}
	ring_put(log, head, entry, sizeof(*entry));
	for (size_t text = 0; text < TEXTS; text++) {
		ring_put(log, at, texts[text], entry->ends[text] - start);
		at += entry->ends[text] - start;
		start = entry->ends[text];
	}
	atomic_store(&log->head, at);
	if (atomic_exchange(&log->asleep, false))
		wake(log);
}

/* Copies the next record out. The texts point into log->record. */
static bool consume(struct log *log, struct log_record *record)
{
	size_t tail = atomic_load_explicit(&log->tail, memory_order_relaxed);
	const char *texts = log->record;
	struct entry entry;

	if (atomic_load(&log->head) == tail)
		return false;
	ring_get(log, tail, &entry, sizeof(entry));
	ring_get(log, tail + sizeof(entry), log->record, entry.length - sizeof(entry));
	atomic_store(&log->tail, tail + entry.length);
	*record = (struct log_record){
		.level = (enum log_level)entry.level,
		.time = entry.time,
		.text = texts,
		.fields = {entry.cid, texts + entry.ends[0], texts + entry.ends[1],
			   texts + entry.ends[2]},
	};
	return true;
}

/* The consumer. */

static void write_record(struct log *log, const struct log_record *record)
{
	switch (log->options.target) {
	case LOG_TARGET_JOURNAL:
		log_journal_write(record);
		break;
	case LOG_TARGET_SYSLOG:
		log_syslog_write(record);
		break;
	default:
		log_lines_write(log->fd, &log->options, record);
		break;
	}
}

static void report(struct log *log, enum log_level level, const char *format, ...)
{
	struct log_record record = {.level = level, .fields = {0, "", "", ""}};
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	record.text = text;
	clock_gettime(CLOCK_REALTIME, &record.time);
	write_record(log, &record);
}

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void reopen_file(struct log *log)
{
	int fd = open_file(log->options.file);

	if (fd < 0) {
		report(log, LOG_LEVEL_ERROR, "Cannot open log file %s: %s", log->options.file,
		       strerror(errno));
		return;
	}
	close(log->fd);
	log->fd = fd;
	report(log, LOG_LEVEL_INFO, "File log re-opened");
}

static void write_all(struct log *log)
{
	struct log_record record;
	unsigned long long dropped;

	if (atomic_exchange(&log->reopen, false))
		reopen_file(log);
	while (consume(log, &record))
		write_record(log, &record);
	dropped = atomic_exchange(&log->dropped, 0);
	if (dropped > 0)
		report(log, LOG_LEVEL_WARNING, "%llu log records were dropped: the log could not "
					       "keep up", dropped);
}

/* Sleeps until there is something to do. */
static void wait_for_work(struct log *log)
{
	char bytes[64];

	atomic_store(&log->asleep, true);
	/* What came in before anybody could see that we sleep. */
	if (atomic_load(&log->head) != atomic_load(&log->tail) || atomic_load(&log->stopping) ||
	    atomic_load(&log->reopen)) {
		atomic_store(&log->asleep, false);
		return;
	}
	while (read(log->wake[0], bytes, sizeof(bytes)) < 0 && errno == EINTR)
		;
}

static void *run(void *context)
{
	struct log *log = context;
	bool stopping;

	do {
		stopping = atomic_load(&log->stopping);
		write_all(log);
		if (!stopping)
			wait_for_work(log);
	} while (!stopping);
	close(log->done[1]);
	return NULL;
}

/* The producer. */

bool log_wants(const struct log *log, enum log_level level)
{
	return level <= LOG_LEVEL_INFO || (level == LOG_LEVEL_DEBUG && log->options.debug) ||
	       (level == LOG_LEVEL_TRACE && log->options.trace);
}

/* Bytes that would break a line, or act on a terminal, are shown as dots. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '.';
}

/* Says where each text will end; returns their length in all. */
static uint32_t measure(struct entry *entry, const char *const texts[TEXTS])
{
	uint32_t at = 0;

	for (size_t text = 0; text < TEXTS; text++) {
		at += (uint32_t)strlen(texts[text]) + 1;
		entry->ends[text] = at;
	}
	return at;
}

void log_write(struct log *log, enum log_level level, const struct log_fields *fields,
	       const char *format, ...)
{
	static const struct log_fields none;
	char text[LOG_TEXT_MAX], peer[PEER_MAX], name[NAME_MAX_SHOWN], reason[REASON_MAX];
	const char *const texts[TEXTS] = {text, peer, name, reason};
	struct entry entry = {.level = level};
	va_list arguments;

	if (!log_wants(log, level))
		return;
	fields = fields ? fields : &none;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(peer, sizeof(peer), "%s", fields->peer ? fields->peer : "");
	snprintf(name, sizeof(name), "%s", fields->name ? fields->name : "");
	snprintf(reason, sizeof(reason), "%s", fields->reason ? fields->reason : "");
	make_printable(text);
	make_printable(name);
	clock_gettime(CLOCK_REALTIME, &entry.time);
	entry.cid = fields->cid;
	entry.length = (uint32_t)sizeof(entry) + measure(&entry, texts);
	produce(log, &entry, texts);
}

void log_reopen(struct log *log)
{
	if (log->options.target != LOG_TARGET_FILE)
		return;
	atomic_store(&log->reopen, true);
	if (atomic_exchange(&log->asleep, false))
		wake(log);
}

/* Beginning and end. */

static int open_pipes(struct log *log)
{
	if (pipe(log->wake) < 0)
		return -errno;
	if (pipe(log->done) < 0)
		return -errno;
	for (int end = 0; end < 2; end++) {
		fcntl(log->wake[end], F_SETFD, FD_CLOEXEC);
		fcntl(log->done[end], F_SETFD, FD_CLOEXEC);
	}
	fcntl(log->wake[1], F_SETFL, O_NONBLOCK);
	return 0;
}

/* With all signals blocked, which the thread inherits. */
static int start_thread(struct log *log)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&log->thread, NULL, run, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

static void close_all(struct log *log)
{
	for (int end = 0; end < 2; end++) {
		if (log->wake[end] >= 0)
			close(log->wake[end]);
		/* The thread has closed its end of this one. */
		if (end == 0 && log->done[end] >= 0)
			close(log->done[end]);
	}
	if (log->fd >= 0 && log->fd != STDERR_FILENO)
		close(log->fd);
}

struct log *log_new(const struct log_options *options, char why[256])
{
	struct log *log = calloc(1, sizeof(*log));
	int error;

	if (!log) {
		snprintf(why, 256, "cannot start the log: out of memory");
		return NULL;
	}
	log->options = *options;
	log->fd = STDERR_FILENO;
	log->wake[0] = log->wake[1] = log->done[0] = log->done[1] = -1;
	if (options->target == LOG_TARGET_FILE)
		log->fd = open_file(options->file);
	if (options->target == LOG_TARGET_SYSLOG)
		log_syslog_open();
	if (log->fd < 0) {
		snprintf(why, 256, "cannot open log file %s: %s", options->file, strerror(errno));
		free(log);
		return NULL;
	}
	error = open_pipes(log);
	if (error == 0)
		error = start_thread(log);
	if (error == 0)
		return log;
	snprintf(why, 256, "cannot start the log: %s", strerror(-error));
	close_all(log);
	if (log->done[1] >= 0)
		close(log->done[1]);
	free(log);
	return NULL;
}

void log_free(struct log *log)
{
	struct pollfd done;
	int ready;

	if (!log)
		return;
	done = (struct pollfd){.fd = log->done[0], .events = POLLIN};
	atomic_store(&log->stopping, true);
	wake(log);
	/* A thread that hangs in a stopped journal is left behind, with what it uses. */
	do
		ready = poll(&done, 1, PATIENCE_MS);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return;
	pthread_join(log->thread, NULL);
	close_all(log);
	free(log);
}
