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
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/log_sink.h"

enum {
	RING_BYTES = 64 << 10,
	PATIENCE_MS = 2000,
	ROUSE_MS = 50,  /* who waits for a flush asks for it again so often */
	EARLY_MS = 100, /* while it begins, nobody is kept waiting yet */
};

#define PLACE(member) offsetof(struct log_fields, member)

const struct log_text log_texts[] = {
	{"NATS_PEER", PLACE(peer), 256},
	{"NATS_PEER_UID", PLACE(uid), 24},
	{"NATS_PEER_GID", PLACE(gid), 24},
	{"NATS_PEER_PID", PLACE(pid), 24},
	{"NATS_PEER_UNIT", PLACE(unit), 256},
	{"NATS_NAME", PLACE(name), 512},
	{"NATS_LANG", PLACE(lang), 128},
	{"NATS_VERSION", PLACE(version), 128},
	{"NATS_LISTENER", PLACE(listener), 256},
	{"NATS_REASON", PLACE(reason), 256},
	{"NATS_SUBJECT", PLACE(subject), 1024},
	{NULL, 0, 0},
};

const struct log_number log_numbers[] = {
	{"NATS_CID", PLACE(cid)},
	{"NATS_COUNT", PLACE(count)},
	{"NATS_PENDING", PLACE(pending)},
	{NULL, 0},
};

/* How a record stands in the ring; behind it its text and all of log_texts, each with a NUL. */
struct entry {
	uint32_t length; /* with all that */
	uint32_t level;
	struct timespec time;
	struct log_fields fields; /* whose texts are not these pointers */
};

struct log {
	struct log_options options;
	int fd; /* of lines */
	int wake[2];
	int flushed[2]; /* a byte when flush_done has changed */
	pthread_t thread;
	bool has_thread;
	atomic_size_t head;
	atomic_size_t tail;
	atomic_bool asleep;
	atomic_bool stopping;
	atomic_bool abandoned;
	atomic_bool reopen;
	atomic_uint flush_wanted; /* how often */
	atomic_uint flush_done;   /* up to which of these */
	atomic_ullong dropped;    /* records, since the beginning */
	atomic_ullong told;       /* how many of these the log knows about */
	atomic_ullong written;    /* records that came through the ring, whatever became of them */
	unsigned long long put;   /* the producer's: records that went into it */
	unsigned long long seen;  /* the consumer's: `dropped` when it last looked */
	time_t told_s;            /* the consumer's: when it last told them */
	/* From here on all is written before it is read: what is not used takes no memory. */
	char texts[LOG_RECORD_MAX]; /* the producer's, of the record in hand: much for a stack */
	char ring[RING_BYTES];
	char record[LOG_RECORD_MAX]; /* the consumer's copy of a record's texts */
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
	/* Whoever has something next tries again. (A full pipe will wake it just as well.) */
	if (write(log->wake[1], "", 1) < 0)
		atomic_store(&log->asleep, true);
}

/* Whoever put something for the consumer to do calls this. */
static void rouse(struct log *log)
{
	if (atomic_exchange(&log->asleep, false))
		wake(log);
}

static bool has_no_room(struct log *log, size_t head, const struct entry *entry)
{
	return RING_BYTES - (head - atomic_load(&log->tail)) < entry->length;
}

/* Puts an entry and its texts, or counts it as dropped. */
static void produce(struct log *log, const struct entry *entry, const char *texts)
{
	size_t head = atomic_load_explicit(&log->head, memory_order_relaxed);

	/* Much to say before it was started. */
	if (!log->has_thread && has_no_room(log, head, entry))
		(void)log_flush(log, EARLY_MS);
	if (has_no_room(log, head, entry)) {
		atomic_fetch_add(&log->dropped, 1);
	} else {
		ring_put(log, head, entry, sizeof(*entry));
		ring_put(log, head + sizeof(*entry), texts, entry->length - sizeof(*entry));
		atomic_store(&log->head, head + entry->length);
		log->put++;
	}
	rouse(log);
}

static const char **text_of(struct log_fields *fields, const struct log_text *text)
{
	return (const char **)(void *)((char *)fields + text->place);
}

