/* SPDX-License-Identifier: MIT */
#include "broker/auth.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/secret.h"
#include "broker/permit.h"
#include "proto/handshake.h"
#include "proto/nkey.h"

enum { BCRYPT_LENGTH = 60, BCRYPT_COST_LEAST = 4, BCRYPT_COST_MOST = 31 };

/* Building. */

/* False without memory; a text that is not there stays so. */
static bool keep(const char **text)
{
	if (!*text)
		return true;
	*text = strdup(*text);
	return *text;
}

static void forget(const char *text)
{
	char *ours = (char *)(uintptr_t)text;

	if (!ours)
		return;
	secret_erase(ours, strlen(ours));
	free(ours);
}

static void free_user(struct auth_user *user)
{
	forget(user->name);
	forget(user->password);
	forget(user->token);
	forget(user->nkey);
	forget(user->account);
	forget(user->peer.unit);
	forget(user->id);
	permit_unref(user->permit);
	free(user);
}

/* All of it copied, but for the permit. NULL without memory; `id` is taken. */
static struct auth_user *copy_user(const struct auth_user *user, char *id)
{
	struct auth_user *copy = malloc(sizeof(*copy));
	bool good;

	if (!copy || !id) {
		free(copy);
		free(id);
		return NULL;
	}
	*copy = *user;
	copy->id = id;
	if (!copy->account)
		copy->account = AUTH_GLOBAL_ACCOUNT;
	if (!copy->connections)
		copy->connections = AUTH_ANY_CONNECTION;
	copy->permit = NULL;
	copy->next_default = NULL;
	/* All of them, so that what is freed is always a copy. */
	good = keep(&copy->name);
	good &= keep(&copy->password);
	good &= keep(&copy->token);
	good &= keep(&copy->nkey);
	good &= keep(&copy->account);
	good &= keep(&copy->peer.unit);
	if (good)
		return copy;
	free_user(copy);
	return NULL;
}

struct auth *auth_new(uint64_t hash_key)
{
	struct auth *auth = malloc(sizeof(*auth));

	if (!auth)
		return NULL;
	*auth = (struct auth){.timeout_ms = AUTH_TIMEOUT_MS, .hash_key = hash_key};
	if (auth_add_account(auth, slice_of(AUTH_GLOBAL_ACCOUNT)) == AUTH_OK)
		return auth;
	auth_free(auth);
	return NULL;
}

void auth_free(struct auth *auth)
{
	if (!auth)
		return;
	for (uint32_t at = 0; at < auth->user_count; at++)
		free_user(auth->users[at]);
	for (uint32_t at = 0; at < auth->account_count; at++)
		free(auth->accounts[at]);
	free(auth->users);
	free(auth->accounts);
	map_fini(&auth->by_name, NULL);
	map_fini(&auth->by_nkey, NULL);
	map_fini(&auth->by_id, NULL);
	free(auth);
}

static bool has_account(const struct auth *auth, struct slice name)
{
	for (uint32_t at = 0; at < auth->account_count; at++)
		if (slice_equal(slice_of(auth->accounts[at]), name))
			return true;
	return false;
}

