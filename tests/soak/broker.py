# SPDX-License-Identifier: MIT
"""The broker behind its supervisor: started, handed over, killed; and what it uses."""
import asyncio
import os
import re
import signal

from wire import Broken

HERE = os.path.dirname(os.path.abspath(__file__))
SUPERVISOR = os.path.join(HERE, "..", "tools", "supervisor.py")
LIMIT_S = 60
# What the log must never say. Clients that do wrong are there on purpose: their lines are warnings.
ALARMS = re.compile(r"\[(ERR|FTL)\]|Sanitizer|runtime error|could not be taken over|"
                    r"could not be parked|are missing|is missing|damaged|(?<!; 0) were lost|"
                    r"records were dropped")


class Broker:
    def __init__(self, program, folder, environment):
        self.program = program
        self.folder = folder
        self.environment = environment
        self.log = os.path.join(folder, "log")
        self.pid = None
        self.addresses = []
        self.starts = 0
        self.supervisor = None

    async def begin(self, options):
        self.supervisor = await asyncio.create_subprocess_exec(
            SUPERVISOR, "--listen", "127.0.0.1:0", "--listen", f"unix:{self.folder}/socket",
            "--limit", str(LIMIT_S), "--log", self.log, "--", self.program, *options,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True)
        self.addresses = (await self.order("addresses")).split()
        await self.start()

    async def order(self, command):
        self.supervisor.stdin.write(command.encode() + b"\n")
        async with asyncio.timeout(2 * LIMIT_S):
            answer = (await self.supervisor.stdout.readline()).decode().strip()
        if not answer or answer.startswith("error"):
            raise Broken(f"{command}: {answer or 'the supervisor has ended'}")
        return answer

    async def _run(self, command):
        answer = await self.order(command)
        if not answer.startswith("running"):
            raise Broken(f"after {command} the broker is: {answer}")
        self.pid = int(answer.split()[1])
        self.starts += 1

    async def _set_environment(self):
        for name, value in self.environment.items():
            await self.order(f"env {name}={value}")

    async def start(self):
        await self._set_environment()
        await self._run("start")

    async def restart(self):
        """By the supervisor's store."""
        await self._set_environment()
        await self._run("restart")

    async def upgrade(self):
        """In its own place."""
        await self._run("kill ALRM ready")

    async def crash(self):
        answer = await self.order("kill KILL exit")
        if answer != "killed KILL":
            raise Broken(f"kill -9, and the broker is: {answer}")

    async def end(self):
        """Its exit status has to be good: under a sanitizer it tells of leaks."""
        answer = await self.order("stop")
        if answer != "exited 0":
            raise Broken(f"told to stop, the broker is: {answer}")

    async def leave(self):
        """Whatever has happened: nothing stays."""
        if self.supervisor and self.supervisor.returncode is None:
            self.supervisor.stdin.close()
            try:
                async with asyncio.timeout(LIMIT_S):
                    await self.supervisor.wait()
            except TimeoutError:
                self.supervisor.send_signal(signal.SIGTERM)
                await self.supervisor.wait()

    async def stored(self):
        return (await self.order("status")).split("stored")[1].split()

    def is_sanitized(self):
        with open(self.program, "rb") as file:
            return b"__asan_init" in file.read()

    def usage(self):
        """(private dirty kB, resident kB, descriptors)"""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            lines = [line.split() for line in file]
        memory = {words[0]: int(words[1]) for words in lines if words[-1] == "kB"}
        return memory["Private_Dirty:"], memory["Rss:"], len(os.listdir(f"/proc/{self.pid}/fd"))

    def alarms(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return [line.rstrip() for line in file if ALARMS.search(line)]

    def last_words(self, count=20):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-200 * count:].splitlines()[-count:]
