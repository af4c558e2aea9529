/* SPDX-License-Identifier: MIT */
#include "os/credentials.h"

#include <sys/socket.h>

struct credentials credentials_of(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return (struct credentials){.uid = (uid_t)-1};
	return (struct credentials){.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
}
