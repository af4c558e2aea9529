/* SPDX-License-Identifier: MIT */
/*
 * Each release leaves a sample of what it hands over, in tests/unit/states, and all later ones read
 * them all: clients in the middle of everything go on as they should.
 *
 * A sample is written by
 *
 *     build/tests/unit/handover --record tests/unit/states/VERSION
 *
 * and never changes. It is made of tagged fields (base/tags.h): what a real parcel had in it, but for
 * the sockets, and how much of the output had already reached the clients.
 *
 * The server runs in a child, with a clock of ours; the clients are here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tags.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/parcel.h"
#include "server/client.h"
#include "server/client_state.h"
#include "server/server.h"
#include "test.h"

#define STATES "tests/unit/states"

enum {
	PATIENCE_MS = 20000,
	SOCKET_BYTES = 4096, /* so that output has to wait */
	CLOCK_STARTS_MS = 1000000,
	RTT_MS = 3000,       /* by then the first PING was due */
	INTERVAL_MS = 125000, /* and by then the second; a ping interval is two minutes */
	SUBSCRIPTIONS = 8,
	MESSAGES = 9,        /* published until the hand-over */
	FDS_MAX = 64,
};

enum who {
	PUBLISHER,
	PINGED,    /* has one unanswered PING */
	SILENT,    /* has only got its INFO */
	CONNECTING, /* in the middle of CONNECT */
	TALKING,   /* in the middle of a line; with all options */
	COUNTING,  /* subscriptions, counted ones and in a queue group */
	SENDING,   /* in the middle of a large message */
	READER,    /* output waits for it */
	OTHER_READER, /* the same payloads wait for it */
	WRONG,     /* so they do, and then -ERR */
	LEAVING,   /* so they do, and it has half closed */
	LINGERING, /* has got its -ERR, but has not closed */
	CLIENTS,
	NEWCOMER = CLIENTS, /* after the hand-over */
};

enum sample_tag { SAMPLE_RECORD = 1, SAMPLE_HEARD = 2 };

enum sample_record_tag { RECORD_DATA = 1, RECORD_FILE = 2, RECORD_SOCKET_COUNT = 3 };

/* Read by the server's process as well. */
static uint64_t *now_ms;

/* Instead of os/clock.c. */
uint64_t clock_now_ms(void)
{
	return *now_ms;
}

/* The clients' side. */

static int clients[CLIENTS + 1]; /* our ends */
static int served[CLIENTS + 1];  /* the server's */

static bool await(int fd, short events)
{
	struct pollfd waited = {.fd = fd, .events = events};

	return poll(&waited, 1, PATIENCE_MS) > 0;
}

static void say(enum who who, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length > 0 && await(clients[who], POLLOUT)) {
		ssize_t put = send(clients[who], at, length, MSG_NOSIGNAL);

		if (put <= 0)
			break;
		at += put;
		length -= (size_t)put;
	}
	CHECK_NUMBER(length, 0);
}

#define SAY(who, literal) say((who), (literal), sizeof(literal) - 1)

/* So many bytes, or fewer if the end or nothing comes. */
static struct buf hear_bytes(enum who who, size_t length)
{
	struct buf heard = {0};

	CHECK_NUMBER(buf_reserve(&heard, length + 1), 0);
	while (heard.length < length && await(clients[who], POLLIN)) {
		ssize_t got = recv(clients[who], heard.bytes + heard.length,
				   length - heard.length, 0);

		if (got <= 0)
			break;
		heard.length += (size_t)got;
	}
	return heard;
}

static void hear(const char *file, int line, enum who who, struct slice expected)
{
	struct buf heard = hear_bytes(who, expected.length);
	char what[32];

	snprintf(what, sizeof(what), "what client %d hears", (int)who);
	test_check_text(file, line, what, buf_slice(&heard), expected);
	buf_fini(&heard);
}

