/* SPDX-License-Identifier: MIT */
#include "broker/auth.h"

#include <time.h>

#include "proto/handshake.h"

#include "test.h"

#define HASH "$2b$04$abcdefghijklmnopqrstuuWpv3VmDSDI7XcJ6cTqDqHXWdLYYDvS6"
#define NKEY "UDLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRUVAL"
#define OTHER_NKEY "ADLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRVRTU"

static const struct auth_origin remote = {.connection = AUTH_STANDARD};

static struct auth *make(void)
{
	struct auth *auth = auth_new(4711);

	if (!auth)
		abort();
	return auth;
}

#define ADD(auth, ...) auth_add_user((auth), &(struct auth_user){__VA_ARGS__})

/* The claim's texts are only looked at. */
#define DECIDE(auth, origin, ...) \
	auth_decide((auth), &(struct claim){__VA_ARGS__}, (origin))
#define VERDICT(auth, ...) DECIDE((auth), &remote, __VA_ARGS__).verdict

static char joe[] = "joe", sesame[] = "sesame", wrong[] = "wrong", nkey[] = NKEY, some[] = "sig";

static void without_users_everybody_may_come_in(void)
{
	struct auth *auth = make();

	CHECK(!auth->is_required);
	CHECK_NUMBER(VERDICT(auth, .user = NULL), AUTH_ACCEPT);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = wrong), AUTH_ACCEPT);
	CHECK(!DECIDE(auth, &remote, .user = joe).user);
	auth_free(auth);
}

static void a_user_has_his_password(void)
{
	struct auth *auth = make();

	CHECK_NUMBER(ADD(auth, .name = "joe", .password = "sesame"), AUTH_OK);
	CHECK(auth->is_required && auth->has_plain_secrets && !auth->needs_crypt);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = sesame), AUTH_ACCEPT);
	CHECK_TEXT(slice_of(DECIDE(auth, &remote, .user = joe, .password = sesame).user->name),
		   "joe");
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = wrong), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .user = joe), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .user = wrong, .password = sesame), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .password = sesame), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .token = sesame), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .user = NULL), AUTH_REFUSE);
	auth_free(auth);
}

/* As with nats-server. */
static void without_a_password_it_is_the_empty_one(void)
{
	struct auth *auth = make();

	CHECK_NUMBER(ADD(auth, .name = "joe"), AUTH_OK);
	CHECK_NUMBER(VERDICT(auth, .user = joe), AUTH_ACCEPT);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = wrong), AUTH_REFUSE);
	auth_free(auth);
}

static void a_hash_is_for_somebody_else_to_make(void)
{
	struct auth *auth = make();
	struct auth_decision decision;
	char hash[] = HASH;

	CHECK_NUMBER(ADD(auth, .name = "joe", .password = HASH), AUTH_OK);
	CHECK(auth->needs_crypt && !auth->has_plain_secrets);
	decision = DECIDE(auth, &remote, .user = joe, .password = sesame);
	CHECK_NUMBER(decision.verdict, AUTH_ASK_HASH);
	CHECK_TEXT(slice_of(decision.given), "sesame");
	CHECK_TEXT(slice_of(decision.secret), HASH);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = hash), AUTH_ASK_HASH);
	auth_free(auth);
}

