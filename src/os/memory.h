/* SPDX-License-Identifier: MIT */
/*
 * Gives memory that free() keeps back to the kernel: memory_glibc.c; where the allocator does so
 * by itself or cannot, memory_none.c.
 */
#pragma once

void memory_give_back(void);
