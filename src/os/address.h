/* SPDX-License-Identifier: MIT */
/*
 * Where to listen, and who is at the other end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "os/credentials.h"

struct sockaddr;

/* Enough for "[address%interface]:port" and for a Unix socket's path. */
enum { ADDRESS_TEXT = 128 };

/* The other end, in little space. */
struct peer {
	uint8_t bytes[16]; /* the address; of AF_UNIX the credentials, */
	uint16_t port;     /* unless this is 0 */
	uint8_t family; /* AF_INET, AF_INET6 or AF_UNIX; a v4-mapped address is AF_INET */
};

/* Of a Unix socket nothing more is known than that. */
struct peer peer_of(const struct sockaddr *address);

/* A process at the other end of a Unix socket. */
struct peer peer_of_process(const struct credentials *credentials);

/* Not known, but for peer_of_process(). */
struct credentials peer_credentials(const struct peer *peer);

/* The address alone; empty for a Unix socket. */
void peer_ip(const struct peer *peer, char text[ADDRESS_TEXT]);

/* "1.2.3.4:5", "[::1]:5" or "unix". */
void peer_text(const struct peer *peer, char text[ADDRESS_TEXT]);

/*
 * Splits "host:port", "[v6]:port", ":port", "port" or "host". What is not there stays as it was.
 * False: there is no sense in it. `port` -1 means any free port.
 */
bool address_split(const char *text, char host[ADDRESS_TEXT], int *port);