static void what_only_begins_like_a_hash_is_refused(void)
{
	static const char *const bad[] = {
		"$2b$04$", "$2b$03$abcdefghijklmnopqrstuuWpv3VmDSDI7XcJ6cTqDqHXWdLYYDvS6",
		"$2b$32$abcdefghijklmnopqrstuuWpv3VmDSDI7XcJ6cTqDqHXWdLYYDvS6", HASH "x",
		"$2b$04$abcdefghijklmnopqrstuuWpv3VmDSDI7XcJ6cTqDqHXWdLYYDvS!"};
	static const char *const plain[] = {"$2c$04$x", "$2b$4$x", "2b$04$x", "$2b04$x", "", "$2b$04"};
	struct auth *auth = make();

	for (size_t at = 0; at < sizeof(bad) / sizeof(bad[0]); at++) {
		CHECK_NUMBER(ADD(auth, .name = "joe", .password = bad[at]), AUTH_BAD_BCRYPT);
		CHECK_NUMBER(ADD(auth, .token = bad[at]), AUTH_BAD_BCRYPT);
	}
	for (size_t at = 0; at < sizeof(plain) / sizeof(plain[0]); at++)
		CHECK(!auth_is_bcrypt(slice_of(plain[at])));
	CHECK(!auth->is_required);
	auth_free(auth);
}

static void a_token_comes_as_a_token(void)
{
	struct auth *auth = make();

	CHECK_NUMBER(ADD(auth, .token = "sesame"), AUTH_OK);
	CHECK_NUMBER(VERDICT(auth, .token = sesame), AUTH_ACCEPT);
	CHECK_NUMBER(VERDICT(auth, .token = wrong), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .user = sesame), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .password = sesame), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .token = sesame), AUTH_ACCEPT);
	CHECK_NUMBER(ADD(auth, .token = "another"), AUTH_DUPLICATE);
	auth_free(auth);
}

static void an_nkey_needs_a_signature(void)
{
	struct auth *auth = make();
	char other[] = OTHER_NKEY;

	CHECK_NUMBER(ADD(auth, .nkey = OTHER_NKEY), AUTH_BAD_NKEY);
	CHECK_NUMBER(ADD(auth, .nkey = NKEY), AUTH_OK);
	CHECK_NUMBER(ADD(auth, .nkey = NKEY), AUTH_DUPLICATE);
	CHECK(auth->needs_signatures && !auth->has_plain_secrets);
	CHECK_NUMBER(VERDICT(auth, .nkey = nkey, .signature = some), AUTH_ASK_SIGNATURE);
	CHECK_NUMBER(DECIDE(auth, &remote, .nkey = nkey, .signature = some).user->key[0], 0xd7);
	CHECK_NUMBER(VERDICT(auth, .nkey = nkey), AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .nkey = other, .signature = some), AUTH_REFUSE);
	auth_free(auth);
}

static void an_nkey_decides_before_a_password(void)
{
	struct auth *auth = make();

	CHECK_NUMBER(ADD(auth, .name = "joe", .password = "sesame"), AUTH_OK);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = sesame, .nkey = nkey), AUTH_ACCEPT);
	CHECK_NUMBER(ADD(auth, .nkey = NKEY), AUTH_OK);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = sesame, .nkey = nkey), AUTH_REFUSE);
	auth_free(auth);
}

static void without_credentials_there_may_be_a_user_for_all(void)
{
	struct auth *auth = make();
	struct auth_decision decision;

	CHECK_NUMBER(ADD(auth, .name = "joe", .password = "sesame"), AUTH_OK);
	CHECK_NUMBER(auth_set_no_auth_user(auth, SLICE("jane")), AUTH_NO_USER);
	CHECK_NUMBER(auth_set_no_auth_user(auth, SLICE("joe")), AUTH_OK);
	decision = DECIDE(auth, &remote, .user = NULL);
	CHECK_NUMBER(decision.verdict, AUTH_ACCEPT);
	CHECK(decision.by_default && decision.user == auth_find_user(auth, SLICE("joe")));
	CHECK_NUMBER(VERDICT(auth, .password = wrong), AUTH_REFUSE);
	/* An nkey says nothing as long as nobody has one. */
	CHECK(DECIDE(auth, &remote, .nkey = nkey).by_default);
	CHECK_NUMBER(ADD(auth, .nkey = NKEY), AUTH_OK);
	CHECK_NUMBER(VERDICT(auth, .nkey = nkey), AUTH_REFUSE);
	CHECK(!DECIDE(auth, &remote, .user = joe, .password = sesame).by_default);
	auth_free(auth);
}

