/* SPDX-License-Identifier: MIT */
#include "server/config_auth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/auth.h"
#include "broker/permit.h"
#include "server/config_block.h"
#include "server/config_permit.h"

enum { TIMEOUT_LEAST_MS = 1, TIMEOUT_MOST_MS = 24 * 60 * 60 * 1000 };

/* A block with users: authorization, or an account. */
struct block {
	struct auth *auth;
	const char *account; /* NULL: AUTH_GLOBAL_ACCOUNT */
	struct permit *permit; /* of users without permissions of their own */
	struct config_field users; /* no value: there are none */
	/* Of authorization. */
	struct config_field single;  /* the key of its user or token, for complaints */
	struct auth_user user;       /* the single one */
	int error;                   /* -ENOMEM */
};

/* All that is read. */
struct top {
	struct auth *auth;
	struct config_field no_auth_user; /* no value: there is none */
	bool is_overruled;
	int error;
};

/* One user. */

struct draft {
	struct block *block;
	struct auth_user user;
	bool has_permissions;
};

static void read_user_name(const struct config_field *field, void *to)
{
	((struct draft *)to)->user.name = config_read_text(field);
}

static void read_user_password(const struct config_field *field, void *to)
{
	((struct draft *)to)->user.password = config_read_text(field);
}

static void read_user_nkey(const struct config_field *field, void *to)
{
	((struct draft *)to)->user.nkey = config_read_text(field);
}

static void read_user_permissions(const struct config_field *field, void *to)
{
	struct draft *draft = to;

	permit_unref(draft->user.permit);
	draft->user.permit = config_permit_read(field);
	draft->has_permissions = true;
	if (!draft->user.permit && field->config->complaint_count == 0)
		draft->block->error = -ENOMEM;
}

static void read_connection_type(const struct config_field *field, void *to)
{
	static const struct {
		const char *name;
		enum auth_connection connection;
	} types[] = {
		{"STANDARD", AUTH_STANDARD},   {"WEBSOCKET", AUTH_WEBSOCKET},
		{"LEAFNODE", AUTH_LEAFNODE},   {"LEAFNODE_WS", AUTH_LEAFNODE_WS},
		{"MQTT", AUTH_MQTT},           {"MQTT_WS", AUTH_MQTT_WS},
		{"IN_PROCESS", AUTH_IN_PROCESS},
	};
	const char *text = config_read_text(field);

	for (size_t at = 0; text && at < sizeof(types) / sizeof(types[0]); at++) {
		if (strcasecmp(types[at].name, text) != 0)
			continue;
		((struct draft *)to)->user.connections |= (uint8_t)types[at].connection;
		return;
	}
	if (text)
		CONFIG_COMPLAIN(field, "%s: unknown connection type \"%s\"",
				config_field_name(field), text);
}

static void read_connection_types(const struct config_field *field, void *to)
{
	config_read_items(field, read_connection_type, to);
}

static bool read_id(const struct config_field *field, uint32_t *id)
{
	json_int_t number = json_integer_value(field->value);

	/* The last one is nobody. */
	if (!json_is_integer(field->value) || number < 0 || number >= UINT32_MAX) {
		CONFIG_COMPLAIN(field, "%s: a number from 0 to %" PRIu32 " was expected",
				field->key, UINT32_MAX - 1);
		return false;
	}
	*id = (uint32_t)number;
	return true;
}

static void read_peer_uid(const struct config_field *field, void *to)
{
	struct auth_peer *peer = &((struct draft *)to)->user.peer;

	peer->has_uid = read_id(field, &peer->uid);
}

static void read_peer_gid(const struct config_field *field, void *to)
{
	struct auth_peer *peer = &((struct draft *)to)->user.peer;

	peer->has_gid = read_id(field, &peer->gid);
}

static void read_peer_unit(const struct config_field *field, void *to)
{
	const char *text = config_read_text(field);

	if (text && !strchr(text, '.'))
		CONFIG_COMPLAIN(field, "%s: the whole name of a unit was expected, such as "
				       "\"backup.service\"", field->key);
	((struct draft *)to)->user.peer.unit = text;
}

static const struct config_entry user_entries[] = {
	{{"user", "username"}, read_user_name, NULL},
	{{"password", "pass"}, read_user_password, NULL},
	{{"nkey"}, read_user_nkey, NULL},
	{{"permissions", "permission", "authorization"}, read_user_permissions, NULL},
	{{"allowed_connection_types", "connection_types", "clients"}, read_connection_types, NULL},
	{{"peer_uid"}, read_peer_uid, NULL},
	{{"peer_gid"}, read_peer_gid, NULL},
	{{"peer_unit"}, read_peer_unit, NULL},
	{{"proxy_required"}, NULL, "trusted proxies"},
	{{NULL}, NULL, NULL},
};

