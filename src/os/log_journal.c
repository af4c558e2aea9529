/* SPDX-License-Identifier: MIT */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "os/log_sink.h"

/* Room for log_texts, log_numbers and four of the journal's own. */
enum { FIELDS_MAX = 24, KEYS_MAX = FIELDS_MAX * 48 };

/* The fields of a record, "KEY=value", in one piece of memory. */
struct message {
	struct iovec fields[FIELDS_MAX];
	int count;
	size_t length;
	char bytes[LOG_RECORD_MAX + KEYS_MAX];
};

bool log_stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat status;

	return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

/* One field, if it has a value. */
static void add(struct message *message, const char *key, const char *value)
{
	char *field = message->bytes + message->length;
	size_t room = sizeof(message->bytes) - message->length;
	size_t length = strlen(key) + 1 + strlen(value);

	if (!*value)
		return;
	assert(message->count < FIELDS_MAX && length < room);
	snprintf(field, room, "%s=%s", key, value);
	message->fields[message->count++] = (struct iovec){field, length};
	message->length += length + 1;
}

static void add_number(struct message *message, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	add(message, key, text);
}

bool log_journal_write(const struct log_record *record)
{
	const char *fields = (const char *)&record->fields;
	struct message message;

	message.count = 0;
	message.length = 0;
	add(&message, "MESSAGE", record->text);
	add(&message, "MESSAGE_ID", record->fields.event ? record->fields.event : "");
	add_number(&message, "PRIORITY", (uint64_t)log_priority(record->level));
	add_number(&message, "SYSLOG_FACILITY", LOG_DAEMON >> 3);
	for (const struct log_text *text = log_texts; text->key; text++) {
		const char *value = *(const char *const *)(const void *)(fields + text->place);

		add(&message, text->key, value ? value : "");
	}
	for (const struct log_number *number = log_numbers; number->key; number++) {
		uint64_t value = *(const uint64_t *)(const void *)(fields + number->place);

		if (value)
			add_number(&message, number->key, value);
	}
	return sd_journal_sendv(message.fields, message.count) >= 0;
}

/* Standard error is a stream of the journal's. It waits there when we are gone; we do not. */
void log_journal_tell_lost(unsigned long long count)
{
	char line[128];
	int length = snprintf(line, sizeof(line), "<4>%llu log records were dropped: the log could "
						  "not take them\n", count);

	send(STDERR_FILENO, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}
