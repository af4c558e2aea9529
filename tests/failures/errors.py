# SPDX-License-Identifier: MIT
"""
How each function can fail: the errnos that its manual page lists (and, of accept(2), those of the network that it
passes on). EWOULDBLOCK is EAGAIN.

clock_gettime(2) is not here: of a clock that is always there, into memory of our own, it cannot fail. Nor is EBADF of
close(2), which is never a failure, but always a mistake of the caller's, and which libsystemd takes for that.
"""
import errno
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
}

ERRORS = {function: [(name, getattr(errno, name)) for name in names.split()] for function, names in _ERRNOS.items()}
ERRORS["getaddrinfo"] = [(name, getattr(socket, name)) for name in
                         "EAI_AGAIN EAI_BADFLAGS EAI_FAIL EAI_FAMILY EAI_MEMORY EAI_NONAME EAI_SERVICE "
                         "EAI_SOCKTYPE EAI_SYSTEM".split()]

CAN_BE_SHORT = ("read", "readv", "recv", "pread", "write", "writev", "send")
# Out of something for a while: these go on failing, too, as long as a conversation lasts.
CAN_LAST = {"alloc": ("ENOMEM",), "open": ("EMFILE",), "socketpair": ("EMFILE",), "memfd_create": ("EMFILE",),
            "fcntl": ("EMFILE",),
            "epoll_ctl": ("ENOSPC",), "pthread_create": ("EAGAIN",)}
