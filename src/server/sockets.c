/* SPDX-License-Identifier: MIT */
#include "server/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/listener.h"
#include "os/log.h"
#include "os/parcel.h"
#include "os/supervisor.h"
#include "server/events.h"
#include "server/sandbox.h"
#include "server/server.h"

enum { SOCKETS_MAX = 64 };

__attribute__((format(printf, 2, 3))) static int fail(char why[SOCKETS_WHY], const char *format,
						       ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, SOCKETS_WHY, format, arguments);
	va_end(arguments);
	return 1;
}

/* Names that will be roles of their own. A client must not end up there meanwhile. */
static const char *missing_role(const char *name)
{
	static const char *const roles[][2] = {
		{"http", "monitoring"},
		{"ws", "WebSocket"},
	};

	for (size_t at = 0; at < sizeof(roles) / sizeof(roles[0]); at++)
		if (strcmp(name, roles[at][0]) == 0)
			return roles[at][1];
	return NULL;
}

static int adopt(struct server *server, int fd, const char *name, char why[SOCKETS_WHY])
{
	const char *missing = missing_role(name);
	char problem[256];
	int error;

	if (missing)
		return fail(why, "inherited descriptor %d is named \"%s\": minats has no %s", fd,
			    name, missing);

	if (!listener_is_usable(fd, problem))
		return fail(why,
			    "inherited descriptor %d%s%s%s is %s: minats needs a listening stream "
			    "socket (in a socket unit: ListenStream=, Accept=no)",
			    fd, *name ? " (\"" : "", name, *name ? "\")" : "", problem);
	error = server_add_listener(server, fd, NULL);
	if (error < 0)
		return fail(why, "cannot use inherited descriptor %d: %s", fd, strerror(-error));
	return 0;
}

/* The connections of the process before us. */
static int adopt_parcel(struct server *server, int fd, char why[SOCKETS_WHY])
{
	if (!parcel_is_one(fd))
		return fail(why,
			    "inherited descriptor %d is named \"" HANDOVER_NAME "\", but is not "
			    "one: give the socket another name (FileDescriptorName=)", fd);
	handover_add(server, fd);
	return 0;
}

/* Somebody who gives a port and does not get it should not have to guess why. */
static void say_without_effect(const struct server *server)
{
	const char *given = options_given_address(server->options);

	if (given)
		log_write(server->log, LOG_LEVEL_WARNING,
			  &(struct log_fields){.event = EVENT_WITHOUT_EFFECT, .reason = given},
			  "Option %s has no effect: the sockets come from the supervisor", given);
}

static int adopt_all(struct server *server, const struct supervisor_socket *sockets, int count,
		     char why[SOCKETS_WHY])
{
	int error = 0;

	for (int at = 0; at < count && error == 0; at++) {
		if (strcmp(sockets[at].name, HANDOVER_NAME) == 0)
			error = adopt_parcel(server, sockets[at].fd, why);
		else
			error = adopt(server, sockets[at].fd, sockets[at].name, why);
	}
	return error;
}

/* What a supervisor had given to the process before, which this one has replaced. */
static int adopt_inherited(struct server *server, char why[SOCKETS_WHY])
{
	struct handover *handover = &server->handover;
	int error = 0;

	handover_begin(server);
	for (uint32_t at = 0; at < handover->listener_count && error == 0; at++) {
		struct inheritance *listener = &handover->listeners[at];

		if (!listener->adopted)
			continue;
		error = adopt(server, listener->fd, "", why);
		listener->fd = -1;
	}
	return error;
}

/* What precedes the name of what gave an address, which may be a key of the file. */
static const char *of_option(const struct options *options)
{
	return options->address_is_filed ? "" : "option ";
}

