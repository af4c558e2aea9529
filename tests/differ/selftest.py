# SPDX-License-Identifier: MIT
"""Proves that differences are found, and none where there is none."""
import collections
import contextlib
import io
import random
import tempfile

import conversation as talk
import judge
from arena import MESSAGE
from causes import find_causes, has_second_connect
from generator import Generator, Shrinker
from ring import Ring, judge_one
from tally import Tally

COUNT = 100
FROM = 8000  # are made to find so many with a cause


class Planted(Ring):
    """One program twice, and the second time perhaps with another configuration."""

    def __init__(self, program, folder, second):
        super().__init__([program, program], folder)
        self.second = second

    def file(self, use, at):
        return super().file(use or (self.second if at else None), at)


def same_words(one, other):
    def words(conversation):
        return [(step.who, step.segments()) for step in conversation.steps]
    return words(one) == words(other)


def read_again(conversation):
    return talk.Reader("again").read(talk.write(conversation).split("\n"))[0]


def prove_likeness(ring, made):
    yield "a broker is like itself", not any(map(ring.fails, made))
    named = made[0].like(made[0].steps)
    heard = ring.hold(named)[0]
    named.key = "hmsg"
    named.expected = {who: judge.without_info(ops) for who, ops in heard.items()}
    yield "a difference that is named must be there", ring.fails(named)
    named.key = None
    yield "what stands there may be heard", not ring.fails(named)
    named.expected = {"A": b"nonsense"}
    yield "what stands there must be heard", ring.fails(named)


def prove_difference(ring, made):
    found = [each for each in made if ring.fails(each)]
    yield "other limits are found", len(found) > len(made) / 4
    small = Shrinker(found[0], ring.fails).shrink() if found else made[0]
    yield "and made small", len(small.steps) <= 3 and ring.fails(small)
    yield "and can be read again", ring.fails(read_again(small))


class Spoiled(Ring):
    """What the first one says comes spoiled."""

    def __init__(self, programs, folder, spoil):
        super().__init__(programs, folder)
        self.spoil = spoil

    def hold(self, conversation, which=slice(None)):
        heard = super().hold(conversation, which)
        return heard if which.start else [self.spoil(conversation, heard[0]), *heard[1:]]


def fall_silent(_conversation, heard):
    def is_kept(op):
        return op.startswith(b"INFO ") or op == b"PONG\r\n"
    return {who: list(filter(is_kept, ops)) for who, ops in heard.items()}


def lose_message(conversation, heard):
    """One of them; the same each time."""
    places = [(who, at) for who, ops in heard.items() for at, op in enumerate(ops)
              if MESSAGE.match(op)]
    lost = random.Random(conversation.title).choice(places) if places else (None, None)
    return {who: [op for at, op in enumerate(ops) if (who, at) != lost]
            for who, ops in heard.items()}


def has_cause(conversation):
    return has_second_connect(conversation) or any(find_causes(conversation))


def prove_spoiled(programs, spoil, made):
    """Of those in which there is something to be spoiled 99 of 100 must fail."""
    with tempfile.TemporaryDirectory(prefix="differ.") as folder:
        ring = Spoiled(programs, folder, lambda _, heard: heard)
        try:
            heard = [ring.hold(each)[0] for each in made]
            ring.spoil = spoil
            spoiled = [each for each, ops in zip(made, heard) if spoil(each, ops) != ops]
            missed = [each.title for each in spoiled if not ring.judge(each).fault]
        finally:
            ring.close()
    print(f"self-test: {spoil.__name__}: {len(spoiled)} of {len(made)}; not found: {missed}")
    return len(spoiled) >= COUNT and len(missed) * 100 <= len(spoiled)


def prove_unsteady(programs, made):
    """A message that is lost once is printed as it was heard, and more than a few fail the run."""
    def lose_once(conversation, heard):
        times.update([conversation.title])
        return lose_message(conversation, heard) if times[conversation.title] == 1 else heard
    times, tally, shown = collections.Counter(), Tally(), io.StringIO()
    with tempfile.TemporaryDirectory(prefix="differ.") as folder:
        ring = Spoiled(programs, folder, lose_once)
        try:
            with contextlib.redirect_stdout(shown):
                for each in made:
                    tally.add(judge_one(ring, each, True))
        finally:
            ring.close()
    few = tally.counts.copy()
    with contextlib.redirect_stdout(shown):
        tally.check_counts(0)
    yield "what does not come again is printed", "\n    PONG" in shown.getvalue()
    yield "and counted", few["unsteady"] > 1 and not few["failed"]
    yield "and fails the run if it is often", tally.counts["failed"] == 1
    with contextlib.redirect_stdout(shown):
        tally.check_counts(len(made) + 1)
    yield "as do fewer conversations than asked for", tally.counts["failed"] == 3


def make_suspicious():
    """Those in which something may be excused, and as many others; few hear a message."""
    made = [Generator("self-test", number).make() for number in range(FROM)]
    with_cause = [each for each in made if has_cause(each)]
    without = [each for each in made if not has_cause(each)]
    return with_cause + without[:len(with_cause)]


def prove(programs):
    """What was tried, and whether it was so."""
    made = [Generator("self-test", number).make() for number in range(COUNT)]
    made = [each for each in made if not each.use]
    yield "what is printed can be read", all(same_words(each, read_again(each)) for each in made)
    for second, proof in ((None, prove_likeness), ("limits", prove_difference)):
        with tempfile.TemporaryDirectory(prefix="differ.") as folder:
            ring = Planted(programs[0], folder, second)
            try:
                yield from proof(ring, made)
            finally:
                ring.close()
            yield "the brokers ended well", not ring.complaints
    yield from prove_unsteady(programs, made)
    suspicious = make_suspicious()
    yield "a silent broker is found", prove_spoiled(programs, fall_silent, suspicious)
    # Over a second CONNECT the newest one loses them itself: only an older one shows it.
    if len(programs) > 2:
        yield "a lost message is found", prove_spoiled(programs, lose_message, suspicious)
