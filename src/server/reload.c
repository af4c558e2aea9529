/* SPDX-License-Identifier: MIT */
#include "server/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/listener.h"
#include "os/log.h"
#include "server/access.h"
#include "server/config_options.h"
#include "server/events.h"
#include "server/files.h"
#include "server/logging.h"
#include "server/server.h"
#include "server/settings.h"
#include "server/status.h"
#include "server/verdict.h"

enum { RELOAD_WHY = 512 };

static int refuse(struct buf *why, const char *text)
{
	(void)buf_printf(why, "%s", text);
	return 1;
}

static bool is_adopted(const struct server *server)
{
	const struct list *first = server->listeners.next;

	return first != &server->listeners && container_of(first, struct listener, link)->adopted;
}

/* Is there anything in them that cannot be had while it runs? */
static int check(const struct server *server, const struct options *options, struct buf *why)
{
	if (!config_options_may_change(server->options, options, why))
		return 1;
	if (options->exit_idle_ms && !server->options->exit_idle_ms && !is_adopted(server))
		return refuse(why, "exit_idle_time: nobody would start minats again for the next "
				   "client");
	return 0;
}

static bool is_same(const char *one, const char *other)
{
	return one == other || (one && other && strcmp(one, other) == 0);
}

/* Those that were written for nothing. Returns `error`. */
static int take_back_files(const struct server *server, const struct options *to, int error)
{
	const struct options *from = server->options;

	if (to->pid_file && !is_same(from->pid_file, to->pid_file))
		unlink(to->pid_file);
	if (!is_same(from->ports_file_dir, to->ports_file_dir))
		files_remove(to);
	return error;
}

/* Those that are elsewhere now. */
static int write_files(const struct server *server, const struct options *to, struct buf *why)
{
	const struct options *from = server->options;
	char problem[FILES_WHY];

	if (is_same(from->pid_file, to->pid_file) &&
	    is_same(from->ports_file_dir, to->ports_file_dir))
		return 0;
	if (files_write(server, to, problem) == 0)
		return 0;
	return take_back_files(server, to, refuse(why, problem));
}

/* From here on nothing can go wrong any more. */
static void commit(struct server *server, struct settings *settings, struct log *log,
		   struct buf *info)
{
	struct settings *before = server->reloaded;

	if (!is_same(server->options->ports_file_dir, settings->options.ports_file_dir))
		files_remove(server->options);
	server_take_options(server, &settings->options, info);
	settings->auth = NULL;
	server->reloaded = settings;
	if (log != server->log) {
		log_free(server->log);
		server->log = log;
	}
	settings_free(before);
}

/* All that can fail, in an order in which it can be undone. */
static int apply(struct server *server, struct settings *settings, struct buf *why)
{
	const struct options *from = server->options, *to = &settings->options;
	char problem[ACCESS_WHY];
	struct buf info = {0};
	struct log *log;
	int error = 0;

	if (check(server, to, why))
		return 1;
	if (server_print_info(server, to, &info) < 0)
		return refuse(why, strerror(ENOMEM));
	log = logging_renew(server->log, from, to, problem);
	if (!log)
		error = refuse(why, problem);
	else if (log != server->log && (error = log_start(log)) < 0)
		refuse(why, strerror(-error));
	else if (write_files(server, to, why))
		error = 1;
	else if (access_replace(server, settings->auth, problem))
		error = take_back_files(server, to, refuse(why, problem));
	if (error == 0)
		commit(server, settings, log, &info);
	else if (log && log != server->log)
		log_free(log);
	buf_fini(&info);
	return error ? 1 : 0;
}

/* 0, or 1 with `why`. Options stand on the command line for good. */
static int take_anew(struct server *server, struct buf *why)
{
	const struct options *options = server->options;
	struct settings *settings;
	int error;

	if (!options->config)
		return refuse(why, "can only reload config when a file is provided using -c or "
				   "--config");
	settings = malloc(sizeof(*settings));
	if (!settings)
		return refuse(why, strerror(ENOMEM));
	error = settings_read(settings, options->argc, options->argv, why);
	if (error == 0)
		error = apply(server, settings, why);
	if (error)
		settings_free(settings);
	return error;
}

/* Many lines as one. */
static const char *print_refusal(const struct buf *why, char text[RELOAD_WHY])
{
	size_t length = 0;

	/* Without memory there may be none. */
	if (why->length == 0)
		return "out of memory";
	for (size_t at = 0; at < why->length && length + 3 < RELOAD_WHY; at++) {
		char byte = why->bytes[at];

		if (byte == '\n')
			text[length++] = ';';
		text[length++] = byte == '\n' ? ' ' : byte;
	}
	text[length] = '\0';
	return text;
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
	struct buf why = {0};
	char text[RELOAD_WHY];
	const char *refusal;
	int error;

	status_reloading();
	refusal = take_anew(server, &why) ? print_refusal(&why, text) : NULL;
	buf_fini(&why);
	log_outcome(server, refusal);
	status_reloaded(server, refusal);
	/* Last of all: who has it may look at what the supervisor knows. */
	error = verdict_tell(refusal);
	if (error < 0)
		log_write(server->log, LOG_LEVEL_WARNING, NULL,
			  "Cannot write to $RUNTIME_DIRECTORY how the reload went: %s",
			  strerror(-error));
}
