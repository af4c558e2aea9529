/* SPDX-License-Identifier: MIT */
/*
 * Who comes in: asks broker/auth about each client, and finds out what that wants to know of it:
 * whether a signature is good, a password matches its hash, which unit a process belongs to.
 *
 * Another configuration applies to those who are in already by the same function, whether they came
 * in here or were handed over: access_apply().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "broker/auth.h"
#include "os/crypto.h"
#include "os/hasher.h"
#include "proto/fault.h"
#include "proto/nkey.h"
#include "server/strangers.h"
#include "server/turnstile.h"

struct client;
struct server;

enum { ACCESS_WHY = CRYPTO_WHY, ACCESS_SUBS_AT_ONCE = 1024 };

struct access {
	struct auth *auth; /* never NULL; without users everybody may come in */
	struct crypto crypto;
	struct hasher hasher;
	struct turnstile turnstile;
	struct timer timer;      /* when somebody's turn comes who was delayed */
	struct client *checked;  /* whose password the hasher has; NULL: nobody's, or it is gone */
	char *checked_secret;    /* the hash that it is compared with */
	bool checks_fail; /* the last one could not be made, which the log knows */
	struct list asking;      /* clients that wait for the name of their unit */
	uint64_t salt;           /* of stamps */
};

/* What a client has of all this while it is asked who it is; most are known. */
struct access_client {
	struct client *client;
	struct ticket ticket;
	struct list asking_link; /* access.asking */
	struct stranger stranger;
	uint64_t due_ms; /* by then it has said who it is; 0: it has */
	char nonce[NKEY_NONCE + 1]; /* empty: it got none; else another CONNECT may sign it again */
};

/* As whom a client came in, for another configuration, perhaps in another process. */
struct access_binding {
	struct slice user;    /* auth_user.id; empty: nobody in particular */
	struct slice account; /* empty: AUTH_GLOBAL_ACCOUNT */
	uint64_t salt;
	uint16_t stamp;
	bool has_default;
};

/* Nobody is asked who he is. 0 or -errno. */
int access_init(struct server *server);
void access_fini(struct server *server);

/*
 * Another auth, which is taken when the answer is 0; else 1 with `why`, and nothing has changed.
 * Applied to all clients at once.
 */
int access_replace(struct server *server, struct auth *auth, char why[ACCESS_WHY]);

/*
 * One who came in before is bound to the user of this configuration who he is. FAULT_NONE, or why
 * he has to go: FAULT_AUTHORIZATION, which he is told, or FAULT_CLIENT_CLOSED (PROTOCOL 8.4).
 * Comes before anything is read from him or delivered to him.
 */
enum fault access_apply(struct client *client, const struct access_binding *before);

/*
 * Then, with all his subscriptions there: what that user may do. Those that he may not have any
 * more are removed, which he is told. FAULT_NONE or FAULT_MEMORY.
 */
enum fault access_permit(struct client *client);

/* The rest of that: FAULT_NONE: he stays. */
void access_part(struct client *client, enum fault fault);

/* How he is bound now. Borrowed from his user. */
struct access_binding access_binding_of(const struct client *client);

/*
 * Has it said something that proves who it is, and that is not yet dealt with? Then it is not
 * handed over: no secret leaves this process.
 */
bool access_holds_secret(const struct client *client);

/* Somebody new: before INFO. 0 or -ENOMEM. */
int access_greet(struct client *client);

/* One from another process, who was asked there: what it was told. 0 or -ENOMEM. */
int access_ask_again(struct client *client, struct slice nonce, uint64_t due_ms);

/* By then it has said who it is; 0: that is known, or nobody asks. */
uint64_t access_due_ms(const struct client *client);

/* Empty: it got none. */
const char *access_nonce(const struct client *client);

/* Does INFO tell this client to say who it is? */
bool access_is_required(const struct client *client);

/* SESSION_CLAIMS: the session is admitted or refused, or the client waits from now on. */
void access_decide(struct client *client);

/*
 * One who has more than ACCESS_SUBS_AT_ONCE subscriptions in another account than he is admitted to
 * waits in server.parting until they are gone. They are: it is decided again.
 */
void access_has_left(struct client *client);

/* He is not waited for any more, and not bound to anybody. */
void access_forget(struct client *client);
