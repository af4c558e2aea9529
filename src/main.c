/* SPDX-License-Identifier: MIT */
/*
 * minats, a NATS message broker. The map of the house:
 *
 *   main.c    settings → log → sockets → server
 *   server/   a client is a connected socket; the server owns the loop, the router and the clients.
 *             settings are options over a config: config_file, config_parse, config_options.
 *             access, turnstile, strangers, accounts: who comes in, and where to; budget, thrift:
 *             how much memory it takes; sockets, sandbox, files: how it begins; status, events,
 *             logging, client_log, restraint: what it tells;
 *             reload, verdict; lame_duck, idle: how it ends; handover, client_state, upgrade: how
 *             another process goes on with its clients
 *   broker/   a session is one client's conversation, session_subs what it listens to,
 *             session_complaints what it did wrong; router, trie, sub and outbox carry a message
 *             from its publisher to its receivers, in a pool's memory; memo knows what the trie
 *             said, or will soon be asked; auth decides who may speak, permit of what; state
 *             saves a session. No sockets here
 *   proto/    the wire: parser, writer, handshake, nkey, subject, utf8, fault. No sockets here either
 *   os/       loop and poller, stream, listener and accept, address, credentials, supervisor and
 *             units, log, signals, parcel, trial, closer, file, clock, random, memory, capacity,
 *             pressure, crypto, hasher, secret, process
 *   base/     slice, buf, list, map, slab, hash, scan, hints, tags, secret
 *
 * An include points down this list or stays on its floor, never up. A message's way:
 *
 *   socket → stream → client → parser → session → router → memo → trie → sub → writer → outbox
 *                                                                                          │
 *   socket ← stream ← client ←──────────── the turn ends ──────────────────────────────────┘
 *
 * A turn is one return of the poller. What is put into outboxes meanwhile is written when it ends,
 * one write for each receiver.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/listener.h"
#include "os/log.h"
#include "os/signals.h"
#include "server/access.h"
#include "server/events.h"
#include "server/config_file.h"
#include "server/files.h"
#include "server/logging.h"
#include "server/server.h"
#include "server/settings.h"
#include "server/sockets.h"
#include "server/verdict.h"
#include "server/version.h"

enum { RELOAD_MS = 10000 };

/* A line of `why` is a record; the first is the event. */
static int fail(struct log *log, const char *why)
{
	const char *event = EVENT_FAILED;
	char line[SOCKETS_WHY];

	for (; *why; why += strcspn(why, "\n"), why += *why == '\n', event = NULL) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(why, "\n"), why);
		log_write(log, LOG_LEVEL_FATAL,
			  &(struct log_fields){.event = event, .reason = line}, "%s", line);
	}
	return EXIT_FAILURE;
}

/*
 * Before there is a log as the options want it. Where inetd started us, standard error is the
 * listening socket: a byte written there would kill us.
 */
static int complain(const char *why)
{
	char nothing[256];
	bool is_socket = listener_is_usable(STDERR_FILENO, nothing);
	const struct log_options options = {
		.target = is_socket ? LOG_TARGET_SYSLOG : LOG_TARGET_JOURNAL,
	};
	struct log *log = is_socket || log_stderr_is_journal() ? log_new(&options, nothing) : NULL;

	if (log)
		fail(log, why);
	for (; !is_socket && !log && *why; why += strcspn(why, "\n"), why += *why == '\n')
		fprintf(stderr, "minats: %.*s\n", (int)strcspn(why, "\n"), why);
	log_free(log);
	return EXIT_FAILURE;
}

/* A reload can be refused, which whoever orders it should not have to look up. */
static int order_reload(const struct signals_order *order, struct buf *why)
{
	int error = verdict_forget();

	if (error < 0) {
		buf_printf(why, "cannot forget the last reload in $RUNTIME_DIRECTORY: %s",
			   strerror(-error));
		return EXIT_FAILURE;
	}
	if (signals_send(order, why))
		return EXIT_FAILURE;
	return verdict_is_told() ? verdict_await(order->pid, RELOAD_MS, why) : EXIT_SUCCESS;
}

