/* SPDX-License-Identifier: MIT */
#include "proto/fault.h"

#include <assert.h>

static const struct {
	const char *text;
	const char *reason;
	const char *detail;
} faults[FAULT_COUNT] = {
	[FAULT_NONE] = {NULL, NULL, NULL},
	[FAULT_INVALID_SUBJECT] = {"Invalid Subject", "Invalid Subject", NULL},
	[FAULT_INVALID_PUBLISH_SUBJECT] = {"Invalid Publish Subject", "Invalid Publish Subject",
					   NULL},
	[FAULT_MAX_SUBSCRIPTIONS] = {"maximum subscriptions exceeded",
				     "Maximum Subscriptions Exceeded", NULL},
	[FAULT_PUBLISH_DENIED] = {"Permissions Violation for Publish to ",
				  "Permissions Violation for Publish", NULL},
	[FAULT_REPLY_DENIED] = {"Permissions Violation for Publish with Reply of ",
				"Permissions Violation for Reply", NULL},
	[FAULT_SUBSCRIPTION_DENIED] = {"Permissions Violation for Subscription to ",
				       "Permissions Violation for Subscription", NULL},
	[FAULT_TOKENS_DENIED] = {"Permissions Violation for Subscription to ",
				 "Permissions Violation for Subscription", ", too many tokens"},
	[FAULT_UNKNOWN_OPERATION] = {"Unknown Protocol Operation", "Protocol Violation",
				     "unknown operation"},
	[FAULT_CONTROL_LINE] = {"maximum control line exceeded", "Maximum Control Line Exceeded",
				NULL},
	[FAULT_MAX_PAYLOAD] = {"Maximum Payload Violation", "Maximum Message Payload Exceeded",
			       NULL},
	[FAULT_CLIENT_PROTOCOL] = {"invalid client protocol", "Bad Client Protocol Version", NULL},
	[FAULT_NO_RESPONDERS] = {"no responders requires headers support",
				 "No Responders Requires Headers", NULL},
	[FAULT_AUTHORIZATION] = {"Authorization Violation", "Authentication Failure", NULL},
	[FAULT_AUTHENTICATION_TIMEOUT] = {"Authentication Timeout", "Authentication Timeout", NULL},
	[FAULT_MAX_CONNECTIONS] = {"maximum connections exceeded", "Maximum Connections Exceeded",
				   NULL},
	[FAULT_STALE] = {"Stale Connection", "Stale Connection", NULL},
	[FAULT_ARGUMENTS] = {NULL, "Protocol Violation", "bad arguments"},
	[FAULT_JSON] = {NULL, "Protocol Violation", "bad JSON"},
	[FAULT_NO_HEADERS] = {NULL, "Protocol Violation", "message headers not supported"},
	[FAULT_CLIENT_ERROR] = {NULL, "Client Closed", "the client sent -ERR"},
	[FAULT_CLIENT_CLOSED] = {NULL, "Client Closed", NULL},
	[FAULT_PENDING] = {NULL, "Slow Consumer (Pending Bytes)", NULL},
	[FAULT_WRITE_DEADLINE] = {NULL, "Slow Consumer (Write Deadline)", NULL},
	[FAULT_BUDGET] = {NULL, "Slow Consumer (Memory Budget)", NULL},
	[FAULT_READ] = {NULL, "Read Error", NULL},
	[FAULT_WRITE] = {NULL, "Write Error", NULL},
	[FAULT_MEMORY] = {NULL, "Out of Memory", NULL},
	[FAULT_STRANGER] = {NULL, "Too Many Unauthenticated Clients", NULL},
	[FAULT_SHUTDOWN] = {NULL, "Server Shutdown", NULL},
};

struct slice fault_text(enum fault fault)
{
	assert(fault < FAULT_COUNT);
	return faults[fault].text ? slice_of(faults[fault].text) : (struct slice){NULL, 0};
}

const char *fault_reason(enum fault fault)
{
	assert(fault < FAULT_COUNT);
	return faults[fault].reason;
}

const char *fault_detail(enum fault fault)
{
	assert(fault < FAULT_COUNT);
	return faults[fault].detail;
}
