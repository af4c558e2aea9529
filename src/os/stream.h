/* SPDX-License-Identifier: MIT */
/*
 * A connection as bytes in and bytes out.
 *
 * One kind today, the plain socket; encryption and framing will be others behind the same calls.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/slice.h"

struct stream;

/* Part of a read: bytes go there first to last. */
struct stream_room {
	char *bytes;
	size_t length;
};

enum { STREAM_SLICES = 64 };

struct stream_kind {
	ssize_t (*read)(struct stream *stream, const struct stream_room *rooms, size_t count);
	ssize_t (*write)(struct stream *stream, const struct slice *slices, size_t count);
	void (*finish)(struct stream *stream);
	void (*close)(struct stream *stream);
};

struct stream {
	const struct stream_kind *kind;
	int fd; /* what the poller watches */
};

/* Takes the descriptor, which does not block. */
struct stream stream_plain(int fd);

/* How many bytes; 0 at the end; -errno, of which -EAGAIN means: wait for the poller. */
static inline ssize_t stream_read(struct stream *stream, const struct stream_room *rooms,
				  size_t count)
{
	return stream->kind->read(stream, rooms, count);
}

/* How many bytes, perhaps not all; -errno as above. At most STREAM_SLICES slices. */
static inline ssize_t stream_write(struct stream *stream, const struct slice *slices, size_t count)
{
	return stream->kind->write(stream, slices, count);
}

/* No more will be written: the other end sees the end of it. Reading goes on. */
static inline void stream_finish(struct stream *stream)
{
	stream->kind->finish(stream);
}

static inline void stream_close(struct stream *stream)
{
	stream->kind->close(stream);
}
