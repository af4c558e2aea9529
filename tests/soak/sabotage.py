# SPDX-License-Identifier: MIT
"""Faults that a soak has to find: between a subscriber and its book, or in the broker's process."""
import os
import random
import re

# And what it says then.
FINDINGS = {kind: re.compile("^failed: " + finding, re.MULTILINE) for kind, finding in {
    "lost": r"(literal|wildcard|slow).* was lost",
    "doubled": r"(literal|wildcard|slow).* came twice",
    "swapped": r"(literal|wildcard|slow).* comes late",
    "lost-in-queue": r"queue .* was lost",
    "doubled-in-queue": r"queue .* came twice",
    "swapped-in-queue": r"queue .* came late",
    "disconnected": r".*(was disconnected|Error)",
    "memory": r"private memory",
    "descriptors": r"descriptors",
}.items()}
IN_PROCESS = ("memory", "descriptors")
AFTER = 500  # messages, again and again


class Saboteur:
    """kind None: does nothing."""

    def __init__(self, kind):
        self.kind = kind or ""
        self.countdown = AFTER
        self.note = self.kept = None

    def environment(self, build):
        if self.kind not in IN_PROCESS:
            return {}
        return {"LD_PRELOAD": os.path.join(build, "tests", "soak", "leak.so"), "LEAK": self.kind}

    def begin(self, soak):
        if self.kind.startswith(("lost", "doubled", "swapped")):
            victim = random.choice([subscriber for subscriber in soak.crowd.subscribers
                                    if subscriber.is_shared == self.kind.endswith("-in-queue")])
            self.note = victim.note
            victim.note = self._pass_on
        elif self.kind == "disconnected":
            soak.broker.restart = self._stop_and_start(soak.broker)

    def _stop_and_start(self, broker):
        async def restart():
            await broker.order("stop")
            await broker.start()
        return restart

    def _pass_on(self, publisher, number):
        self.countdown -= 1
        is_time = self.countdown == 0
        if is_time:
            self.countdown = AFTER  # a crash may excuse it this time
            if self.kind.startswith("lost"):
                return
            if self.kind.startswith("swapped"):
                self.kept = (publisher, number)
                return
        self.note(publisher, number)
        if is_time:
            self.note(publisher, number)
        elif self.kept and self.kept[0] == publisher:
            kept, self.kept = self.kept, None
            self.note(*kept)
