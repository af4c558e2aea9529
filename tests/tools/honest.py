#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
honest.py PORT FILE [FIELDS]: a publisher and a subscriber who do nothing wrong, to be run beside others who do.
FIELDS are further ones of their CONNECTs.

Every 5 ms a message is published, with its number and the time. FILE gets the line "up" when that begins.
SIGTERM ends it; when the last message has arrived, FILE gets "COUNT WORST P99": how many there were, how many
milliseconds the slowest was on its way, and how many microseconds 99 of 100 took at most. A message lost, doubled or out of order, an error and a connection
closed end it with status 1, and so does half a minute without a message.
"""
import select
import signal
import socket
import sys
import time

EVERY_S = 0.005
LIMIT_S = 30


class Connection:
    """Messages out of a socket; what cannot be written at once is kept."""

    def __init__(self, port, hello, fields):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = b""
        self.output = b'CONNECT {"verbose":false,"pedantic":false%s}\r\n' % fields + hello + b"PING\r\n"
        self.flush()
        while b"PONG\r\n" not in self.input:
            self.read()
        self.input = b""
        self.socket.setblocking(False)

    def fileno(self):
        return self.socket.fileno()

    def flush(self):
        try:
            self.output = self.output[self.socket.send(self.output):]
        except BlockingIOError:
            pass

    def say(self, text):
        self.output += text
        self.flush()

    def read(self):
        try:
            got = self.socket.recv(1 << 16)
        except BlockingIOError:
            return
        if not got:
            sys.exit("honest: the connection was closed")
        self.input += got

    def payloads(self):
        """What the messages that are there carry. A PING is answered."""
        self.read()
        while b"\r\n" in self.input:
            line, rest = self.input.split(b"\r\n", 1)
            if line.startswith(b"MSG "):
                size = int(line.split()[-1])
                if len(rest) < size + 2:
                    return
                yield rest[:size]
                rest = rest[size + 2:]
            elif line == b"PING":
                self.say(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                sys.exit(f"honest: {line}")
            self.input = rest


def main():
    port, path = int(sys.argv[1]), sys.argv[2]
    fields = b"".join(b"," + argument.encode() for argument in sys.argv[3:])
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    subscriber = Connection(port, b"SUB honest 1\r\n", fields)
    publisher = Connection(port, b"", fields)
    both = [subscriber, publisher]
    sent = heard = 0
    times_s = []
    due = last_heard = time.monotonic()

    with open(path, "w", buffering=1, encoding="ascii") as report:
        report.write("up\n")
        while not ended or heard < sent:
            now = time.monotonic()
            if now - last_heard > LIMIT_S:
                sys.exit(f"honest: {sent} sent, {heard} heard, and then nothing for {LIMIT_S} s")
            if now >= due and not ended:
                sent += 1
                payload = f"{sent} {now}".encode()
                publisher.say(b"PUB honest %d\r\n%s\r\n" % (len(payload), payload))
                due = now + EVERY_S
            patience_s = 0.1 if ended else max(0.0, due - time.monotonic())
            ready, writable, _ = select.select(both, [c for c in both if c.output], [], patience_s)
            for connection in writable:
                connection.flush()
            for connection in ready:
                for payload in connection.payloads():
                    number, then = payload.split()
                    heard += 1
                    if int(number) != heard:
                        sys.exit(f"honest: {int(number)} came instead of {heard}")
                    last_heard = time.monotonic()
                    times_s.append(last_heard - float(then))
        times_s.sort()
        p99_s = times_s[len(times_s) * 99 // 100]
        report.write(f"{heard} {int(times_s[-1] * 1000)} {int(p99_s * 1e6)}\n")


main()
