/* SPDX-License-Identifier: MIT */
/*
 * A question's way: units_ask() → waiting → asked → answered, or abandoned with the bus; then it is
 * in no list. All that concerns the bus happens in go_on(), which the loop calls.
 */
#include "os/units.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

enum {
	/* PID 1 has other things to do, too, when thousands connect at once. */
	ASKED_MOST = 16,
	RETRY_MS = 1000,
};

struct unit {
	struct list link; /* units.waiting or units.asked */
	struct units *units;
	char *name;
	pid_t pid;
	int process;    /* its descriptor; -1: none */
	bool is_sure;   /* the name is that of this very process */
	bool is_asked;
	bool is_orphan; /* asked, but nobody is interested any more */
};

static void tell(struct units *units, const char *why)
{
	if (units->was_told)
		return;
	units->was_told = true;
	units->failed(units, why);
}

static void close_process(struct unit *unit)
{
	if (unit->process >= 0)
		close(unit->process);
	unit->process = -1;
}

static void discard(struct unit *unit)
{
	list_remove(&unit->link);
	close_process(unit);
	free(unit->name);
	free(unit);
}

/* There is an answer, or there will be none. */
static void finish(struct unit *unit)
{
	struct units *units = unit->units;

	list_remove(&unit->link);
	if (unit->is_asked)
		units->asked_count--;
	unit->is_asked = false;
	close_process(unit);
	if (unit->is_orphan)
		discard(unit);
	else if (units->answered)
		units->answered(units);
}

/* A descriptor of a process can be read from when it has ended. */
static bool lives(int process)
{
	struct pollfd end = {.fd = process, .events = POLLIN};

	return process >= 0 && poll(&end, 1, 0) == 0;
}

/* That a process has gone, or is in no unit, is an answer; that nobody may be asked is not. */
static bool is_trouble(const sd_bus_error *error)
{
	static const char bus_itself[] = "org.freedesktop.DBus.Error.";

	return error->name && strncmp(error->name, bus_itself, strlen(bus_itself)) == 0;
}

static int on_answer(sd_bus_message *answer, void *context, sd_bus_error *returned)
{
	const sd_bus_error *error = sd_bus_message_get_error(answer);
	struct unit *unit = context;
	const char *path;

	(void)returned;
	if (error && is_trouble(error))
		tell(unit->units, error->message ? error->message : error->name);
	/* Without memory the name stays unknown. */
	if (!error && sd_bus_message_read(answer, "o", &path) > 0)
		(void)sd_bus_path_decode(path, "/org/freedesktop/systemd1/unit", &unit->name);
	unit->is_sure = lives(unit->process);
	finish(unit);
	return 0;
}

/* 0 or -errno. */
static int ask_some(struct units *units)
{
	while (!list_is_empty(&units->waiting) && units->asked_count < ASKED_MOST) {
		struct unit *unit = container_of(units->waiting.next, struct unit, link);
		int error = sd_bus_call_method_async(
			units->bus, NULL, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
			"org.freedesktop.systemd1.Manager", "GetUnitByPID", on_answer, unit, "u",
			(uint32_t)unit->pid);

		if (error < 0)
			return error;
		list_remove(&unit->link);
		list_append(&units->asked, &unit->link);
		unit->is_asked = true;
		units->asked_count++;
	}
	return 0;
}

/* Those who wait for it learn nothing. */
static void close_bus(struct units *units, int error)
{
	struct list *link;

	list_move_all(&units->asked, &units->waiting);
	if (!list_is_empty(&units->asked))
		tell(units, strerror(-error));
	loop_forget(units->loop, &units->source);
	loop_cancel_timer(units->loop, &units->timer);
	units->bus = sd_bus_close_unref(units->bus);
	while ((link = list_pop(&units->asked)))
		finish(container_of(link, struct unit, link));
}

