/* SPDX-License-Identifier: MIT */
#include "broker/outbox.h"

#include "test.h"

enum { EXPECTED_MAX = 400000, NO_LIMIT = 1 << 30 };

/* What the outbox must hold, byte for byte. */
struct expected {
	char bytes[EXPECTED_MAX];
	size_t start;
	size_t end;
};

static struct expected expected;
static char next_byte;

static size_t expect(size_t length, char *copy)
{
	for (size_t at = 0; at < length; at++) {
		next_byte = (char)(next_byte * 5 + 3);
		expected.bytes[expected.end++] = copy[at] = next_byte;
	}
	return length;
}

static void put(struct outbox *outbox, size_t length)
{
	char *to = outbox_room(outbox, length, 0);

	CHECK(to != NULL);
	outbox_wrote(outbox, expect(length, to));
}

/* A line of its own, then bytes `start` to `start + length` of a payload. */
static struct payload *attach(struct outbox *outbox, size_t head, size_t start, size_t length)
{
	struct payload *payload = pool_take_payload(outbox->pool, start + length);
	char *to = outbox_room(outbox, head, length);

	CHECK(to != NULL);
	outbox_wrote(outbox, expect(head, to));
	memset(payload->bytes, '?', start);
	expect(length, payload->bytes + start);
	outbox_attach(outbox, payload, start, start + length);
	return payload;
}

/* Compares what a look at the outbox shows with what must be there. Returns its length. */
static size_t peek(const struct outbox *outbox, size_t most)
{
	struct slice slices[64];
	size_t count = outbox_peek(outbox, slices, most);
	size_t length = 0;

	CHECK(count <= most);
	for (size_t at = 0; at < count; at++) {
		struct slice wanted = {expected.bytes + expected.start + length, slices[at].length};

		CHECK(slices[at].length > 0);
		CHECK(length + slices[at].length <= expected.end - expected.start);
		CHECK(slice_equal(slices[at], wanted));
		length += slices[at].length;
	}
	return length;
}

static void take(struct outbox *outbox, size_t length)
{
	outbox_take(outbox, length);
	expected.start += length;
	CHECK_NUMBER(outbox->pending_bytes, expected.end - expected.start);
}

static void begin(struct pool *pool, struct outbox *outbox, size_t limit)
{
	expected.start = expected.end = 0;
	pool_init(pool, limit);
	outbox_init(outbox, pool);
}

/* All of it was taken: the outbox owns nothing. */
static void check_empty(const struct outbox *outbox)
{
	struct slice slices[4];

	CHECK_NUMBER(outbox->pending_bytes, 0);
	CHECK(outbox->first == NULL);
	CHECK(outbox->last == NULL);
	CHECK_NUMBER(outbox_peek(outbox, slices, 4), 0);
}

static void finish(struct pool *pool, struct outbox *outbox)
{
	outbox_fini(outbox);
	pool_fini(pool);
}

/* All that is pending, where it is in one piece. */
static struct slice front(const struct outbox *outbox)
{
	struct slice slices[4] = {{NULL, 0}};

	CHECK_NUMBER(outbox_peek(outbox, slices, 4), 1);
	return slices[0];
}

static void a_new_outbox_is_empty(void)
{
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, NO_LIMIT);
	check_empty(&outbox);
	CHECK(!outbox.closed);
	CHECK(list_is_empty(&pool.dirty));
	finish(&pool, &outbox);
}

static void what_goes_in_comes_out_in_order(void)
{
	struct pool pool;
	struct outbox outbox;
	struct slice slice;

	begin(&pool, &outbox, NO_LIMIT);
	CHECK(outbox_put(&outbox, SLICE("one ")));
	CHECK(outbox_put(&outbox, SLICE("two ")));
	CHECK(outbox_put(&outbox, SLICE("three")));
	slice = front(&outbox);
	CHECK_TEXT(slice, "one two three");
	outbox_take(&outbox, 6);
	slice = front(&outbox);
	CHECK_TEXT(slice, "o three");
	outbox_take(&outbox, 7);
	check_empty(&outbox);
	finish(&pool, &outbox);
}

/* Fewer bytes may be written than there was room for. */
static void unused_room_is_not_sent(void)
{
	struct pool pool;
	struct outbox outbox;
	struct slice slice;
	char *to;

	begin(&pool, &outbox, NO_LIMIT);
	to = outbox_room(&outbox, 500, 0);
	memcpy(to, "abc", 3);
	outbox_wrote(&outbox, 3);
	CHECK(outbox_put(&outbox, SLICE("def")));
	CHECK_NUMBER(outbox.pending_bytes, 6);
	slice = front(&outbox);
	CHECK_TEXT(slice, "abcdef");
	finish(&pool, &outbox);
}

