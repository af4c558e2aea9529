/* SPDX-License-Identifier: MIT */
/*
 * The command line as one plain struct (PROTOCOL 9.1).
 *
 * Options are nats-server's where it has the same one, with one dash or two, as "-p 4222" or
 * "-p=4222". Limits and intervals that nats-server takes from its configuration file only are
 * options here, under the same names. What belongs to a feature that is not there is refused.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct auth;

enum { OPTIONS_LISTEN_MAX = 32, OPTIONS_DEFAULT_PORT = 4222 };

enum options_action {
	OPTIONS_RUN,
	OPTIONS_SHOW_VERSION,
	OPTIONS_SHOW_HELP,
	OPTIONS_SEND_SIGNAL,
};

/* The texts point into argv. */
struct options {
	enum options_action action;
	char *const *argv; /* as main() got it */
	const char *host; /* NULL: not given */
	int64_t port;     /* -1: any free one; 0: not given */
	const char *listen[OPTIONS_LISTEN_MAX];
	uint32_t listen_count;
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
	int64_t max_traced_msg_len; /* 0: no limit */
	int64_t ping_interval_ms;
	int64_t ping_max;
	int64_t write_deadline_ms;
	int64_t lame_duck_duration_ms;
	int64_t lame_duck_grace_ms;
	int64_t exit_idle_ms; /* 0: never */
};

/* 0, or 1 with `why`: the option, the value, and what was expected. */
int options_read(struct options *options, int argc, char *const argv[], char why[512]);

/*
 * Before options_read(): secrets among the arguments are moved to where no other process sees them
 * (os/secret.h).
 */
void options_hide_secrets(int argc, char *argv[]);

/* The user of --user or --auth, if any. AUTH_OK or what auth_add_user() answers. */
int options_add_user(const struct options *options, struct auth *auth);

/* Prints the usage to standard output. */
void options_show_help(void);

/* Which of the options that choose an address were given, as one text; NULL: none. */
const char *options_given_address(const struct options *options);
