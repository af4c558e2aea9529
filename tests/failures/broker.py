# SPDX-License-Identifier: MIT
"""
A broker whose calls fail when they are told to (tests/tools/fail.c), its clients, and what can be seen of it from
outside.
"""
import ctypes
import mmap
import os
import re
import signal
import socket
import subprocess
import time

LIMIT_S = 10
FAR_LIMIT_S = 30
NOTHING = 0xFFFFFFFF
DROPPED = "records were dropped"
ONCE, ALWAYS, SHORT_ONCE, SHORT_ALWAYS = range(4)
ROOM, FDS = 64, 256


class Layout(ctypes.Structure):
    """As in tests/tools/fail.c."""

    _fields_ = [("blocks", ctypes.c_int64)] + [(name, ctypes.c_uint32) for name in
                                               ("armed", "function", "thread", "nth", "mode")] + [
        ("error", ctypes.c_int32), ("fired", ctypes.c_uint32), ("counts", ctypes.c_uint32 * ROOM * 2),
        ("spared", ctypes.c_uint8 * FDS)]


class Page:
    """What the broker's calls obey, and are counted in."""

    def __init__(self, path):
        self.path = path
        with open(path, "w+b") as file:
            file.truncate(mmap.PAGESIZE)
            self.layout = Layout.from_buffer(mmap.mmap(file.fileno(), mmap.PAGESIZE))
        self.layout.function = NOTHING

    def arm(self, case=None):
        """Counts from now on; `case`: what is to fail."""
        layout = self.layout
        layout.armed = layout.fired = 0
        layout.function = NOTHING
        ctypes.memset(ctypes.addressof(layout) + Layout.counts.offset, 0, Layout.counts.size)
        if case:
            layout.thread, layout.nth, layout.mode, layout.error = case.thread, case.nth, case.mode, case.error
            layout.function = FUNCTIONS.index(case.function)
        layout.armed = 1

    def heal(self):
        """Nothing fails any more; calls are still counted."""
        self.layout.function = NOTHING

    def counts(self):
        """{(function, thread): calls}"""
        return {(name, thread): self.layout.counts[thread][at] for thread in (0, 1)
                for at, name in enumerate(FUNCTIONS) if self.layout.counts[thread][at]}

    def calls(self):
        return sum(self.layout.counts[0])

    def spare(self, fds):
        ctypes.memset(ctypes.addressof(self.layout) + Layout.spared.offset, 0, Layout.spared.size)
        for fd in fds:
            self.layout.spared[fd] = 1


def read_functions():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../tools/fail.c"), encoding="ascii") as file:
        table = re.search(r"#define FUNCTIONS\(X\)(.*?)\n\n", file.read(), re.S).group(1)
    return re.findall(r"X\((\w+)\)", table)


FUNCTIONS = read_functions()


class Disturbed(Exception):
    """A client was closed, or heard something else than it should have."""


class Wrong(Exception):
    """What must never happen."""


class Client:
    """A connection, and what was read from it."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(LIMIT_S)
        self.input = b""
        try:
            self.socket.connect(address)
        except OSError as error:
            self.socket.close()
            raise Disturbed(f"cannot connect: {error}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def say(self, *lines):
        self.send(b"".join(line + b"\r\n" for line in lines))

    def send(self, data):
        try:
            self.socket.sendall(data)
        except TimeoutError as error:
            raise Wrong("a client was not read from") from error
        except OSError as error:
            raise Disturbed(f"closed: {error}") from error

    def read(self):
        try:
            got = self.socket.recv(1 << 18)
        except TimeoutError as error:
            raise Wrong(f"a client waited in vain, having heard {self.input[:200]}") from error
        except OSError as error:
            raise Disturbed(f"closed: {error}") from error
        if not got:
            raise Disturbed(f"closed, having heard {self.input[:200]}")
        self.input += got

    def line(self):
        while b"\r\n" not in self.input:
            self.read()
        line, self.input = self.input.split(b"\r\n", 1)
        return line

    def hear(self, *lines):
        """PINGs of the broker's are answered in passing."""
        for expected in lines:
            line = self.line()
            while line == b"PING":
                self.say(b"PONG")
                line = self.line()
            if line != expected:
                raise Disturbed(f"heard {line[:200]} instead of {expected[:200]}")

    def hear_like(self, start):
        line = self.line()
        if not line.startswith(start):
            raise Disturbed(f"heard {line[:200]} instead of {start}...")
        return line

    def hear_message(self, head, size):
        self.hear(head)
        while len(self.input) < size + 2:
            self.read()
        payload, self.input = self.input[:size], self.input[size + 2:]
        return payload

    def hear_end(self):
        """Whatever comes before it."""
        try:
            while True:
                self.read()
        except Disturbed:
            return self.input

    def join(self, fields=b""):
        info = self.hear_like(b"INFO ")
        self.say(b'CONNECT {"verbose":false,"pedantic":false' + fields + b"}", b"PING")
        self.hear(b"PONG")
        return info


