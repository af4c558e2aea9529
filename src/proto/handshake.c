/* SPDX-License-Identifier: MIT */
#include "proto/handshake.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

#include "base/secret.h"
#include "proto/utf8.h"
#include "proto/writer.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void handshake_fini(struct connect *connect)
{
	free(connect->texts);
	*connect = (struct connect){0};
}

/* Each of them, perhaps empty. */
static void split_texts(const struct connect *connect, struct slice texts[CONNECT_TEXTS])
{
	const char *from = connect->texts ? connect->texts : "\0\0";

	for (size_t at = 0; at < CONNECT_TEXTS; at++) {
		texts[at] = slice_of(from);
		from += texts[at].length + 1;
	}
}

const char *connect_text(const struct connect *connect, enum connect_text which)
{
	struct slice texts[CONNECT_TEXTS];

	split_texts(connect, texts);
	return texts[which].length > 0 ? texts[which].bytes : NULL;
}

int connect_set_text(struct connect *connect, enum connect_text which, struct slice text)
{
	struct slice texts[CONNECT_TEXTS];
	size_t length = 0;
	char *copy, *to;

	split_texts(connect, texts);
	texts[which] = text;
	for (size_t at = 0; at < CONNECT_TEXTS; at++)
		length += texts[at].length;
	copy = length > 0 ? malloc(length + CONNECT_TEXTS) : NULL;
	if (length > 0 && !copy)
		return -ENOMEM;
	to = copy;
	for (size_t at = 0; copy && at < CONNECT_TEXTS; at++) {
		if (texts[at].length > 0)
			memcpy(to, texts[at].bytes, texts[at].length);
		to += texts[at].length;
		*to++ = '\0';
	}
	free(connect->texts);
	connect->texts = copy;
	return 0;
}

static void forget(char *secret)
{
	if (secret)
		secret_erase(secret, strlen(secret));
	free(secret);
}

void claim_fini(struct claim *claim)
{
	forget(claim->user);
	forget(claim->password);
	forget(claim->token);
	forget(claim->nkey);
	forget(claim->signature);
	*claim = (struct claim){0};
}

/* The four hexadecimal digits behind a "\u", or -1. */
static long read_escape(struct slice text)
{
	long value = 0;

	if (text.length < 6 || text.bytes[0] != '\\' || text.bytes[1] != 'u')
		return -1;
	for (size_t at = 2; at < 6; at++) {
		static const char digits[] = "0123456789abcdefABCDEF";
		const char *digit = text.bytes[at] ? strchr(digits, text.bytes[at]) : NULL;

		if (!digit)
			return -1;
		value = value * 16 + (digit - digits < 16 ? digit - digits : digit - digits - 6);
	}
	return value;
}

/* How many bytes of an escape go into the result as they are; 0: they name no character. */
static size_t escape_length(struct slice text)
{
	long first = read_escape(text);
	long second;

	if (first < 0)
		return text.length < 2 ? text.length : 2;
	if (first == 0 || (first >= 0xdc00 && first < 0xe000))
		return 0;
	if (first < 0xd800 || first >= 0xdc00)
		return 6;
	second = read_escape(slice_after(text, 6));
	return second >= 0xdc00 && second < 0xe000 ? 12 : 0;
}

static size_t count_digits(struct slice text, size_t at)
{
	size_t start = at;

	while (at < text.length && text.bytes[at] >= '0' && text.bytes[at] <= '9')
		at++;
	return at - start;
}

/* The length of the number that `text` starts with, as JSON writes numbers; 0: none. */
static size_t number_length(struct slice text)
{
	size_t at = text.length > 0 && text.bytes[0] == '-';
	size_t digits = count_digits(text, at);
	size_t behind;

	if (digits == 0 || (digits > 1 && text.bytes[at] == '0'))
		return 0;
	at += digits;
	if (at < text.length && text.bytes[at] == '.') {
		digits = count_digits(text, at + 1);
		at += digits ? digits + 1 : 0;
	}
	if (at == text.length || (text.bytes[at] | 0x20) != 'e')
		return at;
	behind = at + 1;
	if (behind < text.length && (text.bytes[behind] == '+' || text.bytes[behind] == '-'))
		behind++;
	digits = count_digits(text, behind);
	return digits ? behind + digits : at;
}

