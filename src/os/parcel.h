/* SPDX-License-Identifier: MIT */
/*
 * A parcel: records with descriptors in them, which wait until somebody takes them out.
 *
 * It has two ends. What is put into one can be taken out of the other in the same order, record by
 * record, also when the process that put it there has ended; whoever holds the second end keeps it
 * alive. parcel_linux.c; where there are no such sockets and files parcel_none.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* The kernel passes 253 descriptors at a time. */
enum { PARCEL_FDS = 253, PARCEL_DATA = 1024 };

struct parcel_record {
	char data[PARCEL_DATA];
	size_t length;
	int fds[PARCEL_FDS]; /* yours; closed by exec */
	size_t count;
	bool cut; /* some descriptors did not fit into this process's limit, or some data */
};

/* ends[0] is taken from, ends[1] is put into; both are closed by exec. 0 or -errno. */
int parcel_new(int ends[2]);

/* Is this descriptor the end of a parcel that is taken from? */
bool parcel_is_one(int fd);

/* Does anybody hold the end that what is put into this one is taken from? */
bool parcel_is_held(int end);

/* Waits for nothing. 0 or -errno; -EAGAIN: it is full; -EPIPE: nobody holds the other end. */
int parcel_put(int end, struct slice data, const int *fds, size_t count);

enum { PARCEL_RECORD, PARCEL_EMPTY };

/* Takes out the next record. PARCEL_RECORD, PARCEL_EMPTY or -errno. */
int parcel_take(int end, struct parcel_record *record);

/*
 * A file in memory, for what a record has to say at length. Once sealed nobody can change it, and
 * only then it is read.
 */
int parcel_file_new(void); /* the descriptor or -errno */
int parcel_file_append(int fd, struct slice bytes); /* 0 or -errno */
int parcel_file_seal(int fd); /* 0 or -errno */
int parcel_file_read(int fd, struct buf *out); /* 0 or -errno; -EPERM: not sealed */
