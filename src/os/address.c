/* SPDX-License-Identifier: MIT */
#include "os/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(sizeof(struct credentials) <= sizeof(((struct peer *)0)->bytes), "a peer's room");

struct peer peer_of_process(const struct credentials *credentials)
{
	struct peer peer = {.family = AF_UNIX, .port = credentials_are_known(credentials)};

	memcpy(peer.bytes, credentials, sizeof(*credentials));
	return peer;
}

struct credentials peer_credentials(const struct peer *peer)
{
	struct credentials credentials = {.uid = (uid_t)-1};

	if (peer->family == AF_UNIX && peer->port)
		memcpy(&credentials, peer->bytes, sizeof(credentials));
	return credentials;
}

struct peer peer_of(const struct sockaddr *address)
{
	struct peer peer = {.family = (uint8_t)address->sa_family};

	if (address->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, address, sizeof(v4));
		memcpy(peer.bytes, &v4.sin_addr, 4);
		peer.port = ntohs(v4.sin_port);
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		bool mapped;

		memcpy(&v6, address, sizeof(v6));
		mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
		peer.family = mapped ? AF_INET : AF_INET6;
		if (mapped)
			memcpy(peer.bytes, &v6.sin6_addr.s6_addr[12], 4);
		else
			memcpy(peer.bytes, &v6.sin6_addr, 16);
		peer.port = ntohs(v6.sin6_port);
	} else {
		return peer_of_process(&(struct credentials){.uid = (uid_t)-1});
	}
	return peer;
}

static char *put_byte(char *to, unsigned char byte)
{
	if (byte >= 100)
		*to++ = (char)('0' + byte / 100);
	if (byte >= 10)
		*to++ = (char)('0' + byte / 10 % 10);
	*to++ = (char)('0' + byte % 10);
	return to;
}

/* inet_ntop() goes through printf(): most of what it costs to tell each client his address. */
static void ipv4_text(const unsigned char bytes[4], char *to)
{
	for (int at = 0; at < 4; at++) {
		to = put_byte(to, bytes[at]);
		*to++ = at < 3 ? '.' : '\0';
	}
}

void peer_ip(const struct peer *peer, char text[ADDRESS_TEXT])
{
	text[0] = '\0';
	if (peer->family == AF_INET)
		ipv4_text(peer->bytes, text);
	else if (peer->family != AF_UNIX)
		inet_ntop(peer->family, peer->bytes, text, ADDRESS_TEXT);
}

void peer_text(const struct peer *peer, char text[ADDRESS_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (peer->family == AF_UNIX) {
		snprintf(text, ADDRESS_TEXT, "unix");
		return;
	}
	inet_ntop(peer->family, peer->bytes, ip, sizeof(ip));
	snprintf(text, ADDRESS_TEXT, peer->family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
		 peer->port);
}

static bool is_number(const char *text)
{
	text += *text == '-';
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* -1 to 65535, in plain digits. */
static bool read_port(const char *text, int *port)
{
	long value = strtol(text, NULL, 10);

	if (!is_number(text) || value < -1 || value > 65535)
		return false;
	*port = (int)value;
	return true;
}

static bool copy_host(char host[ADDRESS_TEXT], const char *from, size_t length)
{
	if (length >= ADDRESS_TEXT)
		return false;
	memcpy(host, from, length);
	host[length] = '\0';
	return true;
}

bool address_split(const char *text, char host[ADDRESS_TEXT], int *port)
{
	const char *close = text[0] == '[' ? strchr(text, ']') : NULL;
	const char *colon = strrchr(text, ':');

	if (close)
		return close > text + 1 &&
		       (!close[1] || (close[1] == ':' && read_port(close + 2, port))) &&
		       copy_host(host, text + 1, (size_t)(close - text - 1));
	if (!*text || text[0] == '[')
		return false;
	/* An IPv6 address without brackets has more than one colon, and no port. */
	if (colon && strchr(text, ':') != colon)
		return copy_host(host, text, strlen(text));
	if (colon)
		return read_port(colon + 1, port) &&
		       (colon == text || copy_host(host, text, (size_t)(colon - text)));
	if (is_number(text))
		return read_port(text, port);
	return copy_host(host, text, strlen(text));
}
