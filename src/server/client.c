/* SPDX-License-Identifier: MIT */
#include "server/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/secret.h"
#include "broker/router.h"
#include "os/log.h"
#include "os/units.h"
#include "proto/writer.h"
#include "server/budget.h"
#include "server/client_log.h"
#include "server/events.h"
#include "server/server.h"

enum {
	/* Of whom nobody knows yet; CONNECT may still be longer. */
	LOCKED_READ_BYTES = 4096,
	FIRST_PING_MS = 2000,
	RTT_EVERY_MS = 3600 * 1000,
	LINGER_MS = 2000,
	LINGER_MOST = 256, /* clients at a time; more are closed as soon as all is sent */
	RECENT_MS = 1000,
	STALL_MS = 10,
	QUIET_MS = 1000,
};

static uint64_t now_of(const struct client *client)
{
	return client->server->loop.now_ms;
}

static void watch(struct client *client, unsigned want)
{
	int error = loop_want(&client->server->loop, &client->source, want);

	if (error < 0)
		client_drop(client, error == -ENOMEM ? FAULT_MEMORY : FAULT_READ);
}

/* Sets the timer to the next moment at which something is due. */
static void arm(struct client *client)
{
	uint64_t due, auth_due_ms = access_due_ms(client);

	/* What came before may have dropped it. */
	if (client->state == CLIENT_DEAD)
		return;
	due = client->state == CLIENT_OPEN ? client->ping_due_ms : UINT64_MAX;
	if (auth_due_ms && auth_due_ms < due)
		due = auth_due_ms;
	if (client->deadline_ms && client->deadline_ms < due)
		due = client->deadline_ms;
	if (client->stalled_until_ms && client->stalled_until_ms < due)
		due = client->stalled_until_ms;
	if (due == UINT64_MAX)
		loop_cancel_timer(&client->server->loop, &client->timer);
	else if (client->timer.place && client->timer.due_ms == due)
		return;
	else if (loop_set_one_of_many(&client->server->loop, &client->timer, due) < 0)
		client_drop(client, FAULT_MEMORY);
}

/* Ending. */

/* It goes on in another account. */
static bool leave_account(struct client *client, uint32_t *most)
{
	if (!session_remove_some_subs(&client->session, most))
		return false;
	list_remove(&client->stalled_link);
	access_has_left(client);
	return true;
}

bool client_part(struct client *client, uint32_t *most)
{
	struct server *server = client->server;

	if (client->state == CLIENT_OPEN)
		return leave_account(client, most);
	if (!session_end_some_subs(&client->session, most))
		return false;
	list_remove(&client->stalled_link);
	/* An account that the configuration does not know any more may go. */
	session_enter(&client->session, &server->router);
	if (client->state == CLIENT_DEAD && list_is_empty(&client->link))
		list_append(&server->dead, &client->link);
	return true;
}

/* No session any more; `state` says what is left to do for the socket. */
static void leave_open(struct client *client, enum fault fault, enum client_state state)
{
	struct server *server = client->server;

	client_log_end(client, fault);
	client->state = (uint8_t)state;
	client->session.outbox.closed = true;
	client->session.ended_subs = 0;
	access_forget(client);
	strangers_leave(client->place);
	list_remove(&client->stalled_link);
	list_append(&server->parting, &client->stalled_link);
	/* What has none in an account does not keep it: it is not to point there. */
	if (client->session.subs.count == 0)
		client_part(client, &(uint32_t){1});
	client->stalled_until_ms = 0;
	server->connections--;
	server->leaving++;
	server->slow_consumers += fault_is_slow(fault);
	server->status.has_changed = true;
}

/* Of those who are dead nothing is held any more, though they are there until the turn ends. */
static void count_out(struct client *client)
{
	client->server->pool.taken_bytes -= sizeof(*client);
}

