# SPDX-License-Identifier: MIT
"""
Random conversations, from the grammar and from mutations of it; and the least part of one that
still fails. The same seed and number make the same conversation.
"""
import json
import random

from conversation import Conversation, Speech, Step

TOKENS = ["a", "b", "c", "foo", "x1"]
ODD_TOKENS = ["", "*", ">", "a*", ">>", "\xe9", "$SYS", "_R_", "q\"q", "\\", "\x01", "A"]
RESERVED = ["_R_.a", "_GR_.a", "_GR_.", "_R_", "$JS.ACK.x", "$JS.", "$NRG.x", "$JS.API.INFO",
            "_INBOX.a.b"]
SIDS = ["1", "2", "3", "s.1", "*", "9"]
CONNECT = {"verbose": [True, False, False, False], "pedantic": [True, False, False],
           "echo": [True, True, False], "headers": [True, True, False],
           "no_responders": [True, False, False], "protocol": [0, 1, 1], "name": ["n", "\u00e9"],
           "lang": ["c"], "version": ["1"]}
ODD_CONNECT = {"verbose": [1, None, "true"], "protocol": [2, -1, "1", None], "account": ["x", ""],
               "nonsense": [{}], "new_account": [True, False], "sig": ["x"], "user": ["joe"],
               "auth_token": ["t"], "name": [1]}
JUNK = ["", "FOO", "MSG a 1 0", "+OK", "+OK x", "-ERR", "-ERR 'x'", "INFO {}", "INFO x", "INFO",
        "PINGx", "PONG x", "LS+ a", "RMSG a", " PING", "PIN", "SUBa 1", "PUB", "UNSUB", "HPUB",
        "SUB", "CONNECT", "CONNECTx", "GET / HTTP/1.1", "PUB a -1", "PUB a 1234567890",
        "PUB a b c 1", "SUB a b c d", "UNSUB 1 2 3", "HPUB a 5 4", "HPUB a 1", "SUB a"]
BYTES = [b" ", b"\t", b"\0", b"\xff", b"'", b'"', b"*", b">", b".", b"0", b"9", b"\r\n", b"\n",
         b"{", b"}", b"P", b"-"]
SIZES = [0, 0, 1, 2, 2, 5, 10, 12, 100, 511, 512, 513, 4096, 5000]
LARGE_SIZES = [32767, 65536, 100000, 1048576, 1048577]
# How often a configuration is used, and as whom: as none for whom allow-wildcard and response-each
# matter.
USES = {None: 7, "users": 2, "limits": 1, "permits": 1}
USERS = {"users": ["joe", "joe", "jim"],
         "permits": ["denied", "both", "noqueues", "jim", "empty", "nothing", "plain"]}


