/* SPDX-License-Identifier: MIT */
#include "server/logging.h"

#include <string.h>

#include "os/log.h"
#include "server/options.h"

/* Where inetd started us there is no standard error to write to. */
static enum log_target find_target(const struct options *options)
{
	if (options->log_file)
		return LOG_TARGET_FILE;
	if (options->syslog || options->inetd)
		return LOG_TARGET_SYSLOG;
	return log_stderr_is_journal() ? LOG_TARGET_JOURNAL : LOG_TARGET_STDERR;
}

static struct log_options log_options_of(const struct options *options)
{
	return (struct log_options){
		.target = find_target(options),
		.file = options->log_file,
		.debug = options->debug,
		.trace = options->trace,
		.without_time = !options->logtime,
		.utc = options->logtime_utc,
	};
}

struct log *logging_new(const struct options *options, char why[256])
{
	struct log_options log_options = log_options_of(options);

	return log_new(&log_options, why);
}

/* The file counts as another one where only its text is: that is not to outlive the old options. */
static bool are_alike(const struct log_options *one, const struct log_options *other)
{
	return one->target == other->target && !one->file && !other->file &&
	       one->debug == other->debug && one->trace == other->trace &&
	       one->without_time == other->without_time && one->utc == other->utc;
}

struct log *logging_renew(struct log *log, const struct options *from, const struct options *to,
			  char why[256])
{
	struct log_options before = log_options_of(from), after = log_options_of(to);

	return are_alike(&before, &after) ? log : log_new(&after, why);
}
