# SPDX-License-Identifier: MIT
"""
The clients that come and go. Each plays one of these scenes on subjects that nobody has used.

What they hear is compared byte by byte. A crash excuses everything; a hand-over nothing.
"""
import asyncio
import random

from wire import QUIET, Broken, open_socket, pub, reset_on_close, sub

SCENE_S = 30  # none takes longer
STALL_BYTES = 4096
WRITE_DEADLINE_S = 5
STALL_S = WRITE_DEADLINE_S + 3  # by then who does not read is closed


class Talk:
    """One connection, and what is said and heard on it, step by step."""

    def __init__(self, number, address):
        self.number = number
        self.address = address
        self.reader = self.writer = None

    async def begin(self, connect=QUIET):
        sock = await open_socket(self.address)
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
        info = await self.reader.readuntil(b"\r\n")
        if not info.startswith(b"INFO {"):
            raise Broken(f"instead of INFO: {info[:200]}")
        self.say(connect)

    def say(self, *texts):
        self.writer.write(b"".join(texts))

    async def read(self):
        """The next operation, whole; PINGs are answered."""
        while (line := await self.reader.readuntil(b"\r\n")) == b"PING\r\n":
            self.say(b"PONG\r\n")
        if line.startswith((b"MSG ", b"HMSG ")):
            line += await self.reader.readexactly(int(line.split()[-1]) + 2)
        return line

    async def hear(self, *texts, in_any_order=False):
        heard = [await self.read() for _ in texts]
        if in_any_order:
            heard.sort()
        if heard != (sorted(texts) if in_any_order else list(texts)):
            raise Broken(f"heard {heard} instead of {list(texts)}")

    async def fence(self):
        self.say(b"PING\r\n")
        await self.hear(b"PONG\r\n")

    async def hear_end(self):
        while rest := await self.reader.read(65536):
            if rest not in (b"PING\r\n",):
                raise Broken(f"heard {rest[:200]} instead of the end")

    def close(self):
        if self.writer:
            self.writer.close()

    def reset(self):
        reset_on_close(self.writer.get_extra_info("socket"))
        self.writer.transport.abort()

    def fresh(self, end=b""):
        return b"f.%d%s" % (self.number, end)


def msg(subject, sid, payload, reply=b""):
    head = b"MSG %s %s %s%d\r\n" % (subject, sid, reply and reply + b" ", len(payload))
    return head + payload + b"\r\n"


async def converses(talk):
    """A wildcard, a member of a queue group and a literal subscription, each with its end."""
    subject = talk.fresh(b".a")
    await talk.begin()
    talk.say(sub(talk.fresh(b".*"), b"1"), sub(subject, b"2", b"group"), sub(subject, b"3"))
    talk.say(pub(subject, b"one"))
    await talk.hear(*(msg(subject, sid, b"one") for sid in (b"1", b"2", b"3")), in_any_order=True)
    talk.say(b"UNSUB 2\r\nUNSUB 1\r\n", pub(subject, b"two"))
    await talk.hear(msg(subject, b"3", b"two"))
    talk.say(b"UNSUB 3\r\n", pub(subject, b"three"))
    await talk.fence()


async def has_enough(talk):
    """Auto-unsubscribe."""
    subject = talk.fresh()
    most = random.randint(1, 5)
    await talk.begin()
    talk.say(sub(subject, b"9"), b"UNSUB 9 %d\r\n" % most)
    talk.say(*(pub(subject, b"%d" % at) for at in range(8)))
    await talk.hear(*(msg(subject, b"9", b"%d" % at) for at in range(most)))
    await talk.fence()


async def is_verbose(talk):
    """Without CONNECT, so that each operation is answered."""
    subject = talk.fresh()
    await talk.begin(b"")
    talk.say(sub(subject, b"1"), pub(subject, b"hi"), b"UNSUB 1\r\n")
    await talk.hear(b"+OK\r\n", b"+OK\r\n", msg(subject, b"1", b"hi"), b"+OK\r\n")


async def asks_nobody(talk):
    subject, inbox = talk.fresh(b".for.nobody"), talk.fresh(b".inbox")
    await talk.begin()
    talk.say(sub(inbox, b"1"), pub(subject, b"?", inbox))
    heard = await talk.read()
    if not heard.startswith(b"HMSG %s 1 " % inbox) or b"NATS/1.0 503" not in heard:
        raise Broken(f"heard {heard} instead of 503")


async def asks_once(talk):
    """Old clients take a new inbox for each request."""
    inbox = talk.fresh(b".inbox")
    await talk.begin()
    talk.say(sub(inbox, b"1"), b"UNSUB 1 1\r\n", pub(b"svc.echo", b"who?", inbox))
    await talk.hear(msg(inbox, b"1", b"who?"))
    await talk.fence()


