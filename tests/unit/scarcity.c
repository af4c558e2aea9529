/* SPDX-License-Identifier: MIT */
/*
 * When memory runs out. Each script runs again and again; the first allocation fails, then the
 * second, and so on until none is left. Each time the client whose fault it is not goes on as if
 * nothing had happened, and nothing is left when all are gone.
 */
#include <errno.h>

#include "broker/auth.h"
#include "broker/guard.h"
#include "broker/router.h"
#include "broker/session.h"
#include "broker/state.h"
#include "broker/trace.h"
#include "failing.h"
#include "lists.h"
#include "test.h"

enum { FAILURES_MAX = 5000, LARGE = 9000, MAX_PENDING = 1 << 20, USERS = 20, PAYLOADS = 8 };

#define QUIET \
	"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true,\"name\":\"n\"}\r\n"

enum who { ACTOR, READER, WITNESS, PEERS };

struct world {
	struct limits limits;
	struct pool pool;
	struct router router;
	struct session sessions[PEERS];
	bool has_failed; /* somebody did without memory what needs some */
};

static void say_bytes(struct world *world, enum who who, struct slice text)
{
	struct session *session = &world->sessions[who];
	enum session_answer answer = SESSION_WAIT;

	if (session->fault != FAULT_NONE)
		return;
	while (answer == SESSION_WAIT) {
		answer = session_feed(session, &text);
		list_remove(&session->outbox.dirty_link);
	}
	/* It knows why, or its outbox is closed. Of a token that found no room jansson says that it
	   is none. */
	if (answer == SESSION_OVER)
		CHECK(session->fault == FAULT_MEMORY || session->fault == FAULT_JSON ||
		      session->outbox.closed);
	world->has_failed |= answer == SESSION_OVER || session->outbox.closed;
	CHECK(answer == SESSION_OVER || text.length == 0);
}

static void say(struct world *world, enum who who, const char *text)
{
	say_bytes(world, who, slice_of(text));
}

/* The end of a turn, for all but who does not read. */
static void end_turn(struct world *world)
{
	for (size_t at = 0; at < PEERS; at++) {
		struct outbox *outbox = &world->sessions[at].outbox;

		list_remove(&outbox->dirty_link);
		if (at == READER)
			outbox_fall_behind(outbox);
		else
			outbox_take(outbox, outbox->pending_bytes);
	}
	router_rest(&world->router);
}

static void begin(struct world *world)
{
	static const uint64_t seeds[2] = {1, 2};

	*world = (struct world){
		.limits = {.max_payload = 1 << 20, .max_control_line = 4096, .headers = true}};
	pool_init(&world->pool, MAX_PENDING);
	router_init(&world->router, &world->pool, seeds);
	for (size_t at = 0; at < PEERS; at++)
		session_init(&world->sessions[at], &world->router, &world->limits);
	say(world, WITNESS, QUIET "SUB alone 1\r\n");
	end_turn(world);
}

static void end(struct world *world)
{
	for (size_t at = 0; at < PEERS; at++)
		session_fini(&world->sessions[at]);
	CHECK_NUMBER(world->router.subscriptions, 0);
	CHECK_NUMBER(world->router.queues.count, 0);
	CHECK(!world->router.trie.root);
	router_fini(&world->router);
	pool_fini(&world->pool);
}

static void the_witness_goes_on(struct world *world)
{
	struct slice slices[4];

	end_turn(world);
	say(world, WITNESS, "PUB alone 2\r\nhi\r\nPING\r\n");
	CHECK_NUMBER(outbox_peek(&world->sessions[WITNESS].outbox, slices, 4), 1);
	CHECK_TEXT(slices[0], "MSG alone 1 2\r\nhi\r\nPONG\r\n");
}

/* All goes well in the last run of it, in which nothing fails any more. */
static void run_out_of_memory_in(void (*script)(struct world *world))
{
	struct world world;
	long live = failing.live;
	bool is_over = false;

	for (unsigned at = 1; !is_over && at < FAILURES_MAX; at++) {
		unsigned failures = test_failures;

		begin(&world);
		failing.count = 0;
		failing.fails_at = at;
		failing.is_counting = true;
		script(&world);
		failing.is_counting = false;
		is_over = failing.count < at;
		CHECK(!is_over || !world.has_failed);
		the_witness_goes_on(&world);
		end(&world);
		CHECK_NUMBER(failing.live, live);
		if (test_failures > failures)
			printf("# when allocation %u failed\n", at);
	}
	CHECK(is_over && failing.count > 0);
}

/* Scripts. */

static void publish_large(struct world *world, const char *line)
{
	static char large[LARGE + 2];

	memset(large, 'x', LARGE);
	memcpy(large + LARGE, "\r\n", 2);
	say(world, ACTOR, line);
	say_bytes(world, ACTOR, (struct slice){large, 100});
	say_bytes(world, ACTOR, (struct slice){large + 100, sizeof(large) - 100});
}

