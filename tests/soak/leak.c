/* SPDX-License-Identifier: MIT */
/*
 * Preloaded: the broker leaks something for every client that it accepts, as $LEAK says: memory, or
 * descriptors. For the self-test of tests/soak/run.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEAK_BYTES = 4000 };

static void *volatile leaked;

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict length, int flags)
{
	int (*real)(int, __SOCKADDR_ARG, socklen_t *, int);
	const char *what = getenv("LEAK");
	int client;

	*(void **)&real = dlsym(RTLD_NEXT, "accept4");
	client = real(fd, address, length, flags);
	if (client < 0 || !what)
		return client;
	if (strcmp(what, "memory") == 0 && (leaked = malloc(LEAK_BYTES)))
		memset(leaked, 'x', LEAK_BYTES);
	if (strcmp(what, "descriptors") == 0 && client % 2)
		(void)!dup(fd);
	return client;
}
