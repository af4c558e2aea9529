/* SPDX-License-Identifier: MIT */
/*
 * Users, accounts and what another configuration does to those who are there: a whole server in a
 * child, whose configurations are made by hand; the clients are here.
 *
 * The child obeys a byte: a letter makes another configuration, as a reload would; behind "!" it
 * is one that a new process has, to which all clients are handed over.
 */
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/tags.h"
#include "os/listener.h"
#include "os/log.h"
#include "server/client.h"
#include "server/client_state.h"
#include "server/server.h"
#include "lists.h"
#include "folder.h"
#include "test.h"

#define HASH "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW"
/* Of the seed in RFC 8032, 7.1, test 1. */
#define NKEY "UDLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRUVAL"

enum { PATIENCE_MS = 10000, CLIENTS = 64, TEXT = 4096 };

/* The server's side. */

static void add(struct auth *auth, const struct auth_user *user)
{
	CHECK_NUMBER(auth_add_user(auth, user), AUTH_OK);
}

#define ADD(...) add(auth, &(struct auth_user){__VA_ARGS__})

static struct auth *configure(char letter)
{
	struct auth *auth = auth_new(4711);

	if (!auth)
		abort();
	CHECK_NUMBER(auth_add_account(auth, SLICE("A")), AUTH_OK);
	CHECK_NUMBER(auth_add_account(auth, SLICE("B")), AUTH_OK);
	switch (letter) {
	case 'n': /* nobody is asked */
		break;
	case 'u': /* users in two accounts */
		ADD(.name = "joe", .password = "sesame", .account = "A");
		ADD(.name = "jane", .password = "sesame", .account = "B");
		ADD(.name = "jim", .password = HASH, .account = "A");
		ADD(.nkey = NKEY, .account = "B");
		break;
	case 'c': /* a changed password */
		ADD(.name = "joe", .password = "other", .account = "A");
		ADD(.name = "jane", .password = "sesame", .account = "B");
		break;
	case 'm': /* moved to another account */
		ADD(.name = "joe", .password = "sesame", .account = "B");
		ADD(.name = "jane", .password = "sesame", .account = "B");
		break;
	case 'j': /* joe is gone */
		ADD(.name = "jane", .password = "sesame", .account = "B");
		break;
	case 'd': /* a user for those without credentials */
		ADD(.name = "joe", .password = "sesame", .account = "A");
		ADD(.name = "jane", .password = "sesame", .account = "B");
		CHECK_NUMBER(auth_set_no_auth_user(auth, SLICE("joe")), AUTH_OK);
		break;
	case 'a': /* joe answers, and hears all but secrets */
		ADD(.name = "joe", .password = "sesame", .account = "A",
		    .permit = make_permit(&(struct lists){.publish_allow = "pub",
							  .subscribe_deny = "secret.*",
							  .allow_responses = true,
							  .response_expiry_ms = -1}));
		ADD(.name = "jim", .password = "sesame", .account = "A");
		break;
	case 's': /* and hears nothing but a service */
		ADD(.name = "joe", .password = "sesame", .account = "A",
		    .permit = make_permit(&(struct lists){.subscribe_allow = "svc;svc q",
							  .allow_responses = true,
							  .response_expiry_ms = -1}));
		ADD(.name = "jim", .password = "sesame", .account = "A");
		break;
	case 'p': /* the kernel's word */
		ADD(.account = "A", .peer = {.has_uid = true, .uid = (uint32_t)geteuid()});
		ADD(.name = "jane", .password = "sesame", .account = "B");
		break;
	case 'q': /* and not his */
		ADD(.account = "A", .peer = {.has_uid = true, .uid = (uint32_t)geteuid() + 1});
		break;
	}
	return auth;
}

struct control {
	struct source source;
	struct server *server;
};

static void reload(struct server *server, char letter)
{
	char why[ACCESS_WHY];

	CHECK_NUMBER(access_replace(server, configure(letter), why), 0);
}

struct saved {
	struct tags_writer writer;
	int fd;
};

static int keep_nothing(struct state_payloads *payloads, struct slice bytes)
{
	(void)payloads, (void)bytes;
	return -1;
}

static bool contains(struct slice text, const char *part)
{
	return text.length > 0 && memmem(text.bytes, text.length, part, strlen(part));
}

static void save(struct client *client, struct saved *saved)
{
	struct state_payloads payloads = {.keep = keep_nothing};

	*saved = (struct saved){.fd = dup(client->stream.fd)};
	CHECK_NUMBER(client_save(client, &payloads, &saved->writer), 0);
	CHECK(!saved->writer.failed);
	CHECK(!contains(buf_slice(&saved->writer.out), "sesame"));
	CHECK(!contains(buf_slice(&saved->writer.out), HASH));
	client_drop(client, FAULT_SHUTDOWN);
}

