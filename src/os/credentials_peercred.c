/* SPDX-License-Identifier: MIT */
#include "os/credentials.h"

#include <sys/socket.h>

/* Headers may be older than the kernel. On some machines that is another number. */
#if !defined(SO_PEERPIDFD) && SO_PEERCRED == 17
#define SO_PEERPIDFD 77
#endif

#ifdef SO_PEERPIDFD
int credentials_process(int fd)
{
	int process;
	socklen_t length = sizeof(process);

	return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &length) < 0 ? -1 : process;
}
#else
int credentials_process(int fd)
{
	(void)fd;
	return -1;
}
#endif

struct credentials credentials_of(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return (struct credentials){.uid = (uid_t)-1};
	return (struct credentials){.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
}
