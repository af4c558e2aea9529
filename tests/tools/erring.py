#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
erring.py PORT COUNT: so many clients, one after another, who say what is no operation and are closed for it.

Ends with status 1 if one of them hears something else than INFO, -ERR and the end of the connection.
"""
import socket
import sys

LIMIT_S = 30


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        heard = b""
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as client:
            client.sendall(b"BOGUS\r\n")
            while got := client.recv(1 << 16):
                heard += got
        if not heard.startswith(b"INFO ") or not heard.endswith(b"\r\n-ERR 'Unknown Protocol Operation'\r\n"):
            sys.exit(f"erring: client {number} heard {heard}")


main()
