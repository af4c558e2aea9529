# SPDX-License-Identifier: MIT
"""What happens in a soak, in which order, and what was promised of it."""
import asyncio
import random
import statistics
import time

from broker import Broker
from churn import WRITE_DEADLINE_S, Churn
from crowd import Crowd
from sabotage import Saboteur
from wire import Broken

SETTLE_S = 11  # what nobody has needed for five seconds goes back; twice, and a bit
BURST_S = 9
STAY_S = 2 * (BURST_S + SETTLE_S)
CYCLE_S = STAY_S + 20
CYCLES = 10  # at most
PAUSES_S = (0.2, 3.5)  # from one hand-over to the next
# Of private memory, in kB: a heap has holes, and each time they are elsewhere.
SPREAD_KB, SPREAD_PART = 256, 0.1
OPTIONS = ("--write_deadline", f"{WRITE_DEADLINE_S}s", "--max_pending", "16mb")


def limit_of(private):
    return private * (1 + SPREAD_PART) + SPREAD_KB


def medians_of_halves(numbers):
    half = (len(numbers) + 1) // 2
    return statistics.median(numbers[:half]), statistics.median(numbers[-half:])


class Soak:
    def __init__(self, options, folder):
        self.options = options
        self.random = random.Random(options.seed)
        self.saboteur = Saboteur(options.sabotage)
        self.broker = Broker(options.program, folder, self.saboteur.environment(options.build))
        self.crowd = Crowd(options.rate)
        self.churn = Churn(options.seed, options.churners)
        self.start = time.monotonic()
        self.upgrades = self.restarts = self.crashes = 0
        self.samples = []  # of each process: [(private kB, resident kB, descriptors), ...]
        self.bag = []
        self.broken = None

    def elapsed(self):
        return time.monotonic() - self.start

    # The first half: what happens to the broker.

    async def _crash(self):
        self.crashes += 1
        self.churn.begin_crash()
        await self.crowd.crash(self.broker.crash)
        await asyncio.sleep(self.random.uniform(0, 0.3))
        await self.broker.start()
        await self.crowd.come_again(self.broker.addresses)
        self.churn.end_crash()

    async def _upgrade(self):
        self.upgrades += 1
        await self.broker.upgrade()

    async def _restart(self):
        self.restarts += 1
        await self.broker.restart()

    async def _move(self, until):
        self.churn.may_play.set()
        while self.elapsed() < until:
            await asyncio.sleep(self.random.uniform(*PAUSES_S))
            if not self.bag:
                self.bag = [self._upgrade, self._restart] * 2 + [self._crash]
                self.random.shuffle(self.bag)
            self.churn.handovers += 1
            await self.bag.pop()()
            if await self.broker.stored() != ["parcel"]:
                raise Broken(f"the supervisor keeps {await self.broker.stored()}")
        await self.crowd.fence()

    # The second half: what it uses.

    def _measure(self):
        usage = self.broker.usage()
        self.samples[-1].append(usage)
        if len(self.samples) == len(self.samples[-1]) == 1:
            print("    time  process   served   published   delivered  private kB  resident kB  "
                  "descriptors")
        print(f"{self.elapsed():6.0f} s  {self.broker.starts:7}  {self.churn.played:7}  "
              f"{sum(self.crowd.ledger.sent):10}  {self.crowd.ledger.delivered:10}  "
              f"{usage[0]:10}  {usage[1]:11}  {usage[2]:11}", flush=True)

    async def _settle(self):
        await self.churn.rest()
        self.crowd.is_paused = True
        await self.crowd.fence()
        await asyncio.sleep(SETTLE_S)
        self._measure()
        self.crowd.is_paused = False

    async def _stay(self, until, burst):
        self.samples.append([])
        while len(self.samples[-1]) < 2 or self.elapsed() + burst + SETTLE_S < until:
            self.churn.may_play.set()
            await asyncio.sleep(burst)
            await self._settle()

    async def _cycles(self):
        seconds = max(self.options.seconds, STAY_S)
        count = min(max(int(seconds / CYCLE_S), 1), CYCLES)
        for at in range(1, count + 1):
            stay = max(seconds / count / 2, STAY_S)
            await self._move(seconds * at / count - stay)
            await self._stay(seconds * at / count, max(BURST_S, stay / 5 - SETTLE_S))

    # All of it.

    def _note(self, _, context):
        self.broken = self.broken or context.get("exception") or Broken(context["message"])

    async def _guard(self, main, *others):
        """Until `main` is done or one of them, or a connection, has found a fault."""
        tasks = [asyncio.ensure_future(work) for work in (main, *others)]
        try:
            while not tasks[0].done() and not self.broken:
                await asyncio.wait(tasks, timeout=0.2, return_when=asyncio.FIRST_EXCEPTION)
                for task in tasks:
                    # Who stays has noticed before others miss him.
                    if task.done() and not self.broken:
                        task.result()
            if self.broken:
                raise self.broken
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self):
        asyncio.get_running_loop().set_exception_handler(self._note)
        try:
            await self.broker.begin(OPTIONS)
            self.churn.addresses = self.broker.addresses
            await self.crowd.join(self.broker.addresses)
            self.saboteur.begin(self)
            await self._guard(self._cycles(), self.crowd.publish(), self.crowd.fence_often(),
                              *(slow.dawdle() for slow in self.crowd.slow()),
                              *(self.churn.player(at) for at in range(self.churn.players)))
            for client in self.crowd.everybody():
                client.close()
            await self.broker.end()
        finally:
            await self.broker.leave()

    def promises(self):
        """(what was promised, what is wrong with it or None)"""
        crowd, churn = self.crowd, self.churn
        for count, kept in (
            (crowd.ledger.delivered, "messages came, each once to each subscription and queue "
                                     f"group, in order ({crowd.fences} fences)"),
            (crowd.answered, "requests were answered once"),
            (churn.played, "clients came and went and heard what they should"),
            (churn.closed, "clients that did not read were closed"),
            (self.upgrades, "upgrades disconnected nobody"),
            (self.restarts, "restarts disconnected nobody"),
            (self.crashes, f"kills: {crowd.ledger.lost} deliveries were lost, none before its "
                           "fence"),
        ):
            yield f"{count} {kept}", None if count else "there was none"
        private = [[sample[0] for sample in process] for process in self.samples]
        descriptors = {sample[2] for process in self.samples for sample in process}
        alarms = self.broker.alarms()
        if not self.broker.is_sanitized():  # what was freed would be kept for a while
            worst = max(max(process[1:]) - limit_of(process[0]) for process in private)
            yield (f"private memory of a process stays within {SPREAD_PART:.0%} and {SPREAD_KB} kB",
                   None if worst <= 0 else f"{worst:.0f} kB more than that: {private}")
            first, last = medians_of_halves([process[-1] for process in private])
            yield (f"and so from one to the next: {first:g} kB in the first half, {last:g} in the "
                   "second", None if last <= limit_of(first) else f"it grows: {private}")
        yield (f"descriptors are as many each time: {descriptors}",
               None if len(descriptors) == 1 else "they are not")
        yield "the log knows of no fault", "\n".join(alarms[:10]) or None
