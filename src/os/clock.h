/* SPDX-License-Identifier: MIT */
/*
 * The time since some moment in the past; it never goes back.
 */
#pragma once

#include <stdint.h>

uint64_t clock_now_ms(void);
