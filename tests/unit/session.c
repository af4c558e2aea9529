/* SPDX-License-Identifier: MIT */
/*
 * Conversations, as text in and text out. Each is held whole, split at every byte, byte by byte
 * and in between, and moved to another broker at every byte: what is heard must be the same.
 */
#include "broker/session.h"

#include "broker/router.h"
#include "broker/state.h"
#include "hear.h"
#include "lists.h"
#include "test.h"

enum { PEERS = 2, STEPS = 12, NO_LIMIT = 1 << 30, LARGE = 10007 };

#define QUIET "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n"
#define MUTE "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n"
#define HEADERS "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true}\r\n"
#define REQUESTER \
	"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n"
#define UNKNOWN "-ERR 'Unknown Protocol Operation'\r\n"

struct peer {
	struct session session;
	char *rest; /* what the session left, in a block of just that size */
	size_t rest_length;
	bool over;
	struct buf heard;
};

static struct limits limits;
static struct pool pool;
static struct router router;
static struct peer peers[PEERS];
static uint64_t now_ms;
static struct permit *permits[PEERS];
static bool is_moving; /* manner.moved, of the talk in hand */

static void begin(void)
{
	static const uint64_t seeds[2] = {0xfedcba0987654321, 7};

	pool_init(&pool, NO_LIMIT);
	router_init(&router, &pool, seeds);
	router.now_ms = &now_ms;
	for (size_t at = 0; at < PEERS; at++) {
		memset(&peers[at], 0, sizeof(peers[at]));
		session_init(&peers[at].session, &router, &limits);
		CHECK_NUMBER(session_set_permit(&peers[at].session, permits[at]), 0);
	}
}

static void set_default_limits(void)
{
	limits = (struct limits){.max_payload = 1 << 20, .max_control_line = 4096, .headers = true};
}

static void leave(struct peer *peer)
{
	session_fini(&peer->session);
	free(peer->rest);
	buf_fini(&peer->heard);
}

/* Whatever was said, nothing of it stays. */
static void finish(void)
{
	for (size_t at = 0; at < PEERS; at++)
		leave(&peers[at]);
	CHECK(router.expired == NULL);
	CHECK_NUMBER(router.subscriptions, 0);
	CHECK_NUMBER(router.queues.count, 0);
	CHECK_NUMBER(router.trie.literals.count, 0);
	CHECK(router.trie.root == NULL);
	router_fini(&router);
	pool_fini(&pool);
}

/* Sends all that waits in the outboxes, as the end of a turn does. */
static void send_all(void)
{
	for (size_t at = 0; at < PEERS; at++)
		hear(&peers[at].session.outbox, &peers[at].heard);
}

/* While a talk is moved about, nothing is sent: all that waits has to come along. */
static void drain(void)
{
	if (!is_moving)
		send_all();
	for (size_t at = 0; at < PEERS; at++)
		list_remove(&peers[at].session.outbox.dirty_link);
}

/* Moving to another broker. */

struct payloads {
	struct state_payloads kept;
	struct buf bytes[16];
};

static int keep_payload(struct state_payloads *kept, struct slice bytes)
{
	struct payloads *payloads = container_of(kept, struct payloads, kept);

	CHECK(kept->count < 16);
	return buf_append(&payloads->bytes[kept->count], bytes);
}

static void load_peers(const struct payloads *payloads, struct tags_writer *states)
{
	struct state_payload all[16];
	struct state_source source = {all, payloads->kept.count};

	for (uint32_t at = 0; at < source.count; at++) {
		struct slice bytes = buf_slice(&payloads->bytes[at]);

		all[at].payload = pool_take_payload(&pool, bytes.length);
		all[at].length = (uint32_t)bytes.length;
		memcpy(all[at].payload->bytes, bytes.bytes, bytes.length);
		all[at].payload->filled = (uint32_t)bytes.length;
	}
	for (size_t at = 0; at < PEERS; at++) {
		CHECK(state_load(&peers[at].session, &source, buf_slice(&states[at].out)));
		CHECK_NUMBER(session_set_permit(&peers[at].session, permits[at]), 0);
		CHECK(!session_remove_forbidden(&peers[at].session));
	}
	for (uint32_t at = 0; at < source.count; at++)
		pool_release_payload(&pool, all[at].payload);
}

/* All peers go on in a broker that knows nothing but what was saved of the one before. */
static void move(void)
{
	static const uint64_t seeds[2] = {0x0123456789abcdef, 8};
	struct payloads payloads = {.kept = {.keep = keep_payload}};
	struct tags_writer states[PEERS] = {0};

	for (size_t at = 0; at < PEERS; at++)
		state_forget_numbers(&peers[at].session);
	for (size_t at = 0; at < PEERS; at++)
		CHECK_NUMBER(state_save(&peers[at].session, &payloads.kept, &states[at]), 0);
	for (size_t at = 0; at < PEERS; at++) {
		CHECK(!states[at].failed);
		session_fini(&peers[at].session);
	}
	router_fini(&router);
	pool_fini(&pool);
	pool_init(&pool, NO_LIMIT);
	router_init(&router, &pool, seeds);
	/* Clocks do not count from the same moment everywhere. */
	now_ms -= 1000000;
	router.now_ms = &now_ms;
	for (size_t at = 0; at < PEERS; at++) {
		uint8_t fault = peers[at].session.fault;

		session_init(&peers[at].session, &router, &limits);
		peers[at].session.fault = fault;
	}
	load_peers(&payloads, states);
	for (size_t at = 0; at < PEERS; at++)
		buf_fini(&states[at].out);
	for (size_t at = 0; at < 16; at++)
		buf_fini(&payloads.bytes[at]);
	drain();
}

/* Hands bytes in, behind those that the session left the last time. */
static void feed(struct peer *peer, struct slice bytes)
{
	size_t length = peer->rest_length + bytes.length;
	char *block = malloc(length + !length);
	struct slice input = {block, length};
	enum session_answer answer = SESSION_WAIT;

	if (peer->rest_length > 0)
		memcpy(block, peer->rest, peer->rest_length);
	if (bytes.length > 0)
		memcpy(block + peer->rest_length, bytes.bytes, bytes.length);
	while (!peer->over && answer == SESSION_WAIT) {
		answer = session_feed(&peer->session, &input);
		peer->over = answer == SESSION_OVER;
		CHECK(peer->over == (peer->session.fault != FAULT_NONE));
		peer->session.events = 0;
		drain();
	}
	free(peer->rest);
	peer->rest_length = peer->over ? 0 : input.length;
	peer->rest = NULL;
	if (peer->rest_length > 0) {
		peer->rest = malloc(peer->rest_length);
		memcpy(peer->rest, input.bytes, peer->rest_length);
	}
	CHECK(peer->rest_length <= (size_t)limits.max_control_line + OUTBOX_SHARE_BYTES + 8);
	free(block);
}

/* Like a client's socket: what belongs to a large message is read to its place. */
static void feed_directly(struct peer *peer, struct slice bytes)
{
	while (bytes.length > 0 && !peer->over) {
		struct room room = session_room(&peer->session);
		size_t length = bytes.length < room.length ? bytes.length : room.length;

		if (length == 0) {
			feed(peer, bytes);
			return;
		}
		CHECK_NUMBER(peer->rest_length, 0);
		memcpy(room.bytes, bytes.bytes, length);
		peer->over = session_filled(&peer->session, length) == SESSION_OVER;
		bytes = slice_after(bytes, length);
		drain();
	}
}

/* A conversation. Steps end with a NULL text. */
struct talk {
	const char *name;
	struct {
		size_t who;
		const char *says;
	} steps[STEPS];
	const char *heard[PEERS];
	enum fault faults[PEERS];
};

/* How it is held: pieces of so many bytes, or a cut at one place; 0: neither. */
struct manner {
	size_t piece;
	size_t cut; /* counted over all steps */
	bool direct;
	bool moved; /* to another broker, after each piece */
};

static size_t talk_length(const struct talk *talk)
{
	size_t length = 0;

	for (size_t at = 0; at < STEPS && talk->steps[at].says; at++)
		length += strlen(talk->steps[at].says);
	return length;
}

/* How much of a step goes in at once. `at` is where it starts in the whole talk. */
static size_t next_length(const struct manner *manner, size_t at, size_t left)
{
	if (manner->piece > 0 && manner->piece < left)
		return manner->piece;
	if (manner->cut > at && manner->cut - at < left)
		return manner->cut - at;
	return left;
}

static void check_heard(const struct talk *talk, const struct manner *manner, size_t who)
{
	unsigned before = test_failures;

	send_all();
	test_check_text(__FILE__, __LINE__, who ? "what 1 heard" : "what 0 heard",
			buf_slice(&peers[who].heard),
			slice_of(talk->heard[who] ? talk->heard[who] : ""));
	CHECK_NUMBER(peers[who].session.fault, talk->faults[who]);
	if (test_failures > before)
		printf("# in: %s (pieces %zu, cut %zu%s)\n", talk->name, manner->piece, manner->cut,
		       manner->moved ? ", moved" : "");
}

static void hold(const struct talk *talk, struct manner manner)
{
	size_t at = 0;

	begin();
	is_moving = manner.moved;
	for (size_t step = 0; step < STEPS && talk->steps[step].says; step++) {
		struct slice text = slice_of(talk->steps[step].says);
		struct peer *peer = &peers[talk->steps[step].who];

		while (text.length > 0) {
			size_t length = next_length(&manner, at, text.length);
			struct slice piece = {text.bytes, length};

			if (manner.direct)
				feed_directly(peer, piece);
			else
				feed(peer, piece);
			text = slice_after(text, length);
			at += length;
			if (manner.moved)
				move();
		}
	}
	is_moving = false;
	for (size_t who = 0; who < PEERS; who++)
		check_heard(talk, &manner, who);
	finish();
}

