/* SPDX-License-Identifier: MIT */
#include "server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "os/listener.h"
#include "os/log.h"
#include "os/memory.h"
#include "os/random.h"
#include "os/signals.h"
#include "server/client.h"
#include "server/client_log.h"
#include "server/events.h"
#include "server/reload.h"
#include "server/version.h"

enum {
	TRIM_MS = 5000,
	/* Less than this is not worth a wake-up. */
	TRIM_BYTES = 64 << 10,
	TRIM_CLIENTS = 64,
	TRIM_SUBSCRIPTIONS = 2048,
	LATE_A_TURN = 256,
	PARTING_A_TURN = 2048, /* subscriptions: about a millisecond */
	CONNECTION_RATE = 1000, /* if none was given */
	QUIET_MS = 10000,
	DESCRIPTORS_KEPT = 16,  /* for listeners, logs, files */
};

/* Beginning. */

/* Looks like a public key of nats-server's; clients only compare it. */
static int make_id(struct server *server)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned char bytes[SERVER_ID];
	int error = random_fill(bytes, sizeof(bytes));

	for (size_t at = 0; at < SERVER_ID && error == 0; at++)
		server->id[at] = at ? letters[bytes[at] % 32] : 'N';
	return error;
}

static int print_info(const struct server *server, const struct options *options, struct buf *text)
{
	struct info info = {
		.server_id = server->id,
		.server_name = options->name ? options->name : server->id,
		.minats_version = VERSION,
		.headers = !options->no_header_support,
		.max_payload = (uint32_t)options->max_payload,
	};

	return handshake_info_common(text, &info);
}

static void take_advertised(struct server *server, const struct options *options)
{
	server->advertised_host = NULL;
	server->advertised_port = 0;
	server->advertised_text[0] = '\0';
	if (options->client_advertise &&
	    address_split(options->client_advertise, server->advertised_text,
			  &server->advertised_port))
		server->advertised_host = server->advertised_text;
}

static void take_limits(struct server *server, const struct options *options)
{
	server->max_connections = (uint64_t)options->max_connections;
	server->limits = (struct limits){
		.max_payload = (uint32_t)options->max_payload,
		.max_control_line = (uint32_t)options->max_control_line,
		.max_subscriptions = (uint32_t)options->max_subscriptions,
		.max_subscription_tokens = (uint32_t)options->max_subscription_tokens,
		.headers = !options->no_header_support,
	};
}

/* As many descriptors as the machine allows, and no more clients than that, which may be `told`. */
static void fit_descriptors(struct server *server, uint64_t told)
{
	struct rlimit limit;
	uint64_t most, kept;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			limit.rlim_cur = before;
	}
	most = (uint64_t)limit.rlim_cur;
	/* The limit holds for what is handed over, too: clients, and a file for 252 of them. */
	kept = DESCRIPTORS_KEPT + most / 128;
	if (limit.rlim_cur == RLIM_INFINITY || server->max_connections + kept <= most)
		return;
	server->max_connections = most > kept ? most - kept : 1;
	if (server->max_connections == told)
		return;
	log_write(server->log, LOG_LEVEL_INFO,
		  &(struct log_fields){.event = EVENT_CONNECTIONS_LOWERED,
				       .count = server->max_connections},
		  "max_connections is lowered to %" PRIu64 ": the limit of open files is %" PRIu64,
		  server->max_connections, most);
}

static void on_signal(struct loop *loop, int signal);
static void on_trim(struct timer *timer);

static void on_units_failed(struct units *units, const char *why)
{
	struct server *server = container_of(units, struct server, units);

	log_write(server->log, LOG_LEVEL_WARNING,
		  &(struct log_fields){.event = EVENT_UNITS_UNKNOWN, .reason = why},
		  "The units of clients on Unix sockets are not known: %s", why);
}

static void init_lists(struct server *server)
{
	list_init(&server->clients);
	list_init(&server->dead);
	list_init(&server->parting);
	list_init(&server->stalled);
	list_init(&server->unfinished);
	list_init(&server->resumed);
	list_init(&server->late);
	list_init(&server->listeners);
	list_init(&server->gone_listeners);
	list_init(&server->accounts);
}

