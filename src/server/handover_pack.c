/* SPDX-License-Identifier: MIT */
#include "server/handover_pack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/hints.h"
#include "os/listener.h"
#include "os/random.h"
#include "server/client.h"
#include "server/client_state.h"
#include "server/handover_format.h"
#include "server/server.h"
#include "server/version.h"

/*
 * A record is closed when all the descriptors are in it that go into one, or when it has this much
 * to say. A parcel takes some hundreds of records: nobody should fill one cheaply.
 */
enum { RECORD_BYTES = 64 << 20 };

struct packer {
	struct state_payloads payloads;
	int end;
	int payload_file;
	uint64_t generation;
	uint64_t index;            /* of the record in hand */
	struct tags_writer fields; /* of its file */
	int fds[PARCEL_FDS];       /* the files come first */
	size_t fd_count;
};

/* Payloads go to their file at once: together they may be as large as all the rest. */
static int keep_payload(struct state_payloads *payloads, struct slice bytes)
{
	struct packer *packer = container_of(payloads, struct packer, payloads);
	struct tags_writer field = {0};
	int error = -ENOMEM;

	tags_put_number(&field, PAYLOAD_CHECKSUM, tags_checksum(bytes));
	tags_put(&field, PAYLOAD_BYTES, bytes);
	if (!field.failed)
		error = parcel_file_append(packer->payload_file, buf_slice(&field.out));
	buf_fini(&field.out);
	return error;
}