/* Larger than an integer of jansson's, or perhaps than a double. */
static bool is_extreme(struct slice number)
{
	return number.length > 18 || memchr(number.bytes, 'e', number.length) ||
	       memchr(number.bytes, 'E', number.length);
}

/* One piece of what stands inside a string: what becomes of the first `*taken` bytes. */
static struct slice read_in_string(struct slice json, size_t *taken)
{
	bool escape = json.bytes[0] == '\\';
	uint32_t rune;
	size_t good = escape ? escape_length(json) : utf8_read(json, &rune);

	*taken = good ? good : escape ? 6 : 1;
	return good ? (struct slice){json.bytes, good} : SLICE(REPLACEMENT);
}

/* The same outside. */
static struct slice read_outside(struct slice json, size_t *taken)
{
	size_t length = number_length(json);
	struct slice piece = {json.bytes, length ? length : 1};

	*taken = piece.length;
	return length > 0 && is_extreme(piece) ? SLICE("0.5") : piece;
}

/* What stands as it is: most of it, most often all. */
static size_t plain_length(struct slice json, bool in_string)
{
	size_t at = 0;

	while (at < json.length) {
		unsigned char byte = (unsigned char)json.bytes[at];

		if (byte == '"' || (in_string ? byte == '\\' || byte >= 0x80
					      : byte == '-' || (byte >= '0' && byte <= '9')))
			break;
		at++;
	}
	return at;
}

/*
 * Clients may send what jansson refuses and nats-server accepts. In strings: bytes that are no
 * UTF-8, "\u0000" and halves of surrogate pairs; each becomes U+FFFD. Elsewhere: numbers of any
 * size, where nobody reads them; they become a fraction, which no field takes. And jansson overlooks
 * a NUL behind a number or a word: -EINVAL. `out` stays empty where nothing has to be changed.
 */
static int make_readable(struct buf *out, struct slice json)
{
	struct slice kept = {json.bytes, 0}; /* as it is, and not yet in `out` */
	bool in_string = false;

	while (json.length > 0) {
		size_t taken = plain_length(json, in_string);
		struct slice piece = {json.bytes, taken};

		if (!in_string && memchr(json.bytes, '\0', taken))
			return -EINVAL;
		if (taken == 0 && json.bytes[0] == '"') {
			in_string = !in_string;
			taken = 1;
		} else if (taken == 0) {
			piece = in_string ? read_in_string(json, &taken) : read_outside(json, &taken);
		}
		if (piece.bytes == json.bytes) {
			kept.length += taken;
		} else if (buf_append(out, kept) < 0 || buf_append(out, piece) < 0) {
			return -ENOMEM;
		} else {
			kept = (struct slice){json.bytes + taken, 0};
		}
		json = slice_after(json, taken);
	}
	return out->length > 0 ? buf_append(out, kept) : 0;
}

/* Without memory jansson says at places that a token is invalid: who is wrong is so twice. */
static json_t *decode(struct slice text, json_error_t *error)
{
	const char *bytes = text.bytes ? text.bytes : "";
	json_t *value = json_loadb(bytes, text.length, JSON_DECODE_ANY, error);

	return value ? value : json_loadb(bytes, text.length, JSON_DECODE_ANY, error);
}

/* Where memory runs out jansson often says nothing. */
static enum fault fault_of(json_error_t *error)
{
	return error->text[0] && json_error_code(error) != json_error_out_of_memory ? FAULT_JSON
										     : FAULT_MEMORY;
}

/* NULL, and a fault: without memory, or when it is no JSON. Yours to json_decref(). */
static json_t *load(struct slice json, enum fault *fault)
{
	struct buf text = {0};
	json_error_t error = {.line = 0};
	json_t *value = NULL;
	int made = make_readable(&text, json);

	*fault = FAULT_NONE;
	if (made == 0)
		value = decode(text.length > 0 ? buf_slice(&text) : json, &error);
	if (!value)
		*fault = made == -EINVAL ? FAULT_JSON : fault_of(&error);
	/* There may be a password in it. */
	secret_erase(text.bytes, text.length);
	buf_fini(&text);
	return value;
}

bool handshake_is_object(struct slice json)
{
	enum fault fault;
	json_t *value = load(json, &fault);
	bool good = json_is_object(value) || json_is_null(value);

	json_decref(value);
	return good;
}