int server_init(struct server *server, const struct options *options, struct log *log,
		char why[256])
{
	uint64_t seeds[2] = {0, 0};
	int error, access_error;

	*server = (struct server){
		.options = options,
		.log = log,
		.trim = {.expired = on_trim},
		.trace = {.line = client_log_line},
	};
	init_lists(server);
	units_init(&server->units, &server->loop);
	server->units.failed = on_units_failed;
	status_init(&server->status);
	lame_duck_init(&server->lame_duck);
	handover_init(server);
	upgrade_init(&server->upgrade);
	server->started = (uint64_t)time(NULL);
	idle_init(&server->idle);
	take_limits(server, options);
	take_advertised(server, options);
	pool_init(&server->pool, (size_t)options->max_pending);
	budget_take(server, options);
	error = random_fill(seeds, sizeof(seeds));
	router_init(&server->router, &server->pool, seeds);
	server->router.now_ms = &server->loop.now_ms;
	if (options->trace)
		server->router.trace = &server->trace;
	/* Whatever went wrong so far: server_fini() may be called from here on. */
	access_error = access_init(server);
	if (error == 0)
		error = access_error;
	if (error == 0)
		error = loop_init(&server->loop);
	if (error == 0)
		error = signals_watch(server->loop.poller);
	if (error == 0)
		error = make_id(server);
	if (error == 0)
		error = server_reserve_input(server, SERVER_READ_BYTES);
	server->loop.signalled = on_signal;
	if (error < 0)
		snprintf(why, 256, "cannot start: %s", strerror(-error));
	else if (error == 0)
		fit_descriptors(server, 0);
	return error;
}

int server_reserve_input(struct server *server, size_t length)
{
	char *input;

	if (length <= server->input_capacity)
		return 0;
	input = realloc(server->input, length);
	if (!input)
		return -ENOMEM;
	server->input = input;
	server->input_capacity = length;
	return 0;
}

/* Clients. */

int server_info(const struct client *client, bool connect_info, struct buf *out)
{
	const struct server *server = client->server;
	const struct listener *listener = client->listener;
	const struct auth_user *user = client->session.user;
	char ip[ADDRESS_TEXT];
	struct info_client info = {
		.host = server->advertised_host ? server->advertised_host : listener->host,
		.port = server->advertised_port ? (uint16_t)server->advertised_port
						: listener->port,
		.client_id = client->cid,
		.client_ip = client->peer.family == AF_UNIX ? NULL : ip,
		.lame_duck = server->lame_duck.is_on,
		.connect_info = connect_info,
		.account = user ? user->account : NULL,
		.auth_required = access_is_required(client),
		.nonce = slice_of(connect_info ? "" : access_nonce(client)),
	};

	peer_ip(&client->peer, ip);
	return handshake_info(out, buf_slice(&server->info), &info);
}

static struct server *server_of(const struct listener *listener)
{
	return container_of(listener->loop, struct server, loop);
}

static void log_no_memory(struct listener *listener, const struct peer *peer)
{
	char text[ADDRESS_TEXT];
	struct log_fields fields = {
		.event = EVENT_OUT_OF_MEMORY,
		.peer = text,
		.listener = listener->text,
		.reason = fault_reason(FAULT_MEMORY),
	};

	peer_text(peer, text);
	log_write(server_of(listener)->log, LOG_LEVEL_ERROR, &fields,
		  "%s - A client was refused: out of memory", text);
}

static struct strangers_limits limits_of_strangers(const struct server *server)
{
	const struct options *options = server->options;

	return (struct strangers_limits){
		.max_per_address = (uint64_t)options->max_connections_per_address,
		.max_per_uid = (uint64_t)options->max_connections_per_uid,
		.rate = (uint64_t)(options->connection_rate < 0 ? CONNECTION_RATE
								: options->connection_rate),
		.spares_here = options->connection_rate < 0,
		.max_strangers = (uint64_t)options->max_unauthenticated,
		.max_strangers_per_place = (uint64_t)options->max_unauthenticated_per_address,
	};
}

/* Closed before it costs anything; who tries a thousand times a second is told of once. */
static void turn_away(struct listener *listener, int fd, const struct peer *peer)
{
	struct server *server = server_of(listener);
	char text[ADDRESS_TEXT];
	struct log_fields fields = {
		.event = EVENT_TOO_FAST, .peer = text, .listener = listener->text};

	close(fd);
	if (server->loop.now_ms < server->quiet_until_ms)
		return;
	server->quiet_until_ms = server->loop.now_ms + QUIET_MS;
	peer_text(peer, text);
	log_write(server->log, LOG_LEVEL_WARNING, &fields,
		  "%s - New connections are turned away: they come too fast", text);
}

