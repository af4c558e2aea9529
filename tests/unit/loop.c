/* SPDX-License-Identifier: MIT */
/*
 * What a loop promises, whichever poller it stands on: written against os/loop.h and os/poller.h
 * only.
 */
#include "os/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

enum { LIMIT_SECONDS = 60, NEVER_MS = 20000 };

/* A source, what it has heard, and what it does then. */
struct ear {
	struct source source;
	struct loop *loop;
	int other; /* the far end of its descriptor */
	unsigned heard;
	unsigned ready;
	bool reads;
	struct timer *timer; /* cancelled when it hears */
};

static struct loop loop;

static void on_ready(struct source *source, unsigned ready)
{
	struct ear *ear = (struct ear *)(void *)source; /* its first member */
	char byte;

	ear->heard++;
	ear->ready = ready;
	if (ear->reads)
		CHECK_NUMBER(read(source->fd, &byte, 1), 1);
	if (ear->timer)
		loop_cancel_timer(ear->loop, ear->timer);
}

static struct ear *open_ear(unsigned want)
{
	struct ear *ear = calloc(1, sizeof(*ear));
	int ends[2];

	CHECK_NUMBER(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ear->source = (struct source){.fd = ends[0], .ready = on_ready};
	ear->other = ends[1];
	ear->loop = &loop;
	CHECK_NUMBER(loop_want(&loop, &ear->source, want), 0);
	return ear;
}

static void close_ear(struct ear *ear)
{
	loop_forget(&loop, &ear->source);
	close(ear->source.fd);
	close(ear->other);
	free(ear);
}

static void say(const struct ear *ear)
{
	CHECK_NUMBER(write(ear->other, "x", 1), 1);
}

/* A timer that counts. */
struct bell {
	struct timer timer;
	unsigned rung;
	unsigned order; /* when it rang, among all */
	uint64_t again_ms;
	unsigned times;
	struct bell *victim;
	struct ear *ear; /* forgotten when it rings */
};

static unsigned bells_rung;

static void on_expired(struct timer *timer)
{
	struct bell *bell = (struct bell *)(void *)timer; /* its first member */

	bell->rung++;
	bell->order = ++bells_rung;
	CHECK(loop.now_ms >= timer->due_ms);
	CHECK_NUMBER(timer->place, 0);
	if (bell->victim)
		loop_cancel_timer(&loop, &bell->victim->timer);
	if (bell->ear)
		loop_forget(&loop, &bell->ear->source);
	if (bell->times > bell->rung)
		CHECK_NUMBER(loop_set_timer(&loop, timer, loop.now_ms + bell->again_ms), 0);
}

static struct bell new_bell(void)
{
	return (struct bell){.timer.expired = on_expired};
}

static void set_bell(struct bell *bell, uint64_t after_ms)
{
	CHECK_NUMBER(loop_set_timer(&loop, &bell->timer, loop.now_ms + after_ms), 0);
}

static void turn(void)
{
	CHECK_NUMBER(loop_turn(&loop), 0);
}

/* A turn that need not have anything to do. */
static void short_turn(uint64_t ms)
{
	struct bell guard = new_bell();

	set_bell(&guard, ms);
	while (guard.rung == 0)
		turn();
}

static void begin(void)
{
	bells_rung = 0;
	CHECK_NUMBER(loop_init(&loop), 0);
}

#ifdef __linux__
/* Only TCP has something urgent to say everywhere. */
static void open_tcp_ends(int ends[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_NUMBER(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_NUMBER(listen(listener, 1), 0);
	CHECK_NUMBER(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	ends[1] = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_NUMBER(connect(ends[1], (struct sockaddr *)&address, sizeof(address)), 0);
	ends[0] = accept(listener, NULL, NULL);
	CHECK(ends[0] >= 0);
	close(listener);
}

/* As the kernel tells of memory.pressure. */
static void what_is_urgent_is_heard_by_who_wants_that(void)
{
	struct ear ear = {.source.ready = on_ready, .loop = &loop};
	int ends[2];

	begin();
	open_tcp_ends(ends);
	ear.source.fd = ends[0];
	CHECK_NUMBER(loop_want(&loop, &ear.source, POLLER_URGENT), 0);
	CHECK_NUMBER(send(ends[1], "x", 1, 0), 1);
	short_turn(50);
	CHECK_NUMBER(ear.heard, 0);
	CHECK_NUMBER(send(ends[1], "x", 1, MSG_OOB), 1);
	turn();
	CHECK(ear.heard > 0);
	CHECK_NUMBER(ear.ready, POLLER_URGENT);
	loop_forget(&loop, &ear.source);
	close(ends[0]);
	close(ends[1]);
	loop_fini(&loop);
}
#endif

static void a_source_hears_what_it_wants(void)
{
	struct ear *reader, *writer;

	begin();
	reader = open_ear(POLLER_READ);
	writer = open_ear(POLLER_WRITE);
	turn();
	CHECK_NUMBER(reader->heard, 0);
	CHECK_NUMBER(writer->heard, 1);
	CHECK_NUMBER(writer->ready, POLLER_WRITE);
	CHECK_NUMBER(loop_want(&loop, &writer->source, 0), 0);
	say(reader);
	say(writer);
	turn();
	CHECK_NUMBER(reader->heard, 1);
	CHECK_NUMBER(reader->ready, POLLER_READ);
	CHECK_NUMBER(writer->heard, 1);
	close_ear(reader);
	close_ear(writer);
	loop_fini(&loop);
}

static void both_ways_are_told(void)
{
	struct ear *ear;
	unsigned ready = 0;

	begin();
	ear = open_ear(POLLER_READ | POLLER_WRITE);
	say(ear);
	/* In one call or in two, as the kernel likes. */
	turn();
	ready |= ear->ready;
	turn();
	ready |= ear->ready;
	CHECK_NUMBER(ready, POLLER_READ | POLLER_WRITE);
	close_ear(ear);
	loop_fini(&loop);
}

static void what_is_not_dealt_with_is_told_again(void)
{
	struct ear *ear;

	begin();
	ear = open_ear(POLLER_READ);
	say(ear);
	say(ear);
	turn();
	turn();
	CHECK_NUMBER(ear->heard, 2);
	ear->reads = true;
	turn();
	turn();
	CHECK_NUMBER(ear->heard, 4);
	short_turn(20);
	CHECK_NUMBER(ear->heard, 4);
	close_ear(ear);
	loop_fini(&loop);
}

static void a_wish_may_change_and_change_back(void)
{
	static const unsigned wishes[] = {POLLER_WRITE, POLLER_READ | POLLER_WRITE, POLLER_READ, 0,
					  POLLER_WRITE, 0, POLLER_READ, POLLER_READ};
	struct ear *ear;

	begin();
	ear = open_ear(POLLER_READ);
	say(ear);
	for (size_t at = 0; at < sizeof(wishes) / sizeof(wishes[0]); at++) {
		unsigned ready = 0;

		CHECK_NUMBER(loop_want(&loop, &ear->source, wishes[at]), 0);
		CHECK_NUMBER(ear->source.want, wishes[at]);
		for (size_t turns = 0; wishes[at] && turns < 2; turns++) {
			turn();
			ready |= ear->ready;
		}
		CHECK_NUMBER(ready, wishes[at]);
		ear->ready = 0;
	}
	close_ear(ear);
	loop_fini(&loop);
}

static void who_wants_nothing_hears_nothing(void)
{
	struct ear *ear, *gone;

	begin();
	ear = open_ear(0);
	gone = open_ear(POLLER_READ);
	CHECK_NUMBER(loop_want(&loop, &gone->source, 0), 0);
	say(ear);
	say(gone);
	/* Not even that its other end is gone. */
	CHECK_NUMBER(shutdown(ear->other, SHUT_RDWR), 0);
	CHECK_NUMBER(shutdown(gone->other, SHUT_RDWR), 0);
	short_turn(20);
	CHECK_NUMBER(ear->heard, 0);
	CHECK_NUMBER(gone->heard, 0);
	close_ear(ear);
	close_ear(gone);
	loop_fini(&loop);
}

static void a_hang_up_is_told_to_who_reads_and_to_who_writes(void)
{
	struct ear *reader, *writer;

	begin();
	reader = open_ear(POLLER_READ);
	writer = open_ear(POLLER_WRITE);
	close(reader->other);
	close(writer->other);
	reader->other = writer->other = -1;
	turn();
	turn();
	CHECK(reader->heard > 0);
	CHECK_NUMBER(reader->ready, POLLER_READ);
	CHECK(writer->heard > 0);
	CHECK_NUMBER(writer->ready, POLLER_WRITE);
	close_ear(reader);
	close_ear(writer);
	loop_fini(&loop);
}

static void a_bad_descriptor_is_an_error(void)
{
	struct source source = {.fd = -1, .ready = on_ready};

	begin();
	CHECK_NUMBER(loop_want(&loop, &source, POLLER_READ), -EBADF);
	CHECK_NUMBER(source.want, 0);
	loop_fini(&loop);
}

/* Two sources are ready; whichever is called first forgets and frees the other. */
static struct ear *rivals[2];
static unsigned rivals_heard;

static void on_rival(struct source *source, unsigned ready)
{
	size_t other = (struct ear *)(void *)source == rivals[0];

	(void)ready;
	rivals_heard++;
	if (rivals[other])
		close_ear(rivals[other]);
	rivals[other] = NULL;
}

static void who_is_forgotten_in_a_turn_hears_nothing_of_it(void)
{
	for (size_t round = 0; round < 2; round++) {
		begin();
		rivals_heard = 0;
		for (size_t at = 0; at < 2; at++) {
			rivals[at] = open_ear(POLLER_READ);
			rivals[at]->source.ready = on_rival;
		}
		/* In which order they are told may depend on who was ready first. */
		say(rivals[round]);
		say(rivals[1 - round]);
		turn();
		CHECK_NUMBER(rivals_heard, 1);
		CHECK((rivals[0] == NULL) != (rivals[1] == NULL));
		turn();
		CHECK_NUMBER(rivals_heard, 2);
		for (size_t at = 0; at < 2; at++)
			if (rivals[at])
				close_ear(rivals[at]);
		loop_fini(&loop);
	}
}

static void on_change_of_mind(struct source *source, unsigned ready)
{
	size_t other = (struct ear *)(void *)source == rivals[0];

	(void)ready;
	rivals_heard++;
	CHECK_NUMBER(loop_want(&loop, &rivals[other]->source, 0), 0);
}

static void a_wish_withdrawn_in_a_turn_counts_at_once(void)
{
	begin();
	rivals_heard = 0;
	for (size_t at = 0; at < 2; at++) {
		rivals[at] = open_ear(POLLER_READ);
		rivals[at]->source.ready = on_change_of_mind;
		say(rivals[at]);
	}
	turn();
	CHECK_NUMBER(rivals_heard, 1);
	for (size_t at = 0; at < 2; at++)
		close_ear(rivals[at]);
	loop_fini(&loop);
}

static unsigned closed_heard;

static void on_last_call(struct source *source, unsigned ready)
{
	(void)ready;
	closed_heard++;
	close_ear((struct ear *)(void *)source);
}

static void a_handler_may_close_and_free_its_own_source(void)
{
	struct ear *ear;

	begin();
	closed_heard = 0;
	for (size_t at = 0; at < 10; at++) {
		ear = open_ear(POLLER_READ | POLLER_WRITE);
		ear->source.ready = on_last_call;
		say(ear);
	}
	for (size_t turns = 0; turns < 2; turns++)
		short_turn(1);
	CHECK_NUMBER(closed_heard, 10);
	loop_fini(&loop);
}

/* The first to be called closes the other and opens a new one, with the same descriptor. */
static struct ear *heir;

static void on_succession(struct source *source, unsigned ready)
{
	size_t other = (struct ear *)(void *)source == rivals[0];

	(void)ready;
	rivals_heard++;
	if (!rivals[other])
		return;
	close_ear(rivals[other]);
	rivals[other] = NULL;
	heir = open_ear(POLLER_READ);
}

static void a_new_source_does_not_inherit_an_event(void)
{
	begin();
	rivals_heard = 0;
	heir = NULL;
	for (size_t at = 0; at < 2; at++) {
		rivals[at] = open_ear(POLLER_READ);
		rivals[at]->source.ready = on_succession;
		say(rivals[at]);
	}
	turn();
	CHECK_NUMBER(rivals_heard, 1);
	CHECK(heir != NULL);
	if (heir) {
		CHECK_NUMBER(heir->heard, 0);
		turn();
		CHECK_NUMBER(heir->heard, 0);
		close_ear(heir);
	}
	for (size_t at = 0; at < 2; at++)
		if (rivals[at])
			close_ear(rivals[at]);
	loop_fini(&loop);
}

static void more_sources_than_one_turn_holds_are_all_heard(void)
{
	enum { EARS = LOOP_EVENTS + 50 };
	static struct ear *ears[EARS];

	begin();
	for (size_t at = 0; at < EARS; at++) {
		ears[at] = open_ear(POLLER_READ);
		ears[at]->reads = true;
		say(ears[at]);
	}
	turn();
	turn();
	for (size_t at = 0; at < EARS; at++) {
		CHECK_NUMBER(ears[at]->heard, 1);
		close_ear(ears[at]);
	}
	loop_fini(&loop);
}

static void timers_ring_in_their_order(void)
{
	enum { BELLS = 100 };
	struct bell bells[BELLS];

	begin();
	for (unsigned at = 0; at < BELLS; at++) {
		bells[at] = new_bell();
		/* 37 is prime to 100: every number from 0 to 99 comes up once. */
		set_bell(&bells[at], at * 37 % BELLS);
	}
	while (bells_rung < BELLS)
		turn();
	for (unsigned at = 0; at < BELLS; at++) {
		CHECK_NUMBER(bells[at].rung, 1);
		CHECK_NUMBER(bells[at].order, at * 37 % BELLS + 1);
	}
	CHECK_NUMBER(loop.timer_count, 0);
	loop_fini(&loop);
}

static void a_timer_is_never_early_and_hardly_late(void)
{
	static const uint64_t times_ms[] = {0, 1, 60, 700};

	begin();
	for (size_t at = 0; at < sizeof(times_ms) / sizeof(times_ms[0]); at++) {
		struct bell bell = new_bell();
		uint64_t start = loop.now_ms;

		set_bell(&bell, times_ms[at]);
		while (bell.rung == 0)
			turn();
		CHECK(loop.now_ms >= start + times_ms[at]);
		/* Plus what a loaded machine may take. */
		CHECK(loop.now_ms <= start + times_ms[at] + LOOP_COARSE_MS + 2000);
	}
	loop_fini(&loop);
}

static void a_timer_may_be_set_anew(void)
{
	struct bell early = new_bell(), late = new_bell();

	begin();
	set_bell(&early, NEVER_MS);
	set_bell(&late, 1);
	set_bell(&early, 2);
	set_bell(&late, 40);
	CHECK_NUMBER(loop.timer_count, 2);
	while (bells_rung < 2)
		turn();
	CHECK_NUMBER(early.order, 1);
	CHECK_NUMBER(late.order, 2);
	loop_fini(&loop);
}

static void a_cancelled_timer_does_not_ring(void)
{
	struct bell bells[20];

	begin();
	for (unsigned at = 0; at < 20; at++) {
		bells[at] = new_bell();
		set_bell(&bells[at], at % 7);
	}
	for (unsigned at = 0; at < 20; at += 2)
		loop_cancel_timer(&loop, &bells[at].timer);
	/* Twice is no harm. */
	loop_cancel_timer(&loop, &bells[0].timer);
	while (bells_rung < 10)
		turn();
	short_turn(20);
	for (unsigned at = 0; at < 20; at++)
		CHECK_NUMBER(bells[at].rung, at % 2);
	loop_fini(&loop);
}

static void a_timer_may_cancel_one_that_is_due_with_it(void)
{
	struct bell first = new_bell(), second = new_bell();

	begin();
	first.victim = &second;
	second.victim = &first;
	set_bell(&first, 0);
	set_bell(&second, 0);
	turn();
	short_turn(5);
	CHECK_NUMBER(first.rung + second.rung, 1);
	loop_fini(&loop);
}

static void a_timer_may_set_itself_again(void)
{
	struct bell bell = new_bell();
	uint64_t start;

	begin();
	bell.again_ms = 5;
	bell.times = 4;
	start = loop.now_ms;
	set_bell(&bell, 5);
	while (bell.rung < 4)
		turn();
	CHECK(loop.now_ms >= start + 20);
	short_turn(20);
	CHECK_NUMBER(bell.rung, 4);
	loop_fini(&loop);
}

static void many_timers_come_and_go(void)
{
	enum { BELLS = 2000 };
	static struct bell bells[BELLS];

	begin();
	for (unsigned at = 0; at < BELLS; at++) {
		bells[at] = new_bell();
		set_bell(&bells[at], NEVER_MS + at * 7919 % BELLS);
	}
	CHECK_NUMBER(loop.timer_count, BELLS);
	for (unsigned at = 0; at < BELLS; at++) {
		loop_cancel_timer(&loop, &bells[at * 7 % BELLS].timer);
		for (uint32_t place = 1; place <= loop.timer_count; place++) {
			const struct timer *timer = loop.timers[place - 1];

			if (at % 64 > 0)
				break;
			CHECK_NUMBER(timer->place, place);
			CHECK(loop.timers[place / 2 ? place / 2 - 1 : 0]->due_ms <= timer->due_ms);
		}
	}
	CHECK_NUMBER(loop.timer_count, 0);
	/* The room that they needed is given back. */
	CHECK(loop.timer_capacity < BELLS / 10);
	CHECK_NUMBER(bells_rung, 0);
	loop_fini(&loop);
}

static void an_event_goes_before_a_timer_of_the_same_turn(void)
{
	struct bell bell = new_bell();
	struct ear *ear;

	begin();
	ear = open_ear(POLLER_READ);
	ear->reads = true;
	say(ear);
	set_bell(&bell, 0);
	turn();
	CHECK_NUMBER(ear->heard, 1);
	CHECK_NUMBER(bell.rung, 1);
	/* So a handler can cancel what it made needless. */
	ear->timer = &bell.timer;
	say(ear);
	set_bell(&bell, 0);
	turn();
	CHECK_NUMBER(ear->heard, 2);
	CHECK_NUMBER(bell.rung, 1);
	CHECK_NUMBER(loop.timer_count, 0);
	close_ear(ear);
	loop_fini(&loop);
}

static void a_timer_may_forget_a_source(void)
{
	struct bell bell = new_bell();
	struct ear *ear;

	begin();
	ear = open_ear(POLLER_READ);
	bell.ear = ear;
	say(ear);
	set_bell(&bell, 0);
	turn();
	CHECK_NUMBER(bell.rung, 1);
	CHECK_NUMBER(ear->source.want, 0);
	ear->heard = 0;
	short_turn(5);
	CHECK_NUMBER(ear->heard, 0);
	close_ear(ear);
	loop_fini(&loop);
}

static void nothing_wakes_it_without_a_reason(void)
{
	struct bell bell = new_bell();
	struct ear *ear;
	unsigned turns = 0;

	begin();
	ear = open_ear(POLLER_READ);
	set_bell(&bell, 300);
	for (; bell.rung == 0; turns++)
		turn();
	CHECK_NUMBER(ear->heard, 0);
	/* The kernel may round a time-out down by a hair. */
	CHECK(turns <= 2);
	close_ear(ear);
	loop_fini(&loop);
}

/* Signals. */

static unsigned usr1_heard, usr2_heard, others_heard;

static void on_signal(struct loop *where, int number)
{
	CHECK(where == &loop);
	if (number == SIGUSR1)
		usr1_heard++;
	else if (number == SIGUSR2)
		usr2_heard++;
	else
		others_heard++;
}

static void signals_come_through_the_loop(void)
{
	static const int signals[] = {SIGUSR1, SIGUSR2};
	struct sigaction before[2];
	sigset_t mask;
	struct ear *ear;

	for (size_t at = 0; at < 2; at++)
		CHECK_NUMBER(sigaction(signals[at], NULL, &before[at]), 0);
	CHECK_NUMBER(sigprocmask(SIG_SETMASK, NULL, &mask), 0);
	usr1_heard = usr2_heard = others_heard = 0;
	begin();
	loop.signalled = on_signal;
	CHECK_NUMBER(poller_watch_signals(loop.poller, signals, 2), 0);
	ear = open_ear(POLLER_READ);
	short_turn(5);
	CHECK_NUMBER(usr1_heard + usr2_heard, 0);
	raise(SIGUSR1);
	turn();
	CHECK_NUMBER(usr1_heard, 1);
	raise(SIGUSR1);
	raise(SIGUSR2);
	say(ear);
	ear->reads = true;
	turn();
	/* Of two signals one may be left for the next turn. */
	short_turn(5);
	CHECK_NUMBER(usr1_heard, 2);
	CHECK_NUMBER(usr2_heard, 1);
	CHECK_NUMBER(others_heard, 0);
	CHECK_NUMBER(ear->heard, 1);
	close_ear(ear);
	loop_fini(&loop);
	for (size_t at = 0; at < 2; at++)
		sigaction(signals[at], &before[at], NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static const struct test_case cases[] = {
	TEST_CASE(a_source_hears_what_it_wants),
	TEST_CASE(both_ways_are_told),
	TEST_CASE(what_is_not_dealt_with_is_told_again),
	TEST_CASE(a_wish_may_change_and_change_back),
	TEST_CASE(who_wants_nothing_hears_nothing),
	TEST_CASE(a_hang_up_is_told_to_who_reads_and_to_who_writes),
	TEST_CASE(a_bad_descriptor_is_an_error),
	TEST_CASE(who_is_forgotten_in_a_turn_hears_nothing_of_it),
	TEST_CASE(a_wish_withdrawn_in_a_turn_counts_at_once),
	TEST_CASE(a_handler_may_close_and_free_its_own_source),
	TEST_CASE(a_new_source_does_not_inherit_an_event),
	TEST_CASE(more_sources_than_one_turn_holds_are_all_heard),
	TEST_CASE(timers_ring_in_their_order),
	TEST_CASE(a_timer_is_never_early_and_hardly_late),
	TEST_CASE(a_timer_may_be_set_anew),
	TEST_CASE(a_cancelled_timer_does_not_ring),
	TEST_CASE(a_timer_may_cancel_one_that_is_due_with_it),
	TEST_CASE(a_timer_may_set_itself_again),
	TEST_CASE(many_timers_come_and_go),
	TEST_CASE(an_event_goes_before_a_timer_of_the_same_turn),
	TEST_CASE(a_timer_may_forget_a_source),
	TEST_CASE(nothing_wakes_it_without_a_reason),
#ifdef __linux__
	TEST_CASE(what_is_urgent_is_heard_by_who_wants_that),
#endif
	TEST_CASE(signals_come_through_the_loop),
};

int main(void)
{
	/* A loop that waits for ever ends the program, and so fails the test. */
	alarm(LIMIT_SECONDS);
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
