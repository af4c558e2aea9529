/* SPDX-License-Identifier: MIT */
/*
 * Which process is at the other end of a Unix socket: credentials_peercred.c;
 * credentials_peereid.c where there is getpeereid(3) instead, which knows no pid.
 *
 * The kernel took them down when the process connected. It may have changed its user since, or
 * have passed the socket on, or be gone.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct credentials {
	uid_t uid; /* (uid_t)-1, which nobody can have: nothing is known */
	gid_t gid;
	pid_t pid; /* 0: not known, or of no meaning in our namespace */
};

struct credentials credentials_of(int fd);

/*
 * A descriptor of the very process that connected, which no other one is taken for when it has
 * ended. < 0: there is none, or the kernel has no such thing (Linux has, since 6.5).
 */
int credentials_process(int fd);

static inline bool credentials_are_known(const struct credentials *credentials)
{
	return credentials->uid != (uid_t)-1;
}
