/* SPDX-License-Identifier: MIT */
/*
 * The load generator: drives one case against one server and prints one line of JSON.
 *
 * It is light, so that the server is what is measured. What is published and what must arrive is
 * written down as text before the clock starts; then one thread writes the one in batches and
 * compares the other with what it reads, byte by byte. It parses nothing, and still a lost,
 * doubled, reordered or spoilt message, an -ERR or a closed connection ends the run with a message
 * and exit status 1, and so does a server from which nothing comes for ten seconds.
 *
 *     case → texts → connections → the clock starts → turns → the clock stops → checks → JSON
 *
 * The server's CPU time is that of all its threads, dead ones included, in nanoseconds: the process
 * CPU clock, which is what /proc/PID/stat shows in ticks; the two are compared as a check. It is
 * read while the server rests, before and after, so work put off to later is counted as well.
 *
 * --relay names the ports of the floor (relay.c). As that one does not parse, it is sent what the
 * broker would have delivered, and nothing that only a broker understands.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "subjects.h"

enum {
	BATCH_BYTES = 64 * 1024,	/* what a busy client writes at once */
	READ_BYTES = 256 * 1024,
	EVENTS_PER_TURN = 256,
	WAIT_MS = 10 * 1000,		/* nothing for so long: the run has failed */
	RECEIVER_WINDOW = 1 << 20,	/* bytes under way to one receiver: far below max_pending */
	TOTAL_WINDOW = 16 << 20,	/* and to all of them */
	WARM_UP_REQUESTS = 500,
	SUBSCRIPTIONS_PER_CLIENT = 20,	/* in the case "recovery" */
	RECOVERY_MS = 10 * 1000,
	FIRST_PINGS_MS = 3 * 1000,	/* servers measure the round trip of a new client */
	WAKE_UPS_MS = 5 * 1000,
	PICKS_MOST = 200000,		/* subjects picked at random, then again in that order */
};

#define NS_PER_S UINT64_C(1000000000)

/* As the official clients send it. */
#define CONNECT \
	"CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"name\":\"bench\"," \
	"\"lang\":\"c\",\"version\":\"3.8.0\",\"protocol\":1,\"echo\":true,\"headers\":true," \
	"\"no_responders\":true}\r\n"

struct text {
	char *bytes;
	size_t length, room;
};

/* What is written at once: whole messages, for PONGs fit only between two. */
struct batch {
	size_t begin, end;	/* in script.published */
	uint64_t messages;
	uint64_t delivered_bytes;
};

/* What is published, and what each receiver gets for it; both start again at their end. */
struct script {
	struct text published, delivered;
	struct batch *batches;
	size_t batch_bytes;	/* of one, at most; 0: each message is one */
	size_t count, room;
	size_t delivery_bytes;	/* length of each delivery; 0 where they differ */
};

struct conn {
	int fd;
	const struct text *expect;	/* what must come, again and again; NULL: control lines */
	size_t at;			/* in expect */
	size_t ping_at;			/* bytes seen of a PING between two messages */
	uint64_t bytes;			/* of messages */
	char line[256];			/* the control line that has begun; its start */
	size_t line_length;
	uint64_t pongs;
	bool informed, pinged, at_end;
};

struct load {
	const struct bench_case *which;
	const char *host;
	unsigned port, receiver_port, pong_port;
	bool relay;
	pid_t pid;
	clockid_t server_clock;
	/* The case's own figures, or what the options say instead. */
	uint64_t messages;
	size_t size, receivers, subscriptions, window_bytes, batch_bytes, idle;
	/* What the clock saw. */
	uint64_t wall_begin, wall_ns, cpu_begin, cpu_ns, own_begin, own_ns, tick_begin;
	uint64_t random;
	int epoll;
	char buffer[READ_BYTES];
};

struct bench_case {
	const char *name;
	const char *summary;
	void (*run)(struct load *load);
	uint64_t messages;
	size_t size, receivers, subscriptions;
};

