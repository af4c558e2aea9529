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

/* What a record is about, beside its text; NULL and 0: nothing. */
struct log_fields {
	uint64_t cid;
	const char *peer;
	const char *name;
	const char *reason;
};

/* Long texts, a trace of a large payload say, are cut. */
enum { LOG_TEXT_MAX = 8192 };

struct log;

/* Starts the thread, which takes no signals. NULL with `why`. */
struct log *log_new(const struct log_options *options, char why[256]);

/* Writes what is left, but waits for a writer that is stuck two seconds at most. */
void log_free(struct log *log);

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
