/* SPDX-License-Identifier: MIT */
#include "os/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NO_PORT = -77 };

#define NO_HOST "what was there"

/* What is not in the text stays as it was. */
static const struct row {
	const char *text;
	const char *host;
	int port;
} good[] = {
	{"127.0.0.1:4222", "127.0.0.1", 4222},
	{"localhost:1", "localhost", 1},
	{"a-b.example.org:65535", "a-b.example.org", 65535},
	{"0.0.0.0:0", "0.0.0.0", 0},
	{"host:-1", "host", -1},
	{"[::1]:4222", "::1", 4222},
	{"[::]:-1", "::", -1},
	{"[fe80::1%eth0]:4222", "fe80::1%eth0", 4222},
	{"[127.0.0.1]:5", "127.0.0.1", 5},
	{"[::1]", "::1", NO_PORT},
	{":4222", NO_HOST, 4222},
	{":0", NO_HOST, 0},
	{":-1", NO_HOST, -1},
	{"4222", NO_HOST, 4222},
	{"0", NO_HOST, 0},
	{"-1", NO_HOST, -1},
	{"65535", NO_HOST, 65535},
	{"localhost", "localhost", NO_PORT},
	{"127.0.0.1", "127.0.0.1", NO_PORT},
	{"4222x", "4222x", NO_PORT},
	/* Without brackets, more than one colon is an address of its own. */
	{"::", "::", NO_PORT},
	{"::1", "::1", NO_PORT},
	{"::1:4222", "::1:4222", NO_PORT},
	{"2001:db8::7", "2001:db8::7", NO_PORT},
	{"fe80::1%eth0", "fe80::1%eth0", NO_PORT},
};

static bool split(const char *text, char host[ADDRESS_TEXT], int *port)
{
	memset(host, 'x', ADDRESS_TEXT);
	memcpy(host, NO_HOST, sizeof(NO_HOST));
	*port = NO_PORT;
	return address_split(text, host, port);
}

static void check_refused(const char *text)
{
	char host[ADDRESS_TEXT];
	int port;

	if (split(text, host, &port))
		test_check_number(__FILE__, __LINE__, text, true, false);
}

static void every_form_is_split(void)
{
	for (size_t at = 0; at < COUNT(good); at++) {
		char host[ADDRESS_TEXT];
		int port;

		test_check_number(__FILE__, __LINE__, good[at].text,
				  split(good[at].text, host, &port), true);
		test_check_number(__FILE__, __LINE__, good[at].text, port, good[at].port);
		test_check_text(__FILE__, __LINE__, good[at].text, slice_of(host),
				slice_of(good[at].host));
	}
}

static void what_makes_no_sense_is_refused(void)
{
	static const char *const bad[] = {
		"", ":", "host:", "host:x", "host:4222x", "host:65536", "host:-2", "host:0x50",
		"host:99999999999999999999", ":x", ":65536", "[", "[]x", "[::1", "[::1]x",
		"[::1]4222", "[::1]:", "[::1]:x", "[::1]:65536", "[::1]:1:2",
	};

	for (size_t at = 0; at < COUNT(bad); at++)
		check_refused(bad[at]);
}

/* As a host it would be taken for an address: 70000 for 0.1.17.112. */
static void a_number_that_is_no_port_is_no_host_either(void)
{
	check_refused("65536");
	check_refused("70000");
	check_refused("4294967296");
	check_refused("-2");
}

static void a_port_has_nothing_before_its_digits(void)
{
	check_refused("host: 5");
	check_refused("host:+5");
	check_refused(":\t5");
	check_refused("[::1]: 5");
}

static void empty_brackets_are_no_address(void)
{
	check_refused("[]");
	check_refused("[]:4222");
}

static void a_host_may_fill_its_room_and_no_more(void)
{
	char text[ADDRESS_TEXT + 8];
	char host[ADDRESS_TEXT];
	int port;

	memset(text, 'h', sizeof(text));
	text[ADDRESS_TEXT - 1] = '\0';
	CHECK(split(text, host, &port));
	CHECK(strcmp(host, text) == 0);
	memcpy(text + ADDRESS_TEXT - 1, ":5", 3);
	CHECK(split(text, host, &port));
	CHECK_NUMBER(strlen(host), ADDRESS_TEXT - 1);
	CHECK_NUMBER(port, 5);
	memcpy(text + ADDRESS_TEXT - 1, "h:5", 4);
	check_refused(text);
	text[ADDRESS_TEXT] = '\0';
	check_refused(text);
	text[0] = '[';
	text[ADDRESS_TEXT] = 'h';
	memcpy(text + ADDRESS_TEXT + 1, "]:5", 4);
	check_refused(text);
	text[1] = ':';
	memcpy(text + ADDRESS_TEXT, ":", 2);
	check_refused(text);
}

/* A peer as accept(2) tells of it: no byte behind `length` may be read. */
static struct peer peer_alone(const void *address, size_t length)
{
	struct sockaddr *alone = malloc(length);
	struct peer peer;

	if (!alone)
		abort();
	memcpy(alone, address, length);
	peer = peer_of(alone);
	free(alone);
	return peer;
}

static struct peer peer_v4(const char *ip, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

	CHECK_NUMBER(inet_pton(AF_INET, ip, &v4.sin_addr), 1);
	return peer_alone(&v4, sizeof(v4));
}

