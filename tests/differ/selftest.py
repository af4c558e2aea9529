# SPDX-License-Identifier: MIT
"""Proves that differences are found, and none where there is none."""
import tempfile

import conversation as talk
import judge
from generator import Generator, Shrinker
from ring import Ring

COUNT = 100


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


def prove(program):
    """What was tried, and whether it was so."""
    made = [Generator("self-test", number).make() for number in range(COUNT)]
    made = [each for each in made if not each.use]
    yield "what is printed can be read", all(same_words(each, read_again(each)) for each in made)
    for second, proof in ((None, prove_likeness), ("limits", prove_difference)):
        with tempfile.TemporaryDirectory(prefix="differ.") as folder:
            ring = Planted(program, folder, second)
            try:
                yield from proof(ring, made)
            finally:
                ring.close()
            yield "the brokers ended well", not ring.complaints
