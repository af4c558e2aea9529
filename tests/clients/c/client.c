/* SPDX-License-Identifier: MIT */
/*
 * What a user of the C client library expects of a broker, one case a run: client URL CASE.
 *
 * Exits 0 when the case holds; else says on stderr which line did not, and why. The case
 * `reconnect` prints a line `restart` when it wants the broker restarted, and waits for it.
 */
#include <nats/nats.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PATIENCE_MS = 20000, /* for what must happen; long, for a busy machine */
	MAX_PAYLOAD = 1048576,
};

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition, NULL))
#define OK(call) expect(__LINE__, #call, NATS_OK, (call))
#define GIVES(status, call) expect(__LINE__, #call, (status), (call))
#define HOLDS(msg, bytes, length) CHECK(msg_holds((msg), (bytes), (length)))

static const char *url;

static void fail(int line, const char *what, const char *why)
{
	fprintf(stderr, "client.c:%d: %s%s%s\n", line, what, why ? ": " : "", why ? why : "");
	exit(1);
}

static void expect(int line, const char *what, natsStatus wanted, natsStatus got)
{
	if (got != wanted)
		fail(line, what, natsStatus_GetText(got));
}

/* Counts what callbacks have seen, and lets the main thread wait for it. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int count;
};

#define GATE { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 }

static void gate_pass(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->count++;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

static bool gate_reaches(struct gate *gate, int count)
{
	struct timespec until;
	bool reached;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&gate->lock);
	while (gate->count < count && !error)
		error = pthread_cond_timedwait(&gate->moved, &gate->lock, &until);
	reached = gate->count >= count;
	pthread_mutex_unlock(&gate->lock);
	return reached;
}

static natsConnection *dial(void)
{
	natsConnection *nc;

	OK(natsConnection_ConnectTo(&nc, url));
	return nc;
}

static natsSubscription *hear(natsConnection *nc, const char *subject)
{
	natsSubscription *sub;

	OK(natsConnection_SubscribeSync(&sub, nc, subject));
	OK(natsConnection_FlushTimeout(nc, PATIENCE_MS));
	return sub;
}

static natsMsg *next(natsSubscription *sub)
{
	natsMsg *msg;

	OK(natsSubscription_NextMsg(&msg, sub, PATIENCE_MS));
	return msg;
}

static bool msg_holds(natsMsg *msg, const void *bytes, int length)
{
	return natsMsg_GetDataLength(msg) == length &&
	       (length == 0 || memcmp(natsMsg_GetData(msg), bytes, (size_t)length) == 0);
}

static void next_is(natsSubscription *sub, const char *subject, const void *bytes, int length)
{
	natsMsg *msg = next(sub);

	CHECK(strcmp(natsMsg_GetSubject(msg), subject) == 0);
	HOLDS(msg, bytes, length);
	natsMsg_Destroy(msg);
}

/* All that was sent before on this connection has come back: nothing can be waiting on the way. */
static void is_silent(natsConnection *nc, natsSubscription *sub)
{
	uint64_t queued = 1;

	OK(natsConnection_FlushTimeout(nc, PATIENCE_MS));
	OK(natsSubscription_QueuedMsgs(sub, &queued));
	CHECK(queued == 0);
}

/* What came over the wire, the messages that the library then drops by itself included. */
static uint64_t messages_in(natsConnection *nc)
{
	natsStatistics *stats;
	uint64_t in;

	OK(natsStatistics_Create(&stats));
	OK(natsConnection_GetStats(nc, stats));
	OK(natsStatistics_GetCounts(stats, &in, NULL, NULL, NULL, NULL));
	natsStatistics_Destroy(stats);
	return in;
}

/* Every byte there is, then what would be protocol if it were not payload. */
static int binary_fill(char *bytes)
{
	static const char protocol[] = "\r\nPING\r\n-ERR 'x'\r\nMSG a 1 1\r\n\r\n";

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	memcpy(bytes + 256, protocol, sizeof(protocol));
	return 256 + (int)sizeof(protocol);
}

