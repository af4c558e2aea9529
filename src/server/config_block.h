/* SPDX-License-Identifier: MIT */
/*
 * Maps in a configuration whose keys are known: a table says who reads each.
 *
 * As everywhere in nats-server's files, keys match in any case; of one that is not in the table it
 * is complained.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/config.h"

/* A value, and where it is. */
struct config_field {
	struct config *config;
	const json_t *in;
	const char *key; /* NULL: it is an item of an array */
	size_t index;
	const json_t *value;
};

enum { CONFIG_ENTRY_NAMES = 4 };

struct config_entry {
	const char *names[CONFIG_ENTRY_NAMES];
	/* Into what the caller of config_read_block() gave; NULL: minats has no such thing. */
	void (*read)(const struct config_field *field, void *to);
	const char *feature; /* which it has not */
};

#define CONFIG_COMPLAIN(field, ...) \
	config_complain((field)->config, (field)->in, (field)->key, (field)->index, __VA_ARGS__)

/* How the field is called in complaints. */
const char *config_field_name(const struct config_field *field);

/* What is there, in words: "a number". */
const char *config_type_of(const json_t *value);

/* "NAME: `wanted` was expected, not a number". */
void config_complain_of_type(const struct config_field *field, const char *wanted);

/* NULL: it is none, and it has been complained. An empty text is one. */
const char *config_read_text(const struct config_field *field);

/* As text or seconds. False: it is none, and it has been complained. */
bool config_read_time(const struct config_field *field, int64_t *ms);

/* Each item, or the only one where it is not an array. */
void config_read_items(const struct config_field *field,
		       void (*read)(const struct config_field *item, void *to), void *to);

/* All of a map. `entries` ends with one without names. */
void config_read_block(const struct config_field *field, const struct config_entry *entries,
		       void *to);
