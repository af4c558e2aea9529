/* SPDX-License-Identifier: MIT */
/*
 * What the daemon tells its admin.
 *
 * Records go through a bounded ring to one thread, which writes them to the journal, a file, the
 * syslog or standard error. Whoever logs never waits: when the ring is full the record is dropped,
 * and the thread tells how many were.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_FATAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE,
};

enum log_target {
	LOG_TARGET_STDERR,
	LOG_TARGET_FILE,
	LOG_TARGET_SYSLOG,
	LOG_TARGET_JOURNAL,
};

struct log_options {
	enum log_target target;
	const char *file;  /* for LOG_TARGET_FILE; must outlive the log */
	bool debug;
	bool trace;
	bool without_time; /* in lines; the journal and syslog have their own */
	bool utc;
};

/*
 * What a record is about, beside its text; NULL and 0: nothing. Each is a field of the journal, by
 * a row of log_texts or log_numbers in log.c. The texts are borrowed for the call.
 */
struct log_fields {
	const char *event; /* the kind of event, a MESSAGE_ID: 32 hexadecimal digits, static */
	uint64_t cid;
	uint64_t count;    /* of the things that it is about */
	uint64_t pending;  /* bytes that waited for the client */
	const char *peer;
	const char *uid;   /* as texts, for 0 is a user */
	const char *gid;
	const char *pid;
	const char *unit;  /* of the service manager, that this process belongs to */
	const char *name;
	const char *lang;
	const char *version;
	const char *listener;
	const char *reason;
	const char *subject;
};

/* For a record with nothing else than its event. */
#define LOG_EVENT(id) (&(const struct log_fields){.event = (id)})

/* The log's own event: records were dropped. The others are in server/events.h. */
#define LOG_EVENT_DROPPED "1b2ca85eb04a492e8d03f0ba252a829a"

/* Long texts, a trace of a large payload say, are cut. */
enum { LOG_TEXT_MAX = 8192 };

struct log;

/* NULL with `why`. */
struct log *log_new(const struct log_options *options, char why[256]);

/*
 * Starts the thread, which takes no signals; until then records wait in the ring. A process with
 * one thread opens thousands of descriptors much faster: the kernel need not care for others while
 * it makes room for them. 0 or -errno; done by log_flush() and log_free() if need be.
 */
int log_start(struct log *log);

/*
 * Writes what is left, but waits for a writer that is stuck two seconds at most. What the journal
 * has not taken by then is at least counted, on standard error, where it will find that later.
 */
void log_free(struct log *log);

/* Waits until all that was logged is written, but not longer than that. Was it? */
bool log_flush(struct log *log, unsigned patience_ms);

/* Is anybody interested in records of this level? */
bool log_wants(const struct log *log, enum log_level level);

/* The file is opened anew, as after its renaming. */
void log_reopen(struct log *log);

/* From one thread only, the loop's. `fields` may be NULL. */
__attribute__((format(printf, 4, 5))) void log_write(struct log *log, enum log_level level,
						      const struct log_fields *fields,
						      const char *format, ...);

/* Is standard error the journal? Then its own interface says more than lines do. */
bool log_stderr_is_journal(void);