/* Chunks small and large, one that is longer than any, and payloads. */
static void fill_with_all_kinds(struct outbox *outbox)
{
	put(outbox, 7);
	put(outbox, CHUNK_SMALL - sizeof(struct chunk) - CHUNK_SLACK - 7);
	put(outbox, 1);
	pool_release_payload(outbox->pool, attach(outbox, 20, 3, 300));
	pool_release_payload(outbox->pool, attach(outbox, 1, 0, 1));
	put(outbox, 30);
	put(outbox, CHUNK_LARGE + 100);
	put(outbox, 40);
}

/* Takes the first `first` bytes, and the rest in bites of `bite`. */
static void take_in_two_ways(size_t first, size_t bite)
{
	struct pool pool;
	struct outbox outbox;
	size_t length;

	begin(&pool, &outbox, NO_LIMIT);
	fill_with_all_kinds(&outbox);
	CHECK_NUMBER(outbox.pending_bytes, expected.end);
	CHECK_NUMBER(peek(&outbox, 64), expected.end);
	take(&outbox, first);
	CHECK_NUMBER(peek(&outbox, 64), expected.end - first);
	while ((length = outbox.pending_bytes) > 0)
		take(&outbox, length < bite ? length : bite);
	check_empty(&outbox);
	finish(&pool, &outbox);
}

static void it_may_be_emptied_in_pieces_of_any_size(void)
{
	size_t total;
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, NO_LIMIT);
	fill_with_all_kinds(&outbox);
	total = expected.end;
	finish(&pool, &outbox);
	/* Every split where the kinds meet, and a sample of those inside the longest chunk. */
	for (size_t first = 0; first <= total; first += first < 1500 || first > total - 60 ? 1 : 97)
		take_in_two_ways(first, NO_LIMIT);
	for (size_t bite = 1; bite < 2000; bite = bite * 2 + 1)
		take_in_two_ways(0, bite);
}

static void a_short_look_shows_the_front(void)
{
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, NO_LIMIT);
	fill_with_all_kinds(&outbox);
	for (size_t most = 2; most < 10; most++)
		CHECK(peek(&outbox, most) > 0);
	/* The front alone is enough to empty it. */
	while (outbox.pending_bytes > 0)
		take(&outbox, peek(&outbox, 2));
	check_empty(&outbox);
	finish(&pool, &outbox);
}

static void it_may_be_filled_while_it_is_emptied(void)
{
	struct pool pool;
	struct outbox outbox;
	uint32_t random = 1;

	begin(&pool, &outbox, NO_LIMIT);
	while (expected.end < EXPECTED_MAX - 20000) {
		random = random * 1664525 + 1013904223;
		if (random >> 30 == 0)
			pool_release_payload(&pool, attach(&outbox, random >> 8 & 63 ? 9 : 2000, 5,
							   1 + (random >> 16 & 8191)));
		else
			put(&outbox, 1 + (random >> 16 & 511));
		(void)peek(&outbox, 64);
		take(&outbox, outbox.pending_bytes * (random >> 10 & 7) / 7);
	}
	take(&outbox, outbox.pending_bytes);
	check_empty(&outbox);
	finish(&pool, &outbox);
}

static void a_payload_is_held_until_its_last_byte_is_taken(void)
{
	struct pool pool;
	struct outbox outbox, other;
	struct payload *payload;
	char *to;

	begin(&pool, &outbox, NO_LIMIT);
	outbox_init(&other, &pool);
	payload = attach(&outbox, 10, 2, 5000);
	CHECK_NUMBER(payload->refs, 2);
	to = outbox_room(&other, 1, 5000);
	*to = '#';
	outbox_wrote(&other, 1);
	outbox_attach(&other, payload, 2, 5002);
	CHECK_NUMBER(payload->refs, 3);
	take(&outbox, 10 + 4999);
	CHECK_NUMBER(payload->refs, 3);
	take(&outbox, 1);
	CHECK_NUMBER(payload->refs, 2);
	/* Who goes before all is sent lets go of it too. */
	outbox_fini(&other);
	CHECK_NUMBER(payload->refs, 1);
	pool_release_payload(&pool, payload);
	CHECK(pool.spare_bytes >= 5000);
	finish(&pool, &outbox);
}

