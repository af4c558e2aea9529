# SPDX-License-Identifier: MIT
"""
Brokers that hold the same conversation side by side, and what their clients hear.

A step ends when the broker has answered a PING behind it, or hung up. In the end each client closes
its side and hears the rest. Then a witness, who was there all the time, must still be served.
"""
import json
import os
import re
import socket
import subprocess
import time

from conversation import Speech

LIMIT_S = 10  # nothing that must happen takes longer
PAUSE_S = 0.001  # between segments, so that they arrive apart
LARGE = 1 << 14
HEARD_MAX = 64 << 20
SILENCE = b"<silence>"
MESSAGE = re.compile(rb"(H?MSG) (\S+) (\S+) (.*)\r\n", re.S)


class Broker:
    """One process; folder is its own."""

    def __init__(self, program, folder, configuration):
        os.mkdir(folder)
        self.program, self.log = program, f"{folder}/log"
        options = ["-c", configuration] if configuration else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program, *options, "-a", "127.0.0.1", "-p", "-1"],
                                            cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        self.port = self._await_port()
        self.witness = Witness(self.port, configuration)

    def read_log(self):
        with open(self.log, "rb") as log:
            return log.read()

    def _await_port(self):
        end = time.monotonic() + LIMIT_S * 2
        while time.monotonic() < end and self.process.poll() is None:
            log = self.read_log()
            found = re.search(rb"client connections on 127\.0\.0\.1:(\d+)", log)
            if found and b"Server is ready" in log:
                return int(found[1])
            time.sleep(0.01)
        self.process.kill()
        raise SystemExit(f"{self.program} did not start:\n{self.read_log().decode()}")

    def stop(self):
        """Its exit status; -1: it had to be killed."""
        self.witness.socket.close()
        self.process.terminate()
        try:
            return self.process.wait(LIMIT_S * 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -1


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes, self.ops, self.over, self.pongs, self.fences = b"", [], False, 0, []
        self.speech, self.has_said = Speech(), False
        self.listen(lambda: self.ops)

    def say(self, text):
        self.has_said |= text != b""
        try:
            self.socket.sendall(text)
        except OSError:
            pass  # it has hung up: that is heard

    def hear(self):
        try:
            got = self.socket.recv(1 << 18)
        except socket.timeout:
            got = b""
            self.ops.append(SILENCE)
        except OSError:
            got = b""
        self.over = not got or len(self.bytes) > HEARD_MAX
        self.bytes += got
        found, self.bytes = split_operations(self.bytes)
        self.pongs += sum(op == b"PONG\r\n" for op in found)
        self.ops += found

    def listen(self, done):
        while not self.over and not done():
            self.hear()

    def fence(self):
        """Has heard the answer to a PING that nobody sees."""
        self.listen(lambda: self.pongs > self.speech.pings + len(self.fences))
        if not self.over:
            last = len(self.ops) - 1 - self.ops[::-1].index(b"PONG\r\n")
            self.fences.append(last)

    def catch_up(self):
        """Hears all that was said to it so far."""
        if self.has_said and not self.over and not self.speech.rest():
            self.say(b"PING\r\n")
            self.fence()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.listen(lambda: False)
        self.socket.close()

    def heard(self):
        """All operations, and that the last one is not whole."""
        ops = [op for at, op in enumerate(self.ops) if at not in self.fences and op != b"PING\r\n"]
        return ops + ([self.bytes] if self.bytes else [])


class Witness(Client):
    """Who has nothing to do with it, and must be served all the same."""

    def __init__(self, port, configuration):
        super().__init__(port)
        with open(configuration or os.devnull, encoding="utf-8") as file:
            login = re.search(r"^# witness: (.*)", file.read(), re.M)
        connect = {"verbose": False, "pedantic": False, **json.loads(login[1] if login else "{}")}
        self.say(b"CONNECT %s\r\nSUB the.witness 1\r\n" % json.dumps(connect).encode())

    def is_served(self):
        self.ops, self.pongs = [], 0
        self.say(b"PUB the.witness 2\r\nhi\r\nPING\r\n")
        self.listen(lambda: self.pongs)
        if b"PING\r\n" in self.ops:
            self.say(b"PONG\r\n")
        return b"MSG the.witness 1 2\r\nhi\r\n" in self.ops


def operation_length(text, at):
    """Of the operation that starts there; 0: it is not all there."""
    end = text.find(b"\n", at) + 1
    if not end:
        return 0
    if text.startswith((b"MSG ", b"HMSG "), at):
        size = text[at:end].split()[-1]
        length = end - at + (int(size) if size.isdigit() else 0) + 2
        return length if len(text) >= at + length else 0
    return end - at


def split_operations(text):
    found, at = [], 0
    while at < len(text) and (length := operation_length(text, at)):
        found.append(text[at:at + length])
        at += length
    return found, text[at:]


def sort_receivers(ops):
    """In which order the subscriptions of one client get one message is nobody's business."""
    out, run, same = [], [], None
    for op in [*ops, b""]:
        parts = MESSAGE.match(op)
        message = parts and (parts[1], parts[2], parts[4], op[parts.end():])
        if message != same or not message:
            out += sorted(run)
            run = []
        same = message
        run.append(op)
    return out + run[:-1]


def add_totals(heard):
    """Who of a group got a message is chance: the messages of all, without their sids."""
    rest = {who: [op for op in ops if not MESSAGE.match(op)] for who, ops in heard.items()}
    messages = [op for ops in heard.values() for op in ops if MESSAGE.match(op)]
    return {**rest, "all": sorted(MESSAGE.sub(rb"\1 \2 ? \4\r\n", op) for op in messages)}


def read_info(op):
    try:
        return json.loads(op[5:])
    except ValueError:
        return {"unreadable": op.decode(errors="replace")}


def hold(conversation, brokers):
    """What each client hears, for each broker."""
    places = [{} for _ in brokers]
    for step in conversation.steps:
        for broker, place in zip(brokers, places):
            if step.who not in place:
                place[step.who] = Client(broker.port)
        take_step(step, [place[step.who] for place in places])
        if len(step.text or b"") > LARGE:
            catch_up(places)
    catch_up(places)
    heard = [listen_to_the_end(place) for place in places]
    return [add_totals(each) for each in heard] if conversation.totals else heard


def catch_up(places):
    """Or what is large would be cut off when a broker hangs up, if it finds nobody listening."""
    for place in places:
        for client in place.values():
            client.catch_up()


def listen_to_the_end(clients):
    for who in sorted(clients):
        clients[who].close()
    return {who: sort_receivers(client.heard()) for who, client in clients.items()}


def take_step(step, clients):
    if step.text is None:
        for client in clients:
            client.listen(lambda: not step.waits)
            client.close()
        return
    segments = step.segments()
    for client in clients:
        client.speech.take(step.text)
    whole = not clients[0].speech.rest()
    for segment in segments[:-1]:
        for client in clients:
            client.say(segment)
        time.sleep(PAUSE_S)
    for client in clients:
        client.say(segments[-1] + (b"PING\r\n" if whole and step.text else b""))
    for client in clients:
        if whole and step.text:
            client.fence()
    if not whole:
        time.sleep(PAUSE_S)
