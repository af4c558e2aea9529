/* SPDX-License-Identifier: MIT */
#include "os/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int accept_connection(int listener, struct sockaddr_storage *peer)
{
	socklen_t length = sizeof(*peer);
	int fd = accept(listener, (struct sockaddr *)peer, &length);
	int error;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}
