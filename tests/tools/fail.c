/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into the broker it makes calls of the C library fail: the n-th one of a function, with
 * an errno of choice, once or from then on; or cuts it short, to one byte. Who orders that writes
 * into a page that both map, the file named by FAIL; tests/failures/run does.
 *
 * Calls are counted while the page is armed, those of the first thread and those of all others each
 * for themselves, so that the same conversation counts the same calls. Calls about a descriptor
 * that is spared neither count nor fail.
 *
 * FAIL_PLANTED names a fault to plant when a call has failed: that the harness finds it is its own
 * test.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Allocations are one function, however they are called. tests/failures/broker.py reads this. */
#define FUNCTIONS(X) \
	X(alloc) X(socket) X(bind) X(listen) X(accept4) X(connect) X(read) X(readv) X(recv) \
	X(recvmsg) X(pread) X(write) X(writev) X(send) X(sendmsg) X(epoll_create1) X(epoll_ctl) \
	X(epoll_wait) X(getsockopt) X(setsockopt) X(getsockname) X(shutdown) X(open) X(close) \
	X(fstat) X(lstat) X(access) X(rename) X(unlink) X(memfd_create) X(pipe) X(pipe2) \
	X(socketpair) X(fcntl) X(dup2) X(poll) X(signalfd) X(sigprocmask) X(getrlimit) \
	X(setrlimit) X(waitpid) X(setenv) X(pthread_create) X(posix_spawnp) X(execvp) \
	X(getaddrinfo) X(getifaddrs) X(dlopen) X(fopen) X(fgets) X(popen) X(pclose) X(stat) \
	X(kill) X(nanosleep) X(prctl) X(sched_setscheduler)

enum {
#define X(name) FN_##name,
	FUNCTIONS(X)
#undef X
};

enum { ROOM = 64, FDS = 256, THREADS = 2 };
enum { ONCE, ALWAYS, SHORT_ONCE, SHORT_ALWAYS };

/* tests/failures/broker.py has the same layout. */
struct page {
	_Atomic int64_t blocks; /* allocated and not freed */
	_Atomic uint32_t armed, function;
	_Atomic uint32_t thread; /* 0: the first, 1: any other */
	_Atomic uint32_t nth;    /* from 1, since it is armed */
	_Atomic uint32_t mode;
	_Atomic int32_t error;
	_Atomic uint32_t fired; /* so many have failed */
	_Atomic uint32_t counts[THREADS][ROOM];
	_Atomic uint8_t spared[FDS];
};

static struct page unseen;
static struct page *page = &unseen;
static const char *planted = "";
static _Atomic bool is_broken;
static _Thread_local int my_thread __attribute__((tls_model("initial-exec"))) = -1;

/*
 * It is not about a program on trial, by which the broker learns whether it could be replaced, nor
 * about others that it starts.
 */
static bool is_concerned(int argc, char **argv)
{
	const char *last = argv[argc - 1];

	return strcmp(program_invocation_short_name, "minats") == 0 &&
	       strcmp(last, "--version") != 0 && strcmp(last, "-t") != 0;
}