static void complain_of_user(const struct config_field *field, const struct auth_user *user,
			     int answer)
{
	const char *name = user->name ? user->name : user->nkey ? user->nkey : "";

	switch (answer) {
	case AUTH_DUPLICATE:
		CONFIG_COMPLAIN(field, "duplicate user \"%s\" detected", name);
		break;
	case AUTH_BAD_NKEY:
		CONFIG_COMPLAIN(field, "not a valid public nkey for a user");
		break;
	case AUTH_BAD_BCRYPT:
		CONFIG_COMPLAIN(field, "user \"%s\": the password begins like a hash of bcrypt's, "
				       "but is none", name);
		break;
	default:
		CONFIG_COMPLAIN(field, "user entry requires a user, an nkey or a peer");
		break;
	}
}

/* Takes the permit. */
static void add_user(const struct config_field *field, struct block *block, struct auth_user *user)
{
	int answer;

	user->account = block->account;
	if (user->nkey && (user->name || user->password)) {
		CONFIG_COMPLAIN(field, "nkey users do not take usernames or passwords");
		permit_unref(user->permit);
		return;
	}
	answer = auth_add_user(block->auth, user);
	if (answer == AUTH_OK)
		return;
	permit_unref(user->permit);
	if (answer < 0)
		block->error = answer;
	else
		complain_of_user(field, user, answer);
}

static void read_user(const struct config_field *field, void *to)
{
	struct block *block = to;
	struct draft draft = {.block = block};
	uint32_t before = field->config->complaint_count;

	config_read_block(field, user_entries, &draft);
	if (!draft.has_permissions)
		draft.user.permit = permit_ref(block->permit);
	/* What has been complained of would be complained of again. */
	if (field->config->complaint_count == before)
		add_user(field, block, &draft.user);
	else
		permit_unref(draft.user.permit);
}

/* Blocks. The users come last: their permissions may stand behind them. */

static void read_users(const struct config_field *field, void *to)
{
	if (json_is_array(field->value))
		((struct block *)to)->users = *field;
	else
		config_complain_of_type(field, "an array [ ... ] of users");
}

static void read_default_permissions(const struct config_field *field, void *to)
{
	struct block *block = to;

	permit_unref(block->permit);
	block->permit = config_permit_read(field);
	if (!block->permit && field->config->complaint_count == 0)
		block->error = -ENOMEM;
}

static void finish_block(struct block *block)
{
	if (block->users.value)
		config_read_items(&block->users, read_user, block);
	permit_unref(block->permit);
}

static void read_single_name(const struct config_field *field, void *to)
{
	((struct block *)to)->single = *field;
	((struct block *)to)->user.name = config_read_text(field);
}

static void read_single_password(const struct config_field *field, void *to)
{
	if (!((struct block *)to)->single.value)
		((struct block *)to)->single = *field;
	((struct block *)to)->user.password = config_read_text(field);
}

static void read_token(const struct config_field *field, void *to)
{
	((struct block *)to)->single = *field;
	((struct block *)to)->user.token = config_read_text(field);
}

static void read_timeout(const struct config_field *field, void *to)
{
	int64_t ms;

	if (!config_read_time(field, &ms) || ms == 0)
		return;
	if (ms < TIMEOUT_LEAST_MS || ms > TIMEOUT_MOST_MS)
		CONFIG_COMPLAIN(field, "%s: a time from 0.001s to 86400s was expected", field->key);
	else
		((struct block *)to)->auth->timeout_ms = (uint32_t)ms;
}

static const struct config_entry authorization_entries[] = {
	{{"user", "username"}, read_single_name, NULL},
	{{"password", "pass"}, read_single_password, NULL},
	{{"token"}, read_token, NULL},
	{{"timeout"}, read_timeout, NULL},
	{{"users"}, read_users, NULL},
	{{"default_permissions", "default_permission", "permissions"}, read_default_permissions,
	 NULL},
	{{"auth_callout", "auth_hook"}, NULL, "authentication callout"},
	{{"proxy_required"}, NULL, "trusted proxies"},
	{{NULL}, NULL, NULL},
};

static bool has_text(const char *text)
{
	return text && *text;
}

/* One user, or one token, and nothing beside it. */
static void add_single(struct block *block, bool is_overruled)
{
	struct auth_user *user = &block->user;
	bool has_users = block->users.value || block->auth->user_count > 0;
	const struct config_field *field = &block->single;

	user->name = has_text(user->name) ? user->name : NULL;
	user->token = has_text(user->token) ? user->token : NULL;
	if (!user->name && !user->token && !has_text(user->password))
		return;
	if (user->token && (user->name || user->password))
		CONFIG_COMPLAIN(field, "cannot have a user/pass and token");
	else if (has_users)
		CONFIG_COMPLAIN(field, "cannot have a single %s and a users array",
				user->token ? "token" : "user/pass");
	else if (!user->name && !user->token)
		CONFIG_COMPLAIN(field, "%s: whose password is it? user is missing", field->key);
	else if (!is_overruled && field->config->complaint_count == 0)
		add_user(field, block, user);
}