/* As if another process had read it, which makes its own salt. */
static void hand_over(struct server *server, char letter)
{
	static struct saved all[CLIENTS];
	struct state_source source = {0};
	size_t count = 0;

	while (!list_is_empty(&server->clients))
		save(container_of(server->clients.next, struct client, link), &all[count++]);
	server->handover.salt = server->access.salt;
	server->access.salt = ~server->access.salt;
	reload(server, letter);
	for (size_t at = 0; at < count; at++) {
		const char *why = "";

		CHECK(client_load(server, all[at].fd, &source, buf_slice(&all[at].writer.out),
				  &why));
		buf_fini(&all[at].writer.out);
	}
}

static void on_control(struct source *source, unsigned ready)
{
	struct control *control = container_of(source, struct control, source);
	char letters[2] = "";

	(void)ready;
	if (read(source->fd, letters, 1) != 1) {
		server_stop(control->server);
		return;
	}
	if (letters[0] == '!' && read(source->fd, letters, 1) == 1)
		hand_over(control->server, letters[0]);
	else
		reload(control->server, letters[0]);
	CHECK_NUMBER(write(source->fd, letters, 1), 1);
}

static void listen_on(struct server *server, const char *host)
{
	char why[256] = "";
	int fd = listener_open(host, 0, why);

	CHECK(fd >= 0);
	CHECK_NUMBER(server_add_listener(server, fd, host), 0);
}

_Noreturn static void serve(int fd, const char *path)
{
	static const struct log_options log_options = {.target = LOG_TARGET_FILE,
						       .file = "/dev/null"};
	static char name[] = "minats";
	static char *const argv[] = {name, NULL};
	struct options options;
	struct server server;
	struct control control = {.source = {.fd = fd, .ready = on_control}, .server = &server};
	char why[512] = "";
	uint16_t port;
	struct log *log = log_new(&log_options, why);

	test_failures = 0;
	CHECK_NUMBER(options_read(&options, 1, argv, why), 0);
	if (!log || server_init(&server, &options, log, why))
		_exit(2);
	listen_on(&server, "127.0.0.1");
	listen_on(&server, path);
	port = container_of(server.listeners.next, struct listener, link)->port;
	CHECK_NUMBER(server_start(&server), 0);
	CHECK_NUMBER(loop_want(&server.loop, &control.source, POLLER_READ), 0);
	CHECK_NUMBER(write(fd, &port, sizeof(port)), sizeof(port));
	CHECK_NUMBER(server_run(&server), 0);
	loop_forget(&server.loop, &control.source);
	server_fini(&server);
	log_free(log);
	fflush(stdout);
	exit(test_failures > 0);
}

/* The clients' side. */

static char folder[FOLDER_ROOM];
static char unix_host[FOLDER_ROOM + 16];
static uint16_t port;
static int control;
static pid_t child;

static void begin(char letter)
{
	int ends[2];

	CHECK_NUMBER(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		serve(ends[1], unix_host);
	}
	close(ends[1]);
	control = ends[0];
	CHECK_NUMBER(read(control, &port, sizeof(port)), sizeof(port));
	CHECK_NUMBER(write(control, &letter, 1), 1);
	CHECK_NUMBER(read(control, &letter, 1), 1);
}

static void order(const char *letters)
{
	char answer;

	CHECK_NUMBER(write(control, letters, strlen(letters)), (intmax_t)strlen(letters));
	CHECK_NUMBER(read(control, &answer, 1), 1);
}

static void end(void)
{
	int status = -1;

	close(control);
	CHECK_NUMBER(waitpid(child, &status, 0), child);
	CHECK_NUMBER(status, 0);
}

static void say(int fd, const char *text)
{
	CHECK_NUMBER(send(fd, text, strlen(text), MSG_NOSIGNAL), (intmax_t)strlen(text));
}

/* One line with its CRLF; "" at the end. */
static const char *hear_line(int fd)
{
	static char line[TEXT];
	struct pollfd waited = {.fd = fd, .events = POLLIN};
	size_t length = 0;

	while (length < TEXT - 1 && poll(&waited, 1, PATIENCE_MS) > 0 &&
	       recv(fd, line + length, 1, 0) == 1 && line[length++] != '\n')
		;
	line[length] = '\0';
	return line;
}

static void hear(const char *file, int line, int fd, const char *expected)
{
	while (*expected) {
		size_t length = strcspn(expected, "\n") + 1;
		const char *heard = hear_line(fd);

		test_check_text(file, line, "what is heard", slice_of(heard),
				(struct slice){expected, length});
		expected += length;
	}
}

