/* SPDX-License-Identifier: MIT */
#include "server/files.h"

#include <ifaddrs.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/file.h"
#include "os/listener.h"
#include "server/server.h"

/* All at once: whoever waits for the file must not see half of it. */
static int write_file(const char *path, struct slice text, mode_t mode, char why[FILES_WHY])
{
	int error = file_write(path, text, mode);

	if (error == 0)
		return 0;
	snprintf(why, FILES_WHY, "cannot write %.400s: %s", path, strerror(-error));
	return 1;
}

static int write_pid_file(const char *path, char why[FILES_WHY])
{
	char text[24];
	int length = snprintf(text, sizeof(text), "%ld", (long)getpid());

	return write_file(path, (struct slice){text, (size_t)length}, 0600, why);
}

static int add_url(struct buf *text, const char *format, const char *host, unsigned port)
{
	bool first = text->bytes[text->length - 1] == '[';
	int error = buf_append(text, first ? SLICE("\"") : SLICE(",\""));

	if (error == 0)
		error = buf_printf(text, format, host, port);
	return error < 0 ? error : buf_append(text, SLICE("\""));
}

static int add_host(struct buf *text, const char *host, uint16_t port)
{
	return add_url(text, strchr(host, ':') ? "nats://[%s]:%u" : "nats://%s:%u", host, port);
}

/* A socket for any address has as many as the machine. */
static int add_interfaces(struct buf *text, uint16_t port)
{
	struct ifaddrs *interfaces;
	int error = 0;

	if (getifaddrs(&interfaces) < 0)
		return add_host(text, "127.0.0.1", port);
	for (struct ifaddrs *at = interfaces; at && error == 0; at = at->ifa_next) {
		char host[ADDRESS_TEXT];
		struct peer peer;

		if (!at->ifa_addr || (at->ifa_addr->sa_family != AF_INET &&
				      at->ifa_addr->sa_family != AF_INET6))
			continue;
		peer = peer_of(at->ifa_addr);
		peer_ip(&peer, host);
		error = add_host(text, host, port);
	}
	freeifaddrs(interfaces);
	return error;
}

static int print_ports(const struct server *server, struct buf *text)
{
	int error = buf_append(text, SLICE("{\"nats\":["));

	for (struct list *at = server->listeners.next; at != &server->listeners && error == 0;
	     at = at->next) {
		const struct listener *listener = container_of(at, struct listener, link);

		if (listener->is_unix)
			error = add_url(text, "%s", listener->text, 0);
		else if (listener->any_address)
			error = add_interfaces(text, listener->port);
		else
			error = add_host(text, listener->host, listener->port);
	}
	return error < 0 ? error : buf_append(text, SLICE("]}"));
}

static void ports_path(const struct options *options, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/minats_%ld.ports", options->ports_file_dir, (long)getpid());
}

static int write_ports_file(const struct server *server, const struct options *options,
			    char why[FILES_WHY])
{
	struct buf text = {0};
	char path[PATH_MAX];
	int error = print_ports(server, &text);

	ports_path(options, path);
	if (error == 0)
		error = write_file(path, buf_slice(&text), 0644, why);
	else
		snprintf(why, FILES_WHY, "cannot write %.400s: %s", path, strerror(-error));
	buf_fini(&text);
	return error ? 1 : 0;
}

int files_write(const struct server *server, const struct options *options,
		char why[FILES_WHY])
{
	if (options->pid_file && write_pid_file(options->pid_file, why))
		return 1;
	return options->ports_file_dir ? write_ports_file(server, options, why) : 0;
}

void files_remove(const struct options *options)
{
	char path[PATH_MAX];

	if (!options->ports_file_dir)
		return;
	ports_path(options, path);
	unlink(path);
}