__attribute__((constructor)) static void begin(int argc, char **argv)
{
	const char *path = getenv("FAIL"), *plant = getenv("FAIL_PLANTED");
	struct page *mapped;
	int fd;

	if (!path || !is_concerned(argc, argv))
		return;
	/* Nothing stays behind, however the harness ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	mapped = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || mapped == MAP_FAILED)
		abort();
	close(fd);
	atomic_store(&mapped->blocks, atomic_load(&unseen.blocks));
	planted = plant ? plant : "";
	page = mapped;
}

static bool has_planted(const char *fault)
{
	return atomic_load(&is_broken) && strcmp(planted, fault) == 0;
}

static void plant(void)
{
	void *volatile lost;

	atomic_store(&is_broken, *planted != '\0');
	if (has_planted("crash"))
		abort();
	if (has_planted("descriptor"))
		(void)!dup(STDERR_FILENO);
	if (has_planted("leak"))
		lost = malloc(64);
	(void)lost;
}

enum verdict { PASSES, FAILS, IS_SHORT };

/* What becomes of this call; errno is set if it fails. `fd` -1: it is about none. */
static enum verdict judge(uint32_t function, int fd)
{
	uint32_t nth;
	bool always;

	if (!atomic_load(&page->armed) || (fd >= 0 && fd < FDS && atomic_load(&page->spared[fd])))
		return PASSES;
	if (my_thread < 0)
		my_thread = gettid() != getpid();
	nth = atomic_fetch_add(&page->counts[my_thread][function], 1) + 1;
	if (atomic_load(&page->function) != function ||
	    atomic_load(&page->thread) != (uint32_t)my_thread)
		return PASSES;
	always = atomic_load(&page->mode) == ALWAYS || atomic_load(&page->mode) == SHORT_ALWAYS;
	if (nth < atomic_load(&page->nth) || (nth > atomic_load(&page->nth) && !always))
		return PASSES;
	atomic_fetch_add(&page->fired, 1);
	plant();
	if (atomic_load(&page->mode) >= SHORT_ONCE)
		return IS_SHORT;
	errno = atomic_load(&page->error);
	return FAILS;
}

static void find(const char *name, void *to)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(to, &found, sizeof(found));
}