static int open_one(struct server *server, const char *option, const char *host, int port,
		    char why[SOCKETS_WHY])
{
	char where[LISTENER_WHERE];
	char problem[256];
	int fd, error;

	snprintf(where, sizeof(where), "%s %d", host, port);
	fd = handover_claim(server, where);
	if (fd < 0)
		fd = listener_open(host, (uint16_t)(port < 0 ? 0 : port), problem);
	if (fd < 0) {
		fail(why, "%s%s: cannot %s", of_option(server->options), option, problem);
		return sandbox_explain(server->options, fd, why);
	}
	error = server_add_listener(server, fd, where);
	if (error < 0)
		return fail(why, "%s%s: cannot listen: %s", of_option(server->options), option,
			    strerror(-error));
	return 0;
}

static int open_where(struct server *server, const char *where, char why[SOCKETS_WHY])
{
	char host[ADDRESS_TEXT] = "";
	int port = OPTIONS_DEFAULT_PORT;
	const char *option = options_given_address(server->options);
	const char *of = of_option(server->options);

	/* The ports file has the path as it is. */
	if (strncmp(where, "unix:", 5) == 0 && strpbrk(where, "\"\\\n"))
		return fail(why, "%s%s: \"%s\": a quote or backslash in the path", of, option,
			    where);
	if (strncmp(where, "unix:", 5) == 0)
		return open_one(server, option, where, 0, why);
	if (!address_split(where, host, &port))
		return fail(why, "%s%s: \"%s\" is not HOST:PORT, PORT or unix:PATH", of, option,
			    where);
	return open_one(server, option, host, port ? port : OPTIONS_DEFAULT_PORT, why);
}

static int open_given(struct server *server, char why[SOCKETS_WHY])
{
	const struct options *options = server->options;
	const char *given;
	int error = 0;

	if (options->exit_idle_ms)
		return fail(why,
			    "%s: nobody would start minats again for the next client; the socket "
			    "has to come from systemd or inetd",
			    options->config ? "exit_idle_time" : "option --exit-idle-time");
	for (uint32_t at = 0; at < options->listen_count && error == 0; at++)
		error = open_where(server, options->listen[at], why);
	if (options->listen_count > 0)
		return error;
	given = options_given_address(options);
	return open_one(server, given ? given : "--port", options->host ? options->host : "",
			options->port ? (int)options->port : OPTIONS_DEFAULT_PORT, why);
}

int sockets_check(const struct options *options, char why[SOCKETS_WHY])
{
	char problem[256];

	/* Who takes over from another process finds it there. */
	if (!options->inetd || getenv(HANDOVER_ENVIRONMENT) ||
	    listener_is_usable(STDIN_FILENO, problem))
		return 0;
	return fail(why,
		    "option --inetd: standard input (fd 0) is %s: minats needs the listening "
		    "socket (in inetd.conf: wait)", problem);
}

/*
 * inetd gives the socket as standard input, output and error. Those go elsewhere: a stray byte
 * written there would be an error on a listening socket.
 */
static int adopt_standard_input(struct server *server, char why[SOCKETS_WHY])
{
	int nothing;
	int fd;

	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	nothing = open("/dev/null", O_RDWR);
	if (fd < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
	    dup2(nothing, STDOUT_FILENO) < 0 || dup2(nothing, STDERR_FILENO) < 0)
		return fail(why, "option --inetd: %s", strerror(errno));
	if (nothing > STDERR_FILENO)
		close(nothing);
	return adopt(server, fd, "", why);
}

int sockets_open(struct server *server, char why[SOCKETS_WHY])
{
	struct supervisor_socket sockets[SOCKETS_MAX];
	int count;

	handover_add_from_environment(server);
	count = supervisor_sockets(sockets, SOCKETS_MAX);
	if (count < 0)
		return fail(why, "inherited descriptors: %s", strerror(-count));
	if (adopt_all(server, sockets, count, why))
		return 1;
	if (list_is_empty(&server->listeners) && adopt_inherited(server, why))
		return 1;
	if (!list_is_empty(&server->listeners)) {
		say_without_effect(server);
		return 0;
	}
	if (server->options->inetd)
		return adopt_standard_input(server, why);
	return open_given(server, why) ? 1 : sandbox_check(server, why);
}
