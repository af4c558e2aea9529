/* SPDX-License-Identifier: MIT */
/*
 * A connection as bytes in and bytes out.
 *
 * One kind today, the plain socket; encryption and framing will be others behind the same calls.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/slice.h"

struct stream;

enum { STREAM_SLICES = 64, STREAM_ROOMS = 2 };

struct stream_kind {
	bool can_move; /* another process can go on with it: all to know is in the socket */
	ssize_t (*read)(struct stream *stream, const struct room *rooms, size_t count);
	ssize_t (*write)(struct stream *stream, const struct slice *slices, size_t count);
	void (*finish)(struct stream *stream);
	void (*close)(struct stream *stream);
};

struct stream {
	const struct stream_kind *kind;
	int fd; /* what the poller watches */
};

/* Was the answer only that the poller must be waited for? */
static inline bool stream_must_wait(ssize_t answer)
{
	return answer == -EAGAIN || answer == -EWOULDBLOCK || answer == -EINTR;
}

/* Takes the descriptor, which does not block. */
struct stream stream_plain(int fd);

/* How many bytes, filling the rooms in order; 0 at the end; -errno. At most STREAM_ROOMS rooms. */
static inline ssize_t stream_read(struct stream *stream, const struct room *rooms,
				  size_t count)
{
	return stream->kind->read(stream, rooms, count);
}

/* How many bytes, perhaps not all; -errno. At most STREAM_SLICES slices. */
static inline ssize_t stream_write(struct stream *stream, const struct slice *slices, size_t count)
{
	return stream->kind->write(stream, slices, count);
}

/* No more will be written: the other end sees the end of it. Reading goes on. */
static inline void stream_finish(struct stream *stream)
{
	stream->kind->finish(stream);
}

static inline bool stream_can_move(const struct stream *stream)
{
	return stream->kind->can_move;
}

static inline void stream_close(struct stream *stream)
{
	stream->kind->close(stream);
}
