/* SPDX-License-Identifier: MIT */
#include "os/signals.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/poller.h"

int signals_watch(struct poller *poller)
{
	static const int watched[] = {SIGINT,  SIGTERM, SIGHUP, SIGUSR1,
				      SIGUSR2, SIGALRM, SIGCHLD};

	signal(SIGPIPE, SIG_IGN);
	/* Whoever started us may have ignored it: then nobody would tell that a child has ended. */
	signal(SIGCHLD, SIG_DFL);
	return poller_watch_signals(poller, watched, sizeof(watched) / sizeof(watched[0]));
}

static const struct {
	const char *command;
	int signal;
} commands[] = {
	{"stop", SIGKILL},   {"quit", SIGINT},   {"term", SIGTERM},
	{"reopen", SIGUSR1}, {"reload", SIGHUP}, {"ldm", SIGUSR2},
	{"upgrade", SIGALRM},
};

enum { PIDS_MAX = 64 };

static int find_command(const char *argument, size_t length)
{
	for (size_t at = 0; at < sizeof(commands) / sizeof(commands[0]); at++)
		if (strlen(commands[at].command) == length &&
		    strncmp(commands[at].command, argument, length) == 0)
			return commands[at].signal;
	return 0;
}

/* All digits, with blanks or a line end behind them at most; or -1. */
static pid_t read_pid(const char *text)
{
	char *end;
	long pid;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	pid = strtol(text, &end, 10);
	while (isspace((unsigned char)*end))
		end++;
	return *end || errno || pid <= 0 ? -1 : (pid_t)pid;
}

static pid_t read_pid_file(const char *path)
{
	char text[32] = "";
	FILE *file = fopen(path, "r");

	if (!file)
		return -1;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return read_pid(text);
}

/* All processes of this name but ourselves: how many, or -1. */
static int find_pids(const char *self, pid_t pids[PIDS_MAX])
{
	char line[64];
	int count = 0;
	int status;
	FILE *pipe;

	snprintf(line, sizeof(line), "pgrep -x %s", self);
	pipe = popen(line, "r");
	if (!pipe)
		return -1;
	while (count < PIDS_MAX && fgets(line, sizeof(line), pipe)) {
		pid_t pid = read_pid(line);

		if (pid > 0 && pid != getpid())
			pids[count++] = pid;
	}
	/* pgrep says 1 when it found nobody; 127 comes from the shell: there is no pgrep. */
	status = pclose(pipe);
	return !WIFEXITED(status) || WEXITSTATUS(status) > 1 ? -1 : count;
}

static int find_only(const char *self, pid_t *pid, struct buf *why)
{
	pid_t pids[PIDS_MAX];
	int count = find_pids(self, pids);

	if (count == 1) {
		*pid = pids[0];
		return 0;
	}
	if (count < 0) {
		buf_printf(why, "pgrep is not there to find the process: give its pid, as in "
				"--signal COMMAND=PID");
		return 1;
	}
	if (count == 0) {
		buf_printf(why, "no %s processes running", self);
		return 1;
	}
	buf_printf(why, "multiple %s processes running:", self);
	for (int at = 0; at < count; at++)
		buf_printf(why, "\n%ld", (long)pids[at]);
	return 1;
}

int signals_read(const char *argument, const char *self, struct signals_order *order,
		 struct buf *why)
{
	size_t length = strcspn(argument, "=");

	order->signal = find_command(argument, length);
	if (!order->signal) {
		buf_printf(why, "unknown signal \"%.*s\"", (int)length, argument);
		return 1;
	}
	if (!argument[length])
		return find_only(self, &order->pid, why);
	argument += length + 1;
	order->pid = read_pid(argument);
	if (order->pid < 0)
		order->pid = read_pid_file(argument);
	if (order->pid > 0)
		return 0;
	buf_printf(why, "invalid pid: %s", argument);
	return 1;
}

int signals_send(const struct signals_order *order, struct buf *why)
{
	if (kill(order->pid, order->signal) == 0)
		return 0;
	buf_printf(why, "%s", errno == ESRCH ? "no such process" : strerror(errno));
	return 1;
}