#define HEAR(who, literal) hear(__FILE__, __LINE__, (who), SLICE(literal))

static void hear_end(const char *file, int line, enum who who)
{
	char byte;
	ssize_t got = await(clients[who], POLLIN) ? recv(clients[who], &byte, 1, 0) : -1;

	test_check_number(file, line, "what comes at the end", got, 0);
}

#define HEAR_END(who) hear_end(__FILE__, __LINE__, (who))

/* Its INFO, as it stands in the line. */
static struct buf hear_info(enum who who)
{
	struct buf line = {0};
	char byte = ' ';

	while (byte != '\n' && await(clients[who], POLLIN) && recv(clients[who], &byte, 1, 0) == 1)
		CHECK_NUMBER(buf_append(&line, (struct slice){&byte, 1}), 0);
	CHECK(slice_starts_with(buf_slice(&line), SLICE("INFO {")));
	CHECK_NUMBER(buf_append(&line, (struct slice){"", 1}), 0);
	return line;
}

static void skip_info(enum who who)
{
	struct buf line = hear_info(who);

	buf_fini(&line);
}

/* All that was said before was read by the server. */
static void fence(void)
{
	SAY(PUBLISHER, "PING\r\n");
	HEAR(PUBLISHER, "PONG\r\n");
}

/* What all readers are sent; each payload is made of another letter. */
static const size_t flood[] = {10, 5000, 20, 4096, 0, 7000, 30};

enum { FLOODS = sizeof(flood) / sizeof(flood[0]) };

static void put_message(struct buf *text, const char *line, size_t at)
{
	int error = buf_printf(text, line, flood[at]);

	for (size_t byte = 0; byte < flood[at] && error == 0; byte++)
		error = buf_append(text, (struct slice){&"abcdefg"[at], 1});
	CHECK_NUMBER(error, 0);
	CHECK_NUMBER(buf_append(text, SLICE("\r\n")), 0);
}

static struct buf all_messages(const char *line)
{
	struct buf text = {0};

	for (size_t at = 0; at < FLOODS; at++)
		put_message(&text, line, at);
	return text;
}

static void publish_flood(void)
{
	struct buf text = all_messages("PUB flood %zu\r\n");

	say(PUBLISHER, text.bytes, text.length);
	buf_fini(&text);
	fence();
}

/* The server's side. */

