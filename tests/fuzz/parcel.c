/* SPDX-License-Identifier: MIT */
/*
 * What another process handed over, or something that only looks like it: the whole daemon, but for
 * the parcel, the clock and signals, which are here.
 *
 * An input is made like a sample in tests/unit/states: tagged fields, of which each SAMPLE_RECORD
 * has the record's data, its files, and how many sockets come with it. Checksums are put right, or
 * nothing behind them would ever be reached, but for a record with RECORD_AS_IT_IS. SAMPLE_SAID is
 * what all that were taken over go on to say.
 *
 * Whatever it is: each socket belongs to a client, or is closed; the daemon goes on to serve one
 * who was there before; and when it ends, nothing is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/parcel.h"
#include "os/signals.h"
#include "server/client.h"
#include "server/handover_format.h"
#include "server/server.h"
#include "tagged.h"
#include "fuzz.h"

enum { SOCKETS = 16, FILES = 2, TURNS = 4, HEARD = 65536, CLOCK_MS = 1000000, PATIENCE_MS = 5000 };

enum sample_tag { SAMPLE_RECORD = 1, SAMPLE_SAID = 3 };

enum sample_record_tag {
	RECORD_DATA = 1,
	RECORD_FILE = 2,
	RECORD_SOCKET_COUNT = 3,
	RECORD_AS_IT_IS = 4,
};

/* The parcel, and what has come out of it. os/parcel.h has no room for a context. */
static struct world {
	struct slice input;
	struct buf files[FILES]; /* of the last record */
	int file_fds[FILES];
	int ours[SOCKETS];       /* our ends of the sockets */
	size_t socket_count;
	struct slice said;
} world;

/* Instead of os/clock.c. */
uint64_t clock_now_ms(void)
{
	return CLOCK_MS;
}

/* Instead of os/signals.c: the fuzzer has signals of its own. */

int signals_watch(struct poller *poller)
{
	(void)poller;
	return 0;
}

int signals_read(const char *argument, const char *self, struct signals_order *order,
		 struct buf *why)
{
	(void)argument, (void)self, (void)order, (void)why;
	return 1;
}

int signals_send(const struct signals_order *order, struct buf *why)
{
	(void)order, (void)why;
	return 1;
}

/* Instead of os/parcel_linux.c. */

int parcel_new(int ends[2])
{
	(void)ends;
	return -ENOSYS;
}

bool parcel_is_one(int fd)
{
	(void)fd;
	return false;
}

bool parcel_is_held(int end)
{
	(void)end;
	return false;
}

int parcel_put(int end, struct slice data, const int *fds, size_t count)
{
	(void)end, (void)data, (void)fds, (void)count;
	return -ENOSYS;
}

int parcel_file_new(void)
{
	return -ENOSYS;
}

int parcel_file_append(int fd, struct slice bytes)
{
	(void)fd, (void)bytes;
	return -ENOSYS;
}

int parcel_file_seal(int fd)
{
	(void)fd;
	return -ENOSYS;
}

int parcel_file_read(int fd, struct buf *out)
{
	for (size_t at = 0; at < FILES; at++)
		if (world.file_fds[at] == fd)
			return buf_append(out, buf_slice(&world.files[at]));
	return -EPERM;
}

static int new_socket(void)
{
	int ends[2];

	if (world.socket_count == SOCKETS)
		return -1;
	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
		"there are sockets");
	world.ours[world.socket_count++] = ends[0];
	(void)send(ends[0], world.said.bytes, world.said.length, MSG_NOSIGNAL);
	return ends[1];
}

/* Of payloads, as far as there are fields in it. */
static void put_checksums(struct tags_writer *writer, struct slice file)
{
	struct tags_field field;

	while (tags_next(&file, &field) == TAGS_FIELD) {
		if (field.tag == PAYLOAD_CHECKSUM)
			continue;
		if (field.tag == PAYLOAD_BYTES)
			tags_put_number(writer, PAYLOAD_CHECKSUM, tags_checksum(field.value));
		tags_put(writer, field.tag, field.value);
	}
}

static void add_file(struct parcel_record *record, size_t *count, struct slice bytes)
{
	struct tags_writer writer = {0};

	if (*count == FILES)
		return;
	if (*count > 0 && tagged_count(bytes) > 0)
		put_checksums(&writer, bytes);
	else
		require(buf_append(&writer.out, bytes) == 0, "there is memory");
	world.files[*count] = writer.out;
	world.file_fds[*count] = record->fds[record->count++] = dup(STDERR_FILENO);
	(*count)++;
}

static void put_data(struct parcel_record *record, struct slice data)
{
	struct tags_writer writer = {0};
	struct tags_field field;

	while (tags_next(&data, &field) == TAGS_FIELD)
		if (field.tag != RECORD_CHECKSUM && field.tag != RECORD_OWN_CHECKSUM)
			tags_put(&writer, field.tag, field.value);
	tags_put_number(&writer, RECORD_CHECKSUM, tags_checksum(buf_slice(&world.files[0])));
	tags_put_number(&writer, RECORD_OWN_CHECKSUM, tags_checksum(buf_slice(&writer.out)));
	record->length = writer.out.length < PARCEL_DATA ? writer.out.length : PARCEL_DATA;
	if (record->length > 0)
		memcpy(record->data, writer.out.bytes, record->length);
	buf_fini(&writer.out);
}