static struct peer peer_v6(const char *ip, uint16_t port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	CHECK_NUMBER(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
	return peer_alone(&v6, sizeof(v6));
}

static void check_peer(const struct peer *peer, int family, const char *ip, const char *whole)
{
	char text[ADDRESS_TEXT];

	CHECK_NUMBER(peer->family, family);
	memset(text, 'x', sizeof(text));
	peer_ip(peer, text);
	test_check_text(__FILE__, __LINE__, "the address", slice_of(text), slice_of(ip));
	memset(text, 'x', sizeof(text));
	peer_text(peer, text);
	test_check_text(__FILE__, __LINE__, "the whole", slice_of(text), slice_of(whole));
}

static void a_v4_peer_is_address_and_port(void)
{
	struct peer peer = peer_v4("192.0.2.1", 4222);

	CHECK_NUMBER(peer.port, 4222);
	check_peer(&peer, AF_INET, "192.0.2.1", "192.0.2.1:4222");
	peer = peer_v4("255.255.255.255", 65535);
	CHECK_NUMBER(peer.port, 65535);
	check_peer(&peer, AF_INET, "255.255.255.255", "255.255.255.255:65535");
}

static void a_v6_peer_stands_in_brackets(void)
{
	struct peer peer = peer_v6("::1", 5);

	CHECK_NUMBER(peer.port, 5);
	check_peer(&peer, AF_INET6, "::1", "[::1]:5");
	peer = peer_v6("2001:db8:1:2:3:4:5:6", 65535);
	check_peer(&peer, AF_INET6, "2001:db8:1:2:3:4:5:6", "[2001:db8:1:2:3:4:5:6]:65535");
}

static void a_mapped_v4_peer_is_a_v4_peer(void)
{
	struct peer mapped = peer_v6("::ffff:192.0.2.1", 258);
	struct peer plain = peer_v4("192.0.2.1", 258);

	check_peer(&mapped, AF_INET, "192.0.2.1", "192.0.2.1:258");
	CHECK(memcmp(mapped.bytes, plain.bytes, sizeof(mapped.bytes)) == 0);
	CHECK_NUMBER(mapped.port, plain.port);
	/* Compatible is not mapped. */
	mapped = peer_v6("::192.0.2.1", 1);
	CHECK_NUMBER(mapped.family, AF_INET6);
}

static void a_unix_peer_has_no_address(void)
{
	/* An unnamed one: accept(2) fills in the family only. */
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct peer peer = peer_of((const struct sockaddr *)(const void *)&local);

	struct credentials nobody = peer_credentials(&peer);

	CHECK_NUMBER(peer.port, 0);
	check_peer(&peer, AF_UNIX, "", "unix");
	/* Above all, it is not root; nor is one of which nothing but the family is left. */
	CHECK(!credentials_are_known(&nobody));
	peer = (struct peer){.family = AF_UNIX};
	nobody = peer_credentials(&peer);
	CHECK(!credentials_are_known(&nobody));
}

static void a_process_keeps_its_credentials(void)
{
	struct credentials given = {.uid = 4294967294, .gid = 0, .pid = 4194304};
	struct peer peer = peer_of_process(&given);
	struct credentials taken = peer_credentials(&peer);

	check_peer(&peer, AF_UNIX, "", "unix");
	CHECK(credentials_are_known(&taken));
	CHECK_NUMBER(taken.uid, given.uid);
	CHECK_NUMBER(taken.gid, given.gid);
	CHECK_NUMBER(taken.pid, given.pid);
}

static void an_address_is_nobodys_credentials(void)
{
	struct peer peer = peer_v4("0.0.3.232", 1);
	struct credentials nobody = peer_credentials(&peer);

	CHECK(!credentials_are_known(&nobody));
	peer = peer_v6("::1", 1);
	nobody = peer_credentials(&peer);
	CHECK(!credentials_are_known(&nobody));
}

/* Two ends of one socket, both ours. */
static void the_kernel_knows_who_we_are(void)
{
	struct credentials other;
	int ends[2];

	CHECK_NUMBER(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	other = credentials_of(ends[0]);
	CHECK_NUMBER(other.uid, geteuid());
	CHECK_NUMBER(other.gid, getegid());
	CHECK(other.pid == getpid() || other.pid == 0);
	close(ends[0]);
	close(ends[1]);
	other = credentials_of(ends[0]);
	CHECK(!credentials_are_known(&other));
}

static const struct test_case cases[] = {
	TEST_CASE(every_form_is_split),
	TEST_CASE(what_makes_no_sense_is_refused),
	TEST_CASE(a_number_that_is_no_port_is_no_host_either),
	TEST_CASE(a_port_has_nothing_before_its_digits),
	TEST_CASE(empty_brackets_are_no_address),
	TEST_CASE(a_host_may_fill_its_room_and_no_more),
	TEST_CASE(a_v4_peer_is_address_and_port),
	TEST_CASE(a_v6_peer_stands_in_brackets),
	TEST_CASE(a_mapped_v4_peer_is_a_v4_peer),
	TEST_CASE(a_unix_peer_has_no_address),
	TEST_CASE(a_process_keeps_its_credentials),
	TEST_CASE(an_address_is_nobodys_credentials),
	TEST_CASE(the_kernel_knows_who_we_are),
};

int main(void)
{
	return test_run(cases, COUNT(cases));
}
