/* SPDX-License-Identifier: MIT */
/*
 * From permissions {} in a configuration to a permit (PROTOCOL 9.4).
 */
#pragma once

struct config_field;
struct permit;

/* NULL: out of memory, or there is something to complain of. */
struct permit *config_permit_read(const struct config_field *field);
