/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "os/log_sink.h"

static const struct {
	const char *tag;
	int priority;
} levels[] = {
	[LOG_LEVEL_FATAL] = {"FTL", LOG_CRIT},    [LOG_LEVEL_ERROR] = {"ERR", LOG_ERR},
	[LOG_LEVEL_WARNING] = {"WRN", LOG_WARNING}, [LOG_LEVEL_INFO] = {"INF", LOG_INFO},
	[LOG_LEVEL_DEBUG] = {"DBG", LOG_DEBUG},   [LOG_LEVEL_TRACE] = {"TRC", LOG_DEBUG},
};

int log_priority(enum log_level level)
{
	return levels[level].priority;
}

static size_t write_time(char *to, size_t size, const struct log_options *options,
			 const struct timespec *time)
{
	char day[32];
	struct tm parts;

	if (options->without_time)
		return 0;
	if (options->utc)
		gmtime_r(&time->tv_sec, &parts);
	else
		localtime_r(&time->tv_sec, &parts);
	strftime(day, sizeof(day), "%Y/%m/%d %H:%M:%S", &parts);
	return (size_t)snprintf(to, size, "%s.%06ld ", day, time->tv_nsec / 1000);
}

bool log_lines_write(int fd, const struct log_options *options, const struct log_record *record)
{
	char head[96];
	size_t length = (size_t)snprintf(head, sizeof(head), "[%ld] ", (long)getpid());
	struct iovec parts[3];
	ssize_t done;

	length += write_time(head + length, sizeof(head) - length, options, &record->time);
	length += (size_t)snprintf(head + length, sizeof(head) - length, "[%s] ",
				   levels[record->level].tag);
	parts[0] = (struct iovec){head, length};
	parts[1] = (struct iovec){(void *)(uintptr_t)record->text, strlen(record->text)};
	parts[2] = (struct iovec){(void *)(uintptr_t)"\n", 1};
	done = writev(fd, parts, 3);
	return done == (ssize_t)(length + parts[1].iov_len + 1);
}

void log_syslog_open(void)
{
	openlog("minats", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void log_syslog_write(const struct log_record *record)
{
	syslog(log_priority(record->level), "%s", record->text);
}