struct stream {
	struct script script;
	struct conn publisher, *receivers;
	size_t receiver_count;
	bool is_queue;			/* each message goes to one receiver, not to all */
	uint64_t batches_left;
	size_t batch;			/* the next one */
	const char *out;		/* what is being written */
	size_t out_left;
	uint64_t goal, sent;		/* delivered bytes, for each receiver or the whole queue */
	uint64_t messages;		/* published */
	bool writable, closing;
};

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *format, ...)
{
	va_list arguments;

	fputs("load: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static void *must(void *memory)
{
	if (!memory)
		die("out of memory");
	return memory;
}

/* ------------------------------------------------------------------------------ texts ---- */

__attribute__((format(printf, 2, 3)))
static void text_add(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	if (text->room - text->length < 512) {
		text->room = text->room * 2 + 4096;
		text->bytes = must(realloc(text->bytes, text->room));
	}
	va_start(arguments, format);
	length = vsnprintf(text->bytes + text->length, text->room - text->length, format,
			   arguments);
	va_end(arguments);
	assert(length >= 0 && (size_t)length < text->room - text->length);
	text->length += (size_t)length;
}

static void text_add_payload(struct text *text, size_t size)
{
	if (text->room - text->length < size + 2) {
		text->room = text->room * 2 + size + 4096;
		text->bytes = must(realloc(text->bytes, text->room));
	}
	memset(text->bytes + text->length, 'x', size);
	memcpy(text->bytes + text->length + size, "\r\n", 2);
	text->length += size + 2;
}

/* One message: what is published and what its receivers get. A reply has a blank behind it. */
static void script_add(struct script *script, const char *subject, const char *reply,
		       uint64_t sid, size_t size)
{
	struct batch *batch = script->count ? &script->batches[script->count - 1] : NULL;
	size_t published = script->published.length, delivered = script->delivered.length;

	text_add(&script->published, "PUB %s %s%zu\r\n", subject, reply, size);
	text_add_payload(&script->published, size);
	text_add(&script->delivered, "MSG %s %" PRIu64 " %s%zu\r\n", subject, sid, reply, size);
	text_add_payload(&script->delivered, size);
	if (!batch || script->published.length - batch->begin > script->batch_bytes) {
		if (script->count == script->room) {
			script->room = script->room * 2 + 16;
			script->batches = must(realloc(script->batches,
						       script->room * sizeof(*batch)));
		}
		batch = &script->batches[script->count++];
		*batch = (struct batch){ .begin = published };
	}
	batch->end = script->published.length;
	batch->messages++;
	batch->delivered_bytes += script->delivered.length - delivered;
}

/* As many equal messages as one batch holds of what is sent: to a relay, of what is delivered. */
static void script_repeat(struct script *script, const char *subject, size_t size, bool relay)
{
	const struct text *sent = relay ? &script->delivered : &script->published;
	size_t length;

	script_add(script, subject, "", 1, size);
	length = sent->length;
	while (sent->length + length <= script->batch_bytes)
		script_add(script, subject, "", 1, size);
	script->delivery_bytes = script->delivered.length / script->batches[0].messages;
}

/* A relay delivers what it is sent. */
static void script_for_relay(struct script *script)
{
	size_t at = 0;

	free(script->published.bytes);
	script->published = script->delivered;
	for (size_t i = 0; i < script->count; i++) {
		script->batches[i].begin = at;
		at += script->batches[i].delivered_bytes;
		script->batches[i].end = at;
	}
}

static void script_fini(struct script *script)
{
	if (script->published.bytes != script->delivered.bytes)
		free(script->published.bytes);
	free(script->delivered.bytes);
	free(script->batches);
}

/* ----------------------------------------------------------------------------- clocks ---- */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		die("the server's clock: %s", strerror(errno));
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* utime + stime of /proc/PID/stat, the 14th and 15th field; the 2nd may hold blanks. */
static uint64_t server_ticks_ns(const struct load *load)
{
	char path[64], line[1024], *rest;
	uint64_t user, system;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)load->pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		die("%s: %s", path, strerror(errno));
	fclose(file);
	rest = strrchr(line, ')');
	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
			    " %" SCNu64, &user, &system) != 2)
		die("%s: not as expected", path);
	return (user + system) * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* Wait until the server rests, or two seconds: what it still does belongs to what came before. */
static void server_rest(const struct load *load)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	uint64_t before, now = clock_ns(load->server_clock);
	int rests = 0;

	for (int i = 0; i < 200 && rests < 2; i++) {
		before = now;
		nanosleep(&pause, NULL);
		now = clock_ns(load->server_clock);
		rests = now - before < 500 * 1000 ? rests + 1 : 0;
	}
}

static void clock_start(struct load *load)
{
	server_rest(load);
	load->tick_begin = server_ticks_ns(load);
	load->cpu_begin = clock_ns(load->server_clock);
	load->own_begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	load->wall_begin = clock_ns(CLOCK_MONOTONIC);
}

static void clock_stop(struct load *load)
{
	uint64_t ticks, apart;

	load->wall_ns = clock_ns(CLOCK_MONOTONIC) - load->wall_begin;
	load->own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - load->own_begin;
	server_rest(load);
	load->cpu_ns = clock_ns(load->server_clock) - load->cpu_begin;
	ticks = server_ticks_ns(load) - load->tick_begin;
	apart = ticks > load->cpu_ns ? ticks - load->cpu_ns : load->cpu_ns - ticks;
	if (apart > NS_PER_S / 20 + load->cpu_ns / 20)
		fprintf(stderr, "load: warning: the server's CPU clock says %" PRIu64
			" ns, /proc/%d/stat %" PRIu64 " ns\n", load->cpu_ns, (int)load->pid, ticks);
}

/* ----------------------------------------------------------------------------- memory ---- */

static uint64_t memory_now(const struct load *load, const char *field)
{
	char path[64], line[256];
	unsigned long long kib = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)load->pid);
	file = fopen(path, "re");
	if (!file)
		die("%s: %s", path, strerror(errno));
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, field, strlen(field)) == 0
			&& sscanf(line + strlen(field), ": %llu kB", &kib) == 1;
	fclose(file);
	if (!found)
		die("%s has no %s", path, field);
	return (uint64_t)kib * 1024;
}

/* The server's memory once it rests: freed pages may go back a little later. */
static uint64_t memory_at_rest(const struct load *load, const char *field)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	uint64_t before, now;
	int rests = 0;

	server_rest(load);
	now = memory_now(load, field);
	for (int i = 0; i < 40 && rests < 3; i++) {
		before = now;
		nanosleep(&pause, NULL);
		now = memory_now(load, field);
		rests = now == before ? rests + 1 : 0;
	}
	return now;
}

/* -------------------------------------------------------------------------- one socket ---- */

static void wait_for(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int n;

	do
		n = poll(&poll_fd, 1, WAIT_MS);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		die("poll: %s", strerror(errno));
	if (n == 0)
		die("nothing from the server for %d ms", WAIT_MS);
}

