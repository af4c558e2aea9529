/* SPDX-License-Identifier: MIT */
#include "server/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/auth.h"
#include "os/address.h"
#include "os/secret.h"
#include "proto/utf8.h"

#define AT(member) offsetof(struct options, member)
#define SECOND INT64_C(1000)
#define DAY (24 * 60 * 60 * SECOND)
#define SIZE_LARGEST INT64_C(999999999) /* nine digits, as the protocol has them */

static const struct options_row rows[] = {
	{{"a", "addr", "net"}, OPTIONS_TEXT, AT(host), 0, 0, "HOST", "address to listen on (0.0.0.0)"},
	{{"p", "port"}, OPTIONS_NUMBER, AT(port), -1, 65535, "PORT", "port (4222; -1: any free one)"},
	{{"listen"}, OPTIONS_LISTEN, AT(listen), 0, 0, "WHERE",
	 "HOST:PORT, PORT or unix:PATH; may be given several times"},
	{{"inetd"}, OPTIONS_FLAG, AT(inetd), 0, 0, NULL, "standard input is the listening socket"},
	{{"c", "config"}, OPTIONS_TEXT, AT(config), 0, 0, "FILE",
	 "configuration file; -FILE: it may be absent"},
	{{"t"}, OPTIONS_CHECK_ONLY, 0, 0, 0, NULL, "only check the configuration file"},
	{{"n", "name", "server_name"}, OPTIONS_TEXT, AT(name), 0, 0, "NAME", "server name"},
	{{"client_advertise"}, OPTIONS_TEXT, AT(client_advertise), 0, 0, "HOST[:PORT]",
	 "address that clients are told"},
	{{"P", "pid"}, OPTIONS_TEXT, AT(pid_file), 0, 0, "FILE", "write the process id there"},
	{{"ports_file_dir"}, OPTIONS_TEXT, AT(ports_file_dir), 0, 0, "DIR",
	 "write minats_PID.ports there"},
	{{"l", "log"}, OPTIONS_TEXT, AT(log_file), 0, 0, "FILE", "log to a file (SIGUSR1 reopens it)"},
	{{"s", "syslog"}, OPTIONS_FLAG, AT(syslog), 0, 0, NULL, "log to syslog"},
	{{"T", "logtime"}, OPTIONS_FLAG, AT(logtime), 0, 0, NULL, "time in log lines (true)"},
	{{"logtime_utc"}, OPTIONS_FLAG, AT(logtime_utc), 0, 0, NULL, "that time in UTC"},
	{{"D", "debug"}, OPTIONS_FLAG, AT(debug), 0, 0, NULL, "log connections and timers"},
	{{"V", "trace"}, OPTIONS_FLAG, AT(trace), 0, 0, NULL, "log every protocol line"},
	{{"VV"}, OPTIONS_FLAG, AT(trace), 0, 0, NULL, "the same"},
	{{"DV", "DVV"}, OPTIONS_DEBUG_TRACE, 0, 0, 0, NULL, "both"},
	{{"max_traced_msg_len"}, OPTIONS_SIZE, AT(max_traced_msg_len), 0, SIZE_LARGEST, "BYTES",
	 "cut traced payloads (0: never)"},
	{{"max_payload"}, OPTIONS_SIZE, AT(max_payload), 1, SIZE_LARGEST, "BYTES",
	 "largest message (1MB)"},
	{{"max_control_line"}, OPTIONS_SIZE, AT(max_control_line), 64, 64 << 20, "BYTES",
	 "longest arguments of an operation (4096)"},
	{{"max_connections"}, OPTIONS_NUMBER, AT(max_connections), 1, INT32_MAX, "N",
	 "most clients (65536)"},
	{{"max_connections_per_address"}, OPTIONS_NUMBER, AT(max_connections_per_address), 0,
	 INT32_MAX, "N", "most clients from one address (0: no limit)"},
	{{"max_connections_per_uid"}, OPTIONS_NUMBER, AT(max_connections_per_uid), 0, INT32_MAX, "N",
	 "most clients of one user on Unix sockets (0: no limit)"},
	{{"connection_rate"}, OPTIONS_NUMBER, AT(connection_rate), 0, 1000000, "N",
	 "most new clients a second from one address (1000, but not from this machine)"},
	{{"max_unauthenticated"}, OPTIONS_NUMBER, AT(max_unauthenticated), 0, INT32_MAX, "N",
	 "most clients that have not yet said who they are (4096; 0: no limit)"},
	{{"max_unauthenticated_per_address"}, OPTIONS_NUMBER, AT(max_unauthenticated_per_address), 0,
	 INT32_MAX, "N", "most of them from one address or user (1024; 0: no limit)"},
	{{"max_subscriptions"}, OPTIONS_NUMBER, AT(max_subscriptions), 0, INT32_MAX, "N",
	 "most subscriptions of a client (0: no limit)"},
	{{"max_subscription_tokens", "max_sub_tokens"}, OPTIONS_NUMBER, AT(max_subscription_tokens), 0,
	 255, "N", "most tokens of a subscription's subject (0: no limit)"},
	{{"max_pending"}, OPTIONS_SIZE, AT(max_pending), 1, INT32_MAX, "BYTES",
	 "most bytes waiting for a client (64MB)"},
	{{"max_memory"}, OPTIONS_SIZE, AT(max_memory), 0, INT64_C(1) << 50, "BYTES",
	 "most bytes held by all clients (half of the memory there is; 0: no limit)"},
	{{"write_deadline"}, OPTIONS_DURATION, AT(write_deadline_ms), 1, DAY, "TIME",
	 "how long a client may take to read what waits (10s)"},
	{{"ping_interval"}, OPTIONS_DURATION, AT(ping_interval_ms), 1, DAY, "TIME",
	 "time between PINGs to a silent client (2m)"},
	{{"ping_max"}, OPTIONS_NUMBER, AT(ping_max), 1, INT32_MAX, "N",
	 "unanswered PINGs before it is stale (2)"},
	{{"lame_duck_duration"}, OPTIONS_DURATION, AT(lame_duck_duration_ms), 30 * SECOND, DAY, "TIME",
	 "over how long clients are sent away after SIGUSR2 (2m)"},
	{{"lame_duck_grace_period"}, OPTIONS_DURATION, AT(lame_duck_grace_ms), 0, DAY, "TIME",
	 "how long before the first goes (10s)"},
	{{"exit-idle-time"}, OPTIONS_DURATION, AT(exit_idle_ms), 0, DAY, "TIME",
	 "end after so long without clients (0: never)"},
	{{"no_header_support"}, OPTIONS_FLAG, AT(no_header_support), 0, 0, NULL,
	 "no message headers"},
	{{"user"}, OPTIONS_TEXT, AT(user), 0, 0, "NAME", "the user who may connect"},
	{{"pass"}, OPTIONS_SECRET, AT(password), 0, 0, "PASSWORD", "his password, plain or bcrypt's"},
	{{"auth"}, OPTIONS_SECRET, AT(token), 0, 0, "TOKEN", "the token that who connects has to know"},
	{{"sl", "signal"}, OPTIONS_SIGNAL, AT(signal), 0, 0, "COMMAND[=PID]",
	 "send stop, quit, term, reopen, reload, ldm or upgrade to a running minats"},
	{{"v", "version"}, OPTIONS_VERSION, 0, 0, 0, NULL, "show the version"},
	{{"h", "help"}, OPTIONS_HELP, 0, 0, 0, NULL, "show this"},
	{{"m", "http_port"}, OPTIONS_MISSING, 0, 0, 0, NULL, "monitoring"},
	{{"ms", "https_port"}, OPTIONS_MISSING, 0, 0, 0, NULL, "monitoring"},
	{{"tls", "tlsverify", "help_tls"}, OPTIONS_MISSING, 0, 0, 0, NULL, "TLS"},
	{{"tlscert", "tlskey", "tlscacert"}, OPTIONS_MISSING, 0, 0, 0, NULL, "TLS"},
	{{"js", "jetstream"}, OPTIONS_MISSING, 0, 0, 0, NULL, "JetStream"},
	{{"sd", "store_dir"}, OPTIONS_MISSING, 0, 0, 0, NULL, "JetStream"},
	{{"routes", "cluster", "cluster_listen"}, OPTIONS_MISSING, 0, 0, 0, NULL, "clustering"},
	{{"cluster_name", "cluster_advertise"}, OPTIONS_MISSING, 0, 0, 0, NULL, "clustering"},
	{{"no_advertise", "connect_retries"}, OPTIONS_MISSING, 0, 0, 0, NULL, "clustering"},
	{{"r", "remote_syslog"}, OPTIONS_MISSING, 0, 0, 0, NULL, "logging to a remote syslog"},
	{{"log_size_limit"}, OPTIONS_MISSING, 0, 0, 0, NULL,
	 "rotation of its own (rename the file and send SIGUSR1)"},
	{{"profile"}, OPTIONS_MISSING, 0, 0, 0, NULL, "a profiling port"},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const struct options defaults = {
	.logtime = true,
	.max_payload = 1 << 20,
	.max_control_line = 4096,
	.max_connections = 65536,
	.connection_rate = -1,
	.max_unauthenticated = 4096,
	.max_unauthenticated_per_address = 1024,
	.max_pending = 64 << 20,
	.max_memory = -1,
	.ping_interval_ms = 120 * SECOND,
	.ping_max = 2,
	.write_deadline_ms = 10 * SECOND,
	.lame_duck_duration_ms = 120 * SECOND,
	.lame_duck_grace_ms = 10 * SECOND,
};

__attribute__((format(printf, 2, 3))) static int fail(char why[512], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, 512, format, arguments);
	va_end(arguments);
	return 1;
}

