/* SPDX-License-Identifier: MIT */
/*
 * A thread that compares one password after the other with its bcrypt hash, at idle priority: each
 * takes a tenth of a second, which the loop has not to spare.
 *
 * It has one job at a time; who is next is decided by its owner, in the loop, when the last one is
 * done. The thread starts with the first job and never ends: nobody waits for a hash to exit.
 */
#pragma once

#include <stdbool.h>

#include "os/loop.h"

struct crypto;
struct hasher_desk;

struct hasher {
	struct source source; /* the thread's bell */
	struct loop *loop;
	struct hasher_desk *desk; /* NULL: no thread yet; shared with it otherwise */
	bool is_busy;
	/* The job is done. */
	void (*done)(struct hasher *hasher, bool matches);
};

void hasher_init(struct hasher *hasher, struct loop *loop);

/* A job in hand is left to the thread, with whatever it needs. */
void hasher_fini(struct hasher *hasher);

/*
 * While it is not busy. Both texts are copied. 0 or -errno. The crypto has its hashes loaded, and
 * lives as long as the process.
 */
int hasher_begin(struct hasher *hasher, const struct crypto *crypto, const char *password,
		 const char *hash);
