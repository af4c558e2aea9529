/* SPDX-License-Identifier: MIT */
#include "os/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t plain_read(struct stream *stream, const struct room *rooms, size_t count)
{
	struct iovec vectors[STREAM_ROOMS];
	ssize_t got;

	if (count == 1) {
		got = recv(stream->fd, rooms[0].bytes, rooms[0].length, 0);
		return got < 0 ? -errno : got;
	}
	assert(count <= STREAM_ROOMS);
	for (size_t at = 0; at < count; at++)
		vectors[at] = (struct iovec){rooms[at].bytes, rooms[at].length};
	got = readv(stream->fd, vectors, (int)count);
	return got < 0 ? -errno : got;
}

static ssize_t plain_write(struct stream *stream, const struct slice *slices, size_t count)
{
	struct iovec vectors[STREAM_SLICES];
	ssize_t put;

	if (count == 1) {
		put = send(stream->fd, slices[0].bytes, slices[0].length, 0);
		return put < 0 ? -errno : put;
	}
	assert(count <= STREAM_SLICES);
	for (size_t at = 0; at < count; at++)
		vectors[at] = (struct iovec){(void *)(uintptr_t)slices[at].bytes,
					     slices[at].length};
	put = writev(stream->fd, vectors, (int)count);
	return put < 0 ? -errno : put;
}

static void plain_finish(struct stream *stream)
{
	shutdown(stream->fd, SHUT_WR);
}

static void plain_close(struct stream *stream)
{
	close(stream->fd);
	stream->fd = -1;
}

static const struct stream_kind plain = {true, plain_read, plain_write, plain_finish, plain_close};

struct stream stream_plain(int fd)
{
	return (struct stream){&plain, fd};
}
