/* SPDX-License-Identifier: MIT */
#include "server/accounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/auth.h"
#include "os/random.h"
#include "server/server.h"

static struct account *account_of(const struct list *link)
{
	return container_of(link, struct account, link);
}

static struct account *find(const struct server *server, const char *name)
{
	for (const struct list *at = server->accounts.next; at != &server->accounts; at = at->next)
		if (strcmp(account_of(at)->name, name) == 0)
			return account_of(at);
	return NULL;
}

void accounts_trace(struct server *server, struct trace *trace)
{
	server->router.trace = trace;
	for (struct list *at = server->accounts.next; at != &server->accounts; at = at->next)
		container_of(at, struct account, link)->router.trace = trace;
}

struct router *accounts_find(struct server *server, const char *name)
{
	struct account *account;

	if (strcmp(name, AUTH_GLOBAL_ACCOUNT) == 0)
		return &server->router;
	account = find(server, name);
	return account ? &account->router : NULL;
}

static int add(struct server *server, const char *name)
{
	struct account *account = malloc(sizeof(*account));
	uint64_t seeds[2];
	int error;

	if (!account)
		return -ENOMEM;
	account->name = strdup(name);
	error = account->name ? random_fill(seeds, sizeof(seeds)) : -ENOMEM;
	if (error < 0) {
		free(account->name);
		free(account);
		return error;
	}
	router_init(&account->router, &server->pool, seeds);
	account->router.trace = server->router.trace;
	account->router.now_ms = server->router.now_ms;
	account->is_new = account->is_wanted = true;
	list_append(&server->accounts, &account->link);
	return 0;
}

static void remove_account(struct server *server, struct account *account)
{
	struct router *router = &account->router;

	/* What happened in it happened. */
	server->router.in_messages += router->in_messages;
	server->router.out_messages += router->out_messages;
	server->router.unsubscribed += router->unsubscribed;
	router_fini(router);
	list_remove(&account->link);
	free(account->name);
	free(account);
}

static void remove_if(struct server *server, bool (*is_meant)(const struct account *account))
{
	for (struct list *at = server->accounts.next, *next; at != &server->accounts; at = next) {
		next = at->next;
		if (is_meant(account_of(at)))
			remove_account(server, account_of(at));
	}
}

static bool is_new(const struct account *account)
{
	return account->is_new;
}

static bool is_unwanted(const struct account *account)
{
	return !account->is_wanted && account->router.subscriptions == 0;
}

static bool is_any(const struct account *account)
{
	(void)account;
	return true;
}

/* As before. */
static void want_all(struct server *server)
{
	for (struct list *at = server->accounts.next; at != &server->accounts; at = at->next)
		account_of(at)->is_wanted = true;
}

int accounts_prepare(struct server *server, const struct auth *auth)
{
	for (struct list *at = server->accounts.next; at != &server->accounts; at = at->next)
		account_of(at)->is_new = account_of(at)->is_wanted = false;
	for (uint32_t at = 0; at < auth->account_count; at++) {
		struct account *account = find(server, auth->accounts[at]);
		int error = 0;

		if (account)
			account->is_wanted = true;
		else if (strcmp(auth->accounts[at], AUTH_GLOBAL_ACCOUNT) != 0)
			error = add(server, auth->accounts[at]);
		if (error < 0) {
			remove_if(server, is_new);
			want_all(server);
			return error;
		}
	}
	return 0;
}

void accounts_settle(struct server *server)
{
	remove_if(server, is_unwanted);
}

void accounts_rest(struct server *server)
{
	router_rest(&server->router);
	for (struct list *at = server->accounts.next; at != &server->accounts; at = at->next)
		router_rest(&account_of(at)->router);
}

void accounts_trim(struct server *server)
{
	router_trim(&server->router);
	for (struct list *at = server->accounts.next; at != &server->accounts; at = at->next)
		router_trim(&account_of(at)->router);
}

void accounts_fini(struct server *server)
{
	remove_if(server, is_any);
}

static void count(struct counts *counts, const struct router *router)
{
	counts->subscriptions += router->subscriptions;
	counts->unsubscribed += router->unsubscribed;
	counts->in_messages += router->in_messages;
	counts->out_messages += router->out_messages;
}

struct counts accounts_count(const struct server *server)
{
	struct counts counts = {0};

	count(&counts, &server->router);
	for (const struct list *at = server->accounts.next; at != &server->accounts; at = at->next)
		count(&counts, &account_of(at)->router);
	return counts;
}
