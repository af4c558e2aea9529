/* SPDX-License-Identifier: MIT */
#include "broker/pool.h"

#include "test.h"

static void a_new_pool_owns_nothing(void)
{
	struct pool pool;

	pool_init(&pool, 1000);
	CHECK_NUMBER(pool.spare_bytes, 0);
	CHECK_NUMBER(pool.limit_bytes, 1000);
	CHECK(!pool.congested);
	CHECK(list_is_empty(&pool.dirty));
	CHECK(list_is_empty(&pool.hot));
	pool_fini(&pool);
}

static void a_chunk_has_the_room_asked_for(void)
{
	static const size_t rooms[] = {0,
				       1,
				       CHUNK_SMALL - sizeof(struct chunk) - CHUNK_SLACK,
				       CHUNK_SMALL - sizeof(struct chunk) - CHUNK_SLACK + 1,
				       CHUNK_LARGE - sizeof(struct chunk) - CHUNK_SLACK,
				       CHUNK_LARGE - sizeof(struct chunk) - CHUNK_SLACK + 1,
				       1 << 20};
	struct pool pool;

	pool_init(&pool, SIZE_MAX);
	for (size_t round = 0; round < 4; round++) {
		for (size_t at = 0; at < sizeof(rooms) / sizeof(rooms[0]); at++) {
			struct chunk *chunk = pool_take_chunk(&pool, rooms[at], round & 1);

			CHECK(chunk->capacity >= rooms[at]);
			CHECK_NUMBER(chunk->start, 0);
			CHECK_NUMBER(chunk->end, 0);
			CHECK(chunk->payload == NULL);
			CHECK(chunk->next == NULL);
			/* A spare one must not show what its last user left. */
			memset(chunk->bytes, 0xaa, chunk->capacity);
			chunk->start = 3;
			chunk->end = 4;
			pool_return_chunk(&pool, chunk);
		}
	}
	pool_fini(&pool);
}

static void a_returned_chunk_is_taken_again(void)
{
	struct pool pool;
	struct chunk *small, *large;

	pool_init(&pool, SIZE_MAX);
	small = pool_take_chunk(&pool, 10, false);
	large = pool_take_chunk(&pool, 10, true);
	CHECK_NUMBER(pool.spare_bytes, 0);
	pool_return_chunk(&pool, small);
	CHECK_NUMBER(pool.spare_bytes, CHUNK_SMALL);
	pool_return_chunk(&pool, large);
	CHECK_NUMBER(pool.spare_bytes, CHUNK_SMALL + CHUNK_LARGE);
	CHECK(pool_take_chunk(&pool, CHUNK_SMALL, false) == large);
	CHECK(pool_take_chunk(&pool, 20, false) == small);
	CHECK_NUMBER(pool.spare_bytes, 0);
	pool_return_chunk(&pool, small);
	pool_return_chunk(&pool, large);
	pool_fini(&pool);
}

static void a_chunk_of_odd_size_is_not_kept(void)
{
	struct pool pool;

	pool_init(&pool, SIZE_MAX);
	pool_return_chunk(&pool, pool_take_chunk(&pool, CHUNK_HUGE, true));
	CHECK_NUMBER(pool.spare_bytes, 0);
	pool_fini(&pool);
}

static void a_payload_goes_back_with_its_last_reference(void)
{
	struct pool pool;
	struct payload *payload, *again;

	pool_init(&pool, SIZE_MAX);
	payload = pool_take_payload(&pool, 5000);
	CHECK_NUMBER(payload->refs, 1);
	CHECK(payload->capacity >= 5000);
	memset(payload->bytes, 'x', payload->capacity);
	payload->refs += 2;
	pool_release_payload(&pool, payload);
	pool_release_payload(&pool, payload);
	CHECK_NUMBER(pool.spare_bytes, 0);
	pool_release_payload(&pool, payload);
	CHECK_NUMBER(pool.spare_bytes, payload->capacity);
	again = pool_take_payload(&pool, payload->capacity);
	CHECK(again == payload);
	CHECK_NUMBER(again->refs, 1);
	CHECK_NUMBER(pool.spare_bytes, 0);
	pool_release_payload(&pool, again);
	pool_fini(&pool);
}

