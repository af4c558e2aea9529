/* SPDX-License-Identifier: MIT */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "os/log_sink.h"

enum { FIELDS_MAX = 6 };

bool log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat status;

	return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

/* One "KEY=value", if there is a value. */
static int add(struct iovec *fields, int count, const char *key, const char *value)
{
	char *field;
	int length;

	if (!value || !*value)
		return count;
	length = asprintf(&field, "%s=%s", key, value);
	if (length < 0)
		return count;
	fields[count] = (struct iovec){field, (size_t)length};
	return count + 1;
}

void log_journal_write(const struct log_record *record)
{
	struct iovec fields[FIELDS_MAX];
	char priority[2] = {(char)('0' + log_priority(record->level)), '\0'};
	char cid[24] = "";
	int count = 0;

	if (record->fields.cid)
		snprintf(cid, sizeof(cid), "%" PRIu64, record->fields.cid);
	count = add(fields, count, "MESSAGE", record->text);
	count = add(fields, count, "PRIORITY", priority);
	count = add(fields, count, "NATS_CID", cid);
	count = add(fields, count, "NATS_PEER", record->fields.peer);
	count = add(fields, count, "NATS_NAME", record->fields.name);
	count = add(fields, count, "NATS_REASON", record->fields.reason);
	sd_journal_sendv(fields, count);
	while (count > 0)
		free(fields[--count].iov_base);
}
