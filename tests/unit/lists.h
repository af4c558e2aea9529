/* SPDX-License-Identifier: MIT */
/*
 * A permit as a line of text would say it.
 */
#pragma once

#include "base/slice.h"
#include "broker/permit.h"

enum { LISTS = 4, LISTS_ENTRIES = 8 };

/* Entries are apart by semicolons, NULL is no list. */
struct lists {
	const char *publish_allow;
	const char *publish_deny;
	const char *subscribe_allow;
	const char *subscribe_deny;
	bool allow_responses;
	int64_t max_responses;
	int64_t response_expiry_ms;
};

static inline struct slice next_entry(struct slice *rest)
{
	const char *end = memchr(rest->bytes, ';', rest->length);
	struct slice entry = {rest->bytes, end ? (size_t)(end - rest->bytes) : rest->length};

	*rest = slice_after(*rest, entry.length + (end ? 1 : 0));
	return entry;
}

static inline struct permit_list read_list(const char *text, struct slice entries[LISTS_ENTRIES])
{
	struct slice rest = slice_of(text ? text : "");
	struct permit_list list = {entries, 0};

	while (rest.length > 0)
		entries[list.count++] = next_entry(&rest);
	return list;
}

static inline struct permit *make_permit(const struct lists *lists)
{
	struct slice entries[LISTS][LISTS_ENTRIES];
	struct permit_rules rules = {
		.publish_allow = read_list(lists->publish_allow, entries[0]),
		.publish_deny = read_list(lists->publish_deny, entries[1]),
		.subscribe_allow = read_list(lists->subscribe_allow, entries[2]),
		.subscribe_deny = read_list(lists->subscribe_deny, entries[3]),
		.allow_responses = lists->allow_responses,
		.max_responses = lists->max_responses,
		.response_expiry_ms = lists->response_expiry_ms,
	};

	return permit_new(&rules);
}