static void talk(struct world *world)
{
	static const char words[] =
		"PUB a 2\r\nhi\r\nPUB a 2\r\nhi\r\nPUB a 2\r\nhi\r\nPUB a.b.c 2\r\nhi\r\n"
		"PUB a.b.c 2\r\nhi\r\nHPUB a.b r 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPUB q 0\r\n\r\n"
		"PUB nobody r 0\r\n\r\nPING\r\n";

	say(world, READER, "CONNECT {\"verbose\":false}\r\nSUB a 1\r\nSUB a.> 2\r\nSUB large 3\r\n");
	say(world, ACTOR, QUIET "SUB a 1\r\nSUB *.b.* 2\r\nSUB r 3\r\nSUB q q1 4\r\nSUB q.* q1 5\r\n"
			  "SUB > q2 6\r\nSUB large 3\r\nUNSUB 2\r\nSUB a.b.c 7\r\nUNSUB 7 1\r\n");
	say(world, ACTOR, words);
	end_turn(world);
	publish_large(world, "PUB large 9000\r\n");
	end_turn(world);
	say(world, ACTOR, words);
}

static void a_conversation_runs_out_of_memory(void)
{
	run_out_of_memory_in(talk);
}

static void set_permit(struct world *world, enum who who, const struct lists *lists)
{
	struct permit *permit = make_permit(lists);
	int error = permit ? session_set_permit(&world->sessions[who], permit) : -ENOMEM;

	world->has_failed |= error < 0;
	while (error == 0 && session_remove_forbidden(&world->sessions[who]))
		continue;
	/* He must not go on. */
	if (error < 0)
		world->sessions[who].fault = FAULT_MEMORY;
	permit_unref(permit);
}

static void answer(struct world *world)
{
	const struct lists narrow = {.publish_deny = "a.*;b", .subscribe_deny = "b.>;c q",
				     .allow_responses = true, .max_responses = 2};
	const struct lists wide = {.subscribe_allow = "a.>;r.*", .publish_allow = "a.>;q"};

	set_permit(world, READER, &narrow);
	set_permit(world, ACTOR, &wide);
	say(world, READER, "CONNECT {\"verbose\":false}\r\nSUB q 1\r\nSUB b.* 2\r\nSUB c 3\r\n");
	say(world, ACTOR, "CONNECT {\"verbose\":false}\r\nSUB r.1 1\r\nSUB b 2\r\n"
			  "PUB q r.1 0\r\n\r\nPUB q r.2 0\r\n\r\nPUB b 0\r\n\r\n");
	say(world, READER, "PUB r.1 0\r\n\r\nPUB b 0\r\n\r\nPUB r.1 0\r\n\r\nPUB r.2 0\r\n\r\n");
	set_permit(world, ACTOR, &(struct lists){.subscribe_allow = "a.>"});
}

static void permissions_run_out_of_memory(void)
{
	run_out_of_memory_in(answer);
}

struct kept {
	struct state_payloads payloads;
	struct buf bytes[PAYLOADS];
};

static int keep(struct state_payloads *payloads, struct slice bytes)
{
	struct kept *kept = container_of(payloads, struct kept, payloads);

	return buf_append(&kept->bytes[payloads->count], bytes);
}

static void load(struct world *world, const struct kept *kept, struct slice fields)
{
	struct state_payload all[PAYLOADS];
	struct state_source source = {all, kept->payloads.count};
	struct session *session = &world->sessions[ACTOR];

	for (uint32_t at = 0; at < source.count; at++) {
		struct slice bytes = buf_slice(&kept->bytes[at]);

		all[at].payload = pool_take_payload(&world->pool, bytes.length);
		all[at].length = (uint32_t)bytes.length;
		if (!all[at].payload)
			continue;
		memcpy(all[at].payload->bytes, bytes.bytes, bytes.length);
		all[at].payload->filled = (uint32_t)bytes.length;
	}
	session_fini(session);
	session_init(session, &world->router, &world->limits);
	if (!state_load(session, &source, fields)) {
		world->has_failed = true;
		session->fault = FAULT_MEMORY;
	}
	for (uint32_t at = 0; at < source.count; at++)
		if (all[at].payload)
			pool_release_payload(&world->pool, all[at].payload);
}

