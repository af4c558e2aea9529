#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
supervisor.py [OPTION...] -- COMMAND [ARGUMENT...]: what systemd does for a service, small enough for a test.

It makes listening sockets and gives them to COMMAND (LISTEN_FDS), hears its notifications, and keeps the
descriptors that come with them (FDSTORE=1) from one start of COMMAND to the next. Needs no root.

    --listen [NAME=]ADDRESS  HOST:PORT (port 0: a free one) or unix:PATH; once for each socket; named "nats"
    --store-max COUNT        keep so many descriptors (FileDescriptorStoreMax=), close what is more; 4
    --notified FILE          a line for each notification: its fields with blanks between them
    --log FILE               what COMMAND writes goes there, else to standard error
    --limit SECONDS          nothing may take longer; 10

It reads commands from standard input, one a line, and answers each with one line:

    start               starts it with the sockets and all that is stored; waits for READY=1
    restart             SIGTERM, waits for its end, starts it anew (systemctl restart): `park` and `start`
    park                the first half of it: what is stored stays
    stop                the same, and what is stored is closed (systemctl stop)
    kill SIGNAL [WHAT]  sends it; WHAT to wait for: `exit`, or `ready`, which is the next READY=1
    status
    addresses           of its sockets, in order: HOST:PORT or unix:PATH
    limit COUNT         RLIMIT_NOFILE of the next start only
    env NAME=VALUE      in the environment of the next start only
    peek NAME           the records in the parcel stored under NAME: how many, and DATA:FDS:STATE of each, which
                        are the bytes of data, the descriptors, and the bytes in the one that is a memfd (or -)
    find NAME TEXT      in how many places TEXT stands in what `peek` counts, and in how many bytes it was looked for
    damage NAME HOW...  takes the records out, changes them, and stores them again in a parcel of its own:
        drop N | double N | swap N M           whole records, counted from 0
        flip N WHAT BYTE [BIT]                 this bit of a byte, or all of them, of its data, its state (its first
                                               memfd), or its payloads (its second); behind the last it is the last
        cut N WHAT BYTES                       so many are left
        drop-fd N INDEX                        one of its descriptors
        append                                 those of the parcel that is set aside under this name
        foreign                                at the end, a record that nobody we know has written, with a connection
    aside NAME          takes it out of the store, as if it had never been there, until
    back NAME           puts it there again

`start` to `status` answer with the state: `running PID`, `exited STATUS` or `killed SIGNAL`, or `new` before the
first start; then, for `status`, `stored` and the NAMEs. Others answer `ok` or with what they were asked for. What
could not be done is answered with `error` and why. The end of the input, SIGTERM and SIGINT stop it all.

A parcel is the receiving end of an AF_UNIX SOCK_SEQPACKET pair, with records in it.

