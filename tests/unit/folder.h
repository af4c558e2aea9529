/* SPDX-License-Identifier: MIT */
/*
 * A folder of the test's own, where temporary files belong. Its path is short enough for that of a
 * Unix socket in it.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDER_ROOM = 80 };

static inline void make_folder(char path[FOLDER_ROOM])
{
	static const char name[] = "minats-XXXXXX";
	const char *where = getenv("TMPDIR");

	if (!where || strlen(where) + 1 + sizeof(name) > FOLDER_ROOM)
		where = P_tmpdir;
	snprintf(path, FOLDER_ROOM, "%s/%s", where, name);
	if (!mkdtemp(path)) {
		perror(path);
		exit(1);
	}
}
