/* SPDX-License-Identifier: MIT */
/*
 * The grammar of configuration files on any bytes, and their keys.
 *
 * An input is one file; whatever it includes is the same bytes, from the first form feed on, and so
 * is the only variable of the environment, E.
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
#include "server/config_options.h"
#include "server/config_parse.h"
#include "server/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A reader must come first in it. */
struct world {
	struct config_reader reader;
	char *first;
	char *second;
};

static void require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = {{read_file, read_variable}, NULL, NULL};
	struct config config;
	struct buf why = {0};
	int error;

	world.first = strndup((const char *)data, size);
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
	free(world.first);
	free(world.second);
	return 0;
}
