/* SPDX-License-Identifier: MIT */
#include "broker/sub.h"

#include "base/slab.h"

struct sub *sub_new(struct slab *slab, struct outbox *outbox, struct slice sid)
{
	struct sub *sub = slab_take(slab, sizeof(*sub) + sid.length);

	if (!sub)
		return NULL;
	*sub = (struct sub){.outbox = outbox, .sid_length = (uint32_t)sid.length};
	memcpy(sub->sid, sid.bytes, sid.length);
	return sub;
}

void sub_free(struct slab *slab, struct sub *sub)
{
	slab_return(slab, sub, sizeof(*sub) + sub->sid_length);
}
