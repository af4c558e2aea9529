/* SPDX-License-Identifier: MIT */
/*
 * Operations out (PROTOCOL 6.2, 4).
 *
 * A message line is written in pieces: a start with the publisher's subject, the receiver's sid,
 * and a tail; all but the sid is the same for all receivers. It can outgrow any buffer that
 * max_control_line would suggest, since subject and sid come from different clients' lines.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/scan.h"
#include "base/slice.h"

#define WRITER_OK SLICE("+OK\r\n")
#define WRITER_PING SLICE("PING\r\n")
#define WRITER_PONG SLICE("PONG\r\n")

enum { WRITER_NUMBER = 20 };

/* In decimal, at most WRITER_NUMBER digits; returns what follows them. */
char *writer_number(char *to, uint64_t number);

/* What a tail needs beside the reply: two numbers, two blanks, CRLF. */
enum { WRITER_TAIL = 40 };

static inline char *writer_copy(char *to, struct slice bytes)
{
	return scan_copy(to, bytes.bytes, bytes.length);
}

/* `start` is "MSG subject " or "HMSG subject ". The blank behind the sid is one more byte. */
static inline size_t writer_line_length(struct slice start, struct slice sid, struct slice tail)
{
	return start.length + sid.length + tail.length + 1;
}

/* `to` has room for writer_line_length() bytes; returns what follows them. */
static inline char *writer_line(char *to, struct slice start, struct slice sid, struct slice tail)
{
	to = writer_copy(to, start);
	to = writer_copy(to, sid);
	*to++ = ' ';
	return writer_copy(to, tail);
}

/* "[reply ]total" CRLF, to room for reply.length + WRITER_TAIL bytes. Returns its length. */
size_t writer_msg_tail(char *to, struct slice reply, uint32_t total);

/* "[reply ]header_length total" CRLF, likewise. */
size_t writer_hmsg_tail(char *to, struct slice reply, uint32_t header_length, uint32_t total);

/* Appends a subject in double quotes, as Go's %q writes it. 0 or -ENOMEM. */
int writer_quote(struct buf *out, struct slice subject);
