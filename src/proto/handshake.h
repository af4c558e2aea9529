/* SPDX-License-Identifier: MIT */
/*
 * INFO out, CONNECT in (PROTOCOL 1, 2). The one owner of jansson on this floor.
 *
 * What INFO says to everybody is rendered once, by jansson; what differs between connections is
 * appended to it, so that an accept costs no JSON.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/fault.h"

/* The level of nats-server that clients may rely on. */
#define HANDSHAKE_LEVEL "2.9.25"

/* What a client says of itself. */
enum connect_text { CONNECT_NAME, CONNECT_LANG, CONNECT_VERSION, CONNECT_TEXTS };

/* A connection's options. A new client starts with HANDSHAKE_DEFAULTS; CONNECT overlays. */
struct connect {
	bool verbose;
	bool pedantic;
	bool echo;
	bool headers;
	bool no_responders;
	bool account; /* asked for an account of the historic kind: refused */
	uint8_t protocol;
	char *texts; /* one behind the other, a NUL behind each; NULL: all are empty */
};

#define HANDSHAKE_DEFAULTS ((struct connect){.verbose = true, .pedantic = true, .echo = true})

void handshake_fini(struct connect *connect);

/* NULL: it is empty. Borrowed until one of them is set. */
const char *connect_text(const struct connect *connect, enum connect_text which);

/* There is no NUL in it. 0 or -ENOMEM. */
int connect_set_text(struct connect *connect, enum connect_text which, struct slice text);

/* By what a client means to prove who it is. Empty texts are none: NULL. */
struct claim {
	char *user;
	char *password;
	char *token;
	char *nkey;
	char *signature;
};

/* Erases it; it is empty afterwards. */
void claim_fini(struct claim *claim);

static inline bool claim_is_empty(const struct claim *claim)
{
	return !claim->user && !claim->password && !claim->token && !claim->nkey;
}

/*
 * FAULT_NONE, FAULT_JSON, FAULT_AUTHORIZATION, FAULT_CLIENT_PROTOCOL or FAULT_MEMORY, looked for
 * in this order (2.3). The claim, empty before, is filled in any case; NULL: nobody wants it.
 */
enum fault handshake_read_connect(struct slice json, struct connect *connect, struct claim *claim);

/* Is this a JSON object, or null? (INFO from a client is read and forgotten.) */
bool handshake_is_object(struct slice json);

/* The JSON with its secrets covered, for the trace. Yours to free; NULL without memory. */
char *handshake_redact(struct slice json);

/* What all clients are told. */
struct info {
	const char *server_id;
	const char *server_name;
	const char *minats_version;
	bool headers;
	uint32_t max_payload;
};

/* What one of them is told. */
struct info_client {
	const char *host;
	uint16_t port;
	uint64_t client_id;
	const char *client_ip; /* NULL: none, on a Unix socket */
	bool lame_duck;
	bool connect_info; /* the INFO that answers the first PING after CONNECT */
	const char *account;  /* that it is in, for that INFO; NULL: "$G" */
	bool auth_required;
	struct slice nonce;   /* empty: none */
};

/* Renders the common part. 0 or -ENOMEM (also for a name that is not UTF-8). */
int handshake_info_common(struct buf *common, const struct info *info);

/* Appends a whole INFO line. 0 or -ENOMEM. */
int handshake_info(struct buf *out, struct slice common, const struct info_client *client);
