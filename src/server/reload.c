/* SPDX-License-Identifier: MIT */
#include "server/reload.h"

#include <stdio.h>
#include <string.h>

#include "os/log.h"
#include "server/events.h"
#include "server/server.h"
#include "server/status.h"
#include "server/verdict.h"

enum { RELOAD_WHY = 512 };

/* 0, or 1 with `why`. Options stand on the command line for good, and there is nothing else yet. */
static int take_anew(struct server *server, char why[RELOAD_WHY])
{
	(void)server;
	snprintf(why, RELOAD_WHY, "can only reload config when a file is provided using -c or "
				  "--config");
	return 1;
}

static void log_outcome(struct server *server, const char *refusal)
{
	if (refusal)
		log_write(server->log, LOG_LEVEL_ERROR,
			  &(struct log_fields){.event = EVENT_RELOAD_REFUSED, .reason = refusal},
			  "Failed to reload server configuration: %s", refusal);
	else
		log_write(server->log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_RELOADED),
			  "Reloaded server configuration");
}

void reload_now(struct server *server)
{
	char why[RELOAD_WHY];
	const char *refusal;
	int error;

	status_reloading();
	refusal = take_anew(server, why) ? why : NULL;
	log_outcome(server, refusal);
	status_reloaded(server, refusal);
	/* Last of all: who has it may look at what the supervisor knows. */
	error = verdict_tell(refusal);
	if (error < 0)
		log_write(server->log, LOG_LEVEL_WARNING, NULL,
			  "Cannot write to $RUNTIME_DIRECTORY how the reload went: %s",
			  strerror(-error));
}
