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

/* Writes "[pid] time [INF] text" to the descriptor. */
void log_lines_write(int fd, const struct log_options *options, const struct log_record *record);

void log_syslog_open(void);
void log_syslog_write(const struct log_record *record);

void log_journal_write(const struct log_record *record);

/* The priority of syslog(3), which the journal uses too. */
int log_priority(enum log_level level);
