/* SPDX-License-Identifier: MIT */
/*
 * A crowd of clients that notice everything: a closed connection, an -ERR, a message that is lost,
 * doubled, reordered or spoilt. Made to stand through restarts of the broker.
 *
 *     connect all → "up" → publish at full speed, verify → stop: fence, compare → "ok ..."
 *
 * Publishers number their messages, 0, 1, 2 ..., and number K goes to subject s.(K mod groups). Who
 * is in a group hears every groups-th number of each publisher; a wildcard subscriber hears s.*, all
 * of them. In queue mode the members of a group share its messages. In request mode they also answer
 * them, and publishers wait for answers. Publishers respect nothing but a socket that takes no more.
 *
 * Standard input takes commands: `mark` prints what was delivered since the last mark and, with a
 * probe, its longest silence; `stop`, or the end of the input, ends it. Then fences (PING, PONG) make
 * sure that whatever was published has arrived: publishers, subscribers and, for the answers,
 * subscribers and publishers again. The last line on standard output is `ok` with totals, or
 * `failed:` and why; the exit status 0 or 1.
 *
 * The probe is a thread of its own: whoever works for 5,000 clients cannot tell the time.
 *   talk      one connection says PING when it has heard PONG, another publishes each millisecond to
 *             a third. Its silence is the longest time between two PONGs, or between two messages
 *   connect   connects, waits for a line, leaves, again and again: the longest time without a line
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH_BYTES = 32 * 1024,
	READ_BYTES = 1 << 20,
	EVENTS_PER_TURN = 512,
	CONNECTS_AT_ONCE = 500,		/* less than any backlog */
	LINE_MAX_BYTES = 64 * 1024,
	PAYLOAD_HEAD = 17,		/* "PPP NNNNNNNNNNNN " */
	NUMBER_AT = 4,
	NUMBER_DIGITS = 12,
	SIZES_MAX = 8,
	SIZE_MAX_BYTES = 256 * 1024,
	PUBLISHERS_MAX = 1000,
	FILLER_TURN = 64,		/* after so many numbers the filler is the same again */
	REQUESTS_IN_FLIGHT = 64,
};

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

struct text {
	char *bytes;
	size_t length, room;
};

enum probe_kind { PROBE_NONE, PROBE_TALK, PROBE_CONNECT };

struct settings {
	const char *address;
	unsigned clients, publishers, groups, wildcards;
	unsigned sizes[SIZES_MAX], size_count;
	unsigned seconds;		/* 0: until told */
	unsigned limit_s;		/* nothing takes longer: a fence, or silence */
	bool queue, requests, verbose;
	enum probe_kind probe;
};

enum role { PUBLISHER, SUBSCRIBER };

struct conn {
	int fd;
	enum role role;
	unsigned index;			/* among those of its role */
	struct text in;			/* what has begun, but is not whole */
	struct text out;
	size_t out_at;			/* so much of it is written */
	bool waits_for_room;
	uint64_t pongs_due, oks, oks_due;
	/* A subscriber: */
	bool wildcard;
	uint64_t *next;			/* the number that must come next, of each publisher */
	/* A publisher: */
	uint64_t sent;
	uint64_t answered;
	struct text seen;		/* a bit for each number that a member of a group has heard */
	struct text answers;		/* and one for each answer */
};

/* The longest time between two things heard. */
struct silence {
	uint64_t last_ns, longest_ns;
};

struct probe {
	const struct settings *settings;
	pthread_t thread;
	pthread_mutex_t lock;		/* for what is heard */
	struct silence pong, message, line;
	atomic_bool is_over;
};

struct crowd {
	struct settings settings;
	int epoll;
	struct conn *publishers, *subscribers;
	unsigned pongs_missing;		/* connections whose PONG is due */
	bool publishing, is_told_to_stop;
	uint64_t published, delivered, marked, answered;
	uint64_t last_heard_ns;
	struct probe probe;
	char filler[SIZE_MAX_BYTES + FILLER_TURN];
	char buffer[READ_BYTES];
};

/* -------------------------------------------------------------------------------- failure ---- */