/* Values. */

static bool read_whole_number(const char **text, int64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)**text) && **text != '-')
		return false;
	errno = 0;
	*number = strtoll(*text, &end, 10);
	if (errno || end == *text)
		return false;
	*text = end;
	return true;
}

static bool read_number(const char *text, int64_t *number)
{
	return read_whole_number(&text, number) && !*text;
}

/* k is a thousand, kb, ki and kib are 1024, and so on (PROTOCOL 9.2, integers). */
static bool read_size(const char *text, int64_t *number)
{
	static const char letters[] = "kmgt";
	const char *letter;
	int64_t factor = 1;

	if (!read_whole_number(&text, number))
		return false;
	if (!*text)
		return true;
	letter = strchr(letters, tolower((unsigned char)*text));
	if (!letter)
		return false;
	if (strcasecmp(text + 1, "b") != 0 && strcasecmp(text + 1, "i") != 0 &&
	    strcasecmp(text + 1, "ib") != 0 && text[1])
		return false;
	for (ptrdiff_t power = letter - letters + 1; power > 0; power--)
		factor *= text[1] ? 1024 : 1000;
	return !__builtin_mul_overflow(*number, factor, number);
}

static bool read_unit(const char **text, int64_t *unit_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {{"ms", 1}, {"s", SECOND}, {"m", 60 * SECOND}, {"h", 3600 * SECOND}};

	for (size_t at = 0; at < sizeof(units) / sizeof(units[0]); at++) {
		size_t length = strlen(units[at].name);

		if (strncmp(*text, units[at].name, length) != 0)
			continue;
		*text += length;
		*unit_ms = units[at].ms;
		return true;
	}
	return false;
}

