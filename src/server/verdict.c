/* SPDX-License-Identifier: MIT */
#include "server/verdict.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"

enum { LOOK_EVERY_MS = 10, VERDICT_TEXT = 1024 };

#define WELL "ok"

/* False: there is no place for it. */
static bool find_path(char path[PATH_MAX])
{
	const char *directories = getenv("RUNTIME_DIRECTORY");
	int first = directories ? (int)strcspn(directories, ":") : 0;

	return first > 0 && snprintf(path, PATH_MAX, "%.*s/reload", first, directories) < PATH_MAX;
}

bool verdict_is_told(void)
{
	char path[PATH_MAX];

	return find_path(path);
}

int verdict_tell(const char *why)
{
	char path[PATH_MAX], text[VERDICT_TEXT];
	int length;

	if (!find_path(path))
		return 0;
	length = snprintf(text, sizeof(text), "%.*s\n", VERDICT_TEXT - 2, why ? why : WELL);
	return file_write(path, (struct slice){text, (size_t)length}, 0644);
}

int verdict_forget(void)
{
	char path[PATH_MAX];

	return find_path(path) && unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static bool read_verdict(char text[VERDICT_TEXT])
{
	char path[PATH_MAX];
	FILE *file = find_path(path) ? fopen(path, "re") : NULL;

	if (!file)
		return false;
	if (!fgets(text, VERDICT_TEXT, file))
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(file);
	return true;
}

int verdict_await(pid_t pid, uint64_t limit_ms, struct buf *why)
{
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
	uint64_t end_ms = clock_now_ms() + limit_ms;
	char text[VERDICT_TEXT];

	for (;;) {
		/* In this order: its last act may have been to tell. */
		bool has_ended = kill(pid, 0) < 0 && errno == ESRCH;
		bool is_late = clock_now_ms() >= end_ms;

		if (read_verdict(text))
			break;
		if (has_ended || is_late) {
			buf_printf(why, has_ended ? "reload: the process ended meanwhile"
						  : "reload: no answer within %g s",
				   (double)limit_ms / 1000);
			return 1;
		}
		nanosleep(&pause, NULL);
	}
	if (strcmp(text, WELL) == 0)
		return 0;
	buf_printf(why, "reload refused: %s", text);
	return 1;
}
