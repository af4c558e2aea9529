/* SPDX-License-Identifier: MIT */
#include "server/client_state.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/router.h"
#include "os/listener.h"
#include "os/units.h"
#include "server/client.h"
#include "server/handover_format.h"
#include "server/server.h"

static const struct {
	int family;
	uint64_t tag;
} families[] = {{AF_UNIX, 0}, {AF_INET, 4}, {AF_INET6, 6}};

enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

/* Saving. */

static void save_peer(const struct peer *peer, struct tags_writer *writer)
{
	for (size_t at = 0; at < FAMILIES; at++)
		if (families[at].family == peer->family)
			tags_put_number(writer, CLIENT_TAG_FAMILY, families[at].tag);
	tags_put(writer, CLIENT_TAG_ADDRESS,
		 (struct slice){(const char *)peer->bytes, sizeof(peer->bytes)});
	tags_put_number(writer, CLIENT_TAG_PORT, peer->port);
}

/* Its process may be gone when it could be asked for the next time. */
static void save_unit(const struct unit *unit, struct tags_writer *writer)
{
	const char *name = unit_name(unit);

	if (name)
		tags_put(writer, CLIENT_TAG_UNIT, slice_of(name));
}

static uint64_t stage_of(const struct client *client)
{
	switch (client->state) {
	case CLIENT_FLUSHING:
		return STAGE_FLUSHING;
	case CLIENT_LINGERING:
		return STAGE_LINGERING;
	default:
		return STAGE_OPEN;
	}
}

static void save_times(const struct client *client, struct tags_writer *writer)
{
	tags_put_number(writer, CLIENT_TAG_PING_DUE, client->ping_due_ms);
	tags_put_number(writer, CLIENT_TAG_LAST_IN, client->last_in_ms);
	tags_put_number(writer, CLIENT_TAG_RTT_STARTED, client->rtt_started_ms);
	tags_put_number(writer, CLIENT_TAG_PINGS_OUT, client->pings_out);
	tags_put_number(writer, CLIENT_TAG_DEADLINE, client->deadline_ms);
	if (client->deadline_bytes > client->written)
		tags_put_number(writer, CLIENT_TAG_DEADLINE_BYTES,
				client->deadline_bytes - client->written);
}

/* Who it is, but nothing that would prove it. */
static void save_binding(const struct client *client, struct tags_writer *writer)
{
	struct access_binding binding = access_binding_of(client);

	if (binding.user.length > 0) {
		tags_put(writer, CLIENT_TAG_USER, binding.user);
		tags_put(writer, CLIENT_TAG_ACCOUNT, binding.account);
		tags_put_number(writer, CLIENT_TAG_STAMP, binding.stamp);
	}
	if (*access_nonce(client))
		tags_put(writer, CLIENT_TAG_NONCE, slice_of(access_nonce(client)));
	tags_put_number(writer, CLIENT_TAG_AUTH_DUE, access_due_ms(client));
}

int client_save(const struct client *client, struct state_payloads *payloads,
		struct tags_writer *writer)
{
	uint64_t flags = 0;
	size_t start;
	int error;

	flags |= client->has_rtt ? CLIENT_FLAG_HAS_RTT : 0;
	flags |= client->input_ended ? CLIENT_FLAG_INPUT_ENDED : 0;
	flags |= client->session.is_locked ? CLIENT_FLAG_LOCKED : 0;
	flags |= unit_sure_name(client->unit) ? CLIENT_FLAG_UNIT_IS_SURE : 0;
	flags |= client->session.has_default ? CLIENT_FLAG_HAS_DEFAULT : 0;
	tags_put_number(writer, CLIENT_TAG_CID, client->cid);
	save_peer(&client->peer, writer);
	save_unit(client->unit, writer);
	tags_put(writer, CLIENT_TAG_LISTENER, slice_of(client->listener->text));
	tags_put_number(writer, CLIENT_TAG_STATE, stage_of(client));
	tags_put_number(writer, CLIENT_TAG_FLAGS, flags);
	save_times(client, writer);
	save_binding(client, writer);
	if (client->rest)
		tags_put(writer, CLIENT_TAG_REST,
			 (struct slice){client->rest->bytes, client->rest->end});
	start = tags_begin(writer, CLIENT_TAG_SESSION);
	error = state_save(&client->session, payloads, writer);
	tags_end(writer, start);
	return error;
}

/* Loading. */

/* The last field of each tag; those that nobody knows are skipped. */
static bool split(struct slice fields, struct slice values[CLIENT_TAGS])
{
	struct tags_field field;
	enum tags_answer answer;

	while ((answer = tags_next(&fields, &field)) == TAGS_FIELD)
		if (field.tag < CLIENT_TAGS)
			values[field.tag] = field.value;
	return answer == TAGS_END;
}

static bool load_peer(const struct slice *values, struct peer *peer)
{
	uint64_t tag = tags_number(values[CLIENT_TAG_FAMILY]);
	struct slice bytes = values[CLIENT_TAG_ADDRESS];
	size_t at = 0;

	while (at < FAMILIES && families[at].tag != tag)
		at++;
	if (at == FAMILIES || bytes.length != sizeof(peer->bytes))
		return false;
	*peer = (struct peer){.family = (uint8_t)families[at].family,
			      .port = (uint16_t)tags_number(values[CLIENT_TAG_PORT])};
	memcpy(peer->bytes, bytes.bytes, bytes.length);
	return true;
}

