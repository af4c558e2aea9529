# SPDX-License-Identifier: MIT
"""
How each function can fail: the errnos that its manual page lists (and, of accept(2), those of the network that it
passes on). EWOULDBLOCK is EAGAIN.

clock_gettime(2) is not here: of a clock that is always there, into memory of our own, it cannot fail. Nor is EBADF of
close(2), which is never a failure, but always a mistake of the caller's, and which libsystemd takes for that.
"""
import errno
import os
import re
import socket

_PATH = "EACCES ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR"
_SEND = ("EACCES EAGAIN EALREADY EBADF ECONNRESET EDESTADDRREQ EFAULT EINTR EINVAL EISCONN EMSGSIZE ENOBUFS ENOMEM "
         "ENOTCONN ENOTSOCK EOPNOTSUPP EPIPE ETOOMANYREFS")
_RECEIVE = "EAGAIN EBADF ECONNREFUSED ECONNRESET EFAULT EINTR EINVAL ENOMEM ENOTCONN ENOTSOCK ETIMEDOUT"
_READ = "EAGAIN EBADF EFAULT EINTR EINVAL EIO EISDIR ECONNRESET"
_WRITE = "EAGAIN EBADF EDESTADDRREQ EDQUOT EFAULT EFBIG EINTR EINVAL EIO ENOSPC EPERM EPIPE ECONNRESET"
_OPTION = "EBADF EFAULT EINVAL ENOPROTOOPT ENOTSOCK"
_LIMIT = "EFAULT EINVAL EPERM"

_ERRNOS = {
    "alloc": "ENOMEM",
    "socket": "EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT",
    "bind": _PATH + " EADDRINUSE EBADF EINVAL ENOTSOCK EADDRNOTAVAIL EFAULT EROFS",
    "listen": "EADDRINUSE EBADF ENOTSOCK EOPNOTSUPP",
    "accept4": "EAGAIN EBADF ECONNABORTED EFAULT EINTR EINVAL EMFILE ENFILE ENOBUFS ENOMEM ENOTSOCK EOPNOTSUPP EPERM "
               "EPROTO ENOSR ESOCKTNOSUPPORT EPROTONOSUPPORT ETIMEDOUT ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET "
               "EHOSTUNREACH ENETUNREACH",
    "connect": "EACCES EPERM EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF ECONNREFUSED EFAULT "
               "EINPROGRESS EINTR EISCONN ENETUNREACH ENOTSOCK EPROTOTYPE ETIMEDOUT",
    "read": _READ,
    "readv": _READ + " EOPNOTSUPP",
    "recv": _RECEIVE,
    "recvmsg": _RECEIVE,
    "pread": _READ + " ENXIO EOVERFLOW ESPIPE",
    "write": _WRITE,
    "writev": _WRITE + " EOPNOTSUPP",
    "send": _SEND,
    "sendmsg": _SEND,
    "epoll_create1": "EINVAL EMFILE ENFILE ENOMEM",
    "epoll_ctl": "EBADF EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM",
    "epoll_wait": "EBADF EFAULT EINTR EINVAL",
    "getsockopt": _OPTION,
    "setsockopt": _OPTION,
    "getsockname": "EBADF EFAULT EINVAL ENOBUFS ENOTSOCK",
    "shutdown": "EBADF EINVAL ENOTCONN ENOTSOCK",
    "open": _PATH + " EBUSY EDQUOT EEXIST EFAULT EFBIG EOVERFLOW EINTR EINVAL EISDIR EMFILE ENFILE ENODEV ENXIO "
            "ENOSPC EOPNOTSUPP EPERM EROFS ETXTBSY EAGAIN",
    "close": "EINTR EIO ENOSPC EDQUOT",
    "fstat": "EBADF EFAULT ENOMEM EOVERFLOW",
    "lstat": _PATH + " EFAULT EOVERFLOW",
    "access": _PATH + " EFAULT EINVAL EIO EPERM EROFS ETXTBSY",
    "rename": _PATH + " EBUSY EDQUOT EFAULT EINVAL EISDIR EMLINK ENOSPC ENOTEMPTY EEXIST EPERM EROFS EXDEV",
    "unlink": _PATH + " EBUSY EFAULT EIO EISDIR EPERM EROFS",
    "memfd_create": "EFAULT EINVAL EMFILE ENFILE ENOMEM EPERM",
    "pipe": "EFAULT EMFILE ENFILE",
    "pipe2": "EFAULT EINVAL EMFILE ENFILE",
    "socketpair": "EAFNOSUPPORT EFAULT EMFILE ENFILE EOPNOTSUPP EPROTONOSUPPORT",
    "fcntl": "EACCES EAGAIN EBADF EBUSY EDEADLK EFAULT EINTR EINVAL EMFILE ENOLCK ENOTDIR EPERM",
    "dup2": "EBADF EBUSY EINTR EMFILE",
    "poll": "EFAULT EINTR EINVAL ENOMEM",
    "signalfd": "EBADF EINVAL EMFILE ENFILE ENODEV ENOMEM",
    "sigprocmask": "EFAULT EINVAL",
    "getrlimit": _LIMIT,
    "setrlimit": _LIMIT,
    "waitpid": "ECHILD EINTR EINVAL",
    "setenv": "EINVAL ENOMEM",
    "pthread_create": "EAGAIN EINVAL EPERM",
    "posix_spawnp": _PATH + " EAGAIN ENOSYS E2BIG EIO EISDIR ELIBBAD ENOEXEC EMFILE ENFILE EPERM ETXTBSY",
    "execvp": _PATH + " E2BIG EAGAIN EFAULT EINVAL EIO EISDIR ELIBBAD ENOEXEC EMFILE ENFILE EPERM ETXTBSY",
    "getifaddrs": "EMFILE ENFILE ENOBUFS ENOMEM EAFNOSUPPORT",
    "dlopen": "ENOENT",
    "fopen": _PATH + " EMFILE ENFILE EINTR",
    "fgets": "EAGAIN EBADF EINTR EIO EOVERFLOW ENOMEM ENXIO",
    "popen": "EAGAIN EMFILE ENFILE ENOMEM",
    "pclose": "ECHILD EINTR",
    "stat": _PATH + " EFAULT EOVERFLOW",
    "kill": "EINVAL EPERM ESRCH",
    "nanosleep": "EFAULT EINTR EINVAL",
    "prctl": "EINVAL EPERM",
    "sched_setscheduler": "EINVAL EPERM ESRCH",
}

