/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out when a test says so, and is counted: for programs that are linked with
 * LINK_scarcity (Makefile), by which all that the modules and jansson allocate comes through here.
 */
#pragma once

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* One test program is one thread. */
static struct {
	bool is_counting;
	unsigned count;
	unsigned fails_at; /* this one of those counted; 0: none */
	long live;         /* allocations that were not freed */
} failing;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
void __wrap_free(void *memory);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);

static inline bool failing_fails(void)
{
	return failing.is_counting && ++failing.count == failing.fails_at;
}

static inline void *failing_made(void *memory)
{
	failing.live += memory != NULL;
	return memory;
}

void *__wrap_malloc(size_t size)
{
	return failing_fails() ? NULL : failing_made(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return failing_fails() ? NULL : failing_made(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (failing_fails())
		return NULL;
	return old ? __real_realloc(old, size) : failing_made(__real_realloc(old, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return failing_fails() ? NULL : failing_made(__real_aligned_alloc(alignment, size));
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
	int error = failing_fails() ? ENOMEM : __real_posix_memalign(memory, alignment, size);

	failing.live += error == 0;
	return error;
}

void __wrap_free(void *memory)
{
	failing.live -= memory != NULL;
	__real_free(memory);
}

char *__wrap_strndup(const char *text, size_t length)
{
	size_t used = strnlen(text, length);
	char *copy = __wrap_malloc(used + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, used);
	copy[used] = '\0';
	return copy;
}

char *__wrap_strdup(const char *text)
{
	return __wrap_strndup(text, strlen(text));
}

/* jansson was not linked like that. */
static inline void failing_init(void)
{
	json_set_alloc_funcs(__wrap_malloc, __wrap_free);
}