#define HEAR(fd, text) hear(__FILE__, __LINE__, (fd), (text))
#define HEAR_END(fd)                                              \
	do {                                                      \
		CHECK_TEXT(slice_of(hear_line(fd)), "");          \
		close(fd);                                        \
	} while (0)
#define VIOLATION "-ERR 'Authorization Violation'\r\n"

/* Its INFO is in `info`. */
static char info[TEXT];

static int open_socket(int fd, const void *address, socklen_t length)
{
	CHECK_NUMBER(connect(fd, address, length), 0);
	snprintf(info, sizeof(info), "%s", hear_line(fd));
	CHECK(slice_starts_with(slice_of(info), SLICE("INFO {")));
	return fd;
}

static int open_tcp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return open_socket(socket(AF_INET, SOCK_STREAM, 0), &address, sizeof(address));
}

static int open_unix(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", unix_host + strlen("unix:"));
	return open_socket(socket(AF_UNIX, SOCK_STREAM, 0), &address, sizeof(address));
}

static void present(int fd, const char *fields)
{
	char text[2 * TEXT];

	snprintf(text, sizeof(text), "CONNECT {\"verbose\":false%s%s}\r\nPING\r\n",
		 *fields ? "," : "", fields);
	say(fd, text);
}

static int join(const char *fields)
{
	int fd = open_tcp();

	present(fd, fields);
	HEAR(fd, "PONG\r\n");
	return fd;
}

static void rejects(const char *fields)
{
	int fd = open_tcp();

	present(fd, fields);
	HEAR(fd, VIOLATION);
	HEAR_END(fd);
}

#define JOE "\"user\":\"joe\",\"pass\":\"sesame\""
#define JANE "\"user\":\"jane\",\"pass\":\"sesame\""

/* Signatures, by the library that is to check them. */

struct signer {
	void *(*new_key)(int type, void *engine, const unsigned char *key, size_t length);
	void *(*new_context)(void);
	int (*begin)(void *context, void **key_context, const void *digest, void *engine, void *key);
	int (*sign)(void *context, unsigned char *signature, size_t *signature_length,
		    const unsigned char *text, size_t length);
	void (*free_key)(void *key);
	void (*free_context)(void *context);
};

static void find(void *library, const char *name, void *to)
{
	void *found = dlsym(library, name);

	if (!found)
		abort();
	memcpy(to, &found, sizeof(found));
}

/* 64 bytes: 86 letters, and "==" where there is padding. */
static void write_base64(const uint8_t bytes[64], bool url, char text[89])
{
	const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t at = 0;

	for (; at < 86; at++) {
		size_t bit = at * 6;
		unsigned two = (unsigned)bytes[bit / 8] << 8 | (bit / 8 < 63 ? bytes[bit / 8 + 1] : 0u);
		unsigned value = two >> (10 - bit % 8) & 63;

		text[at] = value < 62 ? letters[value] : (url ? "-_" : "+/")[value - 62];
	}
	snprintf(text + at, 3, "%s", url ? "" : "==");
}

/* What proves to be the owner of NKEY, for the nonce in `info`. */
static void sign(bool url, char fields[TEXT])
{
	static const unsigned char seed[32] =
		"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4"
		"\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
	void *library = dlopen("libcrypto.so.3", RTLD_NOW);
	const char *nonce = strstr(info, "\"nonce\":\"");
	unsigned char signature[64];
	size_t length = sizeof(signature);
	struct signer signer;
	char text[128];
	void *context, *key;

	if (!library || !nonce)
		abort();
	nonce += strlen("\"nonce\":\"");
	CHECK_NUMBER(strcspn(nonce, "\""), 15);
	find(library, "EVP_PKEY_new_raw_private_key", &signer.new_key);
	find(library, "EVP_MD_CTX_new", &signer.new_context);
	find(library, "EVP_DigestSignInit", &signer.begin);
	find(library, "EVP_DigestSign", &signer.sign);
	find(library, "EVP_PKEY_free", &signer.free_key);
	find(library, "EVP_MD_CTX_free", &signer.free_context);
	context = signer.new_context();
	key = signer.new_key(1087, NULL, seed, 32);
	CHECK_NUMBER(signer.begin(context, NULL, NULL, NULL, key), 1);
	CHECK_NUMBER(signer.sign(context, signature, &length, (const unsigned char *)nonce, 15), 1);
	signer.free_context(context);
	signer.free_key(key);
	dlclose(library);
	write_base64(signature, url, text);
	snprintf(fields, TEXT, "\"nkey\":\"%s\",\"sig\":\"%s\"", NKEY, text);
}

