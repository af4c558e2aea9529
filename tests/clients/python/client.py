# SPDX-License-Identifier: MIT
"""What a user of the Python client library expects of a broker, one case a run:
python3 client.py URL CASE.

Exits 0 when the case holds; else a traceback says where it did not, and why. The case
`reconnect` prints a line `restart` when it wants the broker restarted, and waits for it.
"""
import asyncio
import os
import random
import sys
from urllib.parse import urlparse

import nats
import nats.errors

PATIENCE = 20  # seconds, for what must happen; long, for a busy machine
MAX_PAYLOAD = 1048576

# Every byte there is, then what would be protocol if it were not payload.
BINARY = bytes(range(256)) + b"\r\nPING\r\n-ERR 'x'\r\nMSG a 1 1\r\n\r\n"
NOISE = random.Random(1).randbytes(MAX_PAYLOAD + 1)


async def dial(url, **options):
    return await nats.connect(url, connect_timeout=PATIENCE, **options)


async def settle(nc):
    """The broker has done all that this connection asked for, and its answers are here.

    Twice, because the library writes the PING ahead of what it still keeps to be written.
    """
    await nc.flush(PATIENCE)
    await nc.flush(PATIENCE)


async def hear(nc, subject, **options):
    sub = await nc.subscribe(subject, **options)
    await settle(nc)
    return sub


async def next_is(sub, subject, payload):
    msg = await sub.next_msg(PATIENCE)
    assert msg.subject == subject, msg.subject
    assert msg.data == payload, f"payload differs: {len(msg.data)} bytes, {len(payload)} wanted"
    return msg


async def is_silent(nc, *subs):
    """All that was sent before on this connection has come back: nothing can be on the way."""
    await settle(nc)
    for sub in subs:
        assert sub.pending_msgs == 0, f"{sub.pending_msgs} more on {sub.subject}"


async def gives(error, awaitable):
    try:
        await awaitable
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


async def connect(url):
    one, two = await dial(url), await dial(url)
    assert one.max_payload == MAX_PAYLOAD, one.max_payload
    assert one.client_id != two.client_id
    assert one.connected_url.port == urlparse(url).port
    assert (one.connected_server_version.major, one.connected_server_version.minor) >= (2, 9)
    await one.flush(PATIENCE)
    await one.close()
    await two.close()


async def pubsub(url):
    speaker, listener, deaf = await dial(url), await dial(url), await dial(url, no_echo=True)
    subs = await hear(listener, "news"), await hear(speaker, "news")
    muted = await hear(deaf, "quiet")
    payloads = [b"Hello John!", b"", BINARY, NOISE[: MAX_PAYLOAD - 1], NOISE[:MAX_PAYLOAD]]
    payloads += [str(number).encode() for number in range(1000)]
    await gives(nats.errors.MaxPayloadError, speaker.publish("news", NOISE))
    for payload in payloads:
        await speaker.publish("news", payload)
    for sub in subs:
        for payload in payloads:
            await next_is(sub, "news", payload)
    await deaf.publish("quiet", b"not to me")
    await is_silent(deaf, muted)
    await is_silent(listener, subs[0])
    await is_silent(speaker, subs[1])
    for nc in speaker, listener, deaf:
        await nc.close()


async def wildcards(url):
    nc = await dial(url)
    said = [
        "shop.red.sold",
        "shop.blue.sold",
        "shop.red",
        "shop",
        "shop.red.sold.twice",
        "shops.red.sold",
    ]
    star, tail, everything = [await hear(nc, subject) for subject in ("shop.*.sold", "shop.>", ">")]
    for subject in said:
        await nc.publish(subject, subject.encode())
    for subject in said:
        await next_is(everything, subject, subject.encode())
    for i in 0, 1:
        await next_is(star, said[i], said[i].encode())
    for i in 0, 1, 2, 4:
        await next_is(tail, said[i], said[i].encode())
    await is_silent(nc, star, tail, everything)
    await nc.close()


async def queue(url):
    speaker = await dial(url)
    members = [await dial(url) for _ in range(3)]
    subs = [await hear(nc, "jobs.*", queue="workers") for nc in members]
    for number in range(300):
        await speaker.publish("jobs.new", str(number).encode())
    await settle(speaker)
    numbers = []
    for nc, sub in zip(members, subs):
        await settle(nc)  # the PONG comes behind all that was routed
        share = sub.pending_msgs
        assert share > 0, "a member got nothing"
        numbers += [int((await sub.next_msg(PATIENCE)).data) for _ in range(share)]
        await nc.close()
    assert sorted(numbers) == list(range(300)), sorted(numbers)
    await speaker.close()


