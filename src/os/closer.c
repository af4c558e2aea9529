/* SPDX-License-Identifier: MIT */
#include "os/closer.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

static void *run(void *context)
{
	close((int)(intptr_t)context);
	return NULL;
}

void closer_close(int fd)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	/* Signals are not for this thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, run, (void *)(intptr_t)fd);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		close(fd);
	else
		pthread_detach(thread);
}