/* The ACTOR is saved with a message that is half there, and output that nobody has read. */
static void move(struct world *world)
{
	struct kept kept = {.payloads = {.keep = keep}};
	struct tags_writer writer = {0};
	struct session *session = &world->sessions[ACTOR];

	set_permit(world, ACTOR, &(struct lists){.publish_allow = "large", .allow_responses = true,
						 .max_responses = 3});
	say(world, ACTOR, QUIET "SUB large 1\r\nSUB large.* q 2\r\nUNSUB 1 9\r\n");
	publish_large(world, "PUB large 9000\r\n");
	say(world, WITNESS, "PUB large r.1 2\r\nhi\r\n");
	say(world, ACTOR, "PUB large 9000\r\nxxxx");
	state_forget_numbers(session);
	if (session->fault != FAULT_NONE || state_save(session, &kept.payloads, &writer) < 0 ||
	    writer.failed)
		world->has_failed = true;
	else
		load(world, &kept, buf_slice(&writer.out));
	for (size_t at = 0; at < PAYLOADS; at++)
		buf_fini(&kept.bytes[at]);
	buf_fini(&writer.out);
	say(world, ACTOR, "PING\r\n");
}

/* WITNESS hears of it only by its own subscriptions: it may publish. */
static void a_move_runs_out_of_memory(void)
{
	run_out_of_memory_in(move);
}

static struct auth *make_auth(void)
{
	struct auth *auth = auth_new(4711);
	int error = auth ? auth_add_account(auth, SLICE("A")) : -ENOMEM;
	char name[16];

	for (size_t at = 0; at < USERS && error == 0; at++) {
		snprintf(name, sizeof(name), "user%zu", at);
		error = auth_add_user(auth, &(struct auth_user){
						    .name = name, .password = "p", .account = "A"});
	}
	if (error == 0)
		error = auth_add_user(
			auth, &(struct auth_user){.peer = {.has_uid = true, .unit = "a.service"}});
	if (error == 0)
		error = auth_set_no_auth_user(auth, SLICE("user1"));
	CHECK(error == 0 || error == -ENOMEM);
	if (error == 0)
		return auth;
	auth_free(auth);
	return NULL;
}

static void say_who(struct world *world)
{
	static const struct auth_origin origin = {.connection = AUTH_STANDARD};
	struct session *session = &world->sessions[ACTOR];
	struct auth *auth = make_auth();
	struct auth_decision decision;

	world->has_failed |= !auth;
	session_guard(session);
	say(world, ACTOR, "CONNECT {\"user\":\"user3\",\"pass\":\"p\",\"lang\":\"c\",\"sig\":\"s\","
			  "\"version\":\"1\",\"auth_token\":\"t\",\"nkey\":\"U\","
			  "\"verbose\":false}\r\n");
	if (auth && session->claim) {
		decision = auth_decide(auth, session->claim, &origin);
		CHECK(decision.verdict == AUTH_REFUSE ||
		      strcmp(decision.user->name, "user3") == 0);
		session_admit(session, NULL, &world->router);
	}
	session_forget_claim(session);
	if (session->fault == FAULT_NONE && !session->is_locked)
		say(world, ACTOR, "SUB a 1\r\nPING\r\n");
	auth_free(auth);
}

static void who_somebody_is_runs_out_of_memory(void)
{
	run_out_of_memory_in(say_who);
}

static void tell_info(struct world *world)
{
	const struct info info = {.server_id = "N", .server_name = "n", .minats_version = "1"};
	const struct info_client client = {.host = "h", .client_ip = "::1", .connect_info = true,
					   .account = "A", .nonce = SLICE("nonce")};
	struct buf common = {0}, out = {0};
	int error = handshake_info_common(&common, &info);

	if (error == 0)
		error = handshake_info(&out, buf_slice(&common), &client);
	CHECK(error == 0 || error == -ENOMEM);
	CHECK(error < 0 || slice_starts_with(buf_slice(&out), SLICE("INFO {")));
	CHECK(error == 0 || out.length == 0);
	world->has_failed |= error < 0;
	buf_fini(&common);
	buf_fini(&out);
}

static void info_runs_out_of_memory(void)
{
	run_out_of_memory_in(tell_info);
}

/* What a trace shows is not what counts here. */
static void show_nothing(struct trace *trace, struct outbox *whose, enum trace_way way,
			 struct slice verb, struct slice text)
{
	(void)trace, (void)whose, (void)way, (void)text;
	CHECK(verb.length > 0);
}

static void talk_watched(struct world *world)
{
	struct trace trace = {.line = show_nothing};

	world->router.trace = &trace;
	talk(world);
	world->router.trace = NULL;
}

static void a_trace_runs_out_of_memory(void)
{
	run_out_of_memory_in(talk_watched);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(a_conversation_runs_out_of_memory),
		TEST_CASE(permissions_run_out_of_memory),
		TEST_CASE(a_move_runs_out_of_memory),
		TEST_CASE(who_somebody_is_runs_out_of_memory),
		TEST_CASE(info_runs_out_of_memory),
		TEST_CASE(a_trace_runs_out_of_memory),
	};

	failing_init();
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
