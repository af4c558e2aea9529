/* SPDX-License-Identifier: MIT */
/*
 * Takes all that waits in an outbox, as the end of a turn does.
 */
#pragma once

#include "base/buf.h"
#include "broker/outbox.h"
#include "test.h"

static inline void hear(struct outbox *outbox, struct buf *heard)
{
	struct slice slices[8];
	size_t count;

	while ((count = outbox_peek(outbox, slices, 8)) > 0) {
		size_t length = 0;

		for (size_t slice = 0; slice < count; slice++) {
			CHECK_NUMBER(buf_append(heard, slices[slice]), 0);
			length += slices[slice].length;
		}
		outbox_take(outbox, length);
	}
	list_remove(&outbox->dirty_link);
}