async def headers(url):
    nc = await dial(url)
    sub = await hear(nc, "letters")
    sent = {"Single": "a value: with a colon, ünïcode", "Other": "two"}
    for payload in BINARY, b"":
        await nc.publish("letters", payload, headers=sent)
        msg = await next_is(sub, "letters", payload)
        assert msg.headers == sent, msg.headers
    await nc.publish("letters", b"bare")
    msg = await next_is(sub, "letters", b"bare")
    assert not msg.headers, msg.headers

    # The library has no way to send a header twice, and keeps the last when it gets one so;
    # a dict that gives an item twice makes it send both, and the bytes tell that both came.
    class Twice(dict):
        def items(self):
            return [("Many", "one"), ("Many", "two")]

    seen = []
    parse = nc._process_headers

    async def spy(raw):
        seen.append(bytes(raw))
        return await parse(raw)

    nc._process_headers = spy
    await nc.publish("letters", BINARY, headers=Twice(Many="one"))
    msg = await next_is(sub, "letters", BINARY)
    assert msg.headers["Many"] == "two", msg.headers
    assert seen == [b"NATS/1.0\r\nMany: one\r\nMany: two\r\n\r\n"], seen
    await nc.close()


async def request(url):
    server, client = await dial(url), await dial(url)

    async def answer(msg):
        await msg.respond(msg.data)

    await hear(server, "service", cb=answer)
    payloads = [b"", BINARY, NOISE[:MAX_PAYLOAD]]
    payloads += [b"question %d" % number for number in range(100)]
    questions = [client.request("service", payload, timeout=PATIENCE) for payload in payloads]
    replies = await asyncio.gather(*questions)
    assert [reply.data for reply in replies] == payloads
    # An inbox and a subscription for each request, instead of one for all.
    own = await client.request("service", BINARY, timeout=PATIENCE, old_style=True)
    assert own.data == BINARY
    await client.close()
    await server.close()


async def noresponders(url):
    nc = await dial(url)
    await gives(
        nats.errors.NoRespondersError, nc.request("nobody.home", b"hello?", timeout=PATIENCE)
    )
    await nc.close()


async def unsubscribe(url):
    nc = await dial(url)
    sub = await hear(nc, "ticks")
    await sub.unsubscribe(limit=3)
    for number in range(5):
        await nc.publish("ticks", b"%d" % number)
    await settle(nc)
    # On the wire: the library would drop a fourth by itself.
    assert nc.stats["in_msgs"] == 3, nc.stats
    for number in range(3):
        await next_is(sub, "ticks", b"%d" % number)

    sub = await hear(nc, "ticks")
    await nc.publish("ticks", b"a")
    await next_is(sub, "ticks", b"a")
    await sub.unsubscribe()
    await nc.publish("ticks", b"b")
    await settle(nc)
    assert nc.stats["in_msgs"] == 4, nc.stats
    await nc.close()


async def drain(url):
    listener, speaker = await dial(url, drain_timeout=PATIENCE), await dial(url)
    received = []

    async def keep(msg):
        received.append(msg.data)
        await asyncio.sleep(0)  # others run between two messages, so that a backlog remains

    await hear(listener, "flood", cb=keep)
    sent = [b"%d" % number for number in range(500)]
    for payload in sent:
        await speaker.publish("flood", payload)
    await settle(speaker)
    await listener.drain()
    assert received == sent, len(received)
    assert listener.is_closed
    await gives(nats.errors.NoRespondersError, speaker.request("flood", b"x", timeout=PATIENCE))
    await speaker.close()


async def reconnect(url):
    back = asyncio.Event()

    async def on_reconnected():
        back.set()

    async def on_error(_):
        """The broker going away is what is being tested: no news on stderr."""

    nc = await dial(
        url,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.02,
        reconnected_cb=on_reconnected,
        error_cb=on_error,
    )

    async def answer(msg):
        await msg.respond(msg.data)

    subs = [await hear(nc, "again.one"), await hear(nc, "again.*")]
    subs.append(await hear(nc, "again.>", queue="workers"))
    await hear(nc, "service", cb=answer)
    for turn in b"before", b"after":
        await nc.publish("again.one", turn)
        for sub in subs:
            await next_is(sub, "again.one", turn)
        await is_silent(nc, *subs)
        assert (await nc.request("service", turn, timeout=PATIENCE)).data == turn
        if turn == b"before":
            print("restart", flush=True)
            await asyncio.wait_for(back.wait(), PATIENCE)
    await nc.close()


async def login(url):
    """By what stands in the URL, or by the nkey whose seed is in the file SEED."""
    options = {"nkeys_seed": os.environ["SEED"]} if "SEED" in os.environ else {}
    nc = await dial(url, **options)
    sub = await hear(nc, "hello")
    await nc.publish("hello", b"it is me")
    await next_is(sub, "hello", b"it is me")
    await nc.close()


async def refused(url):
    errors = []

    async def on_error(error):
        errors.append(str(error))

    try:
        await dial(url, allow_reconnect=False, error_cb=on_error)
    except Exception as error:
        errors.append(str(error))
    else:
        raise AssertionError("it was let in")
    assert any("authorization violation" in error.lower() for error in errors), errors


CASES = (
    login,
    refused,
    connect,
    pubsub,
    wildcards,
    queue,
    headers,
    request,
    noresponders,
    unsubscribe,
    drain,
    reconnect,
)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: client.py URL CASE")
    url, name = sys.argv[1:]
    for case in CASES:
        if case.__name__ == name:
            asyncio.run(case(url))
            return
    sys.exit(f"client.py: there is no case {name}")


main()
