/* SPDX-License-Identifier: MIT */
#include "server/turnstile.h"

#include <sys/socket.h>

#include "os/address.h"

#include "test.h"

enum { MANY = 2 * TURNSTILE_PLACES };

static struct turnstile turnstile;
static uint64_t again_ms;

/* Its low bytes come first, whatever machine this is. */
static struct place place(unsigned number)
{
	struct peer peer = {.family = AF_INET};

	for (unsigned at = 0; at < sizeof(number); at++)
		peer.bytes[at] = (uint8_t)(number >> 8 * at);
	return place_of(&peer);
}

static bool enter(struct ticket *ticket, unsigned number, uint64_t now_ms)
{
	struct place where = place(number);

	ticket_init(ticket);
	return turnstile_enter(&turnstile, ticket, &where, now_ms);
}

static struct ticket *next(uint64_t now_ms)
{
	return turnstile_next(&turnstile, now_ms, &again_ms);
}

static void rows_take_turns(void)
{
	struct ticket crowd[4], one, other;

	turnstile_init(&turnstile, 1);
	for (size_t at = 0; at < 4; at++)
		CHECK(enter(&crowd[at], 1, 0));
	CHECK(enter(&one, 2, 0));
	CHECK(next(0) == &crowd[0]);
	turnstile_done(&turnstile, true, 0);
	CHECK(next(0) == &one);
	turnstile_done(&turnstile, true, 0);
	CHECK(next(0) == &crowd[1]);
	CHECK(enter(&other, 3, 0));
	turnstile_done(&turnstile, true, 0);
	CHECK(next(0) == &crowd[2]);
	turnstile_done(&turnstile, true, 0);
	CHECK(next(0) == &other);
	turnstile_done(&turnstile, true, 0);
	CHECK(next(0) == &crowd[3]);
	turnstile_done(&turnstile, true, 0);
	CHECK(!next(0));
	CHECK_NUMBER(again_ms, UINT64_MAX);
	turnstile_fini(&turnstile);
}

static void failures_delay_their_place_and_no_other(void)
{
	struct ticket crowd[3], honest;

	turnstile_init(&turnstile, 1);
	for (size_t at = 0; at < 3; at++)
		CHECK(enter(&crowd[at], 1, 0));
	CHECK(next(0) == &crowd[0]);
	turnstile_done(&turnstile, false, 0);
	CHECK(!next(TURNSTILE_DELAY_LEAST_MS - 1));
	CHECK_NUMBER(again_ms, TURNSTILE_DELAY_LEAST_MS);
	CHECK(enter(&honest, 2, 1));
	CHECK(next(1) == &honest);
	CHECK(!turnstile_is_suspicious(&turnstile));
	turnstile_done(&turnstile, true, 1);
	CHECK(next(TURNSTILE_DELAY_LEAST_MS) == &crowd[1]);
	CHECK(turnstile_is_suspicious(&turnstile));
	turnstile_done(&turnstile, false, 100);
	CHECK(!next(100));
	CHECK_NUMBER(again_ms, 100 + 2 * TURNSTILE_DELAY_LEAST_MS);
	CHECK(next(again_ms) == &crowd[2]);
	turnstile_done(&turnstile, true, 1000);
	CHECK(enter(&crowd[0], 1, 1000));
	CHECK(next(1000) == &crowd[0]);
	turnstile_done(&turnstile, true, 1000);
	turnstile_fini(&turnstile);
}

static void the_delay_has_an_end(void)
{
	struct ticket ticket;
	uint64_t now_ms = 0;

	turnstile_init(&turnstile, 1);
	for (int count = 0; count < 100; count++) {
		CHECK(enter(&ticket, 1, now_ms));
		if (!next(now_ms)) {
			CHECK(again_ms - now_ms <= TURNSTILE_DELAY_MOST_MS);
			now_ms = again_ms;
			CHECK(next(now_ms) == &ticket);
		}
		turnstile_done(&turnstile, false, now_ms);
	}
	/* And it is forgotten when there was peace for as long. */
	now_ms += 2 * TURNSTILE_DELAY_MOST_MS;
	CHECK(enter(&ticket, 1, now_ms));
	CHECK(next(now_ms) == &ticket);
	turnstile_done(&turnstile, false, now_ms);
	CHECK(enter(&ticket, 1, now_ms));
	CHECK(!next(now_ms));
	CHECK_NUMBER(again_ms - now_ms, TURNSTILE_DELAY_LEAST_MS);
	turnstile_leave(&ticket);
	turnstile_fini(&turnstile);
}

static void a_row_is_bounded(void)
{
	static struct ticket crowd[TURNSTILE_ROW + 1];
	struct ticket other;

	turnstile_init(&turnstile, 1);
	for (size_t at = 0; at < TURNSTILE_ROW; at++)
		CHECK(enter(&crowd[at], 1, 0));
	CHECK(!enter(&crowd[TURNSTILE_ROW], 1, 0));
	CHECK(enter(&other, 2, 0));
	/* Who leaves makes room. */
	turnstile_leave(&crowd[3]);
	CHECK(enter(&crowd[TURNSTILE_ROW], 1, 0));
	for (size_t at = 0; at <= TURNSTILE_ROW; at++)
		turnstile_leave(&crowd[at]);
	turnstile_leave(&other);
	CHECK(!next(0));
	turnstile_fini(&turnstile);
}

static void places_are_bounded_and_old_ones_make_room(void)
{
	static struct ticket crowd[MANY];
	unsigned entered = 0;

	turnstile_init(&turnstile, 1);
	for (unsigned at = 0; at < MANY; at++)
		entered += enter(&crowd[at], at, 0);
	/* Their networks are as many; the last of them share one place. */
	CHECK_NUMBER(entered, MANY);
	CHECK_NUMBER(turnstile.by_place.count, TURNSTILE_PLACES + TURNSTILE_NETWORKS + 1);
	for (unsigned at = 0; at < MANY; at++)
		turnstile_leave(&crowd[at]);
	CHECK(enter(&crowd[0], MANY, 0));
	CHECK(turnstile.by_place.count == 1);
	turnstile_leave(&crowd[0]);
	turnstile_fini(&turnstile);
}

/* All of them wait in different places, each of which has failed before: 1.2.x.y. */
static void a_range_of_addresses_leaves_room_for_others(void)
{
	static struct ticket crowd[MANY];
	struct ticket honest, *served;
	unsigned turns = 0;

	turnstile_init(&turnstile, 1);
	for (unsigned at = 0; at < MANY; at++)
		CHECK(enter(&crowd[at], 0x0201 | at << 16, 0));
	CHECK(enter(&honest, 0x0909, 0));
	while ((served = next(0)) && served != &honest && turns++ < 2 * MANY)
		turnstile_done(&turnstile, false, 0);
	CHECK(served == &honest);
	/* After one of each place, and one of their network. */
	CHECK_NUMBER(turns, TURNSTILE_PLACES + 1);
	turnstile_done(&turnstile, true, 0);
	for (unsigned at = 0; at < MANY; at++)
		turnstile_leave(&crowd[at]);
	turnstile_fini(&turnstile);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(rows_take_turns),
		TEST_CASE(failures_delay_their_place_and_no_other),
		TEST_CASE(the_delay_has_an_end),
		TEST_CASE(a_row_is_bounded),
		TEST_CASE(places_are_bounded_and_old_ones_make_room),
		TEST_CASE(a_range_of_addresses_leaves_room_for_others),
	};

	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
