/* SPDX-License-Identifier: MIT */
#include "server/config_options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "os/address.h"
#include "server/config_auth.h"
#include "server/config_block.h"
#include "server/options.h"

enum { KEY_NAMES_MAX = 2 };

/* Every key that is an option as well; a new one is a row here and a line in minats.conf(5). */
static const struct key {
	const char *names[KEY_NAMES_MAX];
	const char *option;
	bool reloads;
} keys[] = {
	{{"host", "net"}, "addr", false},
	{{"port"}, "port", false},
	{{"listen"}, "listen", false},
	{{"server_name"}, "name", false},
	{{"client_advertise"}, "client_advertise", true},
	{{"pid_file", "pidfile"}, "pid", true},
	{{"ports_file_dir"}, "ports_file_dir", true},
	{{"log_file", "logfile"}, "log", true},
	{{"syslog"}, "syslog", true},
	{{"logtime"}, "logtime", true},
	{{"logtime_utc"}, "logtime_utc", true},
	{{"debug"}, "debug", true},
	{{"trace"}, "trace", true},
	{{"max_traced_msg_len"}, "max_traced_msg_len", true},
	{{"max_payload"}, "max_payload", true},
	{{"max_control_line"}, "max_control_line", true},
	{{"max_connections", "max_conn"}, "max_connections", true},
	{{"max_connections_per_address"}, "max_connections_per_address", true},
	{{"max_connections_per_uid"}, "max_connections_per_uid", true},
	{{"connection_rate"}, "connection_rate", true},
	{{"max_unauthenticated"}, "max_unauthenticated", true},
	{{"max_unauthenticated_per_address"}, "max_unauthenticated_per_address", true},
	{{"max_subscriptions", "max_subs"}, "max_subscriptions", true},
	{{"max_subscription_tokens", "max_sub_tokens"}, "max_subscription_tokens", true},
	{{"max_pending"}, "max_pending", true},
	{{"max_memory"}, "max_memory", true},
	{{"write_deadline"}, "write_deadline", true},
	{{"ping_interval"}, "ping_interval", true},
	{{"ping_max"}, "ping_max", true},
	{{"lame_duck_duration"}, "lame_duck_duration", true},
	{{"lame_duck_grace_period"}, "lame_duck_grace_period", true},
	{{"exit_idle_time"}, "exit-idle-time", true},
	{{"no_header_support"}, "no_header_support", false},
};

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* What nats-server has and minats has not. To say that it is off is no request for it. */
static const struct missing {
	const char *name;
	const char *feature;
	bool off; /* which of true and false says so */
} missing[] = {
	{"auth_callout", "authentication callout", false},
	{"default_sentinel", "operator mode", false},
	{"operator", "operator mode", false},
	{"operators", "operator mode", false},
	{"root", "operator mode", false},
	{"roots", "operator mode", false},
	{"trusted", "operator mode", false},
	{"trusted_keys", "operator mode", false},
	{"trusted_operators", "operator mode", false},
	{"resolver", "operator mode", false},
	{"resolvers", "operator mode", false},
	{"account_resolver", "operator mode", false},
	{"account_resolvers", "operator mode", false},
	{"resolver_tls", "operator mode", false},
	{"resolver_preload", "operator mode", false},
	{"resolver_pinned_accounts", "operator mode", false},
	{"system_account", "system account", false},
	{"system", "system account", false},
	{"no_system_account", "system account", true},
	{"no_system", "system account", true},
	{"no_sys_acc", "system account", true},
	{"mappings", "subject mapping", false},
	{"maps", "subject mapping", false},
	{"tls", "TLS", false},
	{"allow_non_tls", "TLS", false},
	{"ocsp", "TLS", false},
	{"ocsp_cache", "TLS", false},
	{"proxies", "trusted proxies", false},
	{"proxy_protocol", "PROXY protocol", false},
	{"http", "monitoring", false},
	{"http_port", "monitoring", false},
	{"monitor_port", "monitoring", false},
	{"http_base_path", "monitoring", false},
	{"https", "monitoring", false},
	{"https_port", "monitoring", false},
	{"max_closed_clients", "monitoring, and remembers no closed clients", false},
	{"server_tags", "tags of servers", false},
	{"server_metadata", "metadata of servers", false},
	{"websocket", "WebSocket", false},
	{"ws", "WebSocket", false},
	{"mqtt", "MQTT", false},
	{"leafnodes", "leaf nodes", false},
	{"leaf", "leaf nodes", false},
	{"connect_error_reports", "connections to other servers", false},
	{"reconnect_error_reports", "connections to other servers", false},
	{"cluster", "clustering", false},
	{"gateway", "gateways", false},
	{"jetstream", "JetStream", false},
	{"store_dir", "JetStream", false},
	{"storage_dir", "JetStream", false},
	{"default_js_domain", "JetStream", false},
	{"write_timeout", "choice of what the end of write_deadline does: it closes", false},
	{"no_fast_producer_stall", "choice of what a full receiver does: its publishers wait", false},
	{"disable_sublist_cache", "cache of subscriptions to be without", false},
	{"no_sublist_cache", "cache of subscriptions to be without", false},
	{"trace_headers", "trace of headers alone", false},
	{"remote_syslog", "logging to a remote syslog", false},
	{"log_size_limit", "rotation of its own (rename the file and send SIGUSR1)", false},
	{"logfile_size_limit", "rotation of its own (rename the file and send SIGUSR1)", false},
	{"log_max_num", "rotation of its own (rename the file and send SIGUSR1)", false},
	{"logfile_max_num", "rotation of its own (rename the file and send SIGUSR1)", false},
	{"prof_port", "profiling port", false},
	{"prof_block_rate", "profiling port", false},
	{"feature_flags", "feature flags", false},
	{"lame_duck_time", "lame_duck_time: it is called lame_duck_duration", false},
};

