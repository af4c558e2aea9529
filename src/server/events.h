/* SPDX-License-Identifier: MIT */
/*
 * The kinds of events that an admin may look for: MESSAGE_ID= in the journal.
 *
 * Each has a text in systemd/minats.catalog, which `journalctl -x` shows. A new one gets its number
 * from `systemd-id128 new`; a number never changes and is never used again. Records without one
 * are details of another, or of a trace. The log's own event is in os/log.h.
 */
#pragma once

/* The daemon. */
#define EVENT_STARTING            "f001e76a86bf4ebe92554958117dc10d"
#define EVENT_FAILED              "74d7a5cfe1a54d438f0188a648c54a56" /* to start, or to go on */
#define EVENT_LISTENING           "37b9100c0bcf4f6b836fd685af877c22" /* on one address */
#define EVENT_READY               "30dd05cfe4eb448e84aacd854108c56f"
#define EVENT_LAME_DUCK           "488b531a2856404ca5972d964b08581a"
#define EVENT_IDLE                "5a1fa8f3a42349778ac561d3cc06de37" /* no clients for so long */
#define EVENT_STOPPING            "720f789aa3734e59a9d97ec489a19b88"
#define EVENT_STOPPED             "e7a9cf36f4a5417dac6729f419873128"
#define EVENT_RELOADED            "f6d642e4cfbd4c9781eda06aee3c9150"
#define EVENT_RELOAD_REFUSED      "e144c41ccd394331a724f270ba71f66c"
#define EVENT_WITHOUT_EFFECT      "766a259a81e243df854aa22ece408f72" /* an option */
#define EVENT_PERHAPS_UNHEARD     "58956df40c6c4152a062e1c8eb662f17" /* a private network? */
#define EVENT_CONNECTIONS_LOWERED "631d74cdcc6f40dcb14297371253df18" /* max_connections */
#define EVENT_CANNOT_ACCEPT       "356a4b1a2a5d420bb26c1ce0a6cd59cc" /* for the moment */
#define EVENT_TOO_FAST            "811fe6b599c94aa0ad7df163e05c31a7" /* new clients of one address */
#define EVENT_LEFT_OUT            "b72c3b4109174043915893b5ee94412a" /* records about clients */
#define EVENT_MEMORY_PRESSURE     "1f6d90175bc04cedbcb1d86535a0531b" /* the kernel is short of it */
#define EVENT_PRESSURE_UNWATCHED  "c557d171d416477cacacb589424caa47"
#define EVENT_UNITS_UNKNOWN       "05331579c0c147a39fcd1b864cc026bb" /* of local clients */

/* The hand-over of connections to the next process. */
#define EVENT_PARKED              "ca153efc08934987aa51e7e18e7779be" /* left for the next process */
#define EVENT_NOT_PARKED          "c2ff4abf2b894a159857486ae711d83a" /* some were closed instead */
#define EVENT_TAKEN_OVER          "62c052a8b64348e7ace96b4346dcac97" /* found at the start */
#define EVENT_NOT_TAKEN_OVER      "345b07bfbd374bd5b094e424ece2ff99" /* some were closed instead */
#define EVENT_HANDOVER_DAMAGED    "8f1625690e194fd7aa266cb9014ac00d"
#define EVENT_NOT_KEPT            "66aed513f37041c094602ed6d9b7e97f" /* over a restart */
#define EVENT_REPLACED            "fe61a5546b9c466785ae7203e3e91641" /* by the binary on disk */
#define EVENT_NOT_REPLACED        "517b4bf58f02443ab0b6d85a417c5082" /* that failed; it goes on */

/* A client, coming and going. */
#define EVENT_CLIENT_CREATED      "7616b6c9951a4eb88dd8bf7267f889dc" /* accepted */
#define EVENT_CLIENT_TAKEN_OVER   "a7b40bf840244d8cbee45ee2d79a782f" /* from the process before */
#define EVENT_CLIENT_CONNECTED    "6169fb0f79544f8e8814be796752ef78" /* sent CONNECT */
#define EVENT_CLIENT_CLOSED       "61957c933dd648438ec8646cce4ef2a3" /* closed by the client */
#define EVENT_CLIENT_LOST         "1e97c3f8f2194d28ab5706987fcb7865" /* reading or writing failed */
#define EVENT_CLIENT_DISMISSED    "007c20d786c7430bbe145b98beb1cc2f" /* because the daemon ends */

/* A client that had to go; NATS_REASON= says more. */
#define EVENT_PROTOCOL_VIOLATION  "5bb462354c9e447cb6dcb55d8c75983f"
#define EVENT_PROTOCOL_VERSION    "5811f4ccb3e3423392f9ed2af6fdde11"
#define EVENT_NO_RESPONDERS       "7733fbd6677542b3a646df1240d272e0"
#define EVENT_CONTROL_LINE        "d6994f9ed327496eb17004375131d2df"
#define EVENT_MAX_PAYLOAD         "aa9b91b8fc774a448f72ce2824262a7e"
#define EVENT_AUTHENTICATION      "053bff1ff2d54669827766ea39da2b2e"
#define EVENT_STRANGER            "5f51127086ef43f7bc7da7d6508e9120" /* had not said who it is */
#define EVENT_MAX_CONNECTIONS     "fab0baf308024e638599e5b9dd493a74"
#define EVENT_STALE               "18ccc50c97e9482ab2a42bf60219dfd7"
#define EVENT_SLOW_PENDING        "c5d17dd237824794b0dd573030b866ea"
#define EVENT_SLOW_DEADLINE       "37d4aeca16b941d8bb77cb5e44305965"
#define EVENT_SLOW_BUDGET         "448fe6e8cebe43aa8c7b10cc478781c3" /* it held most */
#define EVENT_CLIENT_ERROR        "20feaf91256e4c1ea4ab69f1c8bb02d1" /* the client sent -ERR */
#define EVENT_OUT_OF_MEMORY       "2a042439e26b40bbbee11a1d4ec887c9"

/* A client that erred and stays. */
#define EVENT_INVALID_SUBJECT     "2c06cf8568214bff9e816780da6bd19e"
#define EVENT_MAX_SUBSCRIPTIONS   "079a09405f794fb4a306b26bf560562f"
#define EVENT_PERMISSION          "9304ef71e0bf468d96e3197c50a89109"