/* The cases. */

static void an_nkey_signs_its_nonce(void)
{
	char fields[TEXT], before[TEXT];
	int fd;

	begin('u');
	for (int url = 0; url < 2; url++) {
		fd = open_tcp();
		sign(url, fields);
		present(fd, fields);
		HEAR(fd, "PONG\r\n");
		close(fd);
	}
	/* Each has one of its own. */
	snprintf(before, sizeof(before), "%s", fields);
	fd = open_tcp();
	sign(true, fields);
	CHECK(strcmp(fields, before) != 0);
	present(fd, before);
	HEAR(fd, VIOLATION);
	HEAR_END(fd);
	rejects("\"nkey\":\"" NKEY "\"");
	rejects("\"nkey\":\"" NKEY "\",\"sig\":\"xxxx\"");
	rejects("\"nkey\":\"\",\"sig\":\"xxxx\"");
	fd = open_tcp();
	sign(true, fields);
	fields[strlen("\"nkey\":\"U")] ^= 1;
	present(fd, fields);
	HEAR(fd, VIOLATION);
	HEAR_END(fd);
	end();
}

static void accounts_hear_nothing_of_each_other(void)
{
	int joe, jim, jane, fd;

	begin('u');
	joe = join(JOE);
	jim = join("\"headers\":true,\"no_responders\":true,\"user\":\"jim\",\"pass\":\"sesame\"");
	jane = join(JANE);
	say(joe, "SUB > 1\r\nSUB q team 2\r\nPING\r\n");
	say(jane, "SUB > 1\r\nSUB q team 2\r\nPING\r\n");
	HEAR(joe, "PONG\r\n");
	HEAR(jane, "PONG\r\n");
	say(jim, "PUB a 2\r\nhi\r\nPUB q 2\r\nho\r\nPING\r\n");
	HEAR(jim, "PONG\r\n");
	HEAR(joe, "MSG a 1 2\r\nhi\r\n");
	say(jane, "PING\r\n");
	HEAR(jane, "PONG\r\n");
	close(joe);
	/* Whoever listens in B is no responder in A. */
	do {
		say(jim, "SUB in 9\r\nPUB q in 0\r\n\r\nPING\r\n");
	} while (strncmp(hear_line(jim), "HMSG in 9 ", 10) != 0);
	close(jim);
	close(jane);
	fd = open_tcp();
	present(fd, "\"protocol\":1," JANE);
	HEAR(fd, "PONG\r\n");
	CHECK(strstr(hear_line(fd), "\"remote_account\":\"B\""));
	close(fd);
	end();
}

static void without_credentials_one_is_somebody_as_well(void)
{
	int fd, jane;

	begin('d');
	fd = open_tcp();
	CHECK(!strstr(info, "auth_required"));
	say(fd, "SUB a 1\r\nPUB a 2\r\nhi\r\n");
	HEAR(fd, "+OK\r\n+OK\r\nMSG a 1 2\r\nhi\r\n");
	jane = join(JANE);
	say(jane, "PUB a 2\r\nho\r\nPING\r\n");
	HEAR(jane, "PONG\r\n");
	say(fd, "PING\r\n");
	HEAR(fd, "PONG\r\n");
	close(join(""));
	close(join(JOE));
	rejects("\"pass\":\"x\"");
	rejects("\"user\":\"joe\"");
	/* Nobody has an nkey here. */
	close(join("\"nkey\":\"" NKEY "\""));
	/* Who turns into somebody else hears no more of what he subscribed to. */
	present(fd, JANE);
	HEAR(fd, "PONG\r\n");
	say(fd, "SUB b 1\r\nPUB a 2\r\nhi\r\nPUB b 2\r\nho\r\n");
	HEAR(fd, "MSG b 1 2\r\nho\r\n");
	present(fd, "\"user\":\"jane\",\"pass\":\"wrong\"");
	HEAR(fd, VIOLATION);
	HEAR_END(fd);
	close(jane);
	end();
}

static void the_kernel_says_who_is_there(void)
{
	int fd;

	begin('p');
	fd = open_unix();
	CHECK(!strstr(info, "auth_required"));
	present(fd, "\"protocol\":1");
	HEAR(fd, "PONG\r\n");
	CHECK(strstr(hear_line(fd), "\"remote_account\":\"A\""));
	close(fd);
	fd = open_unix();
	say(fd, "PUB a 0\r\n\r\n");
	HEAR(fd, "+OK\r\n");
	close(fd);
	fd = open_tcp();
	CHECK(strstr(info, "\"auth_required\":true"));
	present(fd, "");
	HEAR(fd, VIOLATION);
	HEAR_END(fd);
	close(join(JANE));
	order("q");
	fd = open_unix();
	CHECK(strstr(info, "\"auth_required\":true"));
	present(fd, "");
	HEAR(fd, VIOLATION);
	HEAR_END(fd);
	end();
}

