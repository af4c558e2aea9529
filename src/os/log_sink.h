/* SPDX-License-Identifier: MIT */
/*
 * Where the log thread writes: lines in log_lines.c; the journal in log_journal.c, or nowhere in
 * log_journal_none.c.
 */
#pragma once

#include <time.h>

#include "os/log.h"

struct log_record {
	enum log_level level;
	struct timespec time;
	struct log_fields fields; /* texts are "" where nothing is known */
	const char *text;
};

/* A member of log_fields and how the journal calls it. The arrays end with a row without a key. */
struct log_text {
	const char *key;
	size_t place; /* in log_fields */
	size_t most;  /* bytes, NUL included: more is cut */
};
struct log_number {
	const char *key;
	size_t place;
};
extern const struct log_text log_texts[];
extern const struct log_number log_numbers[];

/* Bytes of all texts of a record, at most. */
enum { LOG_RECORD_MAX = LOG_TEXT_MAX + 2888 };

/* Writes "[pid] time [INF] text" to the descriptor. Was it written? */
bool log_lines_write(int fd, const struct log_options *options, const struct log_record *record);

void log_syslog_open(void);
void log_syslog_write(const struct log_record *record);

/* Was it written? */
bool log_journal_write(const struct log_record *record);

/* The journal does not listen, and the process ends: so many records will not be in it. */
void log_journal_tell_lost(unsigned long long count);

/* The priority of syslog(3), which the journal uses too. */
int log_priority(enum log_level level);
