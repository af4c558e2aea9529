/* SPDX-License-Identifier: MIT */
#include "server/access.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/secret.h"
#include "os/log.h"
#include "os/process.h"
#include "os/random.h"
#include "os/units.h"
#include "server/accounts.h"
#include "server/client.h"
#include "server/client_log.h"
#include "server/events.h"
#include "server/server.h"

static const struct claim nothing;

/* Asking. */

static struct auth_origin origin_of(const struct client *client)
{
	struct credentials credentials = peer_credentials(&client->peer);

	return (struct auth_origin){
		.is_local = credentials_are_known(&credentials),
		.uid = (uint32_t)credentials.uid,
		.gid = (uint32_t)credentials.gid,
		.unit = unit_sure_name(client->unit),
		.unit_pending = unit_is_pending(client->unit),
		.connection = AUTH_STANDARD,
	};
}

static struct auth_decision ask(const struct client *client, const struct claim *claim)
{
	struct auth_origin origin = origin_of(client);

	return auth_decide(client->server->access.auth, claim ? claim : &nothing, &origin);
}

bool access_is_required(const struct client *client)
{
	return client->server->access.auth->is_required &&
	       ask(client, NULL).verdict != AUTH_ACCEPT;
}

/* Clients that are asked. */

/* NULL without memory. */
static struct access_client *take(struct client *client)
{
	struct access_client *asked = client->access;

	if (asked)
		return asked;
	asked = malloc(sizeof(*asked));
	if (!asked)
		return NULL;
	*asked = (struct access_client){.client = client};
	ticket_init(&asked->ticket);
	list_init(&asked->asking_link);
	stranger_init(&asked->stranger);
	client->access = asked;
	return asked;
}

static void drop(struct client *client)
{
	struct access_client *asked = client->access;

	if (!asked)
		return;
	turnstile_leave(&asked->ticket);
	list_remove(&asked->asking_link);
	strangers_know(&client->server->strangers, &asked->stranger);
	free(asked);
	client->access = NULL;
}

uint64_t access_due_ms(const struct client *client)
{
	return client->access ? client->access->due_ms : 0;
}

static void stop_clock(struct client *client)
{
	if (client->access)
		client->access->due_ms = 0;
}

const char *access_nonce(const struct client *client)
{
	return client->access ? client->access->nonce : "";
}

/* Nobody asks any more. */
static void settle(struct client *client)
{
	stop_clock(client);
	if (!*access_nonce(client))
		drop(client);
	else
		strangers_know(&client->server->strangers, &client->access->stranger);
}

/* Answering. */

static void bind_to(struct client *client, const struct auth_user *user, bool by_default)
{
	struct session *session = &client->session;

	session->user = user;
	session->has_default = by_default;
	stop_clock(client);
}

/* What it has in another account may be a million subscriptions: they go before it does. */
static bool must_leave_first(struct client *client, const struct router *router)
{
	const struct session *session = &client->session;

	if (router == session->router || session->subs.count <= ACCESS_SUBS_AT_ONCE)
		return false;
	client->is_waiting = true;
	list_append(&client->server->parting, &client->stalled_link);
	return true;
}

static void admit(struct client *client, const struct auth_user *user, bool by_default)
{
	struct server *server = client->server;
	struct router *router = user ? accounts_find(server, user->account) : &server->router;

	if (must_leave_first(client, router))
		return;
	bind_to(client, user, by_default);
	settle(client);
	session_admit(&client->session, user, router);
}

static bool has_signed(const struct client *client, const struct auth_user *user)
{
	const struct claim *claim = client->session.claim;
	uint8_t signature[NKEY_SIGNATURE_BYTES];

	return *access_nonce(client) &&
	       nkey_read_signature(slice_of(claim->signature), signature) &&
	       crypto_verify(&client->server->access.crypto, user->key, signature,
			     slice_of(access_nonce(client)));
}

/* The check begins, at the earliest, when this turn's input is dealt with. */
static void wait_for_hash(struct client *client)
{
	struct server *server = client->server;
	struct access *access = &server->access;
	struct access_client *asked = take(client);
	struct place place = place_of(&client->peer);

	if (!asked) {
		session_complain(&client->session, FAULT_MEMORY);
		return;
	}
	if (!turnstile_enter(&access->turnstile, &asked->ticket, &place, server->loop.now_ms)) {
		session_refuse(&client->session);
		return;
	}
	client->is_waiting = access->hasher.is_busy ||
				    loop_set_timer(&server->loop, &access->timer,
						   server->loop.now_ms) == 0;
	if (!client->is_waiting) {
		turnstile_leave(&asked->ticket);
		session_refuse(&client->session);
	}
}