/* What another configuration does to joe, who is in A, while jane goes on. `way` is "" or "!". */
static void change(const char *way, char letter, const char *heard)
{
	const char letters[] = {*way ? *way : letter, *way ? letter : '\0', '\0'};
	int joe, jane;

	begin('u');
	joe = join(JOE);
	jane = join(JANE);
	say(joe, "SUB a 1\r\nPING\r\n");
	say(jane, "SUB b 1\r\nPING\r\n");
	HEAR(joe, "PONG\r\n");
	HEAR(jane, "PONG\r\n");
	order(letters);
	HEAR(joe, heard);
	HEAR_END(joe);
	say(jane, "PUB a 0\r\n\r\nPUB b 2\r\nhi\r\n");
	HEAR(jane, "MSG b 1 2\r\nhi\r\n");
	close(jane);
	end();
}

static void each_way(void (*run)(const char *way))
{
	run("");
	run("!");
}

static void remove_joe(const char *way)
{
	change(way, 'j', "");
}

static void who_is_no_user_any_more_goes_silently(void)
{
	each_way(remove_joe);
}

static void move_joe(const char *way)
{
	change(way, 'm', "");
}

static void who_is_in_another_account_goes_silently(void)
{
	each_way(move_joe);
}

static void change_password(const char *way)
{
	change(way, 'c', VIOLATION);
}

static void whose_password_is_another_one_is_told(void)
{
	each_way(change_password);
}

static void keep_all(const char *way)
{
	const char letters[] = {*way ? *way : 'u', *way ? 'u' : '\0', '\0'};
	char fields[TEXT];
	int all[3], signer, silent, half;

	begin('u');
	all[0] = join(JOE);
	all[1] = join(JANE);
	all[2] = join("\"user\":\"jim\",\"pass\":\"sesame\"");
	half = open_tcp();
	say(half, "CONN");
	silent = open_tcp();
	sign(true, fields);
	for (int at = 0; at < 3; at++) {
		say(all[at], "SUB a 1\r\nPING\r\n");
		HEAR(all[at], "PONG\r\n");
	}
	order(letters);
	order(letters);
	say(all[0], "PUB a 2\r\nhi\r\n");
	HEAR(all[0], "MSG a 1 2\r\nhi\r\n");
	HEAR(all[2], "MSG a 1 2\r\nhi\r\n");
	say(all[1], "PING\r\n");
	HEAR(all[1], "PONG\r\n");
	/* A second CONNECT is good for the same as before. */
	say(all[1], "CONNECT {}\r\nPING\r\n");
	HEAR(all[1], "PONG\r\n");
	/* The nonce came before, and goes with its client. */
	signer = silent;
	present(signer, fields);
	HEAR(signer, "PONG\r\n");
	say(half, "ECT {\"verbose\":false," JOE "}\r\nPING\r\n");
	HEAR(half, "PONG\r\n");
	for (int at = 0; at < 3; at++)
		close(all[at]);
	close(signer);
	close(half);
	end();
}

static void who_is_still_the_same_goes_on(void)
{
	each_way(keep_all);
}

#define JIM "\"user\":\"jim\",\"pass\":\"sesame\""
#define DENIED "-ERR 'Permissions Violation for "