bool options_read_duration(const char *text, int64_t *ms)
{
	int64_t total = 0;
	int64_t value, unit;

	if (!*text)
		return false;
	if (read_number(text, &value))
		return !__builtin_mul_overflow(value, SECOND, ms);
	while (*text) {
		double part;
		char *end;

		if (!isdigit((unsigned char)*text))
			return false;
		part = strtod(text, &end);
		if (end != text + strspn(text, "0123456789."))
			return false;
		text = end;
		if (!read_unit(&text, &unit) || part > 1e9)
			return false;
		if (__builtin_add_overflow(total, (int64_t)(part * (double)unit), &total))
			return false;
	}
	*ms = total;
	return true;
}

static bool read_flag(const char *text, bool *flag)
{
	static const struct {
		const char *text;
		bool value;
	} words[] = {{"true", true},   {"1", true},   {"t", true},
		     {"false", false}, {"0", false}, {"f", false}};

	for (size_t at = 0; at < sizeof(words) / sizeof(words[0]); at++) {
		if (strcasecmp(text, words[at].text) != 0)
			continue;
		*flag = words[at].value;
		return true;
	}
	return false;
}

/* Options. */

static const struct options_row *find_row(const char *name, size_t length)
{
	for (size_t row = 0; row < ROWS; row++)
		for (size_t at = 0; at < OPTIONS_NAMES_MAX && rows[row].names[at]; at++)
			if (strlen(rows[row].names[at]) == length &&
			    strncmp(rows[row].names[at], name, length) == 0)
				return &rows[row];
	return NULL;
}

