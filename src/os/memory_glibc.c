/* SPDX-License-Identifier: MIT */
#include "os/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

/*
 * Of each small size the C library keeps some freed pieces for the next who asks, wherever in the
 * heap they lie, and each keeps a page from going back. They are exchanged for others, which lie
 * together where the heap begins.
 */
static void gather_spares(void)
{
	enum { EACH = 7, LEAST = 24, MOST = 1032, STEP = 16 };
	void *volatile scattered[EACH], *volatile together[EACH];

	for (size_t size = MOST; size >= LEAST; size -= STEP) {
		for (size_t at = 0; at < EACH; at++)
			scattered[at] = malloc(size);
		for (size_t at = 0; at < EACH; at++)
			together[at] = malloc(size);
		for (size_t at = 0; at < EACH; at++)
			free(together[at]);
		for (size_t at = 0; at < EACH; at++)
			free(scattered[at]);
	}
}

void memory_give_back(void)
{
	malloc_trim(0);
	gather_spares();
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
