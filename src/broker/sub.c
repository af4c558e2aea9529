/* SPDX-License-Identifier: MIT */
#include "broker/sub.h"

#include <stdlib.h>

struct sub *sub_new(struct outbox *outbox, struct slice sid, uint32_t sid_hash)
{
	struct sub *sub = malloc(sizeof(*sub) + sid.length);

	if (!sub)
		return NULL;
	*sub = (struct sub){.outbox = outbox, .sid_hash = sid_hash,
			    .sid_length = (uint32_t)sid.length};
	memcpy(sub->sid, sid.bytes, sid.length);
	return sub;
}

void sub_free(struct sub *sub)
{
	free(sub);
}