static void the_kernel_knows_who_is_there(void)
{
	struct auth *auth = make();
	struct auth_origin local = {.is_local = true, .uid = 1000, .gid = 100,
				    .connection = AUTH_STANDARD};

	CHECK_NUMBER(ADD(auth, .peer = {.has_uid = true, .uid = 1000, .unit = "a.service"}), 0);
	CHECK_NUMBER(ADD(auth, .name = "joe", .peer = {.has_uid = true, .uid = 1000}), 0);
	CHECK_NUMBER(ADD(auth, .peer = {.has_gid = true, .gid = 7}), 0);
	CHECK(auth->needs_units);
	CHECK_NUMBER(VERDICT(auth, .user = NULL), AUTH_REFUSE);
	/* In their order: the first needs the unit. */
	local.unit_pending = true;
	CHECK_NUMBER(DECIDE(auth, &local, .user = NULL).verdict, AUTH_ASK_UNIT);
	local.unit_pending = false;
	CHECK(DECIDE(auth, &local, .user = NULL).user == auth->users[1]);
	local.unit = "a.service";
	CHECK(DECIDE(auth, &local, .user = NULL).user == auth->users[0]);
	CHECK(DECIDE(auth, &local, .user = NULL).by_default);
	local.uid = 1001;
	CHECK_NUMBER(DECIDE(auth, &local, .user = NULL).verdict, AUTH_REFUSE);
	local.gid = 7;
	CHECK(DECIDE(auth, &local, .user = NULL).user == auth->users[2]);
	/* A name is not enough, neither here nor anywhere else. */
	CHECK_NUMBER(DECIDE(auth, &local, .user = joe).verdict, AUTH_REFUSE);
	CHECK_NUMBER(VERDICT(auth, .user = joe), AUTH_REFUSE);
	local.uid = 1000;
	CHECK_NUMBER(DECIDE(auth, &local, .user = joe).verdict, AUTH_ACCEPT);
	auth_free(auth);
}

static void a_password_and_a_place_are_both_needed(void)
{
	struct auth *auth = make();
	struct auth_origin local = {.is_local = true, .uid = 1000, .connection = AUTH_STANDARD};

	CHECK_NUMBER(ADD(auth, .name = "joe", .password = "sesame",
			 .peer = {.has_uid = true, .uid = 1000}), 0);
	CHECK_NUMBER(DECIDE(auth, &local, .user = NULL).verdict, AUTH_REFUSE);
	CHECK_NUMBER(DECIDE(auth, &local, .user = joe).verdict, AUTH_REFUSE);
	CHECK_NUMBER(DECIDE(auth, &local, .user = joe, .password = sesame).verdict, AUTH_ACCEPT);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = sesame), AUTH_REFUSE);
	auth_free(auth);
}

static void some_may_come_by_some_ways_only(void)
{
	struct auth *auth = make();

	CHECK_NUMBER(ADD(auth, .name = "joe", .password = "sesame",
			 .connections = AUTH_WEBSOCKET | AUTH_MQTT), 0);
	CHECK_NUMBER(VERDICT(auth, .user = joe, .password = sesame), AUTH_REFUSE);
	auth_free(auth);
}

static void accounts_have_names_of_their_own(void)
{
	struct auth *auth = make();

	CHECK_NUMBER(auth_add_account(auth, SLICE("A")), AUTH_OK);
	CHECK_NUMBER(auth_add_account(auth, SLICE("A")), AUTH_DUPLICATE);
	CHECK_NUMBER(auth_add_account(auth, SLICE("$G")), AUTH_RESERVED);
	CHECK_NUMBER(ADD(auth, .name = "joe", .account = "B"), AUTH_NO_ACCOUNT);
	CHECK_NUMBER(ADD(auth, .name = "joe", .account = "A"), AUTH_OK);
	CHECK_NUMBER(ADD(auth, .name = "joe"), AUTH_DUPLICATE);
	CHECK_NUMBER(ADD(auth, .name = "jane"), AUTH_OK);
	CHECK_NUMBER(ADD(auth, .password = "x"), AUTH_NO_CREDENTIALS);
	CHECK_TEXT(slice_of(auth_find_user(auth, SLICE("joe"))->account), "A");
	CHECK_TEXT(slice_of(auth_find_user(auth, SLICE("jane"))->account), "$G");
	auth_free(auth);
}

