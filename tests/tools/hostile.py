#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
hostile.py PORT PID DEED [NUMBER...]: somebody makes it hard for the broker of that port and
process.

Prints lines "NAME VALUE": what it cost the broker, as its kernel tells. A broker that does not do
what it should ends it with a message and status 1. The deeds are the functions below that stand in
DEEDS, their numbers those functions' arguments: how many, how long. What is random is the names of
inboxes: its seed is printed, and given behind their number it is taken again.
"""
import os
import random
import resource
import select
import socket
import struct
import sys
import time

LIMIT_S = 60
HELLO = b'CONNECT {"verbose":false,"pedantic":false}\r\n'
RESET = struct.pack("ii", 1, 0)
TICKS = os.sysconf("SC_CLK_TCK")


class Broker:
    """Its address, and what the kernel knows of its process."""

    def __init__(self, port, pid):
        self.port = port
        self.proc = f"/proc/{pid}/"

    def cpu_us(self):
        with open(self.proc + "stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000000 // TICKS

    def memory(self, field="VmRSS"):
        with open(self.proc + "status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))

    def descriptors(self):
        return len(os.listdir(self.proc + "fd"))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), LIMIT_S)

    def join(self, hello=HELLO):
        sock = self.connect()
        converse(sock, hello)
        return sock


def converse(sock, text):
    """Until everything was dealt with. What is heard meanwhile comes back."""
    heard = bytearray()
    sock.sendall(text + b"PING\r\n")
    while heard.find(b"PONG\r\n", max(0, len(heard) - (1 << 17))) < 0:
        got = sock.recv(1 << 16)
        if not got:
            sys.exit(f"hostile: closed, after {bytes(heard[-200:])!r}")
        heard += got
    return heard


def await_(what, holds):
    end = time.monotonic() + LIMIT_S
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"hostile: in vain: {what}")
        time.sleep(0.01)


def tell(**values):
    for name, value in values.items():
        print(name, round(value), flush=True)


def allow_descriptors(count):
    """As many as there may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and count + 64 > most:
        sys.exit(f"hostile: {count} connections are too many for {most} descriptors")


def leave(sock, with_reset=False):
    if with_reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


# Crowds.


def silent(broker, count):
    """They connect, and say nothing."""
    allow_descriptors(count)
    before = broker.descriptors()
    cpu, memory = broker.cpu_us(), broker.memory()
    crowd = [broker.connect() for _ in range(count)]
    await_("all are let in", lambda: broker.descriptors() >= before + count)
    tell(cpu_us_each=(broker.cpu_us() - cpu) / count, bytes_each=(broker.memory() - memory) / count)
    for sock in crowd:
        leave(sock)
    await_("descriptors are given back", lambda: broker.descriptors() <= before)


def drip(broker, count, seconds):
    """Each sends one byte a second: half of them of a CONNECT, half of a message's payload."""
    allow_descriptors(count)
    before = broker.descriptors()
    crowd = []
    for number in range(count):
        sock = broker.connect()
        sock.sendall(HELLO + b"PUB drip 1000\r\n" if number % 2 else b"CONNECT {")
        crowd.append(sock)
    await_("all are let in", lambda: broker.descriptors() >= before + count)
    cpu, memory, start = broker.cpu_us(), broker.memory(), time.monotonic()
    for at in range(count * seconds):
        crowd[at % count].send(b" ")
        time.sleep(max(0, start + at / count - time.monotonic()))
    tell(cpu_us_each=(broker.cpu_us() - cpu) / (count * seconds),
         bytes_each=(broker.memory() - memory) / count)
    for sock in crowd:
        leave(sock)
    await_("descriptors are given back", lambda: broker.descriptors() <= before)


def reset(broker, count):
    """They come and go, as fast as can be, with a RST."""
    before = broker.descriptors()
    cpu, memory = broker.cpu_us(), broker.memory()
    for _ in range(count):
        leave(broker.connect(), with_reset=True)
    await_("descriptors are given back", lambda: broker.descriptors() <= before)
    tell(cpu_us_each=(broker.cpu_us() - cpu) / count, bytes_more=broker.memory() - memory)