/* In every manner; the first one that goes wrong is enough. */
static void hold_in_all_manners(const struct talk *talk)
{
	static const size_t pieces[] = {0, 1, 2, 3, 7, 61, 4093, 4096, 4097};
	unsigned before = test_failures;
	size_t length = talk_length(talk);

	for (size_t at = 0; at < sizeof(pieces) / sizeof(pieces[0]); at++)
		for (unsigned how = 0; how < 4 && test_failures == before; how++)
			hold(talk, (struct manner){.piece = pieces[at], .direct = how & 1,
						   .moved = how & 2});
	for (size_t cut = 1; cut < length && test_failures == before; cut++) {
		hold(talk, (struct manner){.cut = cut, .direct = cut & 1});
		hold(talk, (struct manner){.cut = cut, .direct = cut & 1, .moved = true});
	}
}

static void hold_all(const struct talk *talks, size_t count)
{
	for (size_t at = 0; at < count; at++)
		hold_in_all_manners(&talks[at]);
}

#define HOLD(talks) hold_all(talks, sizeof(talks) / sizeof((talks)[0]))

static void the_small_verbs_are_answered(void)
{
	static const struct talk talks[] = {
		{"ping", {{0, "PING\r\nPiNg\r\nPINGxyz\nPING foo\r\n"}},
		 {"PONG\r\nPONG\r\nPONG\r\nPONG\r\n"}, {0}},
		{"ignored", {{0, "PONG\r\n+OK so be it\r\nINFO {\"a\":1}\r\nINFO {}\nPING\r\n"}},
		 {"PONG\r\n"}, {0}},
		{"blanks", {{0, QUIET "SUB \t  foo \t 1 \t\r\nPUB    foo\t  2\nhi\r\n"}},
		 {"MSG foo 1 2\r\nhi\r\n"}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void who_is_verbose_hears_ok(void)
{
	static const struct talk talks[] = {
		{"by default", {{0, "SUB foo 1\r\nUNSUB 99\r\nPUB foo 2\r\nhi\r\nPING\r\n"
			"UNSUB 1\r\n"}},
		 {"+OK\r\n+OK\r\n+OK\r\nMSG foo 1 2\r\nhi\r\nPONG\r\n+OK\r\n"}, {0}},
		{"on connect", {{0, "CONNECT {}\r\nCONNECT {\"verbose\":false}\r\nSUB foo 1\r\n"
				    "CONNECT{\"verbose\":true}\r\nHPUB foo 0 0\r\n"}},
		 {"+OK\r\n+OK\r\n"}, {FAULT_NO_HEADERS, 0}},
		{"with headers", {{0, "CONNECT {\"headers\":true}\r\nHPUB foo 0 0\r\n\r\n"}},
		 {"+OK\r\n+OK\r\n"}, {0}},
		{"not after a complaint",
		 {{0, "SUB foo..bar 1\r\nSUB foo _sys_ 1\r\nPUB _GR_.x 0\r\n\r\n"
			"PUB x _R_.a 0\r\n\r\n"}},
		 {"-ERR 'Invalid Subject'\r\n"
		  "-ERR 'Permissions Violation for Subscription to \"foo\" using queue \"_sys_\"'\r\n"
		  "-ERR 'Permissions Violation for Publish to \"_GR_.x\"'\r\n"
		  "-ERR 'Permissions Violation for Publish with Reply of \"_R_.a\"'\r\n"}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void who_is_pedantic_is_corrected_once(void)
{
	static const struct talk talks[] = {
		{"by default", {{0, "SUB foo.* 1\r\nPUB foo.* 2\r\nhi\r\nPUB a..b 0\r\n\r\n"}},
		 {"+OK\r\n-ERR 'Invalid Publish Subject'\r\n+OK\r\nMSG foo.* 1 2\r\nhi\r\n"
		  "-ERR 'Invalid Publish Subject'\r\n+OK\r\n"}, {0}},
		{"with headers",
		 {{0, "CONNECT {\"verbose\":false,\"pedantic\":true,\"headers\":true}\r\n"
		      "SUB > 1\r\nHPUB > 1 3\r\nabc\r\nPUB fo*o a.* 1\r\nx\r\n"}},
		 {"-ERR 'Invalid Publish Subject'\r\nHMSG > 1 1 3\r\nabc\r\n"
		  "MSG fo*o 1 a.* 1\r\nx\r\n"}, {0}},
		{"not else", {{0, QUIET "SUB foo.* 1\r\nPUB foo.* 2\r\nhi\r\nPUB a..b 0\r\n\r\n"}},
		 {"MSG foo.* 1 2\r\nhi\r\n"}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void a_message_goes_from_one_to_the_other(void)
{
	static const struct talk talks[] = {
		{"plain", {{1, QUIET "SUB foo.> x\r\n"}, {0, QUIET "PUB foo.bar 5\r\nhello\r\n"},
			   {0, "PUB foo.bar re.ply 0002\r\nhi\r\nPUB foo 0\r\n\r\n"}},
		 {"", "MSG foo.bar x 5\r\nhello\r\nMSG foo.bar x re.ply 0002\r\nhi\r\n"}, {0}},
		{"to both", {{1, QUIET "SUB foo 1\r\nSUB foo 2 \r\n"}, {0, QUIET "SUB foo 3\r\n"},
			     {0, "PUB foo 1\r\nx\r\nPING\r\n"}, {1, "UNSUB 1\r\nUNSUB 2\r\n"
				"PING\r\n"},
			     {0, "PUB foo 1\r\ny\r\n"}},
		 {"MSG foo 3 1\r\nx\r\nPONG\r\nMSG foo 3 1\r\ny\r\n",
		  "MSG foo 1 1\r\nx\r\nMSG foo 2 1\r\nx\r\nPONG\r\n"}, {0}},
		{"any bytes", {{1, QUIET "SUB f\x01\xff.* \xfe|\x02\r\n"},
			       {0, QUIET "PUB f\x01\xff.\x7f 7\r\n\r\nPING\n\r\n"}},
		 {"", "MSG f\x01\xff.\x7f \xfe|\x02 7\r\n\r\nPING\n\r\n"}, {0}},
		{"queue", {{1, QUIET "SUB foo grp 1\r\n"}, {0, MUTE "SUB foo grp 2\r\n"},
			   {0, "PUB foo 1\r\n1\r\nPUB foo 1\r\n2\r\nPUB foo 1\r\n3\r\n"}},
		 {"", "MSG foo 1 1\r\n1\r\nMSG foo 1 1\r\n2\r\nMSG foo 1 1\r\n3\r\n"}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void without_echo_nobody_hears_himself(void)
{
	static const struct talk talks[] = {
		{"mute", {{0, MUTE "SUB foo 1\r\nSUB foo grp 2\r\nPUB foo 1\r\nx\r\n"},
			  {1, QUIET "PUB foo 1\r\ny\r\n"}, {0, "UNSUB 2\r\nPUB foo 1\r\nz\r\n"},
			  {1, "SUB foo 1\r\nPUB foo 1\r\nw\r\n"}, {0, "PING\r\n"}},
		 /* Both subscriptions of the first hear the second, plain before queue. */
		 {"MSG foo 1 1\r\ny\r\nMSG foo 2 1\r\ny\r\nMSG foo 1 1\r\nw\r\nPONG\r\n",
		  "MSG foo 1 1\r\nw\r\n"}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void headers_go_to_who_asked_for_them(void)
{
	static const struct talk talks[] = {
		{"both ways", {{0, HEADERS "SUB foo 1\r\n"}, {1, QUIET "SUB foo 2\r\n"},
			       {0, "HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"},
			       {0, "HPUB foo re 012 012\r\nNATS/1.0\r\n\r\n\r\n"},
			       {0, "HPUB foo 0 2\r\nhi\r\nHPUB foo re 00 2\r\nhi\r\n"},
			       {1, "PUB foo 2\r\nho\r\n"}},
		 {"HMSG foo 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
		  "HMSG foo 1 re 012 012\r\nNATS/1.0\r\n\r\n\r\n"
		  "MSG foo 1 2\r\nhi\r\nMSG foo 1 re 2\r\nhi\r\nMSG foo 1 2\r\nho\r\n",
		  "MSG foo 2 2\r\nhi\r\nMSG foo 2 re 0\r\n\r\nMSG foo 2 2\r\nhi\r\n"
		  "MSG foo 2 re 2\r\nhi\r\nMSG foo 2 2\r\nho\r\n"}, {0}},
		{"not asked for", {{0, QUIET "PING\r\nHPUB foo 12 14\r\nPING\r\n"}},
		 {"PONG\r\n"}, {FAULT_NO_HEADERS, 0}},
	};
	static const struct talk off[] = {
		{"switched off", {{0, HEADERS "HPUB foo 12 14\r\n"}}, {""}, {FAULT_NO_HEADERS, 0}},
		{"and so no responders", {{0, REQUESTER "PING\r\n"}},
		 {"-ERR 'no responders requires headers support'\r\n"}, {FAULT_NO_RESPONDERS, 0}},
	};

	set_default_limits();
	HOLD(talks);
	limits.headers = false;
	HOLD(off);
}

static void a_request_that_nobody_hears_is_answered(void)
{
	static const struct talk talks[] = {
		{"503", {{0, REQUESTER "SUB re.* 9\r\nPUB foo re.1 2\r\nhi\r\n"
			"HPUB foo.b re.2 2 2\r\nhi\r\n"}},
		 {"HMSG re.1 9 35 35\r\nNATS/1.0 503\r\nNats-Subject: foo\r\n\r\n\r\n"
		  "HMSG re.2 9 37 37\r\nNATS/1.0 503\r\nNats-Subject: foo.b\r\n\r\n\r\n"}, {0}},
		{"verbose", {{0,
			"CONNECT {\"headers\":true,\"no_responders\":true,\"echo\":false}\r\n"
				 "SUB re 1\r\nSUB foo 2\r\nPUB foo re 0\r\n\r\n"}},
		 {"+OK\r\n+OK\r\n+OK\r\n+OK\r\n"
		  "HMSG re 1 35 35\r\nNATS/1.0 503\r\nNats-Subject: foo\r\n\r\n\r\n"}, {0}},
		{"somebody hears", {{1, QUIET "SUB foo 1\r\n"},
				    {0, REQUESTER "SUB re 9\r\nPUB foo re 2\r\nhi\r\nPING\r\n"}},
		 {"PONG\r\n", "MSG foo 1 re 2\r\nhi\r\n"}, {0}},
		{"nobody to tell", {{0, REQUESTER "SUB re grp 9\r\nPUB foo re 2\r\nhi\r\n"
			"PUB foo 0\r\n\r\n"},
				    {1, QUIET "SUB re 1\r\nPUB foo re 0\r\n\r\n"}},
		 {"", ""}, {0}},
		{"denied", {{0, REQUESTER "SUB > 9\r\nPUB foo $JS.ACK.x 2\r\nhi\r\n"}},
		 {"-ERR 'Permissions Violation for Publish with Reply of \"$JS.ACK.x\"'\r\n"}, {0}},
		{"it does not count", {{0, REQUESTER "SUB re 9\r\nUNSUB 9 1\r\n"
			"PUB a..b re 0\r\n\r\n"
					   "PUB re 1\r\nx\r\nPUB re 1\r\ny\r\n"}},
		 {"HMSG re 9 36 36\r\nNATS/1.0 503\r\nNats-Subject: a..b\r\n\r\n\r\n"
		  "MSG re 9 1\r\nx\r\n"}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

/* A NUL is a byte like any other in a subject, a reply and a sid. */
static void a_nul_does_not_cut_the_answer_to_a_request(void)
{
	set_default_limits();
	begin();
	feed(&peers[0], SLICE(REQUESTER "SUB re.* s\0d\r\nPUB f\0o re.\0x 0\r\n\r\nPING\r\n"));
	test_check_text(__FILE__, __LINE__, "what is heard", buf_slice(&peers[0].heard),
			SLICE("HMSG re.\0x s\0d 35 35\r\nNATS/1.0 503\r\nNats-Subject: f\0o\r\n"
			      "\r\n\r\nPONG\r\n"));
	finish();
}

static void a_nul_is_an_ordinary_byte(void)
{
	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB f\0o s\0d\r\n"));
	feed(&peers[1], SLICE(QUIET "PUB f 1\r\nx\r\nPUB f\0o r\0 2\r\n\0y\r\nSUB a.\0. 1\r\n"
			      "PUB _GR_.\0 0\r\n\r\n"));
	test_check_text(__FILE__, __LINE__, "what is heard", buf_slice(&peers[0].heard),
			SLICE("MSG f\0o s\0d r\0 2\r\n\0y\r\n"));
	test_check_text(__FILE__, __LINE__, "what is complained of", buf_slice(&peers[1].heard),
			SLICE("-ERR 'Invalid Subject'\r\n"
			      "-ERR 'Permissions Violation for Publish to \"_GR_.\\x00\"'\r\n"));
	finish();
}

static void unsub_ends_now_or_after_so_many(void)
{
	static const struct talk talks[] = {
		{"now", {{0, QUIET "SUB foo 1\r\nUNSUB 1\r\nPUB foo 1\r\nx\r\nUNSUB 1\r\n"}}, {""},
			{0}},
		{"after two", {{0, QUIET "SUB foo 1\r\nUNSUB 1 2\r\nPUB foo 1\r\n1\r\nPUB foo 1\r\n"
			"2\r\n"
				       "PUB foo 1\r\n3\r\nSUB foo 1\r\nPUB foo 1\r\n4\r\n"}},
		 {"MSG foo 1 1\r\n1\r\nMSG foo 1 1\r\n2\r\nMSG foo 1 1\r\n4\r\n"}, {0}},
		{"all in all", {{0, QUIET "SUB foo 1\r\nPUB foo 1\r\n1\r\nUNSUB 1 2\r\n"
			"PUB foo 1\r\n2\r\n"
					"PUB foo 1\r\n3\r\n"}},
		 {"MSG foo 1 1\r\n1\r\nMSG foo 1 1\r\n2\r\n"}, {0}},
		{"already so many", {{0, QUIET "SUB foo 1\r\nPUB foo 1\r\n1\r\nUNSUB 1 1\r\n"
			"PUB foo 1\r\n2\r\n"}},
		 {"MSG foo 1 1\r\n1\r\n"}, {0}},
		{"no number", {{0, QUIET "SUB foo 1\r\nSUB foo 2\r\nSUB foo 3\r\nUNSUB 1 0\r\n"
			"UNSUB 2 x\r\n"
				       "UNSUB 3 1000000000\r\nPUB foo 1\r\nx\r\n"}},
		 {""}, {0}},
		{"raised and lowered", {{0, QUIET "SUB foo 1\r\nUNSUB 1 1\r\nUNSUB 1 5\r\n"
			"UNSUB 1 2\r\n"
						"PUB foo 1\r\n1\r\nPUB foo 1\r\n2\r\nPUB foo 1\r\n"
							"3\r\n"}},
		 {"MSG foo 1 1\r\n1\r\nMSG foo 1 1\r\n2\r\n"}, {0}},
		{"now after all", {{0, QUIET "SUB foo 1\r\nUNSUB 1 5\r\nUNSUB 1\r\nPUB foo 1\r\n"
			"1\r\n"}},
		 {""}, {0}},
		{"in another's outbox", {{1, QUIET "SUB foo 1\r\nSUB foo 2\r\nUNSUB 1 1\r\n"
			"UNSUB 2 1\r\n"},
					 {0, QUIET "PUB foo 1\r\nx\r\nPUB foo 1\r\ny\r\n"}},
		 {"", "MSG foo 1 1\r\nx\r\nMSG foo 2 1\r\nx\r\n"}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void a_sid_in_use_keeps_its_subscription(void)
{
	static const struct talk talks[] = {
		{"duplicate", {{0, "SUB foo 1\r\nSUB bar 1\r\nSUB not..valid 1\r\n" QUIET
				   "PUB foo 1\r\nx\r\nPUB bar 1\r\ny\r\nUNSUB 1\r\nSUB bar 1\r\n"
				   "PUB foo 1\r\nz\r\nPUB bar 1\r\nz\r\n"}},
		 {"+OK\r\n+OK\r\n+OK\r\nMSG foo 1 1\r\nx\r\nMSG bar 1 1\r\nz\r\n"}, {0}},
		{"each session has its own", {{0, QUIET "SUB foo 1\r\n"}, {1, QUIET "SUB foo 1\r\n"
			"UNSUB 1\r\n"},
					      {1, "PUB foo 1\r\nx\r\n"}},
		 {"MSG foo 1 1\r\nx\r\n", ""}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void what_may_be_subscribed_to_has_limits(void)
{
	static const struct talk talks[] = {
		{"subjects", {{0, QUIET "SUB foo. 1\r\nSUB .foo 1\r\nSUB foo.>.bar 1\r\n"
			"SUB foo.>> 1\r\n"
				      "PUB foo.>> 1\r\nx\r\n"}},
		 {"-ERR 'Invalid Subject'\r\n-ERR 'Invalid Subject'\r\n-ERR 'Invalid Subject'\r\n"
		  "MSG foo.>> 1 1\r\nx\r\n"}, {0}},
		{"tokens", {{0, QUIET "SUB a.b.c 1\r\nSUB a.b.c.d 2\r\nPUB a.b.c.d 0\r\n\r\n"}},
		 {"-ERR 'Permissions Violation for Subscription to \"a.b.c.d\", too many tokens'\r\n"},
		 {0}},
		{"number", {{0, QUIET "SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nSUB a 1\r\nUNSUB 2\r\n"
			"SUB d 4\r\n"
				    "PUB c 0\r\n\r\nPUB d 0\r\n\r\n"}, {1, QUIET "SUB a 1\r\n"
					"PING\r\n"}},
		 {"-ERR 'maximum subscriptions exceeded'\r\n"
			"-ERR 'maximum subscriptions exceeded'\r\n"
		  "MSG d 4 0\r\n\r\n", "PONG\r\n"}, {0}},
	};

	set_default_limits();
	limits.max_subscriptions = 2;
	limits.max_subscription_tokens = 3;
	HOLD(talks);
}

static void reserved_names_are_denied_and_quoted(void)
{
	static const struct talk talks[] = {
		{"subjects", {{0, QUIET "SUB > 1\r\nPUB $NRG.x 1\r\nx\r\nPUB _GR_.\"\\\x01 1\r\n"
			"y\r\n"
				      "PUB _GR_. 1\r\nz\r\nPUB _GR_ 1\r\nz\r\nPUB $NRG 0\r\n\r\n"}},
		 {"-ERR 'Permissions Violation for Publish to \"$NRG.x\"'\r\n"
		  "-ERR 'Permissions Violation for Publish to \"_GR_.\\\"\\\\\\x01\"'\r\n"
		  "MSG _GR_ 1 1\r\nz\r\nMSG $NRG 1 0\r\n\r\n"}, {0}},
		{"replies", {{0, QUIET "SUB > 1\r\nPUB foo _R_.x 0\r\n\r\nPUB foo _GR_.y 0\r\n\r\n"
				     "PUB foo $JS.API.z 0\r\n\r\n"
				     "PUB foo $JS. 0\r\n\r\nPUB foo _R_ 0\r\n\r\n"}},
		 {"-ERR 'Permissions Violation for Publish with Reply of \"_R_.x\"'\r\n"
		  "-ERR 'Permissions Violation for Publish with Reply of \"_GR_.y\"'\r\n"
		  "-ERR 'Permissions Violation for Publish with Reply of \"$JS.API.z\"'\r\n"
		  "MSG foo 1 $JS. 0\r\n\r\nMSG foo 1 _R_ 0\r\n\r\n"}, {0}},
	};

	set_default_limits();
	HOLD(talks);
}

/* What was said before it is heard, what comes behind it is not. */
static void some_faults_end_a_session(void)
{
	static const struct talk talks[] = {
		{"unknown", {{0, "PING\r\nHELO\r\nPING\r\n"}}, {"PONG\r\n" UNKNOWN},
		 {FAULT_UNKNOWN_OPERATION, 0}},
		{"empty line", {{0, "PING\r\n\r\n"}}, {"PONG\r\n" UNKNOWN},
			{FAULT_UNKNOWN_OPERATION, 0}},
		{"no blank", {{0, "PUB\r\n"}}, {UNKNOWN}, {FAULT_UNKNOWN_OPERATION, 0}},
		{"HTTP", {{0, "GET / HTTP/1.1\r\n\r\n"}}, {UNKNOWN}, {FAULT_UNKNOWN_OPERATION, 0}},
		{"arguments", {{0, "PING\r\nSUB foo\r\nPING\r\n"}}, {"PONG\r\n"},
		 {FAULT_ARGUMENTS, 0}},
		{"too many", {{0, "UNSUB 1 2 3\r\n"}}, {""}, {FAULT_ARGUMENTS, 0}},
		{"a size that is none", {{0, "PUB foo -1\r\n"}}, {""}, {FAULT_ARGUMENTS, 0}},
		{"headers longer than all", {{0, HEADERS "HPUB foo 5 4\r\n"}}, {""},
			{FAULT_ARGUMENTS, 0}},
		{"client error", {{0, "PING\r\n-ERR 'no'\r\nPING\r\n"}}, {"PONG\r\n"},
		 {FAULT_CLIENT_ERROR, 0}},
		{"JSON", {{0, "CONNECT {\"verbose\":maybe}\r\nPING\r\n"}}, {""}, {FAULT_JSON, 0}},
		{"INFO's JSON", {{0, "INFO [\r\nPING\r\n"}}, {""}, {FAULT_JSON, 0}},
		{"protocol", {{0, "CONNECT {\"protocol\":2}\r\n"}},
			{"-ERR 'invalid client protocol'\r\n"},
		 {FAULT_CLIENT_PROTOCOL, 0}},
		{"account", {{0, "CONNECT {\"account\":\"x\"}\r\n"}},
			{"-ERR 'Authorization Violation'\r\n"},
		 {FAULT_AUTHORIZATION, 0}},
		{"no responders", {{0, "CONNECT {\"no_responders\":true}\r\n"}},
		 {"-ERR 'no responders requires headers support'\r\n"}, {FAULT_NO_RESPONDERS, 0}},
		{"payload's end", {{0, QUIET "SUB foo 1\r\nPUB foo 2\r\nhi\nPING\r\n"}}, {UNKNOWN},
		 {FAULT_UNKNOWN_OPERATION, 0}},
		{"payload too long", {{0, QUIET "SUB foo 1\r\nPUB foo 2\r\nhiho\r\n"}}, {UNKNOWN},
		 {FAULT_UNKNOWN_OPERATION, 0}},
		{"CR, no LF", {{0, QUIET "PUB foo 2\r\nhi\rX"}}, {UNKNOWN},
			{FAULT_UNKNOWN_OPERATION, 0}},
		{"the other one goes on", {{1, QUIET "SUB foo 1\r\n"}, {0, QUIET "SUB foo 1\r\nX"},
					   {1, "PUB foo 1\r\nx\r\n"}},
		 {UNKNOWN "MSG foo 1 1\r\nx\r\n", "MSG foo 1 1\r\nx\r\n"},
		  {FAULT_UNKNOWN_OPERATION, 0}},
	};

	set_default_limits();
	HOLD(talks);
}

static void a_payload_may_be_as_long_as_the_limit(void)
{
	static const struct talk talks[] = {
		{"equal", {{0, HEADERS "SUB foo 1\r\nPUB foo 10\r\n0123456789\r\n"
				       "HPUB foo 5 10\r\n0123456789\r\n"}},
		 {"MSG foo 1 10\r\n0123456789\r\nHMSG foo 1 5 10\r\n0123456789\r\n"}, {0}},
		{"more", {{0, QUIET "SUB foo 1\r\nPUB foo 11\r\n"}},
		 {"-ERR 'Maximum Payload Violation'\r\n"}, {FAULT_MAX_PAYLOAD, 0}},
		{"more with headers", {{0, HEADERS "HPUB foo 2 11\r\nPING"}},
		 {"-ERR 'Maximum Payload Violation'\r\n"}, {FAULT_MAX_PAYLOAD, 0}},
	};

	set_default_limits();
	limits.max_payload = 10;
	HOLD(talks);
}

static void a_line_may_be_as_long_as_the_limit(void)
{
	static const struct talk talks[] = {
		{"equal", {{0, "SUB      0123456.89012345 1\r\n"
			"PING                                  \r\n"}},
		 {"+OK\r\nPONG\r\n"}, {0}},
		{"more", {{0, "PING\r\nSUB 0123456.890123456 1\r\nPING\r\n"}},
		 {"PONG\r\n-ERR 'maximum control line exceeded'\r\n"}, {FAULT_CONTROL_LINE, 0}},
		{"without end", {{0, "SUB 0123456.890123456 1"}},
		 {"-ERR 'maximum control line exceeded'\r\n"}, {FAULT_CONTROL_LINE, 0}},
	};

	set_default_limits();
	limits.max_control_line = 18;
	HOLD(talks);
}

/* Large messages, which have a place of their own while they arrive. */

static char *make_text(const char *before, size_t length, const char *behind)
{
	char *text = malloc(strlen(before) + length + strlen(behind) + 1);
	char *to = text + strlen(before);

	strcpy(text, before);
	for (size_t at = 0; at < length; at++)
		*to++ = (char)(at % 64 == 63 ? '\n' : at % 64 == 62 ? '\r' : '0' + at % 61);
	strcpy(to, behind);
	return text;
}

static void a_large_message_arrives_whole(void)
{
	char *said = make_text("PUB foo re 10007\r\n", LARGE, "\r\nPING\r\nPUB foo 2\r\nhi\r\n");
	char *heard = make_text("MSG foo x re 10007\r\n", LARGE, "\r\nMSG foo x 2\r\nhi\r\n");
	struct talk talk = {"large", {{1, QUIET "SUB foo x\r\n"}, {0, QUIET}, {0, said}},
			    {"PONG\r\n", heard}, {0}};

	set_default_limits();
	hold_in_all_manners(&talk);
	free(said);
	free(heard);
}

static void a_large_message_may_have_headers(void)
{
	char *said = make_text("HPUB foo 5000 10007\r\n", LARGE, "\r\nPING\r\n");
	char *heard = make_text("HMSG foo x 5000 10007\r\n", LARGE, "\r\n");
	char *whole = make_text("", LARGE, "\r\n");
	char *stripped = make_text("MSG foo y 5007\r\n", LARGE, "\r\nPONG\r\n");
	struct talk talk = {"large", {{1, HEADERS "SUB foo x\r\n"}, {0, HEADERS}, {0, said}},
			    {NULL, heard}, {0}};

	set_default_limits();
	strcpy(stripped + strlen("MSG foo y 5007\r\n"), whole + 5000);
	talk.heard[0] = "PONG\r\n";
	hold_in_all_manners(&talk);
	/* And a receiver that takes none of them. */
	talk.steps[0].says = QUIET "SUB foo y\r\n";
	talk.heard[1] = stripped;
	hold_in_all_manners(&talk);
	free(said);
	free(heard);
	free(whole);
	free(stripped);
}

static void a_large_message_that_is_denied_is_swallowed(void)
{
	char *said = make_text("PUB _GR_.x 10007\r\n", LARGE, "\r\nPING\r\n");
	struct talk talk = {"denied", {{1, QUIET "SUB > x\r\n"}, {0, QUIET}, {0, said}},
			    {"-ERR 'Permissions Violation for Publish to \"_GR_.x\"'\r\nPONG\r\n",
				""},
			    {0}};

	set_default_limits();
	hold_in_all_manners(&talk);
	free(said);
}

static void a_large_message_must_end_with_a_line(const char *end)
{
	char *said = make_text("PUB foo 10007\r\n", LARGE, end);
	struct talk talk = {"bad end", {{1, QUIET "SUB foo x\r\n"}, {0, QUIET}, {0, said}},
			    {UNKNOWN, ""}, {FAULT_UNKNOWN_OPERATION, 0}};

	set_default_limits();
	hold_in_all_manners(&talk);
	free(said);
}

static void the_end_of_a_large_message_is_checked(void)
{
	a_large_message_must_end_with_a_line("\nPING\r\n");
	a_large_message_must_end_with_a_line("\rX");
	a_large_message_must_end_with_a_line("X");
}

/* Right around the size from which on a message gets a place of its own. */
static void sizes_around_the_limit_of_sharing_are_alike(void)
{
	for (size_t length = OUTBOX_SHARE_BYTES - 3; length < OUTBOX_SHARE_BYTES + 3; length++) {
		char line[32];
		char *said, *heard;
		struct talk talk = {"around", {{1, QUIET "SUB foo x\r\n"}, {0, QUIET}},
				    {NULL}, {0}};

		snprintf(line, sizeof(line), "PUB foo %zu\r\n", length);
		said = make_text(line, length, "\r\n");
		snprintf(line, sizeof(line), "MSG foo x %zu\r\n", length);
		heard = make_text(line, length, "\r\n");
		talk.steps[2].says = said;
		talk.heard[1] = heard;
		set_default_limits();
		hold_in_all_manners(&talk);
		free(said);
		free(heard);
	}
}

static void an_unfinished_message_is_forgotten_with_its_session(void)
{
	struct talk talk = {"unfinished", {{1, QUIET "SUB foo x\r\n"},
				   {0, QUIET "PUB foo 100000\r\nabc"}},
			    {"", ""}, {0}};

	set_default_limits();
	hold_in_all_manners(&talk);
}

static void a_place_is_offered_while_a_large_message_arrives(void)
{
	set_default_limits();
	begin();
	CHECK_NUMBER(session_room(&peers[0].session).length, 0);
	feed(&peers[0], SLICE(QUIET "PUB foo 4095\r\nab"));
	CHECK_NUMBER(session_room(&peers[0].session).length, 0);
	feed(&peers[1], SLICE(QUIET "PUB foo 5000\r\nab"));
	CHECK_NUMBER(session_room(&peers[1].session).length, 5000 + 2 - 2);
	CHECK_NUMBER(peers[1].rest_length, 0);
	memset(session_room(&peers[1].session).bytes, 'x', 4999);
	CHECK_NUMBER(session_filled(&peers[1].session, 4998), SESSION_MORE);
	CHECK_NUMBER(session_room(&peers[1].session).length, 2);
	memcpy(session_room(&peers[1].session).bytes, "\r\n", 2);
	CHECK_NUMBER(session_filled(&peers[1].session, 2), SESSION_MORE);
	CHECK_NUMBER(session_room(&peers[1].session).length, 0);
	finish();
}

/* Permissions. The first peer has them, the second may do everything. */

static void hold_with(const struct lists *lists, const struct talk *talk)
{
	permits[0] = make_permit(lists);
	set_default_limits();
	hold_in_all_manners(talk);
	permit_unref(permits[0]);
	permits[0] = NULL;
}

#define VERBOSE "CONNECT {\"verbose\":true,\"pedantic\":false}\r\n"
#define DENIED_TO_PUBLISH(subject) \
	"-ERR 'Permissions Violation for Publish to \"" subject "\"'\r\n"
#define DENIED_TO_SUBSCRIBE(subject) \
	"-ERR 'Permissions Violation for Subscription to \"" subject "\""

static void what_may_not_be_published_is_not(void)
{
	static const struct talk talk = {
		"publish",
		{{1, QUIET "SUB > 1\r\n"},
		 {0, VERBOSE "PUB a 2\r\nhi\r\nPUB b 2\r\nhi\r\nPUB a.b 0\r\n\r\nPUB x re 1\r\n"
			"1\r\n"
		     "PUB \"q 0\r\n\r\nPING\r\n"}},
		{"+OK\r\n+OK\r\n" DENIED_TO_PUBLISH("b") DENIED_TO_PUBLISH("a.b") "+OK\r\n"
		 DENIED_TO_PUBLISH("\\\"q") "PONG\r\n",
		 "MSG a 1 2\r\nhi\r\nMSG x 1 re 1\r\n1\r\n"},
		{0}};

	hold_with(&(struct lists){.publish_allow = "a.>;a;x", .publish_deny = "*.b"}, &talk);
}

static void complaints_about_a_message_come_in_order(void)
{
	static const struct talk talk = {
		"order",
		{{0, "CONNECT {\"verbose\":true,\"pedantic\":true}\r\n"
		     "PUB b.* 0\r\n\r\nPUB b _R_.x 0\r\n\r\nPUB a _R_.x 0\r\n\r\nPUB a.* 0\r\n"
		     "\r\n"}},
		{"+OK\r\n-ERR 'Invalid Publish Subject'\r\n" DENIED_TO_PUBLISH("b.*")
		 DENIED_TO_PUBLISH("b")
		 "-ERR 'Permissions Violation for Publish with Reply of \"_R_.x\"'\r\n"
		 "-ERR 'Invalid Publish Subject'\r\n+OK\r\n"},
		{0}};

	hold_with(&(struct lists){.publish_allow = "a;a.>"}, &talk);
}

static void a_large_message_that_is_not_permitted_is_swallowed(void)
{
	char *said = make_text("PUB b 10007\r\n", LARGE, "\r\nPING\r\n");
	struct talk talk = {"large and denied", {{1, QUIET "SUB > x\r\n"}, {0, QUIET}, {0, said}},
			    {DENIED_TO_PUBLISH("b") "PONG\r\n", ""}, {0}};

	hold_with(&(struct lists){.publish_deny = "b"}, &talk);
	free(said);
}

static void who_may_not_subscribe_is_told_to_what(void)
{
	static const struct talk talk = {
		"subscribe",
		{{0, VERBOSE "SUB a 1\r\nSUB b 2\r\nSUB a q 3\r\nSUB a r 4\r\nSUB > 5\r\n"
			"SUB b..b 6\r\n"
		     "SUB a..a 7\r\nSUB \"b r\"\\ 8\r\n"},
		 {1, QUIET "PUB a 1\r\n1\r\nPUB b 1\r\n1\r\n"}},
		{"+OK\r\n+OK\r\n" DENIED_TO_SUBSCRIBE("b") "'\r\n+OK\r\n"
		 DENIED_TO_SUBSCRIBE("a") " using queue \"r\"'\r\n"
		 DENIED_TO_SUBSCRIBE(">") "'\r\n" DENIED_TO_SUBSCRIBE("b..b") "'\r\n"
		 DENIED_TO_SUBSCRIBE("a..a") "'\r\n"
		 DENIED_TO_SUBSCRIBE("\\\"b") " using queue \"r\\\"\\\\\"'\r\n"
		 "MSG a 1 1\r\n1\r\nMSG a 3 1\r\n1\r\n"},
		{0}};

	hold_with(&(struct lists){.subscribe_allow = "a;a q"}, &talk);
}

static void permission_comes_before_limits(void)
{
	static const struct talk talk = {
		"limits",
		{{0, VERBOSE "SUB a 1\r\nSUB b 1\r\nSUB b 2\r\nSUB a 2\r\nSUB b.c.d.e 3\r\n"
		     "SUB a.c.d.e 3\r\nUNSUB 1\r\nSUB a..c 1\r\n"}},
		{"+OK\r\n+OK\r\n" DENIED_TO_SUBSCRIBE("b") "'\r\n" DENIED_TO_SUBSCRIBE("b") "'\r\n"
		 "-ERR 'maximum subscriptions exceeded'\r\n" DENIED_TO_SUBSCRIBE("b.c.d.e") "'\r\n"
		 DENIED_TO_SUBSCRIBE("a.c.d.e") ", too many tokens'\r\n+OK\r\n"
		 "-ERR 'Invalid Subject'\r\n"},
		{0}};

	permits[0] = make_permit(&(struct lists){.subscribe_deny = "b;b.>"});
	set_default_limits();
	limits.max_subscriptions = 1;
	limits.max_subscription_tokens = 3;
	hold_in_all_manners(&talk);
	permit_unref(permits[0]);
	permits[0] = NULL;
}

static void what_is_denied_does_not_come_under_a_wildcard(void)
{
	static const struct talk talks[] = {
		{"plain",
		 {{0, QUIET "SUB > 1\r\nSUB *.c 2\r\nSUB b 3\r\n"},
		  {1, QUIET "PUB a.c 1\r\n1\r\nPUB a 1\r\n2\r\nPUB b.c 1\r\n3\r\nPUB b 1\r\n"
			"4\r\n"}},
		 {"MSG a 1 1\r\n2\r\nMSG b.c 1 1\r\n3\r\nMSG b.c 2 1\r\n3\r\nMSG b 3 1\r\n4\r\n"
		  "MSG b 1 1\r\n4\r\n"}, {0}},
		/* It counts for nothing: not for a limit either. */
		{"limited",
		 {{0, QUIET "SUB > 1\r\nUNSUB 1 2\r\n"},
		  {1, QUIET "PUB a.c 1\r\n1\r\nPUB b 1\r\n2\r\nPUB a.d 1\r\n3\r\nPUB b 1\r\n4\r\n"
			"PUB b 1\r\n5\r\n"}},
		 {"MSG b 1 1\r\n2\r\nMSG b 1 1\r\n4\r\n"}, {0}},
		/* Another member of the group gets it. */
		{"queue",
		 {{0, QUIET "SUB *.c q 1\r\n"}, {1, QUIET "SUB a.c q 2\r\n"},
		  {1, "PUB a.c 1\r\n1\r\nPUB a.c 1\r\n2\r\nPUB a.c 1\r\n3\r\nPUB a.c 1\r\n4\r\n"}},
		 {"", "MSG a.c 2 1\r\n1\r\nMSG a.c 2 1\r\n2\r\nMSG a.c 2 1\r\n3\r\n"
			"MSG a.c 2 1\r\n4\r\n"},
		 {0}},
		/* Who is kept from it is no responder. */
		{"nobody",
		 {{0, QUIET "SUB > 1\r\n"}, {1, REQUESTER "SUB r 2\r\nPUB a.c r 0\r\n\r\n"}},
		 {"", "HMSG r 2 35 35\r\nNATS/1.0 503\r\nNats-Subject: a.c\r\n\r\n\r\n"}, {0}},
	};

	for (size_t at = 0; at < sizeof(talks) / sizeof(talks[0]); at++)
		hold_with(&(struct lists){.subscribe_deny = "a.*"}, &talks[at]);
}

static void a_queue_may_be_kept_from_what_others_hear(void)
{
	static const struct talk talks[] = {
		{"this queue",
		 {{0, QUIET "SUB a.* q.x 1\r\nSUB a.* 2\r\nSUB a.b q.y 3\r\n"},
		  {1, QUIET "PUB a.b 1\r\n1\r\nPUB a.c 1\r\n2\r\n"}},
		 {DENIED_TO_SUBSCRIBE("a.b") " using queue \"q.y\"'\r\n"
		  "MSG a.b 2 1\r\n1\r\nMSG a.c 2 1\r\n2\r\nMSG a.c 1 1\r\n2\r\n"}, {0}},
		{"another queue",
		 {{0, QUIET "SUB a.* r 1\r\n"}, {1, QUIET "PUB a.b 1\r\n1\r\nPUB a.c 1\r\n2\r\n"}},
		 {"MSG a.b 1 1\r\n1\r\nMSG a.c 1 1\r\n2\r\n"}, {0}},
	};

	for (size_t at = 0; at < sizeof(talks) / sizeof(talks[0]); at++)
		hold_with(&(struct lists){.subscribe_deny = "a.b q.*"}, &talks[at]);
}

static void a_denied_request_has_no_responders_either(void)
{
	static const struct talk talk = {
		"denied request",
		{{0, REQUESTER "SUB r 1\r\nPUB a r 0\r\n\r\nPUB b r 0\r\n\r\n"}},
		{DENIED_TO_PUBLISH("a")
		 "HMSG r 1 33 33\r\nNATS/1.0 503\r\nNats-Subject: b\r\n\r\n\r\n"},
		{0}};

	hold_with(&(struct lists){.publish_deny = "a"}, &talk);
}

static void who_was_asked_may_answer(void)
{
	static const struct talk talks[] = {
		{"once",
		 {{0, QUIET "SUB svc 1\r\nPUB r.1 0\r\n\r\n"},
		  {1, QUIET "SUB r.* 2\r\nPUB svc r.1 1\r\n?\r\nPUB svc 1\r\n-\r\n"},
		  {0, "PUB r.2 0\r\n\r\nPUB r.1 1\r\n!\r\nPUB r.1 1\r\n!\r\nPUB svc 0\r\n\r\n"}},
		 {DENIED_TO_PUBLISH("r.1") "MSG svc 1 r.1 1\r\n?\r\nMSG svc 1 1\r\n-\r\n"
		  DENIED_TO_PUBLISH("r.2") DENIED_TO_PUBLISH("r.1") DENIED_TO_PUBLISH("svc"),
		  "MSG r.1 2 1\r\n!\r\n"}, {0}},
		/* Both at once, in a group, answered in the other order. */
		{"each",
		 {{0, QUIET "SUB svc q 1\r\n"},
		  {1, QUIET "SUB r.* 2\r\nPUB svc r.1 0\r\n\r\nPUB svc r.2 0\r\n\r\n"},
		  {0, "PUB r.2 1\r\n!\r\nPUB r.1 1\r\n!\r\nPUB r.2 1\r\n!\r\n"}},
		 {"MSG svc 1 r.1 0\r\n\r\nMSG svc 1 r.2 0\r\n\r\n" DENIED_TO_PUBLISH("r.2"),
		  "MSG r.2 2 1\r\n!\r\nMSG r.1 2 1\r\n!\r\n"}, {0}},
		/* Two messages with one reply subject may both be answered. */
		{"one inbox",
		 {{0, QUIET "SUB svc 1\r\n"},
		  {1, QUIET "SUB r 2\r\nPUB svc r 0\r\n\r\nPUB svc r 0\r\n\r\n"},
		  {0, "PUB r 1\r\n1\r\nPUB r 1\r\n2\r\nPUB r 1\r\n3\r\n"}},
		 {"MSG svc 1 r 0\r\n\r\nMSG svc 1 r 0\r\n\r\n" DENIED_TO_PUBLISH("r"),
		  "MSG r 2 1\r\n1\r\nMSG r 2 1\r\n2\r\n"}, {0}},
		/* A reply subject is no pattern, and what is reserved stays so. */
		{"odd",
		 {{0, QUIET "SUB svc 1\r\n"},
		  {1, QUIET "PUB svc a.* 0\r\n\r\nPUB svc $NRG.x 0\r\n\r\nPUB svc a..b 0\r\n\r\n"},
		  {0, "PUB a.b 0\r\n\r\nPUB a.* 0\r\n\r\nPUB $NRG.x 0\r\n\r\nPUB a..b 0\r\n\r\n"
			"PING\r\n"}},
		 {"MSG svc 1 a.* 0\r\n\r\nMSG svc 1 $NRG.x 0\r\n\r\nMSG svc 1 a..b 0\r\n\r\n"
		  DENIED_TO_PUBLISH("a.b") DENIED_TO_PUBLISH("$NRG.x") "PONG\r\n"}, {0}},
	};

	for (size_t at = 0; at < sizeof(talks) / sizeof(talks[0]); at++)
		hold_with(&(struct lists){.subscribe_allow = "svc", .allow_responses = true},
			  &talks[at]);
}

static void a_grant_goes_beyond_the_lists(void)
{
	static const struct talk talk = {
		"lists",
		{{0, QUIET "SUB svc 1\r\n"}, {1, QUIET "SUB * 2\r\nPUB svc r 0\r\n\r\n"
			"PUB svc x 0\r\n\r\n"},
		 {0, "PUB r 0\r\n\r\nPUB r 0\r\n\r\nPUB r 0\r\n\r\nPUB x 0\r\n\r\nPUB x 0\r\n\r\n"
			"PUB x 0\r\n\r\n"}},
		{"MSG svc 1 r 0\r\n\r\nMSG svc 1 x 0\r\n\r\n" DENIED_TO_PUBLISH("r"),
		 "MSG svc 2 r 0\r\n\r\nMSG svc 2 x 0\r\n\r\nMSG r 2 0\r\n\r\nMSG r 2 0\r\n\r\n"
		 "MSG x 2 0\r\n\r\nMSG x 2 0\r\n\r\nMSG x 2 0\r\n\r\n"},
		{0}};

	hold_with(&(struct lists){.publish_allow = "x;r", .publish_deny = "r",
				  .allow_responses = true, .max_responses = 2}, &talk);
}

/* What a session tells its owner. */

static enum session_answer say(size_t who, const char *text, const char *left)
{
	struct slice input = slice_of(text);
	enum session_answer answer = session_feed(&peers[who].session, &input);

	test_check_text(__FILE__, __LINE__, "what is left", input, slice_of(left));
	return answer;
}

static uint8_t take_events(size_t who)
{
	uint8_t events = peers[who].session.events;

	peers[who].session.events = 0;
	return events;
}

/* Takes what was heard and forgets it. */
static void check_told(size_t who, const char *expected)
{
	send_all();
	test_check_text(__FILE__, __LINE__, "what is told", buf_slice(&peers[who].heard),
			slice_of(expected));
	peers[who].heard.length = 0;
}

static void change_permit(size_t who, const struct lists *lists)
{
	struct permit *permit = lists ? make_permit(lists) : NULL;

	CHECK_NUMBER(session_set_permit(&peers[who].session, permit), 0);
	permit_unref(permit);
}

/* One that is removed: what the client hears of it is what the log may tell. */
static void check_removed(size_t who, const char *subject, const char *queue, const char *told)
{
	struct session *session = &peers[who].session;

	CHECK(session_remove_forbidden(session));
	CHECK_NUMBER(session->complaint, FAULT_SUBSCRIPTION_DENIED);
	CHECK_NUMBER(take_events(who), SESSION_COMPLAINED);
	test_check_text(__FILE__, __LINE__, "the subject", session_about(session),
			slice_of(subject));
	test_check_text(__FILE__, __LINE__, "the queue", session_about_queue(session),
			slice_of(queue));
	check_told(who, told);
}

static void subscriptions_that_are_not_allowed_any_more_are_removed(void)
{
	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB ok 1\r\nSUB no 2\r\n"));
	feed(&peers[1], SLICE(QUIET));
	change_permit(0, &(struct lists){.subscribe_allow = "ok"});
	check_removed(0, "no", "", DENIED_TO_SUBSCRIBE("no") " (sid \"2\")'\r\n");
	CHECK(!session_remove_forbidden(&peers[0].session));
	feed(&peers[1], SLICE("PUB no 1\r\n1\r\nPUB ok 1\r\n2\r\n"));
	check_told(0, "MSG ok 1 1\r\n2\r\n");
	/* The sid is free again. */
	feed(&peers[0], SLICE("SUB ok 2\r\nSUB no q\"q 3\r\n"));
	check_told(0, DENIED_TO_SUBSCRIBE("no") " using queue \"q\\\"q\"'\r\n");
	change_permit(0, NULL);
	CHECK(!session_remove_forbidden(&peers[0].session));
	feed(&peers[0], SLICE("SUB no q\"q s\"4\r\nUNSUB 1\r\nUNSUB 2\r\n"));
	change_permit(0, &(struct lists){.subscribe_deny = "no q*q;no q\"q"});
	check_removed(0, "no", "q\"q", DENIED_TO_SUBSCRIBE("no") " using queue \"q\\\"q\""
		      " (sid \"s\\\"4\")'\r\n");
	CHECK_NUMBER(router.subscriptions, 0);
	finish();
}

static void many_subscriptions_may_be_removed(void)
{
	char line[64];
	uint32_t removed = 0;

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET));
	for (int at = 0; at < 1000; at++) {
		snprintf(line, sizeof(line), "SUB s.%d %s %d\r\n", at, at % 3 ? "q" : "", at);
		feed(&peers[0], slice_of(line));
	}
	change_permit(0, &(struct lists){.subscribe_deny = "*.* q"});
	while (session_remove_forbidden(&peers[0].session))
		removed++;
	CHECK_NUMBER(removed, 666);
	CHECK_NUMBER(router.subscriptions, 334);
	finish();
}

/* A change is not forgotten by those that stay. */
static void a_filter_comes_and_goes_with_the_permit(void)
{
	static const char message[] = "MSG a.b 1 1\r\n1\r\n";

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB a.* 1\r\n"));
	feed(&peers[1], SLICE(QUIET "PUB a.b 1\r\n1\r\n"));
	check_told(0, message);
	change_permit(0, &(struct lists){.subscribe_deny = "a.b"});
	feed(&peers[1], SLICE("PUB a.b 1\r\n1\r\n"));
	check_told(0, "");
	change_permit(0, &(struct lists){.subscribe_deny = "a.c", .publish_deny = ">"});
	feed(&peers[1], SLICE("PUB a.b 1\r\n1\r\nPUB a.c 0\r\n\r\n"));
	check_told(0, message);
	feed(&peers[0], SLICE("PUB x 0\r\n\r\n"));
	check_told(0, DENIED_TO_PUBLISH("x"));
	/* One that forbids nothing is none. */
	change_permit(0, &(struct lists){0});
	CHECK(!peers[0].session.outbox.guard);
	feed(&peers[0], SLICE("PUB a.c 0\r\n\r\n"));
	check_told(0, "MSG a.c 1 0\r\n\r\n");
	finish();
}

/* As with each CONNECT: who has many subscriptions must not hold up others by it. */
static void the_same_permit_again_is_no_work(void)
{
	struct permit *permit = make_permit(&(struct lists){.subscribe_deny = "a.c"});
	uint64_t before;

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB a.* 1\r\nSUB b.* 2\r\nSUB c 3\r\n"));
	before = router.work;
	change_permit(0, NULL);
	CHECK_NUMBER(router.work, before);
	CHECK_NUMBER(session_set_permit(&peers[0].session, permit), 0);
	CHECK(router.work >= before + 3);
	before = router.work;
	CHECK_NUMBER(session_set_permit(&peers[0].session, permit), 0);
	CHECK_NUMBER(router.work, before);
	feed(&peers[1], SLICE(QUIET "PUB a.b 1\r\n1\r\nPUB a.c 0\r\n\r\n"));
	check_told(0, "MSG a.b 1 1\r\n1\r\n");
	before = router.work;
	change_permit(0, NULL);
	CHECK(router.work >= before + 3);
	permit_unref(permit);
	finish();
}

/* A packet has room for twenty thousand of them. */
static void to_read_an_object_is_work(void)
{
	static const char *const lines[] = {"CONNECT {}\r\n", "INFO {}\r\n"};
	uint64_t before;

	set_default_limits();
	begin();
	for (size_t at = 0; at < 2; at++) {
		before = router.work;
		feed(&peers[0], slice_of(lines[at]));
		CHECK(router.work - before >= SESSION_WORK / 200);
	}
	finish();
}

static void a_grant_ends_with_its_time(void)
{
	static const struct lists lists = {.allow_responses = true, .max_responses = 9,
					   .response_expiry_ms = 500};

	set_default_limits();
	begin();
	change_permit(0, &lists);
	feed(&peers[0], SLICE(QUIET "SUB svc 1\r\n"));
	feed(&peers[1], SLICE(QUIET "PUB svc r 0\r\n\r\n"));
	now_ms += 400;
	is_moving = true;
	permits[0] = make_permit(&lists);
	move();
	permit_unref(permits[0]);
	permits[0] = NULL;
	is_moving = false;
	now_ms += 100;
	feed(&peers[0], SLICE("PUB r 0\r\n\r\n"));
	check_told(0, "MSG svc 1 r 0\r\n\r\n");
	now_ms += 1;
	feed(&peers[0], SLICE("PUB r 0\r\n\r\n"));
	check_told(0, DENIED_TO_PUBLISH("r"));
	finish();
}

static void events_are_told_to_the_owner(void)
{
	set_default_limits();
	begin();
	CHECK_NUMBER(say(0, "PING\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_HEARD);
	CHECK_NUMBER(say(0, "CONNECT {\"protocol\":1}\r\nPING\r\nPING\r\n", "PING\r\nPING\r\n"),
		     SESSION_WAIT);
	CHECK_NUMBER(take_events(0), SESSION_CONNECTED);
	CHECK(peers[0].session.connected);
	CHECK_NUMBER(say(0, "PING\r\nPING\r\n", "PING\r\n"), SESSION_WAIT);
	CHECK_NUMBER(take_events(0), SESSION_FIRST_PING | SESSION_HEARD);
	CHECK_NUMBER(say(0, "PING\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_HEARD);
	CHECK_NUMBER(say(0, "PONG\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_PONG);
	CHECK_NUMBER(say(0, "+OK\r\nINFO {}\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), 0);
	CHECK_NUMBER(say(0, "SUB foo 1\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_HEARD);
	CHECK_NUMBER(say(0, "PUB foo 1\r\n", "foo 1\r\n"), SESSION_MORE);
	CHECK_NUMBER(take_events(0), SESSION_HEARD);
	/* An old client does not know what a second INFO is. */
	CHECK_NUMBER(say(1, "CONNECT {}\r\n", ""), SESSION_WAIT);
	CHECK_NUMBER(take_events(1), SESSION_CONNECTED);
	CHECK_NUMBER(say(1, "PING\r\n", ""), SESSION_MORE);
	CHECK_NUMBER(take_events(1), SESSION_HEARD);
	finish();
}

/* What the log is to tell about complaints: each by itself, with its subject. */
static void complaints_are_told_one_by_one(void)
{
	static const struct {
		const char *said;
		const char *behind; /* the next operation, which waits */
		enum fault complaint;
		const char *about;
	} rows[] = {
		{"SUB a..b 1\r\nSUB a..c 2\r\n", "SUB a..c 2\r\n", FAULT_INVALID_SUBJECT, "a..b"},
		{"SUB a _sys_ 1\r\nPING\r\n", "PING\r\n", FAULT_SUBSCRIPTION_DENIED, "a"},
		{"SUB a.b.c.d 1\r\nPING\r\n", "PING\r\n", FAULT_TOKENS_DENIED, "a.b.c.d"},
		{"PUB a.* 2\r\nhi\r\nPING\r\n", "PING\r\n", FAULT_INVALID_PUBLISH_SUBJECT, "a.*"},
		{"PUB $NRG.a 2\r\nhi\r\nPING\r\n", "PING\r\n", FAULT_PUBLISH_DENIED, "$NRG.a"},
		{"PUB a _R_.b 2\r\nhi\r\nPING\r\n", "PING\r\n", FAULT_REPLY_DENIED, "_R_.b"},
		{"SUB a 1\r\nSUB b 2\r\nPING\r\n", "PING\r\n", FAULT_MAX_SUBSCRIPTIONS, "b"},
	};

	set_default_limits();
	limits.max_subscriptions = 1;
	limits.max_subscription_tokens = 3;
	for (size_t at = 0; at < sizeof(rows) / sizeof(rows[0]); at++) {
		struct session *session = &peers[0].session;

		begin();
		CHECK_NUMBER(say(0, rows[at].said, rows[at].behind), SESSION_WAIT);
		CHECK(take_events(0) & SESSION_COMPLAINED);
		CHECK_NUMBER(session->complaint, rows[at].complaint);
		test_check_text(__FILE__, __LINE__, rows[at].said, session_about(session),
				slice_of(rows[at].about));
		/* A complaint from elsewhere is not about that. */
		session_complain(session, FAULT_STALE);
		CHECK(!session_about(session).bytes);
		finish();
	}
	begin();
	/* Not allowed, and then no CRLF behind the payload. */
	CHECK_NUMBER(say(0, "PUB $NRG.b 2\r\nhi  ", "$NRG.b 2\r\nhi  "), SESSION_OVER);
	CHECK(take_events(0) & SESSION_COMPLAINED);
	test_check_text(__FILE__, __LINE__, "the complaint's subject",
			session_about(&peers[0].session), SLICE("$NRG.b"));
	finish();
	limits.max_payload = 2;
	begin();
	CHECK_NUMBER(say(0, "PUB too.large 3\r\n", "too.large 3\r\n"), SESSION_OVER);
	CHECK_NUMBER(peers[0].session.fault, FAULT_MAX_PAYLOAD);
	test_check_text(__FILE__, __LINE__, "a fault's subject", session_about(&peers[0].session),
			SLICE("too.large"));
	finish();
	set_default_limits();
}

static void a_hot_outbox_makes_the_publisher_wait(void)
{
	char *said = make_text("PUB foo 140000\r\n", 140000, "\r\nPING\r\n");

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET));
	feed(&peers[1], SLICE(QUIET "SUB foo 1\r\n"));
	CHECK_NUMBER(say(0, said, "PING\r\n"), SESSION_WAIT);
	CHECK(!list_is_empty(&pool.hot));
	drain();
	CHECK_NUMBER(say(0, "PING\r\n", ""), SESSION_MORE);
	finish();
	free(said);
}

static void who_does_not_read_is_cut_off_and_nobody_else(void)
{
	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB foo 1\r\n"));
	feed(&peers[1], SLICE(QUIET "SUB foo 2\r\n"));
	pool.limit_bytes = 50;
	CHECK_NUMBER(say(0, "PUB foo 10\r\n0123456789\r\n", ""), SESSION_MORE);
	/* The publisher reads, the other one does not. */
	outbox_take(&peers[0].session.outbox, peers[0].session.outbox.pending_bytes);
	CHECK_NUMBER(say(0, "PUB foo 10\r\n0123456789\r\n", ""), SESSION_MORE);
	CHECK(!peers[0].session.outbox.closed);
	CHECK(peers[1].session.outbox.closed);
	CHECK(peers[1].session.outbox.overflowed);
	CHECK_NUMBER(router.out_messages, 3);
	pool.limit_bytes = NO_LIMIT;
	finish();
}

/* A thousand subscriptions of a form with one or two numbers in it. */
static void subscribe_a_thousand(const char *form)
{
	char line[128];

	for (unsigned number = 0; number < 1000; number++) {
		snprintf(line, sizeof(line), form, number, number);
		feed(&peers[0], slice_of(line));
	}
}

/* Who subscribes to this alone has all that is held; the tables, nodes and names are a part of it. */
static void all_that_subscriptions_take_is_held_against_their_client(void)
{
	static const struct {
		const char *form;
		size_t least; /* bytes each, where a pointer has 8 */
	} forms[] = {
		{"SUB foo %u\r\n", 60},
		{"SUB many.%u %u\r\n", 120},
		/* A group has a table of its own, and so has a node with another one below. */
		{"SUB foo group%u %u\r\n", 300},
		{"SUB foo.*.%u group %u\r\n", 200},
		{"SUB foo.*.%1$u group%1$u %1$u\r\n", 300},
		{"SUB %u.a.b.c.d.* %u\r\n", 5 * 140},
		{"SUB a.b.c.d.e.f.g.h.*.%u %u\r\n", 200},
	};

	for (size_t at = 0; at < sizeof(forms) / sizeof(forms[0]); at++) {
		size_t before, taken, held;

		set_default_limits();
		begin();
		feed(&peers[0], SLICE(QUIET));
		before = pool_held_bytes(&pool);
		subscribe_a_thousand(forms[at].form);
		taken = pool_held_bytes(&pool) - before;
		held = session_held_bytes(&peers[0].session);
		CHECK(taken > 1000 * forms[at].least * sizeof(void *) / 8);
		CHECK(held > taken / 10 * 8);
		CHECK(held < taken / 10 * 12);
		CHECK(session_end_some_subs(&peers[0].session, &(uint32_t){UINT32_MAX}));
		CHECK_NUMBER(pool_held_bytes(&pool), before);
		finish();
	}
}

/* What it takes of memory is counted when it comes, and in full when it goes. */
static void what_a_session_holds_is_known(void)
{
	size_t before, connected;

	set_default_limits();
	begin();
	before = pool_held_bytes(&pool);
	CHECK_NUMBER(session_held_bytes(&peers[0].session), 0);
	feed(&peers[0], SLICE(QUIET));
	connected = pool_held_bytes(&pool);
	CHECK_NUMBER(connected, before);
	feed(&peers[0], SLICE("SUB foo 1\r\nSUB foo.*.bar.> longname 2\r\n"));
	CHECK(session_held_bytes(&peers[0].session) > 300);
	CHECK(session_held_bytes(&peers[0].session) < 2000);
	CHECK(pool_held_bytes(&pool) - connected > 300);
	CHECK(pool_held_bytes(&pool) - connected < 2000);
	/* A hundred more, of which some are looked at. */
	for (unsigned sid = 100; sid < 200; sid++) {
		char line[64];

		snprintf(line, sizeof(line), "SUB many.%u %u\r\n", sid, sid);
		feed(&peers[0], slice_of(line));
	}
	CHECK(session_held_bytes(&peers[0].session) > (pool_held_bytes(&pool) - connected) / 2);
	CHECK(session_held_bytes(&peers[0].session) < (pool_held_bytes(&pool) - connected) * 2);
	CHECK(session_end_some_subs(&peers[0].session, &(uint32_t){UINT32_MAX}));
	CHECK_NUMBER(pool_held_bytes(&pool), connected);
	CHECK_NUMBER(session_held_bytes(&peers[0].session), 0);
	/* A message of which little has come has its place all the same. */
	feed(&peers[0], SLICE("PUB foo 100000\r\n0123456789"));
	CHECK(session_held_bytes(&peers[0].session) >= 100000);
	CHECK(pool_held_bytes(&pool) - connected >= 100000);
	session_give_up(&peers[0].session);
	CHECK_NUMBER(pool_held_bytes(&pool), connected);
	finish();
}

static void a_complaint_may_come_from_outside(void)
{
	set_default_limits();
	begin();
	session_ping(&peers[0].session);
	session_complain(&peers[0].session, FAULT_MAX_SUBSCRIPTIONS);
	CHECK_NUMBER(peers[0].session.fault, FAULT_NONE);
	session_complain(&peers[0].session, FAULT_STALE);
	CHECK_NUMBER(peers[0].session.fault, FAULT_STALE);
	drain();
	test_check_text(__FILE__, __LINE__, "what is heard", buf_slice(&peers[0].heard),
			SLICE("PING\r\n-ERR 'maximum subscriptions exceeded'\r\n"
			      "-ERR 'Stale Connection'\r\n"));
	/* It hears nothing any more. */
	CHECK_NUMBER(say(0, "PING\r\n", "PING\r\n"), SESSION_OVER);
	session_complain(&peers[1].session, FAULT_PENDING);
	CHECK_NUMBER(peers[1].session.fault, FAULT_PENDING);
	CHECK_NUMBER(peers[1].session.outbox.pending_bytes, 0);
	finish();
}

/* Some at a time, and from the first on it hears nothing. */
static void subscriptions_may_end_before_the_session(void)
{
	uint32_t most = 2;

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET "SUB foo 1\r\nSUB * 2\r\nSUB foo grp 3\r\nSUB foo 4\r\n"));
	CHECK_NUMBER(router.subscriptions, 4);
	peers[0].session.outbox.closed = true;
	CHECK(!session_end_some_subs(&peers[0].session, &most));
	CHECK_NUMBER(most, 0);
	CHECK_NUMBER(router.subscriptions, 2);
	feed(&peers[1], SLICE(QUIET "PUB foo 1\r\nx\r\n"));
	CHECK_NUMBER(peers[0].session.outbox.pending_bytes, 0);
	/* Just enough is enough. */
	most = 2;
	CHECK(session_end_some_subs(&peers[0].session, &most));
	CHECK_NUMBER(most, 0);
	CHECK_NUMBER(router.subscriptions, 0);
	CHECK_NUMBER(peers[0].session.subs.count, 0);
	feed(&peers[1], SLICE(QUIET "PUB foo 1\r\nx\r\n"));
	CHECK_NUMBER(peers[0].session.outbox.pending_bytes, 0);
	finish();
}

static void many_subscriptions_come_and_go(void)
{
	char line[64];

	set_default_limits();
	begin();
	feed(&peers[0], SLICE(QUIET));
	for (int at = 0; at < 3000; at++) {
		snprintf(line, sizeof(line), "SUB s.%d.%s %d\r\n", at % 700, at & 1 ? "*" : "x",
			at);
		feed(&peers[0], slice_of(line));
	}
	CHECK_NUMBER(router.subscriptions, 3000);
	for (int at = 0; at < 3000; at += 2) {
		snprintf(line, sizeof(line), "UNSUB %d\r\n", at);
		feed(&peers[0], slice_of(line));
	}
	CHECK_NUMBER(router.subscriptions, 1500);
	CHECK_NUMBER(peers[0].session.subs.count, 1500);
	CHECK_NUMBER(router.trie.literals.count, 0);
	finish();
}

static const struct test_case cases[] = {
	TEST_CASE(the_small_verbs_are_answered),
	TEST_CASE(who_is_verbose_hears_ok),
	TEST_CASE(who_is_pedantic_is_corrected_once),
	TEST_CASE(a_message_goes_from_one_to_the_other),
	TEST_CASE(without_echo_nobody_hears_himself),
	TEST_CASE(headers_go_to_who_asked_for_them),
	TEST_CASE(a_request_that_nobody_hears_is_answered),
	TEST_CASE(a_nul_does_not_cut_the_answer_to_a_request),
	TEST_CASE(a_nul_is_an_ordinary_byte),
	TEST_CASE(unsub_ends_now_or_after_so_many),
	TEST_CASE(a_sid_in_use_keeps_its_subscription),
	TEST_CASE(what_may_be_subscribed_to_has_limits),
	TEST_CASE(reserved_names_are_denied_and_quoted),
	TEST_CASE(some_faults_end_a_session),
	TEST_CASE(a_payload_may_be_as_long_as_the_limit),
	TEST_CASE(a_line_may_be_as_long_as_the_limit),
	TEST_CASE(a_large_message_arrives_whole),
	TEST_CASE(a_large_message_may_have_headers),
	TEST_CASE(a_large_message_that_is_denied_is_swallowed),
	TEST_CASE(the_end_of_a_large_message_is_checked),
	TEST_CASE(sizes_around_the_limit_of_sharing_are_alike),
	TEST_CASE(an_unfinished_message_is_forgotten_with_its_session),
	TEST_CASE(a_place_is_offered_while_a_large_message_arrives),
	TEST_CASE(what_may_not_be_published_is_not),
	TEST_CASE(complaints_about_a_message_come_in_order),
	TEST_CASE(a_large_message_that_is_not_permitted_is_swallowed),
	TEST_CASE(who_may_not_subscribe_is_told_to_what),
	TEST_CASE(permission_comes_before_limits),
	TEST_CASE(what_is_denied_does_not_come_under_a_wildcard),
	TEST_CASE(a_queue_may_be_kept_from_what_others_hear),
	TEST_CASE(a_denied_request_has_no_responders_either),
	TEST_CASE(who_was_asked_may_answer),
	TEST_CASE(a_grant_goes_beyond_the_lists),
	TEST_CASE(subscriptions_that_are_not_allowed_any_more_are_removed),
	TEST_CASE(many_subscriptions_may_be_removed),
	TEST_CASE(a_filter_comes_and_goes_with_the_permit),
	TEST_CASE(the_same_permit_again_is_no_work),
	TEST_CASE(to_read_an_object_is_work),
	TEST_CASE(a_grant_ends_with_its_time),
	TEST_CASE(events_are_told_to_the_owner),
	TEST_CASE(complaints_are_told_one_by_one),
	TEST_CASE(a_hot_outbox_makes_the_publisher_wait),
	TEST_CASE(who_does_not_read_is_cut_off_and_nobody_else),
	TEST_CASE(all_that_subscriptions_take_is_held_against_their_client),
	TEST_CASE(what_a_session_holds_is_known),
	TEST_CASE(a_complaint_may_come_from_outside),
	TEST_CASE(subscriptions_may_end_before_the_session),
	TEST_CASE(many_subscriptions_come_and_go),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
