/* SPDX-License-Identifier: MIT */
/*
 * LD_PRELOAD=premain.so: how long a daemon takes from main() to READY=1, on its standard error.
 *
 * The clock starts in the constructor of this object. That is the last thing before main(), but for
 * constructors of the program's own: those of the libraries it is linked with have run, as the dynamic
 * linker takes who was loaded first last. It stops when the datagram with READY=1 has been sent.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* An object that is preloaded has no argument in which this could travel. */
static struct timespec begin;

static double since_begin_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin.tv_sec) * 1e3 +
		(double)(now.tv_nsec - begin.tv_nsec) / 1e6;
}

static int is_ready(const struct msghdr *message)
{
	static const char ready[] = "READY=1";

	return message->msg_iovlen > 0 &&
		memmem(message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, ready,
		       sizeof(ready) - 1) != NULL;
}

/* libsystemd's way to tell. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t (*next)(int, const struct msghdr *, int);
	ssize_t sent;
	double took;

	*(void **)&next = dlsym(RTLD_NEXT, "sendmsg");
	sent = next(fd, message, flags);
	took = since_begin_ms();
	if (sent > 0 && is_ready(message))
		dprintf(STDERR_FILENO, "main to READY=1: %.3f ms\n", took);
	return sent;
}

__attribute__((constructor)) static void note_begin(void)
{
	/* Not the time to find a symbol, which is only this object's. */
	dlsym(RTLD_NEXT, "sendmsg");
	clock_gettime(CLOCK_MONOTONIC, &begin);
}