int auth_add_account(struct auth *auth, struct slice name)
{
	char **more;

	if (has_account(auth, name))
		return slice_equal(name, slice_of(AUTH_GLOBAL_ACCOUNT)) ? AUTH_RESERVED
									: AUTH_DUPLICATE;
	more = realloc(auth->accounts, (auth->account_count + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	auth->accounts = more;
	more[auth->account_count] = strndup(name.bytes, name.length);
	if (!more[auth->account_count])
		return -ENOMEM;
	auth->account_count++;
	return AUTH_OK;
}

static struct slice name_of(const void *user)
{
	return slice_of(((const struct auth_user *)user)->name);
}

static struct slice nkey_of(const void *user)
{
	return slice_of(((const struct auth_user *)user)->nkey);
}

static struct slice id_of(const void *user)
{
	return slice_of(((const struct auth_user *)user)->id);
}

static uint32_t hash_name(uint64_t key, const void *user)
{
	return hash_bytes(key, name_of(user));
}

static uint32_t hash_nkey(uint64_t key, const void *user)
{
	return hash_bytes(key, nkey_of(user));
}

static uint32_t hash_id(uint64_t key, const void *user)
{
	return hash_bytes(key, id_of(user));
}

static const struct auth_user *find(const struct auth *auth, const struct map *map,
				    struct slice text, map_name *text_of)
{
	return map_find(map, hash_bytes(auth->hash_key, text), text, text_of);
}

const struct auth_user *auth_find_user(const struct auth *auth, struct slice name)
{
	return find(auth, &auth->by_name, name, name_of);
}

const struct auth_user *auth_find_nkey(const struct auth *auth, struct slice nkey)
{
	return find(auth, &auth->by_nkey, nkey, nkey_of);
}

const struct auth_user *auth_find_id(const struct auth *auth, struct slice id)
{
	return find(auth, &auth->by_id, id, id_of);
}

static bool has_peer(const struct auth_user *user)
{
	return user->peer.has_uid || user->peer.has_gid || user->peer.unit;
}

/* Yours to free; NULL without memory. */
static char *make_id(const struct auth_user *user)
{
	const struct auth_peer *peer = &user->peer;
	struct buf id = {0};
	int error = 0;

	if (user->name)
		error = buf_printf(&id, "user %s", user->name);
	else if (user->nkey)
		error = buf_printf(&id, "nkey %s", user->nkey);
	else if (user->token)
		error = buf_printf(&id, "token");
	else
		error = buf_printf(&id, "peer");
	if (error == 0 && !user->name && peer->has_uid)
		error = buf_printf(&id, " uid %u", peer->uid);
	if (error == 0 && !user->name && peer->has_gid)
		error = buf_printf(&id, " gid %u", peer->gid);
	if (error == 0 && !user->name && peer->unit)
		error = buf_printf(&id, " unit %s", peer->unit);
	if (error == 0)
		error = buf_append(&id, (struct slice){"", 1});
	if (error == 0)
		return id.bytes;
	buf_fini(&id);
	return NULL;
}

bool auth_is_bcrypt(struct slice secret)
{
	const char *at = secret.bytes;

	return secret.length >= 7 && at[0] == '$' && at[1] == '2' && at[2] &&
	       strchr("abxy", at[2]) && at[3] == '$' && isdigit((unsigned char)at[4]) &&
	       isdigit((unsigned char)at[5]) && at[6] == '$';
}

/* It begins like one. */
static bool is_sound_bcrypt(const char *secret)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789./";
	int cost = (secret[4] - '0') * 10 + secret[5] - '0';

	return cost >= BCRYPT_COST_LEAST && cost <= BCRYPT_COST_MOST &&
	       strlen(secret) == BCRYPT_LENGTH && strspn(secret + 7, letters) == BCRYPT_LENGTH - 7;
}

static int check_secret(const char *secret)
{
	if (secret && auth_is_bcrypt(slice_of(secret)) && !is_sound_bcrypt(secret))
		return AUTH_BAD_BCRYPT;
	return AUTH_OK;
}

static int check_user(const struct auth *auth, const struct auth_user *user)
{
	const char *account = user->account ? user->account : AUTH_GLOBAL_ACCOUNT;

	if (!user->name && !user->nkey && !user->token && !has_peer(user))
		return AUTH_NO_CREDENTIALS;
	if (!has_account(auth, slice_of(account)))
		return AUTH_NO_ACCOUNT;
	if ((user->name && auth_find_user(auth, slice_of(user->name))) ||
	    (user->nkey && auth_find_nkey(auth, slice_of(user->nkey))) ||
	    (user->token && auth->token_user))
		return AUTH_DUPLICATE;
	return check_secret(user->password) ? AUTH_BAD_BCRYPT : check_secret(user->token);
}

/* What follows for the whole. */
static void note_secret(struct auth *auth, const char *secret)
{
	if (!secret)
		return;
	if (auth_is_bcrypt(slice_of(secret)))
		auth->needs_crypt = true;
	else
		auth->has_plain_secrets = true;
}

static bool needs_nothing(const struct auth_user *user)
{
	return has_peer(user) && !user->password && !user->nkey && !user->token;
}

static void append_default(struct auth *auth, struct auth_user *user)
{
	if (auth->last_default)
		auth->last_default->next_default = user;
	else
		auth->first_default = user;
	auth->last_default = user;
}

static void put(struct auth *auth, struct auth_user *user)
{
	auth->users[auth->user_count++] = user;
	map_put(&auth->by_id, hash_bytes(auth->hash_key, slice_of(user->id)), user);
	if (user->name)
		map_put(&auth->by_name, hash_bytes(auth->hash_key, slice_of(user->name)), user);
	if (user->nkey)
		map_put(&auth->by_nkey, hash_bytes(auth->hash_key, slice_of(user->nkey)), user);
	if (user->token)
		auth->token_user = user;
	if (needs_nothing(user))
		append_default(auth, user);
	auth->is_required = true;
	auth->needs_signatures |= user->nkey != NULL;
	auth->needs_units |= user->peer.unit != NULL;
	note_secret(auth, user->password);
	note_secret(auth, user->token);
}

static int reserve(struct auth *auth)
{
	struct auth_user **more =
		realloc(auth->users, (auth->user_count + 1) * sizeof(struct auth_user *));

	if (!more)
		return -ENOMEM;
	auth->users = more;
	uint64_t key = auth->hash_key;

	if (map_reserve(&auth->by_id, key, hash_id, NULL) < 0 ||
	    map_reserve(&auth->by_name, key, hash_name, NULL) < 0 ||
	    map_reserve(&auth->by_nkey, key, hash_nkey, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int auth_add_user(struct auth *auth, const struct auth_user *user)
{
	int answer = check_user(auth, user);
	struct auth_user *copy;

	if (answer == AUTH_OK)
		answer = reserve(auth);
	if (answer != AUTH_OK)
		return answer;
	copy = copy_user(user, make_id(user));
	if (!copy)
		return -ENOMEM;
	if (copy->nkey && !nkey_read_user(slice_of(copy->nkey), copy->key))
		answer = AUTH_BAD_NKEY;
	else if (auth_find_id(auth, slice_of(copy->id)))
		answer = AUTH_DUPLICATE;
	if (answer != AUTH_OK) {
		free_user(copy);
		return answer;
	}
	copy->permit = user->permit;
	put(auth, copy);
	return AUTH_OK;
}

int auth_set_no_auth_user(struct auth *auth, struct slice name)
{
	const struct auth_user *user = auth_find_user(auth, name);

	if (!user)
		user = auth_find_nkey(auth, name);
	if (!user)
		return AUTH_NO_USER;
	auth->no_auth_user = user;
	return AUTH_OK;
}

/* Deciding. */

enum auth_verdict auth_admits(const struct auth_user *user, const struct auth_origin *origin)
{
	const struct auth_peer *peer = &user->peer;

	if (!(user->connections & origin->connection))
		return AUTH_REFUSE;
	if (!has_peer(user))
		return AUTH_ACCEPT;
	if (!origin->is_local || (peer->has_uid && peer->uid != origin->uid) ||
	    (peer->has_gid && peer->gid != origin->gid))
		return AUTH_REFUSE;
	if (!peer->unit)
		return AUTH_ACCEPT;
	if (origin->unit_pending)
		return AUTH_ASK_UNIT;
	return origin->unit && strcmp(origin->unit, peer->unit) == 0 ? AUTH_ACCEPT : AUTH_REFUSE;
}

static const struct auth_decision refused = {.verdict = AUTH_REFUSE};

static struct auth_decision decide_by_secret(const struct auth_user *user, const char *secret,
					     const char *given)
{
	struct auth_decision decision = {
		.verdict = AUTH_ASK_HASH, .user = user, .given = given, .secret = secret};

	/* A user without a password has an empty one, as with nats-server. */
	if (!secret)
		decision.secret = "";
	if (!given)
		decision.given = "";
	if (!auth_is_bcrypt(slice_of(decision.secret)))
		decision.verdict =
			secret_equal(slice_of(decision.given), slice_of(decision.secret))
				? AUTH_ACCEPT
				: AUTH_REFUSE;
	return decision;
}

/* The first whom the kernel's word is enough for, and else no_auth_user. */
static struct auth_decision decide_by_default(const struct auth *auth,
					      const struct auth_origin *origin)
{
	struct auth_decision decision = {.by_default = true};

	for (const struct auth_user *user = auth->first_default; user; user = user->next_default) {
		decision.user = user;
		decision.verdict = auth_admits(user, origin);
		if (decision.verdict != AUTH_REFUSE)
			return decision;
	}
	if (!auth->no_auth_user)
		return refused;
	decision.user = auth->no_auth_user;
	decision.verdict = auth_admits(decision.user, origin);
	return decision;
}

static struct auth_decision decide_by_claim(const struct auth *auth, const struct claim *claim)
{
	const struct auth_user *user;

	if (claim->nkey && auth->needs_signatures) {
		user = auth_find_nkey(auth, slice_of(claim->nkey));
		if (!user || !claim->signature)
			return refused;
		return (struct auth_decision){.verdict = AUTH_ASK_SIGNATURE, .user = user};
	}
	user = claim->user ? auth_find_user(auth, slice_of(claim->user)) : NULL;
	if (user)
		return decide_by_secret(user, user->password, claim->password);
	user = auth->token_user;
	return user && claim->token ? decide_by_secret(user, user->token, claim->token) : refused;
}

/* An nkey is nothing where nobody has one, as with nats-server. */
static bool claims_nothing(const struct auth *auth, const struct claim *claim)
{
	struct claim known = *claim;

	if (!auth->needs_signatures)
		known.nkey = NULL;
	return claim_is_empty(&known);
}

struct auth_decision auth_decide(const struct auth *auth, const struct claim *claim,
				 const struct auth_origin *origin)
{
	struct auth_decision decision;
	enum auth_verdict verdict;

	if (!auth->is_required)
		return (struct auth_decision){.verdict = AUTH_ACCEPT, .by_default = true};
	if (claims_nothing(auth, claim))
		return decide_by_default(auth, origin);
	decision = decide_by_claim(auth, claim);
	if (decision.verdict == AUTH_REFUSE)
		return decision;
	/* Before any work is done for him. */
	verdict = auth_admits(decision.user, origin);
	if (verdict != AUTH_ACCEPT)
		decision.verdict = verdict;
	return decision;
}

/* FNV-1a, and its upper bits folded in. Another version has to find the same: it never changes. */
uint16_t auth_stamp(const struct auth_user *user, uint64_t salt)
{
	const char *secret = user->password ? user->password : user->token ? user->token : "";
	uint64_t hash = 0xcbf29ce484222325u ^ salt;

	for (; *secret; secret++)
		hash = (hash ^ (unsigned char)*secret) * 0x100000001b3u;
	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
	return (uint16_t)(hash >> 48);
}