void client_drop(struct client *client, enum fault fault)
{
	if (client->state == CLIENT_DEAD)
		return;
	if (client->state == CLIENT_OPEN)
		leave_open(client, fault, CLIENT_DEAD);
	client->state = CLIENT_DEAD;
	client->server->leaving--;
	count_out(client);
	loop_forget(&client->server->loop, &client->source);
	loop_cancel_timer(&client->server->loop, &client->timer);
	list_remove(&client->session.outbox.dirty_link);
	list_remove(&client->link);
	list_append(&client->server->dead, &client->link);
}

size_t client_held_bytes(const struct client *client)
{
	size_t rest = client->rest ? client->rest->capacity : 0;

	return sizeof(*client) + session_held_bytes(&client->session) + rest;
}

static void drop_rest(struct client *client)
{
	if (client->rest)
		pool_return_chunk(&client->server->pool, client->rest);
	client->rest = NULL;
}

void client_give_up(struct client *client)
{
	session_give_up(&client->session);
	drop_rest(client);
}

void client_shrink(struct client *client)
{
	if (client->rest)
		client->rest = pool_shrink_chunk(&client->server->pool, client->rest);
}

static void begin_linger(struct client *client)
{
	client->state = CLIENT_LINGERING;
	client->deadline_ms = now_of(client) + LINGER_MS;
	stream_finish(&client->stream);
	watch(client, POLLER_READ);
	arm(client);
}

void client_end(struct client *client, enum fault fault)
{
	if (client->state != CLIENT_OPEN)
		return;
	leave_open(client, fault, CLIENT_FLUSHING);
	/* Not read from until the last byte is out. */
	watch(client, client->source.want & POLLER_WRITE);
	arm(client);
	client_flush(client);
}

void client_refuse(struct client *client, enum fault fault)
{
	session_complain(&client->session, fault);
	client_end(client, fault);
}

/* The client has closed its side: it gets what is queued, then the socket is closed. */
static void end_of_input(struct client *client)
{
	client->input_ended = true;
	client_end(client, FAULT_CLIENT_CLOSED);
}

/* Writing. */

static void begin_deadline(struct client *client)
{
	uint64_t limit_ms = (uint64_t)client->server->options->write_deadline_ms;

	client->deadline_ms = now_of(client) + limit_ms;
	client->deadline_bytes = client->written + client->session.outbox.pending_bytes;
	arm(client);
}

static void wait_to_write(struct client *client)
{
	if (!client->deadline_ms)
		begin_deadline(client);
	if (client->state != CLIENT_DEAD && !(client->source.want & POLLER_WRITE))
		watch(client, client->source.want | POLLER_WRITE);
}

static void all_written(struct client *client)
{
	if (client->state == CLIENT_FLUSHING &&
	    (client->input_ended || client->server->leaving > LINGER_MOST)) {
		client_drop(client, FAULT_NONE);
		return;
	}
	if (client->deadline_ms) {
		client->deadline_ms = 0;
		arm(client);
	}
	if (client->source.want & POLLER_WRITE)
		watch(client, client->source.want & ~(unsigned)POLLER_WRITE);
	if (client->state == CLIENT_FLUSHING)
		begin_linger(client);
}

void client_flush(struct client *client)
{
	struct outbox *outbox = &client->session.outbox;
	bool was_congested = outbox_is_congested(outbox);
	ssize_t done = 0;

	if (client->state != CLIENT_OPEN && client->state != CLIENT_FLUSHING)
		return;
	if (client->state == CLIENT_OPEN && outbox->closed) {
		client_drop(client, outbox->overflowed ? FAULT_PENDING : FAULT_MEMORY);
		return;
	}
	while (outbox->pending_bytes > 0 && done >= 0) {
		struct slice slices[STREAM_SLICES];
		size_t count = outbox_peek(outbox, slices, STREAM_SLICES);

		done = stream_write(&client->stream, slices, count);
		if (done > 0) {
			client->written += (uint64_t)done;
			if (was_congested)
				client->server->drained_bytes += (uint64_t)done;
			outbox_take(outbox, (size_t)done);
		}
	}
	if (was_congested && !outbox_is_congested(outbox))
		server_wake_stalled(client->server);
	if (done >= 0) {
		all_written(client);
	} else if (stream_must_wait(done)) {
		outbox_fall_behind(outbox);
		wait_to_write(client);
	} else {
		client_drop(client, FAULT_WRITE);
	}
}

