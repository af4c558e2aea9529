/* SPDX-License-Identifier: MIT */
/*
 * From a daemon, which is a child here, to who ordered the reload.
 */
#include "server/verdict.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "folder.h"
#include "test.h"

enum { LIMIT_MS = 10000 };

static char folder[FOLDER_ROOM];

static void begin(void)
{
	make_folder(folder);
	setenv("RUNTIME_DIRECTORY", folder, 1);
}

static void end(void)
{
	CHECK_NUMBER(verdict_forget(), 0);
	CHECK_NUMBER(rmdir(folder), 0);
}

/* A daemon that takes so long for its reload, and then tells how it went, unless it just ends. */
static pid_t start_daemon(unsigned takes_ms, bool tells, const char *why)
{
	pid_t pid = fork();

	if (pid == 0) {
		usleep(takes_ms * 1000);
		if (tells && verdict_tell(why) < 0)
			_exit(1);
		if (tells)
			pause();
		_exit(0);
	}
	CHECK(pid > 0);
	return pid;
}

/* As systemd does at once, for it would be there otherwise. */
static void reap(pid_t pid)
{
	CHECK_NUMBER(waitpid(pid, NULL, 0), pid);
}

static void stop(pid_t pid)
{
	CHECK_NUMBER(kill(pid, SIGKILL), 0);
	reap(pid);
}

static void check_await(pid_t pid, uint64_t limit_ms, int code, const char *expected)
{
	struct buf why = {0};

	CHECK_NUMBER(verdict_await(pid, limit_ms, &why), code);
	test_check_text(__FILE__, __LINE__, "why", buf_slice(&why), slice_of(expected));
	buf_fini(&why);
}

static void a_reload_that_went_well_is_no_error(void)
{
	pid_t pid;

	begin();
	CHECK(verdict_is_told());
	pid = start_daemon(100, true, NULL);
	check_await(pid, LIMIT_MS, 0, "");
	stop(pid);
	end();
}

static void a_refusal_comes_with_its_reason(void)
{
	pid_t pid;

	begin();
	pid = start_daemon(100, true, "line 7: no such thing as \"ok\"");
	check_await(pid, LIMIT_MS, 1, "reload refused: line 7: no such thing as \"ok\"");
	stop(pid);
	end();
}

static void a_long_reason_is_cut(void)
{
	char reason[4000];
	struct buf why = {0};
	pid_t pid;

	begin();
	memset(reason, 'x', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	pid = start_daemon(0, true, reason);
	CHECK_NUMBER(verdict_await(pid, LIMIT_MS, &why), 1);
	CHECK(why.length > 900 && why.length < 1100);
	buf_fini(&why);
	stop(pid);
	end();
}

static void what_was_told_before_is_forgotten(void)
{
	pid_t pid;

	begin();
	CHECK_NUMBER(verdict_tell(NULL), 0);
	CHECK_NUMBER(verdict_forget(), 0);
	CHECK_NUMBER(verdict_forget(), 0);
	pid = start_daemon(100, true, "now it is bad");
	check_await(pid, LIMIT_MS, 1, "reload refused: now it is bad");
	stop(pid);
	end();
}

static void a_daemon_that_ended_is_not_waited_for(void)
{
	uint64_t before_ms = clock_now_ms();
	pid_t pid;

	begin();
	pid = start_daemon(0, false, NULL);
	reap(pid);
	check_await(pid, LIMIT_MS, 1, "reload: the process ended meanwhile");
	CHECK(clock_now_ms() - before_ms < LIMIT_MS / 2);
	end();
}

static void what_it_told_before_it_ended_counts(void)
{
	pid_t pid;

	begin();
	pid = start_daemon(0, true, NULL);
	check_await(pid, LIMIT_MS, 0, "");
	stop(pid);
	check_await(pid, LIMIT_MS, 0, "");
	end();
}

static void the_wait_is_bounded(void)
{
	uint64_t before_ms = clock_now_ms();
	pid_t pid;

	begin();
	pid = start_daemon(3600 * 1000, false, NULL);
	check_await(pid, 500, 1, "reload: no answer within 0.5 s");
	CHECK(clock_now_ms() - before_ms >= 500);
	stop(pid);
	end();
}

static void without_a_place_nothing_is_told(void)
{
	unsetenv("RUNTIME_DIRECTORY");
	CHECK(!verdict_is_told());
	CHECK_NUMBER(verdict_tell("anything"), 0);
	CHECK_NUMBER(verdict_forget(), 0);
	setenv("RUNTIME_DIRECTORY", "", 1);
	CHECK(!verdict_is_told());
	CHECK_NUMBER(verdict_tell("anything"), 0);
}

static void of_several_places_the_first_is_taken(void)
{
	char both[FOLDER_ROOM + 16], path[FOLDER_ROOM + 16];
	struct stat status;

	begin();
	snprintf(both, sizeof(both), "%s:/nowhere", folder);
	snprintf(path, sizeof(path), "%s/reload", folder);
	setenv("RUNTIME_DIRECTORY", both, 1);
	CHECK_NUMBER(verdict_tell(NULL), 0);
	CHECK_NUMBER(stat(path, &status), 0);
	end();
}

static void a_place_that_is_not_there_is_an_error(void)
{
	setenv("RUNTIME_DIRECTORY", "/nowhere/at/all", 1);
	CHECK(verdict_is_told());
	CHECK(verdict_tell(NULL) < 0);
	CHECK_NUMBER(verdict_forget(), 0);
}

static const struct test_case cases[] = {
	TEST_CASE(a_reload_that_went_well_is_no_error),
	TEST_CASE(a_refusal_comes_with_its_reason),
	TEST_CASE(a_long_reason_is_cut),
	TEST_CASE(what_was_told_before_is_forgotten),
	TEST_CASE(a_daemon_that_ended_is_not_waited_for),
	TEST_CASE(what_it_told_before_it_ended_counts),
	TEST_CASE(the_wait_is_bounded),
	TEST_CASE(without_a_place_nothing_is_told),
	TEST_CASE(of_several_places_the_first_is_taken),
	TEST_CASE(a_place_that_is_not_there_is_an_error),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