static void conn_write(struct conn *conn, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = send(conn->fd, bytes, length < BATCH_BYTES ? length : BATCH_BYTES,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			wait_for(conn->fd, POLLOUT);
			continue;
		}
		if (n < 0)
			die("write: %s", strerror(errno));
		bytes += n;
		length -= (size_t)n;
	}
}

static void conn_say(struct conn *conn, const char *line)
{
	conn_write(conn, line, strlen(line));
}

static void on_line(struct conn *conn, const char *line)
{
	if (strncmp(line, "INFO ", 5) == 0)
		conn->informed = true;
	else if (strcmp(line, "PONG\r\n") == 0)
		conn->pongs++;
	else if (strcmp(line, "PING\r\n") == 0)
		conn->pinged = true;
	else
		die("unexpected from the server: %.200s", line);
}

static void on_control(struct conn *conn, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (conn->line_length < sizeof(conn->line) - 1)
			conn->line[conn->line_length++] = bytes[i];
		if (bytes[i] != '\n')
			continue;
		conn->line[conn->line_length] = '\0';
		conn->line_length = 0;
		on_line(conn, conn->line);
	}
}

static size_t same_length(const char *a, const char *b, size_t length)
{
	size_t i = 0;

	if (memcmp(a, b, length) == 0)
		return length;
	while (a[i] == b[i])
		i++;
	return i;
}

/* The server may ask a receiver whether it lives; one that is busy gets this between messages. */
static void on_ping_byte(struct conn *conn, char byte)
{
	static const char ping[] = "PING\r\n";

	if (byte != ping[conn->ping_at])
		die("neither a PING nor the message that was due");
	if (++conn->ping_at < sizeof(ping) - 1)
		return;
	conn->ping_at = 0;
	conn_say(conn, "PONG\r\n");
}

static int line_length(const char *bytes, size_t length)
{
	const char *end = memchr(bytes, '\r', length < 120 ? length : 120);

	return end ? (int)(end - bytes) : (int)(length < 120 ? length : 120);
}

__attribute__((noreturn))
static void die_unexpected(const struct conn *conn, const char *bytes, size_t length)
{
	const char *due = conn->expect->bytes + conn->at;

	die("after %" PRIu64 " bytes of messages came \"%.*s\", due was \"%.*s\"", conn->bytes,
	    line_length(bytes, length), bytes, line_length(due, conn->expect->length - conn->at),
	    due);
}

static void on_messages(struct conn *conn, const char *bytes, size_t length)
{
	const struct text *expect = conn->expect;

	while (length > 0) {
		size_t run = expect->length - conn->at;

		/* A capital M stands in no payload and no subject of ours. */
		if (conn->ping_at > 0 || (*bytes == 'P' && expect->bytes[conn->at] == 'M')) {
			on_ping_byte(conn, *bytes++);
			length--;
			continue;
		}
		run = same_length(bytes, expect->bytes + conn->at, run < length ? run : length);
		if (run == 0)
			die_unexpected(conn, bytes, length);
		bytes += run;
		length -= run;
		conn->bytes += run;
		conn->at = conn->at + run == expect->length ? 0 : conn->at + run;
	}
}

