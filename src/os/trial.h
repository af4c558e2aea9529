/* SPDX-License-Identifier: MIT */
/*
 * Does a program start, with these arguments? A child tries, and nobody waits for it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Runs it with one argument more, --version or, to check its configuration file as well, -t: it has
 * to load, and to find nothing wrong with the others. What it complains of goes to our standard
 * error. SIGCHLD tells the end. The child's pid or -errno.
 */
pid_t trial_start(char *const argv[], bool has_file);

enum { TRIAL_WHY = 64 };

enum trial_answer { TRIAL_RUNS, TRIAL_GOOD, TRIAL_BAD };

/* When a child has ended; `why` only if it is bad. */
enum trial_answer trial_ask(pid_t pid, char why[TRIAL_WHY]);

/* It takes too long. */
void trial_stop(pid_t pid);