enum kind {
	KIND_FLAG,     /* bool at `offset` */
	KIND_TEXT,     /* of which `offset` is the enum connect_text */
	KIND_PROTOCOL,
	KIND_ACCOUNT,  /* a text that must be empty, or a flag that must be false */
	KIND_NO_FLAG,
	KIND_SECRET,   /* char * at `offset` of a claim; the trace covers it */
	KIND_UNUSED,   /* a text that nothing reads yet, and that the trace covers */
	KIND_UNUSED_FLAG,
};

/* The fields of CONNECT (PROTOCOL 2.1); a new one is a row here. */
static const struct field {
	const char *key;
	enum kind kind;
	size_t offset;
} fields[] = {
	{"verbose", KIND_FLAG, offsetof(struct connect, verbose)},
	{"pedantic", KIND_FLAG, offsetof(struct connect, pedantic)},
	{"echo", KIND_FLAG, offsetof(struct connect, echo)},
	{"headers", KIND_FLAG, offsetof(struct connect, headers)},
	{"no_responders", KIND_FLAG, offsetof(struct connect, no_responders)},
	{"tls_required", KIND_UNUSED_FLAG, 0},
	{"protocol", KIND_PROTOCOL, 0},
	{"name", KIND_TEXT, CONNECT_NAME},
	{"lang", KIND_TEXT, CONNECT_LANG},
	{"version", KIND_TEXT, CONNECT_VERSION},
	{"account", KIND_ACCOUNT, 0},
	{"new_account", KIND_NO_FLAG, 0},
	{"user", KIND_SECRET, offsetof(struct claim, user)},
	{"pass", KIND_SECRET, offsetof(struct claim, password)},
	{"auth_token", KIND_SECRET, offsetof(struct claim, token)},
	{"nkey", KIND_SECRET, offsetof(struct claim, nkey)},
	{"sig", KIND_SECRET, offsetof(struct claim, signature)},
	{"proxy_sig", KIND_UNUSED, 0},
	{"jwt", KIND_UNUSED, 0},
};

static bool is_secret(const struct field *field)
{
	return field->kind == KIND_SECRET || field->kind == KIND_UNUSED;
}

static const struct field *find_field(const char *key)
{
	/* Most differ in their first letters. */
	for (size_t at = 0; at < sizeof(fields) / sizeof(fields[0]); at++)
		if ((fields[at].key[0] | 0x20) == (key[0] | 0x20) &&
		    strcasecmp(fields[at].key, key) == 0)
			return &fields[at];
	return NULL;
}

static enum fault copy_secret(char **text, const json_t *value)
{
	const char *from = json_string_value(value);
	char *copy = NULL;

	if (*from) {
		copy = strdup(from);
		if (!copy)
			return FAULT_MEMORY;
	}
	free(*text);
	*text = copy;
	return FAULT_NONE;
}

static bool has_right_type(const struct field *field, const json_t *value)
{
	switch (field->kind) {
	case KIND_FLAG:
	case KIND_NO_FLAG:
	case KIND_UNUSED_FLAG:
		return json_is_boolean(value);
	case KIND_PROTOCOL:
		return json_is_integer(value);
	default:
		return json_is_string(value);
	}
}

/* The text is erased where it was read from. */
static enum fault read_secret(struct claim *claim, const struct field *field, const json_t *value)
{
	enum fault fault = FAULT_NONE;

	if (claim && field->kind == KIND_SECRET)
		fault = copy_secret((char **)(void *)((char *)claim + field->offset), value);
	secret_erase((char *)(uintptr_t)json_string_value(value), json_string_length(value));
	return fault;
}

static enum fault read_field(struct connect *connect, const struct field *field,
			     const json_t *value, json_int_t *protocol)
{
	void *to = (char *)connect + field->offset;

	if (!has_right_type(field, value))
		return FAULT_JSON;
	switch (field->kind) {
	case KIND_FLAG:
		*(bool *)to = json_is_true(value);
		break;
	case KIND_TEXT:
		return connect_set_text(connect, (enum connect_text)field->offset,
					slice_of(json_string_value(value))) < 0
			       ? FAULT_MEMORY
			       : FAULT_NONE;
	case KIND_PROTOCOL:
		*protocol = json_integer_value(value);
		break;
	case KIND_ACCOUNT:
		connect->account |= json_string_length(value) > 0;
		break;
	case KIND_NO_FLAG:
		connect->account |= json_is_true(value);
		break;
	default:
		break;
	}
	return FAULT_NONE;
}

