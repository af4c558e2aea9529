/* SPDX-License-Identifier: MIT */
#include "proto/writer.h"

#include <errno.h>

#include "proto/utf8.h"

char *writer_number(char *to, uint64_t number)
{
	char digits[WRITER_NUMBER];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count > 0)
		*to++ = digits[--count];
	return to;
}

static char *put_reply(char *to, struct slice reply)
{
	if (reply.length == 0)
		return to;
	to = writer_copy(to, reply);
	*to++ = ' ';
	return to;
}

size_t writer_msg_tail(char *to, struct slice reply, uint32_t total)
{
	char *at = writer_number(put_reply(to, reply), total);

	return (size_t)(writer_copy(at, SLICE("\r\n")) - to);
}

size_t writer_hmsg_tail(char *to, struct slice reply, uint32_t header_length, uint32_t total)
{
	char *at = writer_number(put_reply(to, reply), header_length);

	*at++ = ' ';
	at = writer_number(at, total);
	return (size_t)(writer_copy(at, SLICE("\r\n")) - to);
}

/* The letter that stands behind a backslash, or 0. */
static char short_escape(uint32_t rune)
{
	static const char runes[] = "\a\b\f\n\r\t\v\\\"";
	static const char letters[] = "abfnrtv\\\"";
	const char *found = rune > 0 && rune < 0x80 ? strchr(runes, (int)rune) : NULL;

	return found ? letters[found - runes] : 0;
}

static char *put_hex(char *to, char kind, uint32_t value, unsigned digits)
{
	*to++ = '\\';
	*to++ = kind;
	while (digits-- > 0)
		*to++ = "0123456789abcdef"[value >> 4 * digits & 15];
	return to;
}

/* At most ten bytes, and at most four for each of `bytes`. */
static char *quote_rune(char *to, struct slice bytes, uint32_t rune)
{
	char letter = short_escape(rune);

	if (letter) {
		*to++ = '\\';
		*to++ = letter;
		return to;
	}
	if (utf8_is_printable(rune))
		return writer_copy(to, bytes);
	if (rune < 0x20 || rune == 0x7f)
		return put_hex(to, 'x', rune, 2);
	return rune < 0x10000 ? put_hex(to, 'u', rune, 4) : put_hex(to, 'U', rune, 8);
}

int writer_quote(struct buf *out, struct slice subject)
{
	char *to;

	if (buf_reserve(out, subject.length * 4 + 2) < 0)
		return -ENOMEM;
	to = out->bytes + out->length;
	*to++ = '"';
	while (subject.length > 0) {
		uint32_t rune = 0;
		size_t length = utf8_read(subject, &rune);

		if (length == 0)
			to = put_hex(to, 'x', (unsigned char)subject.bytes[0], 2);
		else
			to = quote_rune(to, (struct slice){subject.bytes, length}, rune);
		subject = slice_after(subject, length ? length : 1);
	}
	*to++ = '"';
	out->length = (size_t)(to - out->bytes);
	return 0;
}
