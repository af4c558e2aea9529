/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into the broker it ends the process just after it was handed descriptors, before it can
 * do anything with them: at the CRASH_AT-th time, counted from 1.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool has_descriptors(struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
	     head = CMSG_NXTHDR(message, head))
		if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
			return true;
	return false;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	static long count;
	const char *at = getenv("CRASH_AT");
	ssize_t got = syscall(SYS_recvmsg, fd, message, flags);

	if (got >= 0 && has_descriptors(message) && at && ++count == strtol(at, NULL, 10))
		kill(getpid(), SIGKILL);
	return got;
}