const struct options_row *options_find(const char *name)
{
	return find_row(name, strlen(name));
}

static bool takes_value(const struct options_row *row)
{
	return row->kind <= OPTIONS_DURATION || row->kind == OPTIONS_SIGNAL;
}

static void print_range(const struct options_row *row, char text[64])
{
	if (row->kind == OPTIONS_DURATION)
		snprintf(text, 64, "%gs to %gs", (double)row->least / SECOND,
			 (double)row->most / SECOND);
	else
		snprintf(text, 64, "%" PRId64 " to %" PRId64, row->least, row->most);
}

bool options_set_number(struct options *options, const struct options_row *row, int64_t number,
			char range[64])
{
	if (number < row->least || number > row->most) {
		print_range(row, range);
		return false;
	}
	*(int64_t *)(void *)((char *)options + row->at) = number;
	return true;
}

static int set_number(struct options *options, const struct options_row *row, const char *option,
		      const char *value, char why[512])
{
	static const char *const expected[] = {
		[OPTIONS_NUMBER] = "a number",
		[OPTIONS_SIZE] = "a size such as 4096, 64k or 1MB",
		[OPTIONS_DURATION] = "a time such as 30s, 2m or 500ms",
	};
	char range[64];
	int64_t number;
	bool good;

	if (row->kind == OPTIONS_NUMBER)
		good = read_number(value, &number);
	else if (row->kind == OPTIONS_SIZE)
		good = read_size(value, &number);
	else
		good = options_read_duration(value, &number);
	if (good && options_set_number(options, row, number, range))
		return 0;
	print_range(row, range);
	return fail(why, "option %s: \"%s\" is not %s from %s", option, value, expected[row->kind],
		    range);
}

static int set_value(struct options *options, const struct options_row *row, const char *option,
		     const char *value, char why[512])
{
	void *to = (char *)options + row->at;

	switch (row->kind) {
	case OPTIONS_TEXT:
	case OPTIONS_SECRET:
	case OPTIONS_SIGNAL:
		if (!*value)
			return fail(why, "option %s: its value is empty", option);
		*(const char **)to = value;
		if (row->kind == OPTIONS_SIGNAL)
			options->action = OPTIONS_SEND_SIGNAL;
		return 0;
	case OPTIONS_LISTEN:
		if (options->listen_count == OPTIONS_LISTEN_MAX)
			return fail(why, "option %s: more than %d addresses", option,
				    OPTIONS_LISTEN_MAX);
		options->listen[options->listen_count++] = value;
		return 0;
	default:
		return set_number(options, row, option, value, why);
	}
}