static void read_authorization(const struct config_field *field, void *to)
{
	struct top *top = to;
	struct block block = {.auth = top->auth};

	config_read_block(field, authorization_entries, &block);
	add_single(&block, top->is_overruled);
	finish_block(&block);
	top->error = block.error ? block.error : top->error;
}

static const struct config_entry account_entries[] = {
	{{"users"}, read_users, NULL},
	{{"default_permissions", "default_permission"}, read_default_permissions, NULL},
	{{"nkey"}, NULL, "keys of accounts"},
	{{"exports"}, NULL, "exports of accounts"},
	{{"imports"}, NULL, "imports of accounts"},
	{{"mappings", "maps"}, NULL, "subject mapping"},
	{{"limits"}, NULL, "limits of accounts"},
	{{"jetstream"}, NULL, "JetStream"},
	{{"msg_trace", "trace_dest"}, NULL, "tracing of messages"},
	{{"cluster_traffic"}, NULL, "clustering"},
	{{NULL}, NULL, NULL},
};

/* False: it has been complained. */
static bool add_account(const struct config_field *field, struct top *top, const char *name)
{
	int answer;

	if (strcmp(name, "$SYS") == 0) {
		CONFIG_COMPLAIN(field, "%s: minats has no system account", name);
		return false;
	}
	answer = *name ? auth_add_account(top->auth, slice_of(name)) : AUTH_RESERVED;
	if (answer == AUTH_RESERVED)
		CONFIG_COMPLAIN(field, "\"%s\" is a reserved account", name);
	else if (answer == AUTH_DUPLICATE)
		CONFIG_COMPLAIN(field, "duplicate account \"%s\"", name);
	else if (answer < 0)
		top->error = answer;
	return answer == AUTH_OK;
}

static void read_account(const struct config_field *field, struct top *top)
{
	struct block block = {.auth = top->auth, .account = field->key};

	if (!add_account(field, top, field->key))
		return;
	config_read_block(field, account_entries, &block);
	finish_block(&block);
	top->error = block.error ? block.error : top->error;
}

static void read_account_name(const struct config_field *field, void *to)
{
	const char *name = config_read_text(field);

	if (name)
		(void)add_account(field, to, name);
}

static void read_accounts(const struct config_field *field, void *to)
{
	struct config_field inner = {.config = field->config, .in = field->value};
	union {
		const json_t *given;
		json_t *walked;
	} map = {field->value};
	json_t *value;

	if (json_is_array(field->value)) {
		config_read_items(field, read_account_name, to);
		return;
	}
	if (!json_is_object(field->value)) {
		config_complain_of_type(field, "a map { ... } of accounts, or an array of names");
		return;
	}
	json_object_foreach(map.walked, inner.key, value) {
		inner.value = value;
		/* Others that a variable refers to are no accounts. */
		if (json_is_object(value) ||
		    !config_is_variable(field->config, field->value, inner.key))
			read_account(&inner, to);
	}
}

static void read_no_auth_user(const struct config_field *field, void *to)
{
	if (config_read_text(field))
		((struct top *)to)->no_auth_user = *field;
}

static void set_no_auth_user(const struct top *top)
{
	const struct config_field *field = &top->no_auth_user;
	const char *name = json_string_value(field->value);

	if (name && auth_set_no_auth_user(top->auth, slice_of(name)) != AUTH_OK)
		CONFIG_COMPLAIN(field, "no_auth_user: \"%s\" not present as user or nkey in "
				       "authorization block or account configuration", name);
}

/* The top. Accounts come first: a single user must not stand beside theirs. */

static const struct config_entry entries[] = {
	{{"accounts"}, read_accounts, NULL},
	{{"authorization"}, read_authorization, NULL},
	{{"no_auth_user"}, read_no_auth_user, NULL},
};

enum { ENTRIES = sizeof(entries) / sizeof(entries[0]) };

bool config_auth_reads(const char *key)
{
	for (size_t at = 0; at < ENTRIES; at++)
		if (strcasecmp(entries[at].names[0], key) == 0)
			return true;
	return false;
}

static void read_entry(struct config *config, const struct config_entry *entry, struct top *top)
{
	struct config_field field = {.config = config, .in = config->root};
	json_t *value;

	json_object_foreach(config->root, field.key, value) {
		field.value = value;
		if (strcasecmp(entry->names[0], field.key) == 0)
			entry->read(&field, top);
	}
}

int config_auth_read(struct config *config, struct auth *auth, bool is_overruled)
{
	struct top top = {.auth = auth, .is_overruled = is_overruled};

	for (size_t at = 0; at < ENTRIES; at++)
		read_entry(config, &entries[at], &top);
	if (config->complaint_count == 0)
		set_no_auth_user(&top);
	return top.error;
}
