/* SPDX-License-Identifier: MIT */
#include "os/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"

int supervisor_sockets(struct supervisor_socket *sockets, size_t most)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);

	if (count > 0 && (size_t)count > most)
		count = -E2BIG;
	for (int at = 0; at < count; at++) {
		sockets[at].fd = SD_LISTEN_FDS_START + at;
		snprintf(sockets[at].name, SUPERVISOR_NAME, "%s", names ? names[at] : "");
	}
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
	return count;
}

uint64_t supervisor_watchdog_ms(void)
{
	uint64_t limit_us = 0;

	/* Twice within the limit, as sd_watchdog_enabled(3) advises. */
	return sd_watchdog_enabled(0, &limit_us) > 0 ? limit_us / 2000 : 0;
}

bool supervisor_watches(void)
{
	return getenv("NOTIFY_SOCKET") != NULL;
}

/* Of our own unit, over the system bus. */

enum { BUS_PATIENCE_US = 2000000 };

static int on_answer(sd_bus_message *message, void *data, sd_bus_error *error)
{
	(void)error;
	*(sd_bus_message **)data = sd_bus_message_ref(message);
	return 1;
}

/*
 * The calls of sd-bus that wait may do so for 25 seconds and more, at a bus that hangs. The answer
 * is yours to unref. 0 or -errno.
 */
static int get_property(sd_bus *bus, const char *interface, const char *property,
			uint64_t until_us, sd_bus_message **answer)
{
	int error = sd_bus_call_method_async(bus, NULL, "org.freedesktop.systemd1",
					     "/org/freedesktop/systemd1/unit/self",
					     "org.freedesktop.DBus.Properties", "Get", on_answer,
					     answer, "ss", interface, property);

	*answer = NULL;
	while (error >= 0 && !*answer) {
		uint64_t now_us = clock_now_ms() * 1000;

		if (now_us >= until_us)
			return -ETIMEDOUT;
		error = sd_bus_process(bus, NULL);
		if (error == 0)
			error = sd_bus_wait(bus, until_us - now_us);
	}
	if (error >= 0 && sd_bus_message_is_method_error(*answer, NULL))
		error = -sd_bus_message_get_errno(*answer);
	return error < 0 ? error : 0;
}

static int is_network_private(sd_bus *bus, uint64_t until_us)
{
	sd_bus_message *answer = NULL;
	int private = 0;
	int error = get_property(bus, "org.freedesktop.systemd1.Service", "PrivateNetwork",
				 until_us, &answer);

	if (error == 0)
		error = sd_bus_message_read(answer, "v", "b", &private);
	sd_bus_message_unref(answer);
	return error < 0 ? error : private;
}

/* Units can share a private network (JoinsNamespaceOf=, which holds in both directions). */
static int is_network_shared(sd_bus *bus, uint64_t until_us)
{
	sd_bus_message *answer = NULL;
	int error = get_property(bus, "org.freedesktop.systemd1.Unit", "JoinsNamespaceOf",
				 until_us, &answer);
	int shared = 0;

	if (error == 0)
		error = sd_bus_message_enter_container(answer, 'v', "as");
	if (error >= 0)
		error = sd_bus_message_enter_container(answer, 'a', "s");
	if (error >= 0)
		shared = !sd_bus_message_at_end(answer, false);
	sd_bus_message_unref(answer);
	return error < 0 ? error : shared;
}

int supervisor_network_is_private(void)
{
	uint64_t until_us = clock_now_ms() * 1000 + BUS_PATIENCE_US;
	sd_bus *bus = NULL;
	int answer = sd_bus_open_system(&bus);

	if (answer >= 0)
		answer = is_network_private(bus, until_us);
	if (answer > 0) {
		answer = is_network_shared(bus, until_us);
		answer = answer < 0 ? answer : !answer;
	}
	sd_bus_unref(bus);
	return answer;
}

int supervisor_ready(const char *status)
{
	int answer = sd_notifyf(0, "READY=1\nSTATUS=%s", status);

	return answer < 0 ? answer : 0;
}

void supervisor_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

void supervisor_reloading(void)
{
	struct timespec now;

	/* By the time systemd tells this reload from one before; without it it would wait for ever
	   where Type=notify-reload. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		   (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void supervisor_stopping(const char *status)
{
	sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

void supervisor_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void supervisor_store(int fd, const char *name)
{
	char text[64 + SUPERVISOR_NAME];

	/* In this order: the other one would drop both. */
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
	/* FDPOLL=0: a parcel whose other end is closed is just what the next process wants. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

/* The supervisor answers by closing its copy of the pipe, which is the last one then. */
int supervisor_ask(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	sd_pid_notify_with_fds(0, 0, "BARRIER=1", &ends[1], 1);
	close(ends[1]);
	return ends[0];
}

void supervisor_await(int answer, unsigned most_ms)
{
	struct pollfd hangup = {.fd = answer};

	if (answer < 0)
		return;
	(void)poll(&hangup, 1, (int)most_ms);
	close(answer);
}