static int set_flag(struct options *options, const struct options_row *row, const char *option,
		    const char *value, char why[512])
{
	bool flag = true;

	if (value && !read_flag(value, &flag))
		return fail(why, "option %s: \"%s\" is not true or false", option, value);
	if (row->kind == OPTIONS_DEBUG_TRACE)
		options->debug = options->trace = flag;
	else if (row->kind == OPTIONS_VERSION)
		options->action = flag ? OPTIONS_SHOW_VERSION : options->action;
	else if (row->kind == OPTIONS_HELP)
		options->action = flag ? OPTIONS_SHOW_HELP : options->action;
	else if (row->kind == OPTIONS_CHECK_ONLY)
		options->action = flag ? OPTIONS_CHECK : options->action;
	else
		*(bool *)((char *)options + row->at) = flag;
	return 0;
}

/* One option, and its value if that is the next word. */
static int read_option(struct options *options, int argc, char *const argv[], int *at,
		       char why[512])
{
	const char *word = argv[(*at)++];
	const char *name = word + (word[1] == '-' ? 2 : 1);
	size_t length = strcspn(name, "=");
	const char *value = name[length] ? name + length + 1 : NULL;
	const struct options_row *row = find_row(name, length);
	char option[64];

	snprintf(option, sizeof(option), "%.*s", (int)(length + (size_t)(name - word)), word);
	if (!row)
		return fail(why, "unknown option %s (minats -h shows all)", option);
	if (row->kind == OPTIONS_MISSING)
		return fail(why, "option %s: minats has no %s", option,
			    strncmp(row->help, "a ", 2) == 0 ? row->help + 2 : row->help);
	if (!takes_value(row))
		return set_flag(options, row, option, value, why);
	if (!value && *at == argc)
		return fail(why, "option %s needs a value: %s", option, row->value);
	return set_value(options, row, option, value ? value : argv[(*at)++], why);
}

static int read_command(struct options *options, const char *word, char why[512])
{
	if (strcasecmp(word, "version") == 0)
		options->action = OPTIONS_SHOW_VERSION;
	else if (strcasecmp(word, "help") == 0)
		options->action = OPTIONS_SHOW_HELP;
	else
		return fail(why, "unrecognized command: \"%s\"", word);
	return 0;
}

static bool is_utf8(struct slice text)
{
	uint32_t rune;
	size_t length;

	for (; text.length > 0; text = slice_after(text, length)) {
		length = utf8_read(text, &rune);
		if (length == 0)
			return false;
	}
	return true;
}

/* A host that may stand in INFO as it is, and perhaps a port. */
static bool is_address(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:%";
	char host[ADDRESS_TEXT] = "";
	int port = 0;

	return address_split(text, host, &port) && port >= 0 && *host &&
	       strspn(host, letters) == strlen(host);
}

int options_check(const struct options *options, char why[512])
{
	/* With a file as well it may be the one or the other. */
	const char *option = options->config ? "" : "option --";

	if (options->max_payload > options->max_pending)
		return fail(why,
			    "%smax_payload: %" PRId64 " is more than max_pending (%" PRId64 ")",
			    option, options->max_payload, options->max_pending);
	if (options->max_memory > 0 && options->max_payload > options->max_memory)
		return fail(why, "%smax_payload: %" PRId64 " is more than max_memory (%" PRId64 ")",
			    option, options->max_payload, options->max_memory);
	if (options->lame_duck_grace_ms >= options->lame_duck_duration_ms)
		return fail(why, "%slame_duck_grace_period: %gs is not less than "
				 "lame_duck_duration (%gs)", option,
			    (double)options->lame_duck_grace_ms / SECOND,
			    (double)options->lame_duck_duration_ms / SECOND);
	if (options->name && strpbrk(options->name, " \t\r\n"))
		return fail(why, "%sname: \"%s\" has blanks in it", option, options->name);
	if (options->name && !is_utf8(slice_of(options->name)))
		return fail(why, "%sname: \"%s\" is not UTF-8", option, options->name);
	if (options->client_advertise && !is_address(options->client_advertise))
		return fail(why, "%sclient_advertise: \"%s\" is not a host and port", option,
			    options->client_advertise);
	if (options->inetd && options_given_address(options))
		return fail(why, "option %s: with --inetd the socket comes from outside",
			    options_given_address(options));
	if (!options->user != !options->password)
		return fail(why, "option --%s: give --user and --pass together",
			    options->user ? "user" : "pass");
	if (options->user && options->token)
		return fail(why, "option --auth: give it alone, without --user and --pass");
	if (options->listen_count > 0 && (options->host || options->port))
		return fail(why, "option --listen: give it alone, without --addr and --port");
	return 0;
}