static const struct key *find_key(const char *name)
{
	for (size_t row = 0; row < KEYS; row++)
		for (size_t at = 0; at < KEY_NAMES_MAX && keys[row].names[at]; at++)
			if (strcasecmp(keys[row].names[at], name) == 0)
				return &keys[row];
	return NULL;
}

static const struct missing *find_missing(const char *name)
{
	for (size_t row = 0; row < sizeof(missing) / sizeof(missing[0]); row++)
		if (strcasecmp(missing[row].name, name) == 0)
			return &missing[row];
	return NULL;
}

/* One key. */

/* An empty one is as good as none. */
static void read_text(const struct config_field *field, struct options *options,
		      const struct options_row *row)
{
	const char *text = json_string_value(field->value);
	const char **to = (const char **)(void *)((char *)options + row->at);

	if (text)
		*to = *text ? config_keep(field->config, text) : NULL;
	else
		config_complain_of_type(field, "a text");
}

/* As with nats-server 0 is the default, and below 0 there is no limit, where there may be none. */
static int64_t number_of(const struct config_field *field, const struct options *options,
			 const struct options_row *row)
{
	int64_t number = json_integer_value(field->value);
	bool is_default = number == 0 && row->least > 0 && row != options_find("max_connections");

	if (is_default)
		return *(const int64_t *)(const void *)((const char *)options + row->at);
	return number < 0 && row->least == 0 ? 0 : number;
}

static void read_number(const struct config_field *field, struct options *options,
			const struct options_row *row)
{
	char range[64];

	if (!json_is_integer(field->value))
		config_complain_of_type(field, row->kind == OPTIONS_SIZE
						 ? "a size such as 4096, 64k or 1MB"
						 : "a number");
	else if (!options_set_number(options, row, number_of(field, options, row), range))
		CONFIG_COMPLAIN(field, "%s: a number from %s was expected, not %" JSON_INTEGER_FORMAT,
			 field->key, range, json_integer_value(field->value));
}

/* Plain numbers are seconds. One such as 2m is two million. */
static void read_duration(const struct config_field *field, struct options *options,
			  const struct options_row *row)
{
	const char *text = json_string_value(field->value);
	int64_t number = json_integer_value(field->value);
	int64_t ms;
	char range[64];

	if (!text && !json_is_integer(field->value)) {
		config_complain_of_type(field, "a time such as \"2m\", 30s or 500ms");
		return;
	}
	if (text && !options_read_duration(text, &ms)) {
		CONFIG_COMPLAIN(field, "%s: a time such as \"2m\", 30s or 500ms was expected, not \"%s\"",
			 field->key, text);
		return;
	}
	if (!text && __builtin_mul_overflow(number, INT64_C(1000), &ms))
		ms = INT64_MAX;
	if (options_set_number(options, row, ms, range))
		return;
	if (text)
		CONFIG_COMPLAIN(field, "%s: a time from %s was expected, not \"%s\"", field->key, range,
			 text);
	else
		CONFIG_COMPLAIN(field,
			 "%s: a time from %s was expected, not %" PRId64 " seconds (m and k make "
			 "millions and thousands; minutes stand in quotes: \"2m\")", field->key,
			 range, number);
}

/* As an option it is a text, whatever it was. NULL: it has been complained of. */
static const char *where_of(const struct config_field *field, const json_t *value)
{
	char host[ADDRESS_TEXT] = "", text[24];
	int port = 0;

	if (json_is_integer(value)) {
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		if (address_split(text, host, &port) && !*host)
			return config_keep(field->config, text);
	} else if (json_is_string(value) &&
		   (strncmp(json_string_value(value), "unix:", 5) == 0 ||
		    address_split(json_string_value(value), host, &port))) {
		return config_keep(field->config, json_string_value(value));
	}
	CONFIG_COMPLAIN(field, "%s: HOST:PORT, PORT or unix:PATH was expected", field->key);
	return NULL;
}

