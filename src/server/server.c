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

#include "os/listener.h"
#include "os/log.h"
#include "os/memory.h"
#include "os/random.h"
#include "os/signals.h"
#include "os/supervisor.h"
#include "server/client.h"
#include "server/client_log.h"
#include "server/version.h"

enum {
	TRIM_MS = 5000,
	TRIM_BYTES = 256 << 10, /* fewer spare bytes are not worth a wake-up */
	STATUS_MS = 5000,
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

static int init_info(struct server *server)
{
	const struct options *options = server->options;
	struct info info = {
		.server_id = server->id,
		.server_name = options->name ? options->name : server->id,
		.minats_version = VERSION,
		.headers = !options->no_header_support,
		.max_payload = (uint32_t)options->max_payload,
	};

	if (options->client_advertise &&
	    address_split(options->client_advertise, server->advertised_text,
			  &server->advertised_port))
		server->advertised_host = server->advertised_text;
	return handshake_info_common(&server->info, &info);
}

static void init_limits(struct server *server)
{
	const struct options *options = server->options;

	server->max_connections = (uint64_t)options->max_connections;
	server->limits = (struct limits){
		.max_payload = (uint32_t)options->max_payload,
		.max_control_line = (uint32_t)options->max_control_line,
		.max_subscriptions = (uint32_t)options->max_subscriptions,
		.max_subscription_tokens = (uint32_t)options->max_subscription_tokens,
		.headers = !options->no_header_support,
	};
}

/* As many descriptors as the machine allows, and no more clients than that. */
static void fit_descriptors(struct server *server)
{
	struct rlimit limit;
	uint64_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			limit.rlim_cur = before;
	}
	most = (uint64_t)limit.rlim_cur;
	if (limit.rlim_cur == RLIM_INFINITY || server->max_connections + DESCRIPTORS_KEPT <= most)
		return;
	server->max_connections = most > DESCRIPTORS_KEPT ? most - DESCRIPTORS_KEPT : 1;
	log_write(server->log, LOG_LEVEL_INFO, NULL,
		  "max_connections is lowered to %" PRIu64 ": the limit of open files is %" PRIu64,
		  server->max_connections, most);
}

static void on_signal(struct loop *loop, int signal);
static void on_trim(struct timer *timer);
static void on_status(struct timer *timer);
static void on_watchdog(struct timer *timer);
static void on_lame_duck(struct timer *timer);

static void init_lists(struct server *server)
{
	list_init(&server->clients);
	list_init(&server->dead);
	list_init(&server->stalled);
	list_init(&server->listeners);
}