void options_init(struct options *options)
{
	*options = defaults;
}

/* The row of an option, and where its value begins in the word; 0: it is the next word. */
static const struct options_row *read_word(const char *word, size_t *value)
{
	const char *name = word + (word[1] == '-' ? 2 : 1);
	size_t length = strcspn(name, "=");

	*value = name[length] ? (size_t)(name + length + 1 - word) : 0;
	return find_row(name, length);
}

void options_hide_secrets(int argc, char *argv[])
{
	for (int at = 1; at < argc; at++) {
		const struct options_row *row = NULL;
		size_t value = 0;

		if (argv[at][0] == '-' && argv[at][1])
			row = read_word(argv[at], &value);
		if (!row || !takes_value(row))
			continue;
		if (value == 0 && ++at == argc)
			break;
		if (row->kind == OPTIONS_SECRET)
			secret_hide_word(&argv[at], value);
	}
}

int options_add_user(const struct options *options, struct auth *auth)
{
	const struct auth_user user = {
		.name = options->user, .password = options->password, .token = options->token};

	return user.name || user.token ? auth_add_user(auth, &user) : AUTH_OK;
}

int options_take(struct options *options, int argc, char *const argv[], char why[512])
{
	int error = 0;
	int at = 1;

	options->argc = argc;
	options->argv = argv;
	while (at < argc && error == 0) {
		if (argv[at][0] == '-' && argv[at][1])
			error = read_option(options, argc, argv, &at, why);
		else
			error = read_command(options, argv[at++], why);
	}
	return error;
}

int options_read(struct options *options, int argc, char *const argv[], char why[512])
{
	options_init(options);
	if (options_take(options, argc, argv, why))
		return 1;
	if (options->action == OPTIONS_CHECK && !options->config)
		return fail(why, "must specify [-c, --config] option to check configuration file "
				 "syntax");
	return options->config ? 0 : options_check(options, why);
}

const char *options_given_address(const struct options *options)
{
	static const char *const names[][4] = {
		{"--listen", "--addr and --port", "--addr", "--port"},
		{"listen", "host and port", "host", "port"},
	};
	const char *const *name = names[options->address_is_filed];

	if (options->listen_count > 0)
		return name[0];
	if (options->host && options->port)
		return name[1];
	return options->host ? name[2] : options->port ? name[3] : NULL;
}

void options_show_help(void)
{
	puts("Usage: minats [options]\n\nA NATS message broker. Options, with one dash or two:\n");
	for (size_t row = 0; row < ROWS; row++) {
		char names[80] = "";
		size_t length = 0;

		if (rows[row].kind == OPTIONS_MISSING)
			continue;
		for (size_t at = 0; at < OPTIONS_NAMES_MAX && rows[row].names[at]; at++)
			length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s%s",
						   at ? ", " : "",
						   rows[row].names[at][1] ? "--" : "-",
						   rows[row].names[at]);
		if (rows[row].value)
			snprintf(names + length, sizeof(names) - length, " %s", rows[row].value);
		printf("  %-38s %s\n", names, rows[row].help);
	}
	puts("\nminats(8) tells more.");
}
