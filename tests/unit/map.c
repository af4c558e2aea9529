/* SPDX-License-Identifier: MIT */
/*
 * The map against a model that cannot be wrong: an array with a mark for each item that is in.
 */
#include "base/map.h"

#include "base/hash.h"
#include "test.h"

enum { ITEMS = 600, STEPS = 20000, KEY = 77 };

struct item {
	char text[12];
	uint32_t hash;
	bool is_in;
	bool seen;
	bool is_twin; /* `twins` has the one that is in, under the same name */
};

struct world {
	struct item items[ITEMS];
	struct item twins[ITEMS];
	struct map map;
	uint32_t count;
	uint64_t random;
};

typedef uint32_t hasher(uint32_t number, struct slice name);

static uint32_t hash_well(uint32_t number, struct slice name)
{
	(void)number;
	return hash_bytes(0x0123456789abcdef, name);
}

static uint32_t hash_all_alike(uint32_t number, struct slice name)
{
	(void)number, (void)name;
	return 0xdeadbeef;
}

static uint32_t hash_to_seven(uint32_t number, struct slice name)
{
	(void)name;
	return number % 7;
}

/* All start at the last buckets of any table, so that every run wraps around its end. */
static uint32_t hash_to_the_end(uint32_t number, struct slice name)
{
	(void)name;
	return UINT32_MAX - number % 3;
}

/* Different hashes that share a home in any table: only the upper half differs. */
static uint32_t hash_above_the_mask(uint32_t number, struct slice name)
{
	(void)name;
	return number << 16 | 3;
}

/* Neighbouring homes: long runs in which each item may stay or has to move. */
static uint32_t hash_in_a_row(uint32_t number, struct slice name)
{
	(void)name;
	return number / 3;
}

static struct slice name_of(const void *item)
{
	return slice_of(((const struct item *)item)->text);
}

static uint32_t hash_of(uint64_t key, const void *item)
{
	CHECK_NUMBER(key, KEY);
	return ((const struct item *)item)->hash;
}

/* xorshift: the same sequence in each run. */
static uint32_t draw(struct world *world, uint32_t below)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return (uint32_t)(world->random >> 32) % below;
}

static struct world *world_new(hasher *hash)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		abort();
	world->random = 0x2545f4914f6cdd1d;
	for (uint32_t at = 0; at < ITEMS; at++) {
		struct item *item = &world->items[at];

		snprintf(item->text, sizeof(item->text), "n%u", at);
		item->hash = hash(at, name_of(item));
		world->twins[at] = *item;
	}
	return world;
}

static void world_free(struct world *world)
{
	map_fini(&world->map, NULL);
	free(world);
}

static struct item *current(struct world *world, uint32_t at)
{
	return world->items[at].is_twin ? &world->twins[at] : &world->items[at];
}

static void insert(struct world *world, uint32_t at)
{
	struct item *item = &world->items[at];

	item->is_in = true;
	item->is_twin = false;
	world->count++;
	CHECK_NUMBER(map_reserve(&world->map, KEY, hash_of, NULL), 0);
	map_put(&world->map, item->hash, item);
}

static void take_out(struct world *world, uint32_t at)
{
	map_remove(&world->map, world->items[at].hash, current(world, at), KEY, hash_of,
		   NULL);
	world->items[at].is_in = false;
	world->count--;
}

static void swap_for_twin(struct world *world, uint32_t at)
{
	struct item *old = current(world, at);

	world->items[at].is_twin = !world->items[at].is_twin;
	map_replace(&world->map, old->hash, old, current(world, at));
}

static void compare_finds(struct world *world)
{
	for (uint32_t at = 0; at < ITEMS; at++) {
		struct item *item = &world->items[at];
		void *found = map_find(&world->map, item->hash, name_of(item), name_of);

		CHECK(found == (item->is_in ? current(world, at) : NULL));
	}
}

static void compare_walk(struct world *world)
{
	uint32_t place = 0;
	uint32_t count = 0;
	struct item *item;

	while ((item = map_next(&world->map, &place)) != NULL) {
		uint32_t at = (uint32_t)strtoul(item->text + 1, NULL, 10);

		CHECK(item == current(world, at));
		CHECK(world->items[at].is_in && !world->items[at].seen);
		world->items[at].seen = true;
		count++;
	}
	CHECK_NUMBER(count, world->count);
	for (uint32_t at = 0; at < ITEMS; at++)
		world->items[at].seen = false;
}

static void compare(struct world *world)
{
	CHECK_NUMBER(world->map.count, world->count);
	CHECK((world->map.buckets == NULL) == (world->count == 0));
	CHECK(world->map.count <= (world->map.mask + 1) * MAP_ITEMS);
	compare_finds(world);
	compare_walk(world);
}

