# SPDX-License-Identifier: MIT
"""
Conversations with a broker as text, in files of tests/differ/conversations:

    # a comment
    == TITLE            a conversation
    =each TITLE         each line that follows is one of its own; those with a + come first in all
    use NAME            with configurations/NAME.conf
    differs KEY         differences.txt says why the brokers differ; what minats says stands below
    totals              of queue groups with several members: what they hear together is compared
    A TEXT              client A says TEXT and CRLF. Its lines until another speaks go in one write
    b TEXT              so does b, who has said before that he is quiet and wants headers and 503
    -                   what follows is another write, after the answer to this one
    A.                  A closes its side, and hears the rest
    A~                  A waits until the broker hangs up
    A< TEXT             all in all A hears these lines from minats, INFO left out
    A<-                 or nothing

In TEXT \\r \\n \\t \\0 \\\\ \\xNN are bytes, \\{N TEXT} is TEXT N times, and \\| ends a segment; a
\\ at the end of the line means that no CRLF follows.
"""
import re

QUIET = (b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n')
PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", "|": b"\x00|"}
NAMED = {b"\r": "\\r", b"\n": "\\n", b"\t": "\\t", b"\\": "\\\\"}
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|\{(\d+) ((?:[^}\\]|\\x..|\\.)*)\}|(.))", re.S)


class Step:
    """What one client says. Without bytes it only connects; with None it leaves, or waits."""

    def __init__(self, who, text, cuts=(), waits=False):
        self.who, self.text, self.cuts, self.waits = who, text, list(cuts), waits

    def segments(self):
        ends = [cut for cut in sorted(set(self.cuts)) if 0 < cut < len(self.text)]
        return [self.text[a:b] for a, b in zip([0, *ends], [*ends, len(self.text)])]


class Conversation:
    def __init__(self, title, steps=()):
        self.title, self.steps = title, list(steps)
        self.use, self.key, self.totals, self.expected = None, None, False, {}

    def like(self, steps):
        """The same, but with other steps."""
        other = Conversation(self.title, steps)
        other.use, other.key, other.totals = self.use, self.key, self.totals
        return other

    def clients(self):
        return sorted({step.who for step in self.steps})

    def said_by(self, who):
        return b"".join(step.text for step in self.steps if step.who == who and step.text)


def decode(text):
    """The bytes, and where segments end."""
    out, cuts, at = b"", [], 0
    for match in ESCAPE.finditer(text):
        out += text[at:match.start()].encode()
        at = match.end()
        code, count, repeated, plain = match.groups()
        if code:
            out += bytes([int(code, 16)])
        elif count:
            out += decode(repeated)[0] * int(count)
        elif plain == "|":
            cuts.append(len(out))
        else:
            out += PLAIN[plain]
    return out + text[at:].encode(), cuts


def read_line(step, text):
    """Appends a line to a step."""
    whole = not re.search(r"(?<!\\)(\\\\)*\\$", text)
    out, cuts = decode(text if whole else text[:-1])
    step.cuts += [len(step.text) + cut for cut in cuts]
    step.text += out + (b"\r\n" if whole else b"")


class Reader:
    """Reads the files; one object for each."""

    def __init__(self, path):
        self.path, self.found, self.each = path, [], False
        self.now, self.common, self.fresh, self.titled = None, [], True, None

    def fail(self, number, line):
        raise SystemExit(f"{self.path}:{number}: not understood: {line}")

    def begin(self, title, number, each):
        self.titled = Conversation(f"{self.path}:{number}: {title}")
        self.each, self.common, self.fresh = each, [], True
        self.now = self.titled
        if not each:
            self.found.append(self.now)

    def say(self, steps, who, text):
        known = any(step.who == who for step in steps)
        if self.fresh or not steps or steps[-1].who != who or steps[-1].text is None:
            steps.append(Step(who, QUIET if who.islower() and not known else b""))
        self.fresh = False
        read_line(steps[-1], text)

    def say_alone(self, number, who, text):
        alone = self.titled.like([Step(step.who, step.text, step.cuts) for step in self.common])
        alone.title = f"{self.path}:{number}: {self.titled.title.split(': ', 1)[1]}"
        self.say(alone.steps, who, text)
        self.found.append(alone)

    def expect(self, who, text):
        line = b"" if text is None else decode(text)[0] + b"\r\n"
        self.now.expected[who] = self.now.expected.get(who, b"") + line

    def line(self, number, line):
        title = re.match(r"=(=|each) (.*)", line)
        spoken = re.match(r"(\+?)([A-Za-z]) (.*)|(\+?)([A-Za-z])()$", line, re.S)
        heard = re.match(r"([A-Za-z])<(?:(-)| (.*))?$", line)
        if not line or line.startswith("#"):
            return
        if title:
            self.begin(title[2], number, title[1] == "each")
        elif not self.titled:
            self.fail(number, line)
        elif line.startswith("use "):
            self.titled.use = line[4:]
        elif line.startswith("differs "):
            self.titled.key = line[8:]
        elif line == "totals":
            self.titled.totals = True
        elif line == "-":
            self.fresh = True
        elif re.match(r"[A-Za-z][.~]$", line):
            self.now.steps.append(Step(line[0], None, waits=line[1] == "~"))
        elif heard:
            self.expect(heard[1], None if heard[2] else heard[3] or "")
        elif spoken:
            plus, who, text = [part for part in spoken.groups() if part is not None]
            if not self.each or plus:
                self.say(self.common if self.each else self.now.steps, who, text)
            else:
                self.say_alone(number, who, text)
        else:
            self.fail(number, line)

    def read(self, lines):
        for number, line in enumerate(lines, 1):
            self.line(number, line.rstrip("\n"))
        return self.found


