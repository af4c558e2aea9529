/* SPDX-License-Identifier: MIT */
#include "os/random.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int random_fill(void *bytes, size_t length)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	char *to = bytes;
	ssize_t got;

	if (fd < 0)
		return -errno;
	while (length > 0) {
		got = read(fd, to, length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		to += got;
		length -= (size_t)got;
	}
	close(fd);
	return length == 0 ? 0 : -EIO;
}