static int open_bus(struct units *units)
{
	uint64_t now_ms = units->loop->now_ms;

	if (units->bus)
		return 0;
	if (now_ms < units->retry_ms)
		return -EAGAIN;
	units->retry_ms = now_ms + RETRY_MS;
	return sd_bus_open_system(&units->bus);
}

/* 0 or -errno. */
static int process(struct units *units)
{
	int more;

	/* It may close its descriptor, and open another one of the same number. */
	loop_forget(units->loop, &units->source);
	do
		more = sd_bus_process(units->bus, NULL);
	while (more > 0);
	return more;
}

/* When the bus wants to be looked at again. 0 or -errno. */
static int watch(struct units *units)
{
	int events = sd_bus_get_events(units->bus);
	uint64_t now_ms = units->loop->now_ms;
	uint64_t due_us;
	int error;

	if (events < 0)
		return events;
	units->source.fd = sd_bus_get_fd(units->bus);
	error = loop_want(units->loop, &units->source,
			  (events & POLLIN ? POLLER_READ : 0) |
				  (events & POLLOUT ? POLLER_WRITE : 0));
	if (error == 0)
		error = sd_bus_get_timeout(units->bus, &due_us);
	if (error < 0)
		return error;
	loop_cancel_timer(units->loop, &units->timer);
	if (due_us == UINT64_MAX)
		return 0;
	due_us = due_us / 1000 + 1;
	return loop_set_timer(units->loop, &units->timer, due_us > now_ms ? due_us : now_ms);
}

static void go_on(struct units *units)
{
	int error = open_bus(units);

	if (error >= 0)
		error = process(units);
	if (error >= 0)
		error = ask_some(units);
	if (error >= 0)
		error = watch(units);
	if (error < 0)
		close_bus(units, error);
}

static void on_ready(struct source *source, unsigned ready)
{
	(void)ready;
	go_on(container_of(source, struct units, source));
}

static void on_timer(struct timer *timer)
{
	go_on(container_of(timer, struct units, timer));
}

void units_init(struct units *units, struct loop *loop)
{
	*units = (struct units){
		.loop = loop,
		.source = {.fd = -1, .ready = on_ready},
		.timer = {.expired = on_timer},
	};
	list_init(&units->waiting);
	list_init(&units->asked);
}

void units_fini(struct units *units)
{
	units->was_told = true;
	units->answered = NULL;
	close_bus(units, 0);
}

struct unit *units_ask(struct units *units, pid_t pid)
{
	struct unit *unit = pid > 0 ? malloc(sizeof(*unit)) : NULL;

	if (!unit)
		return NULL;
	*unit = (struct unit){.units = units, .pid = pid, .process = -1};
	list_init(&unit->link);
	/* When all those who are ready have been called: one turn for many who connect at once. */
	if (loop_set_timer(units->loop, &units->timer, units->loop->now_ms) < 0) {
		free(unit);
		return NULL;
	}
	list_append(&units->waiting, &unit->link);
	return unit;
}

struct unit *unit_of_name(struct slice name)
{
	struct unit *unit = malloc(sizeof(*unit));

	if (!unit)
		return NULL;
	*unit = (struct unit){.name = strndup(name.bytes, name.length), .process = -1};
	list_init(&unit->link);
	if (unit->name)
		return unit;
	free(unit);
	return NULL;
}

const char *unit_name(const struct unit *unit)
{
	return unit ? unit->name : NULL;
}

void unit_make_sure(struct unit *unit, int process)
{
	if (process < 0)
		return;
	if (unit_is_pending(unit) && unit->process < 0)
		unit->process = process;
	else
		close(process);
}

void unit_trust(struct unit *unit)
{
	if (unit)
		unit->is_sure = true;
}

bool unit_is_pending(const struct unit *unit)
{
	return unit && !list_is_empty(&unit->link);
}

const char *unit_sure_name(const struct unit *unit)
{
	return unit && unit->is_sure ? unit->name : NULL;
}

void unit_free(struct unit *unit)
{
	if (!unit)
		return;
	unit->is_orphan = true;
	if (!unit->is_asked)
		discard(unit);
}