# Receivers and publishers.


def stuck(broker, seconds, reads):
    """Somebody publishes all the time to one who reads, or does not. Every half second another
    one takes his place: by then he has as much waiting as he may, or is cut off."""
    publisher, receiver = broker.join(), None
    message = b"PUB flood 3000\r\n" + b"x" * 3000 + b"\r\n"
    now, end, due, rest = 0, time.monotonic() + seconds, 0, b""
    publisher.setblocking(False)
    while now < end:
        now = time.monotonic()
        if now >= due:
            if receiver:
                leave(receiver)
            receiver = broker.join(HELLO + b"SUB flood 1\r\n")
            receiver.setblocking(False)
            due = now + 0.5
        rest = send_some(publisher, rest or message * 20)
        if reads:
            read_some(receiver)
        # Some 60 MB a second, so that there is something left for the others in any case.
        time.sleep(0.001)


def send_some(sock, text):
    try:
        return text[sock.send(text):]
    except BlockingIOError:
        return text


def read_some(sock):
    try:
        while sock.recv(1 << 20):
            pass
    except BlockingIOError:
        pass


def is_gone(sock):
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP | select.POLLHUP)
    return bool(poll.poll(0))


def producers(broker, count, seconds):
    """All of them publish as fast as they can, to one who reads 5 MB a second."""
    before = broker.memory()
    crowd = [broker.join() for _ in range(count)]
    message = b"PUB flood 1000\r\n" + b"x" * 1000 + b"\r\n"
    rests = dict.fromkeys(crowd, b"")
    receiver, sent, heard, most, start = None, 0, 0, 0, time.monotonic()
    for sock in crowd:
        sock.setblocking(False)
    while time.monotonic() < start + seconds:
        if not receiver:
            receiver = broker.join(HELLO + b"SUB flood 1\r\n")
            receiver.setblocking(False)
        for sock, rest in rests.items():
            rests[sock] = send_some(sock, rest or message * 100)
            sent += len(rest or message * 100) - len(rests[sock])
        if heard < (time.monotonic() - start) * 5e6:
            try:
                heard += len(receiver.recv(1 << 18))
            except BlockingIOError:
                pass
            except ConnectionError:
                receiver = None
        if receiver and is_gone(receiver):
            receiver = None
        most = max(most, broker.memory())
    tell(sent=sent, heard=heard, bytes_more=most - before)


# One who has, or says, too much.


def subscribe(broker, count, line):
    """Returns who has the subscriptions."""
    text = b"".join(line(number) for number in range(count))
    sock = broker.join()
    cpu, memory = broker.cpu_us(), broker.memory()
    converse(sock, text)
    tell(cpu_ns_each=(broker.cpu_us() - cpu) * 1000 / count,
         bytes_each=(broker.memory() - memory) / count)
    return sock


def literal(number):
    return b"SUB many.%d %d\r\n" % (number, number)


def million(broker, count):
    """Subscriptions; then he has gone."""
    leave(subscribe(broker, count, literal))


def unsubscribe(broker, count):
    """Subscriptions; then he ends them all, one by one."""
    sock = subscribe(broker, count, literal)
    cpu = broker.cpu_us()
    converse(sock, b"".join(b"UNSUB %d\r\n" % number for number in range(count)))
    tell(cpu_ns_unsub=(broker.cpu_us() - cpu) * 1000 / count)