As systemd does: stored descriptors come behind the sockets, the latest first; a socket that is stored already
is not stored twice; one that hangs up is dropped, unless it came with FDPOLL=0; when the command ends by itself
and not in failure, nothing stays stored; what is removed and stored under one name, FDSTOREREMOVE=1 and FDSTORE=1
in one notification, is only removed.
"""
import argparse
import array
import ctypes
import fcntl
import os
import resource
import select
import signal
import socket
import stat
import sys
import tempfile
import time

FIRST_FD = 3
DATAGRAM_BYTES = 4096
DATAGRAM_FDS = 253
RECORD_BYTES = 1 << 20
PR_SET_PDEATHSIG = 1
CLEAN_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
MEMFDS = ("state", "payloads")
NEW, RUNNING, EXITED, KILLED = "new", "running", "exited", "killed"


class Refusal(Exception):
    """Something that could not be done, and why."""


def receive(sock, size, most_fds):
    """One datagram or record: (data, fds). BlockingIOError when there is none."""
    room = socket.CMSG_SPACE(most_fds * array.array("i").itemsize)
    data, ancillary, _, _ = sock.recvmsg(size, room, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[:len(content) - len(content) % fds.itemsize])
    return data, list(fds)


def close_all(fds):
    for fd in fds:
        os.close(fd)


# ------------------------------------------------------------------------------------------ the sockets


def listen(address):
    """A listening socket on HOST:PORT or unix:PATH."""
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        where = address[len("unix:"):]
    else:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        where = (host, int(port))
    sock.bind(where)
    sock.listen(4096)
    return sock


def address_of(sock):
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if sock.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


# -------------------------------------------------------------------------------------------- the store


class Store:
    """Descriptors with names, the latest first."""

    def __init__(self, most):
        self.most = most
        self.entries = []  # (name, fd)
        self.aside = {}
        self.hangups = select.epoll()

    def names(self):
        return [name for name, _ in self.entries]

    def fds(self):
        return [fd for _, fd in self.entries]

    def get(self, name):
        for entry, fd in self.entries:
            if entry == name:
                return fd
        raise Refusal(f"nothing is stored as {name}")

    def _has(self, fd):
        mine = os.fstat(fd)
        return stat.S_ISSOCK(mine.st_mode) and any(os.path.samestat(mine, os.fstat(other)) for other in self.fds())

    def put(self, name, fd, poll):
        if self._has(fd) or len(self.entries) >= self.most:
            os.close(fd)
            return
        self.entries.insert(0, (name, fd))
        if poll:
            try:
                self.hangups.register(fd, select.EPOLLHUP | select.EPOLLERR)
            except PermissionError:
                pass  # a file: it never hangs up

    def replace(self, name, fd):
        """One that is there, by another."""
        at = self.names().index(name)
        old = self.entries[at][1]
        self.entries[at] = (name, fd)
        self._forget_hangup(old)
        os.close(old)

    def set_aside(self, name):
        """Without its being closed."""
        fd = self.get(name)
        self.entries.remove((name, fd))
        self._forget_hangup(fd)
        self.aside[name] = fd

    def put_back(self, name):
        if name not in self.aside:
            raise Refusal(f"nothing was set aside as {name}")
        self.entries.insert(0, (name, self.aside.pop(name)))

    def _forget_hangup(self, fd):
        try:
            self.hangups.unregister(fd)
        except FileNotFoundError:
            pass

    def _remove(self, entries):
        for name, fd in entries:
            self.entries.remove((name, fd))
            self._forget_hangup(fd)
            os.close(fd)

    def remove(self, name):
        self._remove([entry for entry in self.entries if entry[0] == name])

    def remove_all(self):
        self._remove(list(self.entries))

    def drop_hung_up(self):
        gone = {fd for fd, _ in self.hangups.poll(0)}
        self._remove([entry for entry in self.entries if entry[1] in gone])


# ------------------------------------------------------------------------------------------- the parcel


def is_memfd(fd):
    return os.readlink(f"/proc/self/fd/{fd}").startswith("/memfd:")


class Record:
    """Bytes, and the descriptors that travel with them; one may be a memfd with state."""

    def __init__(self, data, fds):
        self.data = data
        self.fds = fds

    def _memfd_index(self, number):
        memfds = [at for at, fd in enumerate(self.fds) if is_memfd(fd)]
        if number >= len(memfds):
            raise Refusal("this record has no such memfd")
        return memfds[number]

    def _content(self, at):
        return os.pread(self.fds[at], os.fstat(self.fds[at]).st_size, 0)

    def _set_content(self, at, state):
        """A sealed memfd cannot be changed: another one with the same seals takes its place."""
        old = self.fds[at]
        new = os.memfd_create("state", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with open(new, "wb", closefd=False) as file:
            file.write(state)
        os.lseek(new, os.lseek(old, 0, os.SEEK_CUR), os.SEEK_SET)
        fcntl.fcntl(new, fcntl.F_ADD_SEALS, fcntl.fcntl(old, fcntl.F_GET_SEALS))
        os.close(old)
        self.fds[at] = new

    def change(self, what, function):
        if what == "data":
            self.data = function(self.data)
        elif what in MEMFDS:
            at = self._memfd_index(MEMFDS.index(what))
            self._set_content(at, function(self._content(at)))
        else:
            raise Refusal(f"neither data, state nor payloads: {what}")

    def __str__(self):
        memfds = [fd for fd in self.fds if is_memfd(fd)]
        return f"{len(self.data)}:{len(self.fds)}:{os.fstat(memfds[0]).st_size if memfds else '-'}"


def read_memfd(fd):
    size = os.fstat(fd).st_size
    return os.pread(fd, size, 0)


def take_records(fd):
    """Everything out of the parcel behind this descriptor, which stays open."""
    records = []
    with socket.socket(fileno=os.dup(fd)) as parcel:
        if parcel.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_SEQPACKET:
            raise Refusal("this is no parcel")
        while True:
            try:
                data, fds = receive(parcel, RECORD_BYTES, DATAGRAM_FDS)
            except BlockingIOError:  # its sender still lives
                return records
            if not data and not fds:
                return records
            records.append(Record(data, fds))


def new_parcel(records):
    """The receiving end of a parcel with these records. Each descriptor is closed here."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with sender:
        sender.setblocking(False)
        for record in records:
            socket.send_fds(sender, [record.data], record.fds)
    for fd in {fd for record in records for fd in record.fds}:
        os.close(fd)
    return receiver.detach()


