/* SPDX-License-Identifier: MIT */
#include "os/process.h"

#include <errno.h>
#include <sys/resource.h>

int process_stand_back(void)
{
	return -ENOSYS;
}

void process_forbid_dumps(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
}