def come_and_go(broker, connections, count, seconds):
    """Each subscribes, goes as soon as all of it has been read, and comes again."""
    text = HELLO + b"".join(b"SUB many.%08d %d\r\n" % (number, number) for number in range(count))
    opened, end = 0, time.monotonic() + seconds
    poll = select.poll()
    crowd = {}

    def come():
        sock = broker.connect()
        sock.setblocking(False)
        crowd[sock.fileno()] = [sock, memoryview(text + b"PING\r\n")]
        poll.register(sock, select.POLLOUT)

    for _ in range(connections):
        come()
    while time.monotonic() < end:
        for fd, _ in poll.poll(100):
            sock, rest = crowd[fd]
            try:
                if rest:
                    crowd[fd][1] = rest = rest[sock.send(rest[:1 << 18]):]
                    poll.modify(fd, select.POLLOUT if rest else select.POLLIN)
                    continue
                heard = sock.recv(4096)
                if heard and b"PONG" not in heard:
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass  # closed
            poll.unregister(fd)
            del crowd[fd]
            sock.close()
            come()
            opened += 1
    for sock, _ in crowd.values():
        leave(sock)
    tell(opened=opened, bytes_most=broker.memory("VmHWM"))


def move(broker, count):
    """Subscriptions; then he goes to another account, where he hears nothing by them."""
    sock = subscribe(broker, count, literal)
    mover = b'CONNECT {"verbose":false,"user":"other","pass":"x"}\r\n'
    heard = converse(sock, mover + b"PUB many.1 2\r\nhi\r\nSUB many.2 1\r\nPUB many.2 2\r\nhi\r\n")
    if heard != b"MSG many.2 1 2\r\nhi\r\nPONG\r\n":
        sys.exit(f"hostile: heard {bytes(heard)} in the other account")
    leave(sock)


def hold(broker, count):
    """Subscriptions; he stays until he is told to go."""
    sock = subscribe(broker, count, literal)
    tell(ready=1)
    sys.stdin.readline()
    converse(sock, b"")
    leave(sock)