void client_send_info(struct client *client, bool connect_info)
{
	struct buf line = {0};

	/* Without it the client would wait for ever. */
	if (server_info(client, connect_info, &line) == 0)
		outbox_put(&client->session.outbox, buf_slice(&line));
	else
		outbox_shut(&client->session.outbox);
	buf_fini(&line);
}

/* Keepalive (PROTOCOL 7.1). */

static uint64_t ping_interval_ms(const struct client *client)
{
	return (uint64_t)client->server->options->ping_interval_ms;
}

/* After CONNECT the first PING comes soon: it measures the round trip. */
static void restart_keepalive(struct client *client)
{
	uint64_t interval_ms = ping_interval_ms(client);

	if (interval_ms > FIRST_PING_MS)
		interval_ms = FIRST_PING_MS;
	/* Up to a fifth more, lest thousands that reconnect together answer together. The cid
	   spreads as well as chance would. */
	interval_ms += client->cid * 2654435761u % (interval_ms / 5 + 1);
	client->ping_due_ms = now_of(client) + interval_ms;
	client->has_rtt = true;
	arm(client);
}

static void keep_alive(struct client *client)
{
	uint64_t now = now_of(client);
	uint64_t interval_ms = ping_interval_ms(client);
	bool needs_rtt = !client->has_rtt || !client->rtt_started_ms ||
			 now - client->rtt_started_ms > RTT_EVERY_MS;

	client->ping_due_ms = now + interval_ms;
	if (now - client->last_in_ms < interval_ms && !needs_rtt) {
		client_log(client, LOG_LEVEL_DEBUG, NULL,
			   "Delaying PING due to remote client data or ping %" PRIu64 " ms ago",
			   now - client->last_in_ms);
		return;
	}
	if (client->pings_out + 1 > (uint64_t)client->server->options->ping_max) {
		client_refuse(client, FAULT_STALE);
		return;
	}
	client->pings_out++;
	client->rtt_started_ms = now;
	client_log(client, LOG_LEVEL_DEBUG, NULL, "Ping Timer");
	session_ping(&client->session);
}

static void check_deadline(struct client *client)
{
	client->deadline_ms = 0;
	if (client->state == CLIENT_LINGERING)
		client_drop(client, FAULT_NONE);
	else if (client->written < client->deadline_bytes)
		client_drop(client, FAULT_WRITE_DEADLINE);
	else if (client->session.outbox.pending_bytes > 0)
		begin_deadline(client);
}

static void on_timer(struct timer *timer)
{
	struct client *client = container_of(timer, struct client, timer);
	uint64_t now = now_of(client);

	if (client->deadline_ms && client->deadline_ms <= now)
		check_deadline(client);
	if (client->state == CLIENT_OPEN && client->stalled_until_ms &&
	    client->stalled_until_ms <= now) {
		/* If nobody has read meanwhile, what is left of this read is not held up again. */
		client->stall_spent =
			client->drained_before == (uint32_t)client->server->drained_bytes;
		client_resume(client);
	}
	if (client->state == CLIENT_OPEN && access_due_ms(client) && access_due_ms(client) <= now)
		client_refuse(client, FAULT_AUTHENTICATION_TIMEOUT);
	if (client->state == CLIENT_OPEN && client->ping_due_ms <= now)
		keep_alive(client);
	if (client->state != CLIENT_DEAD)
		arm(client);
}

/* Reading. */

/* What leaves the connection open can be said a million times a second: one line will do. */
static void log_complaint(struct client *client)
{
	if (now_of(client) >= client->quiet_until_ms) {
		client->quiet_until_ms = now_of(client) + QUIET_MS;
		client_log_complaint(client);
	}
	session_forget_about(&client->session);
}