/* One read. */
static void conn_read(struct load *load, struct conn *conn)
{
	ssize_t n = recv(conn->fd, load->buffer, sizeof(load->buffer), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		die("read: %s", strerror(errno));
	if (n == 0)
		conn->at_end = true;
	else if (conn->expect)
		on_messages(conn, load->buffer, (size_t)n);
	else
		on_control(conn, load->buffer, (size_t)n);
}

static void conn_read_on(struct load *load, struct conn *conn)
{
	wait_for(conn->fd, POLLIN);
	conn_read(load, conn);
	if (conn->at_end)
		die("the server closed the connection after %" PRIu64 " bytes of messages",
		    conn->bytes);
}

static void conn_sync(struct load *load, struct conn *conn)
{
	assert(!conn->expect);
	conn->pongs = 0;
	conn_say(conn, "PING\r\n");
	while (conn->pongs == 0)
		conn_read_on(load, conn);
	conn->pongs = 0;
	if (conn->pinged)
		conn_say(conn, "PONG\r\n");
	conn->pinged = false;
}

/* Connect and read INFO. The socket blocks, for connect alone; all else says MSG_DONTWAIT. */
static void conn_open(struct load *load, struct conn *conn, unsigned port)
{
	struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	const struct timeval limit = { .tv_sec = WAIT_MS / 1000 };
	const int one = 1;

	*conn = (struct conn){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	if (inet_pton(AF_INET, load->host, &server.sin_addr) != 1)
		die("--host %s: not an IPv4 address", load->host);
	setsockopt(conn->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		die("connect to %s:%u: %s", load->host, port, strerror(errno));
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (!conn->informed)
		conn_read_on(load, conn);
}

/* A client that has said hello and the given lines, all of which the server has dealt with. */
static void client_open(struct load *load, struct conn *conn, unsigned port, const char *lines)
{
	conn_open(load, conn, port);
	if (load->relay)
		return;
	conn_say(conn, CONNECT);
	conn_say(conn, lines);
	conn_sync(load, conn);
	/* Behind the first PONG comes another INFO, perhaps late: not among messages. */
	conn_sync(load, conn);
}

/* ----------------------------------------------------------------------------- results ---- */

static void print_begin(const struct load *load)
{
	printf("{\"case\":\"%s\"", load->which->name);
}

static void print_rates(const struct load *load, uint64_t messages)
{
	double count = (double)messages;

	printf(",\"messages\":%" PRIu64 ",\"wall_ns\":%" PRIu64 ",\"messages_per_s\":%.1f"
	       ",\"cpu_ns_per_message\":%.2f,\"load_cpu_ns_per_message\":%.2f", messages,
	       load->wall_ns, count * (double)NS_PER_S / (double)load->wall_ns,
	       (double)load->cpu_ns / count, (double)load->own_ns / count);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print_percentiles(uint64_t *times_ns, size_t count)
{
	qsort(times_ns, count, sizeof(*times_ns), by_size);
	printf(",\"p50_us\":%.2f,\"p99_us\":%.2f", (double)times_ns[count / 2] / 1e3,
	       (double)times_ns[count - 1 - count / 100] / 1e3);
}

static void print_bytes(const char *name, uint64_t before, uint64_t after, uint64_t count)
{
	printf(",\"%s\":%.1f", name, ((double)after - (double)before) / (double)count);
}

static void print_end(void)
{
	puts("}");
	if (fflush(stdout) != 0)
		die("standard output: %s", strerror(errno));
}

/* ------------------------------------------------------------------ streams of messages ---- */

/* What has come at the slowest receiver, or for a queue at all of them together. */
static uint64_t stream_delivered(const struct stream *stream)
{
	uint64_t sum = 0, least = UINT64_MAX;

	for (size_t i = 0; i < stream->receiver_count; i++) {
		uint64_t bytes = stream->receivers[i].bytes;

		sum += bytes;
		least = bytes < least ? bytes : least;
	}
	if (stream->receiver_count == 0)
		return stream->sent;
	return stream->is_queue ? sum : least;
}

static bool stream_is_done(const struct load *load, const struct stream *stream)
{
	const struct conn *publisher = &stream->publisher;

	if (!stream->closing || stream->out_left > 0 || stream_delivered(stream) < stream->goal)
		return false;
	if (!load->relay)
		return publisher->pongs > 0;
	return stream->receiver_count > 0 || publisher->at_end;
}

/* Is there room in the window for the next batch? Two batches always fit. */
static bool stream_may_send(const struct load *load, const struct stream *stream)
{
	uint64_t more = stream->script.batches[stream->batch].delivered_bytes;
	uint64_t window = load->window_bytes > 2 * more ? load->window_bytes : 2 * more;

	return stream->sent + more - stream_delivered(stream) <= window;
}

/* Choose what to write next. False: nothing now. */
static bool stream_choose(const struct load *load, struct stream *stream)
{
	const struct batch *batch = &stream->script.batches[stream->batch];

	if (stream->publisher.pinged) {
		stream->publisher.pinged = false;
		stream->out = "PONG\r\n";
		stream->out_left = 6;
		return true;
	}
	if (stream->batches_left > 0) {
		if (!stream_may_send(load, stream))
			return false;
		stream->out = stream->script.published.bytes + batch->begin;
		stream->out_left = batch->end - batch->begin;
		stream->sent += batch->delivered_bytes;
		stream->batches_left--;
		stream->batch = (stream->batch + 1) % stream->script.count;
		return true;
	}
	if (stream->closing)
		return false;
	/* Behind the last message: the PONG, or from a relay the end, says that all is done. */
	stream->closing = true;
	if (load->relay) {
		if (stream->receiver_count == 0)
			shutdown(stream->publisher.fd, SHUT_WR);
		return false;
	}
	stream->out = "PING\r\n";
	stream->out_left = 6;
	return true;
}

/* One write. False: wait for the poller. */
static bool stream_publish(const struct load *load, struct stream *stream)
{
	ssize_t n;

	if (!stream->writable)
		return false;
	if (stream->out_left == 0 && !stream_choose(load, stream))
		return false;
	n = send(stream->publisher.fd, stream->out, stream->out_left, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN)
		die("publisher: write: %s", strerror(errno));
	if (n > 0) {
		stream->out += n;
		stream->out_left -= (size_t)n;
	}
	stream->writable = stream->out_left == 0;
	return true;
}

static void stream_turn(struct load *load, struct stream *stream)
{
	struct epoll_event events[EVENTS_PER_TURN];
	bool more = stream_publish(load, stream);
	int n;

	/* The PING is written and all has been heard: no event would come. */
	if (!more && stream_is_done(load, stream))
		return;
	n = epoll_wait(load->epoll, events, EVENTS_PER_TURN, more ? 0 : WAIT_MS);
	if (n < 0 && errno != EINTR)
		die("epoll_wait: %s", strerror(errno));
	if (n == 0 && !more)
		die("nothing from the server for %d ms; %" PRIu64 " of %" PRIu64 " bytes have come",
		    WAIT_MS, stream_delivered(stream), stream->goal);
	for (int i = 0; i < n; i++) {
		struct conn *conn = events[i].data.ptr;

		if (events[i].events & EPOLLOUT)
			stream->writable = true;
		if (events[i].events & ~(uint32_t)EPOLLOUT)
			conn_read(load, conn);
		if (conn->at_end && !(load->relay && stream->closing))
			die("the server closed a connection after %" PRIu64 " bytes of messages",
			    conn->bytes);
	}
}

static void watch(const struct load *load, struct conn *conn, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
		die("epoll_ctl: %s", strerror(errno));
}

/* Clients that say nothing more, until we end. */
static void idle_open(struct load *load)
{
	const struct timespec pause = { .tv_sec = FIRST_PINGS_MS / 1000 };
	struct conn conn;

	for (size_t i = 0; i < load->idle; i++)
		client_open(load, &conn, load->relay ? load->pong_port : load->port, "");
	if (load->idle > 0)
		nanosleep(&pause, NULL);
}

/* Receivers hear one after the other; lines are what each says after CONNECT. */
static void stream_open(struct load *load, struct stream *stream, size_t receivers,
			const char *lines)
{
	idle_open(load);
	stream->receiver_count = receivers;
	stream->receivers = must(calloc(receivers + 1, sizeof(*stream->receivers)));
	for (size_t i = 0; i < receivers; i++) {
		client_open(load, &stream->receivers[i], load->receiver_port, lines);
		stream->receivers[i].expect = &stream->script.delivered;
		watch(load, &stream->receivers[i], EPOLLIN);
	}
	client_open(load, &stream->publisher, load->port, "");
	/* Edges suffice: what is left unread or unwritten is known here. */
	watch(load, &stream->publisher, EPOLLIN | EPOLLOUT | EPOLLET);
	stream->writable = true;
	load->window_bytes = load->window_bytes ? load->window_bytes : RECEIVER_WINDOW;
	if (receivers > 0 && load->window_bytes > TOTAL_WINDOW / receivers)
		load->window_bytes = TOTAL_WINDOW / receivers;
}

/* Whole batches, at least as many messages as were asked for. */
static void stream_plan(struct stream *stream, uint64_t messages)
{
	while (stream->messages < messages) {
		const struct batch *batch =
			&stream->script.batches[stream->batches_left % stream->script.count];

		stream->messages += batch->messages;
		stream->goal += batch->delivered_bytes;
		stream->batches_left++;
	}
}

/* Exactly what was due, and nothing behind it: the next line must be the answer to our PING. */
static void stream_check(struct load *load, struct stream *stream)
{
	for (size_t i = 0; i < stream->receiver_count; i++) {
		struct conn *conn = &stream->receivers[i];

		if (!stream->is_queue && conn->bytes != stream->goal)
			die("receiver %zu got %" PRIu64 " bytes, due were %" PRIu64, i,
			    conn->bytes, stream->goal);
		if (stream->is_queue && conn->bytes % stream->script.delivery_bytes != 0)
			die("receiver %zu got a part of a message", i);
		if (load->relay)
			continue;
		conn->expect = NULL;
		memcpy(conn->line, "PING\r\n", conn->ping_at);
		conn->line_length = conn->ping_at;
		conn_sync(load, conn);
	}
	if (stream->receiver_count > 0 && stream_delivered(stream) != stream->goal)
		die("%" PRIu64 " bytes came, due were %" PRIu64, stream_delivered(stream),
		    stream->goal);
}

static void stream_close(struct stream *stream)
{
	for (size_t i = 0; i < stream->receiver_count; i++)
		close(stream->receivers[i].fd);
	close(stream->publisher.fd);
	free(stream->receivers);
	script_fini(&stream->script);
}

/* The script is there and the connections are open: run, check, print. */
static void stream_run(struct load *load, struct stream *stream)
{
	uint64_t each = stream->is_queue || !stream->receiver_count ? 1 : stream->receiver_count;

	stream_plan(stream, (load->messages + each - 1) / each);
	clock_start(load);
	while (!stream_is_done(load, stream))
		stream_turn(load, stream);
	clock_stop(load);
	stream_check(load, stream);
	print_begin(load);
	print_rates(load, stream->messages * each);
	print_end();
	stream_close(stream);
}

static const char stream_subject[] = "bench.stream.one";

static void run_fan_out(struct load *load)
{
	struct stream stream = { .script.batch_bytes = load->batch_bytes };

	script_repeat(&stream.script, stream_subject, load->size, load->relay);
	if (load->relay)
		script_for_relay(&stream.script);
	stream_open(load, &stream, load->receivers, "SUB bench.stream.one 1\r\n");
	stream_run(load, &stream);
}

static void run_queue(struct load *load)
{
	struct stream stream = { .script.batch_bytes = load->batch_bytes, .is_queue = true };

	script_repeat(&stream.script, stream_subject, load->size, false);
	stream_open(load, &stream, load->receivers, "SUB bench.stream.one workers 1\r\n");
	stream_run(load, &stream);
}

/* ----------------------------------------------------------------------- subscriptions ---- */

static uint64_t sid_of(uint64_t i)
{
	return 100000 + i;
}

static void subscriptions_text(uint64_t begin, uint64_t end, struct text *text)
{
	char subscribed[SUBJECT_ROOM], published[SUBJECT_ROOM];

	for (uint64_t i = begin; i < end; i++) {
		subject_of(i, subscribed, published);
		text_add(text, "SUB %s %" PRIu64 "\r\n", subscribed, sid_of(i));
	}
}

static void unsubscriptions_text(struct load *load, struct text *text)
{
	uint64_t *order = must(calloc(load->subscriptions, sizeof(*order)));

	shuffle(&load->random, order, load->subscriptions);
	for (uint64_t i = 0; i < load->subscriptions; i++)
		text_add(text, "UNSUB %" PRIu64 "\r\n", sid_of(order[i]));
	free(order);
}

static void conn_say_text(struct load *load, struct conn *conn, const struct text *text)
{
	conn_write(conn, text->bytes, text->length);
	conn_sync(load, conn);
}

static void run_random(struct load *load)
{
	struct stream stream = { .script.batch_bytes = load->batch_bytes };
	struct text text = { 0 };
	uint64_t picks = load->messages < PICKS_MOST ? load->messages : PICKS_MOST;
	char subscribed[SUBJECT_ROOM], published[SUBJECT_ROOM];

	for (uint64_t n = 0; n < picks; n++) {
		uint64_t i = random_below(&load->random, load->subscriptions);

		subject_of(i, subscribed, published);
		script_add(&stream.script, published, "", sid_of(i), load->size);
	}
	stream_open(load, &stream, 1, "");
	subscriptions_text(0, load->subscriptions, &text);
	stream.receivers[0].expect = NULL;
	conn_say_text(load, &stream.receivers[0], &text);
	stream.receivers[0].expect = &stream.script.delivered;
	free(text.bytes);
	stream_run(load, &stream);
}

static void run_subscribe(struct load *load)
{
	struct text text = { 0 };
	struct conn conn;

	subscriptions_text(0, load->subscriptions, &text);
	client_open(load, &conn, load->port, "");
	clock_start(load);
	conn_say_text(load, &conn, &text);
	clock_stop(load);
	print_begin(load);
	print_rates(load, load->subscriptions);
	print_end();
	close(conn.fd);
	free(text.bytes);
}

static void run_unsubscribe(struct load *load)
{
	struct text text = { 0 }, undo = { 0 };
	struct conn conn;

	subscriptions_text(0, load->subscriptions, &text);
	unsubscriptions_text(load, &undo);
	client_open(load, &conn, load->port, "");
	conn_say_text(load, &conn, &text);
	clock_start(load);
	conn_say_text(load, &conn, &undo);
	clock_stop(load);
	print_begin(load);
	print_rates(load, load->subscriptions);
	print_end();
	close(conn.fd);
	free(text.bytes);
	free(undo.bytes);
}

/* --------------------------------------------------------------------- request and reply ---- */

/* Replies come to an inbox of their own each, heard by one subscription, as clients do it. */
static void exchange_scripts(const struct load *load, struct script *requests,
			     struct script *replies)
{
	static const char subject[] = "bench.service.echo";
	char inbox[64];

	for (uint64_t i = 0; i < load->messages + WARM_UP_REQUESTS; i++) {
		snprintf(inbox, sizeof(inbox), "_INBOX.Zq8fK2xB7dTn4LwRvY3cHs.%08u ", (unsigned)i);
		script_add(requests, subject, inbox, 1, load->size);
		inbox[strlen(inbox) - 1] = '\0';
		script_add(replies, inbox, "", 1, load->size);
	}
	if (load->relay) {
		script_for_relay(requests);
		script_for_relay(replies);
	}
}

/* Message number i of a script of equal lengths goes out at one end and comes in at the other. */
static void pass_on(struct load *load, const struct script *script, uint64_t i,
		    struct conn *ends[2])
{
	uint64_t count = load->messages + WARM_UP_REQUESTS;
	size_t published = script->published.length / count;
	size_t delivered = script->delivered.length / count;

	conn_write(ends[0], script->published.bytes + i * published, published);
	while (ends[1]->bytes < (i + 1) * delivered)
		conn_read_on(load, ends[1]);
}

static void run_request(struct load *load)
{
	struct script requests = { 0 }, replies = { 0 };
	struct conn requester, responder;
	uint64_t *times_ns = must(calloc(load->messages, sizeof(*times_ns)));
	uint64_t begin;

	exchange_scripts(load, &requests, &replies);
	client_open(load, &responder, load->receiver_port, "SUB bench.service.echo 1\r\n");
	client_open(load, &requester, load->port, "SUB _INBOX.Zq8fK2xB7dTn4LwRvY3cHs.* 1\r\n");
	responder.expect = &requests.delivered;
	requester.expect = &replies.delivered;
	for (uint64_t i = 0; i < load->messages + WARM_UP_REQUESTS; i++) {
		if (i == WARM_UP_REQUESTS)
			clock_start(load);
		begin = clock_ns(CLOCK_MONOTONIC);
		pass_on(load, &requests, i, (struct conn *[2]){ &requester, &responder });
		pass_on(load, &replies, i, (struct conn *[2]){ &responder, &requester });
		if (i >= WARM_UP_REQUESTS)
			times_ns[i - WARM_UP_REQUESTS] = clock_ns(CLOCK_MONOTONIC) - begin;
	}
	clock_stop(load);
	print_begin(load);
	print_rates(load, load->messages);
	print_percentiles(times_ns, load->messages);
	print_end();
	close(requester.fd);
	close(responder.fd);
	script_fini(&requests);
	script_fini(&replies);
	free(times_ns);
}

/* -------------------------------------------------------------------------- connections ---- */

/* Relays answer whatever is said on their third port with a PONG. */
static void accept_to_pong(struct load *load, struct conn *conn)
{
	conn_open(load, conn, load->relay ? load->pong_port : load->port);
	conn_say(conn, CONNECT "PING\r\n");
	while (conn->pongs == 0)
		conn_read_on(load, conn);
}

static void run_accept(struct load *load)
{
	uint64_t *times_ns = must(calloc(load->messages, sizeof(*times_ns)));
	struct conn conn;

	accept_to_pong(load, &conn);
	close(conn.fd);
	clock_start(load);
	for (uint64_t i = 0; i < load->messages; i++) {
		uint64_t begin = clock_ns(CLOCK_MONOTONIC);

		accept_to_pong(load, &conn);
		times_ns[i] = clock_ns(CLOCK_MONOTONIC) - begin;
		close(conn.fd);
	}
	clock_stop(load);
	print_begin(load);
	print_rates(load, load->messages);
	print_percentiles(times_ns, load->messages);
	print_end();
	free(times_ns);
}

/* One client comes first, so that what the server keeps for all of them is not counted. */
static void run_idle(struct load *load)
{
	struct conn *conns = must(calloc(load->messages + 1, sizeof(*conns)));
	uint64_t before;

	accept_to_pong(load, &conns[0]);
	before = memory_at_rest(load, "Private_Dirty");
	for (uint64_t i = 1; i <= load->messages; i++)
		accept_to_pong(load, &conns[i]);
	print_begin(load);
	printf(",\"connections\":%" PRIu64, load->messages);
	print_bytes("bytes_per_connection", before, memory_at_rest(load, "Private_Dirty"),
		    load->messages);
	print_end();
	for (uint64_t i = 0; i <= load->messages; i++)
		close(conns[i].fd);
	free(conns);
}

static void run_subscription_memory(struct load *load)
{
	struct text text = { 0 };
	struct conn conn;
	uint64_t before;

	subscriptions_text(0, load->subscriptions, &text);
	client_open(load, &conn, load->port, "");
	before = memory_at_rest(load, "Private_Dirty");
	conn_say_text(load, &conn, &text);
	print_begin(load);
	printf(",\"subscriptions\":%zu", load->subscriptions);
	print_bytes("bytes_per_subscription", before, memory_at_rest(load, "Private_Dirty"),
		    load->subscriptions);
	print_end();
	close(conn.fd);
	free(text.bytes);
}

static void run_base_memory(struct load *load)
{
	print_begin(load);
	print_bytes("base_bytes", 0, memory_at_rest(load, "Private_Dirty"), 1);
	print_end();
}

/* How often its threads have been switched to. */
static uint64_t switches_now(const struct load *load)
{
	char path[64], line[256];
	uint64_t sum = 0, count;
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)load->pid);
	tasks = opendir(path);
	if (!tasks)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(tasks))) {
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", (int)load->pid,
			 entry->d_name);
		file = fopen(path, "re");
		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &count) == 1 ||
			    sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &count) == 1)
				sum += count;
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return sum;
}