static void on_accepted(struct listener *listener, int fd, const struct peer *peer)
{
	struct server *server = server_of(listener);
	struct strangers_limits limits = limits_of_strangers(server);
	struct place place = place_of(peer);
	enum strangers_answer answer =
		strangers_ask(&server->strangers, &limits, &place, server->loop.now_ms);
	struct stranger *excess;
	struct client *client;

	if (answer == STRANGERS_TOO_FAST) {
		turn_away(listener, fd, peer);
		return;
	}
	client = client_new(server, listener, fd, peer);
	if (!client) {
		log_no_memory(listener, peer);
		return;
	}
	if (answer == STRANGERS_TOO_MANY || server->connections > server->max_connections)
		client_refuse(client, FAULT_MAX_CONNECTIONS);
	excess = client->access ? strangers_excess(&server->strangers, &limits,
						   &client->access->stranger)
				: NULL;
	if (excess)
		client_end(container_of(excess, struct access_client, stranger)->client,
			   FAULT_STRANGER);
}

static void on_starved(struct listener *listener, int error)
{
	struct log_fields fields = {
		.event = EVENT_CANNOT_ACCEPT,
		.listener = listener->text,
		.reason = strerror(-error),
	};

	log_write(server_of(listener)->log, LOG_LEVEL_ERROR, &fields,
		  "Cannot accept clients on %s for the moment: %s", fields.listener,
		  fields.reason);
}

int server_add_listener(struct server *server, int fd, const char *where)
{
	struct listener *listener = malloc(sizeof(*listener));
	int error = listener ? listener_init(listener, &server->loop, fd, where) : -ENOMEM;

	if (error < 0) {
		close(fd);
		free(listener);
		return error;
	}
	listener->accepted = on_accepted;
	listener->starved = on_starved;
	list_append(&server->listeners, &listener->link);
	return 0;
}

static struct listener *find_in(const struct list *list, struct slice text)
{
	for (const struct list *at = list->next; at != list; at = at->next) {
		struct listener *listener = container_of(at, struct listener, link);

		if (slice_equal(slice_of(listener->text), text))
			return listener;
	}
	return NULL;
}

struct listener *server_find_listener(struct server *server, struct slice text)
{
	struct listener *listener = find_in(&server->listeners, text);

	if (!listener)
		listener = find_in(&server->gone_listeners, text);
	if (listener)
		return listener;
	listener = malloc(sizeof(*listener));
	if (!listener)
		return NULL;
	listener_init_gone(listener, &server->loop, text);
	list_append(&server->gone_listeners, &listener->link);
	return listener;
}

static void for_each_listener(struct server *server, void (*call)(struct listener *listener))
{
	for (struct list *at = server->listeners.next; at != &server->listeners; at = at->next)
		call(container_of(at, struct listener, link));
}

/* The end of a turn. */

static struct client *pop_client(struct list *outboxes)
{
	struct list *link = list_pop(outboxes);

	return link ? client_of(container_of(link, struct outbox, dirty_link)) : NULL;
}

void server_flush_hot(struct server *server)
{
	struct client *client;

	while ((client = pop_client(&server->pool.hot)))
		client_flush(client);
}

/* One who leaves may have a million subscriptions: others have their turns meanwhile. */
static void part(struct server *server, uint32_t most)
{
	if (list_is_empty(&server->parting) && !server->has_parted)
		return;
	while (most > 0 && !list_is_empty(&server->parting))
		client_part(container_of(server->parting.next, struct client, stalled_link), &most);
	server->has_parted = false;
	if (list_is_empty(&server->parting))
		accounts_settle(server);
	else
		server->loop.has_more = true;
}

/* At once: what comes next may have other sizes, and find no room where those stood who had to go. */
static void give_back(struct server *server)
{
	if (!server->budget.has_closed || !list_is_empty(&server->parting))
		return;
	server->budget.has_closed = false;
	accounts_trim(server);
	memory_give_back();
}

static void free_dead(struct server *server)
{
	struct list *link;

	if (list_is_empty(&server->dead))
		return;
	while ((link = list_pop(&server->dead))) {
		struct client *client = container_of(link, struct client, link);

		server->freed += client_free(client);
	}
	/* There are descriptors again. */
	if (!server->lame_duck.is_on)
		for_each_listener(server, listener_resume);
}