/* Copies the next record out. The texts point into log->record. */
static bool consume(struct log *log, struct log_record *record)
{
	size_t tail = atomic_load_explicit(&log->tail, memory_order_relaxed);
	const char *at = log->record;
	struct entry entry;

	if (atomic_load(&log->head) == tail)
		return false;
	ring_get(log, tail, &entry, sizeof(entry));
	ring_get(log, tail + sizeof(entry), log->record, entry.length - sizeof(entry));
	atomic_store(&log->tail, tail + entry.length);
	*record = (struct log_record){
		.level = (enum log_level)entry.level,
		.time = entry.time,
		.fields = entry.fields,
		.text = at,
	};
	for (const struct log_text *text = log_texts; text->key; text++) {
		at += strlen(at) + 1;
		*text_of(&record->fields, text) = at;
	}
	return true;
}

/* The consumer. */

static bool write_record(struct log *log, const struct log_record *record)
{
	switch (log->options.target) {
	case LOG_TARGET_JOURNAL:
		return log_journal_write(record);
	case LOG_TARGET_SYSLOG:
		log_syslog_write(record);
		return true;
	default:
		return log_lines_write(log->fd, &log->options, record);
	}
}

/* What the log has to say itself. Was it written? */
__attribute__((format(printf, 4, 5))) static bool report(struct log *log, enum log_level level,
							  const struct log_fields *fields,
							  const char *format, ...)
{
	struct log_record record = {.level = level};
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	record.text = text;
	if (fields)
		record.fields = *fields;
	clock_gettime(CLOCK_REALTIME, &record.time);
	return write_record(log, &record);
}

/* Those that cannot be told now are told the next time. */
static void tell_dropped(struct log *log)
{
	struct log_fields fields = {.event = LOG_EVENT_DROPPED};

	log->seen = atomic_load(&log->dropped);
	fields.count = log->seen - atomic_load(&log->told);
	if (fields.count > 0 &&
	    report(log, LOG_LEVEL_WARNING, &fields,
		   "%" PRIu64 " log records were dropped: the log could not take them",
		   fields.count))
		atomic_fetch_add(&log->told, fields.count);
}

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void reopen_file(struct log *log)
{
	int fd = open_file(log->options.file);
	bool told;

	if (fd < 0) {
		told = report(log, LOG_LEVEL_ERROR, NULL, "Cannot open log file %s: %s",
			      log->options.file, strerror(errno));
	} else {
		close(log->fd);
		log->fd = fd;
		told = report(log, LOG_LEVEL_INFO, NULL, "File log re-opened");
	}
	if (!told)
		atomic_fetch_add(&log->dropped, 1);
}

static void write_all(struct log *log)
{
	struct log_record record;

	if (atomic_exchange(&log->reopen, false))
		reopen_file(log);
	while (!atomic_load(&log->abandoned) && consume(log, &record)) {
		if (!write_record(log, &record))
			atomic_fetch_add(&log->dropped, 1);
		atomic_fetch_add(&log->written, 1);
		/* While they pour in there is no end at which to tell. */
		if (record.time.tv_sec != log->told_s) {
			log->told_s = record.time.tv_sec;
			tell_dropped(log);
		}
	}
	tell_dropped(log);
}

static void end_flush(struct log *log, unsigned wanted)
{
	ssize_t done;

	if (wanted == atomic_load(&log->flush_done))
		return;
	atomic_store(&log->flush_done, wanted);
	done = write(log->flushed[1], "", 1);
	(void)done;
}

static bool has_work(struct log *log)
{
	return atomic_load(&log->head) != atomic_load(&log->tail) ||
	       atomic_load(&log->dropped) != log->seen || atomic_load(&log->stopping) ||
	       atomic_load(&log->reopen) ||
	       atomic_load(&log->flush_wanted) != atomic_load(&log->flush_done);
}

