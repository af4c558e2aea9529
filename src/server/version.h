/* SPDX-License-Identifier: MIT */
/*
 * minats' own version. What clients may rely on is HANDSHAKE_LEVEL.
 */
#pragma once

#define VERSION "0.1.0"
