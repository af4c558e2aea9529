/* SPDX-License-Identifier: MIT */
/*
 * The floor under every broker: a relay that copies bytes between sockets and parses nothing.
 *
 * What comes in on the publishers' port goes out to everybody on the receivers' port, and the
 * other way round; on the third port each read is answered with a PONG. Per turn it makes the
 * system calls that a perfect broker would make: one epoll_wait, one read of up to 64 KiB, one
 * write per receiver. It keeps no queue: while a receiver cannot take all of a chunk, the side that
 * the chunk came from is not read. So no broker that reads no more at once and delivers the same
 * bytes can cost less.
 *
 * Usage: relay [ADDRESS]. It listens on three free ports, prints "PUBLISHERS RECEIVERS PONG\n" on
 * standard output, and runs until a signal ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024, EVENTS_PER_TURN = 256 };
enum { PUBLISHERS, RECEIVERS, PONG, SIDES };

struct peer {
	int fd;
	struct side *side;
	struct peer *next;	/* side.peers */
	size_t sent;		/* of the chunk that the other side has read */
	uint32_t interest;	/* what epoll watches for us */
	bool blocked;		/* its socket would not take the whole chunk */
	bool dead;		/* freed when the turn ends: an event for it may still be in hand */
};

struct side {
	struct peer door;	/* the listening socket; a peer, so that events have one type */
	struct peer *peers;
	struct side *other;	/* who hears this one; NULL: it is answered with PONG */
	size_t waiting;		/* receivers that owe us the rest of the chunk; > 0: do not read */
	size_t length;
	char chunk[CHUNK_BYTES];
};

struct relay {
	int epoll;
	bool has_dead;
	struct side sides[SIDES];
};

/* As long as a real one, so that accept-to-PONG moves as many bytes. */
static const char INFO[] =
	"INFO {\"server_id\":\"RELAY00000000000000000000000000000000000000000000000000000\","
	"\"server_name\":\"relay\",\"version\":\"0.0.0\",\"proto\":1,\"host\":\"127.0.0.1\","
	"\"port\":4222,\"headers\":true,\"max_payload\":1048576,\"client_id\":1,"
	"\"client_ip\":\"127.0.0.1\"}\r\n";

static void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void peer_watch(struct relay *relay, struct peer *peer)
{
	uint32_t interest = 0;
	struct epoll_event event = { .data.ptr = peer };

	if (peer->side->waiting == 0)
		interest |= EPOLLIN;
	if (peer->blocked)
		interest |= EPOLLOUT;
	if (interest == peer->interest || peer->dead)
		return;
	event.events = peer->interest = interest;
	if (epoll_ctl(relay->epoll, EPOLL_CTL_MOD, peer->fd, &event) < 0)
		die("epoll_ctl");
}

static void side_watch(struct relay *relay, struct side *side)
{
	for (struct peer *peer = side->peers; peer; peer = peer->next)
		peer_watch(relay, peer);
}

static void peer_unblock(struct relay *relay, struct peer *peer)
{
	peer->blocked = false;
	peer_watch(relay, peer);
	if (--peer->side->other->waiting == 0)
		side_watch(relay, peer->side->other);
}

static void peer_die(struct relay *relay, struct peer *peer)
{
	peer->dead = relay->has_dead = true;
	if (peer->blocked)
		peer_unblock(relay, peer);
}

/* Write what is left of the other side's chunk; a socket that is full is taken up again later. */
static void peer_write(struct relay *relay, struct peer *peer)
{
	struct side *from = peer->side->other;
	ssize_t n = send(peer->fd, from->chunk + peer->sent, from->length - peer->sent,
			 MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		peer_die(relay, peer);
		return;
	}
	peer->sent += n > 0 ? (size_t)n : 0;
	if (peer->sent < from->length && !peer->blocked) {
		peer->blocked = true;
		from->waiting++;
		peer_watch(relay, peer);
	} else if (peer->sent == from->length && peer->blocked) {
		peer_unblock(relay, peer);
	}
}

static void peer_read(struct relay *relay, struct peer *peer)
{
	struct side *side = peer->side;
	ssize_t n = recv(peer->fd, side->chunk, sizeof(side->chunk), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		peer_die(relay, peer);
		return;
	}
	if (!side->other) {
		if (send(peer->fd, "PONG\r\n", 6, MSG_NOSIGNAL) != 6)
			peer_die(relay, peer);
		return;
	}
	side->length = (size_t)n;
	for (struct peer *to = side->other->peers; to; to = to->next) {
		to->sent = 0;
		if (!to->dead)
			peer_write(relay, to);
	}
	if (side->waiting > 0)
		side_watch(relay, side);
}

static void side_accept(struct relay *relay, struct side *side)
{
	const int one = 1;
	struct epoll_event event = { .events = EPOLLIN };
	struct peer *peer;
	int fd = accept4(side->door.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
		return;
	peer = calloc(1, sizeof(*peer));
	if (fd < 0 || !peer)
		die("accept");
	*peer = (struct peer){ .fd = fd, .side = side, .next = side->peers, .interest = EPOLLIN };
	side->peers = event.data.ptr = peer;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
	if (send(fd, INFO, sizeof(INFO) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(INFO) - 1)
		peer_die(relay, peer);
	peer_watch(relay, peer);
}

static void bury_dead(struct relay *relay)
{
	for (int i = 0; i < SIDES; i++) {
		for (struct peer **link = &relay->sides[i].peers; *link;) {
			struct peer *peer = *link;

			if (!peer->dead) {
				link = &peer->next;
				continue;
			}
			*link = peer->next;
			close(peer->fd);
			free(peer);
		}
	}
	relay->has_dead = false;
}

static void turn(struct relay *relay)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(relay->epoll, events, EVENTS_PER_TURN, -1);

	if (n < 0 && errno != EINTR)
		die("epoll_wait");
	for (int i = 0; i < n; i++) {
		struct peer *peer = events[i].data.ptr;

		if (peer == &peer->side->door) {
			side_accept(relay, peer->side);
			continue;
		}
		if (peer->blocked)
			peer_write(relay, peer);
		/* An earlier event of this turn may have filled the side's only chunk. */
		if (!peer->dead && (events[i].events & ~(uint32_t)EPOLLOUT) && !peer->side->waiting)
			peer_read(relay, peer);
	}
	if (relay->has_dead)
		bury_dead(relay);
}

static unsigned side_listen(struct relay *relay, struct side *side, const char *address)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t length = sizeof(at);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &side->door };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	errno = EINVAL;
	if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1)
		die(address);
	if (bind(fd, (struct sockaddr *)&at, length) < 0 || listen(fd, SOMAXCONN) < 0
	    || getsockname(fd, (struct sockaddr *)&at, &length) < 0)
		die(address);
	side->door = (struct peer){ .fd = fd, .side = side };
	if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
	return ntohs(at.sin_port);
}

int main(int argc, char **argv)
{
	static struct relay relay;	/* the chunks are too large for a small stack */
	unsigned ports[SIDES];
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	relay.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (relay.epoll < 0)
		die("epoll_create1");
	relay.sides[PUBLISHERS].other = &relay.sides[RECEIVERS];
	relay.sides[RECEIVERS].other = &relay.sides[PUBLISHERS];
	for (int i = 0; i < SIDES; i++)
		ports[i] = side_listen(&relay, &relay.sides[i], argc > 1 ? argv[1] : "127.0.0.1");
	printf("%u %u %u\n", ports[PUBLISHERS], ports[RECEIVERS], ports[PONG]);
	if (fflush(stdout) != 0)
		die("standard output");
	for (;;)
		turn(&relay);
}
