/* SPDX-License-Identifier: MIT */
#include "os/supervisor.h"

int supervisor_sockets(struct supervisor_socket *sockets, size_t most)
{
	(void)sockets, (void)most;
	return 0;
}

uint64_t supervisor_watchdog_ms(void)
{
	return 0;
}

bool supervisor_watches(void)
{
	return false;
}

int supervisor_network_is_private(void)
{
	return 0;
}

int supervisor_ready(const char *status)
{
	(void)status;
	return 0;
}

void supervisor_status(const char *status)
{
	(void)status;
}

void supervisor_reloading(void)
{
}

void supervisor_stopping(const char *status)
{
	(void)status;
}

void supervisor_alive(void)
{
}

void supervisor_store(int fd, const char *name)
{
	(void)fd, (void)name;
}

int supervisor_ask(void)
{
	return -1;
}

void supervisor_await(int answer, unsigned most_ms)
{
	(void)answer, (void)most_ms;
}