/* While nobody asks anything of it. */
static void print_wake_ups(const struct load *load)
{
	const struct timespec pause = { .tv_sec = WAKE_UPS_MS / 1000 };
	uint64_t before = switches_now(load);

	nanosleep(&pause, NULL);
	printf(",\"wake_ups\":%" PRIu64, switches_now(load) - before);
}

static void run_wake_ups(struct load *load)
{
	memory_at_rest(load, "Pss");
	print_begin(load);
	print_wake_ups(load);
	print_end();
}

/* What is left of a crowd some time after it has gone. */
static void run_recovery(struct load *load)
{
	const struct timespec pause = { .tv_sec = RECOVERY_MS / 1000 };
	struct conn *conns = must(calloc(load->messages, sizeof(*conns)));
	uint64_t base = memory_at_rest(load, "Pss"), crowd;
	uint64_t dirty = memory_now(load, "Private_Dirty");

	for (uint64_t i = 0; i < load->messages; i++) {
		struct text text = { 0 };

		subscriptions_text(i * SUBSCRIPTIONS_PER_CLIENT, (i + 1) * SUBSCRIPTIONS_PER_CLIENT,
				   &text);
		client_open(load, &conns[i], load->port, "");
		conn_say_text(load, &conns[i], &text);
		free(text.bytes);
	}
	crowd = memory_now(load, "Pss");
	for (uint64_t i = 0; i < load->messages; i++)
		close(conns[i].fd);
	nanosleep(&pause, NULL);
	print_begin(load);
	printf(",\"connections\":%" PRIu64, load->messages);
	print_bytes("crowd_bytes", base, crowd, 1);
	print_bytes("left_bytes", base, memory_now(load, "Pss"), 1);
	print_bytes("left_private_bytes", dirty, memory_now(load, "Private_Dirty"), 1);
	print_wake_ups(load);
	print_end();
	free(conns);
}

