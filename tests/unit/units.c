/* SPDX-License-Identifier: MIT */
/*
 * The questions about units, and a bus that answers them as each case wants it: with names, errors,
 * late, or not at all.
 */
#include "os/units.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "os/clock.h"
#include "test.h"

enum { LIMIT_MS = 10000, HELD_MAX = 256, ASKED_MOST = 16 };

/* The bus's side. */
static struct {
	char name[64]; /* an abstract one, which leaves no file */
	int listener;
	sd_bus *bus;
	unsigned connections;
	unsigned questions;
	bool is_mute;      /* does not even take up the conversation */
	bool holds;        /* keeps the questions, for release() */
	const char *error; /* the answer to each question; NULL: a name */
	sd_bus_message *held[HELD_MAX];
	unsigned held_count;
} bus;

/* Ours. */
static struct {
	struct loop loop;
	struct units units;
	struct timer guard;
	unsigned told;
	char why[256];
} our;

/* The bus. */

static void answer(sd_bus_message *question)
{
	char path[128];
	uint32_t pid = 0;

	CHECK(sd_bus_message_read(question, "u", &pid) > 0);
	snprintf(path, sizeof(path), "/org/freedesktop/systemd1/unit/of_2d%u_2eservice", pid);
	if (bus.error)
		CHECK(sd_bus_reply_method_errorf(question, bus.error, "so it is") >= 0);
	else
		CHECK(sd_bus_reply_method_return(question, "o", path) >= 0);
}

static int on_question(sd_bus_message *question, void *context, sd_bus_error *error)
{
	(void)context, (void)error;
	if (sd_bus_message_is_method_call(question, "org.freedesktop.DBus", "Hello"))
		return sd_bus_reply_method_return(question, "s", ":1.7") < 0 ? -EIO : 1;
	if (!sd_bus_message_is_method_call(question, "org.freedesktop.systemd1.Manager",
					   "GetUnitByPID"))
		return 0;
	CHECK(strcmp(sd_bus_message_get_destination(question), "org.freedesktop.systemd1") == 0);
	CHECK(strcmp(sd_bus_message_get_path(question), "/org/freedesktop/systemd1") == 0);
	bus.questions++;
	if (bus.holds && bus.held_count < HELD_MAX)
		bus.held[bus.held_count++] = sd_bus_message_ref(question);
	else
		answer(question);
	return 1;
}

static void release(void)
{
	for (unsigned at = 0; at < bus.held_count; at++) {
		answer(bus.held[at]);
		sd_bus_message_unref(bus.held[at]);
	}
	bus.held_count = 0;
}

static void hang_up(void)
{
	for (unsigned at = 0; at < bus.held_count; at++)
		sd_bus_message_unref(bus.held[at]);
	bus.held_count = 0;
	bus.bus = sd_bus_close_unref(bus.bus);
}

static void bus_accept(void)
{
	int fd = accept4(bus.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	sd_id128_t id;

	if (fd < 0)
		return;
	bus.connections++;
	CHECK(bus.bus == NULL);
	CHECK(sd_id128_randomize(&id) == 0);
	CHECK(sd_bus_new(&bus.bus) >= 0);
	CHECK(sd_bus_set_fd(bus.bus, fd, fd) >= 0);
	CHECK(sd_bus_set_server(bus.bus, true, id) >= 0);
	CHECK(sd_bus_add_filter(bus.bus, NULL, on_question, NULL) >= 0);
	if (!bus.is_mute)
		CHECK(sd_bus_start(bus.bus) >= 0);
}

static void bus_step(void)
{
	if (bus.listener >= 0)
		bus_accept();
	while (bus.bus && !bus.is_mute && sd_bus_process(bus.bus, NULL) > 0)
		;
}

static void bus_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(bus.name));

	memcpy(address.sun_path + 1, bus.name, strlen(bus.name));
	bus.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(bind(bus.listener, (const struct sockaddr *)&address, length) == 0);
	CHECK(listen(bus.listener, 5) == 0);
}

static void bus_close(void)
{
	hang_up();
	if (bus.listener >= 0)
		close(bus.listener);
	bus.listener = -1;
}

/* Both. */

static void on_failed(struct units *units, const char *why)
{
	CHECK(units == &our.units);
	our.told++;
	snprintf(our.why, sizeof(our.why), "%s", why);
}

static void on_guard(struct timer *timer)
{
	(void)timer;
}

