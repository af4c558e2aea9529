# SPDX-License-Identifier: MIT
"""The wire: a connection to the broker that hands out each message; the texts of operations."""
import asyncio
import collections
import socket
import struct

QUIET = b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n'
SURROUNDINGS = 400  # of what is wrong, shown


class Broken(Exception):
    """A promise that was not kept."""


def pub(subject, payload, reply=b""):
    return b"PUB %s %s%d\r\n%s\r\n" % (subject, reply and reply + b" ", len(payload), payload)


def sub(subject, sid, queue=b""):
    return b"SUB %s %s%s\r\n" % (subject, queue and queue + b" ", sid)


async def open_socket(address, receive_bytes=None):
    """To HOST:PORT or unix:PATH. What the kernel keeps for us can be chosen now only."""
    is_local = address.startswith("unix:")
    sock = socket.socket(socket.AF_UNIX if is_local else socket.AF_INET)
    sock.setblocking(False)
    if receive_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    host, _, port = address.rpartition(":")
    try:
        while True:
            try:
                where = address.removeprefix("unix:") if is_local else (host, int(port))
                await asyncio.get_running_loop().sock_connect(sock, where)
                return sock
            except BlockingIOError:  # a Unix socket whose backlog is full
                await asyncio.sleep(0.05)
    except BaseException:
        sock.close()
        raise


def reset_on_close(sock):
    """Its close is an RST, where there is such a thing."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Connection(asyncio.Protocol):
    """Answers PING; who derives from it has heard() for each message, lost() for the end."""

    def __init__(self, name):
        self.name = name
        self.transport = None
        self.rest = b""
        self.pongs_due = collections.deque()  # a function for each PING that we sent
        self.ended = asyncio.Event()
        self.is_over = False  # the end was ours

    async def connect(self, address):
        self.__init_connection()
        sock = await open_socket(address)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=sock)
        self.transport.write(QUIET)

    def __init_connection(self):
        self.rest = b""
        self.pongs_due.clear()
        self.ended.clear()

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        self.ended.set()
        if not self.is_over:
            self.lost(exc)

    def write(self, text):
        self.transport.write(text)

    def ping(self, then):
        """Calls `then` when all before it was answered."""
        self.pongs_due.append(then)
        self.transport.write(b"PING\r\n")

    async def fence(self):
        done = asyncio.get_running_loop().create_future()
        self.ping(lambda: done.done() or done.set_result(None))
        await done

    def close(self):
        self.is_over = True
        if self.transport:
            self.transport.abort()

    def data_received(self, data):
        if self.rest:
            data = self.rest + data
        at = 0
        while (end := data.find(b"\r\n", at)) >= 0:
            if data.startswith(b"MSG ", at):
                words = data[at + 4:end].split(b" ")
                stop = end + 2 + int(words[-1])
                if stop + 2 > len(data):
                    break
                self.heard(words, data[end + 2:stop])
                if data[stop:stop + 2] != b"\r\n":
                    raise Broken(f"{self.name}: no end behind a message: "
                                 f"{data[at:stop + 2][:SURROUNDINGS]}")
                at = stop + 2
            else:
                self._heard_other(data[at:end])
                at = end + 2
        self.rest = data[at:]

    def _heard_other(self, line):
        if line == b"PING":
            self.transport.write(b"PONG\r\n")
        elif line == b"PONG" and self.pongs_due:
            self.pongs_due.popleft()()
        elif not line.startswith(b"INFO {"):
            raise Broken(f"{self.name} heard {line[:SURROUNDINGS]}")

    def heard(self, words, payload):
        raise NotImplementedError

    def lost(self, exc):
        raise NotImplementedError
