/* SPDX-License-Identifier: MIT */
#include "os/log_sink.h"

bool log_stderr_is_journal(void)
{
	return false;
}

bool log_journal_write(const struct log_record *record)
{
	(void)record;
	return false;
}

void log_journal_tell_lost(unsigned long long count)
{
	(void)count;
}