/* Without memory there may be none. */
static const char *text_of(struct buf *why)
{
	if (why->length == 0 || buf_append(why, (struct slice){"", 1}) < 0)
		return "out of memory";
	return why->bytes;
}

static int send_signal(const char *argument)
{
	struct signals_order order;
	struct buf why = {0};
	int code = signals_read(argument, "minats", &order, &why);

	if (code == 0 && order.signal == SIGHUP)
		code = order_reload(&order, &why);
	else if (code == 0)
		code = signals_send(&order, &why);
	if (code)
		fprintf(stderr, "minats: %s\n", text_of(&why));
	buf_fini(&why);
	return code;
}

static struct log *start_log(const struct options *options)
{
	char why[256];
	struct log *log = logging_new(options, why);

	if (!log)
		complain(why);
	return log;
}

static int serve(struct server *server)
{
	char why[SOCKETS_WHY];
	int error;

	if (sockets_open(server, why) || files_write(server, server->options, why))
		return fail(server->log, why);
	handover_finish(server);
	error = log_start(server->log);
	if (error < 0) {
		snprintf(why, sizeof(why), "cannot start the log: %s", strerror(-error));
		files_remove(server->options);
		return fail(server->log, why);
	}
	error = server_start(server);
	if (error == 0)
		error = server_run(server);
	files_remove(server->options);
	if (error == 0)
		return EXIT_SUCCESS;
	snprintf(why, sizeof(why), "the event loop failed: %s", strerror(-error));
	return fail(server->log, why);
}

/* The next process waits for our end: the kernel frees everything faster than we could. */
_Noreturn static void leave(struct log *log, int code)
{
	log_free(log);
	_exit(code);
}

/* Its users are the server's from then on. */
static int let_in(struct server *server, struct settings *settings, char why[SOCKETS_WHY])
{
	int error = access_replace(server, settings->auth, why);

	if (error == 0)
		settings->auth = NULL;
	return error;
}

static int run(struct settings *settings)
{
	const struct options *options = &settings->options;
	char why[SOCKETS_WHY];
	struct server server;
	struct log *log;
	int code;

	if (sockets_check(options, why))
		return complain(why);
	log = start_log(options);
	if (!log)
		return EXIT_FAILURE;
	log_write(log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_STARTING), "Starting minats");
	log_write(log, LOG_LEVEL_INFO, NULL, "  Version:  %s (protocol level %s)", VERSION,
		  HANDSHAKE_LEVEL);
	if (options->config)
		log_write(log, LOG_LEVEL_INFO, NULL, "Using configuration file: %s%s",
			  config_file_path(options->config),
			  config_file_is_absent(options->config) ? " (absent)" : "");
	if (server_init(&server, options, log, why) || let_in(&server, settings, why))
		code = fail(log, why);
	else
		code = serve(&server);
	/* A reload may have replaced it. */
	log = server.log;
	if (server.handover.has_parked)
		leave(log, code);
	server_fini(&server);
	log_free(log);
	settings_free(server.reloaded);
	return code;
}

static int act(struct settings *settings)
{
	const struct options *options = &settings->options;

	switch (options->action) {
	case OPTIONS_SHOW_VERSION:
		puts("minats: v" VERSION);
		return EXIT_SUCCESS;
	case OPTIONS_SHOW_HELP:
		options_show_help();
		return EXIT_SUCCESS;
	case OPTIONS_SEND_SIGNAL:
		return send_signal(options->signal);
	case OPTIONS_CHECK:
		fprintf(stderr, "minats: configuration file %s is valid\n",
			config_file_path(options->config));
		return EXIT_SUCCESS;
	default:
		return run(settings);
	}
}

int main(int argc, char *argv[])
{
	struct settings settings;
	struct buf why = {0};
	int code;

	options_hide_secrets(argc, argv);
	if (settings_read(&settings, argc, argv, &why) == 0)
		code = act(&settings);
	else
		code = complain(text_of(&why));
	buf_fini(&why);
	settings_fini(&settings);
	return code;
}
