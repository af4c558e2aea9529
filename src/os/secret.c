/* SPDX-License-Identifier: MIT */
#include "os/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/secret.h"

extern char **environ;

enum { CREDENTIAL_MOST = 1 << 20 }; /* as many bytes as systemd takes */

void secret_hide_word(char **word, size_t from)
{
	char *copy = strdup(*word);

	if (!copy)
		return;
	secret_erase(*word + from, strlen(*word) - from);
	*word = copy;
}

/* Its word in the environment. NULL: it is not there. */
static char **find_variable(const char *name)
{
	size_t length = strlen(name);

	for (char **at = environ; at && *at; at++)
		if (strncmp(*at, name, length) == 0 && (*at)[length] == '=')
			return at;
	return NULL;
}

/* One name, which leads nowhere else. */
static bool is_credential_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

/* 0 or -errno. */
static int read_all(int fd, struct buf *out)
{
	ssize_t got = 1;

	while (got > 0 && out->length <= CREDENTIAL_MOST) {
		if (buf_reserve(out, 4096) < 0)
			return -ENOMEM;
		got = read(fd, out->bytes + out->length, 4096);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			out->length += (size_t)got;
	}
	return got < 0 ? -errno : got > 0 ? -EFBIG : 0;
}

static int read_credential(const char *name, struct buf *out)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];
	int fd, error;

	if (!directory || !is_credential_name(name))
		return -ENOENT;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = read_all(fd, out);
	close(fd);
	if (error == 0 && out->length > 0 && out->bytes[out->length - 1] == '\n')
		out->length--;
	return error;
}

/* The C library keeps its own copy from now on, and no second one of the same. */
static void hide_variable(char **word, const char *name, size_t from)
{
	char *before = *word;
	char *copy = strdup(before + from);

	if (copy && setenv(name, copy, 1) == 0) {
		word = find_variable(name);
		if (word && *word != before)
			secret_erase(before + from, strlen(before + from));
	}
	if (copy)
		secret_erase(copy, strlen(copy));
	free(copy);
}

int secret_variable(const char *name, struct buf *out)
{
	char **word = find_variable(name);
	size_t from = strlen(name) + 1;
	int error;

	if (!word)
		return read_credential(name, out);
	error = buf_append(out, slice_of(*word + from));
	hide_variable(word, name, from);
	return error;
}
