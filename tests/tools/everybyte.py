#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
everybyte.py WAY COMMAND...: a conversation of two clients, held again and again with a broker that is handed over
after a part of it: after the first byte, after the second, and so on to the last. Both must hear the same bytes as
without; only the numbers of the clients are others.

WAY is `exec`, where the broker replaces itself on SIGALRM, or `restart`, where supervisor.py starts it anew.
COMMAND is given the options that it needs to listen. Prints how many hand-overs there were; what differs ends
it with status 1.
"""
import re
import signal
import socket
import subprocess
import sys
import tempfile
import types

import supervisor

LIMIT_S = 20
FILLING = 5000  # of the large payload; only its ends are cut
FILLED_ENDS = 3

LARGE = b"x" * FILLING
A, B = 0, 1
SCRIPT = [
    (A, b'CONNECT {"verbose":false,"headers":true,"no_responders":true,"protocol":1,"name":"a"}\r\nPING\r\n'),
    (B, b'CONNECT {"headers":true,"echo":false}\r\nSUB s.* 1\r\nSUB \t s.q  g 2 \r\nUNSUB 2 2\r\nSUB b.> 3\nPONG\r\n'),
    (A, b"SUB i.* 9\r\nUNSUB 9 4\r\nPUB s.a 5\r\nhello\r\nPUB s.a i.1 0\r\n\r\n"),
    (A, b"HPUB s.a i.2 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPUB s.q 1\r\n1\r\nPUB none i.3 3\r\nwho\r\n"),
    (B, b"PUB i.1 2\r\nok\r\nSUB a..b 7\r\nPUB i.1 2\r\n\r\n\r\nPUB s.a 4\r\necho\r\n"),
    (A, b"PUB b.c.d %d\r\n%s\r\nPUB s.q 1\r\n2\r\nPUB s.q 1\r\n3\r\n" % (FILLING, LARGE)),
    (B, b"UNSUB 1\r\nHPUB i.2 17 18\r\nNATS/1.0\r\nA:b\r\n\r\n!\r\nPUB i.last 1\r\n4\r\nPUB i.late 0\r\n\r\nPING\r\n"),
    (A, b"PUB s.a 4\r\nlate\r\nPUB b.e 0\r\n\r\nPING\r\n"),
    (B, b"PING\r\n"),
]
TEXT = b"".join(text for _, text in SCRIPT)
PONGS = [sum(text.count(b"PING\r\n") for who, text in SCRIPT if who == one) for one in (A, B)]


class Alone:
    """A broker that has nobody but itself."""

    def __init__(self, command, folder):
        self.process = subprocess.Popen([*command, "-a", "127.0.0.1", "-p", "-1"], cwd=folder, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        self.port = int(re.search(rb"127\.0\.0\.1:(\d+)", self._log_until(b"Server is ready"))[1])

    def _log_until(self, text):
        log = b""
        for line in self.process.stderr:
            log += line
            if text in line:
                return log
        sys.exit(f"everybyte: the broker ended, saying: {log.decode()}")

    def hand_over(self):
        self.process.send_signal(signal.SIGALRM)
        log = self._log_until(b"Server is ready")
        if not re.search(rb"Took over 3 connections .*; 0 were lost", log):
            sys.exit(f"everybyte: {log.decode()}")

    def end(self):
        self.process.terminate()
        self.process.stderr.read()
        return self.process.wait() == 0


class Supervised:
    """A broker under supervisor.py."""

    def __init__(self, command, folder):
        options = types.SimpleNamespace(command=command, store_max=4, notified=None, log=f"{folder}/log", limit=LIMIT_S)
        listener = supervisor.listen("127.0.0.1:0")
        self.port = listener.getsockname()[1]
        self.service = supervisor.Service(options, [("nats", listener)], f"{folder}/notify")
        self.service.start()

    def hand_over(self):
        supervisor.restart(self.service)

    def end(self):
        self.service.stop()
        return str(self.service) == "exited 0"


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard = b""
        self.until(lambda heard: heard.endswith(b"\r\n"))

    def say(self, text):
        if text:
            self.socket.sendall(text)

    def until(self, done):
        while not done(self.heard):
            try:
                got = self.socket.recv(1 << 16)
            except OSError as error:
                got = f"<{error}>".encode()
                self.heard += got
                return
            if not got:
                self.heard += b"<end>"
                return
            self.heard += got
        assert len(self.heard) < 1 << 20

    def fence(self):
        """All that others have said before was read by the broker."""
        self.heard = b""
        self.say(b"PING\r\n")
        self.until(lambda heard: b"PONG\r\n" in heard)

    def close(self):
        self.socket.close()


def converse(broker, cut):
    """What the two hear when the broker is handed over behind so many bytes; None: it is not."""
    clients = [Client(broker.port), Client(broker.port)]
    fence = Client(broker.port)
    at = 0
    for who, text in SCRIPT:
        if cut is not None and at <= cut < at + len(text):
            clients[who].say(text[:cut - at])
            fence.fence()
            broker.hand_over()
            text, at = text[cut - at:], cut
        clients[who].say(text)
        fence.fence()
        at += len(text)
    for client, pongs in zip(clients, PONGS):
        client.until(lambda heard, pongs=pongs: heard.count(b"PONG\r\n") >= pongs)
    for client in [*clients, fence]:
        client.close()
    # Nobody knows when a PING comes to measure the round trip.
    return [re.sub(rb'"client_id":\d+', b"", client.heard).replace(b"\r\nPING\r\n", b"\r\n") for client in clients]


def shorten(heard):
    return heard.replace(LARGE, b"<%d x>" % FILLING)


def cuts():
    start = TEXT.index(LARGE)
    for cut in range(0, len(TEXT)):
        inside = start + FILLED_ENDS < cut < start + FILLING - FILLED_ENDS and cut != start + FILLING // 2
        if not inside:
            yield cut


def main():
    way, command = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="everybyte.") as folder:
        broker = {"exec": Alone, "restart": Supervised}[way](command, folder)
        expected = converse(broker, None)
        if any(heard.endswith(b">") for heard in expected):
            sys.exit(f"everybyte: without a hand-over: {[shorten(heard) for heard in expected]}")
        count = 0
        for cut in cuts():
            heard = converse(broker, cut)
            count += 1
            if heard != expected:
                print(f"behind byte {cut}, {TEXT[max(0, cut - 30):cut]}:")
                for name, now, then in zip("ab", heard, expected):
                    print(f"{name} heard {shorten(now)}\n instead of {shorten(then)}")
                broker.end()
                sys.exit(1)
        print(count)
        if not broker.end():
            sys.exit("everybyte: the broker did not end well")


main()