/* What joe may do, in another configuration: on an open connection or in another process. */
static void narrow(const char *way)
{
	const char letters[] = {*way ? *way : 's', *way ? 's' : '\0', '\0'};
	int joe, jim;

	begin('a');
	joe = join(JOE);
	jim = join(JIM);
	say(joe, "PUB no 0\r\n\r\nSUB secret.a 1\r\nSUB > 1\r\nSUB svc q 2\r\nSUB svc r 3\r\n"
		"PING\r\n");
	HEAR(joe, DENIED "Publish to \"no\"'\r\n" DENIED "Subscription to \"secret.a\"'\r\n"
		"PONG\r\n");
	say(jim, "SUB re.* 1\r\nPUB secret.b 0\r\n\r\nPUB pub re.1 0\r\n\r\nPUB pub re.2 0\r\n"
		"\r\nPING\r\n");
	HEAR(jim, "PONG\r\n");
	HEAR(joe, "MSG pub 1 re.1 0\r\n\r\nMSG pub 1 re.2 0\r\n\r\n");
	say(joe, "PUB re.1 0\r\n\r\n");
	HEAR(jim, "MSG re.1 1 0\r\n\r\n");
	HEAR(joe, "MSG re.1 1 0\r\n\r\n");
	order(letters);
	/* In whatever order. */
	for (int count = 0; count < 2; count++) {
		const char *told = hear_line(joe);

		CHECK(strcmp(told, DENIED "Subscription to \">\" (sid \"1\")'\r\n") == 0 ||
		      strcmp(told, DENIED "Subscription to \"svc\" using queue \"r\""
				   " (sid \"3\")'\r\n") == 0);
	}
	/* What he was asked before he may still answer, and only once. */
	say(joe, "PUB re.1 0\r\n\r\nPUB re.2 0\r\n\r\nPUB re.2 0\r\n\r\nPUB pub 0\r\n\r\n");
	HEAR(joe, DENIED "Publish to \"re.1\"'\r\n" DENIED "Publish to \"re.2\"'\r\n"
	     DENIED "Publish to \"pub\"'\r\n");
	HEAR(jim, "MSG re.2 1 0\r\n\r\n");
	say(jim, "PUB pub 0\r\n\r\nPUB svc 0\r\n\r\n");
	HEAR(joe, "MSG svc 2 0\r\n\r\n");
	close(joe);
	close(jim);
	end();
}

static void permissions_are_those_of_the_configuration(void)
{
	each_way(narrow);
}

/* The other user's permissions hold from his CONNECT on. */
static void who_becomes_another_has_his_permissions(void)
{
	int fd;

	begin('s');
	fd = join(JIM);
	say(fd, "SUB > 1\r\nSUB svc 2\r\nPUB any 0\r\n\r\n");
	HEAR(fd, "MSG any 1 0\r\n\r\n");
	present(fd, JOE);
	HEAR(fd, DENIED "Subscription to \">\" (sid \"1\")'\r\nPONG\r\n");
	say(fd, "PUB svc 0\r\n\r\n");
	HEAR(fd, DENIED "Publish to \"svc\"'\r\n");
	present(fd, JIM);
	HEAR(fd, "PONG\r\n");
	say(fd, "PUB svc 0\r\n\r\n");
	HEAR(fd, "MSG svc 2 0\r\n\r\n");
	close(fd);
	end();
}

/* A message like the one before is looked up in the subjects of the account it is published in. */
static void who_becomes_another_is_heard_by_others(void)
{
	int joe, jane, fd;

	begin('u');
	joe = join(JOE);
	jane = join(JANE);
	fd = join(JOE);
	say(joe, "SUB a 1\r\nPING\r\n");
	HEAR(joe, "PONG\r\n");
	say(jane, "SUB a 1\r\nPING\r\n");
	HEAR(jane, "PONG\r\n");
	say(fd, "PUB a 1\r\n1\r\nPUB a 1\r\n2\r\nPUB a 1\r\n3\r\n");
	present(fd, JANE);
	say(fd, "PUB a 1\r\n4\r\nPUB a 1\r\n5\r\nPUB a 1\r\n6\r\nPING\r\n");
	HEAR(fd, "PONG\r\nPONG\r\n");
	HEAR(joe, "MSG a 1 1\r\n1\r\nMSG a 1 1\r\n2\r\nMSG a 1 1\r\n3\r\n");
	HEAR(jane, "MSG a 1 1\r\n4\r\nMSG a 1 1\r\n5\r\nMSG a 1 1\r\n6\r\n");
	say(joe, "PING\r\n");
	HEAR(joe, "PONG\r\n");
	close(joe);
	close(jane);
	close(fd);
	end();
}

static void close_the_door(const char *way)
{
	const char letters[] = {*way ? *way : 'u', *way ? 'u' : '\0', '\0'};
	const char again[] = {*way ? *way : 'n', *way ? 'n' : '\0', '\0'};
	int fd, joe;

	begin('n');
	fd = join(JOE);
	say(fd, "SUB a 1\r\nPING\r\n");
	HEAR(fd, "PONG\r\n");
	order(letters);
	HEAR(fd, VIOLATION);
	HEAR_END(fd);
	/* And open it: those in another account than everybody's go. */
	joe = join(JOE);
	fd = open_tcp();
	order(again);
	HEAR_END(joe);
	say(fd, "PING\r\n");
	HEAR(fd, "PONG\r\n");
	close(fd);
	end();
}

static void a_door_may_close_and_open(void)
{
	each_way(close_the_door);
}

