/* SPDX-License-Identifier: MIT */
#include "server/config_block.h"

#include <strings.h>

#include "server/options.h"

enum { SECONDS_MOST = 1000000000 };

const char *config_field_name(const struct config_field *field)
{
	return field->key ? field->key : "this item";
}

const char *config_type_of(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "a map",     [JSON_ARRAY] = "an array", [JSON_STRING] = "a text",
		[JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
		[JSON_FALSE] = "false",      [JSON_NULL] = "null",
	};

	return names[json_typeof(value)];
}

void config_complain_of_type(const struct config_field *field, const char *wanted)
{
	CONFIG_COMPLAIN(field, "%s: %s was expected, not %s", config_field_name(field), wanted,
			config_type_of(field->value));
}

const char *config_read_text(const struct config_field *field)
{
	if (json_is_integer(field->value) || json_is_real(field->value))
		config_complain_of_type(field, "a text (in quotes)");
	else if (!json_is_string(field->value))
		config_complain_of_type(field, "a text");
	return json_string_value(field->value);
}

bool config_read_time(const struct config_field *field, int64_t *ms)
{
	const char *text = json_string_value(field->value);
	double seconds = json_number_value(field->value);

	if (text && options_read_duration(text, ms))
		return true;
	if (json_is_number(field->value) && seconds >= -SECONDS_MOST && seconds <= SECONDS_MOST) {
		*ms = (int64_t)(seconds * 1000);
		return true;
	}
	config_complain_of_type(field, "a time such as \"2m\", 30s, 500ms or a number of seconds");
	return false;
}

void config_read_items(const struct config_field *field,
		       void (*read)(const struct config_field *item, void *to), void *to)
{
	const json_t *value;
	size_t index;

	if (!json_is_array(field->value)) {
		read(field, to);
		return;
	}
	json_array_foreach(field->value, index, value) {
		struct config_field item = {
			.config = field->config,
			.in = field->value,
			.index = index,
			.value = value,
		};

		read(&item, to);
	}
}

static const struct config_entry *find(const struct config_entry *entries, const char *key)
{
	for (; entries->names[0]; entries++)
		for (size_t at = 0; at < CONFIG_ENTRY_NAMES && entries->names[at]; at++)
			if (strcasecmp(entries->names[at], key) == 0)
				return entries;
	return NULL;
}

static bool is_off(const json_t *value)
{
	return json_is_false(value) || (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

static void read_field(const struct config_field *field, const struct config_entry *entries,
		       void *to)
{
	const struct config_entry *entry = find(entries, field->key);

	if (entry && entry->read)
		entry->read(field, to);
	else if (entry && !is_off(field->value))
		CONFIG_COMPLAIN(field, "%s: minats has no %s", field->key, entry->feature);
	else if (!entry && !config_is_variable(field->config, field->in, field->key))
		CONFIG_COMPLAIN(field, "unknown field \"%s\"", field->key);
}

void config_read_block(const struct config_field *field, const struct config_entry *entries,
		       void *to)
{
	struct config_field inner = {.config = field->config, .in = field->value};
	/* What is walked is not changed, but jansson wants it so. */
	union {
		const json_t *given;
		json_t *walked;
	} map = {field->value};
	json_t *value;

	if (!json_is_object(field->value)) {
		config_complain_of_type(field, "a map { ... }");
		return;
	}
	json_object_foreach(map.walked, inner.key, value) {
		inner.value = value;
		read_field(&inner, entries, to);
	}
}