static void news_stands_in_the_dirty_list_once(void)
{
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, NO_LIMIT);
	put(&outbox, 1);
	CHECK(pool.dirty.next == &outbox.dirty_link);
	put(&outbox, 1);
	CHECK(pool.dirty.previous == &outbox.dirty_link);
	CHECK(list_is_empty(&pool.hot));
	CHECK(list_pop(&pool.dirty) == &outbox.dirty_link);
	CHECK(list_is_empty(&pool.dirty));
	/* What is pending is no news; more is. */
	put(&outbox, 1);
	CHECK(pool.dirty.next == &outbox.dirty_link);
	outbox_fini(&outbox);
	CHECK(list_is_empty(&pool.dirty));
	pool_fini(&pool);
}

static void a_large_backlog_is_hot(void)
{
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, NO_LIMIT);
	while (outbox.pending_bytes + 1000 < POOL_HOT_BYTES)
		put(&outbox, 1000);
	CHECK(list_is_empty(&pool.hot));
	put(&outbox, 1000);
	CHECK(list_is_empty(&pool.dirty));
	CHECK(pool.hot.next == &outbox.dirty_link);
	/* The owner looked after it, but could not send: it waits for the end of the turn. */
	CHECK(list_pop(&pool.hot) == &outbox.dirty_link);
	put(&outbox, 1);
	CHECK(list_is_empty(&pool.hot));
	CHECK(pool.dirty.next == &outbox.dirty_link);
	/* Sent, and filled again: hot again. */
	take(&outbox, outbox.pending_bytes);
	pool_release_payload(&pool, attach(&outbox, 1, 0, POOL_HOT_BYTES));
	CHECK(pool.hot.next == &outbox.dirty_link);
	CHECK(list_is_empty(&pool.dirty));
	finish(&pool, &outbox);
}

static void three_quarters_of_the_limit_are_congestion(void)
{
	enum { LIMIT = 4 * POOL_HOT_BYTES };
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, LIMIT);
	while (outbox.pending_bytes < LIMIT / 4 * 3)
		put(&outbox, 1024);
	CHECK(!pool.congested);
	put(&outbox, 1);
	CHECK(pool.congested);
	finish(&pool, &outbox);
}

static void who_is_behind_while_memory_is_short_is_congested(void)
{
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, SIZE_MAX);
	put(&outbox, 10);
	outbox_fall_behind(&outbox);
	put(&outbox, CHUNK_SMALL);
	CHECK(!pool.congested && !outbox_is_congested(&outbox));
	pool_budget(&pool, pool_held_bytes(&pool) + CHUNK_LARGE / 2);
	put(&outbox, CHUNK_LARGE);
	CHECK(pool.congested && outbox_is_congested(&outbox));
	/* Once it has read all it is like any other. */
	outbox_take(&outbox, outbox.pending_bytes);
	put(&outbox, 10);
	CHECK(!outbox_is_congested(&outbox));
	pool_budget(&pool, 0);
	finish(&pool, &outbox);
}

static void who_exceeds_the_limit_is_closed(size_t own, size_t shared)
{
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, 1000);
	put(&outbox, 900);
	CHECK(list_pop(&pool.hot) == &outbox.dirty_link);
	CHECK(outbox_room(&outbox, own, shared) == NULL);
	CHECK(outbox.closed);
	CHECK(outbox.overflowed);
	/* That is news for its owner. */
	CHECK(pool.dirty.next == &outbox.dirty_link);
	CHECK_NUMBER(outbox.pending_bytes, 900);
	CHECK(outbox_room(&outbox, 1, 0) == NULL);
	CHECK(!outbox_put(&outbox, SLICE("x")));
	CHECK_NUMBER(outbox.pending_bytes, 900);
	finish(&pool, &outbox);
}

static void the_limit_counts_own_and_shared_bytes(void)
{
	struct pool pool;
	struct outbox outbox;

	who_exceeds_the_limit_is_closed(101, 0);
	who_exceeds_the_limit_is_closed(1, 100);
	who_exceeds_the_limit_is_closed(0, 101);
	begin(&pool, &outbox, 1000);
	put(&outbox, 900);
	pool_release_payload(&pool, attach(&outbox, 50, 0, 50));
	CHECK_NUMBER(outbox.pending_bytes, 1000);
	CHECK(!outbox.closed);
	finish(&pool, &outbox);
}

static void a_hot_outbox_that_overflows_is_told_once(void)
{
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, POOL_HOT_BYTES + 10);
	pool_release_payload(&pool, attach(&outbox, 1, 0, POOL_HOT_BYTES));
	CHECK(pool.hot.next == &outbox.dirty_link);
	CHECK(outbox_room(&outbox, 100, 0) == NULL);
	CHECK(list_is_empty(&pool.hot));
	CHECK(pool.dirty.next == &outbox.dirty_link);
	CHECK(pool.dirty.previous == &outbox.dirty_link);
	finish(&pool, &outbox);
}

