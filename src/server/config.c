/* SPDX-License-Identifier: MIT */
#include "server/config.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

int config_init(struct config *config)
{
	*config = (struct config){
		.root = json_object(),
		.files = json_array(),
		.replaced = json_array(),
		.kept = json_array(),
	};
	if (config->root && config->files && config->replaced && config->kept)
		return 0;
	config_fini(config);
	return -ENOMEM;
}

static void wipe(const json_t *value)
{
	/* Ours alone, and never read again. */
	union {
		const char *read;
		char *write;
	} text = {json_string_value(value)};

	if (text.read)
		secret_erase(text.write, json_string_length(value));
}

/* By the marks, which know each place once, while variables may have one value in many places. */
static void wipe_all(const struct config *config)
{
	const json_t *value;
	size_t at;

	for (at = 0; at < config->mark_count; at++) {
		const struct config_mark *mark = &config->marks[at];

		wipe(mark->key ? json_object_get(mark->in, mark->key)
			       : json_array_get(mark->in, mark->index));
	}
	json_array_foreach(config->replaced, at, value)
		wipe(value);
}

void config_drop_tree(struct config *config)
{
	json_t *kept = config->kept;

	wipe_all(config);
	json_decref(config->root);
	json_decref(config->replaced);
	json_decref(config->files);
	config_forget_marks(config);
	free(config->marks);
	buf_fini(&config->complaints);
	*config = (struct config){.kept = kept};
}

void config_fini(struct config *config)
{
	config_drop_tree(config);
	json_decref(config->kept);
	config->kept = NULL;
}

const char *config_keep(struct config *config, const char *text)
{
	json_t *kept = json_string_nocheck(text);

	return json_array_append_new(config->kept, kept) < 0 ? NULL : json_string_value(kept);
}

/* Places. */

static int grow(struct config *config)
{
	size_t capacity = config->mark_capacity ? config->mark_capacity * 2 : 64;
	struct config_mark *marks = realloc(config->marks, capacity * sizeof(*marks));

	if (!marks)
		return -ENOMEM;
	config->marks = marks;
	config->mark_capacity = capacity;
	return 0;
}

int config_add_mark(struct config *config, const struct config_mark *mark)
{
	char *key = mark->key ? strdup(mark->key) : NULL;

	if (mark->key && !key)
		return -ENOMEM;
	if (config->mark_count == config->mark_capacity && grow(config) < 0) {
		free(key);
		return -ENOMEM;
	}
	config->marks[config->mark_count] = *mark;
	config->marks[config->mark_count].number = (uint32_t)config->mark_count;
	config->marks[config->mark_count++].key = key;
	return 0;
}

void config_forget_marks(struct config *config)
{
	while (config->mark_count > 0)
		free(config->marks[--config->mark_count].key);
}

/* -1, 0 or 1. */
#define ORDER(one, other) (((one) > (other)) - ((one) < (other)))

/* Without regard to their numbers. */
static int compare_places(const struct config_mark *one, const json_t *in, const char *key,
			  size_t index)
{
	if (one->in != in)
		return ORDER((uintptr_t)one->in, (uintptr_t)in);
	if (!one->key || !key)
		return one->key ? 1 : key ? -1 : ORDER(one->index, index);
	return strcmp(one->key, key);
}

static int compare(const void *one, const void *other)
{
	const struct config_mark *first = one, *second = other;
	int order = compare_places(first, second->in, second->key, second->index);

	return order ? order : ORDER(first->number, second->number);
}

void config_sort_marks(struct config *config)
{
	if (config->mark_count > 0)
		qsort(config->marks, config->mark_count, sizeof(*config->marks), compare);
}

/* The last of its place, for a key may have come again. */
static const struct config_mark *find(const struct config *config, const json_t *in,
				      const char *key, size_t index)
{
	size_t first = 0, behind = config->mark_count;

	while (first < behind) {
		size_t middle = first + (behind - first) / 2;

		if (compare_places(&config->marks[middle], in, key, index) <= 0)
			first = middle + 1;
		else
			behind = middle;
	}
	if (first == 0 || compare_places(&config->marks[first - 1], in, key, index) != 0)
		return NULL;
	return &config->marks[first - 1];
}

void config_place(const struct config *config, const json_t *in, const char *key, size_t index,
		  char text[CONFIG_PLACE_TEXT])
{
	const struct config_mark *mark = find(config, in, key, index);
	const char *file = json_string_value(json_array_get(config->files, mark ? mark->file : 0));

	if (mark)
		snprintf(text, CONFIG_PLACE_TEXT, "%.400s:%u:%u", file, mark->line, mark->column);
	else
		snprintf(text, CONFIG_PLACE_TEXT, "%.400s", file ? file : "");
}

bool config_is_variable(const struct config *config, const json_t *in, const char *key)
{
	const struct config_mark *mark = find(config, in, key, 0);

	return mark && mark->is_used;
}

void config_complain(struct config *config, const json_t *in, const char *key, size_t index,
		     const char *format, ...)
{
	char place[CONFIG_PLACE_TEXT], text[512];
	va_list arguments;

	if (config->complaint_count++ >= CONFIG_COMPLAINTS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	config_place(config, in, key, index, place);
	(void)buf_printf(&config->complaints, "%s%s: %s", config->complaints.length ? "\n" : "",
			 place, text);
}