def flip(content, byte, bit):
    changed = bytearray(content)
    changed[min(byte, len(changed) - 1)] ^= 0xFF if bit is None else 1 << bit
    return bytes(changed)


def damage(records, how, arguments, aside):
    """Changes the list of records, and says which descriptors are left over."""
    if how == "append":
        records.extend(take_records(aside))
        return []
    if how == "foreign":
        mine, theirs = socket.socketpair()
        records.append(Record(b"\x7fELF of a stranger", [os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC), mine.detach()]))
        return [theirs.detach()]
    at = int(arguments[0])
    record = records[at]
    if how == "drop":
        return records.pop(at).fds
    if how == "double":
        records.insert(at, record)
    elif how == "swap":
        other = int(arguments[1])
        records[at], records[other] = records[other], record
    elif how == "flip":
        byte, bit = int(arguments[2]), int(arguments[3]) if len(arguments) > 3 else None
        record.change(arguments[1], lambda content: flip(content, byte, bit))
    elif how == "cut":
        record.change(arguments[1], lambda content: content[:int(arguments[2])])
    elif how == "drop-fd":
        return [record.fds.pop(int(arguments[1]))]
    else:
        raise Refusal(f"no such damage: {how}")
    return []


# ------------------------------------------------------------------------------------------ the service