class Generator:
    def __init__(self, seed, number):
        self.random = random.Random(f"{seed}.{number}")
        self.title = f"seed {seed}, number {number}"
        self.use, self.groups = None, 0

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def pick(self, choices):
        return self.random.choice(choices)

    def subject(self, wildcards):
        if self.chance(3):
            return self.pick(RESERVED)
        tokens = [self.pick(TOKENS) for _ in range(self.random.randint(1, 3))]
        for at in range(len(tokens)):
            if self.chance(25 if wildcards else 2):
                tokens[at] = "*" if at < len(tokens) - 1 or self.chance(50) else ">"
            elif self.chance(2):
                tokens[at] = self.pick(ODD_TOKENS)
        return ".".join(tokens)

    def line(self, verb, *words):
        """With the freedom that a line has."""
        if self.chance(4):
            verb = "".join(self.pick([letter.lower(), letter]) for letter in verb)
        blanks = [" ", " ", "  ", "\t", " \t "] if self.chance(4) else [" "]
        text = verb + "".join(self.pick(blanks) + word for word in words)
        text += self.pick(blanks) if self.chance(2) else ""
        return text.encode() + (b"\n" if self.chance(4) else b"\r\n")

    def number(self, value):
        return f"{value:0{self.random.randint(1, 9)}d}" if self.chance(3) else str(value)

    def credentials(self):
        if self.use not in USERS or self.chance(5):
            return {}
        return {"user": self.pick(USERS[self.use]), "pass": "wrong" if self.chance(5) else "x"}

    def connect(self):
        fields = {name: self.pick(values) for name, values in CONNECT.items() if self.chance(60)}
        if self.chance(6):
            name = self.pick(sorted(ODD_CONNECT))
            fields[name] = self.pick(ODD_CONNECT[name])
        fields.update(self.credentials())
        if fields.get("no_responders") and not self.chance(5):
            fields["headers"] = True
        text = json.dumps(fields, ensure_ascii=self.chance(50), separators=(",", ":"))
        return self.line("CONNECT", text)

    def subscribe(self):
        sid, subject = self.pick(SIDS), self.subject(wildcards=True)
        if not self.chance(20):
            return self.line("SUB", subject, sid)
        # In a group of several members it would be chance who hears.
        self.groups += 1
        return self.line("SUB", subject, f"q{self.groups}" if self.chance(95) else "_sys_", sid)

    def unsubscribe(self):
        most = self.pick(["0", "1", "2", "3", "5", "x", "-1", "002", "9999999999"])
        return self.line("UNSUB", self.pick(SIDS), *([most] if self.chance(50) else []))

    def payload(self):
        size = self.pick(LARGE_SIZES if self.chance(1) else SIZES)
        start = b"%d" % self.random.randint(0, 9) + b"PING\r\n" * self.chance(10)
        return start.ljust(size, b"x")[:size]

    def publish(self):
        payload = self.payload()
        words = [self.subject(wildcards=False)]
        words += [self.subject(wildcards=False)] if self.chance(40) else []
        if not self.chance(30):
            return self.line("PUB", *words, self.number(len(payload))) + payload + b"\r\n"
        header = b"NATS/1.0\r\n" + b"A: b\r\n" * self.random.randint(0, 2) + b"\r\n"
        header = header[:self.random.randint(0, len(header))] if self.chance(5) else header
        sizes = [self.number(len(header)), self.number(len(header) + len(payload))]
        return self.line("HPUB", *words, *sizes) + header + payload + b"\r\n"

    def junk(self):
        return self.pick(JUNK).encode() + b"\r\n"

    def operation(self):
        kinds = {self.publish: 50, self.subscribe: 30, self.unsubscribe: 12, self.junk: 1,
                 lambda: self.line("PING"): 3, lambda: self.line("PONG"): 2, self.connect: 0.3}
        return self.random.choices(list(kinds), list(kinds.values()))[0]()

    def mutate(self, text):
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randint(0, len(text))
            to = min(len(text), at + self.pick([1, 1, 1, 2, 5, 20]))
            text = self.pick([
                lambda: text[:at] + self.pick(BYTES) + text[at:],
                lambda: text[:at] + text[to:],
                lambda: text[:at] + self.pick(BYTES) + text[to:],
                lambda: text[:to] + text[at:],
                lambda: text[:at] + text[at:to].swapcase() + text[to:],
            ])()
        return text

    def make_steps(self):
        names = "ABC"[:self.pick([1, 2, 2, 3])]
        connects = 100 if self.use in USERS else 85
        steps = [Step(who, self.connect() if self.chance(connects) else b"") for who in names]
        for _ in range(self.random.randint(2, 8)):
            text = b"".join(self.operation() for _ in range(self.random.randint(1, 5)))
            steps.append(Step(self.pick(names), text))
        return steps

    def cut(self, step):
        count = self.random.randint(1, 3)
        step.cuts = [self.random.randint(0, len(step.text)) for _ in range(count)]

    def make(self):
        self.use = self.random.choices(list(USES), list(USES.values()))[0]
        steps = self.make_steps()
        if self.chance(40):
            for step in self.random.sample(steps, self.random.randint(1, 2)):
                step.text = self.mutate(step.text)
        make_whole(steps)
        if self.chance(15):
            for step in self.random.sample(steps, self.random.randint(1, 3)):
                self.cut(step)
        conversation = Conversation(self.title, steps)
        conversation.use = self.use
        return conversation


def make_whole(steps):
    """Each step ends with a whole operation, or whoever waits for its end waits for ever."""
    speeches = {}
    for step in steps:
        if step.text is not None:
            speech = speeches.setdefault(step.who, Speech())
            speech.take(step.text)
            step.text += speech.rest()
            speech.take(speech.rest())


class Shrinker:
    """fails() is asked so often at most."""

    def __init__(self, conversation, fails, budget=500):
        self.best, self.fails, self.budget = conversation, fails, budget

    def attempt(self, steps):
        if self.budget <= 0:
            return False
        self.budget -= 1
        steps = [Step(step.who, step.text, step.cuts, step.waits) for step in steps]
        make_whole(steps)
        smaller = self.best.like(steps)
        if not self.fails(smaller):
            return False
        self.best = smaller
        return True

    def drop_steps(self):
        for at in reversed(range(len(self.best.steps))):
            self.attempt(self.best.steps[:at] + self.best.steps[at + 1:])

    def with_text(self, at, text, cuts):
        steps = list(self.best.steps)
        steps[at] = Step(steps[at].who, text, cuts)
        return steps

    def drop_bytes(self, at, size):
        """Pieces of that size, or lines with size 0."""
        start = 0
        while self.budget > 0 and start < len(self.best.steps[at].text or b""):
            text, cuts = self.best.steps[at].text, self.best.steps[at].cuts
            end = start + size if size else text.find(b"\n", start) + 1 or len(text)
            kept = [cut if cut <= start else max(start, cut - (end - start)) for cut in cuts]
            smaller = text[:start] + text[end:]
            if not smaller or not self.attempt(self.with_text(at, smaller, kept)):
                start = end

    def shrink(self):
        self.drop_steps()
        for at, step in enumerate(self.best.steps):
            if step.cuts:
                self.attempt(self.with_text(at, step.text, []))
        for size in (1 << 18, 1 << 13, 0, 256, 32, 8, 1):
            for at in range(len(self.best.steps)):
                self.drop_bytes(at, size)
            self.drop_steps()
        return self.best
