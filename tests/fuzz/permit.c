/* SPDX-License-Identifier: MIT */
/*
 * Permissions against a naive matcher.
 *
 * An input is lines. "p", "P", "s" and "S" begin an entry: what may be published, what not, what
 * may be subscribed to, what not; "r" allows responses. All other lines are asked about: as what
 * is published, and, where it can be one, as a subscription, perhaps with a queue.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/naive.h"
#include "broker/permit.h"
#include "proto/subject.h"
#include "fuzz.h"

enum { LISTS = 4, ENTRIES = 16, QUESTIONS = 32 };

struct input {
	struct slice entries[LISTS][ENTRIES];
	size_t counts[LISTS];
	struct slice questions[QUESTIONS];
	size_t question_count;
	bool allow_responses;
};

static bool is_blank(char byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static size_t count_words(struct slice text)
{
	size_t count = 0;

	for (size_t at = 0; at < text.length; at++)
		count += !is_blank(text.bytes[at]) && (at == 0 || is_blank(text.bytes[at - 1]));
	return count;
}

static bool split(struct slice entry, struct slice *subject, struct slice *queue)
{
	bool valid = permit_split(entry, subject, queue);
	size_t words = count_words(entry);

	require(!valid || naive_is_valid(*subject), "the subject can be subscribed to");
	require(!valid || words == (queue->length > 0 ? 2 : 1), "two words at most");
	require(valid || words == 0 || words > 2 || !naive_is_valid(*subject), "all else is good");
	return valid;
}

static void read_line(struct input *input, struct slice line)
{
	static const char marks[LISTS] = {'p', 'P', 's', 'S'};
	const char *mark = line.length > 0 ? memchr(marks, line.bytes[0], LISTS) : NULL;
	size_t list = mark ? (size_t)(mark - marks) : 0;
	struct slice subject, queue;

	if (line.length == 1 && line.bytes[0] == 'r') {
		input->allow_responses = true;
	} else if (!mark) {
		if (input->question_count < QUESTIONS)
			input->questions[input->question_count++] = line;
	} else if (input->counts[list] < ENTRIES && split(slice_after(line, 1), &subject, &queue) &&
		   (list >= 2 || queue.length == 0)) {
		input->entries[list][input->counts[list]++] = slice_after(line, 1);
	}
}

static struct permit *make(const struct input *input)
{
	const struct permit_rules rules = {
		.publish_allow = {input->entries[0], input->counts[0]},
		.publish_deny = {input->entries[1], input->counts[1]},
		.subscribe_allow = {input->entries[2], input->counts[2]},
		.subscribe_deny = {input->entries[3], input->counts[3]},
		.allow_responses = input->allow_responses,
	};

	return permit_new(&rules);
}

/* Does an entry of the list match what is published, one without a queue? */
static bool naive_any(const struct input *input, size_t list, struct slice published)
{
	for (size_t at = 0; at < input->counts[list]; at++) {
		struct slice subject, queue;

		permit_split(input->entries[list][at], &subject, &queue);
		if (queue.length == 0 && naive_matches(subject, published))
			return true;
	}
	return false;
}

static bool has_queues(const struct input *input, size_t list)
{
	bool found = false;

	for (size_t at = 0; at < input->counts[list]; at++) {
		struct slice subject, queue;

		permit_split(input->entries[list][at], &subject, &queue);
		found |= queue.length > 0;
	}
	return found;
}

static void ask_to_publish(struct permit *permit, const struct input *input, struct slice subject)
{
	bool allowed = (input->counts[0] == 0 && !input->allow_responses) ||
		       naive_any(input, 0, subject);
	uint64_t work = 0;

	allowed &= !naive_any(input, 1, subject);
	for (int times = 0; times < 2; times++)
		require(permit_publishes(permit, subject, &work) == allowed, "what is published");
	require(work <= 4 * ENTRIES, "nothing is looked at more often");
}

/*
 * What comes by a subscription that is allowed. Where only an allowed queue could come by its name
 * a wildcard of another may be wider, as with nats-server.
 */
static void check_heard(struct permit *permit, const struct input *input, struct slice subject,
			struct slice queue, struct slice published)
{
	bool filters, delivers;
	uint64_t work = 0;

	if (!naive_matches(subject, published))
		return;
	filters = permit_filters(permit, subject, queue, &work);
	delivers = permit_delivers(permit, published, queue, &work);
	require(delivers || filters, "who is kept from something is filtered");
	require(!delivers || !naive_any(input, 3, published), "what is denied does not come");
	require(!delivers || input->counts[2] == 0 || has_queues(input, 2) ||
			naive_any(input, 2, published), "what is not allowed does not come");
	if (!has_queues(input, 3))
		require(delivers == !naive_any(input, 3, published), "all else comes");
	require(!delivers || has_queues(input, 2) || !subject_is_publishable(published) ||
			permit_subscribes(permit, published, queue, &work),
		"what comes could be asked for by its name");
}

static void ask_to_subscribe(struct permit *permit, const struct input *input,
			     struct slice question)
{
	struct slice subject, queue;
	uint64_t work = 0;

	if (!split(question, &subject, &queue) ||
	    !permit_subscribes(permit, subject, queue, &work))
		return;
	for (size_t at = 0; at < input->question_count; at++)
		check_heard(permit, input, subject, queue, input->questions[at]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size};
	struct input input = {.question_count = 0};
	struct permit *permit;

	while (rest.length > 0) {
		const char *end = memchr(rest.bytes, '\n', rest.length);
		size_t length = end ? (size_t)(end - rest.bytes) : rest.length;

		read_line(&input, (struct slice){rest.bytes, length});
		rest = slice_after(rest, length + (end != NULL));
	}
	permit = make(&input);
	for (int times = 0; times < 2; times++)
		for (size_t at = 0; at < input.question_count; at++) {
			ask_to_publish(permit, &input, input.questions[at]);
			ask_to_subscribe(permit, &input, input.questions[at]);
		}
	permit_unref(permit);
	return 0;
}
