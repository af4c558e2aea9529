# SPDX-License-Identifier: MIT
"""The brokers that one worker keeps, and how it judges a conversation by them."""
import os

import arena
import conversation as talk
import judge
from generator import Shrinker

HERE = os.path.dirname(os.path.abspath(__file__))
AGAIN = 3  # so often a difference must be seen to be one
PLACES_MAX = 4  # configurations whose brokers run at a time
COMPLAINTS_MAX = 10


class Ring:
    """Minats comes first, then the one that it is to be like, then perhaps an older one."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.places, self.made, self.complaints = {}, 0, []

    def file(self, use, _at):
        return os.path.join(HERE, "configurations", f"{use}.conf") if use else None

    def brokers(self, use):
        if use not in self.places:
            while len(self.places) >= PLACES_MAX:
                self.stop(next(iter(self.places)))
            self.places[use] = []
            self.made += 1
            for at, program in enumerate(self.programs):
                folder = f"{self.folder}/{self.made}.{at}"
                self.places[use].append(arena.Broker(program, folder, self.file(use, at)))
        # The one that was not used for the longest time comes first.
        self.places[use] = self.places.pop(use)
        return self.places[use]

    def stop(self, use):
        for at, broker in enumerate(self.places.pop(use)):
            status = broker.stop()
            if at == 0 and status != 0:
                log = broker.read_log()[-4000:].decode(errors="replace")
                self.complaints.append(f"{broker.program} ended with {status}:\n{log}")

    def close(self):
        for use in list(self.places):
            self.stop(use)

    def complain(self, what, conversation):
        self.complaints.append(f"{what} after:\n{talk.write(conversation)}")
        self.stop(conversation.use)
        if len(self.complaints) > COMPLAINTS_MAX:
            raise SystemExit("brokers keep failing")

    def hold(self, conversation, only=None):
        """What is heard, of all or the first `only` brokers, which must serve others afterwards."""
        try:
            brokers = self.brokers(conversation.use)[:only]
            heard = arena.hold(conversation, brokers)
        except OSError as error:
            self.complain(error, conversation)
            brokers = self.brokers(conversation.use)[:only]
            heard = arena.hold(conversation, brokers)
        unserved = [broker.program for broker in brokers if not broker.witness.is_served()]
        if unserved:
            self.complain(f"{', '.join(unserved)} does not serve others", conversation)
        return heard

    def fault(self, conversation):
        """Why it fails each time that it is held; None: it does not. And the keys that it met."""
        for _ in range(AGAIN):
            fault, keys = judge.find_fault(conversation, *self.hold(conversation, 2))
            if not fault:
                break
        return fault, keys

    def fails(self, conversation):
        return bool(self.fault(conversation)[0])

    def report(self, conversation, fault):
        lines = [f"{conversation.title}: {fault}"]
        for program, heard in zip(self.programs, self.hold(conversation)):
            for who, ops in heard.items():
                lines += [f"  {who} of {program} heard:"]
                lines += [f"    {line}" for line in judge.show(ops)]
        return "\n".join(lines)

    def report_small(self, conversation):
        small = Shrinker(conversation, self.fails).shrink()
        return "\n".join(["as small as it gets:", talk.write(small), self.report(small, "small")])


class Result:
    """Of one conversation. `report` is None if it passed."""

    def __init__(self, report=None, keys=(), is_unsteady=False, others_differ=False):
        self.report, self.keys = report, keys
        self.is_unsteady, self.others_differ = is_unsteady, others_differ


def judge_one(ring, conversation, is_random):
    heard = ring.hold(conversation)
    fault, keys = judge.find_fault(conversation, *heard[:2])
    others = len(heard) > 2 and bool(judge.compare(conversation, heard[1], heard[2]).left)
    if not fault:
        return Result(None, keys, others_differ=others)
    fault, keys = ring.fault(conversation)
    if not fault:
        return Result(None, keys, is_unsteady=True, others_differ=others)
    report = ring.report(conversation, fault)
    if is_random:
        report += "\n" + ring.report_small(conversation)
    return Result(report, keys, others_differ=others)
