/* SPDX-License-Identifier: MIT */
/*
 * Control groups as files in a directory of the test's own.
 */
#include "os/capacity.h"

#include <ftw.h>
#include <sys/stat.h>

#include "folder.h"
#include "test.h"

static char root[FOLDER_ROOM];

static void make(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", root, path);
	CHECK_NUMBER(mkdir(full, 0700), 0);
}

static void put(const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	file = fopen(full, "w");
	CHECK(file != NULL);
	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

static void begin(const char *group)
{
	make_folder(root);
	make("proc");
	make("proc/self");
	make("sys");
	make("sys/fs");
	make("sys/fs/cgroup");
	make("sys/fs/cgroup/system.slice");
	make("sys/fs/cgroup/system.slice/minats.service");
	if (group)
		put("proc/self/cgroup", group);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void end(void)
{
	CHECK_NUMBER(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

#define UNIT "sys/fs/cgroup/system.slice/minats.service/"
#define SLICE_ABOVE "sys/fs/cgroup/system.slice/"
#define GROUP "0::/system.slice/minats.service\n"

static void the_lowest_limit_on_the_way_up_holds(void)
{
	begin(GROUP);
	CHECK_NUMBER(capacity_of_groups(root), UINT64_MAX);
	put(UNIT "memory.max", "300000000\n");
	put(UNIT "memory.high", "max\n");
	CHECK_NUMBER(capacity_of_groups(root), 300000000);
	put(UNIT "memory.high", "200000000\n");
	CHECK_NUMBER(capacity_of_groups(root), 200000000);
	put(SLICE_ABOVE "memory.max", "100000000\n");
	CHECK_NUMBER(capacity_of_groups(root), 100000000);
	/* In a container there is a limit at the root as well. */
	put("sys/fs/cgroup/memory.max", "50000000\n");
	CHECK_NUMBER(capacity_of_groups(root), 50000000);
	end();
}

static void no_limit_is_none(void)
{
	begin(GROUP);
	put(UNIT "memory.max", "max\n");
	put(UNIT "memory.high", "max\n");
	put(SLICE_ABOVE "memory.max", "max\n");
	CHECK_NUMBER(capacity_of_groups(root), UINT64_MAX);
	end();
}

static void what_makes_no_sense_is_no_limit(void)
{
	static const char *const texts[] = {"", "\n", "-1\n", "12x\n", "x\n", "1 2\n",
					    "99999999999999999999999\n"};

	begin(GROUP);
	for (size_t at = 0; at < sizeof(texts) / sizeof(texts[0]); at++) {
		put(UNIT "memory.max", texts[at]);
		CHECK_NUMBER(capacity_of_groups(root), UINT64_MAX);
	}
	end();
}

/* The root's own files are those of the container, or there are none. */
static void at_the_root_there_is_one_group(void)
{
	begin("0::/\n");
	put("sys/fs/cgroup/memory.max", "70000000\n");
	CHECK_NUMBER(capacity_of_groups(root), 70000000);
	end();
}

static void only_the_second_version_is_known(void)
{
	begin("12:memory:/system.slice/minats.service\n1:name=systemd:/x\n");
	put(UNIT "memory.max", "70000000\n");
	CHECK_NUMBER(capacity_of_groups(root), UINT64_MAX);
	put("proc/self/cgroup", "1:name=systemd:/x\n" GROUP);
	CHECK_NUMBER(capacity_of_groups(root), 70000000);
	end();
}

static void without_groups_there_is_no_limit(void)
{
	begin(NULL);
	CHECK_NUMBER(capacity_of_groups(root), UINT64_MAX);
	end();
	CHECK_NUMBER(capacity_of_groups("/nowhere"), UINT64_MAX);
}

static void a_machine_has_memory(void)
{
	CHECK(capacity_of_machine() > 1 << 20);
	CHECK(capacity_of_machine() < UINT64_MAX);
}

static const struct test_case cases[] = {
	TEST_CASE(the_lowest_limit_on_the_way_up_holds),
	TEST_CASE(no_limit_is_none),
	TEST_CASE(what_makes_no_sense_is_no_limit),
	TEST_CASE(at_the_root_there_is_one_group),
	TEST_CASE(only_the_second_version_is_known),
	TEST_CASE(without_groups_there_is_no_limit),
	TEST_CASE(a_machine_has_memory),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