/* ------------------------------------------------------------------------------- cases ---- */

static const struct bench_case cases[] = {
	{ "publish-16", "publish only, 16 B", run_fan_out, 3000000, 16, 0, 0 },
	{ "one-to-one-16", "one to one, 16 B", run_fan_out, 2000000, 16, 1, 0 },
	{ "one-to-one-128", "one to one, 128 B", run_fan_out, 1500000, 128, 1, 0 },
	{ "one-to-one-1024", "one to one, 1,024 B", run_fan_out, 400000, 1024, 1, 0 },
	{ "one-to-one-65536", "one to one, 65,536 B", run_fan_out, 5000, 65536, 1, 0 },
	{ "one-to-ten-128", "one to ten, 128 B; counts deliveries", run_fan_out,
	  2000000, 128, 10, 0 },
	{ "one-to-hundred-128", "one to a hundred, 128 B; counts deliveries", run_fan_out,
	  2000000, 128, 100, 0 },
	{ "queue-of-ten-128", "queue group of ten, 128 B", run_queue, 1000000, 128, 10, 0 },
	{ "publish-over-200000", "publish over 200,000 subscriptions at random, 16 B", run_random,
	  200000, 16, 0, 200000 },
	{ "subscribe", "subscribe 200,000 times", run_subscribe, 0, 0, 0, 200000 },
	{ "unsubscribe", "unsubscribe 200,000 times, in another order", run_unsubscribe,
	  0, 0, 0, 200000 },
	{ "request-reply", "one requester, one responder, 16 B", run_request, 8000, 16, 0, 0 },
	{ "accept-to-pong", "connect, INFO, CONNECT and PING, PONG, close", run_accept,
	  3000, 0, 0, 0 },
	{ "idle", "memory per idle connection", run_idle, 5000, 0, 0, 0 },
	{ "subscription-memory", "memory per subscription", run_subscription_memory,
	  0, 0, 0, 200000 },
	{ "base-memory", "private dirty memory of a fresh server", run_base_memory, 0, 0, 0, 0 },
	{ "recovery", "memory 10 s after 10,000 clients, 200,000 subscriptions", run_recovery,
	  10000, 0, 0, 0 },
	{ "wake-ups", "switches to the server's threads in 5 s without a client", run_wake_ups,
	  0, 0, 0, 0 },
};

