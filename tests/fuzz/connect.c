/* SPDX-License-Identifier: MIT */
/*
 * CONNECT's and INFO's JSON, and its form for the trace, on any bytes.
 *
 * An input is one JSON text, or several with a line feed between them: the options overlay.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/handshake.h"
#include "fuzz.h"

static void check_text(const char *text)
{
	require(!text || text[0], "an empty text is none");
}

/* Returns 0 when the connection would end. */
static int read_one(struct slice json, struct connect *connect)
{
	int object = handshake_is_object(json);
	enum fault fault = handshake_read_connect(json, connect, NULL);
	char *shown = handshake_redact(json);

	require(shown != NULL, "there is always something to show");
	require(object || fault == FAULT_JSON, "what is no object is refused");
	require(fault == FAULT_NONE || fault == FAULT_JSON || fault == FAULT_CLIENT_PROTOCOL ||
			fault == FAULT_AUTHORIZATION,
		"only these faults are said of CONNECT");
	require(fault != FAULT_NONE || connect->protocol <= 1, "only known protocols are accepted");
	require(fault != FAULT_NONE || !connect->account, "no account is accepted");
	if (strcmp(shown, "[UNREADABLE]") != 0)
		require(handshake_is_object(slice_of(shown)), "what is shown is JSON again");
	require(!strchr(shown, '\n') && !strchr(shown, '\r'), "what is shown is one line");
	check_text(connect_text(connect, CONNECT_NAME));
	check_text(connect_text(connect, CONNECT_LANG));
	check_text(connect_text(connect, CONNECT_VERSION));
	free(shown);
	return fault == FAULT_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct connect connect = HANDSHAKE_DEFAULTS;
	int good = 1;

	while (good && size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;
		char *block = malloc(length + !length);

		memcpy(block, data, length);
		good = read_one((struct slice){block, length}, &connect);
		free(block);
		length += end != NULL;
		data += length;
		size -= length;
	}
	handshake_fini(&connect);
	return 0;
}