/* Makes the file of the record in hand. The descriptor or -errno. */
static int make_file(const struct packer *packer)
{
	int fd = packer->fields.failed ? -ENOMEM : parcel_file_new();
	int error;

	if (fd < 0)
		return fd;
	error = parcel_file_append(fd, buf_slice(&packer->fields.out));
	if (error == 0)
		error = parcel_file_seal(fd);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

static void begin_record(struct packer *packer, size_t files)
{
	packer->fields.out.length = 0;
	packer->fd_count = files;
}

static int put_record(struct packer *packer, enum record_kind kind, size_t files)
{
	struct tags_writer record = {0};
	int error = -ENOMEM;

	tags_put(&record, RECORD_FORMAT, SLICE(HANDOVER_FORMAT));
	tags_put_number(&record, RECORD_VERSION, HANDOVER_VERSION);
	tags_put_number(&record, RECORD_READABLE_FROM, HANDOVER_READABLE_FROM);
	tags_put_number(&record, RECORD_GENERATION, packer->generation);
	tags_put_number(&record, RECORD_INDEX, packer->index++);
	tags_put_number(&record, RECORD_KIND, kind);
	tags_put_number(&record, RECORD_SOCKETS, packer->fd_count - files);
	tags_put_number(&record, RECORD_CHECKSUM, tags_checksum(buf_slice(&packer->fields.out)));
	tags_put_number(&record, RECORD_OWN_CHECKSUM, tags_checksum(buf_slice(&record.out)));
	if (!record.failed)
		error = parcel_put(packer->end, buf_slice(&record.out), packer->fds,
				   packer->fd_count);
	buf_fini(&record.out);
	return error;
}

/* Makes its file and puts the record in hand. */
static int end_record(struct packer *packer, enum record_kind kind, size_t files)
{
	int file = make_file(packer);
	int error;

	if (file < 0)
		return file;
	packer->fds[0] = file;
	error = put_record(packer, kind, files);
	close(file);
	return error;
}

/* The server. */

static void save_listener(struct packer *packer, const struct listener *listener)
{
	struct tags_writer *fields = &packer->fields;
	size_t start = tags_begin(fields, SERVER_TAG_LISTENER);

	tags_put_number(fields, LISTENER_TAG_ADOPTED, listener->adopted);
	tags_put(fields, LISTENER_TAG_WHERE, slice_of(listener->where));
	tags_end(fields, start);
	packer->fds[packer->fd_count++] = listener->source.fd;
}

static void save_server(struct packer *packer, const struct server *server)
{
	struct tags_writer *fields = &packer->fields;

	tags_put(fields, SERVER_TAG_ID, slice_of(server->id));
	tags_put_number(fields, SERVER_TAG_STARTED, server->started);
	tags_put_number(fields, SERVER_TAG_LAST_CID, server->last_cid);
	tags_put_number(fields, SERVER_TAG_IN_MESSAGES, accounts_count(server).in_messages);
	tags_put_number(fields, SERVER_TAG_OUT_MESSAGES, accounts_count(server).out_messages);
	tags_put_number(fields, SERVER_TAG_SALT, server->access.salt);
	tags_put_number(fields, SERVER_TAG_PID, (uint64_t)getpid());
	tags_put(fields, SERVER_TAG_PROGRAM, SLICE(VERSION));
}

/* What a supervisor gave us it gives to the next one as well, unless there is none in between. */
static int pack_server(struct packer *packer, const struct server *server, bool with_adopted)
{
	begin_record(packer, SERVER_FILES);
	packer->fds[1] = packer->payload_file;
	save_server(packer, server);
	for (struct list *at = server->listeners.next;
	     at != &server->listeners && packer->fd_count < PARCEL_FDS; at = at->next) {
		const struct listener *listener = container_of(at, struct listener, link);

		if (listener->source.fd >= 0 && (with_adopted || !listener->adopted))
			save_listener(packer, listener);
	}
	return end_record(packer, RECORD_SERVER, SERVER_FILES);
}

/* The clients. */

static int pack_client(struct packer *packer, const struct client *client)
{
	size_t start = tags_begin(&packer->fields, CLIENTS_CLIENT);
	int error = client_save(client, &packer->payloads, &packer->fields);

	tags_end(&packer->fields, start);
	packer->fds[packer->fd_count++] = client->stream.fd;
	return error;
}

static bool is_full(const struct packer *packer)
{
	return packer->fd_count == PARCEL_FDS || packer->fields.out.length >= RECORD_BYTES;
}

bool handover_can_move(const struct client *client)
{
	return stream_can_move(&client->stream) && !access_holds_secret(client);
}

/* Nobody has looked at most of them for a while: memory is asked for the next one early. */
static void expect_client(const struct client *client)
{
	for (size_t at = 0; at < sizeof(*client); at += 64)
		prefetch((const char *)client + at);
}

static int pack_clients(struct packer *packer, const struct server *server, uint64_t *packed)
{
	uint64_t in_hand = 0;
	int error = 0;

	begin_record(packer, CLIENTS_FILES);
	for (struct list *at = server->clients.next; at != &server->clients && error == 0;
	     at = at->next) {
		struct client *client = container_of(at, struct client, link);

		expect_client(container_of(at->next, struct client, link));
		if (!handover_can_move(client))
			continue;
		error = pack_client(packer, client);
		in_hand++;
		if (error == 0 && is_full(packer)) {
			error = end_record(packer, RECORD_CLIENTS, CLIENTS_FILES);
			*packed += error == 0 ? in_hand : 0;
			in_hand = 0;
			begin_record(packer, CLIENTS_FILES);
		}
	}
	if (error == 0 && in_hand > 0)
		error = end_record(packer, RECORD_CLIENTS, CLIENTS_FILES);
	*packed += error == 0 ? in_hand : 0;
	return error;
}

void handover_forget_numbers(const struct server *server)
{
	for (struct list *at = server->clients.next; at != &server->clients; at = at->next)
		state_forget_numbers(&container_of(at, struct client, link)->session);
}

/*
 * What this process has told the kernel to watch would be taken down when it ends, and the next one
 * would have to wait for that. It gets it along with the last record, and does it in its own time.
 */
static int pack_end(struct packer *packer, const struct server *server)
{
	int fd = poller_fd(server->loop.poller);

	begin_record(packer, 0);
	if (fd >= 0)
		packer->fds[packer->fd_count++] = fd;
	return put_record(packer, RECORD_END, packer->fd_count);
}

int handover_pack(const struct server *server, int end, bool with_adopted, uint64_t *packed)
{
	struct packer packer = {
		.payloads = {.keep = keep_payload}, .end = end, .payload_file = parcel_file_new()};
	int error = packer.payload_file < 0 ? packer.payload_file : 0;

	*packed = 0;
	if (error == 0)
		error = random_fill(&packer.generation, sizeof(packer.generation));
	if (error == 0)
		error = pack_server(&packer, server, with_adopted);
	if (error == 0)
		error = pack_clients(&packer, server, packed);
	if (error == 0)
		error = pack_end(&packer, server);
	if (packer.payload_file >= 0) {
		/* Also when not all could be packed: the others need it. */
		(void)parcel_file_seal(packer.payload_file);
		close(packer.payload_file);
	}
	buf_fini(&packer.fields.out);
	return error;
}
