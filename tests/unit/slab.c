/* SPDX-License-Identifier: MIT */
/*
 * Pieces are filled to the last byte and looked at when they go back: two that overlap would show.
 */
#include "base/slab.h"

#include "test.h"

enum { PIECES = 3000, STEPS = 60000, SIZE_MOST = SLAB_LARGEST + 64 };

struct piece {
	unsigned char *bytes;
	size_t size;
};

static uint64_t random_state = 0x2545f4914f6cdd1d;

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % below;
}

static void take(struct slab *slab, struct piece *piece, size_t at)
{
	piece->size = 1 + draw(SIZE_MOST);
	piece->bytes = slab_take(slab, piece->size);
	CHECK(piece->bytes && (uintptr_t)piece->bytes % SLAB_GRAIN == 0);
	memset(piece->bytes, (int)(at % 251), piece->size);
}

static void give_back(struct slab *slab, struct piece *piece, size_t at)
{
	size_t same = 0;

	while (same < piece->size && piece->bytes[same] == at % 251)
		same++;
	if (same < piece->size)
		CHECK_NUMBER(same, piece->size);
	slab_return(slab, piece->bytes, piece->size);
	piece->bytes = NULL;
}

static void pieces_of_all_sizes_do_not_overlap(void)
{
	struct piece *pieces = calloc(PIECES, sizeof(*pieces));
	struct slab slab;

	slab_init(&slab);
	for (unsigned step = 0; step < STEPS; step++) {
		size_t at = draw(PIECES);

		if (pieces[at].bytes)
			give_back(&slab, &pieces[at], at);
		else
			take(&slab, &pieces[at], at);
		if (step % 1000 == 0)
			slab_trim(&slab);
	}
	for (size_t at = 0; at < PIECES; at++)
		if (pieces[at].bytes)
			give_back(&slab, &pieces[at], at);
	slab_fini(&slab);
	free(pieces);
}

static size_t count_pages(const struct slab *slab, size_t size)
{
	const struct list *pages = &slab->pages[(size - 1) / SLAB_GRAIN];
	size_t count = 0;

	for (const struct list *at = pages->next; at != pages; at = at->next)
		count++;
	return count;
}

static void empty_pages_go_but_one_until_it_is_trimmed(void)
{
	enum { SIZE = 40, COUNT = 4 * SLAB_PAGE / SIZE };
	void *pieces[COUNT];
	struct slab slab;

	slab_init(&slab);
	for (size_t at = 0; at < COUNT; at++)
		pieces[at] = slab_take(&slab, SIZE);
	for (size_t at = 0; at < COUNT; at++)
		slab_return(&slab, pieces[at], SIZE);
	CHECK(count_pages(&slab, SIZE) <= 1);
	slab_trim(&slab);
	CHECK_NUMBER(count_pages(&slab, SIZE), 0);
	slab_fini(&slab);
}

/* One that comes and goes at the edge of a page does not make the page come and go. */
static void a_piece_that_goes_is_the_next_to_come(void)
{
	struct slab slab;
	void *first, *second;

	slab_init(&slab);
	first = slab_take(&slab, 33);
	slab_return(&slab, first, 33);
	second = slab_take(&slab, 40);
#ifndef __SANITIZE_ADDRESS__
	CHECK(second == first);
#endif
	slab_return(&slab, second, 40);
	slab_fini(&slab);
}

static const struct test_case cases[] = {
	TEST_CASE(pieces_of_all_sizes_do_not_overlap),
	TEST_CASE(empty_pages_go_but_one_until_it_is_trimmed),
	TEST_CASE(a_piece_that_goes_is_the_next_to_come),
};

int main(void)
{
	return test_run(cases, sizeof(cases) / sizeof(cases[0]));
}