/* Grows and empties by turns: of ten steps, `inserts` want to insert. */
static void live(struct world *world, unsigned steps, uint32_t inserts)
{
	for (unsigned step = 0; step < steps; step++) {
		uint32_t at = draw(world, ITEMS);
		bool wants_in = draw(world, 10) < inserts;

		if (world->items[at].is_in && step % 5 == 0)
			swap_for_twin(world, at);
		if (wants_in && !world->items[at].is_in)
			insert(world, at);
		else if (!wants_in && world->items[at].is_in)
			take_out(world, at);
		if (step % 211 == 0)
			compare(world);
	}
	compare(world);
}

static void agree(hasher *hash)
{
	struct world *world = world_new(hash);

	compare(world);
	for (unsigned phase = 0; phase < 4; phase++) {
		live(world, STEPS / 8, 8);
		live(world, STEPS / 8, 1);
	}
	for (uint32_t at = 0; at < ITEMS; at++)
		if (world->items[at].is_in)
			take_out(world, at);
	compare(world);
	world_free(world);
}

static void it_agrees_with_the_model_by_a_good_hash(void)
{
	agree(hash_well);
}

static void it_agrees_with_the_model_when_all_hashes_are_alike(void)
{
	agree(hash_all_alike);
}

static void it_agrees_with_the_model_when_there_are_seven_hashes(void)
{
	agree(hash_to_seven);
}

static void it_agrees_with_the_model_when_runs_wrap_around(void)
{
	agree(hash_to_the_end);
}

static void it_agrees_with_the_model_when_only_homes_are_alike(void)
{
	agree(hash_above_the_mask);
}

static void it_agrees_with_the_model_when_homes_are_neighbours(void)
{
	agree(hash_in_a_row);
}

static void an_empty_map_owns_nothing_and_finds_nothing(void)
{
	struct map map = {0};
	uint32_t at = 0;

	CHECK(!map_find(&map, 7, SLICE("n7"), name_of));
	CHECK(!map_next(&map, &at));
	CHECK(!map.buckets);
	map_fini(&map, NULL);
}

static void it_is_emptied_bit_by_bit(void)
{
	struct world *world = world_new(hash_well);
	uint32_t at = 0, taken = 0;

	for (uint32_t id = 0; id < ITEMS; id++)
		insert(world, id);
	while (map_drain(&world->map, &at)) {
		uint32_t rest = 0, left = 0;

		taken++;
		CHECK_NUMBER(world->map.count, ITEMS - taken);
		while (map_next(&world->map, &rest))
			left++;
		CHECK_NUMBER(left, ITEMS - taken);
	}
	CHECK_NUMBER(taken, ITEMS);
	world_free(world);
}

static void a_table_shrinks_as_it_empties(void)
{
	struct world *world = world_new(hash_well);
	uint32_t most;

	for (uint32_t at = 0; at < ITEMS; at++)
		insert(world, at);
	most = world->map.mask;
	CHECK((most + 1) * MAP_ITEMS >= ITEMS);
	for (uint32_t at = 0; at < ITEMS - 5; at++)
		take_out(world, at);
	CHECK(world->map.mask < most);
	CHECK(world->map.mask + 1 <= 2);
	compare(world);
	for (uint32_t at = ITEMS - 5; at < ITEMS; at++)
		take_out(world, at);
	CHECK(!world->map.buckets);
	insert(world, 0);
	compare(world);
	world_free(world);
}

/* One in, one out, at the edge of growing or shrinking: the table is not made anew each time. */
static void a_table_does_not_flutter(void)
{
	struct world *world = world_new(hash_well);

	for (uint32_t at = 0; at + 1 < ITEMS; at++) {
		uint32_t changes = 0;

		insert(world, at);
		for (unsigned turn = 0; turn < 8; turn++) {
			uint32_t mask = world->map.mask;

			insert(world, ITEMS - 1);
			changes += world->map.mask != mask;
			mask = world->map.mask;
			take_out(world, ITEMS - 1);
			changes += world->map.mask != mask;
		}
		CHECK(changes <= 1);
	}
	world_free(world);
}

/* The same tag in one bucket, and more of them than `passed` can count. */
static void what_passed_a_bucket_is_found_after_others_have_left(void)
{
	struct world *world = world_new(hash_all_alike);

	for (uint32_t at = 0; at < ITEMS; at++)
		insert(world, at);
	for (uint32_t at = 0; at + 1 < ITEMS; at++)
		take_out(world, at);
	compare(world);
	take_out(world, ITEMS - 1);
	CHECK(!world->map.buckets);
	world_free(world);
}

static void room_reserved_twice_is_reserved_once(void)
{
	struct world *world = world_new(hash_well);

	for (uint32_t at = 0; at < ITEMS; at++) {
		const struct map_bucket *buckets;

		CHECK_NUMBER(map_reserve(&world->map, KEY, hash_of, NULL), 0);
		buckets = world->map.buckets;
		CHECK_NUMBER(map_reserve(&world->map, KEY, hash_of, NULL), 0);
		CHECK(world->map.buckets == buckets);
		insert(world, at);
		CHECK(world->map.buckets == buckets);
	}
	compare(world);
	world_free(world);
}