static void usage(FILE *to)
{
	fputs("Usage: load CASE --port PORT --pid PID [OPTION ...]\n\n"
	      "  --host ADDRESS          IPv4 address of the server (127.0.0.1)\n"
	      "  --relay PORT,PORT       the server is the relay; its other two ports\n"
	      "  --messages N            how many messages, requests or connections\n"
	      "  --size BYTES            length of the payload\n"
	      "  --receivers N           how many receive\n"
	      "  --subscriptions N       how many subscriptions, at most 1000000\n"
	      "  --window BYTES          most bytes under way to one receiver\n"
	      "  --batch BYTES           most bytes written at once (65536)\n"
	      "  --idle N                clients beside, which say nothing\n\n"
	      "Cases, with the default of --messages:\n\n", to);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		fprintf(to, "  %-22s %8" PRIu64 "  %s\n", cases[i].name, cases[i].messages,
			cases[i].summary);
}

static uint64_t number(const char *option, const char *value, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (errno || *end || *value < '0' || *value > '9' || n < least || n > most)
		die("--%s %s: not a number from %" PRIu64 " to %" PRIu64, option, value, least,
		    most);
	return n;
}

static void set_case(struct load *load, const char *name)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, name) == 0)
			load->which = &cases[i];
	if (!load->which)
		die("%s: no such case; see --help", name);
	load->messages = load->which->messages;
	load->size = load->which->size;
	load->receivers = load->which->receivers;
	load->subscriptions = load->which->subscriptions;
}

