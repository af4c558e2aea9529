/* SPDX-License-Identifier: MIT */
#include "os/capacity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Deeper ones are not looked at: the stack that they take stays ours. */
enum { GROUP_PATH = 1024 };

/* The path of our group, where version 2 has the line "0::/system.slice/minats.service". */
static bool find_group(const char *root, char group[GROUP_PATH])
{
	char path[GROUP_PATH], line[GROUP_PATH + 8];
	bool is_found = false;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/proc/self/cgroup", root) >= GROUP_PATH)
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!is_found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		is_found = strncmp(line, "0::/", 4) == 0 && strlen(line + 3) < GROUP_PATH;
		if (is_found)
			memcpy(group, line + 3, strlen(line + 3) + 1);
	}
	fclose(file);
	return is_found;
}

/* "max", and what cannot be read or understood, is no limit. */
static uint64_t read_limit(const char *root, const char *group, const char *name)
{
	char path[2 * GROUP_PATH], text[32];
	unsigned long long limit;
	char *end = text;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s/%s", root, group, name) >=
	    (int)sizeof(path))
		return UINT64_MAX;
	file = fopen(path, "re");
	if (!file)
		return UINT64_MAX;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	errno = 0;
	limit = strtoull(text, &end, 10);
	return end == text || *text == '-' || errno || (*end && *end != '\n') ? UINT64_MAX : limit;
}

static uint64_t least(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

/* From our group up to the root, which in a container is a group like the others. */
uint64_t capacity_of_groups(const char *root)
{
	uint64_t limit = UINT64_MAX;
	char group[GROUP_PATH];
	char *end;

	if (!find_group(root, group))
		return UINT64_MAX;
	end = group + strlen(group);
	while (end) {
		*end = '\0';
		limit = least(limit, read_limit(root, group, "memory.high"));
		limit = least(limit, read_limit(root, group, "memory.max"));
		end = strrchr(group, '/');
	}
	return limit;
}

uint64_t capacity_of_machine(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
}