static char *noise_new(int length)
{
	char *bytes = malloc((size_t)length);
	unsigned state = 1;

	CHECK(bytes != NULL);
	for (int i = 0; i < length; i++) {
		state = state * 1103515245U + 12345U;
		bytes[i] = (char)(state >> 16);
	}
	return bytes;
}

static void on_connect(void)
{
	natsConnection *one = dial(), *two = dial();
	uint64_t id_one, id_two;
	int64_t rtt_ns;
	char server_id[128], *ip;

	CHECK(natsConnection_GetMaxPayload(one) == MAX_PAYLOAD);
	OK(natsConnection_HasHeaderSupport(one));
	OK(natsConnection_GetConnectedServerId(one, server_id, sizeof(server_id)));
	CHECK(strlen(server_id) > 0);
	OK(natsConnection_GetClientID(one, &id_one));
	OK(natsConnection_GetClientID(two, &id_two));
	CHECK(id_one != id_two);
	OK(natsConnection_GetClientIP(one, &ip));
	CHECK(strcmp(ip, "127.0.0.1") == 0);
	free(ip);
	OK(natsConnection_GetRTT(one, &rtt_ns));
	CHECK(rtt_ns > 0);
	natsConnection_Destroy(one);
	natsConnection_Destroy(two);
}

static void on_pubsub(void)
{
	natsConnection *speaker = dial(), *listener = dial();
	natsSubscription *sub = hear(listener, "news"), *echo = hear(speaker, "news");
	char binary[512], *noise = noise_new(MAX_PAYLOAD + 1);
	int binary_length = binary_fill(binary);

	OK(natsConnection_Publish(speaker, "news", "Hello John!", 11));
	OK(natsConnection_Publish(speaker, "news", NULL, 0));
	OK(natsConnection_Publish(speaker, "news", binary, binary_length));
	OK(natsConnection_Publish(speaker, "news", noise, MAX_PAYLOAD - 1));
	OK(natsConnection_Publish(speaker, "news", noise, MAX_PAYLOAD));
	GIVES(NATS_MAX_PAYLOAD, natsConnection_Publish(speaker, "news", noise, MAX_PAYLOAD + 1));
	for (int i = 0; i < 1000; i++)
		OK(natsConnection_Publish(speaker, "news", &i, sizeof(i)));
	OK(natsConnection_FlushTimeout(speaker, PATIENCE_MS));
	for (natsSubscription *each = sub; each; each = each == sub ? echo : NULL) {
		next_is(each, "news", "Hello John!", 11);
		next_is(each, "news", "", 0);
		next_is(each, "news", binary, binary_length);
		next_is(each, "news", noise, MAX_PAYLOAD - 1);
		next_is(each, "news", noise, MAX_PAYLOAD);
		for (int i = 0; i < 1000; i++)
			next_is(each, "news", &i, sizeof(i));
	}
	is_silent(listener, sub);
	is_silent(speaker, echo);
	natsSubscription_Destroy(sub);
	natsSubscription_Destroy(echo);
	natsConnection_Destroy(speaker);
	natsConnection_Destroy(listener);
	free(noise);
}

static void on_wildcards(void)
{
	static const char *const heard_by_star[] = {"shop.red.sold", "shop.blue.sold"};
	static const char *const heard_by_tail[] = {"shop.red.sold", "shop.blue.sold", "shop.red",
						    "shop.red.sold.twice"};
	static const char *const said[] = {"shop.red.sold", "shop.blue.sold", "shop.red", "shop",
					   "shop.red.sold.twice", "shops.red.sold"};
	natsConnection *nc = dial();
	natsSubscription *star = hear(nc, "shop.*.sold"), *tail = hear(nc, "shop.>");
	natsSubscription *all = hear(nc, ">");

	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
		OK(natsConnection_Publish(nc, said[i], said[i], (int)strlen(said[i])));
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
		next_is(all, said[i], said[i], (int)strlen(said[i]));
	for (size_t i = 0; i < sizeof(heard_by_star) / sizeof(*heard_by_star); i++)
		next_is(star, heard_by_star[i], heard_by_star[i], (int)strlen(heard_by_star[i]));
	for (size_t i = 0; i < sizeof(heard_by_tail) / sizeof(*heard_by_tail); i++)
		next_is(tail, heard_by_tail[i], heard_by_tail[i], (int)strlen(heard_by_tail[i]));
	is_silent(nc, star);
	is_silent(nc, tail);
	is_silent(nc, all);
	natsSubscription_Destroy(star);
	natsSubscription_Destroy(tail);
	natsSubscription_Destroy(all);
	natsConnection_Destroy(nc);
}