static void deal_with_events(struct client *client)
{
	uint8_t events;

	if (client->session.events & SESSION_CLAIMS)
		access_decide(client);
	events = client->session.events;
	client->session.events = 0;
	if (events & SESSION_HEARD)
		client->last_in_ms = now_of(client);
	if (events & SESSION_PONG) {
		client->pings_out = 0;
		client->has_rtt = true;
	}
	if (events & SESSION_CONNECTED) {
		client_log(client, LOG_LEVEL_DEBUG, LOG_EVENT(EVENT_CLIENT_CONNECTED),
			   "Client connected");
		restart_keepalive(client);
	}
	if (events & SESSION_FIRST_PING)
		client_send_info(client, true);
	if (events & SESSION_COMPLAINED)
		log_complaint(client);
}

/* Keeps what is not whole yet. */
static void keep_rest(struct client *client, struct slice rest)
{
	if (rest.length == 0)
		return;
	client->rest = pool_take_chunk(&client->server->pool, rest.length, false);
	if (!client->rest) {
		client_drop(client, FAULT_MEMORY);
		return;
	}
	memcpy(client->rest->bytes, rest.bytes, rest.length);
	client->rest->end = (uint32_t)rest.length;
}

/* Puts what was kept to the front of the server's input. Returns its length, or -ENOMEM. */
static ssize_t take_rest(struct client *client)
{
	struct chunk *rest = client->rest;
	size_t length;

	if (!rest)
		return 0;
	length = rest->end;
	if (server_reserve_input(client->server, length + SERVER_READ_BYTES) < 0)
		return -ENOMEM;
	memcpy(client->server->input, rest->bytes, length);
	if (client->session.is_guarded)
		secret_erase(rest->bytes, length);
	pool_return_chunk(&client->server->pool, rest);
	client->rest = NULL;
	return (ssize_t)length;
}

/* A receiver is nearly full: until it has taken something, but not for long (PROTOCOL 7.5). */
static void stall(struct client *client)
{
	client->stalled_until_ms = now_of(client) + STALL_MS;
	client->drained_before = (uint32_t)client->server->drained_bytes;
	list_append(&client->server->stalled, &client->stalled_link);
	watch(client, client->source.want & POLLER_WRITE);
	arm(client);
}

/* It has taken up enough of this turn. */
static void go_on_later(struct client *client)
{
	list_append(&client->server->unfinished, &client->stalled_link);
	client->server->loop.has_more = true;
	watch(client, client->source.want & POLLER_WRITE);
}

/* What comes behind its claim is for later; it is heard only that it goes. */
static void wait_for_answer(struct client *client, struct slice rest)
{
	keep_rest(client, rest);
	if (rest.length >= LOCKED_READ_BYTES || client->has_left)
		watch(client, client->source.want & POLLER_WRITE);
	arm(client);
}

/* A claim was dealt with: whatever proves who somebody is does not stay in memory. */
static void forget_claim(struct client *client, const char *end)
{
	char *input = client->server->input;

	secret_erase(input, (size_t)(end - input));
	arm(client);
}

static void feed(struct client *client, struct slice input)
{
	struct pool *pool = &client->server->pool;
	const struct router *router = client->session.router;
	uint64_t work_before = router->work;
	enum session_answer answer;
	bool is_congested, has_worked;

	do {
		bool claims;

		answer = session_feed(&client->session, &input);
		claims = client->session.events & SESSION_CLAIMS;
		deal_with_events(client);
		if (claims)
			forget_claim(client, input.bytes);
		if (!list_is_empty(&pool->hot))
			server_flush_hot(client->server);
		if (pool_is_overdrawn(pool))
			budget_keep(client->server);
		if (client->state != CLIENT_OPEN)
			return;
		if (claims && client->session.fault)
			answer = SESSION_OVER;
		if (client->is_waiting) {
			wait_for_answer(client, input);
			return;
		}
		is_congested = pool->congested && !client->stall_spent;
		has_worked = router->work - work_before > SESSION_WORK;
		pool->congested = is_congested;
	} while (answer == SESSION_WAIT && !is_congested && !has_worked);
	if (answer == SESSION_OVER) {
		client_end(client, (enum fault)client->session.fault);
		return;
	}
	keep_rest(client, input);
	if (client->state == CLIENT_OPEN && is_congested)
		stall(client);
	else if (client->state == CLIENT_OPEN && answer == SESSION_WAIT)
		go_on_later(client);
}

