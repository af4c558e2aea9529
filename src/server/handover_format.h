/* SPDX-License-Identifier: MIT */
/*
 * What stands in the records of a hand-over, for handover_pack.c and handover_unpack.c.
 *
 * How to change it: as broker/state.h says. A tag never changes its meaning; a new field has one
 * when it is missing.
 */
#pragma once

#define HANDOVER_FORMAT "minats hand-over"

/* In the record itself. */
enum record_tag {
	RECORD_FORMAT = 1,        /* HANDOVER_FORMAT */
	RECORD_VERSION = 2,
	RECORD_READABLE_FROM = 3, /* the oldest version that can read it */
	RECORD_GENERATION = 4,    /* the same in all records of a parcel, and in no other */
	RECORD_INDEX = 5,         /* counted from 0; the first is 0 and not written */
	RECORD_KIND = 6,          /* record_kind */
	RECORD_SOCKETS = 7,       /* descriptors behind those of the files */
	RECORD_CHECKSUM = 8,      /* tags_checksum() of the first file's contents */
	RECORD_OWN_CHECKSUM = 9,  /* of all that stands before it; the last field */
};

enum record_kind {
	RECORD_SERVER = 1,  /* files: server_tag, payload_tag; sockets: listeners, in their order */
	RECORD_CLIENTS = 2, /* file: fields CLIENTS_CLIENT; sockets: theirs, in that order */
	RECORD_END = 3,     /* no file; a descriptor, if any, is to be closed when there is time */
};

enum server_tag {
	SERVER_TAG_ID = 1,
	SERVER_TAG_STARTED = 2,      /* seconds since 1970 */
	SERVER_TAG_LAST_CID = 3,
	SERVER_TAG_IN_MESSAGES = 4,
	SERVER_TAG_OUT_MESSAGES = 5,
	SERVER_TAG_PID = 6,
	SERVER_TAG_PROGRAM = 7,      /* its version */
	SERVER_TAG_LISTENER = 8,     /* fields: listener_tag; any number of times */
	SERVER_TAG_SALT = 9,         /* of CLIENT_TAG_STAMP */
};

/* The checksum of the bytes that follow it; payloads are numbered from 1 on. */
enum payload_tag { PAYLOAD_CHECKSUM = 1, PAYLOAD_BYTES = 2 };

enum clients_tag { CLIENTS_CLIENT = 1 }; /* fields: client_tag */

enum { SERVER_FILES = 2, CLIENTS_FILES = 1 };

enum listener_tag { LISTENER_TAG_ADOPTED = 1, LISTENER_TAG_WHERE = 2 };

enum client_tag {
	CLIENT_TAG_CID = 1,
	CLIENT_TAG_FAMILY = 2,   /* 0: a Unix socket; 4, 6 */
	CLIENT_TAG_ADDRESS = 3,  /* the bytes of struct peer */
	CLIENT_TAG_PORT = 4,
	CLIENT_TAG_LISTENER = 5, /* its text */
	CLIENT_TAG_STATE = 6,    /* client_stage */
	CLIENT_TAG_FLAGS = 7,    /* client_flag */
	/* Times are those of the machine's monotonic clock, in milliseconds. */
	CLIENT_TAG_PING_DUE = 8,
	CLIENT_TAG_LAST_IN = 9,
	CLIENT_TAG_RTT_STARTED = 10,
	CLIENT_TAG_PINGS_OUT = 11,
	CLIENT_TAG_DEADLINE = 12,
	CLIENT_TAG_DEADLINE_BYTES = 13, /* still to be written until then */
	CLIENT_TAG_REST = 14,    /* input that was read, but not yet dealt with */
	CLIENT_TAG_SESSION = 15, /* broker/state.h */
	CLIENT_TAG_UNIT = 16,    /* the peer's, of systemd; missing: not known yet */
	CLIENT_TAG_USER = 17,    /* auth_user.id; missing: nobody in particular */
	CLIENT_TAG_ACCOUNT = 18, /* missing: AUTH_GLOBAL_ACCOUNT */
	CLIENT_TAG_STAMP = 19,   /* auth_stamp(): is the user's secret still the same? */
	CLIENT_TAG_NONCE = 20,   /* missing: it got none */
	CLIENT_TAG_AUTH_DUE = 21, /* by then it has said who it is; missing: no limit */
	CLIENT_TAGS,
};

enum client_stage { STAGE_OPEN = 0, STAGE_FLUSHING = 1, STAGE_LINGERING = 2 };

enum client_flag {
	CLIENT_FLAG_HAS_RTT = 1 << 0,
	CLIENT_FLAG_INPUT_ENDED = 1 << 1,
	CLIENT_FLAG_LOCKED = 1 << 2,      /* it has not yet said who it is */
	CLIENT_FLAG_HAS_DEFAULT = 1 << 3, /* its user needed no credentials */
	CLIENT_FLAG_UNIT_IS_SURE = 1 << 4,
};
