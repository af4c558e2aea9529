/* SPDX-License-Identifier: MIT */
#include "os/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int spawn(char *const argv[], pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	/* Our signals are blocked, since they are read from a descriptor. */
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	error = posix_spawnp(pid, argv[0], &files, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return -error;
}

pid_t trial_start(char *const argv[], bool has_file)
{
	static char version[] = "--version", check[] = "-t";
	size_t count = 0;
	char **more;
	pid_t pid = 0;
	int error;

	while (argv[count])
		count++;
	more = calloc(count + 2, sizeof(*more));
	if (!more)
		return -ENOMEM;
	for (size_t at = 0; at < count; at++)
		more[at] = argv[at];
	more[count] = has_file ? check : version;
	error = spawn(more, &pid);
	free(more);
	return error < 0 ? error : pid;
}

enum trial_answer trial_ask(pid_t pid, char why[TRIAL_WHY])
{
	int status;
	pid_t ended = waitpid(pid, &status, WNOHANG);

	if (ended == 0)
		return TRIAL_RUNS;
	if (ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return TRIAL_GOOD;
	if (ended == pid && WIFEXITED(status))
		snprintf(why, TRIAL_WHY, "it exits with status %d", WEXITSTATUS(status));
	else if (ended == pid)
		snprintf(why, TRIAL_WHY, "it is ended by signal %d", WTERMSIG(status));
	else
		snprintf(why, TRIAL_WHY, "nobody knows how it ended");
	return TRIAL_BAD;
}

void trial_stop(pid_t pid)
{
	kill(pid, SIGKILL);
}