void client_resume(struct client *client)
{
	ssize_t length;

	list_remove(&client->stalled_link);
	client->stalled_until_ms = 0;
	client->server->pool.congested = false;
	watch(client, client->source.want | POLLER_READ);
	length = take_rest(client);
	if (length < 0)
		client_drop(client, FAULT_MEMORY);
	else if (length > 0 && client->state == CLIENT_OPEN)
		feed(client, (struct slice){client->server->input, (size_t)length});
}

void client_answered(struct client *client)
{
	deal_with_events(client);
	if (client->state != CLIENT_OPEN)
		return;
	if (client->session.fault)
		client_end(client, (enum fault)client->session.fault);
	else
		client_resume(client);
}

static void read_while_waiting(struct client *client)
{
	struct server *server = client->server;
	ssize_t before = take_rest(client);
	struct room room;
	ssize_t got;

	if (before < 0) {
		client_drop(client, FAULT_MEMORY);
		return;
	}
	room = (struct room){server->input + before, LOCKED_READ_BYTES};
	got = stream_read(&client->stream, &room, 1);
	if (got < 0 && !stream_must_wait(got)) {
		client_drop(client, FAULT_READ);
		return;
	}
	client->has_left = got == 0;
	wait_for_answer(client, (struct slice){server->input, (size_t)(before + (got > 0 ? got : 0))});
}

static void read_input(struct client *client)
{
	struct server *server = client->server;
	struct room room = session_room(&client->session);
	size_t first = room.length > 0 ? 0 : 1;
	ssize_t before = take_rest(client);
	struct room rooms[2];
	size_t direct;
	ssize_t got;

	if (before < 0) {
		client_drop(client, FAULT_MEMORY);
		return;
	}
	rooms[0] = room;
	rooms[1] = (struct room){server->input + before, client->session.is_locked
								  ? LOCKED_READ_BYTES
								  : SERVER_READ_BYTES};
	got = stream_read(&client->stream, &rooms[first], 2 - first);
	client->stall_spent = false;
	server->pool.congested = false;
	if (got <= 0) {
		/* What was kept has to be kept again. */
		if (stream_must_wait(got))
			keep_rest(client, (struct slice){server->input, (size_t)before});
		else if (got == 0)
			end_of_input(client);
		else
			client_drop(client, FAULT_READ);
		return;
	}
	direct = (size_t)got < room.length ? (size_t)got : room.length;
	if (direct > 0 && session_filled(&client->session, direct) == SESSION_OVER) {
		client_end(client, (enum fault)client->session.fault);
		return;
	}
	feed(client, (struct slice){server->input, (size_t)before + (size_t)got - direct});
}

static void throw_away_input(struct client *client)
{
	struct room room = {client->server->input, SERVER_READ_BYTES};
	ssize_t got = stream_read(&client->stream, &room, 1);

	if (got <= 0 && !stream_must_wait(got))
		client_drop(client, FAULT_NONE);
}

static void on_ready(struct source *source, unsigned ready)
{
	struct client *client = container_of(source, struct client, source);

	if (ready & POLLER_WRITE)
		client_flush(client);
	if (!(ready & source->want & POLLER_READ))
		return;
	if (client->state == CLIENT_OPEN && client->is_waiting)
		read_while_waiting(client);
	else if (client->state == CLIENT_OPEN)
		read_input(client);
	else if (client->state == CLIENT_LINGERING)
		throw_away_input(client);
}