static void begin(void)
{
	char address[96];

	memset(&bus, 0, sizeof(bus));
	memset(&our, 0, sizeof(our));
	snprintf(bus.name, sizeof(bus.name), "minats-units-%ld", (long)getpid());
	snprintf(address, sizeof(address), "unix:abstract=%s", bus.name);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	bus.listener = -1;
	our.guard.expired = on_guard;
	CHECK(loop_init(&our.loop) == 0);
	units_init(&our.units, &our.loop);
	our.units.failed = on_failed;
}

static void end(void)
{
	units_fini(&our.units);
	loop_fini(&our.loop);
	bus_close();
}

static void step(uint64_t most_ms)
{
	bus_step();
	CHECK(loop_set_timer(&our.loop, &our.guard, clock_now_ms() + most_ms) == 0);
	CHECK(loop_turn(&our.loop) == 0);
}

#define SETTLE(condition)                                                             \
	do {                                                                          \
		uint64_t limit_ms = clock_now_ms() + LIMIT_MS;                        \
		while (!(condition) && clock_now_ms() < limit_ms)                     \
			step(1);                                                      \
		CHECK(condition);                                                     \
	} while (0)

/* Some more turns, in which what must not happen would. */
static void wait_a_while(void)
{
	for (int turn = 0; turn < 20; turn++)
		step(2);
}

static void check_name(const struct unit *unit, unsigned pid)
{
	char name[64];

	snprintf(name, sizeof(name), "of-%u.service", pid);
	CHECK(unit_name(unit) != NULL);
	if (unit_name(unit))
		test_check_text(__FILE__, __LINE__, "the name", slice_of(unit_name(unit)),
				slice_of(name));
}

/* Cases. */

static void without_a_question_the_bus_is_not_opened(void)
{
	begin();
	bus_open();
	wait_a_while();
	CHECK_NUMBER(bus.connections, 0);
	CHECK(our.units.bus == NULL);
	end();
}

static void a_name_comes_later(void)
{
	struct unit *unit;

	begin();
	bus_open();
	unit = units_ask(&our.units, 4711);
	CHECK(unit != NULL);
	CHECK(unit_name(unit) == NULL);
	SETTLE(unit_name(unit));
	check_name(unit, 4711);
	unit_free(unit);
	/* The bus stays open, and nothing is due. */
	wait_a_while();
	CHECK_NUMBER(bus.connections, 1);
	CHECK(our.units.timer.place == 0);
	unit = units_ask(&our.units, 1);
	SETTLE(unit_name(unit));
	check_name(unit, 1);
	unit_free(unit);
	CHECK_NUMBER(bus.connections, 1);
	CHECK_NUMBER(our.told, 0);
	end();
}

static unsigned answers;

static void count_answer(struct units *units)
{
	(void)units;
	answers++;
}