/* The real one, in a variable called `real`. */
#define REAL(name) \
	static __typeof__(&name) real; \
	if (!real) \
		find(#name, &real)

/* Allocations. */

static __typeof__(&free) real_free;

/* dlsym() itself may free something. What is allocated first finds out how, before there is any. */
static void *count_block(void *block)
{
	if (!real_free)
		find("free", &real_free);
	if (block)
		atomic_fetch_add(&page->blocks, 1);
	return block;
}

void *malloc(size_t size)
{
	REAL(malloc);
	return judge(FN_alloc, -1) == PASSES ? count_block(real(size)) : NULL;
}

void *calloc(size_t count, size_t size)
{
	REAL(calloc);
	return judge(FN_alloc, -1) == PASSES ? count_block(real(count, size)) : NULL;
}

void *realloc(void *old, size_t size)
{
	void *block;

	REAL(realloc);
	if (judge(FN_alloc, -1) != PASSES)
		return NULL;
	block = real(old, size);
	if (!old)
		count_block(block);
	else if (size == 0)
		atomic_fetch_sub(&page->blocks, 1);
	return block;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	REAL(aligned_alloc);
	return judge(FN_alloc, -1) == PASSES ? count_block(real(alignment, size)) : NULL;
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
	int error;

	REAL(posix_memalign);
	if (judge(FN_alloc, -1) != PASSES)
		return ENOMEM;
	error = real(block, alignment, size);
	if (error == 0)
		count_block(*block);
	return error;
}

void free(void *block)
{
	if (!block || !real_free)
		return;
	atomic_fetch_sub(&page->blocks, 1);
	real_free(block);
}

/* Those that can be short. */

#define READER(name, params, args_short, args) \
	ssize_t name params \
	{ \
		enum verdict verdict = judge(FN_##name, fd); \
		REAL(name); \
		return verdict == FAILS ? -1 : verdict == IS_SHORT ? real args_short : real args; \
	}

#define ONE (length > 0)

READER(read, (int fd, void *bytes, size_t length), (fd, bytes, ONE), (fd, bytes, length))
READER(recv, (int fd, void *bytes, size_t length, int flags), (fd, bytes, ONE, flags),
       (fd, bytes, length, flags))
READER(pread, (int fd, void *bytes, size_t length, off_t at), (fd, bytes, ONE, at),
       (fd, bytes, length, at))
READER(write, (int fd, const void *bytes, size_t length), (fd, bytes, ONE), (fd, bytes, length))

static struct iovec first_byte(const struct iovec *vectors, int count)
{
	struct iovec one = {.iov_len = 0};

	for (int at = 0; at < count && one.iov_len == 0; at++)
		one = (struct iovec){vectors[at].iov_base, vectors[at].iov_len > 0};
	return one;
}

#define VECTOR(name) \
	ssize_t name(int fd, const struct iovec *vectors, int count) \
	{ \
		enum verdict verdict = judge(FN_##name, fd); \
		struct iovec one; \
		REAL(name); \
		if (verdict != IS_SHORT) \
			return verdict == FAILS ? -1 : real(fd, vectors, count); \
		one = first_byte(vectors, count); \
		return real(fd, &one, 1); \
	}

VECTOR(readv)
VECTOR(writev)

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	enum verdict verdict = judge(FN_send, fd);

	REAL(send);
	if (has_planted("loss"))
		return (ssize_t)length;
	return verdict == FAILS ? -1 : real(fd, bytes, verdict == IS_SHORT ? ONE : length, flags);
}

/* The others, which fail with -1 and errno. What cannot be short is whole. */

#define CALL(type, name, fd, params, args) \
	type name params \
	{ \
		enum verdict verdict = judge(FN_##name, fd); \
		REAL(name); \
		return verdict == FAILS ? (type)-1 : real args; \
	}

CALL(int, socket, -1, (int family, int type, int protocol), (family, type, protocol))
CALL(int, bind, fd, (int fd, __CONST_SOCKADDR_ARG address, socklen_t length), (fd, address, length))
CALL(int, listen, fd, (int fd, int backlog), (fd, backlog))
CALL(int, connect, fd, (int fd, __CONST_SOCKADDR_ARG address, socklen_t length),
     (fd, address, length))
CALL(ssize_t, recvmsg, fd, (int fd, struct msghdr *message, int flags), (fd, message, flags))
CALL(ssize_t, sendmsg, fd, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
CALL(int, epoll_create1, -1, (int flags), (flags))
CALL(int, epoll_ctl, fd, (int epoll, int operation, int fd, struct epoll_event *event),
     (epoll, operation, fd, event))
CALL(int, getsockopt, fd, (int fd, int level, int name, void *value, socklen_t *length),
     (fd, level, name, value, length))
CALL(int, setsockopt, fd, (int fd, int level, int name, const void *value, socklen_t length),
     (fd, level, name, value, length))
CALL(int, getsockname, fd, (int fd, __SOCKADDR_ARG address, socklen_t *length),
     (fd, address, length))
CALL(int, shutdown, fd, (int fd, int how), (fd, how))
CALL(int, fstat, fd, (int fd, struct stat *status), (fd, status))
CALL(int, lstat, -1, (const char *path, struct stat *status), (path, status))
CALL(int, stat, -1, (const char *restrict path, struct stat *restrict status), (path, status))
CALL(int, access, -1, (const char *path, int mode), (path, mode))
CALL(int, rename, -1, (const char *from, const char *to), (from, to))
CALL(int, unlink, -1, (const char *path), (path))
CALL(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
CALL(int, pipe, -1, (int ends[2]), (ends))
CALL(int, pipe2, -1, (int ends[2], int flags), (ends, flags))
CALL(int, socketpair, -1, (int family, int type, int protocol, int ends[2]),
     (family, type, protocol, ends))
CALL(int, dup2, -1, (int from, int to), (from, to))
CALL(int, poll, -1, (struct pollfd *fds, nfds_t count, int timeout_ms), (fds, count, timeout_ms))
CALL(int, signalfd, -1, (int fd, const sigset_t *set, int flags), (fd, set, flags))
CALL(int, sigprocmask, -1, (int how, const sigset_t *set, sigset_t *before), (how, set, before))
CALL(int, getrlimit, -1, (__rlimit_resource_t what, struct rlimit *limit), (what, limit))
CALL(int, setrlimit, -1, (__rlimit_resource_t what, const struct rlimit *limit), (what, limit))
CALL(pid_t, waitpid, -1, (pid_t pid, int *status, int options), (pid, status, options))
CALL(int, setenv, -1, (const char *name, const char *value, int replaces), (name, value, replaces))
CALL(int, execvp, -1, (const char *file, char *const argv[]), (file, argv))
CALL(int, getifaddrs, -1, (struct ifaddrs **interfaces), (interfaces))
CALL(int, kill, -1, (pid_t pid, int number), (pid, number))
CALL(int, nanosleep, -1, (const struct timespec *pause, struct timespec *rest), (pause, rest))
CALL(int, sched_setscheduler, -1, (pid_t pid, int policy, const struct sched_param *param),
     (pid, policy, param))

/* What it has started is waited for all the same. */
int pclose(FILE *pipe)
{
	enum verdict verdict = judge(FN_pclose, -1);
	int error = errno;
	int status;

	REAL(pclose);
	status = real(pipe);
	if (verdict == FAILS)
		errno = error;
	return verdict == FAILS ? -1 : status;
}

int prctl(int option, ...)
{
	enum verdict verdict = judge(FN_prctl, -1);
	va_list arguments;
	unsigned long value;

	REAL(prctl);
	va_start(arguments, option);
	value = va_arg(arguments, unsigned long);
	va_end(arguments);
	return verdict == FAILS ? -1 : real(option, value, 0L, 0L, 0L);
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
	enum verdict verdict = judge(FN_accept4, fd);

	REAL(accept4);
	if (has_planted("deaf")) {
		errno = EAGAIN;
		return -1;
	}
	return verdict == FAILS ? -1 : real(fd, address, length, flags);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	enum verdict verdict = judge(FN_epoll_wait, fd);

	REAL(epoll_wait);
	if (has_planted("spin"))
		timeout_ms = 0;
	return verdict == FAILS ? -1 : real(fd, events, most, timeout_ms);
}

/* As in the kernel, the descriptor is closed all the same. */
int close(int fd)
{
	enum verdict verdict = judge(FN_close, fd);
	int error = errno;

	REAL(close);
	if (verdict != FAILS)
		return real(fd);
	real(fd);
	errno = error;
	return -1;
}

int open(const char *path, int flags, ...)
{
	enum verdict verdict = judge(FN_open, -1);
	va_list arguments;
	mode_t mode;

	REAL(open);
	va_start(arguments, flags);
	mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return verdict == FAILS ? -1 : real(path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
	enum verdict verdict = judge(FN_fcntl, fd);
	va_list arguments;
	long argument;

	REAL(fcntl);
	va_start(arguments, command);
	argument = va_arg(arguments, long);
	va_end(arguments);
	return verdict == FAILS ? -1 : real(fd, command, argument);
}

/* Those that fail with NULL. */

#define GIVER(type, name, params, args) \
	type *name params \
	{ \
		enum verdict verdict = judge(FN_##name, -1); \
		REAL(name); \
		return verdict == FAILS ? NULL : real args; \
	}

GIVER(void, dlopen, (const char *name, int flags), (name, flags))
GIVER(FILE, fopen, (const char *path, const char *mode), (path, mode))
GIVER(FILE, popen, (const char *command, const char *mode), (command, mode))
GIVER(char, fgets, (char *line, int size, FILE *file), (line, size, file))

/* Those that return what went wrong. */

#define TELLER(name, params, args) \
	int name params \
	{ \
		enum verdict verdict = judge(FN_##name, -1); \
		REAL(name); \
		return verdict == FAILS ? atomic_load(&page->error) : real args; \
	}

TELLER(pthread_create,
       (pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
	void *(*run)(void *), void *restrict context),
       (thread, attributes, run, context))
TELLER(posix_spawnp,
       (pid_t *restrict pid, const char *restrict file,
	const posix_spawn_file_actions_t *restrict files,
	const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
	char *const environment[restrict]),
       (pid, file, files, attributes, argv, environment))
TELLER(getaddrinfo,
       (const char *restrict host, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict found),
       (host, service, hints, found))
