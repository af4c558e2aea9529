/* SPDX-License-Identifier: MIT */
#include "server/handover_unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/closer.h"
#include "os/log.h"
#include "os/memory.h"
#include "os/parcel.h"
#include "server/client_state.h"
#include "server/events.h"
#include "server/handover.h"
#include "server/handover_format.h"
#include "server/server.h"

/* They need about MEMORY_AHEAD bytes. */
enum { CLIENTS_AHEAD = 120 };

/* A record that was taken out, and read. */
struct unpacked {
	struct parcel_record parcel;
	uint64_t readable_from;
	uint64_t generation;
	uint64_t index;
	uint64_t kind;
	uint64_t sockets;  /* that it should have */
	uint64_t checksum;
	bool is_ours;
	bool is_damaged;
	struct buf file;
};

/* Connections that are lost, told together where the reason is the same. */
static void tell_lost(struct handover *handover, struct log *log)
{
	if (handover->telling > 0)
		log_write(log, LOG_LEVEL_WARNING,
			  &(struct log_fields){.event = EVENT_NOT_TAKEN_OVER,
					       .count = handover->telling,
					       .reason = handover->telling_why},
			  "%" PRIu64 " connections could not be taken over and are closed: %s",
			  handover->telling, handover->telling_why);
	handover->telling = 0;
}

static void lose(struct server *server, uint64_t count, const char *why)
{
	struct handover *handover = &server->handover;

	if (count == 0)
		return;
	if (strcmp(handover->telling_why, why) != 0)
		tell_lost(handover, server->log);
	handover->telling_why = why;
	handover->telling += count;
	handover->lost += count;
}

/* What stands in the record itself. */
static void read_record(struct unpacked *unpacked)
{
	struct slice all = {unpacked->parcel.data, unpacked->parcel.length};
	struct slice input = all, before = all;
	struct slice values[RECORD_OWN_CHECKSUM + 1] = {0};
	struct tags_field field;
	enum tags_answer answer;

	while ((answer = tags_next(&input, &field)) == TAGS_FIELD) {
		if (field.tag <= RECORD_OWN_CHECKSUM)
			values[field.tag] = field.value;
		if (field.tag != RECORD_OWN_CHECKSUM)
			before.length = all.length - input.length;
	}
	unpacked->is_ours = slice_equal(values[RECORD_FORMAT], SLICE(HANDOVER_FORMAT));
	unpacked->is_damaged =
		answer == TAGS_DAMAGED ||
		tags_number(values[RECORD_OWN_CHECKSUM]) != tags_checksum(before);
	unpacked->readable_from = tags_number(values[RECORD_READABLE_FROM]);
	unpacked->generation = tags_number(values[RECORD_GENERATION]);
	unpacked->index = tags_number(values[RECORD_INDEX]);
	unpacked->kind = tags_number(values[RECORD_KIND]);
	unpacked->sockets = tags_number(values[RECORD_SOCKETS]);
	unpacked->checksum = tags_number(values[RECORD_CHECKSUM]);
}

/* The descriptors that are connections, where the record cannot tell. */
static uint64_t count_connections(const struct unpacked *unpacked)
{
	uint64_t count = 0;

	for (size_t at = 0; at < unpacked->parcel.count; at++) {
		int listens = 1;
		socklen_t length = sizeof(listens);

		if (getsockopt(unpacked->parcel.fds[at], SOL_SOCKET, SO_ACCEPTCONN, &listens,
			       &length) == 0 && !listens)
			count++;
	}
	return count;
}

/* Those that nobody has taken. */
static void close_fds(const struct unpacked *unpacked)
{
	for (size_t at = 0; at < unpacked->parcel.count; at++)
		if (unpacked->parcel.fds[at] >= 0)
			close(unpacked->parcel.fds[at]);
}

/* The file that the record begins with; `why` says what is wrong with it. */
static bool read_file(struct unpacked *unpacked, const char **why)
{
	if (unpacked->parcel.count == 0) {
		*why = "no descriptor was free for their state";
		return false;
	}
	if (parcel_file_read(unpacked->parcel.fds[0], &unpacked->file) < 0 ||
	    tags_checksum(buf_slice(&unpacked->file)) != unpacked->checksum) {
		*why = "their state is damaged";
		return false;
	}
	/* The kernel keeps their order, but some may not be there at all. */
	if (!unpacked->parcel.cut && unpacked->kind == RECORD_CLIENTS &&
	    unpacked->parcel.count != unpacked->sockets + CLIENTS_FILES) {
		*why = "nobody knows which socket is whose";
		return false;
	}
	return true;
}

/* The server. */