static void make_pairs(void)
{
	int bytes = SOCKET_BYTES;

	for (int who = 0; who <= CLIENTS; who++) {
		int ends[2];

		CHECK_NUMBER(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		clients[who] = ends[0];
		served[who] = ends[1];
		fcntl(served[who], F_SETFL, O_NONBLOCK);
		setsockopt(served[who], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	}
}

static void close_ends(int ends[CLIENTS + 1])
{
	for (int who = 0; who <= CLIENTS; who++)
		close(ends[who]);
}

static void enter(struct server *server, int fd)
{
	struct peer peer = {.bytes = {127, 0, 0, 1}, .port = 7777, .family = AF_INET};
	struct listener *listener = server_find_listener(server, SLICE("127.0.0.1:4222"));

	CHECK(client_new(server, listener, fd, &peer));
	/* As if it had been accepted in a turn, which ends. */
	server->loop.has_more = true;
}

/* As main() does it, but for the listeners. */
static bool begin(struct server *server, const struct options *options)
{
	static const struct log_options log_options = {.target = LOG_TARGET_FILE,
						       .file = "/dev/null"};
	char why[256] = "";
	struct log *log = log_new(&log_options, why);

	if (log && server_init(server, options, log, why) == 0)
		return true;
	printf("# %s\n", why);
	return false;
}

static struct options default_options(int64_t ping_max)
{
	static char name[] = "minats";
	static char *const argv[] = {name, NULL};
	struct options options;
	char why[512];

	CHECK_NUMBER(options_read(&options, 1, argv, why), 0);
	options.ping_max = ping_max;
	return options;
}

/* Serves all clients, and parks them in the parcel when it gets SIGTERM. */
_Noreturn static void serve_and_park(int parcel)
{
	struct options options = default_options(2);
	struct server server;

	test_failures = 0;
	close_ends(clients);
	if (!begin(&server, &options))
		_exit(1);
	CHECK_NUMBER(server_start(&server), 0);
	for (int who = 0; who < CLIENTS; who++)
		enter(&server, served[who]);
	server.handover.keeper.fd = parcel;
	CHECK_NUMBER(server_run(&server), 0);
	CHECK_NUMBER(server.router.in_messages, MESSAGES);
	CHECK_NUMBER(server.router.subscriptions, SUBSCRIPTIONS);
	fflush(stdout);
	_exit(test_failures > 0);
}

/* Takes all out of the parcel, and one client more in; SIGTERM ends it. */
_Noreturn static void take_and_serve(int parcel, int64_t ping_max)
{
	struct options options = default_options(ping_max);
	struct server server;

	test_failures = 0;
	close_ends(clients);
	/* What is in the parcel must not be here as well. */
	for (int who = 0; who < CLIENTS; who++)
		close(served[who]);
	if (!begin(&server, &options))
		_exit(1);
	handover_add(&server, parcel);
	handover_begin(&server);
	handover_finish(&server);
	CHECK_NUMBER(server.handover.taken, CLIENTS);
	CHECK_NUMBER(server.handover.lost, 0);
	CHECK_NUMBER(server.router.subscriptions, SUBSCRIPTIONS);
	CHECK_NUMBER(server.router.in_messages, MESSAGES);
	CHECK_NUMBER(server.last_cid, CLIENTS);
	CHECK_NUMBER(server_start(&server), 0);
	enter(&server, served[NEWCOMER]);
	CHECK_NUMBER(server_run(&server), 0);
	log_free(server.log);
	server_fini(&server);
	fflush(stdout);
	exit(test_failures > 0);
}

static void check_child(pid_t pid)
{
	int status = -1;

	kill(pid, SIGTERM);
	CHECK_NUMBER(waitpid(pid, &status, 0), pid);
	CHECK_NUMBER(status, 0);
}

/* Recording. */

static void begin_conversations(void)
{
	for (int who = 0; who < CLIENTS; who++)
		skip_info((enum who)who);
	/* First, so that none of the others has to be pinged. */
	SAY(PINGED, "CONNECT {\"verbose\":false}\r\nPING\r\n");
	HEAR(PINGED, "PONG\r\n");
	*now_ms += RTT_MS;
	SAY(PINGED, "SUB pinged 1\r\nPING\r\n");
	HEAR(PINGED, "PONG\r\nPING\r\n");
	SAY(PUBLISHER, "CONNECT {\"verbose\":false}\r\n");
	SAY(CONNECTING, "CONNECT {\"verbose\":tr");
	SAY(TALKING, "CONNECT {\"pedantic\":true,\"headers\":true,\"no_responders\":true,\"echo\":false,"
		     "\"name\":\"Ada\",\"lang\":\"c\",\"version\":\"1.2\",\"protocol\":1}\r\nPING\r\n");
	HEAR(TALKING, "+OK\r\nPONG\r\n");
	skip_info(TALKING);
	SAY(TALKING, "SUB talk.* 1\r\nSUB _INBOX 2\r\nSUB listen.mo");
	HEAR(TALKING, "+OK\r\n+OK\r\n");
	SAY(COUNTING, "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB count.> 1\r\nUNSUB 1 5\r\n"
		      "SUB work team 2\r\nPING\r\n");
	HEAR(COUNTING, "PONG\r\n");
	SAY(PUBLISHER, "PUB count.a 1\r\n1\r\nPUB count.b r 1\r\n2\r\n");
	HEAR(COUNTING, "MSG count.a 1 1\r\n1\r\nMSG count.b 1 r 1\r\n2\r\n");
	SAY(SENDING, "SUB large 1\r\nPUB large 6000\r\naaaaaaaaaa");
	HEAR(SENDING, "+OK\r\n");
	SAY(LINGERING, "NONSENSE\r\n");
	HEAR(LINGERING, "-ERR 'Unknown Protocol Operation'\r\n");
	HEAR_END(LINGERING);
}

static void let_output_wait(void)
{
	static const enum who readers[] = {READER, OTHER_READER, WRONG, LEAVING};

	for (size_t at = 0; at < 4; at++) {
		SAY(readers[at], "CONNECT {\"verbose\":false}\r\nSUB flood 1\r\nPING\r\n");
		HEAR(readers[at], "PONG\r\n");
	}
	publish_flood();
	SAY(WRONG, "NONSENSE\r\n");
	shutdown(clients[LEAVING], SHUT_WR);
	fence();
}

static void put_record(struct tags_writer *sample, const struct parcel_record *record)
{
	size_t start = tags_begin(sample, SAMPLE_RECORD);
	size_t at = 0;

	tags_put(sample, RECORD_DATA, (struct slice){record->data, record->length});
	for (; at < record->count; at++) {
		struct buf file = {0};

		if (parcel_file_read(record->fds[at], &file) < 0)
			break;
		tags_put(sample, RECORD_FILE, buf_slice(&file));
		buf_fini(&file);
	}
	tags_put_number(sample, RECORD_SOCKET_COUNT, record->count - at);
	tags_end(sample, start);
	for (at = 0; at < record->count; at++)
		close(record->fds[at]);
}

/* What had reached it, and is not in the sample. */
static void put_heard(struct tags_writer *sample, enum who who)
{
	char bytes[65536];
	ssize_t got = recv(clients[who], bytes, sizeof(bytes), MSG_DONTWAIT);

	/* One more, since 0 is not written. */
	tags_put_number(sample, SAMPLE_HEARD, (uint64_t)(got > 0 ? got : 0) + 1);
}

static bool write_file(const char *path, struct slice bytes)
{
	FILE *file = fopen(path, "wb");

	return file && fwrite(bytes.bytes, 1, bytes.length, file) == bytes.length &&
	       fclose(file) == 0;
}

static int record(const char *path)
{
	struct parcel_record taken;
	struct tags_writer sample = {0};
	int ends[2];
	pid_t pid;

	make_pairs();
	CHECK_NUMBER(parcel_new(ends), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		serve_and_park(ends[1]);
	close_ends(served);
	begin_conversations();
	let_output_wait();
	check_child(pid);
	while (parcel_take(ends[0], &taken) == PARCEL_RECORD)
		put_record(&sample, &taken);
	for (int who = 0; who < CLIENTS; who++)
		put_heard(&sample, (enum who)who);
	CHECK(!sample.failed && write_file(path, buf_slice(&sample.out)));
	buf_fini(&sample.out);
	return test_failures > 0;
}

/* Reading. */

static const char *sample_path; /* of the case that runs */
static size_t heard_before[CLIENTS];

static struct buf read_sample(void)
{
	struct buf sample = {0};
	FILE *file = fopen(sample_path, "rb");
	size_t got = 1;

	CHECK(file);
	while (file && got > 0) {
		CHECK_NUMBER(buf_reserve(&sample, 4096), 0);
		got = fread(sample.bytes + sample.length, 1, 4096, file);
		sample.length += got;
	}
	if (file)
		fclose(file);
	return sample;
}

static int new_file(struct slice bytes)
{
	int fd = parcel_file_new();

	CHECK(fd >= 0);
	CHECK_NUMBER(parcel_file_append(fd, bytes), 0);
	CHECK_NUMBER(parcel_file_seal(fd), 0);
	return fd;
}

/* The record as it was, with files like those that it had, and sockets of ours. */
static void pack_record(int parcel, struct slice fields, int *next_client)
{
	struct slice data = {0};
	struct tags_field field;
	int fds[FDS_MAX];
	size_t files = 0, count = 0;

	while (tags_next(&fields, &field) == TAGS_FIELD) {
		if (field.tag == RECORD_DATA)
			data = field.value;
		else if (field.tag == RECORD_FILE)
			fds[files++] = new_file(field.value);
		else if (field.tag == RECORD_SOCKET_COUNT)
			count = (size_t)tags_number(field.value);
	}
	for (size_t at = 0; at < count; at++)
		fds[files + at] = served[(*next_client)++];
	CHECK_NUMBER(parcel_put(parcel, data, fds, files + count), 0);
	for (size_t at = 0; at < files; at++)
		close(fds[at]);
}

static void pack_sample(int parcel)
{
	struct buf sample = read_sample();
	struct slice input = buf_slice(&sample);
	struct tags_field field;
	int next_client = 0, next_heard = 0;

	while (tags_next(&input, &field) == TAGS_FIELD) {
		if (field.tag == SAMPLE_RECORD)
			pack_record(parcel, field.value, &next_client);
		else if (field.tag == SAMPLE_HEARD && next_heard < CLIENTS)
			heard_before[next_heard++] = (size_t)tags_number(field.value) - 1;
	}
	CHECK_NUMBER(next_client, CLIENTS);
	CHECK_NUMBER(next_heard, CLIENTS);
	buf_fini(&sample);
}

/* Another process goes on with the sample, at this time after it was recorded. */
static pid_t go_on(uint64_t later_ms, int64_t ping_max)
{
	int ends[2];
	pid_t pid;

	*now_ms = CLOCK_STARTS_MS + RTT_MS + later_ms;
	make_pairs();
	CHECK_NUMBER(parcel_new(ends), 0);
	pack_sample(ends[1]);
	close(ends[1]);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		take_and_serve(ends[0], ping_max);
	close(ends[0]);
	close_ends(served);
	return pid;
}

/* What is left of the output, to the last byte. */
static void hear_rest(enum who who)
{
	struct buf all = all_messages("MSG flood 1 %zu\r\n");

	CHECK(heard_before[who] < all.length);
	hear(__FILE__, __LINE__, who, slice_after(buf_slice(&all), heard_before[who]));
	buf_fini(&all);
}

static void output_goes_on(void)
{
	hear_rest(OTHER_READER);
	hear_rest(READER);
	SAY(READER, "PING\r\n");
	HEAR(READER, "PONG\r\n");
	hear_rest(WRONG);
	HEAR(WRONG, "-ERR 'Unknown Protocol Operation'\r\n");
	HEAR_END(WRONG);
	hear_rest(LEAVING);
	HEAR_END(LEAVING);
	/* It had closed its side, and need not be waited for. */
	fence();
	CHECK(send(clients[LEAVING], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
}

static void input_goes_on(void)
{
	char large[6000 - 10 + 2];

	SAY(CONNECTING, "ue,\"echo\":false}\r\nSUB foo 1\r\n");
	HEAR(CONNECTING, "+OK\r\n+OK\r\n");
	SAY(TALKING, "re 3\r\n");
	HEAR(TALKING, "+OK\r\n");
	memset(large, 'b', sizeof(large));
	memcpy(large + sizeof(large) - 2, "\r\n", 2);
	say(SENDING, large, sizeof(large));
	HEAR(SENDING, "+OK\r\nMSG large 1 6000\r\naaaaaaaaaab");
	hear(__FILE__, __LINE__, SENDING, (struct slice){large + 1, sizeof(large) - 1});
}

static void subscriptions_go_on(void)
{
	SAY(PUBLISHER, "PUB count.c 1\r\n3\r\nPUB count.d 1\r\n4\r\nPUB count.e 1\r\n5\r\n"
		       "PUB count.f 1\r\n6\r\nPUB work 1\r\n7\r\nPUB pinged 0\r\n\r\n");
	HEAR(COUNTING, "MSG count.c 1 1\r\n3\r\nMSG count.d 1 1\r\n4\r\nMSG count.e 1 1\r\n5\r\n"
		       "MSG work 2 1\r\n7\r\n");
	HEAR(PINGED, "MSG pinged 1 0\r\n\r\n");
	SAY(PUBLISHER, "PUB talk.x 0\r\n\r\nPUB listen.more 0\r\n\r\n");
	HEAR(TALKING, "MSG talk.x 1 0\r\n\r\nMSG listen.more 3 0\r\n\r\n");
}

/* Pedantic, no echo, headers and no responders. */
static void options_go_on(void)
{
	SAY(TALKING, "PUB talk.x 0\r\n\r\nPUB a..b 0\r\n\r\nPUB nobody.here _INBOX 0\r\n\r\n");
	HEAR(TALKING, "+OK\r\n-ERR 'Invalid Publish Subject'\r\n+OK\r\n+OK\r\n"
		      "HMSG _INBOX 2 43 43\r\nNATS/1.0 503\r\nNats-Subject: nobody.here\r\n\r\n\r\n");
	SAY(PUBLISHER, "PUB count.late 0\r\n\r\n");
	fence();
	SAY(COUNTING, "HPUB work 12 12\r\nNATS/1.0\r\n\r\n\r\n");
	HEAR(COUNTING, "HMSG work 2 12 12\r\nNATS/1.0\r\n\r\n\r\n");
}

/* The server's id as the sample has it: in the first field of the first record's first file. */
static void read_id(char id[SERVER_ID + 1])
{
	static const uint8_t way[] = {SAMPLE_RECORD, RECORD_FILE, 1};
	struct buf sample = read_sample();
	struct slice input = buf_slice(&sample);
	struct tags_field field = {0};

	for (size_t at = 0; at < sizeof(way); at++) {
		while (tags_next(&input, &field) == TAGS_FIELD && field.tag != way[at])
			;
		input = field.value;
	}
	CHECK_NUMBER(input.length, SERVER_ID);
	snprintf(id, SERVER_ID + 1, "%.*s", (int)input.length, input.bytes);
	buf_fini(&sample);
}

static void ids_go_on(void)
{
	struct buf info = hear_info(NEWCOMER);
	char id[SERVER_ID + 1], expected[128];

	read_id(id);
	snprintf(expected, sizeof(expected), "\"server_id\":\"%s\"", id);
	CHECK(strstr(info.bytes, expected));
	snprintf(expected, sizeof(expected), "\"client_id\":%d", CLIENTS + 1);
	CHECK(strstr(info.bytes, expected));
	buf_fini(&info);
	/* It is told its own once more. */
	SAY(SILENT, "CONNECT {\"protocol\":1,\"verbose\":false}\r\nPING\r\n");
	HEAR(SILENT, "PONG\r\n");
	info = hear_info(SILENT);
	snprintf(expected, sizeof(expected), "\"client_id\":%d", SILENT + 1);
	CHECK(strstr(info.bytes, expected));
	buf_fini(&info);
}

static void conversations_go_on(void)
{
	pid_t pid = go_on(0, 2);

	output_goes_on();
	input_goes_on();
	subscriptions_go_on();
	options_go_on();
	ids_go_on();
	check_child(pid);
	/* It was not told to hand them over again. */
	HEAR_END(COUNTING);
	HEAR_END(LINGERING);
	close_ends(clients);
}

static void unanswered_pings_count(void)
{
	pid_t pid = go_on(INTERVAL_MS, 1);

	HEAR(PINGED, "-ERR 'Stale Connection'\r\n");
	HEAR_END(PINGED);
	HEAR(SILENT, "PING\r\n");
	HEAR(TALKING, "PING\r\n");
	check_child(pid);
	close_ends(clients);
	pid = go_on(INTERVAL_MS, 2);
	HEAR(PINGED, "PING\r\n");
	SAY(PINGED, "PING\r\n");
	HEAR(PINGED, "PONG\r\n");
	check_child(pid);
	close_ends(clients);
}

/* Whoever lingers is not waited for any longer than was said. */
static void who_lingers_is_closed_in_time(void)
{
	pid_t pid = go_on(1000, 2);

	SAY(LINGERING, "this is thrown away");
	fence();
	SAY(LINGERING, "and this");
	*now_ms += 1001;
	/* It is closed when the turn of the first PING ends. */
	fence();
	fence();
	/* The turn that answers closes it only when it has answered: so another turn. */
	fence();
	CHECK(send(clients[LINGERING], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	check_child(pid);
	close_ends(clients);
}

/* What another process could not go on with, such as what will be encrypted one day. */
static void make_immovable(struct server *server, uint64_t cid)
{
	static struct stream_kind immovable;
	struct list *at = server->clients.next;
	struct client *client;

	while ((client = container_of(at, struct client, link))->cid != cid)
		at = at->next;
	immovable = *client->stream.kind;
	immovable.can_move = false;
	client->stream.kind = &immovable;
}

_Noreturn static void park_all_but_one(int parcel)
{
	struct options options = default_options(2);
	struct server server;

	test_failures = 0;
	close_ends(clients);
	if (!begin(&server, &options))
		_exit(1);
	CHECK_NUMBER(server_start(&server), 0);
	for (int who = 0; who < CLIENTS; who++)
		enter(&server, served[who]);
	make_immovable(&server, PINGED + 1);
	server.handover.keeper.fd = parcel;
	CHECK_NUMBER(server_run(&server), 0);
	fflush(stdout);
	_exit(test_failures > 0);
}

static size_t count_connections(int parcel)
{
	struct parcel_record record;
	size_t count = 0;

	while (parcel_take(parcel, &record) == PARCEL_RECORD)
		for (size_t at = 0; at < record.count; at++) {
			int type;
			socklen_t length = sizeof(type);

			/* The others are files. */
			count += getsockopt(record.fds[at], SOL_SOCKET, SO_TYPE, &type,
					    &length) == 0;
			close(record.fds[at]);
		}
	return count;
}

static void what_cannot_move_is_closed(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	*now_ms = CLOCK_STARTS_MS;
	make_pairs();
	CHECK_NUMBER(parcel_new(ends), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		park_all_but_one(ends[1]);
	close(ends[1]);
	close_ends(served);
	for (int who = 0; who < CLIENTS; who++)
		skip_info((enum who)who);
	SAY(PINGED, "CONNECT {\"verbose\":false}\r\nSUB foo 1\r\nPING\r\n");
	HEAR(PINGED, "PONG\r\n");
	SAY(PUBLISHER, "CONNECT {\"verbose\":false}\r\nPUB foo 2\r\nhi\r\n");
	fence();
	check_child(pid);
	/* Politely: with all that was for it, and nothing else. */
	HEAR(PINGED, "MSG foo 1 2\r\nhi\r\n");
	HEAR_END(PINGED);
	CHECK(recv(clients[SILENT], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	CHECK_NUMBER(count_connections(ends[0]), CLIENTS - 1);
	close(ends[0]);
	close_ends(clients);
}

/* Damage that no checksum shows. */

static void close_clients(struct server *server)
{
	struct list *link;

	while (!list_is_empty(&server->clients))
		client_drop(container_of(server->clients.next, struct client, link), FAULT_NONE);
	while (!list_is_empty(&server->parting))
		client_part(container_of(server->parting.next, struct client, stalled_link),
			    &(uint32_t){UINT32_MAX});
	while ((link = list_pop(&server->dead)))
		client_free(container_of(link, struct client, link));
	list_init(&server->unfinished);
}

/* Whether it is taken or not: nothing is read behind its end, and nothing is left. */
static void load_damaged(struct server *server, struct slice fields, size_t byte, unsigned bit)
{
	struct state_source none = {NULL, 0};
	char *copy = malloc(fields.length);
	const char *why;
	int ends[2];

	memcpy(copy, fields.bytes, fields.length);
	copy[byte] ^= (char)(1 << bit);
	CHECK_NUMBER(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	if (!client_load(server, ends[0], &none, (struct slice){copy, fields.length}, &why))
		CHECK(why);
	close_clients(server);
	CHECK_NUMBER(server->router.subscriptions, 0);
	close(ends[1]);
	free(copy);
}

static void damage_client(struct server *server, struct slice fields)
{
	for (size_t byte = 0; byte < fields.length; byte += byte < 700 ? 1 : 97)
		for (unsigned bit = 0; bit < 8; bit++)
			load_damaged(server, fields, byte, bit);
}

/* A record about clients has one file, with a field for each. */
static void damage_clients(struct server *server, struct slice record)
{
	struct tags_field field;
	struct slice clients_file = {0};
	bool is_server = false;

	while (tags_next(&record, &field) == TAGS_FIELD) {
		if (field.tag == RECORD_FILE && clients_file.length == 0)
			clients_file = field.value;
		else if (field.tag == RECORD_FILE)
			is_server = true; /* it has two */
	}
	while (!is_server && tags_next(&clients_file, &field) == TAGS_FIELD)
		damage_client(server, field.value);
}

_Noreturn static void damage_all(void)
{
	struct options options = default_options(2);
	struct buf sample = read_sample();
	struct slice input = buf_slice(&sample);
	struct tags_field field;
	struct server server;

	test_failures = 0;
	if (!begin(&server, &options))
		_exit(1);
	while (tags_next(&input, &field) == TAGS_FIELD)
		if (field.tag == SAMPLE_RECORD)
			damage_clients(&server, field.value);
	buf_fini(&sample);
	log_free(server.log);
	server_fini(&server);
	fflush(stdout);
	exit(test_failures > 0);
}

static void what_is_damaged_does_no_harm(void)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		damage_all();
	CHECK_NUMBER(waitpid(pid, &status, 0), pid);
	CHECK_NUMBER(status, 0);
}

/* All samples that there are. */

static void for_each_sample(void (*check)(void))
{
	DIR *folder = opendir(STATES);
	struct dirent *entry;
	unsigned count = 0;

	while (folder && (entry = readdir(folder))) {
		char path[512];
		unsigned failures = test_failures;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), STATES "/%s", entry->d_name);
		sample_path = path;
		check();
		count++;
		if (test_failures > failures)
			printf("# with %s\n", path);
	}
	CHECK(count > 0);
	if (folder)
		closedir(folder);
}

static void conversations_go_on_after_every_release(void)
{
	for_each_sample(conversations_go_on);
}

static void keepalive_goes_on_after_every_release(void)
{
	for_each_sample(unanswered_pings_count);
}

static void lingering_goes_on_after_every_release(void)
{
	for_each_sample(who_lingers_is_closed_in_time);
}

static void damaged_states_do_no_harm(void)
{
	for_each_sample(what_is_damaged_does_no_harm);
}

static const struct test_case cases[] = {
	TEST_CASE(conversations_go_on_after_every_release),
	TEST_CASE(keepalive_goes_on_after_every_release),
	TEST_CASE(lingering_goes_on_after_every_release),
	TEST_CASE(what_cannot_move_is_closed),
	TEST_CASE(damaged_states_do_no_harm),
};

int main(int argc, char *argv[])
{
	now_ms = mmap(NULL, sizeof(*now_ms), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (now_ms == MAP_FAILED)
		return 1;
	*now_ms = CLOCK_STARTS_MS;
	if (argc == 3 && strcmp(argv[1], "--record") == 0)
		return record(argv[2]);
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
