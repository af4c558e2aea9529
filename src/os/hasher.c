/* SPDX-License-Identifier: MIT */
#include "os/hasher.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/secret.h"
#include "os/crypto.h"
#include "os/process.h"

enum { BELL_RETRY_MS = 10 };

/* What lies between the two threads. The one that leaves last frees it. */
struct hasher_desk {
	pthread_mutex_t mutex;
	pthread_cond_t has_job;
	struct crypto crypto;
	char *password; /* NULL: no job */
	char *hash;
	int bell;       /* a byte: done, and whether it matched */
	bool is_left;   /* the loop has gone */
};

static void forget(char *text)
{
	if (text)
		secret_erase(text, strlen(text));
	free(text);
}

static void free_desk(struct hasher_desk *desk)
{
	forget(desk->password);
	forget(desk->hash);
	pthread_cond_destroy(&desk->has_job);
	pthread_mutex_destroy(&desk->mutex);
	close(desk->bell);
	free(desk);
}

static bool is_left(struct hasher_desk *desk)
{
	bool left;

	pthread_mutex_lock(&desk->mutex);
	left = desk->is_left;
	pthread_mutex_unlock(&desk->mutex);
	return left;
}

/* Somebody waits for it, and all others behind him: it has to get through. */
static void ring(struct hasher_desk *desk, char matches)
{
	const struct timespec pause = {.tv_nsec = BELL_RETRY_MS * 1000000L};

	while (write(desk->bell, &matches, 1) < 0 && !is_left(desk))
		nanosleep(&pause, NULL);
}

/* With the mutex held, which is given back while the hash is made. */
static void do_job(struct hasher_desk *desk)
{
	char *password = desk->password;
	char *hash = desk->hash;
	char matches;

	desk->password = desk->hash = NULL;
	pthread_mutex_unlock(&desk->mutex);
	matches = crypto_matches(&desk->crypto, password, hash) ? 1 : 0;
	forget(password);
	forget(hash);
	ring(desk, matches);
	pthread_mutex_lock(&desk->mutex);
}

static void *run(void *context)
{
	struct hasher_desk *desk = context;

	pthread_mutex_lock(&desk->mutex);
	/* Where it may not, it is a thread like any other. */
	(void)process_stand_back();
	while (!desk->is_left) {
		if (desk->password)
			do_job(desk);
		else
			pthread_cond_wait(&desk->has_job, &desk->mutex);
	}
	pthread_mutex_unlock(&desk->mutex);
	free_desk(desk);
	return NULL;
}

static void on_bell(struct source *source, unsigned ready)
{
	struct hasher *hasher = container_of(source, struct hasher, source);
	char matches;

	(void)ready;
	if (read(source->fd, &matches, 1) != 1)
		return;
	hasher->is_busy = false;
	hasher->done(hasher, matches);
}

void hasher_init(struct hasher *hasher, struct loop *loop)
{
	*hasher = (struct hasher){.source = {.fd = -1, .ready = on_bell}, .loop = loop};
}

/* 0 or -errno. */
static int start_thread(struct hasher_desk *desk)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	/* Signals are not for this thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, run, desk);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		pthread_detach(thread);
	return -error;
}

/* A desk that nobody sits at. NULL without memory. */
static struct hasher_desk *new_desk(const struct crypto *crypto, int bell)
{
	struct hasher_desk *desk = calloc(1, sizeof(*desk));

	if (!desk)
		return NULL;
	desk->crypto = *crypto;
	desk->bell = bell;
	pthread_mutex_init(&desk->mutex, NULL);
	pthread_cond_init(&desk->has_job, NULL);
	return desk;
}

/* 0 or -errno. */
static int start(struct hasher *hasher, const struct crypto *crypto)
{
	struct hasher_desk *desk;
	int ends[2];
	int error;

	if (pipe(ends) < 0)
		return -errno;
	error = fcntl(ends[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(ends[1], F_SETFD, FD_CLOEXEC) < 0 ||
				fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0
			? -errno : 0;
	desk = error < 0 ? NULL : new_desk(crypto, ends[1]);
	if (!desk) {
		close(ends[0]);
		close(ends[1]);
		return error < 0 ? error : -ENOMEM;
	}
	hasher->source.fd = ends[0];
	error = loop_want(hasher->loop, &hasher->source, POLLER_READ);
	if (error == 0)
		error = start_thread(desk);
	if (error == 0) {
		hasher->desk = desk;
		return 0;
	}
	loop_forget(hasher->loop, &hasher->source);
	close(ends[0]);
	hasher->source.fd = -1;
	free_desk(desk);
	return error;
}

void hasher_fini(struct hasher *hasher)
{
	struct hasher_desk *desk = hasher->desk;

	if (!desk)
		return;
	hasher->desk = NULL;
	pthread_mutex_lock(&desk->mutex);
	desk->is_left = true;
	pthread_cond_signal(&desk->has_job);
	pthread_mutex_unlock(&desk->mutex);
	loop_forget(hasher->loop, &hasher->source);
	close(hasher->source.fd);
}

int hasher_begin(struct hasher *hasher, const struct crypto *crypto, const char *password,
		 const char *hash)
{
	char *one = strdup(password);
	char *other = strdup(hash);
	int error = one && other ? 0 : -ENOMEM;

	if (error == 0 && !hasher->desk)
		error = start(hasher, crypto);
	if (error < 0) {
		forget(one);
		forget(other);
		return error;
	}
	pthread_mutex_lock(&hasher->desk->mutex);
	hasher->desk->password = one;
	hasher->desk->hash = other;
	pthread_cond_signal(&hasher->desk->has_job);
	pthread_mutex_unlock(&hasher->desk->mutex);
	hasher->is_busy = true;
	return 0;
}