static bool add_payload(struct server *server, struct slice bytes, bool good)
{
	struct handover *handover = &server->handover;
	size_t count = handover->payload_count + 1;
	struct state_payload *all = realloc(handover->payloads, count * sizeof(*all));
	struct payload *payload;

	if (!all)
		return false;
	handover->payloads = all;
	payload = good ? pool_take_payload(&server->pool, bytes.length) : NULL;
	if (payload) {
		memcpy(payload->bytes, bytes.bytes, bytes.length);
		payload->filled = (uint32_t)bytes.length;
	}
	all[handover->payload_count++] =
		(struct state_payload){payload, (uint32_t)bytes.length};
	return true;
}

static void load_payloads(struct server *server, int fd)
{
	struct buf file = {0};
	struct slice input;
	struct tags_field field;
	uint64_t checksum = 0;

	if (parcel_file_read(fd, &file) < 0)
		return;
	input = buf_slice(&file);
	while (tags_next(&input, &field) == TAGS_FIELD) {
		if (field.tag == PAYLOAD_CHECKSUM)
			checksum = tags_number(field.value);
		else if (field.tag == PAYLOAD_BYTES &&
			 !add_payload(server, field.value, tags_checksum(field.value) == checksum))
			break;
	}
	buf_fini(&file);
}

static void load_listener(struct handover *handover, struct slice fields, int fd)
{
	struct inheritance *listener = &handover->listeners[handover->listener_count];
	struct tags_field field;

	if (handover->listener_count == HANDOVER_LISTENERS) {
		close(fd);
		return;
	}
	handover->listener_count++;
	*listener = (struct inheritance){.fd = fd};
	while (tags_next(&fields, &field) == TAGS_FIELD) {
		if (field.tag == LISTENER_TAG_ADOPTED)
			listener->adopted = tags_number(field.value) > 0;
		else if (field.tag == LISTENER_TAG_WHERE)
			snprintf(listener->where, sizeof(listener->where), "%.*s",
				 (int)field.value.length, field.value.bytes);
	}
}

static void load_server_field(struct server *server, struct unpacked *unpacked,
			      const struct tags_field *field, size_t *listener)
{
	switch (field->tag) {
	case SERVER_TAG_ID:
		if (field->value.length == SERVER_ID)
			memcpy(server->id, field->value.bytes, SERVER_ID);
		break;
	case SERVER_TAG_STARTED:
		server->started = tags_number(field->value);
		break;
	case SERVER_TAG_LAST_CID:
		server->last_cid = tags_number(field->value);
		break;
	case SERVER_TAG_IN_MESSAGES:
		server->router.in_messages = tags_number(field->value);
		break;
	case SERVER_TAG_OUT_MESSAGES:
		server->router.out_messages = tags_number(field->value);
		break;
	case SERVER_TAG_SALT:
		server->handover.salt = tags_number(field->value);
		break;
	case SERVER_TAG_PID:
		server->handover.pid = tags_number(field->value);
		break;
	case SERVER_TAG_PROGRAM:
		snprintf(server->handover.program, sizeof(server->handover.program), "%.*s",
			 (int)field->value.length, field->value.bytes);
		break;
	case SERVER_TAG_LISTENER:
		if (*listener < unpacked->parcel.count)
			load_listener(&server->handover, field->value,
				      unpacked->parcel.fds[(*listener)++]);
		break;
	}
}

static void load_server(struct server *server, struct unpacked *unpacked)
{
	struct slice input = buf_slice(&unpacked->file);
	size_t listener = SERVER_FILES;
	struct tags_field field;

	if (unpacked->parcel.count >= SERVER_FILES)
		load_payloads(server, unpacked->parcel.fds[1]);
	while (tags_next(&input, &field) == TAGS_FIELD)
		load_server_field(server, unpacked, &field, &listener);
	/* Those that went to the server's listeners are not ours any more. */
	for (size_t at = SERVER_FILES; at < listener; at++)
		unpacked->parcel.fds[at] = -1;
}

/* The clients. */

static void load_client(struct server *server, struct unpacked *unpacked, size_t at,
			struct slice fields)
{
	const struct handover *handover = &server->handover;
	struct state_source source = {handover->payloads, handover->payload_count};
	const char *why;
	int fd;

	if (at >= unpacked->parcel.count) {
		lose(server, 1, "the limit of open files is too low for them");
		return;
	}
	fd = unpacked->parcel.fds[at];
	unpacked->parcel.fds[at] = -1;
	if (client_load(server, fd, &source, fields, &why))
		server->handover.taken++;
	else
		lose(server, 1, why);
}

