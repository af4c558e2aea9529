# SPDX-License-Identifier: MIT
"""
The clients that stay: publishers, subscribers, queue groups, and who asks and answers.

A hand-over must be nothing to them; a crash closes them all, and they come again.
"""
import asyncio
import collections
import random
import time

import ledger
from wire import Broken, Connection, pub, sub

PUBLISHERS = 4
WINDOW_BYTES = 256 << 10  # so much may be on its way from a publisher, whatever the rate
TICK_S = 0.01
BEHIND_S = 0.1  # who is late by more than this leaves it out
FENCE_EACH_S = 1
ANSWER_S = 60
REQUESTS_IN_FLIGHT = 8


class Stable(Connection):
    """One of the crowd. Its connection may end in a crash only."""

    def __init__(self, name, crowd):
        super().__init__(name)
        self.crowd = crowd

    def greeting(self):
        return b""

    async def join(self, address):
        await self.connect(address)
        self.write(self.greeting())
        await self.fence()

    def lost(self, exc):
        if not self.crowd.is_crashing:
            raise Broken(f"{self.name} was disconnected: {exc or 'the end'}")


class Subscriber(Stable):
    def __init__(self, name, crowd, subject, queue=b"", book=None, group=None):
        super().__init__(name, crowd)
        self.subject, self.queue = subject, queue
        self.is_shared = book is not None
        self.book = book or ledger.Plain(name, PUBLISHERS, group)

    def greeting(self):
        return sub(self.subject, b"1", self.queue)

    def heard(self, words, payload):
        if not words[0].startswith(b"s."):
            return  # whoever hears *.* hears others as well
        self.note(*ledger.read(self.name, words, payload))

    def note(self, publisher, number):
        self.crowd.ledger.delivered += 1
        if self.is_shared:
            self.book.heard(self.name, publisher, number)
        else:
            self.book.heard(publisher, number)


class SlowSubscriber(Subscriber):
    """Lets much wait for it, also while it is handed over, and then reads all of it."""

    async def dawdle(self):
        while True:
            self.transport.pause_reading()
            await asyncio.sleep(random.uniform(0.1, 1.5))
            self.transport.resume_reading()
            caught_up = asyncio.Event()
            self.ping(caught_up.set)
            while not caught_up.is_set() and not self.crowd.is_crashing:
                await asyncio.sleep(TICK_S)


class Publisher(Stable):
    def __init__(self, name, crowd, index):
        super().__init__(name, crowd)
        self.index = index
        self.on_its_way = 0

    async def join(self, address):
        self.on_its_way = 0
        await super().join(address)

    def publish(self, count):
        sent = self.crowd.ledger.sent
        texts = []
        size = 0
        while count and self.on_its_way + size < WINDOW_BYTES:
            texts.append(ledger.message_of(self.index, sent[self.index]))
            size += len(texts[-1])
            sent[self.index] += 1
            count -= 1
        if texts:
            self.on_its_way += size
            self.write(b"".join(texts))
            self.ping(lambda: self.arrived(size))

    def arrived(self, size):
        self.on_its_way -= size

    def heard(self, words, payload):
        raise Broken(f"{self.name} heard a message")


class Responder(Stable):
    def greeting(self):
        return sub(b"svc.echo", b"1", b"responders")

    def heard(self, words, payload):
        self.write(pub(words[2], payload))


class Requester(Stable):
    """Asks again when it has its answer, each time with another inbox."""

    def __init__(self, name, crowd):
        super().__init__(name, crowd)
        self.inbox = b"_INBOX." + name.replace(" ", "").encode()
        self.number = 0
        self.waiting = collections.OrderedDict()  # number: since when

    def greeting(self):
        return sub(self.inbox + b".*", b"1")

    def ask(self):
        for number, since in self.waiting.items():
            if time.monotonic() - since > ANSWER_S:
                raise Broken(f"{self.name}: request {number} has no answer after {ANSWER_S} s")
            break
        if len(self.waiting) < REQUESTS_IN_FLIGHT:
            self.waiting[self.number] = time.monotonic()
            reply = self.inbox + b".%d" % self.number
            self.write(pub(b"svc.echo", b"request %d" % self.number, reply))
            self.number += 1

    def heard(self, words, payload):
        number = int(words[0].rpartition(b".")[2])
        if payload != b"request %d" % number or self.waiting.pop(number, None) is None:
            raise Broken(f"{self.name}: an answer too many, or a wrong one, to request {number}: "
                         f"{payload[:80]}")
        self.crowd.answered += 1


