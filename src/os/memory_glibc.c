/* SPDX-License-Identifier: MIT */
#include "os/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

void memory_give_back(void)
{
	malloc_trim(0);
}

/*
 * A piece of this size is cut off the top of the heap, and so small that free() leaves it there. A
 * kernel that has larger pages, or does not know how to do it, does nothing.
 */
void memory_get_ahead(void)
{
#ifdef MADV_POPULATE_WRITE
	void *piece = malloc(MEMORY_AHEAD);
	uintptr_t start = ((uintptr_t)piece + PAGE - 1) & ~(uintptr_t)(PAGE - 1);

	if (piece)
		(void)madvise((void *)start, MEMORY_AHEAD - PAGE, MADV_POPULATE_WRITE);
	free(piece);
#endif
}