static void a_user_is_known_again_in_another_configuration(void)
{
	struct auth *before = make(), *after = make();
	const struct auth_user *user, *same;

	CHECK_NUMBER(ADD(before, .name = "joe", .password = "sesame"), 0);
	CHECK_NUMBER(ADD(before, .peer = {.has_uid = true, .uid = 7}), 0);
	CHECK_NUMBER(ADD(after, .name = "jane", .password = "sesame"), 0);
	CHECK_NUMBER(ADD(after, .peer = {.has_uid = true, .uid = 7}), 0);
	CHECK_NUMBER(ADD(after, .name = "joe", .password = "changed"), 0);
	user = before->users[0];
	same = auth_find_id(after, slice_of(user->id));
	CHECK(same == after->users[2]);
	CHECK(auth_find_id(after, slice_of(before->users[1]->id)) == after->users[1]);
	CHECK(!auth_find_id(before, slice_of(after->users[0]->id)));
	/* His secret is not: */
	CHECK(auth_stamp(user, 42) != auth_stamp(same, 42));
	CHECK_NUMBER(auth_stamp(user, 42), auth_stamp(after->users[0], 42));
	CHECK(auth_stamp(user, 42) != auth_stamp(user, 43));
	/* The same in all versions, for one hands it over to another. */
	CHECK_NUMBER(auth_stamp(user, 42), 0x2b42);
	auth_free(before);
	auth_free(after);
}

/* Each client that comes is asked about twice, at least: to look at all of them would take a minute. */
static void thousands_of_users_cost_those_nothing_who_are_none_of_them(void)
{
	struct auth *auth = make();
	struct auth_origin local = {.is_local = true, .uid = 1000, .connection = AUTH_STANDARD};
	clock_t start;
	char name[16];

	for (int at = 0; at < 20000; at++) {
		snprintf(name, sizeof(name), "user%d", at);
		CHECK_NUMBER(ADD(auth, .name = name, .password = "sesame"), AUTH_OK);
	}
	CHECK_NUMBER(ADD(auth, .peer = {.has_uid = true, .uid = 1000}), AUTH_OK);
	start = clock();
	for (int at = 0; at < 100000; at++)
		if (DECIDE(auth, &local, .user = NULL).verdict != AUTH_ACCEPT)
			abort();
	CHECK((clock() - start) / (CLOCKS_PER_SEC / 1000) < 1000);
	auth_free(auth);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(without_users_everybody_may_come_in),
		TEST_CASE(thousands_of_users_cost_those_nothing_who_are_none_of_them),
		TEST_CASE(a_user_has_his_password),
		TEST_CASE(without_a_password_it_is_the_empty_one),
		TEST_CASE(a_hash_is_for_somebody_else_to_make),
		TEST_CASE(what_only_begins_like_a_hash_is_refused),
		TEST_CASE(a_token_comes_as_a_token),
		TEST_CASE(an_nkey_needs_a_signature),
		TEST_CASE(an_nkey_decides_before_a_password),
		TEST_CASE(without_credentials_there_may_be_a_user_for_all),
		TEST_CASE(the_kernel_knows_who_is_there),
		TEST_CASE(a_password_and_a_place_are_both_needed),
		TEST_CASE(some_may_come_by_some_ways_only),
		TEST_CASE(accounts_have_names_of_their_own),
		TEST_CASE(a_user_is_known_again_in_another_configuration),
	};

	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