static void on_queue(void)
{
	enum { MEMBERS = 3, MESSAGES = 300 };
	natsConnection *speaker = dial(), *members[MEMBERS];
	natsSubscription *subs[MEMBERS];
	int times[MESSAGES] = {0}, total = 0;

	for (int i = 0; i < MEMBERS; i++) {
		members[i] = dial();
		OK(natsConnection_QueueSubscribeSync(&subs[i], members[i], "jobs.*", "workers"));
		OK(natsConnection_FlushTimeout(members[i], PATIENCE_MS));
	}
	for (int i = 0; i < MESSAGES; i++)
		OK(natsConnection_Publish(speaker, "jobs.new", &i, sizeof(i)));
	OK(natsConnection_FlushTimeout(speaker, PATIENCE_MS));
	for (int i = 0; i < MEMBERS; i++) {
		uint64_t queued;

		/* The member's PONG comes behind all that was routed to it. */
		OK(natsConnection_FlushTimeout(members[i], PATIENCE_MS));
		OK(natsSubscription_QueuedMsgs(subs[i], &queued));
		CHECK(queued > 0);
		total += (int)queued;
		for (; queued > 0; queued--) {
			natsMsg *msg = next(subs[i]);
			int number;

			CHECK(natsMsg_GetDataLength(msg) == (int)sizeof(number));
			memcpy(&number, natsMsg_GetData(msg), sizeof(number));
			CHECK(number >= 0 && number < MESSAGES);
			times[number]++;
			natsMsg_Destroy(msg);
		}
		natsSubscription_Destroy(subs[i]);
		natsConnection_Destroy(members[i]);
	}
	CHECK(total == MESSAGES);
	for (int i = 0; i < MESSAGES; i++)
		CHECK(times[i] == 1);
	natsConnection_Destroy(speaker);
}

static void on_headers(void)
{
	natsConnection *nc = dial();
	natsSubscription *sub = hear(nc, "letters");
	natsMsg *sent, *got;
	const char *value, **values;
	char binary[512];
	int binary_length = binary_fill(binary), count;

	for (int round = 0; round < 2; round++) {
		int length = round == 0 ? binary_length : 0;

		OK(natsMsg_Create(&sent, "letters", NULL, binary, length));
		OK(natsMsgHeader_Set(sent, "Single", "a value: with a colon"));
		OK(natsMsgHeader_Add(sent, "Many", "one"));
		OK(natsMsgHeader_Add(sent, "Many", "two"));
		OK(natsMsgHeader_Add(sent, "Many", "three"));
		OK(natsConnection_PublishMsg(nc, sent));
		natsMsg_Destroy(sent);
		got = next(sub);
		HOLDS(got, binary, length);
		OK(natsMsgHeader_Get(got, "Single", &value));
		CHECK(strcmp(value, "a value: with a colon") == 0);
		OK(natsMsgHeader_Values(got, "Many", &values, &count));
		CHECK(count == 3);
		CHECK(strcmp(values[0], "one") == 0);
		CHECK(strcmp(values[1], "two") == 0);
		CHECK(strcmp(values[2], "three") == 0);
		free((void *)values);
		GIVES(NATS_NOT_FOUND, natsMsgHeader_Get(got, "Absent", &value));
		natsMsg_Destroy(got);
	}
	OK(natsConnection_Publish(nc, "letters", "bare", 4));
	got = next(sub);
	HOLDS(got, "bare", 4);
	GIVES(NATS_NOT_FOUND, natsMsgHeader_Get(got, "Single", &value));
	natsMsg_Destroy(got);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
}

