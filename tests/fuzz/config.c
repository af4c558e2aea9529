/* SPDX-License-Identifier: MIT */
/*
 * Configuration files on any bytes: their grammar, their keys, and the settings that become of them
 * together with a command line.
 *
 * An input is one file; whatever it includes is the same bytes, from the first form feed on, and so
 * is the only variable of the environment, E. Behind a vertical tab stand words of the command
 * line, with another one between them.
 *
 * What is not taken is complained of; what is taken holds what it promises, and is the same when it
 * is read again.
 */
#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/auth.h"
#include "server/config_auth.h"
#include "server/config_file.h"
#include "server/config_options.h"
#include "server/config_parse.h"
#include "server/options.h"
#include "server/settings.h"
#include "fuzz.h"

enum { WORDS = 16 };

/* A reader must come first in it. */
struct world {
	struct config_reader reader;
	char *first;
	char *second;
};

static int read_file(const struct config_reader *reader, const char *path, struct buf *text,
		     struct buf *why)
{
	const struct world *world = (const struct world *)(const void *)reader;

	require(*path != '\0', "a file has a name");
	if (strcmp(path, "none") == 0)
		return buf_append(why, SLICE("no such file")) < 0 ? -ENOMEM : 1;
	return buf_append(text, slice_of(strcmp(path, "first") == 0 ? world->first
								    : world->second));
}

static int read_variable(const struct config_reader *reader, const char *name, struct buf *text)
{
	const struct world *world = (const struct world *)(const void *)reader;

	return strcmp(name, "E") == 0 ? buf_append(text, slice_of(world->second)) : -ENOENT;
}

/* Instead of server/config_file.c. A name may come from the command line: it is any. */

static struct world *the_world;

const struct config_reader config_file_reader = {read_file, read_variable};

bool config_file_is_absent(const char *name)
{
	return strcmp(name, "-none") == 0;
}

int config_file_read(struct config *config, const char *name, struct buf *why)
{
	require(config_init(config) == 0, "there is memory");
	if (config_file_is_absent(name))
		return 0;
	if (*config_file_path(name) == '\0') {
		require(buf_append(why, SLICE("no name")) == 0, "there is memory");
		return 1;
	}
	return config_parse(config, &the_world->reader, config_file_path(name), why);
}

/* All places are known, and all values whole, however they came there. */
static void check_tree(struct config *config)
{
	for (size_t at = 0; at < config->mark_count; at++) {
		const struct config_mark *mark = &config->marks[at];
		char place[CONFIG_PLACE_TEXT];

		require(mark->file < json_array_size(config->files), "a mark has a file");
		require(mark->line > 0 && mark->column > 0, "lines and columns begin with 1");
		require(mark->depth <= CONFIG_DEPTH_MAX, "nothing is deeper than it may be");
		require(mark->key ? json_object_get(mark->in, mark->key) != NULL
				  : json_array_get(mark->in, mark->index) != NULL,
			"a mark has a value");
		if (at > 64)
			continue;
		config_place(config, mark->in, mark->key, mark->index, place);
		require(strchr(place, ':') != NULL, "a place has a line");
		config_complain(config, mark->in, mark->key, mark->index, "it is %s", "here");
	}
}

/* What is made of it is whole, or there are complaints. */
static void read_tree(struct config *config)
{
	uint32_t before = config->complaint_count;
	struct options options;
	struct auth *auth = auth_new(4711);

	require(auth != NULL, "there is memory");
	options_init(&options);
	config_options_read(config, &options);
	require(config_auth_read(config, auth, false) == 0, "there is memory");
	require(config->complaint_count > before || options.max_payload > 0, "numbers are in range");
	require(options.listen_count <= OPTIONS_LISTEN_MAX, "there are not too many addresses");
	for (uint32_t at = 0; at < auth->user_count; at++)
		require(auth->users[at]->id != NULL, "a user has an id");
	auth_free(auth);
}

/* What the rest of the daemon relies on. */
static void check_options(const struct options *options)
{
	require(options->port >= -1 && options->port <= 65535, "a port is one");
	require(!options->host || *options->host, "a host has a name");
	require(options->listen_count <= OPTIONS_LISTEN_MAX, "there are not too many addresses");
	require(options->max_payload > 0 && options->max_payload <= options->max_pending,
		"a message fits into what may be pending");
	require(options->max_control_line > 0 && options->max_connections >= 0,
		"limits are in range");
	require(options->lame_duck_grace_ms < options->lame_duck_duration_ms,
		"grace is shorter than all of it");
	require(!options->user == !options->password, "a user has a password");
	require(!options->inetd || !options_given_address(options),
		"inetd's socket is the only one");
}

static void check_auth(const struct auth *auth)
{
	require(auth->account_count >= 1, "there is an account");
	require(auth->user_count == 0 || auth->is_required, "users are asked for");
	for (uint32_t at = 0; at < auth->user_count; at++) {
		const struct auth_user *user = auth->users[at];
		bool has_account = false;

		require(auth_find_id(auth, slice_of(user->id)) == user, "an id is one user's");
		for (uint32_t account = 0; account < auth->account_count; account++)
			has_account |= strcmp(auth->accounts[account], user->account) == 0;
		require(has_account, "a user's account is there");
	}
}

static bool read_settings(struct settings *settings, int argc, char *argv[])
{
	struct buf why = {0};
	int answer = settings_read(settings, argc, argv, &why);

	require(answer == 0 || answer == 1, "they are good, or they are not");
	require((why.length > 0) == (answer == 1), "it is said why");
	buf_fini(&why);
	return answer == 0 && settings->auth;
}

static void check_settings(int argc, char *argv[])
{
	struct settings settings, again;
	struct buf why = {0};
	bool good = read_settings(&settings, argc, argv);

	require(read_settings(&again, argc, argv) == good, "they are as good as before");
	if (good) {
		check_options(&settings.options);
		check_auth(settings.auth);
		require(config_options_may_change(&settings.options, &again.options, &why),
			"what is the same may be reloaded");
		require(settings.auth->user_count == again.auth->user_count &&
				settings.auth->account_count == again.auth->account_count,
			"there are as many users as before");
	}
	settings_fini(&again);
	settings_fini(&settings);
}

/* Cuts the words off what is a file otherwise. */
static int split_words(char *text, char *argv[WORDS + 1])
{
	static char name[] = "minats", config[] = "-c", file[] = "first";
	int argc = 0;
	char *at = strchr(text, '\v');

	argv[argc++] = name;
	argv[argc++] = config;
	argv[argc++] = file;
	while (at && argc < WORDS) {
		*at++ = '\0';
		argv[argc++] = at;
		at = strchr(at, '\v');
	}
	argv[argc] = NULL;
	return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = {{read_file, read_variable}, NULL, NULL};
	struct config config;
	struct buf why = {0};
	char *argv[WORDS + 1];
	int argc, error;

	world.first = strndup((const char *)data, size);
	argc = split_words(world.first, argv);
	world.second = strdup(strchr(world.first, '\f') ? strchr(world.first, '\f') : "x: 1");
	require(config_init(&config) == 0, "there is memory");
	error = config_parse(&config, &world.reader, "first", &why);
	require(error == 0 || error == 1, "it is good, or it is not");
	require((why.length > 0) == (error == 1), "it says why");
	if (error == 0) {
		check_tree(&config);
		read_tree(&config);
	}
	config_fini(&config);
	buf_fini(&why);
	the_world = &world;
	check_settings(argc, argv);
	free(world.first);
	free(world.second);
	return 0;
}
