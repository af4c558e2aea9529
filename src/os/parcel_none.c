/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "os/parcel.h"

int parcel_new(int ends[2])
{
	(void)ends;
	return -ENOSYS;
}

bool parcel_is_one(int fd)
{
	(void)fd;
	return false;
}

bool parcel_is_held(int end)
{
	(void)end;
	return false;
}

int parcel_put(int end, struct slice data, const int *fds, size_t count)
{
	(void)end, (void)data, (void)fds, (void)count;
	return -ENOSYS;
}

int parcel_take(int end, struct parcel_record *record)
{
	(void)end, (void)record;
	return -ENOSYS;
}

int parcel_file_new(void)
{
	return -ENOSYS;
}

int parcel_file_append(int fd, struct slice bytes)
{
	(void)fd, (void)bytes;
	return -ENOSYS;
}

int parcel_file_seal(int fd)
{
	(void)fd;
	return -ENOSYS;
}

int parcel_file_read(int fd, struct buf *out)
{
	(void)fd, (void)out;
	return -ENOSYS;
}