class Witness:
    """Two clients who have done nothing, and notice all."""

    def __init__(self, address, fields):
        self.number = 0
        self.publisher, self.subscriber = Client(address), Client(address)
        self.subscriber.join(fields)
        self.publisher.join(fields)
        self.subscriber.say(b"SUB witness.* 1", b"PING")
        self.subscriber.hear(b"PONG")

    def exchange(self):
        """The next message comes, and nothing else has."""
        self.number += 1
        text = b"%d" % self.number
        self.publisher.say(b"PUB witness.a %d" % len(text), text)
        self.subscriber.hear(b"MSG witness.a 1 %d" % len(text), text)

    def close(self):
        self.publisher.close()
        self.subscriber.close()


class Broker:
    """One process, or one after another, in a folder of its own."""

    def __init__(self, setup, folder, page):
        self.setup = setup
        self.folder = folder
        self.page = page
        self.log_path = os.path.join(folder, "log")
        with open(self.log_path, "ab"):
            pass
        self.unix = os.path.join(folder, "socket")
        self.process = None
        self.witness = None
        self.mark = 0
        self.fields = b""
        self.more = {}  # of its environment

    # Its life.

    def environment(self):
        """The system bus is not asked: what it answers, and how often, would differ."""
        return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent", "FAIL": self.page.path,
                "LD_PRELOAD": self.setup.preload, **self.setup.environment, **self.more}

    def spawn(self, arguments, **more):
        """Without anybody waiting for it."""
        with open(self.log_path, "ab") as log:
            self.mark = log.tell()
            self.process = subprocess.Popen(
                [self.setup.minats, *arguments], env=self.environment(),
                **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **more})

    @property
    def pid(self):
        return self.process.pid

    def has_ended(self):
        return self.process.poll() is not None

    def status(self):
        return self.process.returncode

    def await_end(self):
        try:
            return self.process.wait(FAR_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            self.process.wait()
            raise Wrong("the broker did not end") from error

    def await_ready(self):
        """Whether it is; if not it has ended."""
        end = time.monotonic() + FAR_LIMIT_S
        while time.monotonic() < end:
            ended = self.has_ended()
            told = self.told()
            # That line may be the one that was dropped.
            if "Server is ready" in told or (DROPPED in told and "Listening" in told and not ended):
                return True
            if ended:
                return False
            time.sleep(0.001)
        raise Wrong("the broker neither became ready nor ended")

    def signal(self, number):
        try:
            self.process.send_signal(number)
        except ProcessLookupError:
            pass

    def kill(self):
        if self.witness:
            self.witness.close()
            self.witness = None
        if self.process and not self.has_ended():
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Politely; says with which status, and how many blocks were left."""
        if self.witness:
            self.witness.close()
            self.witness = None
        self.signal(signal.SIGINT)
        status = self.await_end()
        return status, self.page.layout.blocks

    def bring_witness(self):
        before = self.descriptors()
        self.witness = Witness(self.unix, self.fields)
        self.page.spare(self.descriptors() - before)

    # What it tells.

    def set_mark(self):
        self.mark = os.path.getsize(self.log_path)

    def told(self):
        """In the log, since the mark."""
        with open(self.log_path, "rb") as log:
            log.seek(self.mark)
            return log.read().decode(errors="replace")

    def await_told(self, *texts):
        """Which of them is the first to be there."""
        start = time.monotonic()
        pokes = 0
        while time.monotonic() < start + LIMIT_S:
            told = self.told()
            for text in texts:
                if text in told:
                    return text
            if DROPPED in told:
                raise Disturbed("the log could not be written")
            if self.has_ended():
                raise Disturbed("the broker has ended")
            if time.monotonic() > start + 0.3 * (pokes + 1):
                # The next record brings along what could not be told before.
                Client(self.unix).close()
                pokes += 1
            time.sleep(0.001)
        raise Wrong(f"the log does not tell any of {texts}")

    def tcp(self):
        try:
            with open(os.path.join(self.folder, f"minats_{self.pid}.ports"), encoding="ascii") as file:
                return ("127.0.0.1", int(re.search(r":(\d+)\"", file.read()).group(1)))
        except (FileNotFoundError, AttributeError) as error:
            raise Disturbed("the broker has ended, or does not listen there") from error

    # What is seen of it.

    def descriptors(self):
        try:
            return {int(name) for name in os.listdir(f"/proc/{self.pid}/fd")}
        except FileNotFoundError:
            return set()

    def cpu_s(self):
        """Of all its threads."""
        total = 0
        try:
            for task in os.listdir(f"/proc/{self.pid}/task"):
                with open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
        return total / 1e9