/* Enough for two moves from a large table to a large one, each way. */
enum { CROWD = 150000, HASHED_A_STEP = 64, LOOKED_AT = 20 };

static uint32_t hashed;

static uint32_t count_hash(uint64_t key, const void *item)
{
	hashed++;
	return hash_of(key, item);
}

/* Those that came first, that came last, and some that went or are to come. */
static void look_at_some(const struct map *map, struct item *all, uint32_t at)
{
	for (uint32_t step = 0; step < LOOKED_AT; step++) {
		struct item *item = &all[(at * 7919u + step * 7507u) % CROWD];
		void *found = map_find(map, item->hash, name_of(item), name_of);

		CHECK(found == (item->is_in ? item : NULL));
	}
}

static uint32_t walk_through(const struct map *map)
{
	uint32_t place = 0, count = 0;
	struct item *item;

	while ((item = map_next(map, &place))) {
		CHECK(item->is_in);
		count++;
	}
	return count;
}

static void a_large_table_moves_a_few_items_at_a_time(void)
{
	struct item *all = calloc(CROWD, sizeof(*all)), *twin = calloc(1, sizeof(*twin));
	uint32_t most = 0, moving = 0;
	size_t bytes = 0;
	struct map map = {0};

	for (uint32_t at = 0; at < 2 * CROWD; at++) {
		struct item *item = &all[at % CROWD];

		hashed = 0;
		if (at < CROWD) {
			snprintf(item->text, sizeof(item->text), "n%u", at);
			item->hash = hash_well(at, name_of(item));
			CHECK_NUMBER(map_reserve(&map, KEY, count_hash, &bytes), 0);
			map_put(&map, item->hash, item);
		} else {
			map_remove(&map, item->hash, item, KEY, count_hash, &bytes);
		}
		item->is_in = at < CROWD;
		if (map.mask >= MAP_LARGE && hashed > most)
			most = hashed;
		moving += map.mask >= MAP_LARGE && map_move(&map)->old;
		look_at_some(&map, all, at);
		CHECK_NUMBER(bytes, map_bytes(&map));
		CHECK(bytes >= map.count * sizeof(void *));
		if (at % 9973 == 0)
			CHECK_NUMBER(walk_through(&map), map.count);
		if (at % 997 == 0 && at > 0 && at < CROWD) {
			*twin = all[at - 1];
			map_replace(&map, twin->hash, &all[at - 1], twin);
			CHECK(map_find(&map, twin->hash, name_of(twin), name_of) == twin);
			map_replace(&map, twin->hash, twin, &all[at - 1]);
		}
	}
	CHECK(moving > 1000);
	CHECK(most > 0 && most <= HASHED_A_STEP);
	CHECK(!map.buckets);
	CHECK_NUMBER(bytes, 0);
	free(all);
	free(twin);
}

static void a_table_may_be_emptied_and_given_up_while_it_moves(void)
{
	struct item *all = calloc(CROWD, sizeof(*all)), *item;
	uint32_t place = 0, left;
	size_t bytes = 0;
	struct map map = {0};

	for (uint32_t at = 0; map.mask < MAP_LARGE || !map_move(&map)->old; at++) {
		snprintf(all[at].text, sizeof(all[at].text), "n%u", at);
		all[at].hash = hash_well(at, name_of(&all[at]));
		CHECK_NUMBER(map_reserve(&map, KEY, hash_of, &bytes), 0);
		map_put(&map, all[at].hash, &all[at]);
		all[at].is_in = true;
	}
	for (left = map.count; left > 10 && (item = map_drain(&map, &place)); left--) {
		CHECK(item->is_in);
		item->is_in = false;
	}
	CHECK_NUMBER(map.count, 10);
	CHECK_NUMBER(walk_through(&map), 10);
	CHECK_NUMBER(bytes, map_bytes(&map));
	map_fini(&map, &bytes);
	CHECK_NUMBER(bytes, 0);
	free(all);
}

static const struct test_case cases[] = {
	TEST_CASE(a_large_table_moves_a_few_items_at_a_time),
	TEST_CASE(a_table_may_be_emptied_and_given_up_while_it_moves),
	TEST_CASE(an_empty_map_owns_nothing_and_finds_nothing),
	TEST_CASE(it_agrees_with_the_model_by_a_good_hash),
	TEST_CASE(it_agrees_with_the_model_when_all_hashes_are_alike),
	TEST_CASE(it_agrees_with_the_model_when_there_are_seven_hashes),
	TEST_CASE(it_agrees_with_the_model_when_runs_wrap_around),
	TEST_CASE(it_agrees_with_the_model_when_only_homes_are_alike),
	TEST_CASE(it_agrees_with_the_model_when_homes_are_neighbours),
	TEST_CASE(it_is_emptied_bit_by_bit),
	TEST_CASE(a_table_shrinks_as_it_empties),
	TEST_CASE(a_table_does_not_flutter),
	TEST_CASE(what_passed_a_bucket_is_found_after_others_have_left),
	TEST_CASE(room_reserved_twice_is_reserved_once),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