enum fault handshake_read_connect(struct slice json, struct connect *connect, struct claim *claim)
{
	enum fault fault;
	json_t *object = load(json, &fault);
	json_int_t protocol = connect->protocol;
	const char *key;
	json_t *value;

	if (object && !json_is_object(object) && !json_is_null(object))
		fault = FAULT_JSON;
	json_object_foreach(object, key, value) {
		const struct field *field = json_is_null(value) ? NULL : find_field(key);

		if (!field || fault != FAULT_NONE)
			continue;
		if (is_secret(field) && json_is_string(value))
			fault = read_secret(claim, field, value);
		else
			fault = read_field(connect, field, value, &protocol);
	}
	json_decref(object);
	if (fault == FAULT_NONE && connect->account)
		return FAULT_AUTHORIZATION;
	if (fault == FAULT_NONE && protocol != 0 && protocol != 1)
		return FAULT_CLIENT_PROTOCOL;
	connect->protocol = (uint8_t)protocol;
	return fault;
}

char *handshake_redact(struct slice json)
{
	enum fault fault;
	json_t *object = load(json, &fault);
	const char *key;
	json_t *value;
	char *text;

	if (!json_is_object(object)) {
		json_decref(object);
		return strdup("[UNREADABLE]");
	}
	json_object_foreach(object, key, value) {
		const struct field *field = find_field(key);

		if (field && is_secret(field) && strcasecmp(key, "user") != 0)
			json_object_set_new(object, key, json_string("[REDACTED]"));
	}
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

int handshake_info_common(struct buf *common, const struct info *info)
{
	json_t *object = json_pack(
		"{s:s, s:s, s:s, s:i, s:s, s:b, s:I}", "server_id", info->server_id, "server_name",
		info->server_name, "version", HANDSHAKE_LEVEL, "proto", 1, "minats",
		info->minats_version, "headers", (int)info->headers, "max_payload",
		(json_int_t)info->max_payload);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	int error = -ENOMEM;

	/* Without its closing brace: what the client alone is told comes behind. */
	if (text)
		error = buf_append(common, (struct slice){text, strlen(text) - 1});
	free(text);
	json_decref(object);
	return error;
}

/* Its name may be any text. */
static int put_account(struct buf *out, const char *account)
{
	json_t *name = json_string(account ? account : "$G");
	char *text = name ? json_dumps(name, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	int error = -ENOMEM;

	if (text)
		error = buf_printf(out, ",\"connect_info\":true,\"remote_account\":%s", text);
	free(text);
	json_decref(name);
	return error;
}

/* Room for all names, numbers and quotes of an INFO line; its texts come on top. */
enum { INFO_WORDS = 160 };

/* The name ends with the opening quote. */
static char *put_value(char *to, struct slice name, struct slice value)
{
	to = writer_copy(writer_copy(to, name), value);
	*to++ = '"';
	return to;
}

int handshake_info(struct buf *out, struct slice common, const struct info_client *client)
{
	struct slice host = slice_of(client->host);
	struct slice ip = slice_of(client->client_ip ? client->client_ip : "");
	size_t before = out->length;
	char *to;
	int error;

	if (buf_reserve(out, INFO_WORDS + common.length + host.length + ip.length +
				     client->nonce.length) < 0)
		return -ENOMEM;
	to = writer_copy(writer_copy(out->bytes + before, SLICE("INFO ")), common);
	to = put_value(to, SLICE(",\"host\":\""), host);
	to = writer_number(writer_copy(to, SLICE(",\"port\":")), client->port);
	to = writer_number(writer_copy(to, SLICE(",\"client_id\":")), client->client_id);
	if (ip.length > 0)
		to = put_value(to, SLICE(",\"client_ip\":\""), ip);
	if (client->lame_duck)
		to = writer_copy(to, SLICE(",\"ldm\":true"));
	if (client->auth_required)
		to = writer_copy(to, SLICE(",\"auth_required\":true"));
	if (client->nonce.length > 0)
		to = put_value(to, SLICE(",\"nonce\":\""), client->nonce);
	out->length = (size_t)(to - out->bytes);
	assert(out->length <= out->capacity);
	error = client->connect_info ? put_account(out, client->account) : 0;
	if (error == 0)
		error = buf_append(out, SLICE("} \r\n"));
	if (error < 0)
		out->length = before;
	return error;
}