static void a_payload_of_another_size_is_another_one(void)
{
	struct pool pool;
	struct payload *small, *large;

	pool_init(&pool, SIZE_MAX);
	small = pool_take_payload(&pool, 1);
	pool_release_payload(&pool, small);
	large = pool_take_payload(&pool, (size_t)small->capacity + 1);
	CHECK(large != small);
	CHECK(large->capacity > small->capacity);
	CHECK_NUMBER(pool.spare_bytes, small->capacity);
	pool_release_payload(&pool, large);
	pool_fini(&pool);
}

/* What would not fit a uint32_t, or with its head no 32-bit size, is refused, not cut. */
static void a_payload_beyond_all_measure_is_refused(void)
{
	struct pool pool;

	pool_init(&pool, SIZE_MAX);
	CHECK(pool_take_payload(&pool, SIZE_MAX) == NULL);
	CHECK(pool_take_payload(&pool, UINT32_MAX) == NULL);
	CHECK_NUMBER(pool.spare_bytes, 0);
	pool_fini(&pool);
}

static void spare_memory_has_a_limit(void)
{
	enum { CHUNKS = POOL_SPARE_BYTES / CHUNK_LARGE + 10, PAYLOADS = 20 };
	static struct chunk *chunks[CHUNKS];
	struct payload *payloads[PAYLOADS];
	struct pool pool;

	pool_init(&pool, SIZE_MAX);
	for (size_t at = 0; at < PAYLOADS; at++)
		payloads[at] = pool_take_payload(&pool, 1 << 20);
	for (size_t at = 0; at < CHUNKS; at++)
		chunks[at] = pool_take_chunk(&pool, 1, true);
	for (size_t at = 0; at < PAYLOADS; at++) {
		pool_release_payload(&pool, payloads[at]);
		CHECK(pool.spare_bytes <= POOL_SPARE_BYTES);
	}
	CHECK(pool.spare_bytes > POOL_SPARE_BYTES / 2);
	for (size_t at = 0; at < CHUNKS; at++) {
		pool_return_chunk(&pool, chunks[at]);
		CHECK(pool.spare_bytes <= POOL_SPARE_BYTES);
	}
	pool_fini(&pool);
}

static void trimming_leaves_what_was_needed_meanwhile(void)
{
	struct pool pool;
	struct chunk *used, *unused;

	pool_init(&pool, SIZE_MAX);
	used = pool_take_chunk(&pool, 10, true);
	unused = pool_take_chunk(&pool, 10, true);
	pool_return_chunk(&pool, used);
	pool_return_chunk(&pool, unused);
	pool_watch(&pool);
	/* One of the two is needed again and again, the other never. */
	pool_return_chunk(&pool, pool_take_chunk(&pool, 10, true));
	pool_trim(&pool);
	CHECK_NUMBER(pool.spare_bytes, CHUNK_LARGE);
	pool_trim(&pool);
	CHECK_NUMBER(pool.spare_bytes, 0);
	pool_fini(&pool);
}

static void trimming_gives_all_spares_back(void)
{
	struct pool pool;
	struct payload *kept;

	pool_init(&pool, SIZE_MAX);
	kept = pool_take_payload(&pool, 1);
	pool_release_payload(&pool, pool_take_payload(&pool, 1));
	pool_release_payload(&pool, pool_take_payload(&pool, 100000));
	pool_return_chunk(&pool, pool_take_chunk(&pool, 1, false));
	pool_return_chunk(&pool, pool_take_chunk(&pool, 1, true));
	CHECK(pool.spare_bytes > 0);
	pool_watch(&pool);
	pool_trim(&pool);
	CHECK_NUMBER(pool.spare_bytes, 0);
	for (size_t class = 0; class < CHUNK_SIZES; class++)
		CHECK(pool.chunks[class] == NULL);
	/* It goes on as before. */
	pool_release_payload(&pool, kept);
	CHECK(pool.spare_bytes > 0);
	pool_fini(&pool);
}

