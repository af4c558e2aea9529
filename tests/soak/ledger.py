# SPDX-License-Identifier: MIT
"""
What was published, and who must have heard it.

Each publisher numbers its messages, 0, 1, 2 ...; number K goes to s.(K mod GROUPS), with a size and
content that follow from K. At a crash all that was sent before it is past (`cut`): of that, the end
may be missing, but nothing that was fenced: its publisher's PONG and then the receiver's had come.
"""
from wire import Broken, pub

GROUPS = 8
HEAD_BYTES = 16  # "PP NNNNNNNNNNNN "
FILLER = bytes(range(32, 127)) * 800


def size_of(number):
    if number % 997 == 9:
        return 65536
    if number % 53 == 7:
        return 5000  # is shared between its receivers, not copied
    return HEAD_BYTES + number % 200


def payload_of(publisher, number):
    at = number % 64
    return b"%02d %012d " % (publisher, number) + FILLER[at:at + size_of(number) - HEAD_BYTES]


def message_of(publisher, number):
    return pub(b"s.%d" % (number % GROUPS), payload_of(publisher, number))


def read(name, words, payload):
    """(publisher, number) of a message that is, byte by byte, what was published."""
    try:
        publisher, number = int(payload[:2]), int(payload[3:15])
    except ValueError:
        publisher = number = -1
    if words[0] != b"s.%d" % (number % GROUPS) or payload != payload_of(publisher, number):
        raise Broken(f"{name} heard a message that was not published: {words} {payload[:80]}")
    return publisher, number


def first_from(number, group):
    """The first number from this one on that a subscriber of this group hears; None: of all."""
    return number if group is None else number + (group - number) % GROUPS


def lost(name, publisher, number, fence):
    return Broken(f"{name}: message {number} of publisher {publisher} was lost: "
                  f"all before {fence} should be here")


class Plain:
    """A plain subscription: every message once, in the order of each publisher."""

    def __init__(self, name, publishers, group=None):
        self.name = name
        self.group = group
        self.step = 1 if group is None else GROUPS
        self.next = [first_from(0, group)] * publishers

    def heard(self, publisher, number):
        expected = self.next[publisher]
        if number != expected:
            what = ("came twice, or late" if number < expected else "was lost, or comes late")
            raise Broken(f"{self.name}: message {min(number, expected)} of publisher {publisher} "
                         f"{what}: {number} instead of {expected}")
        self.next[publisher] = expected + self.step

    def fence(self, publisher, number):
        if self.next[publisher] < number:
            raise lost(self.name, publisher, self.next[publisher], number)

    def cut(self, publisher, number):
        """A crash; the next message is this one, or later. How many are missing."""
        first = first_from(number, self.group)
        lost = (first - self.next[publisher]) // self.step
        self.next[publisher] = first
        return lost


class Shared:
    """A queue group: every message once, to one of its members, who hear rising numbers."""

    def __init__(self, name, publishers):
        self.name = name
        self.low = [0] * publishers  # all before it was heard
        self.above = [set() for _ in range(publishers)]  # and these
        self.last = {}  # (member, publisher): the number it heard last

    def heard(self, member, publisher, number):
        last = self.last.get((member, publisher), -1)
        above = self.above[publisher]
        if number < self.low[publisher] or number in above:
            raise Broken(f"{self.name}: message {number} of publisher {publisher} came twice, "
                         f"now to {member}")
        if number < last:
            raise Broken(f"{self.name}: message {number} of publisher {publisher} came late: "
                         f"after {last}, to {member}")
        self.last[member, publisher] = number
        above.add(number)
        while self.low[publisher] in above:
            above.remove(self.low[publisher])
            self.low[publisher] += 1

    def fence(self, publisher, number):
        if self.low[publisher] < number:
            raise lost(self.name, publisher, self.low[publisher], number)

    def cut(self, publisher, number):
        lost = number - self.low[publisher] - len(self.above[publisher])
        self.low[publisher] = number
        self.above[publisher].clear()
        return lost


class Ledger:
    """All of it."""

    def __init__(self, publishers):
        self.sent = [0] * publishers
        self.fenced = [0] * publishers
        self.books = []
        self.delivered = 0
        self.lost = 0  # around crashes

    def fence(self, sent):
        """All before these numbers must be there."""
        for publisher, number in enumerate(sent):
            for book in self.books:
                book.fence(publisher, number)
        self.fenced = sent

    def crash(self):
        """What was fenced must be there; what else is missing is counted. New numbers follow."""
        for publisher, number in enumerate(self.sent):
            for book in self.books:
                book.fence(publisher, self.fenced[publisher])
                self.lost += book.cut(publisher, number)
        self.fenced = list(self.sent)
