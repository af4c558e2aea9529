/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's word that memory is short: $MEMORY_PRESSURE_WATCH names a file of the kernel's, a
 * FIFO or a Unix socket that tells it, $MEMORY_PRESSURE_WRITE what to write there first, in base64
 * (systemd.io/MEMORY_PRESSURE).
 */
#pragma once

#include <stdbool.h>

#include "os/loop.h"

enum { PRESSURE_WHY = 256 };

struct pressure {
	struct source source;
	struct loop *loop;
	struct timer timer; /* until then it is not listened to: once in a second will do */
	bool is_file;       /* of the kernel's, which is not to be read */
	void (*felt)(struct pressure *pressure);
	void (*lost)(struct pressure *pressure, int error); /* it is not watched any more; -errno */
};

/*
 * 1: it is watched. 0: nobody wants it. -errno: it cannot be, and `why` says what is wrong. `felt`
 * and `lost` are set by the caller; nothing else may have happened to it before.
 */
int pressure_watch(struct pressure *pressure, struct loop *loop, char why[PRESSURE_WHY]);
void pressure_forget(struct pressure *pressure);