static void forget_files(void)
{
	for (size_t at = 0; at < FILES; at++) {
		buf_fini(&world.files[at]);
		world.file_fds[at] = -1;
	}
}

static void make_record(struct parcel_record *record, struct slice fields)
{
	struct slice data = {NULL, 0};
	struct tags_field field;
	uint64_t sockets = 0;
	size_t files = 0;
	bool as_it_is = false;

	*record = (struct parcel_record){.count = 0};
	forget_files();
	while (tags_next(&fields, &field) == TAGS_FIELD) {
		if (field.tag == RECORD_DATA)
			data = field.value;
		else if (field.tag == RECORD_FILE)
			add_file(record, &files, field.value);
		else if (field.tag == RECORD_SOCKET_COUNT)
			sockets = tags_number(field.value);
		as_it_is |= field.tag == RECORD_AS_IT_IS;
	}
	put_data(record, data);
	if (as_it_is && data.length <= PARCEL_DATA && data.length > 0) {
		memcpy(record->data, data.bytes, data.length);
		record->length = data.length;
	}
	for (int fd; sockets > 0 && (fd = new_socket()) >= 0; sockets--)
		record->fds[record->count++] = fd;
	record->cut = sockets > 0;
}

int parcel_take(int end, struct parcel_record *record)
{
	struct tags_field field;

	(void)end;
	while (tags_next(&world.input, &field) == TAGS_FIELD)
		if (field.tag == SAMPLE_RECORD) {
			make_record(record, field.value);
			return PARCEL_RECORD;
		}
	return PARCEL_EMPTY;
}

/* The daemon. */

struct daemon {
	struct server server;
	struct timer turns;
	unsigned left;
};

/* One turn more, or none. */
static void on_turn(struct timer *timer)
{
	struct daemon *daemon = container_of(timer, struct daemon, turns);

	if (daemon->left-- > 0)
		(void)loop_set_timer(&daemon->server.loop, timer, CLOCK_MS);
	else
		server_stop(&daemon->server);
}

static struct log *the_log(void)
{
	static const struct log_options options = {.target = LOG_TARGET_FILE, .file = "/dev/null"};
	static struct log *log;
	char why[256];

	if (!log)
		log = log_new(&options, why);
	require(log != NULL, "there is a log");
	return log;
}

static const struct options *the_options(void)
{
	static char name[] = "minats";
	static char *argv[] = {name, NULL};
	static struct options options;
	char why[512];

	if (options.max_payload == 0)
		require(options_read(&options, 1, argv, why) == 0, "there are options");
	return &options;
}

/* One who was there before. */
static int enter(struct server *server)
{
	const struct peer peer = {.bytes = {127, 0, 0, 1}, .port = 7777, .family = AF_INET};
	struct listener *listener = server_find_listener(server, SLICE("127.0.0.1:4222"));
	static const char said[] = "CONNECT {\"verbose\":false}\r\nSUB the.one 1\r\n"
				   "PUB the.one 2\r\nok\r\nPING\r\n";

	require(client_new(server, listener, new_socket(), &peer), "there is memory");
	require(send(world.ours[0], said, sizeof(said) - 1, 0) == sizeof(said) - 1,
		"there is room in a socket");
	return world.ours[0];
}

static void check_heard(int fd)
{
	static char heard[HEARD];
	ssize_t length = recv(fd, heard, sizeof(heard) - 1, 0);

	require(length > 0, "who was there before is answered");
	heard[length] = '\0';
	require(strncmp(heard, "INFO {", 6) == 0, "he is told who serves him");
	require(strstr(heard, "\r\nMSG the.one 1 2\r\nok\r\n"), "he hears what he publishes");
	require(strstr(heard, "\r\nPONG\r\n"), "he gets an answer");
}

/* Nobody has the other ends any more, or will soon: some are closed by a thread. */
static void check_closed(void)
{
	struct pollfd waited = {.events = 0};

	for (size_t at = 0; at < world.socket_count; at++) {
		waited.fd = world.ours[at];
		require(poll(&waited, 1, PATIENCE_MS) == 1 && waited.revents & POLLHUP,
			"no socket is forgotten");
		close(waited.fd);
	}
}

static void find_said(struct slice input)
{
	struct tags_field field;

	while (tags_next(&input, &field) == TAGS_FIELD)
		if (field.tag == SAMPLE_SAID)
			world.said = field.value;
}

/* With a descriptor of our own for the parcel, for it is closed. */
static void take_over(struct server *server)
{
	handover_add(server, dup(STDERR_FILENO));
	handover_begin(server);
	handover_finish(server);
	require(server->handover.end_count == 0 && !server->handover.payloads,
		"nothing is left of the parcel");
	require(server->connections <= server->handover.taken + 1, "nobody comes from nowhere");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct daemon daemon = {.turns = {.expired = on_turn}, .left = TURNS};
	struct server *server = &daemon.server;
	char why[256];
	int bystander;

	world = (struct world){.input = {(const char *)data, size}};
	require(server_init(server, the_options(), the_log(), why) == 0, "it begins");
	require(server_start(server) == 0, "it starts");
	bystander = enter(server);
	find_said(world.input);
	take_over(server);
	require(loop_set_timer(&server->loop, &daemon.turns, CLOCK_MS) == 0, "there is memory");
	require(server_run(server) == 0, "it ends well");
	check_heard(bystander);
	require(server->connections == 0 && server->router.subscriptions == 0,
		"nobody is left");
	server_fini(server);
	forget_files();
	check_closed();
	return 0;
}