async def has_many(talk):
    """Hundreds of subscriptions of all shapes; half of them are left to the broker."""
    await talk.begin()
    shapes = (b".%d", b".%d.*", b".%d.>", b".*.%d", b".%d.x.y.z", b".*.*.%d.>")
    count = random.randint(50, 400)
    talk.say(*(sub(talk.fresh(random.choice(shapes) % at), b"%d" % at) for at in range(count)))
    talk.say(*(b"UNSUB %d\r\n" % at for at in range(0, count, 2)))
    await talk.fence()


async def sends_much(talk):
    """What is in flight when it goes is thrown away."""
    await talk.begin()
    talk.say(sub(talk.fresh(b".>"), b"1"))
    talk.say(*(pub(talk.fresh(b".%d" % at), bytes(2000)) for at in range(100)))
    await talk.read()
    talk.reset()


async def leaves_in_the_middle(talk):
    await talk.begin()
    talk.say(sub(talk.fresh(), b"1"), pub(talk.fresh(), bytes(500))[:random.randint(1, 500)])
    await asyncio.sleep(random.uniform(0, 0.1))
    if random.random() < 0.5:
        talk.reset()


async def hesitates(talk):
    """In the middle of an operation, perhaps from one process to the next."""
    subject = talk.fresh()
    text = pub(subject, bytes(random.choice((50, 6000))))
    await talk.begin()
    at = random.randint(1, len(text) - 1)
    talk.say(sub(subject, b"1"), text[:at])
    await asyncio.sleep(random.uniform(0.2, 5))
    talk.say(text[at:])
    await talk.hear(b"MSG %s 1 %s" % (subject, text.partition(subject + b" ")[2]))
    await talk.fence()


async def goes_wrong(talk):
    await talk.begin()
    await talk.fence()
    talk.say(random.choice((b"HELLO\r\n", b"\r\n", b"\x16\x03\x01\r\n", b"PUB x 1\r\nab\r\n")))
    await talk.hear(b"-ERR 'Unknown Protocol Operation'\r\n")
    await talk.hear_end()


async def says_nothing(talk):
    sock = await open_socket(talk.address)
    if random.random() < 0.5:
        reset_on_close(sock)
    sock.close()


SCENES = (converses, has_enough, is_verbose, asks_nobody, asks_once, has_many, sends_much,
          leaves_in_the_middle, hesitates, goes_wrong, says_nothing)
OFTEN = (converses, has_enough, asks_once, says_nothing)


class Churn:
    """So many players, in one scene after another; one for each address only stops reading."""

    def __init__(self, seed, players):
        self.seed = seed
        self.players = players
        self.addresses = []
        self.may_play = asyncio.Event()
        self.playing = self.played = self.closed = 0
        self.crashes = 0  # the scenes of before are excused
        self.is_crashing = False
        self.handovers = 0

    async def _stop_reading(self, talk):
        """Hears all, and does not read. It is closed in time, which a hand-over begins anew."""
        sock = await open_socket(talk.address, STALL_BYTES)
        talk.reader, talk.writer = await asyncio.open_connection(sock=sock, limit=STALL_BYTES)
        talk.say(QUIET, sub(b"s.>", b"1"))
        end = asyncio.get_running_loop().time() + STALL_S
        handovers = self.handovers
        while asyncio.get_running_loop().time() < end:
            if not self.may_play.is_set() or handovers != self.handovers:
                return talk.reset()
            await asyncio.sleep(0.1)
        if not talk.address.startswith("unix:"):
            return talk.reset()  # the kernel may have taken all of it: nothing waits in the broker
        try:
            while await talk.reader.read(65536):
                pass
        except ConnectionError:
            pass
        self.closed += 1

    async def _play(self, scene, number, address):
        crashes = self.crashes
        talk = Talk(number, address)
        try:
            async with asyncio.timeout(SCENE_S):
                await scene(talk)
        except (Broken, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            if crashes == self.crashes and not self.is_crashing:
                raise Broken(f"client {number}, who {scene.__name__.strip('_').replace('_', ' ')}: "
                             f"{type(error).__name__}: {error}") from error
        finally:
            talk.close()
            self.played += 1

    async def player(self, at):
        """One of them."""
        choice = random.Random(f"{self.seed} {at}")
        turn = 0
        while True:
            await self.may_play.wait()
            self.playing += 1
            number = at + turn * self.players
            try:
                if at < len(self.addresses):
                    await self._play(self._stop_reading, number, self.addresses[at])
                else:
                    scene = choice.choice(SCENES + OFTEN)
                    await self._play(scene, number, choice.choice(self.addresses))
            finally:
                self.playing -= 1
            turn += 1
            await asyncio.sleep(choice.uniform(0, 0.05))

    def begin_crash(self):
        self.is_crashing = True
        self.crashes += 1

    def end_crash(self):
        """Who came meanwhile is excused as well."""
        self.is_crashing = False
        self.crashes += 1

    async def rest(self):
        """Until all have gone home."""
        self.may_play.clear()
        while self.playing:
            await asyncio.sleep(0.05)
