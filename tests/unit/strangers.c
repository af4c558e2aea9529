/* SPDX-License-Identifier: MIT */
#include "server/strangers.h"

#include <sys/socket.h>

#include "os/address.h"

#include "test.h"

enum { MANY = 5000 };

static struct strangers strangers;

static struct place place(unsigned number)
{
	struct peer peer = {.family = AF_INET, .bytes = {10, (uint8_t)(number >> 8), (uint8_t)number}};

	return place_of(&peer);
}

static enum strangers_answer ask(const struct strangers_limits *limits, unsigned number,
				 uint64_t now_ms)
{
	struct place where = place(number);

	return strangers_ask(&strangers, limits, &where, now_ms);
}

static struct strangers_place *enter(unsigned number)
{
	struct place where = place(number);

	return strangers_enter(&strangers, &where);
}

static void enter_unknown(struct stranger *stranger, unsigned number)
{
	stranger_init(stranger);
	strangers_add(&strangers, stranger, enter(number));
}

static void leave(struct stranger *stranger)
{
	strangers_know(&strangers, stranger);
	strangers_leave(stranger->place);
}

static void a_place_has_so_many_connections(void)
{
	const struct strangers_limits limits = {.max_per_address = 2, .max_per_uid = 1};
	struct credentials me = {.uid = 1000, .gid = 1, .pid = 1};
	struct peer local = peer_of_process(&me);
	struct place here = place_of(&local);
	struct strangers_place *known, *local_place;
	struct stranger unknown;

	strangers_init(&strangers, 1);
	CHECK_NUMBER(ask(&limits, 1, 0), STRANGERS_WELCOME);
	enter_unknown(&unknown, 1);
	CHECK_NUMBER(ask(&limits, 1, 0), STRANGERS_WELCOME);
	known = enter(1);
	CHECK_NUMBER(ask(&limits, 1, 0), STRANGERS_TOO_MANY);
	CHECK_NUMBER(ask(&limits, 2, 0), STRANGERS_WELCOME);
	leave(&unknown);
	CHECK_NUMBER(ask(&limits, 1, 0), STRANGERS_WELCOME);
	/* A user of this machine has a limit of his own. */
	CHECK_NUMBER(strangers_ask(&strangers, &limits, &here, 0), STRANGERS_WELCOME);
	local_place = strangers_enter(&strangers, &here);
	CHECK_NUMBER(strangers_ask(&strangers, &limits, &here, 0), STRANGERS_TOO_MANY);
	strangers_leave(known);
	strangers_leave(local_place);
	strangers_leave(NULL);
	CHECK_NUMBER(strangers.count, 0);
	strangers_fini(&strangers);
}

static void a_place_has_a_rate_over_ten_seconds(void)
{
	const struct strangers_limits limits = {.rate = 5};
	unsigned count = 0;

	strangers_init(&strangers, 1);
	while (ask(&limits, 1, 1000) == STRANGERS_WELCOME)
		count++;
	CHECK_NUMBER(count, 5 * STRANGERS_RATE_SECONDS + 1);
	CHECK_NUMBER(ask(&limits, 2, 1000), STRANGERS_WELCOME);
	/* Who knocks on is not punished for it: */
	for (count = 0; count < 1000; count++)
		CHECK_NUMBER(ask(&limits, 1, 1100), STRANGERS_TOO_FAST);
	CHECK_NUMBER(ask(&limits, 1, 1200), STRANGERS_WELCOME);
	CHECK_NUMBER(ask(&limits, 1, 1200), STRANGERS_TOO_FAST);
	for (count = 0; ask(&limits, 1, 100000) == STRANGERS_WELCOME;)
		count++;
	CHECK_NUMBER(count, 5 * STRANGERS_RATE_SECONDS + 1);
	strangers_fini(&strangers);
}

static void this_machine_may_be_spared_the_rate(void)
{
	const struct strangers_limits limits = {.rate = 1, .spares_here = true};
	struct peer peer = {.family = AF_INET, .bytes = {127, 0, 0, 1}};
	struct place here = place_of(&peer);

	strangers_init(&strangers, 1);
	for (int count = 0; count < 1000; count++)
		CHECK_NUMBER(strangers_ask(&strangers, &limits, &here, 0), STRANGERS_WELCOME);
	for (int count = 0; count < 100; count++)
		ask(&limits, 1, 0);
	CHECK_NUMBER(ask(&limits, 1, 0), STRANGERS_TOO_FAST);
	strangers_fini(&strangers);
}