static void answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
	natsStatus status = natsConnection_Publish(nc, natsMsg_GetReply(msg), natsMsg_GetData(msg),
						   natsMsg_GetDataLength(msg));

	(void)sub;
	(void)closure;
	if (status != NATS_OK)
		fail(__LINE__, "reply", natsStatus_GetText(status));
	natsMsg_Destroy(msg);
}

static void asks(natsConnection *nc, const char *bytes, int length)
{
	natsMsg *reply;

	OK(natsConnection_Request(&reply, nc, "service", bytes, length, PATIENCE_MS));
	HOLDS(reply, bytes, length);
	natsMsg_Destroy(reply);
}

static void on_request(void)
{
	natsConnection *server = dial(), *client = dial(), *old_style;
	natsSubscription *sub;
	natsOptions *opts;
	char binary[512], *noise = noise_new(MAX_PAYLOAD);
	int binary_length = binary_fill(binary);

	OK(natsConnection_Subscribe(&sub, server, "service", answer, NULL));
	OK(natsConnection_FlushTimeout(server, PATIENCE_MS));
	for (int i = 0; i < 100; i++)
		asks(client, (const char *)&i, sizeof(i));
	asks(client, NULL, 0);
	asks(client, binary, binary_length);
	asks(client, noise, MAX_PAYLOAD);
	/* An inbox and a subscription for each request, instead of one for all. */
	OK(natsOptions_Create(&opts));
	OK(natsOptions_SetURL(opts, url));
	OK(natsOptions_UseOldRequestStyle(opts, true));
	OK(natsConnection_Connect(&old_style, opts));
	asks(old_style, binary, binary_length);
	natsOptions_Destroy(opts);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(old_style);
	natsConnection_Destroy(client);
	natsConnection_Destroy(server);
	free(noise);
}

static void on_noresponders(void)
{
	natsConnection *nc = dial();
	natsMsg *reply;

	GIVES(NATS_NO_RESPONDERS,
	      natsConnection_RequestString(&reply, nc, "nobody.home", "hello?", PATIENCE_MS));
	natsConnection_Destroy(nc);
}

static void on_unsubscribe(void)
{
	natsConnection *nc = dial();
	natsSubscription *sub = hear(nc, "ticks");
	natsMsg *none;

	OK(natsSubscription_AutoUnsubscribe(sub, 3));
	for (int i = 0; i < 5; i++)
		OK(natsConnection_Publish(nc, "ticks", &i, sizeof(i)));
	OK(natsConnection_FlushTimeout(nc, PATIENCE_MS));
	CHECK(messages_in(nc) == 3);
	for (int i = 0; i < 3; i++)
		next_is(sub, "ticks", &i, sizeof(i));
	GIVES(NATS_MAX_DELIVERED_MSGS, natsSubscription_NextMsg(&none, sub, PATIENCE_MS));
	natsSubscription_Destroy(sub);

	sub = hear(nc, "ticks");
	OK(natsConnection_Publish(nc, "ticks", "a", 1));
	next_is(sub, "ticks", "a", 1);
	OK(natsSubscription_Unsubscribe(sub));
	OK(natsConnection_Publish(nc, "ticks", "b", 1));
	OK(natsConnection_FlushTimeout(nc, PATIENCE_MS));
	CHECK(messages_in(nc) == 4);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
}

static void count_msg(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
	(void)nc;
	(void)sub;
	natsMsg_Destroy(msg);
	gate_pass(closure);
}

static void count_event(natsConnection *nc, void *closure)
{
	(void)nc;
	gate_pass(closure);
}

