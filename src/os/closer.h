/* SPDX-License-Identifier: MIT */
/*
 * Closes a descriptor whose end takes long, while others go on.
 */
#pragma once

/* On a thread of its own, which ends with it; here and now where there can be none. */
void closer_close(int fd);