int server_init(struct server *server, const struct options *options, struct log *log,
		char why[256])
{
	uint64_t seeds[2] = {0, 0};
	int error;

	*server = (struct server){
		.options = options,
		.log = log,
		.trim = {.expired = on_trim},
		.status = {.expired = on_status},
		.watchdog = {.expired = on_watchdog},
		.lame_duck = {.expired = on_lame_duck},
		.trace = {.line = client_log_line},
	};
	init_lists(server);
	init_limits(server);
	pool_init(&server->pool, (size_t)options->max_pending);
	error = random_fill(seeds, sizeof(seeds));
	router_init(&server->router, &server->pool, seeds);
	if (options->trace)
		server->router.trace = &server->trace;
	if (error == 0)
		error = loop_init(&server->loop);
	if (error == 0)
		error = signals_watch(server->loop.poller);
	if (error == 0)
		error = make_id(server);
	if (error == 0)
		error = init_info(server);
	if (error == 0)
		error = server_reserve_input(server, SERVER_READ_BYTES);
	server->loop.signalled = on_signal;
	if (error < 0)
		snprintf(why, 256, "cannot start: %s", strerror(-error));
	else
		fit_descriptors(server);
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

int server_info(const struct server *server, const struct listener *listener, uint64_t cid,
		const struct peer *peer, bool connect_info, struct buf *out)
{
	char ip[ADDRESS_TEXT];
	struct info_client client = {
		.host = server->advertised_host ? server->advertised_host : listener->host,
		.port = server->advertised_port ? (uint16_t)server->advertised_port : listener->port,
		.client_id = cid,
		.client_ip = peer->family == AF_UNIX ? NULL : ip,
		.lame_duck = server->is_lame_duck,
		.connect_info = connect_info,
	};

	peer_ip(peer, ip);
	return handshake_info(out, buf_slice(&server->info), &client);
}

static struct server *server_of(const struct listener *listener)
{
	return container_of(listener->loop, struct server, loop);
}

static void on_accepted(struct listener *listener, int fd, const struct peer *peer)
{
	struct server *server = server_of(listener);
	struct client *client = client_new(server, listener, fd, peer);

	if (!client) {
		log_write(server->log, LOG_LEVEL_ERROR, NULL, "A client was refused: out of memory");
		return;
	}
	if (server->connections <= server->max_connections)
		return;
	client_refuse(client, FAULT_MAX_CONNECTIONS);
}

static void on_starved(struct listener *listener, int error)
{
	log_write(server_of(listener)->log, LOG_LEVEL_ERROR, NULL,
		  "Cannot accept clients on %s for the moment: %s", listener->text,
		  strerror(-error));
}

int server_add_listener(struct server *server, int fd, bool adopted)
{
	struct listener *listener = malloc(sizeof(*listener));

	if (!listener)
		return -ENOMEM;
	listener_init(listener, &server->loop, fd, adopted);
	listener->accepted = on_accepted;
	listener->starved = on_starved;
	list_append(&server->listeners, &listener->link);
	return 0;
}

static void for_each_listener(struct server *server, void (*call)(struct listener *listener))
{
	for (struct list *at = server->listeners.next; at != &server->listeners; at = at->next)
		call(container_of(at, struct listener, link));
}

/* The supervisor. */

static uint64_t messages(const struct server *server)
{
	return server->router.in_messages + server->router.out_messages;
}

static void print_status(struct server *server, char status[256])
{
	uint64_t passed_ms = server->loop.now_ms - server->status_ms;
	uint64_t since = messages(server) - server->status_messages;

	snprintf(status, 256, "%" PRIu64 " clients, %" PRIu64 " subscriptions, %" PRIu64
			      " messages/s%s", server->connections, server->router.subscriptions,
		 passed_ms ? since * 1000 / passed_ms : 0,
		 server->is_lame_duck ? ", lame duck mode" : "");
	server->status_messages = messages(server);
	server->status_ms = server->loop.now_ms;
	server->has_changed = false;
}

/* Somebody watches, and something changed: soon it will be told. */
static void plan_status(struct server *server)
{
	if (!server->status.place && server->is_watched &&
	    (server->has_changed || messages(server) != server->status_messages))
		(void)loop_set_timer(&server->loop, &server->status,
				     server->loop.now_ms + STATUS_MS);
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

static void free_dead(struct server *server)
{
	struct list *link;

	if (list_is_empty(&server->dead))
		return;
	while ((link = list_pop(&server->dead)))
		client_free(container_of(link, struct client, link));
	/* There are descriptors again. */
	if (!server->is_lame_duck)
		for_each_listener(server, listener_resume);
}

void server_wake_stalled(struct server *server)
{
	server->wakes_stalled = true;
}

static void resume_stalled(struct server *server)
{
	struct list waiting;
	struct list *link;

	if (!server->wakes_stalled)
		return;
	server->wakes_stalled = false;
	list_init(&waiting);
	list_move_all(&waiting, &server->stalled);
	while ((link = list_pop(&waiting)))
		client_resume(container_of(link, struct client, stalled_link));
}

static void plan_trim(struct server *server)
{
	if (server->trim.place || server->pool.spare_bytes < TRIM_BYTES)
		return;
	server->trim_seen = server->pool.taken;
	(void)loop_set_timer(&server->loop, &server->trim, server->loop.now_ms + TRIM_MS);
}

static void end_turn(struct server *server)
{
	struct client *client;

	do {
		resume_stalled(server);
		server_flush_hot(server);
		while ((client = pop_client(&server->pool.dirty)))
			client_flush(client);
	} while (server->wakes_stalled || !list_is_empty(&server->pool.hot));
	free_dead(server);
	plan_trim(server);
	plan_status(server);
}

/* What a burst needed is given back when a while went by without one. */
static void on_trim(struct timer *timer)
{
	struct server *server = container_of(timer, struct server, trim);

	if (server->pool.taken != server->trim_seen)
		return;
	pool_trim(&server->pool);
	memory_give_back();
}

/* Watching. */

/* Told again as long as messages flow, and once when they have stopped. */
static void on_status(struct timer *timer)
{
	struct server *server = container_of(timer, struct server, status);
	char status[256];
	bool flows = messages(server) != server->status_messages;

	print_status(server, status);
	server->has_changed = flows;
	supervisor_status(status);
}

static void on_watchdog(struct timer *timer)
{
	struct server *server = container_of(timer, struct server, watchdog);

	supervisor_alive();
	(void)loop_set_timer(&server->loop, timer, server->loop.now_ms + server->watchdog_ms);
}

static void log_start(struct listener *listener)
{
	log_write(server_of(listener)->log, LOG_LEVEL_INFO, NULL,
		  "Listening for client connections on %s%s", listener->text,
		  listener->adopted ? " (from the supervisor)" : "");
}

/* Which addresses came from outside, and which option is without effect for it. */
static void print_ready(const struct server *server, char status[256])
{
	const char *given = options_given_address(server->options);
	size_t length = (size_t)snprintf(status, 256, "Waiting for clients on");
	bool adopted = false;

	for (const struct list *at = server->listeners.next; at != &server->listeners && length < 256;
	     at = at->next) {
		const struct listener *listener = container_of(at, struct listener, link);

		length += (size_t)snprintf(status + length, 256 - length, " %s", listener->text);
		adopted = listener->adopted;
	}
	if (length < 256 && adopted)
		snprintf(status + length, 256 - length, " (from the supervisor%s%s)",
			 given ? "; no effect: " : "", given ? given : "");
}

int server_start(struct server *server)
{
	char status[256];
	int error = 0;

	for (struct list *at = server->listeners.next; at != &server->listeners && error == 0;
	     at = at->next)
		error = listener_arm(container_of(at, struct listener, link));
	if (error < 0)
		return error;
	for_each_listener(server, log_start);
	server->is_watched = supervisor_watches();
	server->watchdog_ms = supervisor_watchdog_ms();
	if (server->watchdog_ms)
		on_watchdog(&server->watchdog);
	print_ready(server, status);
	supervisor_ready(status);
	log_write(server->log, LOG_LEVEL_INFO, NULL, "Server is ready");
	return 0;
}

/* Lame duck mode (PROTOCOL 7.8). */

static void stop(struct server *server)
{
	server->is_stopping = true;
}

/* Sends one client away, or as many as must go at once to be done in time, and plans the next. */
static void send_away(struct server *server)
{
	uint64_t left_ms = (uint64_t)(server->options->lame_duck_duration_ms -
				      server->options->lame_duck_grace_ms);
	uint64_t count = server->connections ? server->connections : 1;
	uint64_t pause_ms = left_ms / count < 1000 ? left_ms / count : 1000;
	uint64_t batch = pause_ms ? 1 : count / left_ms + 1;
	uint32_t chance;

	while (batch-- > 0 && !list_is_empty(&server->clients)) {
		struct client *client = container_of(server->clients.next, struct client, link);

		client_flush(client);
		client_drop(client, FAULT_SHUTDOWN);
	}
	if (random_fill(&chance, sizeof(chance)) < 0)
		chance = 0;
	pause_ms = pause_ms ? pause_ms : 1;
	pause_ms = pause_ms / 2 + chance % (pause_ms / 2 + 1);
	(void)loop_set_timer(&server->loop, &server->lame_duck, server->loop.now_ms + pause_ms);
}

static void on_lame_duck(struct timer *timer)
{
	struct server *server = container_of(timer, struct server, lame_duck);

	if (list_is_empty(&server->clients))
		stop(server);
	else
		send_away(server);
}

static void begin_lame_duck(struct server *server)
{
	uint64_t grace_ms = (uint64_t)server->options->lame_duck_grace_ms;

	if (server->is_lame_duck)
		return;
	log_write(server->log, LOG_LEVEL_INFO, NULL, "Entering lame duck mode, stop accepting new "
						     "clients");
	server->is_lame_duck = true;
	supervisor_stopping("Lame duck mode");
	for_each_listener(server, listener_close);
	if (list_is_empty(&server->clients)) {
		stop(server);
		return;
	}
	for (struct list *at = server->clients.next; at != &server->clients; at = at->next) {
		struct client *client = container_of(at, struct client, link);

		if (client->session.pinged && client->session.connect.protocol >= 1)
			client_send_info(client, false);
	}
	(void)loop_set_timer(&server->loop, &server->lame_duck, server->loop.now_ms + grace_ms);
}

/* Signals (PROTOCOL 8.1). */

static void on_signal(struct loop *loop, int signal)
{
	struct server *server = container_of(loop, struct server, loop);

	log_write(server->log, LOG_LEVEL_DEBUG, NULL, "Trapped signal %d", signal);
	switch (signal) {
	case SIGINT:
		stop(server);
		break;
	case SIGTERM:
		if (!server->is_lame_duck)
			stop(server);
		break;
	case SIGHUP:
		log_write(server->log, LOG_LEVEL_ERROR, NULL,
			  "Failed to reload server configuration: can only reload config when a file "
			  "is provided using -c or --config");
		break;
	case SIGUSR1:
		log_reopen(server->log);
		break;
	default:
		begin_lame_duck(server);
		break;
	}
}

/* Running, and the end. */

static void close_all(struct server *server)
{
	log_write(server->log, LOG_LEVEL_INFO, NULL, "Initiating Shutdown...");
	supervisor_stopping("Stopping");
	for_each_listener(server, listener_close);
	while (!list_is_empty(&server->clients)) {
		struct client *client = container_of(server->clients.next, struct client, link);

		client_flush(client);
		client_drop(client, FAULT_SHUTDOWN);
	}
	end_turn(server);
	log_write(server->log, LOG_LEVEL_INFO, NULL, "Server Exiting..");
}

int server_run(struct server *server)
{
	int error = 0;

	while (!server->is_stopping && error == 0) {
		error = loop_turn(&server->loop);
		end_turn(server);
	}
	close_all(server);
	return error;
}

void server_fini(struct server *server)
{
	struct list *link;

	while ((link = list_pop(&server->listeners))) {
		struct listener *listener = container_of(link, struct listener, link);

		listener_close(listener);
		free(listener);
	}
	router_fini(&server->router);
	pool_fini(&server->pool);
	buf_fini(&server->info);
	free(server->input);
	if (server->loop.poller)
		loop_fini(&server->loop);
}