static bool load_rest(struct client *client, struct slice rest)
{
	if (rest.length == 0)
		return true;
	client->rest = pool_take_chunk(&client->server->pool, rest.length, false);
	if (!client->rest)
		return false;
	memcpy(client->rest->bytes, rest.bytes, rest.length);
	client->rest->end = (uint32_t)rest.length;
	return true;
}

static bool load_stage(struct client *client, uint64_t stage)
{
	static const uint8_t states[] = {
		[STAGE_OPEN] = CLIENT_OPEN,
		[STAGE_FLUSHING] = CLIENT_FLUSHING,
		[STAGE_LINGERING] = CLIENT_LINGERING,
	};

	if (stage >= sizeof(states))
		return false;
	client->state = states[stage];
	return true;
}

static void load_times(struct client *client, const struct slice *values)
{
	uint64_t flags = tags_number(values[CLIENT_TAG_FLAGS]);

	client->cid = tags_number(values[CLIENT_TAG_CID]);
	client->ping_due_ms = tags_number(values[CLIENT_TAG_PING_DUE]);
	client->last_in_ms = tags_number(values[CLIENT_TAG_LAST_IN]);
	client->rtt_started_ms = tags_number(values[CLIENT_TAG_RTT_STARTED]);
	client->pings_out = (uint32_t)tags_number(values[CLIENT_TAG_PINGS_OUT]);
	client->deadline_ms = tags_number(values[CLIENT_TAG_DEADLINE]);
	client->deadline_bytes = tags_number(values[CLIENT_TAG_DEADLINE_BYTES]);
	client->has_rtt = flags & CLIENT_FLAG_HAS_RTT;
	client->input_ended = flags & CLIENT_FLAG_INPUT_ENDED;
}

/* Without one it is asked for. */
static void load_unit(struct client *client, const struct slice *values)
{
	struct slice name = values[CLIENT_TAG_UNIT];

	if (name.length > 0)
		client->unit = unit_of_name(name);
	if (tags_number(values[CLIENT_TAG_FLAGS]) & CLIENT_FLAG_UNIT_IS_SURE)
		unit_trust(client->unit);
}

/* What this configuration says of who it was. */
static enum fault load_binding(struct client *client, const struct slice *values)
{
	uint64_t flags = tags_number(values[CLIENT_TAG_FLAGS]);
	uint64_t due_ms = tags_number(values[CLIENT_TAG_AUTH_DUE]);
	struct slice nonce = values[CLIENT_TAG_NONCE];
	const struct access_binding before = {
		.user = values[CLIENT_TAG_USER],
		.account = values[CLIENT_TAG_ACCOUNT],
		.salt = client->server->handover.salt,
		.stamp = (uint16_t)tags_number(values[CLIENT_TAG_STAMP]),
		.has_default = flags & CLIENT_FLAG_HAS_DEFAULT,
	};

	if (client->state != CLIENT_OPEN)
		return FAULT_NONE;
	if (flags & CLIENT_FLAG_LOCKED)
		session_guard(&client->session);
	if ((flags & CLIENT_FLAG_LOCKED || nonce.length > 0 || due_ms > 0) &&
	    access_ask_again(client, nonce, due_ms) < 0)
		return FAULT_MEMORY;
	return access_apply(client, &before);
}

static const char *load(struct client *client, const struct state_source *source,
			const struct slice *values, enum fault *fault)
{
	load_times(client, values);
	load_unit(client, values);
	if (!load_stage(client, tags_number(values[CLIENT_TAG_STATE])))
		return "their state is not understood";
	*fault = load_binding(client, values);
	if (state_load(&client->session, source, values[CLIENT_TAG_SESSION]) &&
	    load_rest(client, values[CLIENT_TAG_REST])) {
		if (*fault == FAULT_NONE)
			*fault = access_permit(client);
		return NULL;
	}
	if (client->session.outbox.overflowed)
		return "more is waiting for them than max_pending allows";
	return "their state is damaged, or there is no memory for it";
}

bool client_load(struct server *server, int fd, const struct state_source *source,
		 struct slice fields, const char **why)
{
	struct slice values[CLIENT_TAGS] = {0};
	struct listener *listener = NULL;
	enum fault fault = FAULT_NONE;
	struct client *client;
	struct peer peer;

	*why = NULL;
	if (!split(fields, values) || !load_peer(values, &peer))
		*why = "their state is damaged";
	else if (!(listener = server_find_listener(server, values[CLIENT_TAG_LISTENER])))
		*why = "out of memory";
	if (*why) {
		close(fd);
		return false;
	}
	client = client_make(server, listener, fd, &peer);
	if (!client) {
		*why = "out of memory";
		return false;
	}
	*why = load(client, source, values, &fault);
	if (*why) {
		client_free(client);
		return false;
	}
	client_go_on(client);
	access_part(client, fault);
	return true;
}