static void add_listener(const struct config_field *field, struct options *options,
			 const json_t *value)
{
	const char *where = where_of(field, value);

	if (where && options->listen_count == OPTIONS_LISTEN_MAX)
		CONFIG_COMPLAIN(field, "%s: more than %d addresses", field->key, OPTIONS_LISTEN_MAX);
	else if (where)
		options->listen[options->listen_count++] = where;
}

/* A single address is host and port, which options may replace one by one. */
static void read_listen(const struct config_field *field, struct options *options)
{
	char host[ADDRESS_TEXT] = "";
	const json_t *item;
	const char *where;
	size_t index;
	int port = 0;

	options->host = NULL;
	options->port = 0;
	options->listen_count = 0;
	json_array_foreach(field->value, index, item)
		add_listener(field, options, item);
	if (json_is_array(field->value))
		return;
	where = where_of(field, field->value);
	if (where && strncmp(where, "unix:", 5) == 0) {
		options->listen[options->listen_count++] = where;
	} else if (where && address_split(where, host, &port)) {
		options->host = *host ? config_keep(field->config, host) : NULL;
		options->port = port;
	}
}

static void read_option(const struct config_field *field, struct options *options, const char *name)
{
	const struct options_row *row = options_find(name);

	switch (row->kind) {
	case OPTIONS_TEXT:
		read_text(field, options, row);
		break;
	case OPTIONS_LISTEN:
		read_listen(field, options);
		break;
	case OPTIONS_FLAG:
		if (json_is_boolean(field->value))
			*(bool *)((char *)options + row->at) = json_is_true(field->value);
		else
			config_complain_of_type(field, "true or false");
		break;
	case OPTIONS_DURATION:
		read_duration(field, options, row);
		break;
	default:
		read_number(field, options, row);
		break;
	}
}

static void read_trace_verbose(const struct config_field *field, struct options *options)
{
	if (!json_is_boolean(field->value))
		config_complain_of_type(field, "true or false");
	else if (json_is_true(field->value))
		options->trace = true;
}

static void complain_of_key(const struct config_field *field)
{
	const struct missing *row = find_missing(field->key);

	if (row && !(json_is_boolean(field->value) && json_is_true(field->value) == row->off))
		CONFIG_COMPLAIN(field, "%s: minats has no %s", field->key, row->feature);
	else if (!row && !config_is_variable(field->config, field->config->root, field->key))
		CONFIG_COMPLAIN(field, "unknown field \"%s\"", field->key);
}

static void read_member(const struct config_field *field, struct options *options)
{
	const struct key *key = find_key(field->key);

	if (key)
		read_option(field, options, key->option);
	else if (strcasecmp(field->key, "trace_verbose") == 0)
		read_trace_verbose(field, options);
	else if (!config_auth_reads(field->key))
		complain_of_key(field);
}

void config_options_read(struct config *config, struct options *options)
{
	struct config_field field = {.config = config, .in = config->root};
	json_t *value;

	json_object_foreach(config->root, field.key, value) {
		field.value = value;
		read_member(&field, options);
	}
	if (options->listen_count > 0 && (options->host || options->port)) {
		field.key = "listen";
		CONFIG_COMPLAIN(&field, "listen: with several addresses there is no host and port "
					"beside it");
	}
	options->address_is_filed = options_given_address(options);
}

/* What may change. */

static void print_listen(const struct options *options, char text[256])
{
	size_t length = 0;

	text[0] = '\0';
	for (uint32_t at = 0; at < options->listen_count && length < 255; at++)
		length += (size_t)snprintf(text + length, 256 - length, "%s%s", at ? " " : "",
					   options->listen[at]);
}

static void print_value(const struct options *options, const struct options_row *row,
			char text[256])
{
	const void *at = (const char *)options + row->at;

	switch (row->kind) {
	case OPTIONS_TEXT:
		snprintf(text, 256, "%s", *(const char *const *)at ? *(const char *const *)at : "");
		break;
	case OPTIONS_LISTEN:
		print_listen(options, text);
		break;
	case OPTIONS_FLAG:
		snprintf(text, 256, "%s", *(const bool *)at ? "true" : "false");
		break;
	default:
		snprintf(text, 256, "%" PRId64, *(const int64_t *)at);
		break;
	}
}

bool config_options_may_change(const struct options *from, const struct options *to,
			       struct buf *why)
{
	for (size_t row = 0; row < KEYS; row++) {
		const struct options_row *option = options_find(keys[row].option);
		char before[256], after[256];

		if (keys[row].reloads)
			continue;
		print_value(from, option, before);
		print_value(to, option, after);
		if (strcmp(before, after) == 0)
			continue;
		(void)buf_printf(why, "config reload not supported for %s: old=%s, new=%s (a "
				      "restart takes it)", keys[row].names[0], before, after);
		return false;
	}
	return true;
}
