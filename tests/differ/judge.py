# SPDX-License-Identifier: MIT
"""
Whether two brokers said the same. What may differ stands in tests/differences.txt; each such place
in here names its key.
"""
import json
import re

from arena import read_info

# Each connection and each process has its own.
IDENTITY = {"server_id", "server_name", "host", "port", "client_id", "client_ip", "nonce"}
INFO_KEYS = {"info-version": {"version", "go", "minats"},
             "info-extras": {"git_commit", "api_lvl", "xkey"}}


class Verdict:
    """`keys` are of named differences that were met; who heard others is in `left`."""

    def __init__(self):
        self.keys, self.left = set(), []


def compare_info(verdict, ours, theirs):
    ours, theirs = read_info(ours), read_info(theirs)
    for key, fields in INFO_KEYS.items():
        if any(ours.get(field) != theirs.get(field) for field in fields):
            verdict.keys.add(key)
    named = IDENTITY.union(*INFO_KEYS.values())
    same = all(ours.get(field) == theirs.get(field) for field in {*ours, *theirs} - named)
    return same and ("nonce" in ours) == ("nonce" in theirs)


def same_operation(verdict, ours, theirs):
    if ours.startswith(b"INFO ") and theirs.startswith(b"INFO "):
        return compare_info(verdict, ours, theirs)
    return ours == theirs


def same_operations(verdict, ours, theirs):
    pairs = [same_operation(verdict, a, b) for a, b in zip(ours, theirs)]
    return len(ours) == len(theirs) and all(pairs)


def hide_sids_of_503(ops):
    """Which of its subscriptions tells a client that nobody responds is not said (PROTOCOL 6.7)."""
    line = re.compile(rb"^(HMSG \S+) \S+ (\d+ \d+\r\nNATS/1.0 503\r\n)")
    return [line.sub(rb"\1 ? \2", op) for op in ops]


def say_once(ops):
    complaint = b"-ERR 'Invalid Publish Subject'\r\n"
    return [op for at, op in enumerate(ops) if op != complaint or ops[at - 1:at] != [op]]


def drop_early_denial(ops):
    """Of a message that never comes to its end."""
    end = len(ops) - (ops[-1:] == [b"-ERR 'Unknown Protocol Operation'\r\n"])
    last = ops[end - 1] if end else b""
    is_denial = last.startswith(b"-ERR 'Permissions Violation for Publish ")
    return ops[:end - 1] + ops[end:] if is_denial else ops


def write_sizes_anew(ops):
    sizes = re.compile(rb"^(H?MSG .*?)((?: \d+){1,2})\r\n", re.S)

    def write(found):
        return found[1] + re.sub(rb" 0+(?=\d)", b" ", found[2]) + b"\r\n"
    return [sizes.sub(write, op) for op in ops]


def always(_ours, _theirs):
    return True


def longer(ops, others):
    return len(ops) > len(others)


# A key, whether it is for what both said or for ours alone, when, and what then makes equals of
# them. Each adds to those before; without a key it is no difference.
EXCUSES = [
    (None, True, always, hide_sids_of_503),
    ("sizes-anew", True, always, write_sizes_anew),
    ("pedantic-once", True, always, say_once),
    ("denied-early", False, longer, drop_early_denial),
]


def has_inner_cr(text):
    return re.search(rb"\r[^\n]", text) or text.endswith(b"\r")


def has_double_key(text):
    for json_text in re.findall(rb"(?i)^CONNECT\s*(\{.*\})", text, re.M):
        names = [name.lower() for name in re.findall(rb'"(\w+)"\s*:', json_text)]
        if len(names) != len(set(names)):
            return True
    return False


# A key and what a client must have said for the difference to come of it.
CAUSES = {
    "hmsg": lambda text: re.search(rb"(?i)hmsg", text),
    "cr-in-line": has_inner_cr,
    "lf-after-verb": lambda text: re.search(
        rb"(?i)((SUB|PUB|-ERR)[ \t]|CONNECT|INFO)[ \t]*\n", text),
    "client-err": lambda text: re.search(rb"(?is)-ERR[ \t].*\n.", text),
    "second-connect": lambda text: re.search(rb"(?is)CONNECT.*SUB.*CONNECT", text),
    "duplicate-keys": has_double_key,
}

KEYS = {*INFO_KEYS, *CAUSES, *(key for key, *_ in EXCUSES if key)}


def cause_of(conversation):
    for key, is_cause in CAUSES.items():
        if any(is_cause(conversation.said_by(who)) for who in conversation.clients()):
            return key
    return None


def compare_heard(verdict, ours, theirs, excuses):
    if same_operations(verdict, ours, theirs):
        return True
    keys = set()
    for key, for_both, applies, excuse in excuses:
        before = ours, theirs
        if applies(ours, theirs):
            ours, theirs = excuse(ours), excuse(theirs) if for_both else theirs
        keys |= {key} if key and (ours, theirs) != before else set()
        if same_operations(verdict, ours, theirs):
            verdict.keys |= keys
            return True
    return False


def compare(conversation, ours, theirs):
    verdict = Verdict()
    excuses = [] if conversation.key else EXCUSES
    verdict.left = [who for who in sorted({*ours, *theirs})
                    if not compare_heard(verdict, ours.get(who, []), theirs.get(who, []), excuses)]
    cause = cause_of(conversation) if verdict.left and not conversation.key else None
    if cause:
        verdict.keys.add(cause)
        verdict.left = []
    return verdict


def read_keys(path):
    with open(path, encoding="utf-8") as file:
        return set(re.findall(r"^([a-z0-9-]+):", file.read(), re.M))


def without_info(ops):
    return b"".join(op for op in ops if not op.startswith(b"INFO "))


def find_fault(conversation, ours, theirs):
    """Why the conversation fails, or None; and the keys that it met."""
    verdict = compare(conversation, ours, theirs)
    for who, expected in conversation.expected.items():
        if without_info(ours.get(who, [])) != expected:
            return f"{who} heard something else than what stands there", verdict.keys
    if conversation.key and not verdict.left:
        return f"names {conversation.key}, but nothing differs", verdict.keys
    if conversation.key and not conversation.expected:
        return f"names {conversation.key}, but not what is heard instead", verdict.keys
    if conversation.key:
        return None, verdict.keys | {conversation.key}
    if verdict.left:
        return f"{', '.join(verdict.left)} heard something else", verdict.keys
    return None, verdict.keys


def show(ops):
    """For a report: INFO in short, each operation on a line."""
    shown = []
    for op in ops:
        if op.startswith(b"INFO "):
            info = {key: value for key, value in read_info(op).items() if key not in IDENTITY}
            op = b"INFO " + json.dumps(info).encode()
        text = repr(op)[2:-1]
        shown.append(text if len(text) < 300 else f"{text[:200]}... ({len(op)} bytes)")
    return shown
