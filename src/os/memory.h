/* SPDX-License-Identifier: MIT */
/*
 * Gives memory that free() keeps back to the kernel: memory_glibc.c; where the allocator does so
 * by itself or cannot, memory_none.c. And the other way round: gets some before it is needed.
 */
#pragma once

void memory_give_back(void);

enum { MEMORY_AHEAD = 96 << 10 };

/*
 * MEMORY_AHEAD bytes of what malloc() gives out next, in small pieces, come from the kernel in one
 * call. A page at a time, each when it is first touched, would take twice as long.
 */
void memory_get_ahead(void);
