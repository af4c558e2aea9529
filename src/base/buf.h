/* SPDX-License-Identifier: MIT */
/*
 * Bytes that grow at the end.
 *
 * An empty buf owns no memory, so whoever is idle costs nothing.
 */
#pragma once

#include <stddef.h>

#include "base/slice.h"

struct buf {
	char *bytes;
	size_t length;
	size_t capacity;
};

/* Frees the memory; the buf is empty and may be used again. */
void buf_fini(struct buf *buf);

/* Makes room for `more` bytes after the length. 0 or -ENOMEM. */
int buf_reserve(struct buf *buf, size_t more);

/* 0 or -ENOMEM; on error nothing has changed. */
int buf_append(struct buf *buf, struct slice bytes);

/* printf to the end. 0 or -ENOMEM. */
__attribute__((format(printf, 2, 3))) int buf_printf(struct buf *buf, const char *format, ...);

static inline struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){buf->bytes, buf->length};
}
