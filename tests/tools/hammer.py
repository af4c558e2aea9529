#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# hammer.py RATE SECONDS LIMIT HOST PORT: RATE clients a second connect, for SECONDS, and each waits for its
# INFO, however long. When the last one has connected it says `waiting N`; when all were answered, or after
# LIMIT seconds more:
#
#     connects=N refused=N served=N closed=N waiting=N
#
# A refused client could not connect; one that is closed was let in, and then heard the end instead of INFO.
import errno
import resource
import selectors
import socket
import sys
import time

rate, seconds, limit = (float(word) for word in sys.argv[1:4])
address = (sys.argv[4], int(sys.argv[5]))
count = dict.fromkeys(("connects", "refused", "served", "closed", "waiting"), 0)
selector = selectors.DefaultSelector()
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def leave(client, how):
    selector.unregister(client)
    client.close()
    count[how] += 1
    count["waiting"] -= 1


def connect():
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.setblocking(False)
    error = client.connect_ex(address)
    count["connects"] += 1
    if error not in (0, errno.EINPROGRESS):
        count["refused"] += 1
        client.close()
        return
    count["waiting"] += 1
    selector.register(client, selectors.EVENT_WRITE)


def deal_with(client, events):
    if events & selectors.EVENT_WRITE:
        if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            leave(client, "refused")
        else:
            selector.modify(client, selectors.EVENT_READ)
        return
    try:
        heard = client.recv(4096)
    except OSError:
        heard = b""
    leave(client, "served" if heard.startswith(b"INFO ") else "closed")


def turn(until):
    for key, events in selector.select(max(0, until - time.monotonic())):
        deal_with(key.fileobj, events)


start = time.monotonic()
while time.monotonic() < start + seconds:
    due = start + count["connects"] / rate
    if time.monotonic() >= due:
        connect()
    else:
        turn(due)
print("waiting", count["waiting"], flush=True)
end = time.monotonic() + limit
while count["waiting"] and time.monotonic() < end:
    turn(end)
print(*(f"{key}={value}" for key, value in count.items()), flush=True)