/* Sleeps until there is something to do. */
static void wait_for_work(struct log *log)
{
	char bytes[64];

	atomic_store(&log->asleep, true);
	/* What came in before anybody could see that we sleep. */
	if (has_work(log)) {
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
		unsigned wanted = atomic_load(&log->flush_wanted);

		stopping = atomic_load(&log->stopping);
		write_all(log);
		end_flush(log, wanted);
		if (!stopping)
			wait_for_work(log);
	} while (!stopping);
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

/* Appends a text with its NUL, `most` bytes in all. Returns how many. */
static size_t put_text(char *to, const char *text, size_t most)
{
	snprintf(to, most, "%s", text ? text : "");
	make_printable(to);
	return strlen(to) + 1;
}

void log_write(struct log *log, enum log_level level, const struct log_fields *fields,
	       const char *format, ...)
{
	struct entry entry = {.level = level};
	char *texts = log->texts;
	size_t length;
	va_list arguments;

	if (!log_wants(log, level))
		return;
	if (fields)
		entry.fields = *fields;
	va_start(arguments, format);
	vsnprintf(texts, LOG_TEXT_MAX, format, arguments);
	va_end(arguments);
	make_printable(texts);
	length = strlen(texts) + 1;
	for (const struct log_text *text = log_texts; text->key; text++)
		length += put_text(texts + length, *text_of(&entry.fields, text), text->most);
	clock_gettime(CLOCK_REALTIME, &entry.time);
	entry.length = (uint32_t)(sizeof(entry) + length);
	produce(log, &entry, texts);
}

void log_reopen(struct log *log)
{
	if (log->options.target != LOG_TARGET_FILE)
		return;
	atomic_store(&log->reopen, true);
	rouse(log);
}

bool log_flush(struct log *log, unsigned patience_ms)
{
	unsigned wanted = atomic_fetch_add(&log->flush_wanted, 1) + 1;
	uint64_t now = clock_now_ms(), end = now + patience_ms;
	struct pollfd flushed = {.fd = log->flushed[0], .events = POLLIN};
	char bytes[64];

	/* Nobody else will. */
	if (log_start(log) < 0) {
		write_all(log);
		return true;
	}
	/* A byte that is there already belongs to a flush that came too late. */
	while (atomic_load(&log->flush_done) != wanted && now < end) {
		rouse(log);
		if (poll(&flushed, 1, (int)(end - now < ROUSE_MS ? end - now : ROUSE_MS)) > 0 &&
		    read(log->flushed[0], bytes, sizeof(bytes)) < 0 && errno != EAGAIN)
			break;
		now = clock_now_ms();
	}
	return atomic_load(&log->flush_done) == wanted;
}

/* Beginning and end. */

static int open_pipes(struct log *log)
{
	if (pipe(log->wake) < 0)
		return -errno;
	if (pipe(log->flushed) < 0)
		return -errno;
	for (int end = 0; end < 2; end++)
		if (fcntl(log->wake[end], F_SETFD, FD_CLOEXEC) < 0 ||
		    fcntl(log->flushed[end], F_SETFD, FD_CLOEXEC) < 0 ||
		    fcntl(log->flushed[end], F_SETFL, O_NONBLOCK) < 0)
			return -errno;
	return fcntl(log->wake[1], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

/* With all signals blocked, which the thread inherits. */
int log_start(struct log *log)
{
	sigset_t all, before;
	int error;

	if (log->has_thread)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&log->thread, NULL, run, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	log->has_thread = error == 0;
	return -error;
}

static void close_all(struct log *log)
{
	for (int end = 0; end < 2; end++) {
		if (log->wake[end] >= 0)
			close(log->wake[end]);
		if (log->flushed[end] >= 0)
			close(log->flushed[end]);
	}
	if (log->fd >= 0 && log->fd != STDERR_FILENO)
		close(log->fd);
}

struct log *log_new(const struct log_options *options, char why[256])
{
	struct log *log = malloc(sizeof(*log));
	int error;

	if (!log) {
		snprintf(why, 256, "cannot start the log: out of memory");
		return NULL;
	}
	memset(log, 0, offsetof(struct log, texts));
	log->options = *options;
	log->fd = STDERR_FILENO;
	log->wake[0] = log->wake[1] = log->flushed[0] = log->flushed[1] = -1;
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
		return log;
	snprintf(why, 256, "cannot start the log: %s", strerror(-error));
	close_all(log);
	free(log);
	return NULL;
}

/* The thread hangs, in a stopped journal say, and is left behind with what it uses. */
static void abandon(struct log *log)
{
	unsigned long long lost;

	atomic_store(&log->abandoned, true);
	/* Should it come loose right now, the record in its hands is counted, but not lost. */
	lost = log->put - atomic_load(&log->written) + atomic_load(&log->dropped) -
	       atomic_load(&log->told);
	if (log->options.target == LOG_TARGET_JOURNAL)
		log_journal_tell_lost(lost);
}

void log_free(struct log *log)
{
	if (!log)
		return;
	if (!log_flush(log, PATIENCE_MS)) {
		abandon(log);
		return;
	}
	atomic_store(&log->stopping, true);
	/* The end of the pipe wakes it, whatever happens. */
	close(log->wake[1]);
	log->wake[1] = -1;
	if (log->has_thread)
		pthread_join(log->thread, NULL);
	close_all(log);
	free(log);
}
