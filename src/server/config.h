/* SPDX-License-Identifier: MIT */
/*
 * A configuration file as one tree of jansson's values, and where each of them stands.
 *
 * config_parse makes it, config_options and those beside it read it. Keys are as they were written;
 * nats-server's match in any case. The places are kept beside the tree, and found by the map or
 * array that a value is in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct json_t;

enum { CONFIG_COMPLAINTS_MAX = 20, CONFIG_PLACE_TEXT = 512 };

/* Where a value of a map, or an item of an array, begins; of a map's it is the key that counts. */
struct config_mark {
	const struct json_t *in;
	char *key;       /* NULL: an item of an array */
	size_t index;    /* of the item */
	uint32_t file;   /* in `files` */
	uint32_t line;   /* from 1 on, as columns */
	uint32_t column; /* in bytes */
	uint32_t depth;  /* how many maps and arrays its value has one in another */
	uint32_t number; /* from 0 on, as they came */
	bool is_used;    /* as a variable */
};

struct config {
	struct json_t *root;     /* a map */
	struct json_t *files;    /* their names */
	struct json_t *replaced; /* values of keys that came again: they go when the tree goes */
	struct json_t *kept;     /* texts that live longer */
	struct config_mark *marks;
	size_t mark_count;
	size_t mark_capacity;
	struct buf complaints;   /* a line for each */
	uint32_t complaint_count;
};

/* 0 or -ENOMEM. */
int config_init(struct config *config);

void config_fini(struct config *config);

/*
 * The tree has been read, and goes: only what config_keep() has kept is still there. Its texts are
 * overwritten, for some were secrets.
 */
void config_drop_tree(struct config *config);

/* A copy that lives as long as `config`. NULL without memory. */
const char *config_keep(struct config *config, const char *text);

/* For config_parse. The mark's key is copied. 0 or -ENOMEM. */
int config_add_mark(struct config *config, const struct config_mark *mark);
void config_forget_marks(struct config *config);

/* There will be no more of them, and they may be looked for. */
void config_sort_marks(struct config *config);

/* "FILE:LINE:COLUMN" of that key; without a key, of the item of that index. */
void config_place(const struct config *config, const struct json_t *in, const char *key,
		  size_t index, char text[CONFIG_PLACE_TEXT]);

/* Is it a key that nobody has to know, since a variable refers to it? */
bool config_is_variable(const struct config *config, const struct json_t *in, const char *key);

/*
 * Something is wrong with that key, or item. All complaints are collected, up to a number, so that
 * they can be mended in one go.
 */
__attribute__((format(printf, 5, 6))) void config_complain(struct config *config,
							   const struct json_t *in, const char *key,
							   size_t index, const char *format, ...);
