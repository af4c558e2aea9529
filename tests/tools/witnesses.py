#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
witnesses.py PORT COUNT: so many clients, who notice whether anything happens to them.

Each has a subscription of its own, and has begun to publish to it. Answers each line of its standard input with
one line:

    check   each says the rest, and begins anew: `open RANGES closed RANGES wrong RANGES`, as 0-4,7 or -. Closed
            is who sees the end, and not a byte before it; wrong is who hears anything but its own message
    renew   whoever is not open is replaced by a new client: `ok`

The numbers of the clients are in the order in which they came.
"""
import socket
import sys

LIMIT_S = 20


class Client:
    def __init__(self, port, number):
        self.subject = b"crowd.%d" % number
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        # It sends no CONNECT: nobody asks for a PONG, and each operation is acknowledged.
        self.say(b"SUB %s 1\r\nPUB %s " % (self.subject, self.subject))
        self.is_good = self._line().startswith(b"INFO ") and self._line() == b"+OK"
        self.answer = [b"+OK", b"MSG %s 1 2" % self.subject, b"hi"]

    def say(self, text):
        try:
            self.socket.sendall(text)
        except OSError:
            pass  # the end will be seen

    def _line(self):
        """None: the end came first."""
        while b"\n" not in self.rest:
            try:
                got = self.socket.recv(1 << 16)
            except ConnectionError:
                got = b""
            if not got:
                return None
            self.rest += got
        line, self.rest = self.rest.split(b"\n", 1)
        return line.rstrip(b"\r")

    def go_on(self):
        self.say(b"2\r\nhi\r\nPING\r\nPUB %s " % self.subject)

    def check(self):
        heard = []
        while (line := self._line()) is not None:
            if line == b"PONG":
                return "open" if sorted(heard) == sorted(self.answer) else "wrong"
            heard.append(line)
        return "wrong" if heard or self.rest else "closed"


def ranges(numbers):
    text, start = [], None
    for number, following in zip(numbers, [*numbers[1:], None]):
        start = number if start is None else start
        if following != number + 1:
            text.append(f"{start}-{number}" if start != number else f"{number}")
            start = None
    return ",".join(text) or "-"


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    clients = [Client(port, number) for number in range(count)]
    if not all(client.is_good for client in clients):
        sys.exit("witnesses: not all were welcome")
    print("up", flush=True)
    for line in sys.stdin:
        if line.strip() == "check":
            for client in clients:
                client.go_on()
            states = [client.check() for client in clients]
            print(*(f"{state} {ranges([n for n, s in enumerate(states) if s == state])}"
                    for state in ("open", "closed", "wrong")), flush=True)
            gone = [number for number, state in enumerate(states) if state != "open"]
        elif line.strip() == "renew":
            for number in gone:
                clients[number].socket.close()
                clients[number] = Client(port, number)
            print("ok" if all(client.is_good for client in clients) else "error", flush=True)


main()