static void wait_for_unit(struct client *client)
{
	struct access_client *asked = take(client);

	if (!asked) {
		session_complain(&client->session, FAULT_MEMORY);
		return;
	}
	client->is_waiting = true;
	list_append(&client->server->access.asking, &asked->asking_link);
}

/* It has its answer, unless it had to ask again. */
static void go_on(struct client *client)
{
	const struct access_client *asked = client->access;

	if (client->server->access.checked == client || !list_is_empty(&client->stalled_link) ||
	    (asked && (asked->ticket.place || !list_is_empty(&asked->asking_link))))
		return;
	client->is_waiting = false;
	client_answered(client);
}

static void obey(struct client *client, const struct auth_decision *decision)
{
	switch (decision->verdict) {
	case AUTH_ACCEPT:
		admit(client, decision->user, decision->by_default);
		break;
	case AUTH_ASK_HASH:
		wait_for_hash(client);
		break;
	case AUTH_ASK_SIGNATURE:
		if (has_signed(client, decision->user))
			admit(client, decision->user, false);
		else
			session_refuse(&client->session);
		break;
	case AUTH_ASK_UNIT:
		wait_for_unit(client);
		break;
	default:
		session_refuse(&client->session);
		break;
	}
}

/* A second CONNECT without credentials goes on with those of the first (2.4). */
static bool keeps_user(const struct session *session)
{
	return session->user && !session->has_default && session->claim &&
	       claim_is_empty(session->claim);
}

void access_decide(struct client *client)
{
	struct auth_decision decision;

	stop_clock(client);
	if (keeps_user(&client->session)) {
		admit(client, client->session.user, false);
		return;
	}
	decision = ask(client, client->session.claim);
	obey(client, &decision);
}

void access_has_left(struct client *client)
{
	struct auth_decision decision = ask(client, client->session.claim);

	obey(client, &decision);
	go_on(client);
}

/* Units. */

static void decide_again(struct client *client)
{
	struct auth_decision decision = ask(client, client->session.claim);

	list_remove(&client->access->asking_link);
	obey(client, &decision);
	go_on(client);
}

static void look_at_units(struct server *server)
{
	struct list all, *link;

	list_init(&all);
	list_move_all(&all, &server->access.asking);
	while (!list_is_empty(&all)) {
		struct client *client =
			container_of(all.next, struct access_client, asking_link)->client;

		link = list_pop(&all);
		if (unit_is_pending(client->unit))
			list_append(&server->access.asking, link);
		else
			decide_again(client);
	}
}

/* Not at once: whoever asks is in the midst of it. */
static void on_unit(struct units *units)
{
	struct server *server = container_of(units, struct server, units);

	if (!list_is_empty(&server->access.asking))
		(void)loop_set_timer(&server->loop, &server->access.timer, server->loop.now_ms);
}

/* Passwords. */

static void forget_secret(struct access *access)
{
	if (access->checked_secret)
		secret_erase(access->checked_secret, strlen(access->checked_secret));
	free(access->checked_secret);
	access->checked_secret = NULL;
}

/* The configuration may have changed while it waited. */
static bool is_to_be_hashed(const struct client *client, struct auth_decision *decision)
{
	*decision = ask(client, client->session.claim);
	return decision->verdict == AUTH_ASK_HASH;
}

/* False: it could not be; the client is refused. */
static bool begin_check(struct client *client, const struct auth_decision *decision)
{
	struct access *access = &client->server->access;
	bool was_failing = access->checks_fail;
	int error = -ENOMEM;

	access->checked_secret = strdup(decision->secret);
	if (access->checked_secret)
		error = hasher_begin(&access->hasher, &access->crypto, decision->given,
				     access->checked_secret);
	access->checks_fail = error < 0;
	if (error == 0) {
		access->checked = client;
		return true;
	}
	/* That client only hears that he is refused, and so do those behind him. */
	if (!was_failing)
		client_log(client, LOG_LEVEL_ERROR, NULL, "Cannot check a password: %s",
			   strerror(-error));
	forget_secret(access);
	return false;
}

static struct client *client_of_ticket(struct ticket *ticket)
{
	return container_of(ticket, struct access_client, ticket)->client;
}

/* Its turn has come. True: the hasher has it. */
static bool check(struct client *client)
{
	struct access *access = &client->server->access;
	struct auth_decision decision;

	/* Thousands may have knocked and gone, where not one could log in. */
	if (client->has_left && turnstile_is_suspicious(&access->turnstile)) {
		turnstile_skip(&access->turnstile, client->server->loop.now_ms);
		client_drop(client, FAULT_CLIENT_CLOSED);
		return false;
	}
	if (is_to_be_hashed(client, &decision)) {
		if (begin_check(client, &decision))
			return true;
		decision.verdict = AUTH_REFUSE;
	}
	turnstile_skip(&access->turnstile, client->server->loop.now_ms);
	obey(client, &decision);
	go_on(client);
	return false;
}

