/* SPDX-License-Identifier: MIT */
#include "server/place.h"

#include <string.h>
#include <sys/socket.h>

#include "os/address.h"

struct place place_of(const struct peer *peer)
{
	struct place place = {.family = peer->family};
	struct credentials credentials = peer_credentials(peer);
	uint64_t uid = credentials.uid;

	if (peer->family == AF_INET)
		memcpy(place.bytes, peer->bytes, 4);
	else if (peer->family == AF_INET6)
		memcpy(place.bytes, peer->bytes, 8);
	else
		memcpy(place.bytes, &uid, 8);
	return place;
}

struct place place_widen(const struct place *place, uint8_t width)
{
	struct place wide = {.family = place->family, .width = width};
	size_t kept = place->family == AF_INET ? 2 : place->family == AF_INET6 ? 4 : 0;

	if (width == PLACE_NETWORK)
		memcpy(wide.bytes, place->bytes, kept);
	return wide;
}

/* ::1 has nothing in its first half; who else has is on this network. */
bool place_is_here(const struct place *place)
{
	static const uint8_t nothing[8];

	switch (place->family) {
	case AF_INET:
		return place->bytes[0] == 127;
	case AF_INET6:
		return memcmp(place->bytes, nothing, sizeof(nothing)) == 0;
	default:
		return true;
	}
}
