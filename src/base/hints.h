/* SPDX-License-Identifier: MIT */
/*
 * What the compiler and the processor cannot know about the path of a message.
 */
#pragma once

/* Where most of the time goes: to be seen as one by the compiler. */
#define INLINE __attribute__((always_inline)) inline

/* Apart, lest the usual way saves registers for it. */
#define NOINLINE __attribute__((noinline))

/* What the path of most messages is straight for. */
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

/* Asks for a line of memory before it is needed, or may be. Any address will do. */
static inline void prefetch(const void *address)
{
	__builtin_prefetch(address);
	/* To gcc that alone is no effect, and a function that does nothing else is not called. */
	__asm__ volatile("" : : "r"(address));
}