static void on_drain(void)
{
	enum { MESSAGES = 500 };
	static struct gate received = GATE, closed = GATE;
	natsConnection *listener, *speaker = dial();
	natsSubscription *sub;
	natsOptions *opts;
	natsMsg *reply;

	OK(natsOptions_Create(&opts));
	OK(natsOptions_SetURL(opts, url));
	OK(natsOptions_SetClosedCB(opts, count_event, &closed));
	OK(natsConnection_Connect(&listener, opts));
	OK(natsConnection_Subscribe(&sub, listener, "flood", count_msg, &received));
	OK(natsConnection_FlushTimeout(listener, PATIENCE_MS));
	for (int i = 0; i < MESSAGES; i++)
		OK(natsConnection_Publish(speaker, "flood", &i, sizeof(i)));
	OK(natsConnection_FlushTimeout(speaker, PATIENCE_MS));
	OK(natsConnection_DrainTimeout(listener, PATIENCE_MS));
	CHECK(gate_reaches(&closed, 1));
	CHECK(received.count == MESSAGES);
	GIVES(NATS_NO_RESPONDERS,
	      natsConnection_RequestString(&reply, speaker, "flood", "x", PATIENCE_MS));
	natsOptions_Destroy(opts);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(listener);
	natsConnection_Destroy(speaker);
}

static void on_reconnect(void)
{
	static struct gate reconnected = GATE;
	natsConnection *nc;
	natsSubscription *plain, *wild, *queue, *service;
	natsOptions *opts;

	OK(natsOptions_Create(&opts));
	OK(natsOptions_SetURL(opts, url));
	OK(natsOptions_SetMaxReconnect(opts, -1));
	OK(natsOptions_SetReconnectWait(opts, 20));
	OK(natsOptions_SetReconnectJitter(opts, 1, 1));
	OK(natsOptions_SetReconnectedCB(opts, count_event, &reconnected));
	OK(natsConnection_Connect(&nc, opts));
	plain = hear(nc, "again.one");
	wild = hear(nc, "again.*");
	OK(natsConnection_QueueSubscribeSync(&queue, nc, "again.>", "workers"));
	OK(natsConnection_Subscribe(&service, nc, "service", answer, NULL));
	for (int round = 0; round < 2; round++) {
		OK(natsConnection_Publish(nc, "again.one", &round, sizeof(round)));
		next_is(plain, "again.one", &round, sizeof(round));
		next_is(wild, "again.one", &round, sizeof(round));
		next_is(queue, "again.one", &round, sizeof(round));
		is_silent(nc, plain);
		is_silent(nc, wild);
		is_silent(nc, queue);
		asks(nc, "ping", 4);
		if (round == 0) {
			puts("restart");
			fflush(stdout);
			CHECK(gate_reaches(&reconnected, 1));
		}
	}
	natsOptions_Destroy(opts);
	natsSubscription_Destroy(plain);
	natsSubscription_Destroy(wild);
	natsSubscription_Destroy(queue);
	natsSubscription_Destroy(service);
	natsConnection_Destroy(nc);
}

/* By what stands in the URL, or by NKEY, whose seed is in the file SEED. */
static void on_login(void)
{
	const char *seed = getenv("SEED");
	natsOptions *opts;
	natsConnection *nc;
	natsSubscription *sub;

	OK(natsOptions_Create(&opts));
	OK(natsOptions_SetURL(opts, url));
	if (seed)
		OK(natsOptions_SetNKeyFromSeed(opts, getenv("NKEY"), seed));
	OK(natsConnection_Connect(&nc, opts));
	sub = hear(nc, "hello");
	OK(natsConnection_PublishString(nc, "hello", "it is me"));
	next_is(sub, "hello", "it is me", 8);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
	natsOptions_Destroy(opts);
}

static void on_refused(void)
{
	natsConnection *nc = NULL;

	GIVES(NATS_CONNECTION_AUTH_FAILED, natsConnection_ConnectTo(&nc, url));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"login", on_login},
	{"refused", on_refused},
	{"connect", on_connect},
	{"pubsub", on_pubsub},
	{"wildcards", on_wildcards},
	{"queue", on_queue},
	{"headers", on_headers},
	{"request", on_request},
	{"noresponders", on_noresponders},
	{"unsubscribe", on_unsubscribe},
	{"drain", on_drain},
	{"reconnect", on_reconnect},
};

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: client URL CASE\n");
		return 2;
	}
	url = argv[1];
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (strcmp(cases[i].name, argv[2]) == 0) {
			cases[i].run();
			nats_Close();
			return 0;
		}
	}
	fprintf(stderr, "client: there is no case %s\n", argv[2]);
	return 2;
}
