/* SPDX-License-Identifier: MIT */
#include "os/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/accept.h"
#include "os/credentials.h"

enum {
	BACKLOG = 4096,         /* the kernel lowers it to its own limit */
	ACCEPTS_A_TURN = 64,
	RETRY_MS = 1000,
	QUIET_MS = 10000,
};

#define UNIX_PREFIX "unix:"

/* Opening. */

static int fail(char why[256], const char *what, const char *where)
{
	int error = errno;

	snprintf(why, 256, "%s%s: %s", what, where, strerror(error));
	return -error;
}

static int new_socket(int family, int protocol)
{
	int fd = socket(family, SOCK_STREAM, protocol);

	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* A Unix socket whose daemon died leaves its file; one that still answers is left alone. */
static bool remove_stale(const struct sockaddr_un *address)
{
	struct stat status;
	bool stale;
	int fd;

	if (lstat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	fd = new_socket(AF_UNIX, 0);
	if (fd < 0)
		return false;
	/* One that lives but has no room would keep us waiting. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale && unlink(address->sun_path) == 0;
}

/* 0 or -1 and errno. */
static int bind_unix(int fd, const struct sockaddr_un *address)
{
	const struct sockaddr *any = (const struct sockaddr *)address;

	if (bind(fd, any, sizeof(*address)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -1;
	if (remove_stale(address))
		return bind(fd, any, sizeof(*address));
	/* Not what went wrong when it was looked at. */
	errno = EADDRINUSE;
	return -1;
}

static int open_unix(const char *path, char why[256])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error;
	int fd;

	if (!*path || strlen(path) >= sizeof(address.sun_path)) {
		errno = *path ? ENAMETOOLONG : EINVAL;
		return fail(why, "listen on " UNIX_PREFIX, path);
	}
	strcpy(address.sun_path, path);
	fd = new_socket(AF_UNIX, 0);
	if (fd < 0)
		return fail(why, "create a socket for " UNIX_PREFIX, path);
	if (bind_unix(fd, &address) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = fail(why, "listen on " UNIX_PREFIX, path);
	close(fd);
	return error;
}

static int bind_to(const struct addrinfo *address, bool both_families)
{
	int fd = new_socket(address->ai_family, address->ai_protocol);
	int only_v6 = !both_families;
	int on = 1;
	int error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

bool listener_hears_all(const char *host)
{
	return !*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* The addresses of one family or all, in turn, until one can be bound. */
static int bind_host(const char *host, uint16_t port, int family, bool both_families, char why[256])
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *addresses;
	char service[8];
	int fd = -EADDRNOTAVAIL;
	int error;

	snprintf(service, sizeof(service), "%u", port);
	error = getaddrinfo(host, service, &hints, &addresses);
	if (error) {
		snprintf(why, 256, "listen on %s: %s", host ? host : "all addresses",
			 gai_strerror(error));
		return -EADDRNOTAVAIL;
	}
	for (struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next)
		fd = bind_to(at, both_families);
	freeaddrinfo(addresses);
	if (fd < 0)
		snprintf(why, 256, "listen on %s:%s: %s", host ? host : "0.0.0.0", service,
			 strerror(-fd));
	return fd;
}

int listener_open(const char *host, uint16_t port, char why[256])
{
	int fd;

	if (strncmp(host, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
		return open_unix(host + strlen(UNIX_PREFIX), why);
	if (!listener_hears_all(host))
		return bind_host(host, port, AF_UNSPEC, false, why);
	/* One IPv6 socket hears both; where there is no IPv6, IPv4 has to do. */
	fd = bind_host(NULL, port, AF_INET6, true, why);
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = bind_host(NULL, port, AF_INET, false, why);
	return fd;
}

bool listener_is_usable(int fd, char why[256])
{
	int value = 0;
	socklen_t length = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length) < 0) {
		snprintf(why, 256, "%s", errno == EBADF ? "not open" : "not a socket");
		return false;
	}
	if (value != SOCK_STREAM) {
		snprintf(why, 256, "not a stream socket");
		return false;
	}
	value = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) < 0 || !value) {
		snprintf(why, 256, "not a listening socket");
		return false;
	}
	return true;
}

/* Accepting. */

static void pause_for_want(struct listener *listener, int error)
{
	uint64_t now = listener->loop->now_ms;

	listener->is_paused = true;
	(void)loop_want(listener->loop, &listener->source, 0);
	(void)loop_set_timer(listener->loop, &listener->retry, now + RETRY_MS);
	if (now < listener->quiet_until_ms)
		return;
	listener->quiet_until_ms = now + QUIET_MS;
	listener->starved(listener, error);
}

/* Errors that accept(2) has for one connection, which is gone. All others are about us. */
static bool is_about_connection(int error)
{
	switch (error) {
	case -ECONNABORTED:
	case -EPROTO:
	case -EINTR:
	case -EPERM:
	case -ETIMEDOUT:
	case -ENETDOWN:
	case -ENETUNREACH:
	case -EHOSTDOWN:
	case -EHOSTUNREACH:
	case -ENOPROTOOPT:
	case -EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

static struct peer find_peer(int fd, const struct sockaddr *address)
{
	struct peer peer = peer_of(address);
	struct credentials credentials;

	if (peer.family != AF_UNIX)
		return peer;
	credentials = credentials_of(fd);
	return peer_of_process(&credentials);
}

static void on_ready(struct source *source, unsigned ready)
{
	struct listener *listener = container_of(source, struct listener, source);

	(void)ready;
	/* A lone client is not worth asking for another; a crowd, turn after turn, is. */
	if (listener->accepts == 0 || listener->last_turn + 1 != listener->loop->turn)
		listener->accepts = 1;
	else if (listener->accepts < ACCEPTS_A_TURN)
		listener->accepts *= 2;
	listener->last_turn = listener->loop->turn;
	for (int count = 0; count < listener->accepts && source->want; count++) {
		struct sockaddr_storage address = {.ss_family = AF_UNIX};
		int fd = accept_connection(source->fd, &address);
		struct peer peer;

		if (fd == -EAGAIN || fd == -EWOULDBLOCK)
			return;
		if (is_about_connection(fd))
			continue;
		if (fd < 0) {
			pause_for_want(listener, fd);
			return;
		}
		peer = find_peer(fd, (const struct sockaddr *)&address);
		listener->accepted(listener, fd, &peer);
	}
}

static void on_retry(struct timer *timer)
{
	listener_resume(container_of(timer, struct listener, retry));
}

static void describe_inet(struct listener *listener, const struct sockaddr_storage *address)
{
	struct peer own = peer_of((const struct sockaddr *)address);

	peer_ip(&own, listener->host);
	listener->port = own.port;
	listener->any_address = listener_hears_all(listener->host);
	if (listener->any_address)
		strcpy(listener->host, "0.0.0.0");
	own.family = listener->any_address ? AF_INET : own.family;
	memset(own.bytes, 0, listener->any_address ? sizeof(own.bytes) : 0);
	peer_text(&own, listener->text);
}

/* 0 or -errno. */
static int describe(struct listener *listener)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	struct sockaddr_un local;

	if (getsockname(listener->source.fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	if (address.ss_family == AF_INET || address.ss_family == AF_INET6) {
		describe_inet(listener, &address);
		return 0;
	}
	memcpy(&local, &address, sizeof(local));
	local.sun_path[sizeof(local.sun_path) - 1] = '\0';
	snprintf(listener->text, ADDRESS_TEXT, UNIX_PREFIX "%s", local.sun_path);
	strcpy(listener->host, "0.0.0.0");
	listener->is_unix = true;
	return 0;
}

/* One that blocks would stop us as soon as nobody waits there. 0 or -errno. */
static int prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

void listener_init_gone(struct listener *listener, struct loop *loop, struct slice text)
{
	int port = 0;

	*listener = (struct listener){.source = {.fd = -1}, .loop = loop, .host = "0.0.0.0"};
	list_init(&listener->link);
	snprintf(listener->text, ADDRESS_TEXT, "%.*s", (int)text.length, text.bytes);
	listener->is_unix = strncmp(listener->text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
	if (!listener->is_unix && address_split(listener->text, listener->host, &port) && port > 0)
		listener->port = (uint16_t)port;
}

int listener_init(struct listener *listener, struct loop *loop, int fd, const char *where)
{
	int on = 1;
	int error;

	*listener = (struct listener){
		.source = {.fd = fd, .ready = on_ready},
		.retry = {.expired = on_retry},
		.loop = loop,
		.adopted = !where,
	};
	list_init(&listener->link);
	snprintf(listener->where, LISTENER_WHERE, "%s", where ? where : "");
	error = prepare(fd);
	if (error == 0)
		error = describe(listener);
	if (error < 0)
		return error;
	/* Accepted sockets inherit it. */
	if (!listener->is_unix)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return 0;
}

int listener_arm(struct listener *listener)
{
	return loop_want(listener->loop, &listener->source, POLLER_READ);
}

void listener_resume(struct listener *listener)
{
	int error;

	if (!listener->is_paused)
		return;
	listener->is_paused = false;
	loop_cancel_timer(listener->loop, &listener->retry);
	error = listener_arm(listener);
	if (error < 0)
		pause_for_want(listener, error);
}

void listener_leave(struct listener *listener)
{
	if (listener->source.fd < 0)
		return;
	loop_cancel_timer(listener->loop, &listener->retry);
	loop_forget(listener->loop, &listener->source);
	close(listener->source.fd);
	listener->source.fd = -1;
	listener->is_paused = false;
}

void listener_close(struct listener *listener)
{
	bool is_open = listener->source.fd >= 0;

	listener_leave(listener);
	if (is_open && listener->is_unix && !listener->adopted)
		unlink(listener->text + strlen(UNIX_PREFIX));
}
