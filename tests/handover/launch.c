/* SPDX-License-Identifier: MIT */
/*
 * launch COMMAND [ARGUMENT...]: says on standard error when it was, and becomes COMMAND.
 *
 * In a unit it marks where systemd's part of a start ends and the daemon's begins.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	dprintf(STDERR_FILENO, "launched at %lld ns\n",
		(long long)now.tv_sec * 1000000000 + now.tv_nsec);
	if (argc > 1)
		execv(argv[1], argv + 1);
	perror("launch");
	return EXIT_FAILURE;
}
