/* SPDX-License-Identifier: MIT */
/*
 * Who started the daemon and watches over it: supervisor_systemd.c or supervisor_none.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SUPERVISOR_NAME = 64 };

/* A descriptor that was handed over. Its name says what it is for; order never matters. */
struct supervisor_socket {
	int fd;
	char name[SUPERVISOR_NAME];
};

/* How many there are, at most `most`; -errno. The environment forgets them. */
int supervisor_sockets(struct supervisor_socket *sockets, size_t most);

/* How often supervisor_alive() is expected; 0: never. */
uint64_t supervisor_watchdog_ms(void);

/* Is there anybody who reads a status? */
bool supervisor_watches(void);

/*
 * Are we in a network that no other process is in? 1 or 0; -errno: the supervisor does not say, for
 * which it is waited up to two seconds.
 */
int supervisor_network_is_private(void);

/* 0 or -errno: it was not told. */
int supervisor_ready(const char *status);
void supervisor_status(const char *status);
/* Its settings are taken anew; supervisor_ready() follows. */
void supervisor_reloading(void);

void supervisor_stopping(const char *status);
void supervisor_alive(void);

/*
 * The supervisor keeps a copy of this descriptor, in place of what it kept under that name, and
 * gives it to the next process, unless it drops it: then nobody has the other end any more.
 */
void supervisor_store(int fd, const char *name);

/*
 * Asks the supervisor to answer when it has taken note of all that it was told; the second waits
 * for that, but not longer. What is done in between costs no time.
 */
int supervisor_ask(void); /* a descriptor, or -1 */
void supervisor_await(int answer, unsigned most_ms);
