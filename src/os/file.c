/* SPDX-License-Identifier: MIT */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* 0 or -errno. */
static int write_text(int fd, struct slice text)
{
	ssize_t done = write(fd, text.bytes, text.length);
	int error = done < 0 ? -errno : done < (ssize_t)text.length ? -ENOSPC : 0;

	if (close(fd) < 0 && error == 0)
		error = -errno;
	return error;
}

int file_write(const char *path, struct slice text, mode_t mode)
{
	char temporary[PATH_MAX];
	int length = snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
	int error;
	int fd;

	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	error = write_text(fd, text);
	if (error == 0 && rename(temporary, path) < 0)
		error = -errno;
	if (error < 0)
		unlink(temporary);
	return error;
}
