/* SPDX-License-Identifier: MIT */
/*
 * What a process asks of the kernel for itself: process_linux.c; process_none.c where there is less
 * to ask for.
 */
#pragma once

/* The calling thread runs only when a processor has nothing else to do. 0 or -errno. */
int process_stand_back(void);

/*
 * From now on the memory of this process is dumped nowhere, whoever collects core dumps, and other
 * processes of its user cannot look into it. Holds until it executes another program.
 */
void process_forbid_dumps(void);