ERRORS = {function: [(name, getattr(errno, name)) for name in names.split()] for function, names in _ERRNOS.items()}
ERRORS["getaddrinfo"] = [(name, getattr(socket, name)) for name in
                         "EAI_AGAIN EAI_BADFLAGS EAI_FAIL EAI_FAMILY EAI_MEMORY EAI_NONAME EAI_SERVICE "
                         "EAI_SOCKTYPE EAI_SYSTEM".split()]

# What goes through recvmsg(2) and sendmsg(2) here are records, which are whole.
CAN_BE_SHORT = ("read", "readv", "recv", "pread", "write", "writev", "send")
# Out of something for a while: these go on failing, too, as long as a conversation lasts.
CAN_LAST = {"alloc": ("ENOMEM",), "open": ("EMFILE",), "socketpair": ("EMFILE",), "memfd_create": ("EMFILE",),
            "fcntl": ("EMFILE",),
            "epoll_ctl": ("ENOSPC",), "pthread_create": ("EAGAIN",)}

_ANY = r"\[(FTL|ERR|WRN)\] .*\S|closed: Slow Consumer|minats: .*\S"
# (function, errno, or None for all): how the log tells, where not by the text of the errno, and why.
TOLD_OTHERWISE = {
    # As nats-server calls it, whatever it was.
    **{(function, None): "(Read|Write) Error|closed: Slow Consumer|" + _ANY for function in
       ("read", "readv", "recv", "recvmsg", "write", "writev", "send", "sendmsg", "epoll_ctl")},
    # pthread_create(3) has no other word for a lack of memory, and dlopen(3) may have none.
    ("alloc", None): r"emory|cannot start the log: Resource temporarily unavailable|cannot be loaded",
    # Without a nonce no signature can be right.
    **{("open", name): re.escape(os.strerror(getattr(errno, name))) + "|Authentication Failure"
       for name in _ERRNOS["open"].split()},
    ("dlopen", None): "cannot be loaded",
    # What it cannot be asked of is no listening socket, for us.
    ("getsockopt", None): _ANY,
    # Who cannot make sure that the file of a socket is a stale one takes it for one in use.
    **{(function, None): "Address already in use" for function in ("lstat", "unlink", "connect")},
    # The file is opened then, which tells.
    ("access", None): _ANY,
    ("getaddrinfo", None): _ANY,
}


# The same of allocations in a session: who has no room for an answer is told of no reason, but the log is, of his own
# mistake; and the libraries of cryptography say no, for a lack of memory as well.
TOLD_BY_SESSION = {
    "wrong": _ANY,
    "permissions": "emory|Violation|Authentication Failure",
    "login": "emory|Authentication Failure",
    "sign-in": "emory|Authentication Failure",
    "life-users": "emory|Violation|Authentication Failure",
}


# What is wrong with a connection that is handed over is told, not which call found that; so it is with a trial, and with
# the process that an order is for.
TOLD_IN_SHORT = ("replace", "replace-users", "restart", "order", "order-found")


def reason_of(session, function, name, error):
    """What must be in the log when this failure has hurt somebody."""
    if session in TOLD_IN_SHORT:
        return "(Read|Write) Error|" + _ANY
    if function == "alloc" and session in TOLD_BY_SESSION:
        return TOLD_BY_SESSION[session]
    for key in ((function, name), (function, None)):
        if key in TOLD_OTHERWISE:
            return TOLD_OTHERWISE[key]
    if name == "short":
        return _ANY
    if function == "alloc":
        return "emory"
    return re.escape(os.strerror(error))


# What the broker calls besides, and why it has no rows above; `*`: all that begin so.
CANNOT_FAIL = {
    "they have no errors, or none for arguments like ours":
        "__assert_fail __ctype_* __errno_location __memcpy_chk __memset_chk __snprintf_chk __vsnprintf_chk "
        "__isoc99_sscanf _exit clock_gettime getenv getpid gmtime_r localtime_r inet_ntop mem* str* snprintf time "
        "qsort sysconf sig*set sigaddset signal unsetenv free freeaddrinfo freeifaddrs gai_strerror malloc_trim",
    "they are counted as `alloc`": "malloc calloc realloc aligned_alloc posix_memalign",
    "they only fail where they allocate, which fails": "json_* posix_spawn_file_actions_* posix_spawnattr_*",
    "their own calls of the C library fail": "sd_*",
    "only of what is wrongly made": "pthread_cond_* pthread_mutex_* pthread_detach pthread_join pthread_sigmask",
    "nothing is lost with what was read": "fclose dlclose",
    "a library of another kind, see tests/unit/crypto.c": "dlsym",
    "it only does early what is done anyway": "madvise",
    "who hears nothing cannot be told of it": "puts __printf_chk __fprintf_chk __syslog_chk openlog",
    "the compiler and the C library have them for themselves":
        "_ITM_* __cxa_finalize __gmon_start__ __libc_start_main __stack_chk_fail",
}