void server_wake_stalled(struct server *server)
{
	server->wakes_stalled = true;
}

/* Thousands at once would keep those waiting who have something to say. */
static void listen_to_late(struct server *server)
{
	struct list *link;

	for (int count = 0; count < LATE_A_TURN && (link = list_pop(&server->late)); count++)
		client_listen(container_of(link, struct client, stalled_link));
	if (!list_is_empty(&server->late))
		server->loop.has_more = true;
}

static void resume_all(struct server *server)
{
	struct list *link;

	while ((link = list_pop(&server->resumed)))
		client_resume(container_of(link, struct client, stalled_link));
}

static void resume_stalled(struct server *server)
{
	if (!server->wakes_stalled)
		return;
	server->wakes_stalled = false;
	list_move_all(&server->resumed, &server->stalled);
	resume_all(server);
}

static void plan_trim(struct server *server)
{
	if (server->trim.place ||
	    (server->pool.spare_bytes < TRIM_BYTES && server->freed < TRIM_CLIENTS &&
	     accounts_count(server).unsubscribed - server->unsubscribed < TRIM_SUBSCRIPTIONS))
		return;
	pool_watch(&server->pool);
	(void)loop_set_timer(&server->loop, &server->trim, server->loop.now_ms + TRIM_MS);
}

static void end_turn(struct server *server)
{
	struct client *client;

	/* Before all is flushed: who has left his account goes on, and is answered. */
	part(server, PARTING_A_TURN);
	do {
		resume_stalled(server);
		server_flush_hot(server);
		while ((client = pop_client(&server->pool.dirty)))
			client_flush(client);
	} while (server->wakes_stalled || !list_is_empty(&server->pool.hot));
	accounts_rest(server);
	if (pool_is_overdrawn(&server->pool))
		budget_keep(server);
	/* Who left while others were written to. */
	if (!list_is_empty(&server->parting) || server->has_parted)
		server->loop.has_more = true;
	free_dead(server);
	give_back(server);
	plan_trim(server);
	status_plan(server);
	idle_plan(server);
}

/* Between two clients it is empty: what was read into it once need not stay in memory. */
static void renew_input(struct server *server)
{
	char *input = malloc(SERVER_READ_BYTES);

	if (!input)
		return;
	free(server->input);
	server->input = input;
	server->input_capacity = SERVER_READ_BYTES;
}

/* What nobody has needed for a while, and what clients left behind, is given back. */
void server_trim(struct server *server)
{
	renew_input(server);
	accounts_trim(server);
	pool_trim(&server->pool);
	memory_give_back();
	server->freed = 0;
	server->unsubscribed = accounts_count(server).unsubscribed;
}

static void on_trim(struct timer *timer)
{
	server_trim(container_of(timer, struct server, trim));
}

/* Starting and stopping. */

static void log_listener(struct listener *listener)
{
	log_write(server_of(listener)->log, LOG_LEVEL_INFO,
		  &(struct log_fields){.event = EVENT_LISTENING, .listener = listener->text},
		  "Listening for client connections on %s%s", listener->text,
		  listener->adopted ? " (from the supervisor)" : "");
}

static void log_budget(const struct server *server)
{
	log_write(server->log, LOG_LEVEL_INFO, NULL, "  Memory:   %s", server->budget.text);
}

static void log_identity(const struct server *server)
{
	log_write(server->log, LOG_LEVEL_INFO, NULL, "  Name:     %s",
		  server->options->name ? server->options->name : server->id);
	log_write(server->log, LOG_LEVEL_INFO, NULL, "  ID:       %s", server->id);
	log_budget(server);
}

int server_start(struct server *server)
{
	int error = print_info(server, server->options, &server->info);

	log_identity(server);
	for (struct list *at = server->listeners.next; at != &server->listeners && error == 0;
	     at = at->next)
		error = listener_arm(container_of(at, struct listener, link));
	if (error < 0)
		return error;
	for_each_listener(server, log_listener);
	thrift_begin(server);
	status_ready(server);
	status_plan(server);
	idle_plan(server);
	log_write(server->log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_READY), "Server is ready");
	return 0;
}

/* Those who came last go. */
static void close_surplus(struct server *server)
{
	struct list *at = server->clients.previous;

	while (at != &server->clients && server->connections > server->max_connections) {
		struct client *client = container_of(at, struct client, link);

		at = at->previous;
		if (client->state == CLIENT_OPEN)
			client_refuse(client, FAULT_MAX_CONNECTIONS);
	}
}