class Service:
    """The command, from start to end, and what it tells."""

    def __init__(self, options, sockets, notify_path):
        self.options = options
        self.sockets = sockets  # (name, socket)
        self.store = Store(options.store_max)
        self.notify_path = notify_path
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify_path)
        self.notified = open(options.notified or os.devnull, "a", encoding="utf-8", errors="replace")
        self.log = open(options.log, "ab") if options.log else None
        self.pid = self.pidfd = None
        self.state = NEW
        self.ready = 0  # how often READY=1 came
        self.asked_to_end = False
        self.nofile = None
        self.environment = {}

    # What it tells.

    def hear(self):
        """Every notification that is there."""
        while True:
            try:
                data, fds = receive(self.notify, DATAGRAM_BYTES, DATAGRAM_FDS)
            except BlockingIOError:
                return
            fields = data.decode(errors="replace").split("\n")
            self.notified.write(" ".join(field for field in fields if field) + "\n")
            self.notified.flush()
            self._obey(fields, fds)

    def _obey(self, fields, fds):
        values = dict(field.split("=", 1) for field in fields if "=" in field)
        if values.get("FDSTOREREMOVE") == "1":
            self.store.remove(values.get("FDNAME", ""))
        elif values.get("FDSTORE") == "1":
            for fd in fds:
                self.store.put(values.get("FDNAME", "stored"), fd, values.get("FDPOLL") != "0")
            fds = []
        if values.get("READY") == "1":
            self.ready += 1
        close_all(fds)  # which is also the answer to BARRIER=1

    # Its life.

    def _become_command(self, names, fds):
        """In the child: descriptors in their places, nothing else inherited."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        out = self.log.fileno() if self.log else 2
        os.dup2(out, 1)
        os.dup2(out, 2)
        past = FIRST_FD + len(fds)
        for at, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD, past) for fd in fds]):
            os.dup2(fd, FIRST_FD + at)
        os.closerange(past, 1 << 20)
        if self.nofile is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.nofile, self.nofile))
        environment = {**os.environ, "NOTIFY_SOCKET": self.notify_path}
        if fds:
            environment.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=":".join(names))
        environment.update(self.environment)
        os.execvpe(self.options.command[0], self.options.command, environment)

    def _spawn(self):
        names = [name for name, _ in self.sockets] + self.store.names()
        fds = [sock.fileno() for _, sock in self.sockets] + self.store.fds()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become_command(names, fds)
            except OSError as error:
                print(f"supervisor: {self.options.command[0]}: {error}", file=sys.stderr)
            finally:
                os._exit(127)
        self.pidfd = os.pidfd_open(self.pid)
        self.state = RUNNING
        self.asked_to_end = False
        self.nofile = None
        self.environment = {}

    def reap(self):
        """It has ended. What it said before that is heard first."""
        self.hear()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self.pid = self.pidfd = None
        self.code = os.waitstatus_to_exitcode(status)
        self.state = EXITED if self.code >= 0 else KILLED
        if not self.asked_to_end and (self.code == 0 or -self.code in CLEAN_SIGNALS):
            self.store.remove_all()

    def pump(self, others=(), timeout=None):
        """Waits for something to happen to it, or to others; says which of those are readable."""
        watched = [self.notify, *others] + ([self.pidfd] if self.pidfd is not None else [])
        readable, _, _ = select.select(watched + [self.store.hangups], [], [], timeout)
        self.hear()
        self.store.drop_hung_up()
        if self.pidfd in readable:
            self.reap()
        return [other for other in others if other in readable]

    def _await(self, what, done):
        end = time.monotonic() + self.options.limit
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                raise Refusal(f"not {what} within {self.options.limit} s")
            self.pump(timeout=left)

    def _ended(self):
        return self.pid is None

    def start(self):
        if not self._ended():
            raise Refusal(f"it runs: {self.pid}")
        before = self.ready
        self._spawn()
        self._await("ready", lambda: self.ready > before or self._ended())

    def park(self):
        if self._ended():
            return
        self.asked_to_end = True
        os.kill(self.pid, signal.SIGTERM)
        try:
            self._await("ended", self._ended)
        except Refusal:
            os.kill(self.pid, signal.SIGKILL)
            self._await("killed", self._ended)
            raise

    def stop(self):
        try:
            self.park()
        finally:
            self.store.remove_all()

    def kill(self, number, what):
        if self._ended():
            raise Refusal("it does not run")
        before = self.ready
        os.kill(self.pid, number)
        if what == "exit":
            self._await("ended", self._ended)
        elif what == "ready":
            self._await("ready", lambda: self.ready > before or self._ended())
        elif what:
            raise Refusal(f"neither exit nor ready: {what}")

    def __str__(self):
        if self.state == RUNNING:
            return f"{RUNNING} {self.pid}"
        if self.state == EXITED:
            return f"{EXITED} {self.code}"
        if self.state == KILLED:
            return f"{KILLED} {signal.Signals(-self.code).name.removeprefix('SIG')}"
        return self.state


# ----------------------------------------------------------------------------------------- the commands


def signal_number(text):
    return int(text) if text.isdigit() else signal.Signals["SIG" + text.removeprefix("SIG")]


def restart(service):
    service.park()
    service.start()


def parked_records(service, name):
    """Not while the command runs: it would go on to put records into the parcel that was emptied."""
    if service.state == RUNNING:
        raise Refusal("it runs: park it first")
    return take_records(service.store.get(name))


def peek(service, name):
    records = parked_records(service, name)
    answer = " ".join([str(len(records)), *map(str, records)])
    service.store.replace(name, new_parcel(records))
    return answer


def find(service, name, text):
    records = parked_records(service, name)
    contents = [record.data for record in records]
    contents += [read_memfd(fd) for record in records for fd in record.fds if is_memfd(fd)]
    service.store.replace(name, new_parcel(records))
    return f"{sum(content.count(text.encode()) for content in contents)} {sum(map(len, contents))}"


def damage_stored(service, name, how, *arguments):
    records = parked_records(service, name)
    try:
        close_all(damage(records, how, arguments, service.store.aside.get(name)))
    finally:
        service.store.replace(name, new_parcel(records))
    return "ok"


def set_limit(service, count):
    service.nofile = int(count)
    return "ok"


def set_environment(service, assignment):
    name, _, value = assignment.partition("=")
    service.environment[name] = value
    return "ok"


COMMANDS = {
    "start": lambda service: service.start(),
    "restart": restart,
    "park": lambda service: service.park(),
    "stop": lambda service: service.stop(),
    "kill": lambda service, number, what=None: service.kill(signal_number(number), what),
    "status": lambda service: " ".join([str(service), "stored", *service.store.names()]),
    "addresses": lambda service: " ".join(address_of(sock) for _, sock in service.sockets),
    "limit": set_limit,
    "env": set_environment,
    "peek": peek,
    "find": find,
    "damage": damage_stored,
    "aside": lambda service, name: service.store.set_aside(name),
    "back": lambda service, name: service.store.put_back(name),
}


def answer_to(service, line):
    """None of the commands answers with more than a line; those that answer nothing mean the state."""
    words = line.split()
    try:
        if not words or words[0] not in COMMANDS:
            raise Refusal("no such command")
        return COMMANDS[words[0]](service, *words[1:]) or str(service)
    except (Refusal, OSError) as error:
        return f"error {error}"
    except (ValueError, LookupError, TypeError) as error:
        return f"error in what was given: {error}"


def serve(service):
    """Until the input ends."""
    rest = b""
    while True:
        if not service.pump(others=[sys.stdin.fileno()]):
            continue
        got = os.read(sys.stdin.fileno(), 65536)
        if not got:
            return
        *lines, rest = (rest + got).split(b"\n")
        for line in lines:
            print(answer_to(service, line.decode()), flush=True)


def read_options():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--listen", action="append", default=[])
    parser.add_argument("--store-max", type=int, default=4)
    parser.add_argument("--notified")
    parser.add_argument("--log")
    parser.add_argument("--limit", type=float, default=10)
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def make_sockets(wanted):
    sockets = []
    for want in wanted:
        name, _, address = want.rpartition("=")
        sockets.append((name or "nats", listen(address)))
    return sockets


def end(*_):
    raise SystemExit(0)


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with tempfile.TemporaryDirectory(prefix="supervisor.") as folder:
        sockets = make_sockets(options.listen)
        service = Service(options, sockets, os.path.join(folder, "notify"))
        try:
            serve(service)
        finally:
            # Once is enough.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                service.stop()
            except Refusal as error:
                print(f"supervisor: {error}", file=sys.stderr)
            for _, sock in sockets:
                if sock.family == socket.AF_UNIX:
                    os.unlink(sock.getsockname())


if __name__ == "__main__":
    main()