def long_subjects(broker, count):
    """Patterns of as many tokens as a line holds, all alike up to the last token; messages match
    all of them."""
    sock = subscribe(broker, count, lambda number: b"SUB %s.n%d.> %d\r\n" % (
        b".".join([b"*"] * 1000 + [b"a"] * 1000), number, number))
    publisher = broker.join()
    cpu, times = broker.cpu_us(), 2000
    subject = b".".join([b"a"] * 2000)
    for _ in range(times // 100):
        converse(publisher, b"PUB %s.none.b 0\r\n\r\n" % subject * 100)
    tell(cpu_us_message=(broker.cpu_us() - cpu) / times)
    leave(sock)


def everything(broker, count):
    """Subscribed to by as many, and a message takes no longer for it than for each of them."""
    before = broker.memory()
    crowd = [broker.join(HELLO + b"SUB > 1\r\n") for _ in range(count)]
    publisher = broker.join()
    times = 100
    cpu = broker.cpu_us()
    converse(publisher, b"".join(b"PUB a.%d.b 0\r\n\r\n" % number for number in range(times)))
    tell(cpu_ns_copy=(broker.cpu_us() - cpu) * 1000 / times / count,
         bytes_more=broker.memory() - before)
    for sock in crowd:
        leave(sock)


def branches(broker, levels, more):
    """Patterns that branch at each of so many levels, and then go on for so many more tokens: a
    message visits each of their nodes."""
    chain = b".".join([b"*"] * more)
    sock = subscribe(broker, 1 << levels, lambda number: b"SUB %s.%s.none %d\r\n" % (
        b".".join(b"*" if number >> at & 1 else b"a" for at in range(levels)), chain, number))
    publisher = broker.join()
    subject = b".".join([b"a"] * (levels + more + 1))
    nodes = (1 << levels) * (more + 2)
    cpu, times = broker.cpu_us(), 20
    for _ in range(times):
        converse(publisher, b"PUB %s 0\r\n\r\n" % subject)
    tell(cpu_ns_node=(broker.cpu_us() - cpu) * 1000 / times / nodes)
    leave(sock)


def group(broker, members, messages):
    """One group, all of whose members are one client's; then he publishes to it himself and
    wants no echo."""
    text = [b"SUB group queue %d\r\n" % number for number in range(members)]
    sock = broker.join(HELLO.replace(b"{", b'{"echo":false,'))
    before = broker.memory()
    converse(sock, b"".join(text))
    tell(bytes_each=(broker.memory() - before) / members)
    publisher = broker.join()
    cpu = broker.cpu_us()
    converse(publisher, b"PUB group 0\r\n\r\n" * messages)
    tell(cpu_ns_message=(broker.cpu_us() - cpu) * 1000 / messages)
    converse(sock, b"PING\r\n")
    cpu, few = broker.cpu_us(), 100
    converse(sock, b"PUB group 0\r\n\r\n" * few)
    tell(cpu_ns_member=(broker.cpu_us() - cpu) * 1000 / few / members)
    leave(sock)


def inboxes(broker, count, seed=None):
    """Each is made, gets one answer, and is dropped."""
    seed = random.randrange(1 << 32) if seed is None else seed
    print("seed", seed, flush=True)
    chance = random.Random(seed)
    sock = broker.join()
    text = []
    for number in range(count):
        inbox = b"_INBOX.%016x" % chance.randrange(1 << 64)
        text.append(b"SUB %s %d\r\nUNSUB %d 1\r\nPUB %s 2\r\nhi\r\n" % (
            inbox, number, number, inbox))
    batches = [b"".join(text[at:at + 1000]) for at in range(0, count, 1000)]
    converse(sock, batches[0])
    cpu, memory = broker.cpu_us(), broker.memory()
    heard = sum(converse(sock, batch).count(b"MSG ") for batch in batches[1:])
    if heard != count - 1000:
        sys.exit(f"hostile: {heard} answers instead of {count - 1000}")
    tell(cpu_ns_each=(broker.cpu_us() - cpu) * 1000 / heard, bytes_more=broker.memory() - memory)


# Floods.

# Operations, their answers, errors that leave a connection open, and others.
FLOODS = [
    b"PING\r\n",
    b"\r\n",
    b"+OK\r\n",
    b"SUB\r\n",
    b"PUB a..b 0\r\n\r\n",
    b"SUB a..b 1\r\n",
    b'CONNECT {"verbose":true}\r\n',
    b"INFO {%s}\r\n" % (b'"a":1,' * 600 + b'"b":2'),
    b"PUB nobody 0\r\n\r\n",
    b"HPUB nobody 12 12\r\nNATS/1.0\r\n\r\n\r\n",
]


def flood(broker, which, megabytes):
    """So much of one thing, by one who does not read; if he is cut off he comes again."""
    before, cpu, most = broker.memory(), broker.cpu_us(), 0
    text = FLOODS[which] * ((1 << 20) // len(FLOODS[which]))
    sock, sent = None, 0
    verbose = HELLO.replace(b'"verbose":false,"pedantic":false', b'"verbose":true,"pedantic":true')
    while sent < megabytes << 20:
        try:
            if not sock:
                sock = broker.connect()
                sock.sendall(verbose)
            sent += sock.send(text)
        except ConnectionError:
            sent += 1 << 16
            sock = None
        most = max(most, broker.memory())
    tell(cpu_ns_byte=(broker.cpu_us() - cpu) * 1000 / sent, bytes_more=most - before)


def garbage(broker, count):
    """Each says something that nobody understands."""
    cpu, before = broker.cpu_us(), broker.memory()
    for _ in range(count):
        sock = broker.connect()
        sock.sendall(b"garbage\r\n")
        while sock.recv(4096):
            pass
        sock.close()
    tell(cpu_us_each=(broker.cpu_us() - cpu) / count, bytes_more=broker.memory() - before)


DEEDS = {deed.__name__: deed for deed in (
    silent, drip, reset, stuck, producers, million, unsubscribe, come_and_go, move, hold,
    long_subjects, everything, branches, group, inboxes, flood, garbage)}


def main(port, pid, deed, *numbers):
    DEEDS[deed](Broker(int(port), int(pid)), *map(int, numbers))


if __name__ == "__main__":
    main(*sys.argv[1:])
