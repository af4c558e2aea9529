/* SPDX-License-Identifier: MIT */
/*
 * Who may speak, and in which account: users as the configuration describes them (PROTOCOL 10).
 *
 * Built by whoever reads the configuration: auth_new(), accounts, users, no_auth_user. Then it is
 * read only, and belongs to the server until another one takes its place
 * (server/access.h), when every client is bound to the new one's users. All texts are copied; what
 * was copied is erased by auth_free(), what the caller has is the caller's to erase.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/slice.h"

struct claim;  /* proto/handshake.h */
struct permit; /* broker/permit.h */

enum { AUTH_TIMEOUT_MS = 2000, AUTH_KEY_BYTES = 32 };

#define AUTH_GLOBAL_ACCOUNT "$G" /* of users without one, and where nobody is asked who he is */

/* Ways in which a client may be connected (allowed_connection_types), as bits. */
enum auth_connection {
	AUTH_STANDARD = 1 << 0,
	AUTH_WEBSOCKET = 1 << 1,
	AUTH_LEAFNODE = 1 << 2,
	AUTH_LEAFNODE_WS = 1 << 3,
	AUTH_MQTT = 1 << 4,
	AUTH_MQTT_WS = 1 << 5,
	AUTH_IN_PROCESS = 1 << 6,
	AUTH_ANY_CONNECTION = (1 << 7) - 1,
};

/*
 * What the kernel has to say of the process at the other end of a Unix socket (an extension of
 * minats'): all that is set has to fit. Only then, and only there, is the user let in.
 */
struct auth_peer {
	bool has_uid;
	bool has_gid;
	uint32_t uid;
	uint32_t gid;
	const char *unit; /* of systemd, as "backup.service"; NULL: any */
};

/*
 * One user. Which of these are set says how he proves who he is:
 *
 *   name, password   plain, or bcrypt's "$2b$11$…"
 *   token            likewise; the single token of `authorization`
 *   nkey             a public user key; he signs the nonce
 *   peer alone       the kernel's word is enough, whatever name he has
 */
struct auth_user {
	const char *name;     /* NULL: none */
	const char *password; /* NULL: none */
	const char *token;    /* NULL: none */
	const char *nkey;     /* NULL: none */
	const char *account;  /* NULL: AUTH_GLOBAL_ACCOUNT; in an auth never NULL */
	struct auth_peer peer;
	/* Taken by auth_add_user() when that returns 0, and freed with the auth. NULL: he may do
	   everything. Default permissions are for the caller to put here. */
	struct permit *permit;
	uint8_t connections;  /* of auth_connection; 0: any */

	/* Filled in by auth_add_user(). */
	const char *id; /* the same from one configuration to the next: "user NAME", "nkey U…", … */
	uint8_t key[AUTH_KEY_BYTES]; /* of the nkey */
	const struct auth_user *next_default; /* auth.first_default */
};

struct auth {
	struct auth_user **users; /* in the order in which they were added */
	uint32_t user_count;
	char **accounts;          /* names; the first is AUTH_GLOBAL_ACCOUNT */
	uint32_t account_count;
	/* Those for whom the kernel's word is enough, in their order: they are looked through for
	   each client that comes, and may be a few of thousands. */
	struct auth_user *first_default;
	struct auth_user *last_default;
	const struct auth_user *no_auth_user; /* who comes without credentials; NULL: nobody */
	const struct auth_user *token_user;   /* who has the token; NULL: there is none */
	uint32_t timeout_ms;      /* from the beginning to CONNECT */
	bool is_required;         /* there are users: not everybody may come in */
	bool needs_crypt;         /* some secret is bcrypt's: libcrypt */
	bool needs_signatures;    /* some user has an nkey: a nonce, and libcrypto */
	bool needs_units;         /* some user is known by his unit */
	bool has_plain_secrets;   /* which deserves a warning (10.2) */
	struct map by_name;
	struct map by_nkey;
	struct map by_id;
	uint64_t hash_key;
};

/* What is known of a client beside what it says: by whom it may be a user that needs no secret. */
struct auth_origin {
	bool is_local;     /* the kernel knows who is there: */
	uint32_t uid;
	uint32_t gid;
	const char *unit;  /* NULL: none, */
	bool unit_pending; /* or it is not known yet */
	uint8_t connection; /* one of auth_connection */
};

enum auth_verdict {
	AUTH_ACCEPT,
	AUTH_REFUSE,
	AUTH_ASK_HASH,      /* accept if `given` is what was hashed to `secret` */
	AUTH_ASK_SIGNATURE, /* accept if the user's key has signed the nonce */
	AUTH_ASK_UNIT,      /* decide again when the unit of the client is known */
};

struct auth_decision {
	enum auth_verdict verdict;
	const struct auth_user *user;
	bool by_default;    /* no credentials were needed */
	const char *given;  /* of the claim */
	const char *secret; /* of the user */
};

/* The answers of what builds it, beside 0 and -ENOMEM. */
enum auth_answer {
	AUTH_OK = 0,
	AUTH_DUPLICATE,      /* that user, nkey, token or account is there already */
	AUTH_RESERVED,       /* the name of an account: AUTH_GLOBAL_ACCOUNT */
	AUTH_NO_ACCOUNT,     /* the user's account was not added before */
	AUTH_NO_USER,        /* auth_set_no_auth_user(): there is none of that name or nkey */
	AUTH_BAD_NKEY,       /* not a public user nkey */
	AUTH_BAD_BCRYPT,     /* it looks like bcrypt's, but nothing could ever match it */
	AUTH_NO_CREDENTIALS, /* he has no nkey, token, peer, nor name */
};

/* Nobody is asked who he is. NULL without memory. The key is random, for its tables. */
struct auth *auth_new(uint64_t hash_key);
void auth_free(struct auth *auth);

/* Users without account stand in AUTH_GLOBAL_ACCOUNT, which is there from the beginning. */
int auth_add_account(struct auth *auth, struct slice name);

/* After his account. The texts are copied. */
int auth_add_user(struct auth *auth, const struct auth_user *user);

/* After the users: one of them, by name or nkey. */
int auth_set_no_auth_user(struct auth *auth, struct slice name);

/* NULL: there is none. */
const struct auth_user *auth_find_user(const struct auth *auth, struct slice name);
const struct auth_user *auth_find_nkey(const struct auth *auth, struct slice nkey);
const struct auth_user *auth_find_id(const struct auth *auth, struct slice id);

/* Who is that? (PROTOCOL 10.1) All in the answer is borrowed from the auth and the claim. */
struct auth_decision auth_decide(const struct auth *auth, const struct claim *claim,
				 const struct auth_origin *origin);

/* May this user come from there? AUTH_ACCEPT, AUTH_REFUSE or AUTH_ASK_UNIT. */
enum auth_verdict auth_admits(const struct auth_user *user, const struct auth_origin *origin);

/*
 * Tells whether a user's secret is still the same: 16 bits of a hash of it. So little stays
 * useless for guessing passwords, wherever it is kept.
 */
uint16_t auth_stamp(const struct auth_user *user, uint64_t salt);

/* Is this text what bcrypt makes of a secret, by its beginning? (10.2) */
bool auth_is_bcrypt(struct slice secret);