/* In one line, whatever is quoted in it. */
__attribute__((format(printf, 1, 0), noreturn))
static void give_up(const char *format, va_list arguments)
{
	char why[512];

	vsnprintf(why, sizeof(why), format, arguments);
	for (char *at = why; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = '|';
	puts(why);
	fflush(stdout);
	_exit(1);
}

__attribute__((format(printf, 1, 2), noreturn))
static void fail(const char *format, ...)
{
	va_list arguments;

	flockfile(stdout);
	fputs("failed: ", stdout);
	va_start(arguments, format);
	give_up(format, arguments);
}

__attribute__((format(printf, 2, 3), noreturn))
static void conn_fail(const struct conn *conn, const char *format, ...)
{
	va_list arguments;

	flockfile(stdout);
	printf("failed: %s %u: ", conn->role == PUBLISHER ? "publisher" : "subscriber", conn->index);
	va_start(arguments, format);
	give_up(format, arguments);
}

static void *must(void *memory)
{
	if (!memory)
		fail("out of memory");
	return memory;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---------------------------------------------------------------------------------- texts ---- */

static void text_reserve(struct text *text, size_t more)
{
	if (text->room - text->length >= more)
		return;
	text->room = text->room * 2 + more + 64;
	text->bytes = must(realloc(text->bytes, text->room));
}

static void text_add(struct text *text, const void *bytes, size_t length)
{
	text_reserve(text, length);
	if (length)
		memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

static void text_add_string(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

/* At least so many digits; snprintf would be half of the work. */
static void text_add_number(struct text *text, uint64_t number, unsigned least)
{
	char digits[24];
	size_t at = sizeof(digits);

	while (number || least) {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
		least -= least > 0;
	}
	text_add(text, digits + at, sizeof(digits) - at);
}

/* Sets a bit; was it set? */
static bool text_test_and_set(struct text *bits, uint64_t at)
{
	size_t byte = (size_t)(at / 8);
	char bit = (char)(1 << at % 8);
	bool was_set;

	if (byte >= bits->length) {
		text_reserve(bits, byte + 1 - bits->length);
		memset(bits->bytes + bits->length, 0, bits->room - bits->length);
		bits->length = bits->room;
	}
	was_set = bits->bytes[byte] & bit;
	bits->bytes[byte] = (char)(bits->bytes[byte] | bit);
	return was_set;
}

/* ------------------------------------------------------------------------------- messages ---- */

static unsigned size_of(const struct crowd *crowd, uint64_t number)
{
	return crowd->settings.sizes[number % crowd->settings.size_count];
}

static const char *filler_of(const struct crowd *crowd, unsigned publisher, uint64_t number)
{
	return crowd->filler + (publisher + number) % FILLER_TURN;
}

static void add_subject(struct text *text, const struct crowd *crowd, uint64_t number)
{
	text_add_string(text, "s.");
	text_add_number(text, number % crowd->settings.groups, 1);
}

static void add_inbox(struct text *text, unsigned publisher)
{
	text_add_string(text, "_INBOX.");
	text_add_number(text, publisher, 3);
	text_add_string(text, ".");
}

static void add_reply(struct text *text, unsigned publisher, uint64_t number)
{
	add_inbox(text, publisher);
	text_add_number(text, number, NUMBER_DIGITS);
}

/* " SIZE", the line's end and the payload. */
static void add_payload(struct text *text, const struct crowd *crowd, unsigned publisher,
			uint64_t number)
{
	unsigned size = size_of(crowd, number);

	text_add_string(text, " ");
	text_add_number(text, size, 1);
	text_add_string(text, "\r\n");
	text_add_number(text, publisher, 3);
	text_add_string(text, " ");
	text_add_number(text, number, NUMBER_DIGITS);
	text_add_string(text, " ");
	text_add(text, filler_of(crowd, publisher, number), size - PAYLOAD_HEAD);
	text_add_string(text, "\r\n");
}

static bool read_digits(const char *at, unsigned digits, uint64_t *number)
{
	for (*number = 0; digits; at++, digits--) {
		if (*at < '0' || *at > '9')
			return false;
		*number = *number * 10 + (uint64_t)(*at - '0');
	}
	return true;
}

/* ---------------------------------------------------------------------------- connections ---- */

/* A stream socket to HOST:PORT or unix:PATH, blocking. */
static int connect_to(const char *address)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in host = { .sin_family = AF_INET };
	bool is_local = strncmp(address, "unix:", 5) == 0;
	const char *port = strrchr(address, ':');
	char name[64];
	int fd, one = 1;

	fd = socket(is_local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket: %s", strerror(errno));
	if (is_local) {
		snprintf(local.sun_path, sizeof(local.sun_path), "%s", address + 5);
	} else {
		snprintf(name, sizeof(name), "%.*s", port ? (int)(port - address) : 0, address);
		if (!port || inet_pton(AF_INET, name, &host.sin_addr) != 1)
			fail("%s is neither HOST:PORT nor unix:PATH", address);
		host.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (connect(fd, is_local ? (struct sockaddr *)&local : (struct sockaddr *)&host,
		    is_local ? sizeof(local) : sizeof(host)) < 0)
		fail("connect to %s: %s", address, strerror(errno));
	return fd;
}

static void conn_watch(struct crowd *crowd, struct conn *conn, int operation)
{
	struct epoll_event event = {
		.events = EPOLLIN | (conn->waits_for_room ? EPOLLOUT : 0),
		.data.ptr = conn,
	};

	if (epoll_ctl(crowd->epoll, operation, conn->fd, &event) < 0)
		fail("epoll_ctl: %s", strerror(errno));
}

static bool has_output(const struct conn *conn)
{
	return conn->out_at < conn->out.length;
}

/* As much as the socket takes. */
static void conn_write(const struct crowd *crowd, struct conn *conn)
{
	ssize_t written;

	while (has_output(conn)) {
		written = send(conn->fd, conn->out.bytes + conn->out_at,
			       conn->out.length - conn->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (written < 0 && errno == EAGAIN)
			return;
		if (written < 0)
			conn_fail(conn, "disconnected while it wrote: %s%s", strerror(errno),
				  crowd->pongs_missing ? ", awaiting a PONG" : "");
		conn->out_at += (size_t)written;
	}
	conn->out_at = conn->out.length = 0;
}

static bool may_publish(const struct crowd *crowd, const struct conn *conn)
{
	return crowd->publishing && conn->role == PUBLISHER &&
		(!crowd->settings.requests || conn->sent - conn->answered < REQUESTS_IN_FLIGHT);
}

static void publish(struct crowd *crowd, struct conn *conn)
{
	uint64_t number = conn->sent++;

	text_add_string(&conn->out, "PUB ");
	add_subject(&conn->out, crowd, number);
	if (crowd->settings.requests) {
		text_add_string(&conn->out, " ");
		add_reply(&conn->out, conn->index, number);
	}
	add_payload(&conn->out, crowd, conn->index, number);
	conn->oks_due++;
	crowd->published++;
}

/* Writes what there is, and more where it may; then waits for room where there is a reason to. */
static void conn_flush(struct crowd *crowd, struct conn *conn)
{
	bool waits;

	conn_write(crowd, conn);
	if (!has_output(conn) && may_publish(crowd, conn)) {
		while (conn->out.length < BATCH_BYTES && may_publish(crowd, conn))
			publish(crowd, conn);
		conn_write(crowd, conn);
	}
	waits = has_output(conn) || may_publish(crowd, conn);
	if (waits != conn->waits_for_room) {
		conn->waits_for_room = waits;
		conn_watch(crowd, conn, EPOLL_CTL_MOD);
	}
}

/* ------------------------------------------------------------------------- what is heard ---- */

/* Each member hears rising numbers; no two hear the same one. */
static void check_shared(struct crowd *crowd, struct conn *conn, unsigned publisher,
			 uint64_t number)
{
	if (number < conn->next[publisher])
		conn_fail(conn, "message %" PRIu64 " of publisher %u after %" PRIu64, number,
			  publisher, conn->next[publisher] - 1);
	if (text_test_and_set(&crowd->publishers[publisher].seen, number))
		conn_fail(conn, "message %" PRIu64 " of publisher %u came twice", number,
			  publisher);
	conn->next[publisher] = number + 1;
}

static void check_number(struct crowd *crowd, struct conn *conn, unsigned publisher,
			 uint64_t number)
{
	if (crowd->settings.queue && !conn->wildcard) {
		check_shared(crowd, conn, publisher, number);
		return;
	}
	if (number != conn->next[publisher])
		conn_fail(conn, "message %" PRIu64 " of publisher %u instead of %" PRIu64, number,
			  publisher, conn->next[publisher]);
	conn->next[publisher] += conn->wildcard ? 1 : crowd->settings.groups;
}

static void check_answer(struct crowd *crowd, struct conn *conn, unsigned publisher,
			 uint64_t number)
{
	if (publisher != conn->index || number >= conn->sent)
		conn_fail(conn, "an answer to request %" PRIu64 " of publisher %u", number,
			  publisher);
	if (text_test_and_set(&conn->answers, number))
		conn_fail(conn, "request %" PRIu64 " was answered twice", number);
	conn->answered++;
	crowd->answered++;
}

/* The payload comes back as it came. */
static void answer(struct crowd *crowd, struct conn *conn, unsigned publisher, uint64_t number)
{
	text_add_string(&conn->out, "PUB ");
	add_reply(&conn->out, publisher, number);
	add_payload(&conn->out, crowd, publisher, number);
	conn->oks_due++;
}

/* Of a message that is whole. Byte by byte it must be what this one should hear. */
static void check_bytes(struct crowd *crowd, struct conn *conn, const char *bytes, size_t length,
			const char *payload)
{
	char room[256];
	struct text head = { .bytes = room, .room = sizeof(room) };
	uint64_t publisher = 0, number = 0;
	size_t size = (size_t)(bytes + length - payload) - 2;

	if (size < PAYLOAD_HEAD || !read_digits(payload, NUMBER_AT - 1, &publisher) ||
	    !read_digits(payload + NUMBER_AT, NUMBER_DIGITS, &number) ||
	    publisher >= crowd->settings.publishers || size != size_of(crowd, number))
		conn_fail(conn, "not a message of ours: %.*s", (int)(length < 80 ? length : 80),
			  bytes);
	text_add_string(&head, "MSG ");
	if (conn->role == PUBLISHER)
		add_reply(&head, (unsigned)publisher, number);
	else
		add_subject(&head, crowd, number);
	text_add_string(&head, " 1 ");
	if (crowd->settings.requests && conn->role == SUBSCRIBER) {
		add_reply(&head, (unsigned)publisher, number);
		text_add_string(&head, " ");
	}
	text_add_number(&head, size, 1);
	text_add_string(&head, "\r\n");
	if (head.length != (size_t)(payload - bytes) || memcmp(head.bytes, bytes, head.length) ||
	    payload[NUMBER_AT - 1] != ' ' || payload[PAYLOAD_HEAD - 1] != ' ' ||
	    memcmp(payload + PAYLOAD_HEAD, filler_of(crowd, (unsigned)publisher, number),
		   size - PAYLOAD_HEAD) || memcmp(payload + size, "\r\n", 2))
		conn_fail(conn, "a spoilt message: %.*s", (int)(length < 80 ? length : 80), bytes);
	crowd->delivered++;
	if (conn->role == PUBLISHER) {
		check_answer(crowd, conn, (unsigned)publisher, number);
		return;
	}
	check_number(crowd, conn, (unsigned)publisher, number);
	if (crowd->settings.requests && !conn->wildcard)
		answer(crowd, conn, (unsigned)publisher, number);
}

/* How much it took: 0 while it is not whole. */
static size_t take_message(struct crowd *crowd, struct conn *conn, const char *bytes,
			   size_t length, size_t line)
{
	const char *blank = memrchr(bytes, ' ', line);
	size_t whole = line + strtoul(blank + 1, NULL, 10) + 2;

	if (whole > SIZE_MAX_BYTES + LINE_MAX_BYTES)
		conn_fail(conn, "too large: %.*s", (int)line, bytes);
	if (whole > length)
		return 0;
	check_bytes(crowd, conn, bytes, whole, bytes + line);
	return whole;
}

static bool is_line(const char *bytes, size_t line, const char *expected)
{
	return line == strlen(expected) && memcmp(bytes, expected, line) == 0;
}

static void take_line(struct crowd *crowd, struct conn *conn, const char *bytes, size_t line)
{
	if (is_line(bytes, line, "PING\r\n")) {
		text_add_string(&conn->out, "PONG\r\n");
	} else if (is_line(bytes, line, "PONG\r\n") && conn->pongs_due) {
		conn->pongs_due--;
		crowd->pongs_missing--;
	} else if (is_line(bytes, line, "+OK\r\n") && crowd->settings.verbose &&
		   conn->oks < conn->oks_due) {
		conn->oks++;
	} else if (strncmp(bytes, "INFO {", line < 6 ? line : 6) != 0) {
		conn_fail(conn, "heard %.*s", (int)line - 2, bytes);
	}
}

static size_t take_one(struct crowd *crowd, struct conn *conn, const char *bytes, size_t length)
{
	const char *end = memchr(bytes, '\n', length);
	size_t line = end ? (size_t)(end - bytes) + 1 : 0;

	if (!end && length > LINE_MAX_BYTES)
		conn_fail(conn, "heard an endless line");
	if (!end)
		return 0;
	if (line > 4 && memcmp(bytes, "MSG ", 4) == 0)
		return take_message(crowd, conn, bytes, length, line);
	take_line(crowd, conn, bytes, line);
	return line;
}

static void conn_read(struct crowd *crowd, struct conn *conn)
{
	size_t length = conn->in.length, at = 0, took;
	ssize_t count;

	if (length)
		memcpy(crowd->buffer, conn->in.bytes, length);
	count = recv(conn->fd, crowd->buffer + length, READ_BYTES - length, MSG_DONTWAIT);
	if (count < 0 && errno == EAGAIN)
		return;
	if (count <= 0)
		conn_fail(conn, "disconnected: %s", count < 0 ? strerror(errno) : "end of input");
	length += (size_t)count;
	while (at < length) {
		took = take_one(crowd, conn, crowd->buffer + at, length - at);
		if (!took)
			break;
		at += took;
	}
	conn->in.length = 0;
	text_add(&conn->in, crowd->buffer + at, length - at);
}

/* ---------------------------------------------------------------------------------- probe ---- */

static void silence_break(struct probe *probe, struct silence *silence)
{
	uint64_t now = now_ns();

	pthread_mutex_lock(&probe->lock);
	if (silence->last_ns && now - silence->last_ns > silence->longest_ns)
		silence->longest_ns = now - silence->last_ns;
	silence->last_ns = now;
	pthread_mutex_unlock(&probe->lock);
}

/* What lasts still counts as well. In ms; and it begins anew. */
static double silence_take(struct silence *silence)
{
	uint64_t lasts = silence->last_ns ? now_ns() - silence->last_ns : 0;
	uint64_t longest = lasts > silence->longest_ns ? lasts : silence->longest_ns;

	silence->longest_ns = 0;
	return (double)longest / (double)NS_PER_MS;
}

struct listener {
	const char *name;
	int fd;
	char line[LINE_MAX_BYTES];
	size_t length;
};

/* The next line without its CRLF; NULL: not yet. A PING is answered. */
static const char *listener_line(struct listener *listener)
{
	char byte;
	ssize_t count;

	while ((count = recv(listener->fd, &byte, 1, MSG_DONTWAIT)) == 1) {
		if (byte != '\n' && listener->length < sizeof(listener->line) - 1) {
			listener->line[listener->length++] = byte;
			continue;
		}
		listener->line[listener->length - (listener->length > 0)] = '\0';
		listener->length = 0;
		if (strcmp(listener->line, "PING") != 0)
			return listener->line;
		send(listener->fd, "PONG\r\n", 6, MSG_NOSIGNAL);
	}
	if (count < 0 && errno == EAGAIN)
		return NULL;
	fail("the probe's %s: disconnected", listener->name);
}

static void probe_say(const struct listener *listener, const char *text)
{
	if (send(listener->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN)
		fail("the probe's %s: disconnected while it wrote", listener->name);
}

static void probe_hear_pong(struct probe *probe, struct listener *pinger)
{
	const char *line;

	while ((line = listener_line(pinger))) {
		if (strcmp(line, "PONG") == 0) {
			silence_break(probe, &probe->pong);
			probe_say(pinger, "PING\r\n");
		} else if (strncmp(line, "INFO ", 5) != 0) {
			fail("the probe's pinger heard %s", line);
		}
	}
}

/* Payloads are numbers, and rise by one. */
static void probe_hear_message(struct probe *probe, struct listener *receiver, uint64_t *next)
{
	const char *line;

	while ((line = listener_line(receiver))) {
		if (*line == '-')
			fail("the probe's receiver heard %s", line);
		if (*line < '0' || *line > '9')
			continue;
		if (strtoull(line, NULL, 10) != *next)
			fail("the probe's receiver heard %s instead of %" PRIu64, line, *next);
		*next += 1;
		silence_break(probe, &probe->message);
	}
}

/* What is lost to a full socket was not sent: the number stays. */
static void probe_publish(const struct listener *publisher, uint64_t *number)
{
	char text[96];
	int length = snprintf(text, sizeof(text), "PUB probe.%ld 12\r\n%012" PRIu64 "\r\n",
			      (long)getpid(), *number);

	if (send(publisher->fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) == length)
		*number += 1;
}

static void listener_open(struct listener *listener, const struct probe *probe, const char *name,
			  const char *hello)
{
	*listener = (struct listener){ .name = name };
	listener->fd = connect_to(probe->settings->address);
	probe_say(listener, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
	probe_say(listener, hello);
}

static void probe_talk(struct probe *probe)
{
	struct listener *all = must(calloc(3, sizeof(*all)));
	struct listener *pinger = &all[0], *receiver = &all[1], *publisher = &all[2];
	uint64_t sent = 0, next = 0, due = 0, now;
	struct pollfd polled[3];
	char hello[64];

	snprintf(hello, sizeof(hello), "SUB probe.%ld 1\r\n", (long)getpid());
	listener_open(receiver, probe, "receiver", hello);
	listener_open(publisher, probe, "publisher", "");
	listener_open(pinger, probe, "pinger", "PING\r\n");
	for (int at = 0; at < 3; at++)
		polled[at] = (struct pollfd){ .fd = all[at].fd, .events = POLLIN };
	while (!probe->is_over) {
		now = now_ns();
		/* The receiver subscribes before the pinger's PONG, as the broker reads in turn. */
		if (probe->pong.last_ns && now >= due) {
			probe_publish(publisher, &sent);
			due = now + NS_PER_MS;
		}
		ppoll(polled, 3, &(struct timespec){ .tv_nsec = due > now ? (long)(due - now) :
						     (long)NS_PER_MS }, NULL);
		probe_hear_pong(probe, pinger);
		probe_hear_message(probe, receiver, &next);
		listener_line(publisher);
	}
	for (int at = 0; at < 3; at++)
		close(all[at].fd);
	free(all);
}

/*
 * One that is closed without a line is silence as well. Leaves with a reset: so many ports in
 * TIME_WAIT would be the end of it.
 */
static void probe_connect_once(struct probe *probe)
{
	struct linger linger = { .l_onoff = 1 };
	struct pollfd polled = { .events = POLLIN };
	char line[LINE_MAX_BYTES];
	int ready;

	polled.fd = connect_to(probe->settings->address);
	do
		ready = poll(&polled, 1, 100);
	while (ready == 0 && !probe->is_over);
	if (ready > 0 && recv(polled.fd, line, sizeof(line), 0) > 0)
		silence_break(probe, &probe->line);
	setsockopt(polled.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(polled.fd);
}

static void *probe_main(void *argument)
{
	struct probe *probe = argument;

	if (probe->settings->probe == PROBE_TALK)
		probe_talk(probe);
	while (!probe->is_over)
		probe_connect_once(probe);
	return NULL;
}

static void probe_start(struct probe *probe, const struct settings *settings)
{
	probe->settings = settings;
	pthread_mutex_init(&probe->lock, NULL);
	if (settings->probe != PROBE_NONE &&
	    pthread_create(&probe->thread, NULL, probe_main, probe) != 0)
		fail("no thread for the probe");
}

static void probe_stop(struct probe *probe)
{
	probe->is_over = true;
	if (probe->settings->probe != PROBE_NONE)
		pthread_join(probe->thread, NULL);
	pthread_mutex_destroy(&probe->lock);
}

/* ------------------------------------------------------------------------------- commands ---- */

static void mark(struct crowd *crowd)
{
	struct probe *probe = &crowd->probe;
	double pong, message, line;

	printf("delivered %" PRIu64, crowd->delivered - crowd->marked);
	crowd->marked = crowd->delivered;
	pthread_mutex_lock(&probe->lock);
	pong = silence_take(&probe->pong);
	message = silence_take(&probe->message);
	line = silence_take(&probe->line);
	pthread_mutex_unlock(&probe->lock);
	if (crowd->settings.probe == PROBE_TALK)
		printf(" silence_ms %.3f pong_ms %.3f message_ms %.3f",
		       pong > message ? pong : message, pong, message);
	if (crowd->settings.probe == PROBE_CONNECT)
		printf(" silence_ms %.3f", line);
	putchar('\n');
	fflush(stdout);
}

/* A command comes as one write. */
static void on_command(struct crowd *crowd)
{
	char bytes[256], *rest = NULL;
	ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes) - 1);

	bytes[count > 0 ? count : 0] = '\0';
	if (count <= 0)
		crowd->is_told_to_stop = true;
	for (char *word = strtok_r(bytes, "\n", &rest); word; word = strtok_r(NULL, "\n", &rest)) {
		if (strcmp(word, "mark") == 0)
			mark(crowd);
		else if (strcmp(word, "stop") == 0)
			crowd->is_told_to_stop = true;
		else
			fail("no such command: %s", word);
	}
	if (crowd->is_told_to_stop)
		epoll_ctl(crowd->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

/* ---------------------------------------------------------------------------------- turns ---- */

static void turn(struct crowd *crowd)
{
	struct epoll_event events[EVENTS_PER_TURN];
	uint64_t heard = crowd->delivered + crowd->pongs_missing;
	int count = epoll_wait(crowd->epoll, events, EVENTS_PER_TURN, 100);

	if (count < 0 && errno != EINTR)
		fail("epoll_wait: %s", strerror(errno));
	for (int at = 0; at < count; at++) {
		struct conn *conn = events[at].data.ptr;

		if (!conn) {
			on_command(crowd);
			continue;
		}
		if (events[at].events & ~(uint32_t)EPOLLOUT)
			conn_read(crowd, conn);
		conn_flush(crowd, conn);
	}
	if (heard != crowd->delivered + crowd->pongs_missing)
		crowd->last_heard_ns = now_ns();
	else if ((crowd->publishing || crowd->pongs_missing) &&
		 now_ns() - crowd->last_heard_ns > crowd->settings.limit_s * NS_PER_S)
		fail("nothing was heard for %u s, %u PONGs are missing", crowd->settings.limit_s,
		     crowd->pongs_missing);
}

static void ping(struct crowd *crowd, struct conn *conn)
{
	text_add_string(&conn->out, "PING\r\n");
	conn->pongs_due++;
	crowd->pongs_missing++;
	conn_flush(crowd, conn);
}

static void await_pongs(struct crowd *crowd)
{
	crowd->last_heard_ns = now_ns();
	while (crowd->pongs_missing)
		turn(crowd);
}

/* All that these have sent is with the broker, and all that the broker had for them is here. */
static void fence(struct crowd *crowd, struct conn *conns, unsigned count)
{
	for (unsigned at = 0; at < count; at++)
		ping(crowd, &conns[at]);
	await_pongs(crowd);
}

static void hello(const struct crowd *crowd, struct conn *conn)
{
	text_add_string(&conn->out, "CONNECT {\"pedantic\":false,\"protocol\":1,\"headers\":true,"
			"\"no_responders\":true,\"name\":\"crowd\",\"verbose\":");
	text_add_string(&conn->out, crowd->settings.verbose ? "true}\r\n" : "false}\r\n");
	conn->oks_due++;
	if (conn->role == PUBLISHER && !crowd->settings.requests)
		return;
	text_add_string(&conn->out, "SUB ");
	if (conn->role == PUBLISHER)
		add_inbox(&conn->out, conn->index);
	else if (!conn->wildcard)
		add_subject(&conn->out, crowd, conn->index);
	else
		text_add_string(&conn->out, "s.");
	if (conn->role == PUBLISHER || conn->wildcard)
		text_add_string(&conn->out, "*");
	else if (crowd->settings.queue)
		text_add_string(&conn->out, " members");
	text_add_string(&conn->out, " 1\r\n");
	conn->oks_due++;
}

/* The numbers that a subscriber must hear begin with its group's. */
static void conn_init(const struct crowd *crowd, struct conn *conn, enum role role,
		      unsigned index)
{
	const struct settings *settings = &crowd->settings;

	*conn = (struct conn){ .fd = -1, .role = role, .index = index };
	if (role == PUBLISHER)
		return;
	conn->wildcard = index >= settings->clients - settings->wildcards;
	conn->next = must(calloc(settings->publishers + 1, sizeof(*conn->next)));
	for (unsigned at = 0; at < settings->publishers; at++)
		conn->next[at] = conn->wildcard || settings->queue ? 0 : index % settings->groups;
}

static struct conn *join(struct crowd *crowd, enum role role, unsigned count)
{
	struct conn *conns = must(calloc(count + 1, sizeof(*conns)));

	for (unsigned at = 0; at < count; at++) {
		conn_init(crowd, &conns[at], role, at);
		conns[at].fd = connect_to(crowd->settings.address);
		conn_watch(crowd, &conns[at], EPOLL_CTL_ADD);
		hello(crowd, &conns[at]);
		ping(crowd, &conns[at]);
		if (at % CONNECTS_AT_ONCE == CONNECTS_AT_ONCE - 1)
			await_pongs(crowd);
	}
	await_pongs(crowd);
	return conns;
}

static void publish_all(struct crowd *crowd)
{
	uint64_t end = now_ns() + crowd->settings.seconds * NS_PER_S;

	crowd->publishing = crowd->settings.publishers > 0 && crowd->settings.clients > 0;
	crowd->last_heard_ns = now_ns();
	for (unsigned at = 0; at < crowd->settings.publishers; at++)
		conn_flush(crowd, &crowd->publishers[at]);
	while (!crowd->is_told_to_stop && (!crowd->settings.seconds || now_ns() < end))
		turn(crowd);
	crowd->publishing = false;
}

static void fence_all(struct crowd *crowd)
{
	const struct settings *settings = &crowd->settings;

	fence(crowd, crowd->publishers, settings->publishers);
	fence(crowd, crowd->subscribers, settings->clients);
	fence(crowd, crowd->subscribers, settings->clients);
	fence(crowd, crowd->publishers, settings->publishers);
}

/* --------------------------------------------------------------------------------- totals ---- */

static void compare_oks(const struct crowd *crowd, const struct conn *conn)
{
	if (crowd->settings.verbose && conn->oks != conn->oks_due)
		conn_fail(conn, "heard +OK %" PRIu64 " times instead of %" PRIu64, conn->oks,
			  conn->oks_due);
}

/* What comes next is beyond what was sent; what was heard before had no gap. */
static void compare_subscriber(const struct crowd *crowd, const struct conn *conn)
{
	compare_oks(crowd, conn);
	if (crowd->settings.queue && !conn->wildcard)
		return;
	for (unsigned at = 0; at < crowd->settings.publishers; at++)
		if (conn->next[at] < crowd->publishers[at].sent)
			conn_fail(conn, "message %" PRIu64 " of publisher %u, and what follows, "
				  "was lost: %" PRIu64 " were sent", conn->next[at], at,
				  crowd->publishers[at].sent);
}

static bool has_members(const struct crowd *crowd, uint64_t number)
{
	unsigned members = crowd->settings.clients - crowd->settings.wildcards;

	return number % crowd->settings.groups < members;
}

static void compare_publisher(struct crowd *crowd, struct conn *conn)
{
	compare_oks(crowd, conn);
	if (!crowd->settings.queue)
		return;
	for (uint64_t number = 0; number < conn->sent; number++) {
		if (has_members(crowd, number) && !text_test_and_set(&conn->seen, number))
			conn_fail(conn, "no member heard message %" PRIu64, number);
		if (crowd->settings.requests && !text_test_and_set(&conn->answers, number))
			conn_fail(conn, "request %" PRIu64 " was not answered", number);
	}
}

static void compare_all(struct crowd *crowd)
{
	for (unsigned at = 0; at < crowd->settings.clients; at++)
		compare_subscriber(crowd, &crowd->subscribers[at]);
	for (unsigned at = 0; at < crowd->settings.publishers; at++)
		compare_publisher(crowd, &crowd->publishers[at]);
	if (crowd->settings.publishers && crowd->settings.clients && !crowd->delivered)
		fail("nothing was delivered");
}

static void leave(struct conn *conns, unsigned count)
{
	for (unsigned at = 0; at < count; at++) {
		close(conns[at].fd);
		free(conns[at].in.bytes);
		free(conns[at].out.bytes);
		free(conns[at].next);
		free(conns[at].seen.bytes);
		free(conns[at].answers.bytes);
	}
	free(conns);
}

/* -------------------------------------------------------------------------------- options ---- */

static const char usage[] =
	"crowd OPTION...\n"
	"  --address HOST:PORT | unix:PATH   of the broker; 127.0.0.1:4222\n"
	"  --clients N      subscribers, each with a connection of its own; 5000\n"
	"  --publishers N   2\n"
	"  --groups N       subjects; each client hears one of them; 100\n"
	"  --wildcards N    so many of the clients hear all; 0\n"
	"  --size N,N,...   bytes of payload, in turn; 64\n"
	"  --seconds N      stops by itself\n"
	"  --limit N        seconds without anything heard are a failure; 30\n"
	"  --queue          the clients of a subject are a queue group\n"
	"  --requests       and answer requests\n"
	"  --verbose        each operation has its +OK\n"
	"  --probe talk | connect\n";

static unsigned number_of(const char *text, unsigned least, unsigned most)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end == text || *end || number < least || number > most)
		fail("%s is not a number from %u to %u", text, least, most);
	return (unsigned)number;
}

static void read_sizes(struct settings *settings, char *text)
{
	char *rest = NULL;

	settings->size_count = 0;
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		if (settings->size_count == SIZES_MAX)
			fail("more than %d sizes", SIZES_MAX);
		settings->sizes[settings->size_count++] =
			number_of(word, PAYLOAD_HEAD, SIZE_MAX_BYTES);
	}
	if (!settings->size_count)
		fail("no size");
}

static enum probe_kind read_probe(const char *word)
{
	if (strcmp(word, "talk") == 0)
		return PROBE_TALK;
	if (strcmp(word, "connect") == 0)
		return PROBE_CONNECT;
	fail("no such probe: %s", word);
}

static void read_option(struct settings *settings, int letter, char *value)
{
	switch (letter) {
	case 'a': settings->address = value; break;
	case 'c': settings->clients = number_of(value, 0, 1000000); break;
	case 'p': settings->publishers = number_of(value, 0, PUBLISHERS_MAX); break;
	case 'g': settings->groups = number_of(value, 1, 1000000); break;
	case 'w': settings->wildcards = number_of(value, 0, 1000000); break;
	case 's': read_sizes(settings, value); break;
	case 't': settings->seconds = number_of(value, 0, 100000); break;
	case 'l': settings->limit_s = number_of(value, 1, 100000); break;
	case 'q': settings->queue = true; break;
	case 'r': settings->queue = settings->requests = true; break;
	case 'v': settings->verbose = true; break;
	case 'P': settings->probe = read_probe(value); break;
	default: fputs(usage, stderr); exit(64);
	}
}

static void read_settings(struct settings *settings, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "address", required_argument, NULL, 'a' },
		{ "clients", required_argument, NULL, 'c' },
		{ "publishers", required_argument, NULL, 'p' },
		{ "groups", required_argument, NULL, 'g' },
		{ "wildcards", required_argument, NULL, 'w' },
		{ "size", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "limit", required_argument, NULL, 'l' },
		{ "queue", no_argument, NULL, 'q' },
		{ "requests", no_argument, NULL, 'r' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "probe", required_argument, NULL, 'P' },
		{ NULL, 0, NULL, 0 },
	};
	int letter;

	*settings = (struct settings){
		.address = "127.0.0.1:4222", .clients = 5000, .publishers = 2, .groups = 100,
		.sizes = { 64 }, .size_count = 1, .limit_s = 30,
	};
	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1)
		read_option(settings, letter, optarg);
	if (optind < argc)
		fail("no such argument: %s", argv[optind]);
	if (settings->wildcards > settings->clients)
		fail("more wildcards than clients");
	if (settings->requests && settings->clients - settings->wildcards < settings->groups)
		fail("a subject without anybody who answers");
}

static void raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void crowd_init(struct crowd *crowd)
{
	struct epoll_event event = { .events = EPOLLIN };

	raise_limit();
	crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t at = 0; at < sizeof(crowd->filler); at++)
		crowd->filler[at] = (char)(' ' + at * 7 % 95);
	/* A file or /dev/null cannot be polled, and has nothing to say. */
	if (!crowd->settings.seconds &&
	    epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
		fail("standard input: %s", strerror(errno));
}

int main(int argc, char *argv[])
{
	struct crowd *crowd = must(calloc(1, sizeof(*crowd)));

	read_settings(&crowd->settings, argc, argv);
	crowd_init(crowd);
	crowd->subscribers = join(crowd, SUBSCRIBER, crowd->settings.clients);
	crowd->publishers = join(crowd, PUBLISHER, crowd->settings.publishers);
	probe_start(&crowd->probe, &crowd->settings);
	puts("up");
	fflush(stdout);
	publish_all(crowd);
	fence_all(crowd);
	compare_all(crowd);
	probe_stop(&crowd->probe);
	printf("ok clients %u published %" PRIu64 " delivered %" PRIu64 " answered %" PRIu64 "\n",
	       crowd->settings.clients, crowd->published, crowd->delivered, crowd->answered);
	leave(crowd->subscribers, crowd->settings.clients);
	leave(crowd->publishers, crowd->settings.publishers);
	close(crowd->epoll);
	free(crowd);
	return 0;
}
