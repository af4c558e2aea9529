/* SPDX-License-Identifier: MIT */
/*
 * What a supervisor hears of a reload. It stands here in the place of os/supervisor.
 */
#include "server/status.h"

#include "os/supervisor.h"
#include "server/server.h"
#include "test.h"

static char heard[4096];

static void hear(const char *what, const char *text)
{
	size_t length = strlen(heard);

	snprintf(heard + length, sizeof(heard) - length, "%s %s\n", what, text);
}

uint64_t supervisor_watchdog_ms(void)
{
	return 0;
}

bool supervisor_watches(void)
{
	return true;
}

static int ready_answer; /* 0 or -errno */

int supervisor_ready(const char *status)
{
	hear(ready_answer < 0 ? "not heard" : "ready", status);
	return ready_answer;
}

void supervisor_status(const char *status)
{
	hear("status", status);
}

void supervisor_reloading(void)
{
	hear("reloading", "");
}

void supervisor_stopping(const char *status)
{
	hear("stopping", status);
}

void supervisor_alive(void)
{
	hear("alive", "");
}

static struct server *new_server(const struct options *options)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		abort();
	server->options = options;
	list_init(&server->listeners);
	list_init(&server->accounts);
	status_init(&server->status);
	heard[0] = '\0';
	status_ready(server);
	return server;
}

static void check_heard(const char *expected)
{
	test_check_text(__FILE__, __LINE__, "heard", slice_of(heard), slice_of(expected));
	heard[0] = '\0';
}

static void reload(struct server *server, const char *refusal)
{
	status_reloading();
	status_reloaded(server, refusal);
}

/* As the loop does, five seconds after something has changed. */
static void let_time_pass(struct server *server)
{
	server->status.timer.expired(&server->status.timer);
}

static void after_a_good_reload_all_is_as_before(void)
{
	struct options options = {.host = NULL};
	struct server *server = new_server(&options);

	check_heard("ready Waiting for clients on\n");
	reload(server, NULL);
	check_heard("reloading \nready Waiting for clients on\n");
	server->connections = 3;
	let_time_pass(server);
	check_heard("status 3 clients, 0 subscriptions, 0 messages/s\n");
	reload(server, NULL);
	check_heard("reloading \nready 3 clients, 0 subscriptions, 0 messages/s\n");
	free(server);
}

static void a_refusal_is_told_until_a_reload_goes_well(void)
{
	struct options options = {.host = NULL};
	struct server *server = new_server(&options);

	heard[0] = '\0';
	reload(server, "because");
	check_heard("reloading \nready Reload refused: because; Waiting for clients on\n");
	let_time_pass(server);
	check_heard("status Reload refused: because; 0 clients, 0 subscriptions, 0 messages/s\n");
	reload(server, "still");
	check_heard("reloading \n"
		    "ready Reload refused: still; 0 clients, 0 subscriptions, 0 messages/s\n");
	reload(server, NULL);
	check_heard("reloading \nready 0 clients, 0 subscriptions, 0 messages/s\n");
	let_time_pass(server);
	check_heard("status 0 clients, 0 subscriptions, 0 messages/s\n");
	free(server);
}

static void who_was_not_heard_says_it_again(void)
{
	struct options options = {.host = NULL};
	struct server *server;

	ready_answer = -1;
	server = new_server(&options);
	heard[0] = '\0';
	status_ready(server);
	check_heard("not heard Waiting for clients on\n");
	CHECK(server->status.timer.place != 0);
	let_time_pass(server);
	check_heard("not heard Waiting for clients on\n");
	ready_answer = 0;
	let_time_pass(server);
	check_heard("ready Waiting for clients on\n");
	let_time_pass(server);
	check_heard("status 0 clients, 0 subscriptions, 0 messages/s\n");
	free(server->loop.timers);
	free(server);
}

static const struct test_case cases[] = {
	TEST_CASE(who_was_not_heard_says_it_again),
	TEST_CASE(after_a_good_reload_all_is_as_before),
	TEST_CASE(a_refusal_is_told_until_a_reload_goes_well),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