/* Few can do without. */
static void get_memory(const struct unpacked *unpacked, size_t done)
{
	if (done % CLIENTS_AHEAD == 0 && unpacked->parcel.count >= done + CLIENTS_AHEAD)
		memory_get_ahead();
}

static void load_clients(struct server *server, struct unpacked *unpacked)
{
	struct slice input = buf_slice(&unpacked->file);
	size_t at = CLIENTS_FILES;
	struct tags_field field;

	while (tags_next(&input, &field) == TAGS_FIELD) {
		if (field.tag != CLIENTS_CLIENT)
			continue;
		get_memory(unpacked, at - CLIENTS_FILES);
		load_client(server, unpacked, at++, field.value);
	}
	if (at - CLIENTS_FILES < unpacked->sockets)
		lose(server, unpacked->sockets - (at - CLIENTS_FILES), "their state is damaged");
}

/* The parcel. */

/* Is the record one of this parcel's, and the next? Says so if records are missing before it. */
static bool is_expected(struct server *server, const struct unpacked *unpacked, const char **why)
{
	struct handover *handover = &server->handover;

	if (!unpacked->is_ours)
		*why = "they came in something that is not a hand-over";
	else if (unpacked->is_damaged)
		*why = "their record is damaged";
	else if (unpacked->readable_from > HANDOVER_VERSION)
		*why = "they come from a newer version, whose state this one does not understand";
	else if (handover->next_index > 0 && unpacked->generation != handover->generation)
		*why = "they came in a record of another hand-over";
	else if (unpacked->index < handover->next_index)
		*why = "their record came twice";
	else
		*why = NULL;
	if (*why)
		return false;
	if (unpacked->index > handover->next_index)
		log_write(server->log, LOG_LEVEL_WARNING, LOG_EVENT(EVENT_HANDOVER_DAMAGED),
			  "%" PRIu64 " records of the hand-over are missing: the connections in "
			  "them are lost", unpacked->index - handover->next_index);
	handover->generation = unpacked->generation;
	handover->next_index = unpacked->index + 1;
	return true;
}

/* What the process before has left for when there is time. */
static void close_later(struct unpacked *unpacked)
{
	for (size_t at = 0; at < unpacked->parcel.count; at++) {
		closer_close(unpacked->parcel.fds[at]);
		unpacked->parcel.fds[at] = -1;
	}
}

static void deal_with(struct server *server, struct unpacked *unpacked)
{
	const char *why;

	read_record(unpacked);
	if (!is_expected(server, unpacked, &why)) {
		lose(server, count_connections(unpacked), why);
	} else if (unpacked->kind == RECORD_END) {
		server->handover.has_ended = true;
		close_later(unpacked);
	} else if (!read_file(unpacked, &why)) {
		if (unpacked->kind == RECORD_CLIENTS)
			lose(server, unpacked->sockets, why);
		else
			log_write(server->log, LOG_LEVEL_WARNING, LOG_EVENT(EVENT_HANDOVER_DAMAGED),
				  "What the process before said of itself is damaged");
	} else if (unpacked->kind == RECORD_SERVER) {
		load_server(server, unpacked);
	} else if (unpacked->kind == RECORD_CLIENTS) {
		load_clients(server, unpacked);
	}
}

bool handover_unpack_next(struct server *server)
{
	struct unpacked unpacked = {0};
	int answer = parcel_take(server->handover.ends[0], &unpacked.parcel);

	if (answer < 0)
		log_write(server->log, LOG_LEVEL_ERROR, LOG_EVENT(EVENT_HANDOVER_DAMAGED),
			  "What was handed over cannot be read: %s", strerror(-answer));
	if (answer != PARCEL_RECORD)
		return false;
	server->handover.has_begun = true;
	deal_with(server, &unpacked);
	close_fds(&unpacked);
	buf_fini(&unpacked.file);
	return true;
}

void handover_unpack_end(struct server *server)
{
	struct handover *handover = &server->handover;

	tell_lost(handover, server->log);
	if (handover->has_begun && !handover->has_ended)
		log_write(server->log, LOG_LEVEL_WARNING, LOG_EVENT(EVENT_HANDOVER_DAMAGED),
			  "The end of the hand-over is missing: connections may be lost");
	for (uint32_t at = 0; at < handover->payload_count; at++)
		if (handover->payloads[at].payload)
			pool_release_payload(&server->pool, handover->payloads[at].payload);
	free(handover->payloads);
	handover->payloads = NULL;
	handover->payload_count = 0;
	handover->next_index = 0;
	handover->has_begun = handover->has_ended = false;
	close(handover->ends[0]);
	handover->end_count--;
	memmove(handover->ends, handover->ends + 1, handover->end_count * sizeof(int));
}