static void check_next(struct server *server)
{
	struct access *access = &server->access;
	uint64_t again_ms = UINT64_MAX;
	struct ticket *ticket;

	while (!access->hasher.is_busy &&
	       (ticket = turnstile_next(&access->turnstile, server->loop.now_ms, &again_ms)))
		if (check(client_of_ticket(ticket)))
			return;
	if (!access->hasher.is_busy && again_ms != UINT64_MAX)
		(void)loop_set_timer(&server->loop, &access->timer, again_ms);
}

static void on_timer(struct timer *timer)
{
	struct access *access = container_of(timer, struct access, timer);
	struct server *server = container_of(access, struct server, access);

	look_at_units(server);
	check_next(server);
}

static void answer(struct client *client, bool matches, const char *secret)
{
	struct auth_decision decision;

	if (!is_to_be_hashed(client, &decision) || strcmp(decision.secret, secret) != 0)
		obey(client, &decision);
	else if (matches)
		admit(client, decision.user, false);
	else
		session_refuse(&client->session);
	go_on(client);
}

static void on_hashed(struct hasher *hasher, bool matches)
{
	struct access *access = container_of(hasher, struct access, hasher);
	struct server *server = container_of(access, struct server, access);
	struct client *client = access->checked;
	char *secret = access->checked_secret;

	access->checked = NULL;
	access->checked_secret = NULL;
	turnstile_done(&access->turnstile, matches, server->loop.now_ms);
	if (client)
		answer(client, matches, secret);
	secret_erase(secret, strlen(secret));
	free(secret);
	check_next(server);
}

/* Clients coming and going. */

static int make_nonce(char nonce[NKEY_NONCE + 1])
{
	uint8_t bytes[11];
	int error = random_fill(bytes, sizeof(bytes));

	if (error < 0)
		return error;
	nkey_write_nonce(bytes, nonce);
	nonce[NKEY_NONCE] = '\0';
	return 0;
}

int access_greet(struct client *client)
{
	const struct auth *auth = client->server->access.auth;
	struct access_client *asked;

	if (!auth->is_required)
		return 0;
	asked = take(client);
	if (!asked)
		return -ENOMEM;
	session_guard(&client->session);
	if (auth->needs_signatures && make_nonce(asked->nonce) < 0)
		asked->nonce[0] = '\0';
	if (access_is_required(client))
		asked->due_ms = client->server->loop.now_ms + auth->timeout_ms;
	return 0;
}

int access_ask_again(struct client *client, struct slice nonce, uint64_t due_ms)
{
	struct access_client *asked = take(client);

	if (!asked)
		return -ENOMEM;
	if (nonce.length == NKEY_NONCE)
		memcpy(asked->nonce, nonce.bytes, NKEY_NONCE);
	asked->due_ms = due_ms;
	return 0;
}

void access_forget(struct client *client)
{
	struct access *access = &client->server->access;

	drop(client);
	if (access->checked == client)
		access->checked = NULL;
	client->is_waiting = false;
	session_forget_claim(&client->session);
	client->session.user = NULL;
}

/* Another configuration. */

struct access_binding access_binding_of(const struct client *client)
{
	const struct auth_user *user = client->session.user;
	uint64_t salt = client->server->access.salt;

	if (!user)
		return (struct access_binding){.salt = salt};
	return (struct access_binding){
		.user = slice_of(user->id),
		.account = slice_of(user->account),
		.salt = salt,
		.stamp = auth_stamp(user, salt),
		.has_default = client->session.has_default,
	};
}

bool access_holds_secret(const struct client *client)
{
	const struct session *session = &client->session;

	return session->is_guarded && client->state == CLIENT_OPEN &&
	       (client->is_waiting ||
		(session->parser.state != 0 && session->parser.verb == VERB_CONNECT));
}

static bool is_in(const struct access_binding *before, const struct auth_user *user)
{
	const char *account = user ? user->account : AUTH_GLOBAL_ACCOUNT;
	struct slice was = before->account.length > 0 ? before->account
						      : slice_of(AUTH_GLOBAL_ACCOUNT);

	return slice_equal(was, slice_of(account));
}

/* He has not yet said who he is, or nobody has yet decided whether that is so. */
static enum fault apply_to_stranger(struct client *client, const struct auth *auth)
{
	struct session *session = &client->session;

