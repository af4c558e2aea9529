#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
guess.py PORT RATE SECONDS: so many connections a second from 127.0.0.1, each with a wrong password for joe.

Meanwhile somebody who knows it, sesame, connects from 127.0.0.2 every second. Prints "TRIED SLOWEST": how many
wrong ones there were, and in how many milliseconds the slowest of the right ones was let in; one that was not
ends it with status 1. Wrong ones wait for their answer as long as they like.
"""
import selectors
import socket
import sys
import time

HONEST_LIMIT_S = 10


def connect(port, source, password):
    sock = socket.create_connection(("127.0.0.1", port), HONEST_LIMIT_S, (source, 0))
    sock.sendall(b'CONNECT {"verbose":false,"user":"joe","pass":"%s"}\r\nPING\r\n' % password)
    return sock


def log_in(port):
    """The milliseconds that it takes."""
    start = time.monotonic()
    with connect(port, "127.0.0.2", b"sesame") as sock:
        heard = b""
        while b"PONG\r\n" not in heard:
            got = sock.recv(4096)
            if not got or b"-ERR" in heard:
                sys.exit(f"guess: who knows the password is not let in: {heard!r}")
            heard += got
    return (time.monotonic() - start) * 1000


class Guesses:
    def __init__(self, port):
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.count = 0

    def add(self):
        sock = connect(self.port, "127.0.0.1", b"guess%d" % self.count)
        sock.setblocking(False)
        self.selector.register(sock, selectors.EVENT_READ)
        self.count += 1

    def listen(self, seconds):
        for key, _ in self.selector.select(max(seconds, 0)):
            try:
                heard = key.fileobj.recv(4096)
            except ConnectionError:
                heard = b""
            if b"PONG" in heard:
                sys.exit("guess: a wrong password was good")
            if not heard:
                self.selector.unregister(key.fileobj)
                key.fileobj.close()


def main(port, rate, seconds):
    guesses = Guesses(port)
    slowest = 0
    start = time.monotonic()
    next_login = start + 0.5
    while time.monotonic() < start + seconds:
        if time.monotonic() >= next_login:
            next_login += 1
            slowest = max(slowest, log_in(port))
        due = start + guesses.count / rate
        if time.monotonic() >= due:
            guesses.add()
        else:
            guesses.listen(min(due, next_login) - time.monotonic())
    print(guesses.count, round(slowest))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