class Crowd:
    def __init__(self, rate):
        self.rate = rate
        self.is_crashing = self.is_paused = False
        self.answered = self.fences = 0
        self.ledger = ledger.Ledger(PUBLISHERS)
        self.publishers = [Publisher(f"publisher {at}", self, at) for at in range(PUBLISHERS)]
        self.requesters = [Requester(f"requester {at}", self) for at in range(3)]
        self.responders = [Responder(f"responder {at}", self) for at in range(2)]
        self.subscribers = self._make_subscribers()
        self.ledger.books = list({subscriber.book: None for subscriber in self.subscribers})

    def _make_subscribers(self):
        literal = [Subscriber(f"literal s.{group}", self, b"s.%d" % group, group=group)
                   for group in range(ledger.GROUPS)]
        wildcard = [Subscriber("wildcard s.*", self, b"s.*"),
                    Subscriber("wildcard s.>", self, b"s.>"),
                    Subscriber("wildcard *.*", self, b"*.*"),
                    SlowSubscriber("slow s.*", self, b"s.*")]
        one, mixed = (ledger.Shared(f"queue {name}", PUBLISHERS) for name in ("one", "mixed"))
        members = [Subscriber(f"member {at} of one", self, b"s.*", b"one", one) for at in range(3)]
        members += [Subscriber(f"member {at} of mixed", self, subject, b"mixed", mixed)
                    for at, subject in enumerate((b"s.*", b"s.>", b"s.3"))]
        return literal + wildcard + members

    def everybody(self):
        return self.subscribers + self.responders + self.publishers + self.requesters

    def slow(self):
        return [one for one in self.subscribers if isinstance(one, SlowSubscriber)]

    async def join(self, addresses):
        """Who hears first; publishers speak when all hear."""
        for at, client in enumerate(self.everybody()):
            await client.join(addresses[at % len(addresses)])

    async def crash(self, kill):
        """Everybody hears the end, and reads until it comes."""
        self.is_crashing = True
        await kill()
        for client in self.everybody():
            client.transport.resume_reading()
            await client.ended.wait()
        self.ledger.crash()
        for requester in self.requesters:
            requester.waiting.clear()

    async def come_again(self, addresses):
        await self.join(addresses)
        self.is_crashing = False

    async def publish(self):
        """Until it is cancelled: at the rate, or as fast as it gets through."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        due = 0.0
        while True:
            await asyncio.sleep(TICK_S)
            now = loop.time()
            due += min(now - last, BEHIND_S) * self.rate / PUBLISHERS
            last = now
            if self.is_crashing or self.is_paused:
                due = 0.0
                continue
            for publisher in self.publishers:
                publisher.publish(int(due))
            due -= int(due)
            for requester in self.requesters:
                requester.ask()

    async def fence(self):
        """What was published until now is there: the publisher's PONG came, then the receiver's."""
        sent = list(self.ledger.sent)
        await asyncio.gather(*(publisher.fence() for publisher in self.publishers))
        await asyncio.gather(*(subscriber.fence() for subscriber in self.subscribers))
        self.ledger.fence(sent)
        self.fences += 1

    async def fence_often(self):
        """While all goes on. A fence that a crash interrupts counts for nothing."""
        while True:
            await asyncio.sleep(FENCE_EACH_S)
            if self.is_crashing:
                continue
            fence = asyncio.ensure_future(self.fence())
            end = asyncio.get_running_loop().time() + ANSWER_S
            while not fence.done() and not self.is_crashing:
                if asyncio.get_running_loop().time() > end:
                    raise Broken(f"no PONG within {ANSWER_S} s")
                await asyncio.wait([fence], timeout=0.1)
            if fence.done():
                fence.result()
            else:
                fence.cancel()
                await asyncio.wait([fence])
