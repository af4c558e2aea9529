# SPDX-License-Identifier: MIT
"""Counts what came out of conversations, prints what is to be seen, and judges the whole run."""
import collections

import judge
from ring import Result

SHOWN_MAX = 10
UNSTEADY_MAX, UNSTEADY_OF = 5, 8000


class Tally:
    def __init__(self):
        self.counts, self.keys = collections.Counter(), collections.Counter()

    def add(self, result):
        self.keys.update(result.keys)
        self.counts["failed" if result.report else "passed"] += 1
        self.counts["others"] += result.others_differ
        self.counts["random"] += result.is_random
        self.counts["unsteady"] += bool(result.unsteady)
        if result.unsteady:
            print(f"a difference that did not come again:\n{result.unsteady}", flush=True)
        if result.report and self.counts["failed"] <= SHOWN_MAX:
            print(result.report, flush=True)

    def check_keys(self, path):
        """What differs is explained, and what is explained differs."""
        explained = judge.read_keys(path)
        for key in sorted(set(self.keys) - explained):
            self.add(Result(f"differences.txt does not explain {key}"))
        for key in sorted(judge.KEYS - set(self.keys)):
            self.add(Result(f"{key} is named, but nothing differs"))

    def check_counts(self, count):
        """What does not come again may be chance, but not often; and all random ones were held."""
        held = self.counts["passed"] + self.counts["failed"]
        allowed = max(1, UNSTEADY_MAX * held // UNSTEADY_OF)
        if self.counts["unsteady"] > allowed:
            self.add(Result(f"more than {allowed} differences did not come again"))
        if self.counts["random"] < count:
            self.add(Result(f"{self.counts['random']} of {count} were held"))
