#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
stuck.py PORT COUNT SUBJECT SHARE: subscribers that do not read, until standard input ends.

Each has a sid of its own, unless SHARE is "shared": then all have the same, and the broker may share what it queues
for them. Their sockets hold as little as can be, so that it is the broker that has to. "up" is said when all of them
have subscribed; when standard input ends, how many of the connections the broker has closed.
"""
import socket
import sys

LIMIT_S = 20


def join(port, subject, sid):
    connection = socket.socket()
    connection.settimeout(LIMIT_S)
    # Before the connection is made: then its window never grows.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(b'CONNECT {"verbose":false}\r\nSUB %s %d\r\nPING\r\n' % (subject.encode(), sid))
    heard = b""
    while not heard.endswith(b"PONG\r\n"):
        got = connection.recv(4096)
        if not got:
            sys.exit("stuck: closed before it had subscribed")
        heard += got
    return connection


def is_closed(connection):
    """What had been sent comes first; more than that does not."""
    connection.settimeout(0.5)
    try:
        while connection.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def main():
    port, count, subject, share = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    sids = [7 if share == "shared" else number + 10 for number in range(count)]
    crowd = [join(port, subject, sid) for sid in sids]
    print("up", flush=True)
    sys.stdin.read()
    print(sum(is_closed(connection) for connection in crowd), flush=True)


main()
