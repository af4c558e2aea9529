/* SPDX-License-Identifier: MIT */
/*
 * What each operation does, and what a client without the permission for it hears. What a session
 * holds is tested in session_held.c, how it ends in session_ended.c.
 */
#include "broker/session.h"

#include "lists.h"
#include "talk.h"
#include "test.h"

#define MUTE "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n"
#define REQUESTER \
	"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n"
#define VERBOSE "CONNECT {\"verbose\":true,\"pedantic\":false}\r\n"

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

/* Permissions. */

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
	TEST_CASE(what_may_not_be_published_is_not),
	TEST_CASE(complaints_about_a_message_come_in_order),
	TEST_CASE(who_may_not_subscribe_is_told_to_what),
	TEST_CASE(permission_comes_before_limits),
	TEST_CASE(what_is_denied_does_not_come_under_a_wildcard),
	TEST_CASE(a_queue_may_be_kept_from_what_others_hear),
	TEST_CASE(a_denied_request_has_no_responders_either),
	TEST_CASE(who_was_asked_may_answer),
	TEST_CASE(a_grant_goes_beyond_the_lists),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