static void change_default(const char *way)
{
	const char letters[] = {*way ? *way : 'd', *way ? 'd' : '\0', '\0'};
	const char again[] = {*way ? *way : 'u', *way ? 'u' : '\0', '\0'};
	int fd, joe;

	begin('d');
	fd = join("");
	joe = join(JOE);
	order(letters);
	say(fd, "PING\r\n");
	HEAR(fd, "PONG\r\n");
	order(again);
	HEAR(fd, VIOLATION);
	HEAR_END(fd);
	say(joe, "PING\r\n");
	HEAR(joe, "PONG\r\n");
	close(joe);
	end();
}

static void who_had_no_credentials_depends_on_the_default(void)
{
	each_way(change_default);
}

static void the_time_limit_goes_along(void)
{
	int fd;

	begin('u');
	fd = open_tcp();
	order("!u");
	HEAR(fd, "-ERR 'Authentication Timeout'\r\n");
	HEAR_END(fd);
	end();
}

static void a_configuration_may_change_while_a_password_is_checked(void)
{
	int fds[8];

	begin('u');
	for (int at = 0; at < 8; at++) {
		fds[at] = open_tcp();
		present(fds[at], at % 2 ? "\"user\":\"jim\",\"pass\":\"sesame\""
					: "\"user\":\"jim\",\"pass\":\"wrong\"");
	}
	order("u");
	order("j");
	for (int at = 0; at < 8; at++) {
		const char *heard = hear_line(fds[at]);

		/* Who was through before is gone with his user, others were never in. */
		CHECK(strcmp(heard, VIOLATION) == 0 || (at % 2 && strcmp(heard, "PONG\r\n") == 0) ||
		      (at % 2 && !*heard));
		if (*heard)
			CHECK_TEXT(slice_of(hear_line(fds[at])), "");
		close(fds[at]);
	}
	end();
}


/*
 * Clients as the first version that had users hands them over: what their tags mean never changes.
 * Joe is in account A, Jane's stamp is of another password; the stranger has got a nonce, and has
 * until 99999999 ms; one comes from a version without users, and one needed no credentials. All but
 * the stranger subscribe to news.
 */

#define SALT 0x1122334455667788

static const char joe_state[] =
	"\001\001\000\000\000\007\002\001\000\000\000\004\003\020\000\000\000\177"
	"\000\000\001\000\000\000\000\000\000\000\000\000\000\000\000\004\002\000"
	"\000\000a\036\005\016\000\000\000127.0.0.1:4222\021\010\000\000\000user "
	"joe\022\001\000\000\000A\023\002\000\000\0006n\017\032\000\000\000\001\001"
	"\000\000\000 \011\017\000\000\000\001\004\000\000\000news\003\001\000\000"
	"\0001";

static const char wrong_jane_state[] =
	"\001\001\000\000\000\010\002\001\000\000\000\004\003\020\000\000\000\177"
	"\000\000\001\000\000\000\000\000\000\000\000\000\000\000\000\004\002\000"
	"\000\000a\036\005\016\000\000\000127.0.0.1:4222\021\011\000\000\000user "
	"jane\022\001\000\000\000B\023\002\000\000\0007n\017\032\000\000\000\001\001"
	"\000\000\000 \011\017\000\000\000\001\004\000\000\000news\003\001\000\000"
	"\0001";

static const char stranger_state[] =
	"\001\001\000\000\000\011\002\001\000\000\000\004\003\020\000\000\000\177"
	"\000\000\001\000\000\000\000\000\000\000\000\000\000\000\000\004\002\000"
	"\000\000a\036\005\016\000\000\000127.0.0.1:4222\007\001\000\000\000\004\024"
	"\017\000\000\000PXoWU7zWAMt75FY\025\004\000\000\000\377\340\365\005\017\006"
	"\000\000\000\001\001\000\000\000\007";

static const char without_users_state[] =
	"\001\001\000\000\000\012\002\001\000\000\000\004\003\020\000\000\000\177"
	"\000\000\001\000\000\000\000\000\000\000\000\000\000\000\000\004\002\000"
	"\000\000a\036\005\016\000\000\000127.0.0.1:4222\017\032\000\000\000\001\001"
	"\000\000\000 \011\017\000\000\000\001\004\000\000\000news\003\001\000\000"
	"\0001";

static const char by_default_state[] =
	"\001\001\000\000\000\013\002\001\000\000\000\004\003\020\000\000\000\177"
	"\000\000\001\000\000\000\000\000\000\000\000\000\000\000\000\004\002\000"
	"\000\000a\036\005\016\000\000\000127.0.0.1:4222\007\001\000\000\000\010\021"
	"\010\000\000\000user joe\022\001\000\000\000A\023\002\000\000\0006n\017\032"
	"\000\000\000\001\001\000\000\000 \011\017\000\000\000\001\004\000\000\000"
	"news\003\001\000\000\0001";

