# SPDX-License-Identifier: MIT
"""What run and growth share: the contestants, each fresh for each case, and the load on them."""

import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
START_LIMIT_S = 10
STOP_LIMIT_S = 10
CASE_LIMIT_S = 180


class BenchError(Exception):
    """Something that ends the bench with a message."""


class Children:
    """The processes that we have started. A signal never falls between a start and its note."""

    def __init__(self):
        self.running = []
        self.starting = False
        self.signal = None

    def catch_signals(self):
        """From now on the signals that end us end the children first."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.interrupt)

    def interrupt(self, number, _frame):
        """Leave; a second signal must not disturb the tidying up."""
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)
        self.signal = number
        if not self.starting:
            raise SystemExit(128 + number)

    def start(self, command, **options):
        """As subprocess.Popen."""
        self.starting = True
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
            self.running.append(process)
        finally:
            self.starting = False
        if self.signal:
            raise SystemExit(128 + self.signal)
        return process

    def end(self, process):
        """End one and wait for it, gently if it lets us."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        self.running.remove(process)

    def end_all(self):
        """Nobody stays behind."""
        for process in list(self.running):
            self.end(process)


CHILDREN = Children()


class Server:
    """A contestant that runs: a process, its ports, its log."""

    def __init__(self, name, program, directory):
        self.name = name
        self.log = os.path.join(directory, "log")
        self.ports_dir = directory
        self.port = self.relay_ports = None
        if name == "relay":
            command = [program]
        else:
            command = [program, "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", directory]
        with open(self.log, "wb") as log:
            self.process = CHILDREN.start(command, stdout=log, stderr=subprocess.STDOUT)

    def wait_ready(self):
        """Return once the server listens."""
        limit = time.monotonic() + START_LIMIT_S
        while not (self._relay_ready() if self.name == "relay" else self._broker_ready()):
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended with status {self.process.returncode}:\n"
                                 + self.last_words())
            if time.monotonic() > limit:
                raise BenchError(f"{self.name} does not listen after {START_LIMIT_S} s:\n"
                                 + self.last_words())
            time.sleep(0.01)

    def _relay_ready(self):
        with open(self.log, encoding="utf-8") as log:
            line = log.readline()
        ports = line.split()
        if not line.endswith("\n") or len(ports) != 3 or not all(map(str.isdigit, ports)):
            return False
        self.port, self.relay_ports = ports[0], ",".join(ports[1:])
        return True

    def _broker_ready(self):
        suffix = f"_{self.process.pid}.ports"
        for name in os.listdir(self.ports_dir):
            if not name.endswith(suffix):
                continue
            with open(os.path.join(self.ports_dir, name), encoding="utf-8") as file:
                try:
                    self.port = json.load(file)["nats"][0].rsplit(":", 1)[1]
                    return True
                except ValueError:
                    return False    # it is being written
        return False

    def last_words(self):
        """The end of its log."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-10:])


def run_case(name, program, load, case, options=()):
    """One case against one fresh server; returns what the load generator found."""
    with tempfile.TemporaryDirectory(prefix="minats-bench-") as directory:
        server = Server(name, program, directory)
        try:
            server.wait_ready()
            command = [load, case, "--port", server.port, "--pid", str(server.process.pid)]
            if server.relay_ports:
                command += ["--relay", server.relay_ports]
            return run_load(command + list(options), server, case)
        finally:
            CHILDREN.end(server.process)


def run_load(command, server, case):
    """The load generator's line of JSON."""
    process = CHILDREN.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             encoding="utf-8", errors="replace")
    try:
        output, errors = process.communicate(timeout=CASE_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{case} against {server.name}: not done after {CASE_LIMIT_S} s") from None
    finally:
        CHILDREN.end(process)
    if process.returncode != 0:
        raise BenchError(f"{case} against {server.name}: {errors.strip()}\n"
                         f"the server's log ends:\n{server.last_words()}")
    sys.stderr.write(errors)
    return json.loads(output)


def progress(text):
    """One line that overwrites itself, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def version(program):
    """What it says of itself, in one line."""
    try:
        done = subprocess.run([program, "-v"], stdin=subprocess.DEVNULL, capture_output=True,
                              encoding="utf-8", errors="replace", timeout=START_LIMIT_S,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{program} -v: {error}") from None
    return ((done.stdout + done.stderr).strip().splitlines() or ["?"])[0]


def processor():
    """The name of the CPU."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file
                        if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def find_contestants(build):
    """Name → program of those that take part; minats must."""
    minats = os.environ.get("MINATS") or os.path.join(ROOT, "build", "minats")
    nats_server = (os.environ.get("NATS_SERVER") or shutil.which("nats-server")
                   or "/usr/sbin/nats-server")
    contestants = {"minats": minats, "nats-server": nats_server,
                   "relay": os.path.join(build, "relay")}
    if not os.environ.get("NATS_SERVER") and not os.access(nats_server, os.X_OK):
        print("There is no nats-server here (NATS_SERVER names one): its column stays empty.",
              file=sys.stderr)
        del contestants["nats-server"]
    for name, program in contestants.items():
        if not os.access(program, os.X_OK):
            raise BenchError(f"{name}: {program} cannot be run; build it first")
        write_back(program)
    return contestants


def write_back(program):
    """Pages of a file just built that are not on disk yet count as private dirty memory."""
    file = os.open(program, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def find_load(build):
    """The load generator."""
    load = os.path.join(build, "load")
    if not os.access(load, os.X_OK):
        raise BenchError(f"{load} cannot be run; build it first")
    return load


def raise_file_limit():
    """To what we may have; returns that. The servers and the load generator inherit it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def introduce(contestants):
    """Who runs where, for people."""
    print(f"{processor()}, {os.cpu_count()} CPUs, Linux {platform.release()}")
    for name, program in contestants.items():
        if name != "relay":
            print(f"{name}: {version(program)}")


def machine(contestants):
    """The same for machines."""
    return {
        "machine": {"cpu": processor(), "cpus": os.cpu_count(), "kernel": platform.release()},
        "contestants": {name: version(program) for name, program in contestants.items()
                        if name != "relay"},
    }


def write_json(path, document):
    """Whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")
    os.replace(path + ".part", path)


def main(bench):
    """Runs it. Whatever happens, what was started is ended. Returns the exit status."""
    CHILDREN.catch_signals()
    try:
        return bench()
    except BenchError as error:
        progress("")
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        CHILDREN.end_all()