static void an_end_throws_all_away(void)
{
	struct pool pool;
	struct outbox outbox;

	begin(&pool, &outbox, NO_LIMIT);
	fill_with_all_kinds(&outbox);
	outbox_fini(&outbox);
	check_empty(&outbox);
	CHECK(outbox.closed);
	CHECK(!outbox_put(&outbox, SLICE("x")));
	CHECK(list_is_empty(&pool.dirty));
	CHECK(list_is_empty(&pool.hot));
	pool_fini(&pool);
}

/* Once warm, a conversation takes all it needs from what is spare. */
static void a_warm_outbox_lives_on_spare_memory(void)
{
	struct pool pool;
	struct outbox outbox;
	size_t spare;

	begin(&pool, &outbox, NO_LIMIT);
	pool_release_payload(&pool, attach(&outbox, 10, 0, 5000));
	put(&outbox, 500);
	take(&outbox, outbox.pending_bytes);
	spare = pool.spare_bytes;
	CHECK(spare > 0);
	for (size_t round = 0; round < 10; round++) {
		pool_release_payload(&pool, attach(&outbox, 10, 0, 5000));
		put(&outbox, 500);
		CHECK_NUMBER(pool.spare_bytes, 0);
		take(&outbox, outbox.pending_bytes);
		CHECK_NUMBER(pool.spare_bytes, spare);
	}
	pool_watch(&pool);
	pool_trim(&pool);
	CHECK_NUMBER(pool.spare_bytes, 0);
	finish(&pool, &outbox);
}

/* One who does not read keeps no large payload alive for the little of it that is his. */
static void one_who_falls_behind_gets_a_copy_of_his_own(void)
{
	struct payload *payload;
	struct outbox outbox;
	struct slice slices[8];
	struct pool pool;

	begin(&pool, &outbox, 1 << 20);
	payload = pool_take_payload(&pool, 65536);
	memset(payload->bytes, 'p', 3000);
	CHECK(outbox_put(&outbox, SLICE("before ")));
	CHECK(outbox_refer(&outbox, payload, 0, 1000));
	CHECK(outbox_refer(&outbox, payload, 1000, 3000));
	CHECK(outbox_put(&outbox, SLICE(" behind")));
	CHECK_NUMBER(payload->refs, 2);
	CHECK_NUMBER(outbox_peek(&outbox, slices, 8), 3);
	outbox_take(&outbox, 7 + 500);
	outbox_fall_behind(&outbox);
	CHECK_NUMBER(payload->refs, 1);
	CHECK(outbox.is_behind);
	CHECK_NUMBER(outbox.pending_bytes, 2500 + 7);
	memset(payload->bytes, '?', 3000);
	CHECK_NUMBER(outbox_peek(&outbox, slices, 8), 2);
	CHECK_NUMBER(slices[0].length, 2500);
	CHECK(slices[0].bytes[0] == 'p' && slices[0].bytes[2499] == 'p');
	CHECK_TEXT(slices[1], " behind");
	outbox_take(&outbox, 2500 + 7);
	CHECK(!outbox.is_behind);
	/* A large part of it is worth keeping. */
	CHECK(outbox_refer(&outbox, payload, 0, 60000));
	outbox_fall_behind(&outbox);
	CHECK_NUMBER(payload->refs, 2);
	pool_release_payload(&pool, payload);
	outbox_fini(&outbox);
	pool_fini(&pool);
}

static const struct test_case cases[] = {
	TEST_CASE(one_who_falls_behind_gets_a_copy_of_his_own),
	TEST_CASE(a_new_outbox_is_empty),
	TEST_CASE(what_goes_in_comes_out_in_order),
	TEST_CASE(unused_room_is_not_sent),
	TEST_CASE(it_may_be_emptied_in_pieces_of_any_size),
	TEST_CASE(a_short_look_shows_the_front),
	TEST_CASE(it_may_be_filled_while_it_is_emptied),
	TEST_CASE(a_payload_is_held_until_its_last_byte_is_taken),
	TEST_CASE(news_stands_in_the_dirty_list_once),
	TEST_CASE(a_large_backlog_is_hot),
	TEST_CASE(three_quarters_of_the_limit_are_congestion),
	TEST_CASE(who_is_behind_while_memory_is_short_is_congested),
	TEST_CASE(the_limit_counts_own_and_shared_bytes),
	TEST_CASE(a_hot_outbox_that_overflows_is_told_once),
	TEST_CASE(an_end_throws_all_away),
	TEST_CASE(a_warm_outbox_lives_on_spare_memory),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
