/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into the broker it counts every allocation, in a file that others can read meanwhile:
 * eight bytes, a number in the machine's own order. COUNTALLOC names the file.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static _Atomic uint64_t unseen;
static _Atomic uint64_t *counter = &unseen;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("COUNTALLOC");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *page;

	if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) < 0)
		abort();
	page = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		abort();
	close(fd);
	counter = page;
}

void *malloc(size_t size)
{
	atomic_fetch_add(counter, 1);
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	atomic_fetch_add(counter, 1);
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	atomic_fetch_add(counter, 1);
	return __libc_realloc(old, size);
}