struct client *client_make(struct server *server, const struct listener *listener, int fd,
			   const struct peer *peer)
{
	struct client *client = malloc(sizeof(*client));
	struct stream stream = stream_plain(fd);

	if (!client) {
		stream_close(&stream);
		return NULL;
	}
	*client = (struct client){
		.source = {.fd = fd, .ready = on_ready},
		.stream = stream,
		.timer = {.expired = on_timer},
		.server = server,
		.listener = listener,
		.peer = *peer,
	};
	server->pool.taken_bytes += sizeof(*client);
	session_init(&client->session, &server->router, &server->limits);
	list_init(&client->link);
	list_init(&client->stalled_link);
	return client;
}

static struct unit *ask_unit(const struct client *client)
{
	struct credentials credentials = peer_credentials(&client->peer);
	struct unit *unit;

	if (!credentials_are_known(&credentials))
		return NULL;
	unit = units_ask(&client->server->units, credentials.pid);
	if (client->server->access.auth->needs_units)
		unit_make_sure(unit, credentials_process(client->stream.fd));
	return unit;
}

/* The server knows it from now on. */
static void enter(struct client *client)
{
	struct server *server = client->server;
	struct place place;

	if (!client->unit)
		client->unit = ask_unit(client);
	list_append(&server->clients, &client->link);
	server->status.has_changed = true;
	if (client->state != CLIENT_OPEN) {
		server->leaving++;
		return;
	}
	server->connections++;
	place = place_of(&client->peer);
	client->place = strangers_enter(&server->strangers, &place);
	/* Without memory it is locked, but about to go. */
	if (client->session.is_locked && client->access)
		strangers_add(&server->strangers, &client->access->stranger, client->place);
}

void client_listen(struct client *client)
{
	watch(client, client->source.want | POLLER_READ);
}

/* It can wait a little until it is listened to. */
static bool is_quiet(const struct client *client)
{
	return client->state == CLIENT_OPEN && now_of(client) - client->last_in_ms > RECENT_MS;
}

void client_go_on(struct client *client)
{
	struct server *server = client->server;

	enter(client);
	if (client->cid > server->last_cid)
		server->last_cid = client->cid;
	client->session.outbox.closed = client->state != CLIENT_OPEN;
	client_log(client, LOG_LEVEL_DEBUG, LOG_EVENT(EVENT_CLIENT_TAKEN_OVER),
		   "Client connection taken over");
	/* What it said before comes first, when all others are there to hear it. */
	if (client->state == CLIENT_OPEN && client->rest)
		go_on_later(client);
	else if (is_quiet(client))
		list_append(&server->late, &client->stalled_link);
	else if (client->state != CLIENT_FLUSHING)
		watch(client, POLLER_READ);
	/* What is queued would wait until something else happens. */
	client_flush(client);
	arm(client);
}

struct client *client_new(struct server *server, const struct listener *listener, int fd,
			  const struct peer *peer)
{
	struct client *client = client_make(server, listener, fd, peer);

	if (!client)
		return NULL;
	client->cid = ++server->last_cid;
	client->last_in_ms = server->loop.now_ms;
	client->ping_due_ms =
		server->loop.now_ms + (uint64_t)server->options->ping_interval_ms;
	if (access_greet(client) < 0) {
		client_free(client);
		return NULL;
	}
	enter(client);
	client_log(client, LOG_LEVEL_DEBUG, LOG_EVENT(EVENT_CLIENT_CREATED),
		   "Client connection created");
	client_send_info(client, false);
	watch(client, POLLER_READ);
	if (client->state == CLIENT_OPEN)
		arm(client);
	return client;
}

bool client_free(struct client *client)
{
	list_remove(&client->link);
	drop_rest(client);
	if (client->stream.fd >= 0)
		stream_close(&client->stream);
	if (!list_is_empty(&client->stalled_link)) {
		session_give_up(&client->session);
		return false;
	}
	session_fini(&client->session);
	free(client->access);
	unit_free(client->unit);
	if (client->state != CLIENT_DEAD)
		count_out(client);
	free(client);
	return true;
}