static void what_is_held_is_what_is_not_spare(void)
{
	struct pool pool;
	struct chunk *small, *odd;
	struct payload *payload;
	size_t odd_bytes;

	pool_init(&pool, SIZE_MAX);
	small = pool_take_chunk(&pool, 10, false);
	CHECK_NUMBER(pool_held_bytes(&pool), CHUNK_SMALL);
	odd = pool_take_chunk(&pool, CHUNK_HUGE, false);
	odd_bytes = pool_held_bytes(&pool) - CHUNK_SMALL;
	CHECK(odd_bytes > CHUNK_HUGE && odd_bytes < CHUNK_HUGE + 200);
	pool_return_chunk(&pool, odd);
	CHECK_NUMBER(pool_held_bytes(&pool), CHUNK_SMALL);
	payload = pool_take_payload(&pool, 5000);
	payload->refs++;
	CHECK_NUMBER(pool_held_bytes(&pool), CHUNK_SMALL + payload->capacity);
	pool_release_payload(&pool, payload);
	CHECK_NUMBER(pool_held_bytes(&pool), CHUNK_SMALL + payload->capacity);
	pool_release_payload(&pool, payload);
	pool_return_chunk(&pool, small);
	CHECK_NUMBER(pool_held_bytes(&pool), 0);
	CHECK(pool.spare_bytes > 0);
	/* Out of the spares it is held again. */
	pool_return_chunk(&pool, pool_take_chunk(&pool, 10, false));
	CHECK_NUMBER(pool_held_bytes(&pool), 0);
	pool_empty(&pool);
	CHECK_NUMBER(pool.spare_bytes, 0);
	CHECK_NUMBER(pool.taken_bytes, 0);
	pool_fini(&pool);
}

static void a_budget_may_be_overdrawn(void)
{
	struct pool pool;
	struct chunk *first, *second;

	pool_init(&pool, SIZE_MAX);
	CHECK(!pool_is_short(&pool));
	pool_budget(&pool, CHUNK_LARGE + CHUNK_SMALL);
	first = pool_take_chunk(&pool, 1, true);
	CHECK(pool_is_short(&pool) && !pool_is_overdrawn(&pool));
	CHECK(!pool.congested);
	second = pool_take_chunk(&pool, 1, true);
	CHECK(pool_is_overdrawn(&pool));
	CHECK(pool.congested);
	pool_return_chunk(&pool, first);
	CHECK(!pool_is_overdrawn(&pool));
	pool_return_chunk(&pool, second);
	CHECK(!pool_is_short(&pool));
	pool_budget(&pool, 0);
	CHECK_NUMBER(pool.budget_bytes, SIZE_MAX);
	pool_fini(&pool);
}

static void a_chunk_may_be_made_to_fit(void)
{
	struct pool pool;
	struct chunk *chunk;

	pool_init(&pool, SIZE_MAX);
	chunk = pool_take_chunk(&pool, CHUNK_LARGE, false);
	memset(chunk->bytes, 'x', 20000);
	chunk->end = 20000;
	chunk = pool_shrink_chunk(&pool, chunk);
	CHECK_NUMBER(chunk->capacity, 20000);
	CHECK(chunk->bytes[0] == 'x' && chunk->bytes[19999] == 'x');
	CHECK(pool_held_bytes(&pool) < 20200);
	/* Of no size that is kept. */
	pool_return_chunk(&pool, chunk);
	CHECK_NUMBER(pool.spare_bytes, 0);
	CHECK_NUMBER(pool.taken_bytes, 0);
	pool_fini(&pool);
}

static const struct test_case cases[] = {
	TEST_CASE(a_new_pool_owns_nothing),
	TEST_CASE(a_chunk_has_the_room_asked_for),
	TEST_CASE(a_returned_chunk_is_taken_again),
	TEST_CASE(a_chunk_of_odd_size_is_not_kept),
	TEST_CASE(a_payload_goes_back_with_its_last_reference),
	TEST_CASE(a_payload_of_another_size_is_another_one),
	TEST_CASE(a_payload_beyond_all_measure_is_refused),
	TEST_CASE(spare_memory_has_a_limit),
	TEST_CASE(trimming_leaves_what_was_needed_meanwhile),
	TEST_CASE(trimming_gives_all_spares_back),
	TEST_CASE(what_is_held_is_what_is_not_spare),
	TEST_CASE(a_budget_may_be_overdrawn),
	TEST_CASE(a_chunk_may_be_made_to_fit),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