int server_print_info(const struct server *server, const struct options *options, struct buf *info)
{
	int error = print_info(server, options, info);

	if (error < 0)
		buf_fini(info);
	return error;
}

void server_take_options(struct server *server, const struct options *options, struct buf *info)
{
	uint64_t connections = server->max_connections;
	struct budget before = server->budget;

	buf_fini(&server->info);
	server->info = *info;
	*info = (struct buf){0};
	server->options = options;
	take_limits(server, options);
	take_advertised(server, options);
	pool_limit(&server->pool, (size_t)options->max_pending);
	budget_take(server, options);
	if (strcmp(before.text, server->budget.text) != 0)
		log_budget(server);
	accounts_trace(server, options->trace ? &server->trace : NULL);
	fit_descriptors(server, connections);
	close_surplus(server);
	idle_begin_anew(server);
}

void server_close_listeners(struct server *server)
{
	for_each_listener(server, listener_close);
}

void server_replace(struct server *server)
{
	server->is_replacing = true;
}

void server_stop(struct server *server)
{
	server->is_stopping = true;
}

/* Signals (PROTOCOL 8.1). */

static void on_signal(struct loop *loop, int signal)
{
	struct server *server = container_of(loop, struct server, loop);

	log_write(server->log, LOG_LEVEL_DEBUG, NULL, "Trapped signal %d", signal);
	switch (signal) {
	case SIGINT:
		server_stop(server);
		break;
	case SIGTERM:
		if (server->lame_duck.is_on)
			break;
		server->is_parking = handover_is_kept(server);
		server_stop(server);
		break;
	case SIGALRM:
		upgrade_begin(server);
		break;
	case SIGCHLD:
		upgrade_go_on(server);
		break;
	case SIGHUP:
		reload_now(server);
		break;
	case SIGUSR1:
		log_reopen(server->log);
		break;
	default:
		lame_duck_begin(server);
		break;
	}
}

/* Running, and the end. */

static void close_all(struct server *server)
{
	server_close_listeners(server);
	while (!list_is_empty(&server->clients)) {
		struct client *client = container_of(server->clients.next, struct client, link);

		client_flush(client);
		client_drop(client, FAULT_SHUTDOWN);
	}
	while (!list_is_empty(&server->parting))
		part(server, UINT32_MAX);
	end_turn(server);
}

static void finish(struct server *server)
{
	log_write(server->log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_STOPPING), "Initiating Shutdown...");
	status_stopping("Stopping");
	if (server->is_parking)
		handover_park(server);
	else
		close_all(server);
	client_log_left_out(server);
	log_write(server->log, LOG_LEVEL_INFO, LOG_EVENT(EVENT_STOPPED), "Server Exiting..");
}

/* At the end of a turn nothing is half done. It comes back only if it went wrong. */
static void replace(struct server *server)
{
	int error;

	server->is_replacing = false;
	if (server->is_stopping)
		return;
	error = handover_replace(server);
	if (error < 0)
		upgrade_fail(server, strerror(-error));
	end_turn(server);
}

int server_run(struct server *server)
{
	int error = 0;

	while (!server->is_stopping && error == 0) {
		/* Those who did not finish in the last turn go on in this one, after all others. */
		list_move_all(&server->resumed, &server->unfinished);
		listen_to_late(server);
		error = loop_turn(&server->loop);
		resume_all(server);
		end_turn(server);
		if (server->is_replacing)
			replace(server);
	}
	finish(server);
	return error;
}

void server_fini(struct server *server)
{
	struct list *link;

	/* They were taken over by a process that could then not begin. */
	if (!list_is_empty(&server->clients) || !list_is_empty(&server->dead) ||
	    !list_is_empty(&server->parting))
		close_all(server);
	list_move_all(&server->listeners, &server->gone_listeners);
	while ((link = list_pop(&server->listeners))) {
		struct listener *listener = container_of(link, struct listener, link);

		listener_close(listener);
		free(listener);
	}
	thrift_end(server);
	units_fini(&server->units);
	access_fini(server);
	router_fini(&server->router);
	pool_fini(&server->pool);
	buf_fini(&server->info);
	free(server->input);
	if (server->loop.poller)
		loop_fini(&server->loop);
}
