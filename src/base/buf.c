/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST = 256, BUF_LINE = 128 };

void buf_fini(struct buf *buf)
{
	free(buf->bytes);
	*buf = (struct buf){0};
}

int buf_reserve(struct buf *buf, size_t more)
{
	size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST;
	char *bytes;

	if (more <= buf->capacity - buf->length)
		return 0;
	if (more > SIZE_MAX / 2 - buf->length)
		return -ENOMEM;
	while (capacity < buf->length + more)
		capacity *= 2;
	bytes = realloc(buf->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	buf->bytes = bytes;
	buf->capacity = capacity;
	return 0;
}

int buf_append(struct buf *buf, struct slice bytes)
{
	if (buf_reserve(buf, bytes.length) < 0)
		return -ENOMEM;
	if (bytes.length > 0)
		memcpy(buf->bytes + buf->length, bytes.bytes, bytes.length);
	buf->length += bytes.length;
	return 0;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments, again;
	size_t room;
	int length;

	if (buf_reserve(buf, BUF_LINE) < 0)
		return -ENOMEM;
	room = buf->capacity - buf->length;
	va_start(arguments, format);
	va_copy(again, arguments);
	length = vsnprintf(buf->bytes + buf->length, room, format, arguments);
	/* It is cut where there is no room for it, and for the terminator behind it. */
	if (length >= 0 && (size_t)length >= room) {
		if (buf_reserve(buf, (size_t)length + 1) < 0)
			length = -1;
		else
			vsnprintf(buf->bytes + buf->length, (size_t)length + 1, format, again);
	}
	va_end(again);
	va_end(arguments);
	if (length < 0)
		return -ENOMEM;
	buf->length += (size_t)length;
	return 0;
}