static void set_relay(struct load *load, const char *value)
{
	char tail;

	if (sscanf(value, "%u,%u%c", &load->receiver_port, &load->pong_port, &tail) != 2)
		die("--relay %s: not two ports", value);
	load->relay = true;
}

static void set_option(struct load *load, const char *name, const char *value)
{
	if (strcmp(name, "host") == 0)
		load->host = value;
	else if (strcmp(name, "port") == 0)
		load->port = (unsigned)number(name, value, 1, 65535);
	else if (strcmp(name, "pid") == 0)
		load->pid = (pid_t)number(name, value, 1, INT32_MAX);
	else if (strcmp(name, "relay") == 0)
		set_relay(load, value);
	else if (strcmp(name, "messages") == 0)
		load->messages = number(name, value, 1, UINT32_MAX);
	else if (strcmp(name, "size") == 0)
		load->size = number(name, value, 0, 1 << 20);
	else if (strcmp(name, "receivers") == 0)
		load->receivers = number(name, value, 0, 60000);
	else if (strcmp(name, "subscriptions") == 0)
		load->subscriptions = number(name, value, 1, SUBJECTS_MOST);
	else if (strcmp(name, "window") == 0)
		load->window_bytes = number(name, value, 1, 48 << 20);
	else if (strcmp(name, "batch") == 0)
		load->batch_bytes = number(name, value, 1, 1 << 20);
	else if (strcmp(name, "idle") == 0)
		load->idle = number(name, value, 0, 60000);
}

static void parse_options(struct load *load, int argc, char **argv)
{
	static const struct option options[] = {
		{ "host", required_argument, NULL, 'o' },
		{ "port", required_argument, NULL, 'o' },
		{ "pid", required_argument, NULL, 'o' },
		{ "relay", required_argument, NULL, 'o' },
		{ "messages", required_argument, NULL, 'o' },
		{ "size", required_argument, NULL, 'o' },
		{ "receivers", required_argument, NULL, 'o' },
		{ "subscriptions", required_argument, NULL, 'o' },
		{ "window", required_argument, NULL, 'o' },
		{ "batch", required_argument, NULL, 'o' },
		{ "idle", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int which = 0, c;

	/* The case comes first: its figures are what the options then change. */
	if (argc > 1 && argv[1][0] != '-') {
		set_case(load, argv[1]);
		optind = 2;
	}
	while ((c = getopt_long(argc, argv, "", options, &which)) != -1) {
		if (c == 'h') {
			usage(stdout);
			exit(0);
		}
		if (c != 'o')
			exit(1);
		set_option(load, options[which].name, optarg);
	}
	if (optind < argc || !load->which || !load->port || !load->pid) {
		usage(stderr);
		exit(1);
	}
	if (!load->relay)
		load->receiver_port = load->port;
}

static void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
	struct load *load = must(calloc(1, sizeof(*load)));

	load->host = "127.0.0.1";
	load->random = RANDOM_SEED;
	load->batch_bytes = BATCH_BYTES;
	parse_options(load, argc, argv);
	raise_file_limit();
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->epoll < 0)
		die("epoll_create1: %s", strerror(errno));
	if (clock_getcpuclockid(load->pid, &load->server_clock) != 0)
		die("--pid %d: no such process", (int)load->pid);
	load->which->run(load);
	close(load->epoll);
	free(load);
	return 0;
}
