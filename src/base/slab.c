/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/hints.h"

enum {
	CLASSES = SLAB_LARGEST / SLAB_GRAIN,
	/* Left to what the C library puts in front of its pieces: so pages can stand side by side. */
	PAGE_USED = SLAB_PAGE - 64,
};

/* Whoever looks for errors of memory has to see each piece for itself. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
enum { LARGEST = 0 };
#else
enum { LARGEST = SLAB_LARGEST };
#endif

/* A piece that was returned. */
struct spare {
	struct spare *next;
};

/* At a multiple of SLAB_PAGE; its pieces follow. */
struct page {
	struct list link; /* slab.pages; in no list while it is full */
	struct spare *spare;
	uint32_t used;    /* pieces that are out */
	uint32_t fresh;   /* bytes up to here have been given out once */
	uint32_t size;    /* of a piece */
};

void slab_init(struct slab *slab)
{
	for (size_t class = 0; class < CLASSES; class++)
		list_init(&slab->pages[class]);
	slab->own_bytes = 0;
	slab->bytes = &slab->own_bytes;
}

static size_t class_of(size_t size)
{
	return (size - 1) / SLAB_GRAIN;
}

static struct page *page_of(const void *piece)
{
	return (struct page *)((uintptr_t)piece & ~(uintptr_t)(SLAB_PAGE - 1));
}

static struct page *new_page(struct slab *slab, size_t class)
{
	void *memory;
	struct page *page;

	if (posix_memalign(&memory, SLAB_PAGE, PAGE_USED) != 0)
		return NULL;
	page = memory;
	*page = (struct page){.fresh = sizeof(*page),
			      .size = (uint32_t)((class + 1) * SLAB_GRAIN)};
	list_init(&page->link);
	list_append(&slab->pages[class], &page->link);
	return page;
}

static bool page_is_full(const struct page *page)
{
	return !page->spare && page->fresh + page->size > PAGE_USED;
}

static void *take_from(struct slab *slab, struct page *page)
{
	void *piece = page->spare;

	*slab->bytes += page->size + SLAB_EXTRA;
	if (piece) {
		page->spare = page->spare->next;
	} else {
		piece = (char *)page + page->fresh;
		page->fresh += page->size;
	}
	page->used++;
	if (page_is_full(page))
		list_remove(&page->link);
	return piece;
}

NOINLINE static void *take_from_new(struct slab *slab, size_t class)
{
	struct page *page = new_page(slab, class);

	return page ? take_from(slab, page) : NULL;
}

NOINLINE static void *take_large(struct slab *slab, size_t size)
{
	void *piece = malloc(size);

	if (piece)
		*slab->bytes += size + SLAB_EXTRA;
	return piece;
}

void *slab_take(struct slab *slab, size_t size)
{
	size_t class = class_of(size);

	if (size > LARGEST)
		return take_large(slab, size);
	if (list_is_empty(&slab->pages[class]))
		return take_from_new(slab, class);
	return take_from(slab, container_of(slab->pages[class].next, struct page, link));
}

static void free_page(struct page *page)
{
	list_remove(&page->link);
	free(page);
}

void slab_return(struct slab *slab, void *piece, size_t size)
{
	struct spare *spare = piece;
	struct list *pages;
	struct page *page;

	if (size > LARGEST) {
		*slab->bytes -= size + SLAB_EXTRA;
		free(piece);
		return;
	}
	pages = &slab->pages[class_of(size)];
	page = page_of(piece);
	assert(page->used > 0 && page->size == (class_of(size) + 1) * SLAB_GRAIN);
	*slab->bytes -= page->size + SLAB_EXTRA;
	if (page_is_full(page))
		list_append(pages, &page->link);
	spare->next = page->spare;
	page->spare = spare;
	/* The last one stays: a piece that comes and goes does not make a page come and go. */
	if (--page->used == 0 && pages->next != pages->previous)
		free_page(page);
}

void slab_trim(struct slab *slab)
{
	for (size_t class = 0; class < CLASSES; class++) {
		struct list *pages = &slab->pages[class];

		for (struct list *at = pages->next, *next = at->next; at != pages;
		     at = next, next = at->next) {
			struct page *page = container_of(at, struct page, link);

			if (page->used == 0)
				free_page(page);
		}
	}
}

void slab_fini(struct slab *slab)
{
	slab_trim(slab);
	for (size_t class = 0; class < CLASSES; class++)
		assert(list_is_empty(&slab->pages[class]));
}