def read_file(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return Reader(path).read(file)


def encode(text):
    """Bytes as the files have them; runs of one byte are folded."""
    shown = []
    for match in re.finditer(rb"(.)\1{39,}|.", text, re.S):
        byte, count = match[0][:1], len(match[0])
        one = byte.decode() if b" " <= byte < b"\x7f" else f"\\x{byte[0]:02x}"
        one = NAMED.get(byte, one) if count == 1 or byte != b"}" else "\\x7d"
        shown.append(f"\\{{{count} {one}}}" if count > 1 else one)
    # A blank at the end of a line is not seen.
    return re.sub(r" $", r"\\x20", "".join(shown))


def write_step(step):
    if step.text is None:
        return [f"{step.who}~" if step.waits else f"{step.who}."]
    lines, at = [], 0
    ends = [match.end() for match in re.finditer(rb"\r\n", step.text)]
    for end in [*ends, len(step.text)]:
        cuts = [cut for cut in sorted(set(step.cuts)) if at <= cut < end and 0 < cut]
        pieces = [step.text[a:b] for a, b in zip([at, *cuts], [*cuts, end])]
        whole = pieces[-1].endswith(b"\r\n")
        if whole:
            pieces[-1] = pieces[-1][:-2]
        if end > at:
            line = "\\|".join(encode(piece) for piece in pieces)
            lines.append(f"{step.who} {line}" + ("" if whole else "\\"))
        at = end
    return lines or [f"{step.who} \\"]


def write(conversation):
    """The conversation as the files have it; clients with small letters are spelled out."""
    lines = [f"== {conversation.title.split(': ', 1)[-1]}"]
    lines += [f"use {conversation.use}"] if conversation.use else []
    lines += ["totals"] if conversation.totals else []
    before = None
    for step in conversation.steps:
        lines += ["-"] if before == step.who else []
        lines += write_step(Step(step.who.upper(), step.text, step.cuts, step.waits))
        before = step.who
    return "\n".join(lines) + "\n"


class Speech:
    """
    Follows what a client says, to know whether an operation is whole, how often it pings, and what
    is a control line: `lines` are those that are whole, and where each begins.
    """

    def __init__(self):
        self.line, self.left, self.pings = b"", 0, 0
        self.lines, self.length = [], 0

    def take(self, text):
        self.length += len(text)
        while text:
            if self.left:
                taken = min(self.left, len(text))
                text, self.left = text[taken:], self.left - taken
                continue
            end = text.find(b"\n") + 1
            self.line += text[:end] if end else text
            text = text[end:] if end else b""
            if end:
                self.left = payload_length(self.line)
                self.lines.append((self.length - len(text) - len(self.line), self.line))
                self.pings += self.line[:4].upper() == b"PING"
                self.line = b""

    def rest(self):
        """What makes it whole."""
        if self.left:
            return (b"x" * (self.left - 2) + b"\r\n")[-self.left:]
        return b"\r\n" if self.line else b""


def payload_length(line):
    """What follows this line, with its CRLF; 0: nothing, or the connection will end."""
    words = line.rstrip(b"\r\n").replace(b"\t", b" ").split()
    verb = words[0].upper() if words else b""
    if verb in (b"PUB", b"HPUB") and re.fullmatch(rb"[0-9]{1,9}", words[-1]) and len(words) > 2:
        return int(words[-1]) + 2
    return 0
