/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/parcel.h"

enum {
	SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL,
	/* As large as the kernel allows, for many records. */
	SOCKET_BYTES = 8 << 20,
};

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(PARCEL_FDS * sizeof(int))];
};

int parcel_new(int ends[2])
{
	int bytes = SOCKET_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

static int socket_option(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) < 0 ? -1 : value;
}

bool parcel_is_one(int fd)
{
	return socket_option(fd, SO_DOMAIN) == AF_UNIX &&
	       socket_option(fd, SO_TYPE) == SOCK_SEQPACKET &&
	       socket_option(fd, SO_ACCEPTCONN) == 0;
}

bool parcel_is_held(int end)
{
	struct pollfd hangup = {.fd = end};

	return poll(&hangup, 1, 0) == 0;
}

int parcel_put(int end, struct slice data, const int *fds, size_t count)
{
	union control control;
	struct iovec vector = {(void *)(uintptr_t)data.bytes, data.length};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (count > 0) {
		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	}
	return sendmsg(end, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void take_fds(struct msghdr *message, struct parcel_record *record)
{
	record->count = 0;
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
	     head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		record->count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(record->fds, CMSG_DATA(head), record->count * sizeof(int));
	}
}

int parcel_take(int end, struct parcel_record *record)
{
	union control control;
	struct iovec vector = {record->data, sizeof(record->data)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(end, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (length < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? PARCEL_EMPTY : -errno;
	take_fds(&message, record);
	record->length = (size_t)length;
	record->cut = message.msg_flags & (MSG_CTRUNC | MSG_TRUNC);
	return length == 0 && record->count == 0 ? PARCEL_EMPTY : PARCEL_RECORD;
}

int parcel_file_new(void)
{
	int fd = memfd_create("minats", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

int parcel_file_append(int fd, struct slice bytes)
{
	while (bytes.length > 0) {
		ssize_t done = write(fd, bytes.bytes, bytes.length);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0)
			bytes = slice_after(bytes, (size_t)done);
	}
	return 0;
}

int parcel_file_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

static int read_all(int fd, struct buf *out, size_t length)
{
	while (out->length < length) {
		ssize_t got = pread(fd, out->bytes + out->length, length - out->length,
				    (off_t)out->length);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			return -EIO;
		if (got > 0)
			out->length += (size_t)got;
	}
	return 0;
}

int parcel_file_read(int fd, struct buf *out)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat status;
	int error;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return -EPERM;
	if (fstat(fd, &status) < 0)
		return -errno;
	out->length = 0;
	error = buf_reserve(out, (size_t)status.st_size);
	return error < 0 ? error : read_all(fd, out, (size_t)status.st_size);
}