static void the_oldest_stranger_of_a_place_goes_first(void)
{
	const struct strangers_limits limits = {.max_strangers = 4, .max_strangers_per_place = 2};
	struct stranger all[6];

	strangers_init(&strangers, 1);
	enter_unknown(&all[0], 2);
	enter_unknown(&all[1], 1);
	enter_unknown(&all[2], 1);
	CHECK(!strangers_excess(&strangers, &limits, &all[2]));
	enter_unknown(&all[3], 1);
	CHECK(strangers_excess(&strangers, &limits, &all[3]) == &all[1]);
	strangers_know(&strangers, &all[1]);
	CHECK(!strangers_excess(&strangers, &limits, &all[3]));
	enter_unknown(&all[4], 3);
	CHECK(!strangers_excess(&strangers, &limits, &all[4]));
	enter_unknown(&all[5], 4);
	CHECK(strangers_excess(&strangers, &limits, &all[5]) == &all[0]);
	/* Who is known is no stranger, and in nobody's way. */
	CHECK(!strangers_excess(&strangers, &limits, &all[1]));
	for (size_t at = 0; at < 6; at++)
		leave(&all[at]);
	strangers_fini(&strangers);
}

static void places_are_forgotten_when_nobody_is_there(void)
{
	const struct strangers_limits limits = {.rate = 100};
	struct strangers_place *one;

	strangers_init(&strangers, 1);
	one = enter(MANY);
	for (unsigned at = 0; at < MANY; at++)
		CHECK_NUMBER(ask(&limits, at, at * 100), STRANGERS_WELCOME);
	CHECK(strangers.by_place.count < MANY / 2);
	strangers_leave(one);
	strangers_fini(&strangers);
}

static void a_place_is_an_address_a_network_or_a_user(void)
{
	struct peer one = {.family = AF_INET6, .bytes = {[0] = 0x20, [7] = 1, [15] = 1}};
	struct peer other = {.family = AF_INET6, .bytes = {[0] = 0x20, [7] = 1, [15] = 2}};
	struct peer loopback = {.family = AF_INET6, .bytes = {[15] = 1}};
	struct peer v4 = {.family = AF_INET, .bytes = {127, 1, 2, 3}};
	struct credentials me = {.uid = 1000, .gid = 1, .pid = 1};
	struct credentials same = {.uid = 1000, .gid = 2, .pid = 2};
	struct credentials root = {.uid = 0, .gid = 1, .pid = 1};
	struct peer local = peer_of_process(&me), again = peer_of_process(&same);
	struct peer third = peer_of_process(&root);
	struct place a = place_of(&one), b = place_of(&other);

	CHECK(slice_equal(place_slice(&a), place_slice(&b)));
	CHECK(!place_is_here(&a));
	other.bytes[7] = 2;
	b = place_of(&other);
	CHECK(!slice_equal(place_slice(&a), place_slice(&b)));
	a = place_of(&local);
	b = place_of(&again);
	CHECK(slice_equal(place_slice(&a), place_slice(&b)));
	CHECK(place_is_here(&a));
	b = place_of(&third);
	CHECK(!slice_equal(place_slice(&a), place_slice(&b)));
	a = place_of(&loopback);
	CHECK(place_is_here(&a));
	a = place_of(&v4);
	CHECK(place_is_here(&a));
	v4.bytes[0] = 128;
	a = place_of(&v4);
	CHECK(!place_is_here(&a));
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(a_place_has_so_many_connections),
		TEST_CASE(a_place_has_a_rate_over_ten_seconds),
		TEST_CASE(this_machine_may_be_spared_the_rate),
		TEST_CASE(the_oldest_stranger_of_a_place_goes_first),
		TEST_CASE(places_are_forgotten_when_nobody_is_there),
		TEST_CASE(a_place_is_an_address_a_network_or_a_user),
	};

	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
