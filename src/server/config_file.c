/* SPDX-License-Identifier: MIT */
#include "server/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/secret.h"

enum { PATIENCE_MS = 1000 };

/* A pipe that nobody writes to is not waited for: the loop stands still meanwhile. */
static ssize_t read_some(int fd, struct room room)
{
	struct pollfd pipe = {.fd = fd, .events = POLLIN};
	ssize_t length;

	do {
		length = read(fd, room.bytes, room.length);
	} while (length < 0 && (errno == EINTR ||
				(errno == EAGAIN && poll(&pipe, 1, PATIENCE_MS) > 0)));
	return length < 0 ? -errno : length;
}

/* Room for all of it first: what grows leaves copies of secrets behind. */
static int read_all(int fd, struct buf *text)
{
	struct stat status;
	ssize_t length = 1;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (S_ISREG(status.st_mode) && status.st_size > CONFIG_BYTES_MAX)
		return -EFBIG;
	if (buf_reserve(text, S_ISREG(status.st_mode) ? (size_t)status.st_size + 1 : 4096) < 0)
		return -ENOMEM;
	while (length > 0 && text->length <= CONFIG_BYTES_MAX) {
		if (buf_reserve(text, 1) < 0)
			return -ENOMEM;
		length = read_some(fd, (struct room){text->bytes + text->length,
						     text->capacity - text->length});
		if (length < 0)
			return (int)length;
		text->length += (size_t)length;
	}
	return 0;
}

static int read_file(const struct config_reader *reader, const char *path, struct buf *text,
		     struct buf *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int error = fd < 0 ? -errno : read_all(fd, text);

	(void)reader;
	if (fd >= 0)
		close(fd);
	if (error == 0)
		return 0;
	return buf_printf(why, "%s", strerror(-error)) < 0 ? -ENOMEM : 1;
}

/* It may be a secret: it is moved to where no other process sees it. */
static int read_variable(const struct config_reader *reader, const char *name, struct buf *text)
{
	(void)reader;
	return secret_variable(name, text);
}

const struct config_reader config_file_reader = {read_file, read_variable};

bool config_file_is_absent(const char *name)
{
	return *name == '-' && access(name + 1, F_OK) < 0 && errno == ENOENT;
}

int config_file_read(struct config *config, const char *name, struct buf *why)
{
	const char *path = config_file_path(name);

	if (config_init(config) < 0) {
		(void)buf_printf(why, "%s: out of memory", path);
		return 1;
	}
	if (config_file_is_absent(name))
		return 0;
	return config_parse(config, &config_file_reader, path, why);
}
