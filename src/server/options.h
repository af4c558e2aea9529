/* SPDX-License-Identifier: MIT */
/*
 * All settings as one plain struct, and the command line that they may come from (PROTOCOL 9.1).
 *
 * Options are nats-server's where it has the same one, with one dash or two, as "-p 4222" or
 * "-p=4222". Limits and intervals that nats-server takes from its configuration file only are
 * options here, under the same names. What belongs to a feature that is not there is refused.
 * server/settings puts a configuration file beneath them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct auth;

enum { OPTIONS_LISTEN_MAX = 32, OPTIONS_DEFAULT_PORT = 4222 };

enum options_action {
	OPTIONS_RUN,
	OPTIONS_SHOW_VERSION,
	OPTIONS_SHOW_HELP,
	OPTIONS_SEND_SIGNAL,
	OPTIONS_CHECK,
};

enum options_kind {
	OPTIONS_TEXT,
	OPTIONS_SECRET,   /* a text that is hidden from other processes */
	OPTIONS_LISTEN,   /* a text, any number of times */
	OPTIONS_NUMBER,
	OPTIONS_SIZE,     /* a number that may end in k, MB, GiB, … */
	OPTIONS_DURATION, /* 2m, 1h30m, 500ms; a plain number is seconds */
	OPTIONS_FLAG,
	OPTIONS_DEBUG_TRACE,
	OPTIONS_VERSION,
	OPTIONS_HELP,
	OPTIONS_CHECK_ONLY,
	OPTIONS_SIGNAL,
	OPTIONS_MISSING,  /* `help` says which feature is not there */
};

enum { OPTIONS_NAMES_MAX = 3 };

/* Every option is one; a new one is a row in options.c and a line in minats(8). */
struct options_row {
	const char *names[OPTIONS_NAMES_MAX];
	enum options_kind kind;
	size_t at;           /* its field in struct options */
	int64_t least, most;
	const char *value;   /* how the help calls it */
	const char *help;
};

/* The texts point into argv, or are kept by the configuration. */
struct options {
	enum options_action action;
	int argc;
	char *const *argv; /* as main() got it */
	const char *config; /* the file; with a "-" before it, it may be absent */
	const char *host; /* NULL: not given */
	int64_t port;     /* -1: any free one; 0: not given */
	const char *listen[OPTIONS_LISTEN_MAX];
	uint32_t listen_count;
	bool address_is_filed; /* these stand in the configuration file */
	bool inetd;
	const char *name;
	const char *client_advertise;
	const char *pid_file;
	const char *ports_file_dir;
	const char *log_file;
	const char *signal;
	const char *user;
	const char *password;
	const char *token;
	bool debug;
	bool trace;
	bool syslog;
	bool logtime;
	bool logtime_utc;
	bool no_header_support;
	int64_t max_payload;
	int64_t max_control_line;
	int64_t max_connections;
	int64_t max_connections_per_address; /* 0: no limit, here and below */
	int64_t max_connections_per_uid;
	int64_t connection_rate;             /* a second and address; -1: not given */
	int64_t max_unauthenticated;
	int64_t max_unauthenticated_per_address;
	int64_t max_subscriptions;
	int64_t max_subscription_tokens;
	int64_t max_pending;
	int64_t max_memory; /* 0: no limit; -1: not given */
	int64_t max_traced_msg_len; /* 0: no limit */
	int64_t ping_interval_ms;
	int64_t ping_max;
	int64_t write_deadline_ms;
	int64_t lame_duck_duration_ms;
	int64_t lame_duck_grace_ms;
	int64_t exit_idle_ms; /* 0: never */
};

/*
 * The command line alone. 0, or 1 with `why`: the option, the value, and what was expected. What
 * depends on more than one option is not looked at where there is a configuration file as well.
 */
int options_read(struct options *options, int argc, char *const argv[], char why[512]);

/* Its steps: what holds where nothing is given; the words; what no option alone can tell. */
void options_init(struct options *options);
int options_take(struct options *options, int argc, char *const argv[], char why[512]);
int options_check(const struct options *options, char why[512]);

/* NULL: there is no option of that name. */
const struct options_row *options_find(const char *name);

/* Numbers, sizes and times: within what the row allows? Else `range` says what that is. */
bool options_set_number(struct options *options, const struct options_row *row, int64_t number,
			char range[64]);

/* As "1h30m"; a plain number is seconds. */
bool options_read_duration(const char *text, int64_t *ms);

/*
 * Before options_read(): secrets among the arguments are moved to where no other process sees them
 * (os/secret.h).
 */
void options_hide_secrets(int argc, char *argv[]);

/* The user of --user or --auth, if any. AUTH_OK or what auth_add_user() answers. */
int options_add_user(const struct options *options, struct auth *auth);

/* Prints the usage to standard output. */
void options_show_help(void);

/* Which of the options or keys that choose an address were given, as one text; NULL: none. */
const char *options_given_address(const struct options *options);
