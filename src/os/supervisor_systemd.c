/* SPDX-License-Identifier: MIT */
#include "os/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

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

void supervisor_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void supervisor_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
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

void supervisor_settle(unsigned most_ms)
{
	sd_notify_barrier(0, most_ms * UINT64_C(1000));
}
