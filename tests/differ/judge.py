# SPDX-License-Identifier: MIT
"""
Whether two brokers said the same. What may differ stands in tests/differences.txt; each such place
in here names its key.
"""
import json
import re

from arena import MESSAGE, read_info
from causes import CAUSES, has_second_connect

# Each connection and each process has its own.
IDENTITY = {"server_id", "server_name", "host", "port", "client_id", "client_ip", "nonce"}
INFO_KEYS = {"info-version": {"version", "go", "minats"},
             "info-extras": {"git_commit", "api_lvl", "xkey"}}
DENIED = re.compile(rb"-ERR 'Permissions Violation for Subscription to .*\(sid \"(.*)\"\)'\r\n",
                    re.S)
RESERVED = re.compile(rb"-ERR 'Permissions Violation for Publish "
                      rb"(to \"\$NRG|with Reply of \"\$JS)\.")


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


KEYS = {*INFO_KEYS, *CAUSES, "second-connect", *(key for key, *_ in EXCUSES if key)}


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
    return verdict


def speak_older(heard):
    """As nats-server 2.9 says it: no INFO again, and less in a 503 and of a queue group."""
    def shorten(op):
        op = re.sub(rb"^(HMSG .*) \d+ \d+\r\n(NATS/1.0 503\r\n)Nats-Subject: [^\r]*\r\n",
                    rb"\1 16 16\r\n\2", op, flags=re.S)
        return re.sub(rb"^(-ERR 'Permissions .*\") using queue \".*\" (\(sid )", rb"\1 \2", op)
    return {who: [shorten(op) for at, op in enumerate(ops) if not at or op[:5] != b"INFO "]
            for who, ops in heard.items()}


def compare_older(conversation, ours, older):
    verdict = compare(conversation, speak_older(ours), speak_older(older))
    if speak_older(ours) != ours:
        verdict.keys.add("older")
    return verdict


def is_503(op):
    return op.startswith(b"HMSG ") and b"\r\nNATS/1.0 503\r\n" in op


def lacks_messages(ours, theirs):
    """Theirs is ours without some messages, and perhaps with a 503 for want of a subscription."""
    ours, theirs = ([op for op in ops if not is_503(op)] for ops in (ours, theirs))
    at = 0
    for op in ours:
        if at < len(theirs) and same_operation(Verdict(), op, theirs[at]):
            at += 1
        elif not MESSAGE.match(op) and not DENIED.match(op):
            return False
    return at == len(theirs)


def end_denied(ours, older):
    """What the second user may not hear ends, with a word; the older one goes on as before."""
    denied = [op for op in ours if DENIED.match(op) and op not in older]
    for op in denied:
        at, sid = ours.index(op), DENIED.match(op)[1]
        ours = ours[:at] + ours[at + 1:]
        messages = [MESSAGE.match(other) for other in older[at:]]
        rest = [other for other, is_to in zip(older[at:], messages) if not is_to or is_to[3] != sid]
        older = older[:at] + rest
    return ours, older


def meets_reserved(heard):
    """What the older one still lets through, to whomever."""
    return any(RESERVED.match(op) for ops in heard.values() for op in ops)


def keeps_subscriptions(conversation, ours, theirs, older):
    """Over a second CONNECT. The older one keeps them as well, so that it must say the same."""
    if not older or meets_reserved(ours):
        return all(lacks_messages(ours[who], theirs.get(who, [])) for who in ours)
    older = speak_older(older)
    pairs = {who: end_denied(ops, older.get(who, [])) for who, ops in speak_older(ours).items()}
    return not compare(conversation, *({who: pair[at] for who, pair in pairs.items()}
                                       for at in (0, 1))).left


def loses_messages(conversation, ours, older):
    """As the newest does over a second CONNECT; so must whoever gets into another account."""
    if conversation.use == "accounts" or meets_reserved(ours):
        return False
    ours, older = speak_older(ours), speak_older(older)
    return any(older[who][1:] != ops[1:] and lacks_messages(older[who][1:], ops[1:])
               for who, ops in ours.items())


def read_keys(path):
    with open(path, encoding="utf-8") as file:
        return set(re.findall(r"^([a-z0-9-]+):", file.read(), re.M))


def without_info(ops):
    return b"".join(op for op in ops if not op.startswith(b"INFO "))


def check_expected(conversation, ours, verdict):
    for who, expected in conversation.expected.items():
        if without_info(ours.get(who, [])) != expected:
            return f"{who} heard something else than what stands there"
    if conversation.key and not verdict.left:
        return f"names {conversation.key}, but nothing differs"
    if conversation.key and not conversation.expected:
        return f"names {conversation.key}, but not what is heard instead"
    return None


def check_older(conversation, ours, theirs, older):
    """What is the same in both others must be so in ours. Who heard otherwise, and the keys."""
    verdict = compare_older(conversation, ours, older)
    theirs, older = speak_older(theirs), speak_older(older)
    # Without excuses, which are for what is ours.
    differ = [who for who in verdict.left
              if not same_operations(Verdict(), theirs.get(who, []), older.get(who, []))]
    verdict.keys |= {"older"} if differ else set()
    return [who for who in verdict.left if who not in differ], verdict.keys


def find_fault(conversation, ours, theirs, older=None):
    """Why the conversation fails, or None; and the keys that it met."""
    verdict = compare(conversation, ours, theirs)
    fault = check_expected(conversation, ours, verdict)
    if fault or conversation.key:
        return fault, verdict.keys | ({conversation.key} if conversation.key else set())
    is_second = has_second_connect(conversation)
    if is_second and verdict.left and keeps_subscriptions(conversation, ours, theirs, older):
        return None, verdict.keys | {"second-connect"}
    if is_second and older and loses_messages(conversation, ours, older):
        return "the subscriptions are lost over a second CONNECT", verdict.keys
    if verdict.left:
        return f"{', '.join(verdict.left)} heard something else", verdict.keys
    left, keys = check_older(conversation, ours, theirs, older) if older else ([], set())
    fault = f"{', '.join(left)} heard what neither of the others says" if left else None
    return fault, verdict.keys | keys


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
