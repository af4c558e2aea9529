/* SPDX-License-Identifier: MIT */
#include "os/accept.h"

#include <errno.h>
#include <sys/socket.h>

int accept_connection(int listener, struct sockaddr_storage *peer)
{
	socklen_t length = sizeof(*peer);
	int fd = accept4(listener, (struct sockaddr *)peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
