# SPDX-License-Identifier: MIT
"""
What minats does otherwise on purpose with a line, told as another line with which a nats-server
does the same. So all that is heard can be compared, before such a line and behind it, by whomever.
"""
import itertools
import json
import re

from conversation import Speech, Step

CLOSE = b"CONNECT \r\n"  # ends a connection without a word
TOLD_MAX = 4  # lines of one conversation of which all combinations are tried
LINE = re.compile(rb"([^\s{]+)([ \t]*)(.*?)(\r?\n)", re.S)


def of_hmsg(verb, blank, _words, _end):
    return b"MSG\r\n" if verb == b"HMSG" and blank else None


def of_client_err(verb, blank, _words, _end):
    return CLOSE if verb == b"-ERR" and blank else None


def of_lf_after_verb(verb, blank, words, end):
    """Then its LF ends the line, as with a CR before it."""
    takes_words = verb in (b"CONNECT", b"INFO") or (blank and verb in ARGUMENTS)
    return verb + b" \r\n" if takes_words and not words and end == b"\n" else None


def of_inner_cr(verb, blank, words, end):
    """JSON has it as a blank, so that only the end of the line has to be told."""
    if b"\r" not in words:
        return None
    if verb in (b"CONNECT", b"INFO"):
        return verb + b" " + words + b"\r\n" if end == b"\n" else None
    return CLOSE if blank and verb in ARGUMENTS else None


def of_duplicate_keys(verb, _blank, words, _end):
    """Of a key only the last one counts."""
    try:
        pairs = json.loads(words, object_pairs_hook=list) if verb == b"CONNECT" else []
    except ValueError:
        return None
    if not words.startswith(b"{") or len(pairs) == len(dict(pairs)):
        return None
    return b"CONNECT " + json.dumps(json.loads(words)).encode() + b"\r\n"


ARGUMENTS = (b"PUB", b"HPUB", b"SUB", b"UNSUB", b"-ERR")
CAUSES = {"hmsg": of_hmsg, "client-err": of_client_err, "lf-after-verb": of_lf_after_verb,
          "cr-in-line": of_inner_cr, "duplicate-keys": of_duplicate_keys}


def control_lines(conversation):
    """Each with its step and where in that it begins; none of what is payload."""
    speeches = {}
    for at, step in enumerate(conversation.steps):
        speech = speeches.setdefault(step.who, Speech())
        start, known = speech.length, len(speech.lines)
        speech.take(step.text or b"")
        for begin, line in speech.lines[known:]:
            if begin >= start:
                yield at, begin - start, line


def find_causes(conversation):
    """Of each line that is one: its key, and how to tell it."""
    for at, begin, line in control_lines(conversation):
        parts = LINE.fullmatch(line)
        verb = parts[1].upper() if parts else None
        for key, cause in CAUSES.items() if parts else ():
            told = cause(verb, *parts.groups()[1:])
            if told:
                yield key, (at, begin, line, told)
                break


def has_second_connect(conversation):
    """Somebody has subscribed before it."""
    connected, subscribed = set(), set()
    for at, _, line in control_lines(conversation):
        who, verb = conversation.steps[at].who, line[:7].upper()
        if verb == b"CONNECT" and line != CLOSE:
            if who in connected and who in subscribed:
                return True
            connected.add(who)
        if verb.startswith(b"SUB"):
            subscribed.add(who)
    return False


def tell_line(step, begin, line, told):
    end, more = begin + len(line), len(told) - len(line)
    cuts = [cut if cut <= begin else cut + more for cut in step.cuts if not begin < cut < end]
    return Step(step.who, step.text[:begin] + told + step.text[end:], cuts, step.waits)


def tell(conversation):
    """The keys of what is told otherwise, and the conversation with it."""
    found = list(find_causes(conversation))[:TOLD_MAX]
    for count in range(1, len(found) + 1):
        for chosen in itertools.combinations(found, count):
            steps = list(conversation.steps)
            # The last one first, or its place would not be the same.
            for _, (at, *change) in reversed(chosen):
                steps[at] = tell_line(steps[at], *change)
            yield {key for key, _ in chosen}, conversation.like(steps)
