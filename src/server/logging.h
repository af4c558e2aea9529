/* SPDX-License-Identifier: MIT */
/*
 * Where the log goes and what it tells, as the options want it.
 */
#pragma once

struct log;
struct options;

/* NULL with `why`. The options must outlive it. */
struct log *logging_new(const struct options *options, char why[256]);

/*
 * The log for other options: the same one if they want nothing else of it; else another, to take
 * the place of that one. NULL with `why`.
 */
struct log *logging_renew(struct log *log, const struct options *from, const struct options *to,
			  char why[256]);
