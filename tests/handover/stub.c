/* SPDX-License-Identifier: MIT */
/*
 * What minats is measured against: the least that can stand in its place. The same unit, the same
 * libraries; takes its socket from the supervisor, says READY=1, accepts, writes a line to each client,
 * and closes it. SIGTERM ends it, as it ends who does nothing about it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return EXIT_FAILURE;
}

int main(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	char line[64];
	int poller, client;

	/* Calls the library only to be linked with it. */
	snprintf(line, sizeof(line), "INFO {\"jansson\":\"%s\"}\r\n", JANSSON_VERSION);
	json_decref(json_null());
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (sd_listen_fds(1) < 1 || poller < 0 ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, SD_LISTEN_FDS_START, &event) < 0)
		return fail("stub: no socket");
	sd_notify(0, "READY=1");
	while (epoll_wait(poller, &event, 1, -1) == 1) {
		client = accept4(SD_LISTEN_FDS_START, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0)
			continue;
		send(client, line, strlen(line), MSG_NOSIGNAL);
		/* To keep thousands of them would make its end slow. */
		close(client);
	}
	return fail("stub: epoll_wait");
}
