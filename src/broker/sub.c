/* SPDX-License-Identifier: MIT */
#include "broker/sub.h"

#include "base/slab.h"

size_t sub_size(size_t sid_length)
{
	return sizeof(struct sub) + (sid_length < SID_QUICK ? SID_QUICK : sid_length + 1);
}

struct sub *sub_new(struct slab *slab, struct outbox *outbox, struct slice sid)
{
	struct sub *sub = slab_take(slab, sub_size(sid.length));

	if (!sub)
		return NULL;
	*sub = (struct sub){.outbox = outbox, .sid_length = (uint32_t)sid.length};
	memset(sub->sid, 0, SID_QUICK);
	memcpy(sub->sid, sid.bytes, sid.length);
	sub->sid[sid.length] = ' ';
	return sub;
}

void sub_free(struct slab *slab, struct sub *sub)
{
	slab_return(slab, sub, sub_size(sub->sid_length));
}
