/* SPDX-License-Identifier: MIT */
#include "server/upgrade.h"

#include <string.h>
#include <unistd.h>

#include "os/log.h"
#include "os/parcel.h"
#include "os/trial.h"
#include "server/events.h"
#include "server/server.h"

enum { TRIAL_MS = 10000 };

/* It has no sockets to listen on any more, and the next program would open some. */
static const char lame_duck[] = "it is in lame duck mode";

void upgrade_fail(struct server *server, const char *why)
{
	log_write(server->log, LOG_LEVEL_ERROR,
		  &(struct log_fields){.event = EVENT_NOT_REPLACED, .reason = why},
		  "This process is not replaced by %s, and goes on: %s", server->options->argv[0],
		  why);
}

static void on_patience(struct timer *timer)
{
	struct upgrade *upgrade = container_of(timer, struct upgrade, patience);
	struct server *server = container_of(upgrade, struct server, upgrade);

	/* Its end may be known already: then that pid may be somebody else's. */
	upgrade_go_on(server);
	if (upgrade->trial)
		trial_stop(upgrade->trial);
}

void upgrade_init(struct upgrade *upgrade)
{
	*upgrade = (struct upgrade){.patience = {.expired = on_patience}};
}

/* Not every system has what it takes. */
static int try_parcel(void)
{
	int ends[2];
	int error = parcel_new(ends);

	if (error < 0)
		return error;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

void upgrade_begin(struct server *server)
{
	struct upgrade *upgrade = &server->upgrade;
	pid_t pid;
	int error;

	if (upgrade->trial)
		return;
	if (server->lame_duck.is_on) {
		upgrade_fail(server, lame_duck);
		return;
	}
	error = try_parcel();
	if (error < 0) {
		upgrade_fail(server, strerror(-error));
		return;
	}
	pid = trial_start(server->options->argv, server->options->config);
	if (pid < 0) {
		upgrade_fail(server, strerror(-pid));
		return;
	}
	upgrade->trial = pid;
	(void)loop_set_timer(&server->loop, &upgrade->patience, server->loop.now_ms + TRIAL_MS);
}

void upgrade_go_on(struct server *server)
{
	struct upgrade *upgrade = &server->upgrade;
	enum trial_answer answer;
	char why[TRIAL_WHY];

	if (!upgrade->trial)
		return;
	answer = trial_ask(upgrade->trial, why);
	if (answer == TRIAL_RUNS)
		return;
	upgrade->trial = 0;
	loop_cancel_timer(&server->loop, &upgrade->patience);
	if (answer == TRIAL_BAD)
		upgrade_fail(server, why);
	else if (server->lame_duck.is_on)
		upgrade_fail(server, lame_duck);
	else
		server_replace(server);
}
