/* SPDX-License-Identifier: MIT */
/*
 * One client's conversation: what each of its operations does (PROTOCOL 2 to 6).
 *
 * Has no socket. Its owner feeds it the client's bytes, sends what stands in its outbox, and ends
 * it when it says so.
 *
 * It is plain data, so that another process can go on with it: broker/state.h saves connect,
 * connected, pinged, denied, is_locked, has_default and the user's id; parser; inbound; the bytes of
 * the outbox; the subscriptions; and the replies it was asked for. All else is found again (router,
 * limits, permit, memos, places in the trie) or lives for a turn only (events, fault, complaint,
 * has_about).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "broker/outbox.h"
#include "proto/fault.h"
#include "proto/handshake.h"
#include "proto/parser.h"

struct auth_user;
struct guard;
struct memo;
struct permit;
struct router;
struct sub;

/* The same for all sessions; may change while they live. */
struct limits {
	uint32_t max_payload;
	uint32_t max_control_line;
	uint32_t max_subscriptions;       /* per session; 0: no limit */
	uint32_t max_subscription_tokens; /* 0: no limit */
	bool headers;                     /* the server supports them */
};

/* What a session wants its owner to know; the owner clears it. */
enum {
	SESSION_CONNECTED = 1, /* a CONNECT was accepted */
	SESSION_FIRST_PING = 2, /* answered, after CONNECT, to one who understands a second INFO */
	SESSION_HEARD = 4,     /* there was an operation that counts as activity (7.1) */
	SESSION_PONG = 8,
	SESSION_COMPLAINED = 16, /* there was an -ERR that left it open: `complaint` */
	SESSION_CLAIMS = 32, /* it is to be told who this is: session_admit(), session_refuse() */
};

struct session {
	struct outbox outbox;
	struct router *router;
	const struct limits *limits;
	struct connect connect;
	struct memo *recent; /* the router's, of the last subject that was published to, or the next;
				by now it may have another's name; NULL: none */
	struct map subs; /* by sid */
	uint32_t ended_subs;     /* how far session_end_some_subs() has come among them */
	struct payload *inbound; /* a large message still arriving: its line, then its body */
	uint32_t inbound_line;   /* length of the line; CRLF follows */
	uint32_t inbound_filled;
	uint32_t inbound_length;
	struct parser parser;
	uint8_t inbound_verb;
	uint8_t events;
	uint8_t fault;  /* enum fault: why it is over */
	uint8_t complaint; /* enum fault: the last that left it open */
	bool has_about; /* `complaint` or `fault` is about a subject: session_about() */
	bool connected; /* CONNECT was accepted */
	bool pinged;    /* PING came after CONNECT */
	bool denied;    /* the message in hand is not to be published */
	bool careful;   /* subjects are looked at: it is pedantic, or has a guard */
	bool is_guarded; /* not everybody may come in; from the beginning, or since a reload */
	bool is_locked;  /* guarded, and it is not yet known who this is: nothing is done for him */
	bool has_default; /* `user` was bound without credentials */
	uint8_t late_fault; /* enum fault: what else is wrong with the CONNECT that claims */
	uint16_t stamp;  /* auth_stamp() of the user's secret when he proved that he knows it */
	const struct auth_user *user; /* NULL: nobody in particular */
	struct claim *claim; /* of the CONNECT that waits for its answer; NULL: none */
};

/* So much of router.work is done in one go; then others should have their turn. */
enum { SESSION_WORK = 32768 };

enum session_answer {
	SESSION_MORE, /* all that is whole was done; what is left of the input waits for more */
	SESSION_WAIT, /* look at events, the pool's hot list and router.work, then feed the rest */
	SESSION_OVER, /* it ended; `fault` says why. What is in the outbox is still to be sent */
};

void session_init(struct session *session, struct router *router, const struct limits *limits);

/* Ends its subscriptions and frees what it holds. */
void session_fini(struct session *session);

/*
 * Ends some of the subscriptions of one whose outbox is closed, and hears nothing by them any more:
 * there may be millions. Each is one less of *most. True: there are none left.
 */
bool session_end_some_subs(struct session *session, uint32_t *most);

/* The same for one who goes on, and hears by those that are left meanwhile. */
bool session_remove_some_subs(struct session *session, uint32_t *most);

/*
 * What it holds of memory, about: output that it did not read at once, input, subscriptions, and
 * what it may answer. What others hold as well counts in full, so that of many who wait for the
 * same bytes those hold most who are furthest behind.
 */
size_t session_held_bytes(const struct session *session);

/* It is over: gives up what it has to send, and what it has of a message. */
void session_give_up(struct session *session);

/*
 * From now on CONNECT says who it is, and nothing else is done before: the first byte that is none
 * of a CONNECT's claims to be nobody. Its owner answers SESSION_CLAIMS before it feeds more.
 */
void session_guard(struct session *session);

/* Others hear it from now on: what it has with those before ends. */
void session_enter(struct session *session, struct router *router);

/* He is this user, in this router; what the CONNECT said goes on to hold. NULL: nobody. */
void session_admit(struct session *session, const struct auth_user *user, struct router *router);

/* He is not who he says he is: the session is over. */
void session_refuse(struct session *session);

/* Forgets and erases the claim; what is decided later is for its owner to know. */
void session_forget_claim(struct session *session);

/*
 * What it may do from now on; NULL: everything. Takes a reference. Subscriptions that were allowed
 * and are not any more are to be removed before anything else happens, by
 * session_remove_forbidden() until it says false. 0 or -ENOMEM: then it must not go on.
 */
int session_set_permit(struct session *session, struct permit *permit);

/*
 * Removes a subscription that the permit forbids, and complains to the client. `complaint` and
 * session_about() tell of it until the next call. False: there is none left.
 */
bool session_remove_forbidden(struct session *session);

/*
 * The subject that `complaint` or `fault` is about; no bytes: none. It stands in the bytes that
 * were fed, and the next complaint of any session takes its place: the owner looks at once.
 */
struct slice session_about(const struct session *session);

/* Of a subscription that was denied; likewise. */
struct slice session_about_queue(const struct session *session);

/* The owner has looked. */
void session_forget_about(struct session *session);

/* Takes whole operations off the front of `input`. */
enum session_answer session_feed(struct session *session, struct slice *input);

/*
 * Where the rest of a large message may be read to directly; no bytes when none is arriving. What
 * was read there is told by session_filled() before the next session_feed().
 */
struct room session_room(const struct session *session);
enum session_answer session_filled(struct session *session, size_t length);

/* For broker/state.c, into a fresh session. */

/* Its CONNECT was restored. */
void session_update_care(struct session *session);

/* Made if need be; until session_set_permit() it allows everything. NULL without memory. */
struct guard *session_take_guard(struct session *session);

/* A subscription; the subject is valid. NULL: the sid is there already, or there is no memory. */
struct sub *session_restore_sub(struct session *session, struct slice subject, struct slice queue,
				struct slice sid);

/* A large message of which `bytes` have arrived. False: they make no sense, or no memory. */
bool session_restore_inbound(struct session *session, uint64_t verb, uint64_t line_length,
			     uint64_t length, struct slice bytes);

/* Asks whether the client is still there. */
void session_ping(struct session *session);

/* Sends a complaint; one that ends the connection ends the session. */
void session_complain(struct session *session, enum fault fault);
