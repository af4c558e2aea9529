/* SPDX-License-Identifier: MIT */
#include "server/sandbox.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "os/listener.h"
#include "os/log.h"
#include "os/supervisor.h"
#include "server/events.h"
#include "server/server.h"
#include "server/sockets.h"

/* A private network has but the loopback interface; others may be there, but they are down. */
static bool has_only_loopback(void)
{
	struct ifaddrs *interfaces;
	bool only = true;

	/* A sandbox without netlink does not say. */
	if (getifaddrs(&interfaces) < 0)
		return true;
	for (struct ifaddrs *at = interfaces; at; at = at->ifa_next)
		only &= !(at->ifa_flags & IFF_UP) || (at->ifa_flags & IFF_LOOPBACK);
	freeifaddrs(interfaces);
	return only;
}

/* As supervisor_network_is_private(), but nobody is asked without need. */
static int is_private(void)
{
	return supervisor_watches() && has_only_loopback() ? supervisor_network_is_private() : 0;
}

/* The words. */

__attribute__((format(printf, 2, 3))) static void add(char *why, const char *format, ...)
{
	size_t length = strlen(why);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why + length, SOCKETS_WHY - length, format, arguments);
	va_end(arguments);
}

/* A socket unit takes addresses, but no names. */
static void add_host(char *why, const char *host, int port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char text[ADDRESS_TEXT];

	if (strchr(host, ':')) {
		add(why, "[%s]:%d", host, port);
		return;
	}
	snprintf(text, sizeof(text), "%s", host);
	if (getaddrinfo(host, NULL, &hints, &found) == 0) {
		struct peer peer = peer_of(found->ai_addr);

		peer_ip(&peer, text);
		freeaddrinfo(found);
	}
	add(why, strchr(text, ':') ? "[%s]:%d" : "%s:%d", text, port);
}

static void add_stream(char *why, const char *host, int64_t port)
{
	/* Any free port is more than a socket unit can offer. */
	int number = port > 0 ? (int)port : OPTIONS_DEFAULT_PORT;

	add(why, "\nListenStream=");
	if (listener_hears_all(host))
		add(why, "%d", number);
	else
		add_host(why, host, number);
}

static void add_where(char *why, const char *where)
{
	char host[ADDRESS_TEXT] = "";
	int port = 0;

	if (strncmp(where, "unix:", 5) == 0)
		add(why, "\nListenStream=%s", where + 5);
	else if (address_split(where, host, &port))
		add_stream(why, host, port);
}

/* All that was asked for, so that it can be pasted. */
static void add_words(const struct options *options, char *why)
{
	add(why, "\nThe sandbox of this service keeps clients from it; systemd can listen in its "
		 "place. Write into minats.socket, with `systemctl edit minats.socket`:"
		 "\n[Socket]\nListenStream=");
	for (uint32_t at = 0; at < options->listen_count; at++)
		add_where(why, options->listen[at]);
	if (options->listen_count == 0)
		add_stream(why, options->host ? options->host : "", options->port);
}

/* Is it what a sandbox says, or what one gets to hear who is not in the network he thinks? */
static bool comes_from_sandbox(int error)
{
	switch (error) {
	case -EAFNOSUPPORT:
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return supervisor_watches();
	case -EADDRNOTAVAIL:
		return is_private() > 0;
	default:
		return false;
	}
}

int sandbox_explain(const struct options *options, int error, char *why)
{
	if (comes_from_sandbox(error))
		add_words(options, why);
	return 1;
}

static bool has_only_unix(const struct server *server)
{
	for (const struct list *at = server->listeners.next; at != &server->listeners;
	     at = at->next)
		if (!container_of(at, struct listener, link)->is_unix)
			return false;
	return true;
}

int sandbox_check(const struct server *server, char *why)
{
	/* Who took the sockets over from another process need not ask again: clients would wait. */
	bool is_certain = server->handover.listener_count > 0 || has_only_unix(server);
	int private = is_certain ? 0 : is_private();

	if (private < 0)
		log_write(server->log, LOG_LEVEL_WARNING,
			  &(struct log_fields){.event = EVENT_PERHAPS_UNHEARD,
					       .reason = strerror(-private)},
			  "Is this a private network, where nobody hears what is listened on? "
			  "systemd did not say: %s", strerror(-private));
	if (private <= 0)
		return 0;
	snprintf(why, SOCKETS_WHY, "This service has a network to itself (PrivateNetwork=yes): "
				   "nobody would hear what it listens on");
	add_words(server->options, why);
	return 1;
}
