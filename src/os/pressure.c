/* SPDX-License-Identifier: MIT */
#include "os/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/list.h"

enum { REST_MS = 1000, WRITE_MOST = 512 };

/* -1: none of base64. */
static int value_of(char letter)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789+/";
	const char *at = letter ? strchr(letters, letter) : NULL;

	return at ? (int)(at - letters) : -1;
}

/* Padded to a multiple of four letters, as it should be. The number of bytes, or -EBADMSG. */
static ssize_t decode(const char *text, unsigned char bytes[WRITE_MOST])
{
	size_t letters = strcspn(text, "=");
	size_t length = 0;
	unsigned bits = 0;

	if (strlen(text) % 4 != 0 || letters + 2 < strlen(text) || letters % 4 == 1 ||
	    text[letters + strspn(text + letters, "=")])
		return -EBADMSG;
	for (size_t at = 0; at < letters; at++) {
		int value = value_of(text[at]);

		if (value < 0 || length == WRITE_MOST)
			return -EBADMSG;
		bits = bits << 6 | (unsigned)value;
		if (at % 4 > 0)
			bytes[length++] = (unsigned char)(bits >> (6 - at % 4 * 2));
	}
	return (ssize_t)length;
}

/* Absolute, and without "." and "..", as the supervisor writes it. */
static bool is_path(const char *path)
{
	return *path == '/' && !strstr(path, "/./") && !strstr(path, "/../") &&
	       !strstr(path, "//");
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return -errno;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* A FIFO that we could write to as well never ends, whoever leaves it. */
static int open_watch(const char *path, bool *is_file)
{
	struct stat status;
	int fd;

	if (stat(path, &status) < 0)
		return -errno;
	*is_file = S_ISREG(status.st_mode);
	if (S_ISSOCK(status.st_mode))
		return connect_to(path);
	if (!*is_file && !S_ISFIFO(status.st_mode))
		return -EBADF;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const unsigned char *bytes, size_t length)
{
	ssize_t done = length > 0 ? write(fd, bytes, length) : 0;

	if (done < 0)
		return -errno;
	return (size_t)done < length ? -EIO : 0;
}

/* What we wrote into a FIFO is for its other end, which has some time to read it. */
static int listen_later(struct pressure *pressure)
{
	return loop_set_timer(pressure->loop, &pressure->timer, pressure->loop->now_ms + REST_MS);
}

static int listen_now(struct pressure *pressure)
{
	return loop_want(pressure->loop, &pressure->source,
			 pressure->is_file ? POLLER_URGENT : POLLER_READ);
}

void pressure_forget(struct pressure *pressure)
{
	if (!pressure->loop)
		return;
	loop_forget(pressure->loop, &pressure->source);
	loop_cancel_timer(pressure->loop, &pressure->timer);
	close(pressure->source.fd);
	pressure->loop = NULL;
}

static void lose(struct pressure *pressure, int error)
{
	pressure_forget(pressure);
	pressure->lost(pressure, error);
}

static void on_timer(struct timer *timer)
{
	struct pressure *pressure = container_of(timer, struct pressure, timer);
	int error = listen_now(pressure);

	if (error < 0)
		lose(pressure, error);
}

/* What is said there means nothing. -errno; -EPIPE: it has ended. */
static int read_all(int fd)
{
	char bytes[4096];
	ssize_t got;

	do
		got = read(fd, bytes, sizeof(bytes));
	while (got == sizeof(bytes));
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	return got == 0 ? -EPIPE : -errno;
}

static void on_ready(struct source *source, unsigned ready)
{
	struct pressure *pressure = container_of(source, struct pressure, source);
	int error = pressure->is_file ? 0 : read_all(source->fd);

	(void)ready;
	if (error < 0) {
		lose(pressure, error);
		return;
	}
	error = loop_want(pressure->loop, source, 0);
	if (error == 0)
		error = listen_later(pressure);
	if (error < 0)
		lose(pressure, error);
	pressure->felt(pressure);
}

static int fail(int error, const char *about, char why[PRESSURE_WHY])
{
	snprintf(why, PRESSURE_WHY, "%s: %s", about, strerror(-error));
	return error;
}

int pressure_watch(struct pressure *pressure, struct loop *loop, char why[PRESSURE_WHY])
{
	const char *path = getenv("MEMORY_PRESSURE_WATCH");
	const char *text = getenv("MEMORY_PRESSURE_WRITE");
	unsigned char bytes[WRITE_MOST];
	ssize_t length;
	int fd, error;

	if (!path || !*path || strcmp(path, "/dev/null") == 0)
		return 0;
	if (!is_path(path))
		return fail(-EBADMSG, "$MEMORY_PRESSURE_WATCH is not an absolute path", why);
	length = decode(text ? text : "", bytes);
	if (length < 0)
		return fail((int)length, "$MEMORY_PRESSURE_WRITE is not base64", why);
	fd = open_watch(path, &pressure->is_file);
	if (fd < 0)
		return fail(fd, path, why);
	pressure->source = (struct source){.fd = fd, .ready = on_ready};
	pressure->timer = (struct timer){.expired = on_timer};
	pressure->loop = loop;
	error = write_all(fd, bytes, (size_t)length);
	if (error == 0)
		error = pressure->is_file ? listen_now(pressure) : listen_later(pressure);
	if (error == 0)
		return 1;
	pressure_forget(pressure);
	return fail(error, path, why);
}