	session->is_guarded = auth->is_required;
	if (!auth->is_required && !client->is_waiting) {
		session->is_locked = false;
		settle(client);
	}
	return FAULT_NONE;
}

enum fault access_apply(struct client *client, const struct access_binding *before)
{
	struct session *session = &client->session;
	const struct auth *auth = client->server->access.auth;
	struct auth_origin origin = origin_of(client);
	struct auth_decision decision = {.by_default = true};

	session->user = NULL;
	if (session->is_locked && before->user.length == 0)
		return apply_to_stranger(client, auth);
	if (before->user.length == 0 || before->has_default || !auth->is_required) {
		decision = ask(client, NULL);
		if (decision.verdict != AUTH_ACCEPT)
			return FAULT_AUTHORIZATION;
	} else {
		decision.by_default = false;
		decision.user = auth_find_id(auth, before->user);
		if (!decision.user)
			return FAULT_CLIENT_CLOSED;
		if (auth_stamp(decision.user, before->salt) != before->stamp ||
		    auth_admits(decision.user, &origin) != AUTH_ACCEPT)
			return FAULT_AUTHORIZATION;
	}
	if (!is_in(before, decision.user))
		return FAULT_CLIENT_CLOSED;
	session->is_guarded = auth->is_required;
	bind_to(client, decision.user, decision.by_default);
	session_enter(session, decision.user ? accounts_find(client->server, decision.user->account)
					     : &client->server->router);
	return FAULT_NONE;
}

enum fault access_permit(struct client *client)
{
	struct session *session = &client->session;

	if (client->state != CLIENT_OPEN)
		return FAULT_NONE;
	if (session_set_permit(session, session->user ? session->user->permit : NULL) < 0)
		return FAULT_MEMORY;
	while (session_remove_forbidden(session))
		client_log_complaint(client);
	session_forget_about(session);
	session->events &= (uint8_t)~SESSION_COMPLAINED;
	return FAULT_NONE;
}

void access_part(struct client *client, enum fault fault)
{
	if (fault == FAULT_AUTHORIZATION)
		client_refuse(client, fault);
	else if (fault != FAULT_NONE)
		client_end(client, fault);
}

static int load_libraries(struct access *access, const struct auth *auth, char why[ACCESS_WHY])
{
	if (auth->needs_signatures && crypto_load_signatures(&access->crypto, why))
		return 1;
	return auth->needs_crypt ? crypto_load_hashes(&access->crypto, why) : 0;
}

int access_replace(struct server *server, struct auth *auth, char why[ACCESS_WHY])
{
	struct access *access = &server->access;
	struct auth *before = access->auth;
	int error;

	if (load_libraries(access, auth, why))
		return 1;
	error = accounts_prepare(server, auth);
	if (error < 0) {
		snprintf(why, ACCESS_WHY, "%s", strerror(-error));
		return 1;
	}
	/* What binds the clients is of the one before. */
	access->auth = auth;
	if (auth->has_plain_secrets || auth->needs_crypt)
		process_forbid_dumps();
	for (struct list *at = server->clients.next, *next; at != &server->clients; at = next) {
		struct client *client = container_of(at, struct client, link);
		struct access_binding binding;
		enum fault fault;

		next = at->next;
		if (client->state != CLIENT_OPEN)
			continue;
		binding = access_binding_of(client);
		fault = access_apply(client, &binding);
		access_part(client, fault == FAULT_NONE ? access_permit(client) : fault);
	}
	accounts_settle(server);
	auth_free(before);
	if (auth->has_plain_secrets)
		log_write(server->log, LOG_LEVEL_WARNING, NULL,
			  "Plaintext passwords detected, use nkeys or bcrypt");
	return 0;
}

int access_init(struct server *server)
{
	struct access *access = &server->access;
	uint64_t keys[4] = {0};
	int error = random_fill(keys, sizeof(keys));

	*access = (struct access){.timer = {.expired = on_timer}, .salt = keys[0]};
	list_init(&access->asking);
	server->units.answered = on_unit;
	hasher_init(&access->hasher, &server->loop);
	access->hasher.done = on_hashed;
	turnstile_init(&access->turnstile, keys[1]);
	strangers_init(&server->strangers, keys[3]);
	access->auth = auth_new(keys[2]);
	if (error == 0 && !access->auth)
		error = -ENOMEM;
	return error;
}

void access_fini(struct server *server)
{
	struct access *access = &server->access;

	hasher_fini(&access->hasher);
	forget_secret(access);
	turnstile_fini(&access->turnstile);
	strangers_fini(&server->strangers);
	accounts_fini(server);
	auth_free(access->auth);
}
