# SPDX-License-Identifier: MIT
"""The brokers that one worker keeps, and how it judges a conversation by them."""
import os

import arena
import causes
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

    def hold(self, conversation, which=slice(None)):
        """What is heard of all brokers, or of `which`, which must serve others afterwards."""
        try:
            brokers = self.brokers(conversation.use)[which]
            heard = arena.hold(conversation, brokers)
        except OSError as error:
            self.complain(error, conversation)
            brokers = self.brokers(conversation.use)[which]
            heard = arena.hold(conversation, brokers)
        unserved = [broker.program for broker in brokers if not broker.witness.is_served()]
        if unserved:
            self.complain(f"{', '.join(unserved)} does not serve others", conversation)
        return heard

    def judge(self, conversation):
        """Holds it once; if need be again with the others, told as they have to be told it."""
        heard = self.hold(conversation)
        verdict = Verdict(*judge.find_fault(conversation, *heard), heard)
        if not verdict.fault or conversation.key:
            return verdict
        for keys, told in causes.tell(conversation):
            fault, more = judge.find_fault(told, heard[0], *self.hold(told, slice(1, None)))
            if not fault:
                return Verdict(None, keys | more, heard)
        return verdict

    def judge_again(self, conversation):
        """It fails if it does so each time that it is held."""
        for _ in range(AGAIN):
            verdict = self.judge(conversation)
            if not verdict.fault:
                break
        return verdict

    def fails(self, conversation):
        return bool(self.judge_again(conversation).fault)

    def report(self, conversation, verdict):
        lines = [f"{conversation.title}: {verdict.fault}"]
        for program, heard in zip(self.programs, verdict.heard):
            for who, ops in heard.items():
                lines += [f"  {who} of {program} heard:"]
                lines += [f"    {line}" for line in judge.show(ops)]
        return "\n".join(lines)

    def report_small(self, conversation):
        small = Shrinker(conversation, self.fails).shrink()
        verdict = self.judge(small)
        return "\n".join(["as small as it gets:", talk.write(small), self.report(small, verdict)])


class Verdict:
    """Of one conversation, held once: why it fails or None, the keys met, what was heard."""

    def __init__(self, fault, keys, heard):
        self.fault, self.keys, self.heard = fault, keys, heard


class Result:
    """Of one conversation. `report` is None if it passed; `unsteady`: what did not come again."""

    def __init__(self, report=None, keys=(), unsteady=None, others_differ=False):
        self.report, self.keys = report, keys
        self.unsteady, self.others_differ, self.is_random = unsteady, others_differ, False


def judge_one(ring, conversation, is_random):
    first = ring.judge(conversation)
    others = bool(first.heard[2:] and judge.compare_older(conversation, *first.heard[1:]).left)
    if not first.fault:
        return Result(None, first.keys, others_differ=others)
    verdict = ring.judge_again(conversation)
    if not verdict.fault:
        unsteady = talk.write(conversation) + ring.report(conversation, first)
        return Result(None, verdict.keys, unsteady, others)
    report = ring.report(conversation, verdict)
    if is_random:
        report += "\n" + ring.report_small(conversation)
    return Result(report, verdict.keys, others_differ=others)
