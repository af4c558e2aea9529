/* SPDX-License-Identifier: MIT */
#include "os/process.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>

/* On Linux this is about one thread, whatever POSIX says. */
int process_stand_back(void)
{
	const struct sched_param none = {.sched_priority = 0};

	return sched_setscheduler(0, SCHED_IDLE, &none) < 0 ? -errno : 0;
}

/*
 * RLIMIT_CORE would not do: a program that the kernel pipes dumps to gets them all the same.
 * Neither would MADV_DONTDUMP: a password comes through buffers, JSON, stacks and libraries.
 */
void process_forbid_dumps(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