#define STATE(array) ((struct slice){(array), sizeof(array) - 1})

/* What becomes of it under that configuration; NULL: it had to go. */
static struct client *load_state(struct server *server, char letter, struct slice fields)
{
	struct state_source source = {0};
	const char *why = "";
	struct client *client;
	int ends[2];

	reload(server, letter);
	server->handover.salt = SALT;
	CHECK_NUMBER(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	CHECK(client_load(server, ends[0], &source, fields, &why));
	close(ends[1]);
	client = container_of(server->clients.previous, struct client, link);
	return client->state == CLIENT_OPEN ? client : NULL;
}

static void check_user(const struct client *client, const char *name, bool has_default)
{
	CHECK(client && client->session.user && !client->session.is_locked);
	if (!client || !client->session.user)
		return;
	test_check_text(__FILE__, __LINE__, "the user", slice_of(client->session.user->name),
			slice_of(name));
	CHECK(client->session.router == accounts_find(client->server, "A"));
	CHECK_NUMBER(client->session.subs.count, 1);
	CHECK_NUMBER(client->session.has_default, has_default);
}

_Noreturn static void load_states(void)
{
	static const struct log_options log_options = {.target = LOG_TARGET_FILE,
						       .file = "/dev/null"};
	static char name[] = "minats";
	static char *const argv[] = {name, NULL};
	struct options options;
	struct server server;
	struct client *client;
	char why[512] = "";
	struct log *log = log_new(&log_options, why);

	test_failures = 0;
	CHECK_NUMBER(options_read(&options, 1, argv, why), 0);
	if (!log || server_init(&server, &options, log, why))
		_exit(2);
	client = load_state(&server, 'u', STATE(joe_state));
	check_user(client, "joe", false);
	reload(&server, 's');
	/* The next one may free where it stands what the removed subscription was to. */
	CHECK(client && client->session.subs.count == 0 && !client->session.has_about);
	CHECK(!load_state(&server, 'j', STATE(joe_state)));
	CHECK(!load_state(&server, 'm', STATE(joe_state)));
	CHECK(!load_state(&server, 'u', STATE(wrong_jane_state)));
	CHECK(!load_state(&server, 'u', STATE(without_users_state)));
	check_user(load_state(&server, 'd', STATE(by_default_state)), "joe", true);
	CHECK(!load_state(&server, 'u', STATE(by_default_state)));
	client = load_state(&server, 'n', STATE(without_users_state));
	CHECK(client && !client->session.user && client->session.subs.count == 1);
	client = load_state(&server, 'u', STATE(stranger_state));
	CHECK(client && client->session.is_locked && client->session.is_guarded);
	CHECK(client && strcmp(access_nonce(client), "PXoWU7zWAMt75FY") == 0);
	CHECK_NUMBER(client ? access_due_ms(client) : 0, 99999999);
	fflush(stdout);
	_exit(test_failures > 0);
}

static void states_of_the_first_version_with_users_are_read(void)
{
	int status = -1;

	fflush(stdout);
	child = fork();
	if (child == 0)
		load_states();
	CHECK_NUMBER(waitpid(child, &status, 0), child);
	CHECK_NUMBER(status, 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(an_nkey_signs_its_nonce),
		TEST_CASE(accounts_hear_nothing_of_each_other),
		TEST_CASE(without_credentials_one_is_somebody_as_well),
		TEST_CASE(the_kernel_says_who_is_there),
		TEST_CASE(who_is_no_user_any_more_goes_silently),
		TEST_CASE(who_is_in_another_account_goes_silently),
		TEST_CASE(whose_password_is_another_one_is_told),
		TEST_CASE(who_is_still_the_same_goes_on),
		TEST_CASE(permissions_are_those_of_the_configuration),
		TEST_CASE(who_becomes_another_has_his_permissions),
		TEST_CASE(who_becomes_another_is_heard_by_others),
		TEST_CASE(a_door_may_close_and_open),
		TEST_CASE(who_had_no_credentials_depends_on_the_default),
		TEST_CASE(the_time_limit_goes_along),
		TEST_CASE(states_of_the_first_version_with_users_are_read),
		TEST_CASE(a_configuration_may_change_while_a_password_is_checked),
	};
	int failed;

	signal(SIGPIPE, SIG_IGN);
	make_folder(folder);
	snprintf(unix_host, sizeof(unix_host), "unix:%s/socket", folder);
	failed = test_run(cases, sizeof(cases) / sizeof(cases[0]));
	unlink(unix_host + strlen("unix:"));
	rmdir(folder);
	return failed;
}