/* The other end of a socket to this process. */
static int our_process(void)
{
	int ends[2];
	int process;

	CHECK_NUMBER(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	process = credentials_process(ends[0]);
	close(ends[0]);
	close(ends[1]);
	return process;
}

/* Of a process that has ended: its pid may be another one's. */
static int ended_process(void)
{
	int ends[2];
	char byte;
	int process;
	pid_t pid;

	CHECK_NUMBER(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		(void)!read(ends[0], &byte, 1);
		_exit(0);
	}
	process = (int)syscall(SYS_pidfd_open, pid, 0);
	CHECK_NUMBER(write(ends[1], "", 1), 1);
	close(ends[0]);
	close(ends[1]);
	CHECK_NUMBER(waitpid(pid, NULL, 0), pid);
	return process;
}

static void a_name_is_sure_if_the_process_lives(void)
{
	int process = our_process();
	struct unit *sure, *ended, *unsure, *before;

	if (process < 0) {
		printf("# this kernel does not tell\n");
		return;
	}
	begin();
	bus_open();
	answers = 0;
	our.units.answered = count_answer;
	sure = units_ask(&our.units, 1);
	unit_make_sure(sure, process);
	ended = units_ask(&our.units, 2);
	unit_make_sure(ended, ended_process());
	unsure = units_ask(&our.units, 3);
	unit_make_sure(unsure, -1);
	CHECK(unit_is_pending(sure) && !unit_sure_name(sure));
	SETTLE(!unit_is_pending(sure) && !unit_is_pending(ended) && !unit_is_pending(unsure));
	CHECK_NUMBER(answers, 3);
	CHECK(unit_sure_name(sure) && strcmp(unit_sure_name(sure), "of-1.service") == 0);
	CHECK(unit_name(ended) && !unit_sure_name(ended));
	CHECK(unit_name(unsure) && !unit_sure_name(unsure));
	/* Too late. */
	unit_make_sure(unsure, our_process());
	CHECK(!unit_sure_name(unsure));
	before = unit_of_name(SLICE("a.service"));
	CHECK(!unit_sure_name(before) && !unit_is_pending(before));
	unit_trust(before);
	CHECK(unit_sure_name(before) && !unit_sure_name(NULL) && !unit_is_pending(NULL));
	unit_free(sure);
	unit_free(ended);
	unit_free(unsure);
	unit_free(before);
	/* Without an answer it is not pending for ever either. */
	bus_close();
	unsure = units_ask(&our.units, 4);
	SETTLE(!unit_is_pending(unsure));
	unit_free(unsure);
	end();
}

static void a_name_may_be_known_from_before(void)
{
	struct unit *unit = unit_of_name((struct slice){"of-1.service, and more", 12});

	CHECK(unit != NULL);
	check_name(unit, 1);
	unit_free(unit);
}

static void who_has_no_pid_is_not_asked_for(void)
{
	begin();
	bus_open();
	CHECK(units_ask(&our.units, 0) == NULL);
	CHECK(units_ask(&our.units, -1) == NULL);
	CHECK(unit_name(NULL) == NULL);
	unit_free(NULL);
	wait_a_while();
	CHECK_NUMBER(bus.connections, 0);
	end();
}

static void only_some_questions_are_under_way(void)
{
	struct unit *all[100];

	begin();
	bus_open();
	bus.holds = true;
	for (unsigned at = 0; at < 100; at++)
		all[at] = units_ask(&our.units, (pid_t)at + 1);
	SETTLE(bus.questions == ASKED_MOST);
	wait_a_while();
	CHECK_NUMBER(bus.questions, ASKED_MOST);
	while (bus.questions < 100 && !test_failures) {
		unsigned before = bus.questions;
		unsigned after = before + ASKED_MOST < 100 ? before + ASKED_MOST : 100;

		release();
		SETTLE(bus.questions == after);
	}
	release();
	SETTLE(unit_name(all[99]));
	for (unsigned at = 0; at < 100; at++) {
		check_name(all[at], at + 1);
		unit_free(all[at]);
	}
	CHECK_NUMBER(our.told, 0);
	end();
}

/* Clients that come and go may not get round the limit. */
static void the_answer_for_one_who_left_is_thrown_away(void)
{
	struct unit *left[2 * ASKED_MOST];
	struct unit *stays;

	begin();
	bus_open();
	bus.holds = true;
	for (unsigned at = 0; at < 2 * ASKED_MOST; at++)
		left[at] = units_ask(&our.units, (pid_t)at + 1);
	stays = units_ask(&our.units, 4711);
	SETTLE(bus.questions == ASKED_MOST);
	for (unsigned at = 0; at < 2 * ASKED_MOST; at++)
		unit_free(left[at]);
	wait_a_while();
	CHECK_NUMBER(bus.questions, ASKED_MOST);
	release();
	/* Those who left before they were asked for are not asked for any more. */
	SETTLE(bus.questions == ASKED_MOST + 1);
	release();
	SETTLE(unit_name(stays));
	check_name(stays, 4711);
	unit_free(stays);
	end();
}

static void a_process_without_a_unit_is_no_trouble(void)
{
	struct unit *unit;

	begin();
	bus_open();
	bus.error = "org.freedesktop.systemd1.NoUnitForPID";
	unit = units_ask(&our.units, 4711);
	SETTLE(bus.questions == 1 && our.units.asked_count == 0);
	CHECK(unit_name(unit) == NULL);
	CHECK_NUMBER(our.told, 0);
	unit_free(unit);
	end();
}

static void a_refusal_is_told_once(void)
{
	struct unit *units[3];

	begin();
	bus_open();
	bus.error = "org.freedesktop.DBus.Error.AccessDenied";
	for (unsigned at = 0; at < 3; at++)
		units[at] = units_ask(&our.units, 4711);
	SETTLE(bus.questions == 3 && our.units.asked_count == 0);
	CHECK_NUMBER(our.told, 1);
	CHECK(strcmp(our.why, "so it is") == 0);
	for (unsigned at = 0; at < 3; at++) {
		CHECK(unit_name(units[at]) == NULL);
		unit_free(units[at]);
	}
	end();
}

static void a_bus_that_is_not_there_is_told_once_and_found_later(void)
{
	struct unit *unit, *other;

	begin();
	unit = units_ask(&our.units, 1);
	SETTLE(our.told == 1);
	CHECK(strcmp(our.why, strerror(ECONNREFUSED)) == 0);
	other = units_ask(&our.units, 2);
	wait_a_while();
	CHECK_NUMBER(our.told, 1);
	CHECK(our.units.timer.place == 0);
	CHECK(unit_name(unit) == NULL);
	CHECK(unit_name(other) == NULL);
	unit_free(unit);
	unit_free(other);
	bus_open();
	/* It is not tried again at once: ask until it is. */
	unit = NULL;
	SETTLE((unit_free(unit), unit = units_ask(&our.units, 3), step(1), bus.connections == 1));
	SETTLE(unit_name(unit));
	check_name(unit, 3);
	unit_free(unit);
	CHECK_NUMBER(our.told, 1);
	end();
}

static void a_bus_that_goes_away_takes_its_questions_along(void)
{
	struct unit *asked, *left, *waiting[ASKED_MOST];

	begin();
	bus_open();
	bus.holds = true;
	asked = units_ask(&our.units, 1);
	left = units_ask(&our.units, 2);
	for (unsigned at = 0; at < ASKED_MOST; at++)
		waiting[at] = units_ask(&our.units, 3);
	SETTLE(bus.questions == ASKED_MOST);
	unit_free(left);
	hang_up();
	SETTLE(our.units.bus == NULL);
	CHECK_NUMBER(our.told, 1);
	CHECK(unit_name(asked) == NULL);
	CHECK(list_is_empty(&our.units.waiting));
	CHECK_NUMBER(our.units.asked_count, 0);
	unit_free(asked);
	for (unsigned at = 0; at < ASKED_MOST; at++)
		unit_free(waiting[at]);
	bus.holds = false;
	asked = NULL;
	SETTLE((unit_free(asked), asked = units_ask(&our.units, 5), step(1), bus.connections == 2));
	SETTLE(unit_name(asked));
	check_name(asked, 5);
	unit_free(asked);
	end();
}

static void a_bus_that_goes_away_idle_is_not_told(void)
{
	struct unit *unit;

	begin();
	bus_open();
	unit = units_ask(&our.units, 1);
	SETTLE(unit_name(unit));
	hang_up();
	SETTLE(our.units.bus == NULL);
	CHECK_NUMBER(our.told, 0);
	check_name(unit, 1);
	unit_free(unit);
	end();
}

/* The loop sleeps as well as it does without. */
static void a_bus_that_says_nothing_is_waited_for_asleep(void)
{
	struct unit *unit, *other;
	uint64_t until_ms;
	unsigned turns = 0;

	begin();
	bus_open();
	bus.is_mute = true;
	unit = units_ask(&our.units, 1);
	SETTLE(bus.connections == 1);
	wait_a_while();
	until_ms = clock_now_ms() + 300;
	for (; clock_now_ms() < until_ms; turns++)
		step(100);
	CHECK(turns <= 5);
	CHECK(unit_name(unit) == NULL);
	CHECK_NUMBER(our.told, 0);
	/* Both ways to end: before the bus, and after it. */
	other = units_ask(&our.units, 2);
	unit_free(unit);
	end();
	unit_free(other);
}

static const struct test_case cases[] = {
	TEST_CASE(without_a_question_the_bus_is_not_opened),
	TEST_CASE(a_name_comes_later),
	TEST_CASE(a_name_is_sure_if_the_process_lives),
	TEST_CASE(a_name_may_be_known_from_before),
	TEST_CASE(who_has_no_pid_is_not_asked_for),
	TEST_CASE(only_some_questions_are_under_way),
	TEST_CASE(the_answer_for_one_who_left_is_thrown_away),
	TEST_CASE(a_process_without_a_unit_is_no_trouble),
	TEST_CASE(a_refusal_is_told_once),
	TEST_CASE(a_bus_that_is_not_there_is_told_once_and_found_later),
	TEST_CASE(a_bus_that_goes_away_takes_its_questions_along),
	TEST_CASE(a_bus_that_goes_away_idle_is_not_told),
	TEST_CASE(a_bus_that_says_nothing_is_waited_for_asleep),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
