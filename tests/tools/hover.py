#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# hover.py SECONDS IDLE_MS HOST PORT: one client after another comes just when the broker ends for want of
# clients. The pause between two of them is shortened a little when the next broker answered and lengthened
# when the same one still did, so that it stays around that moment. On a slow machine it takes up to five times
# the SECONDS, until there were five of each kind. Says
#
#     served=N same=N next=N
#
# and fails if one of them was refused or not answered.
import json
import socket
import sys
import time

seconds, idle_ms = (float(word) for word in sys.argv[1:3])
address = (sys.argv[3], int(sys.argv[4]))


def ask():
    """The broker's id. It has let us in as a client: it answers."""
    with socket.create_connection(address, timeout=30) as client, client.makefile("rb") as lines:
        info = lines.readline()
        client.sendall(b"PING\r\n")
        answer = lines.readline()
        if not info.startswith(b"INFO ") or answer != b"PONG\r\n":
            sys.exit(f"heard {info!r} and {answer!r}")
        return json.loads(info[5:])["server_id"]


count = {"served": 0, "same": 0, "next": 0}
pause_ms = idle_ms
last = ask()
start = time.monotonic()
while time.monotonic() < start + seconds or (
    min(count["same"], count["next"]) < 5 and time.monotonic() < start + 5 * seconds
):
    time.sleep(pause_ms / 1000)
    this = ask()
    count["served"] += 1
    count["same" if this == last else "next"] += 1
    pause_ms += idle_ms / 200 if this == last else -idle_ms / 200
    last = this
print(*(f"{key}={value}" for key, value in count.items()))
