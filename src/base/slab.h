/* SPDX-License-Identifier: MIT */
/*
 * Small pieces of memory of which there are very many.
 *
 * A piece has no head: whoever returns it knows its size. Pieces of one size stand side by side in
 * pages of SLAB_PAGE bytes, so that what is made together is found together; a page that is empty
 * goes back to the C library when another of its size has room. What is too large for that comes
 * from the C library at once.
 */
#pragma once

#include <stddef.h>

#include "base/list.h"

enum {
	SLAB_GRAIN = 8,
	SLAB_LARGEST = 256,
	SLAB_PAGE = 16384,
	SLAB_EXTRA = 16, /* for what points to a piece: most stand in a table */
};

struct slab {
	/* Pages with room, by the size of their pieces in grains, less one. */
	struct list pages[SLAB_LARGEST / SLAB_GRAIN];
	size_t own_bytes;
	/* What is out is counted there, each piece with SLAB_EXTRA; own_bytes, until its owner sets
	   another place. */
	size_t *bytes;
};

void slab_init(struct slab *slab);

/* All pieces are back. */
void slab_fini(struct slab *slab);

/* Aligned to SLAB_GRAIN; size > 0. NULL without memory. */
void *slab_take(struct slab *slab, size_t size);

/* The size that was asked for. */
void slab_return(struct slab *slab, void *piece, size_t size);

/* Frees the pages that are empty. */
void slab_trim(struct slab *slab);
