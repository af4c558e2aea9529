# SPDX-License-Identifier: MIT
"""Faults that a soak has to find: between a subscriber's connection and its book, or in the broker's process."""
import os
import random

IN_DELIVERY = ("lost", "doubled", "swapped", "lost-in-queue", "doubled-in-queue", "swapped-in-queue")
IN_PROCESS = ("memory", "descriptors")
KINDS = IN_DELIVERY + IN_PROCESS
AFTER = 500  # messages


class Saboteur:
    """kind None: does nothing."""

    def __init__(self, kind):
        self.kind = kind
        self.countdown = AFTER
        self.note = self.kept = None

    def environment(self, build):
        if self.kind not in IN_PROCESS:
            return {}
        return {"LD_PRELOAD": os.path.join(build, "tests", "soak", "leak.so"), "LEAK": self.kind}

    def begin(self, crowd):
        if self.kind not in IN_DELIVERY:
            return
        victim = random.choice([one for one in crowd.subscribers if one.is_shared == self.kind.endswith("-in-queue")])
        self.note = victim.note
        victim.note = self._pass_on

    def _pass_on(self, publisher, number):
        self.countdown -= 1
        if self.countdown == 0 and self.kind.startswith("lost"):
            return
        if self.countdown == 0 and self.kind.startswith("swapped"):
            self.kept = (publisher, number)
            return
        self.note(publisher, number)
        if self.countdown == 0:
            self.note(publisher, number)
        elif self.kept and self.kept[0] == publisher:
            kept, self.kept = self.kept, None
            self.note(*kept)
