# SPDX-License-Identifier: MIT
"""
What a broker goes through while its calls fail. A session begins where nothing fails yet (`prepare`), and is the same
each time (`act`); the broker of a live one goes on to the next case.
"""
import base64
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time

from broker import FAR_LIMIT_S, Broker, Client, Disturbed, Wrong

HASH = "$2a$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW"  # bcrypt's, of sesame
NKEY = "UDLVVGABQKYQVN6VJP7NHSLEA45A5YLS6PNKMIZFV4BBU2HXA5IRUVAL"
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")  # RFC 8032's first
ED25519 = 1087
LARGE, HUGE = 65536, 1 << 20

USERS = """
max_payload: 1MB
ping_interval: "1m"
accounts: {
    A: {users: [
        {user: joe, password: sesame}
        {user: ann, password: "%s"}
    ]}
    B: {users: [
        {user: bob, password: sesame, permissions: {
            publish: {allow: ["ok.>", "_INBOX.>"], deny: ["ok.no"]}
            subscribe: {allow: ["ok.*", "_INBOX.>", "jobs workers"], deny: "ok.secret"}
            allow_responses: {max: 2, expires: "1m"}
        }}
        %s
    ]}
}
"""
# What libcrypto needs at the first use it takes at the start, or dies there: before anybody could be hurt.
NKEY_USERS = USERS.replace("joe, password: sesame}", "joe, password: sesame}\n        {nkey: %s}" % NKEY)
USERS_FIELDS = b',"user":"joe","pass":"sesame"'


def sign(text):
    crypto = ctypes.CDLL("libcrypto.so.3")
    for name in ("EVP_PKEY_new_raw_private_key", "EVP_MD_CTX_new"):
        getattr(crypto, name).restype = ctypes.c_void_p
    key = ctypes.c_void_p(crypto.EVP_PKEY_new_raw_private_key(ED25519, None, SEED, len(SEED)))
    context = ctypes.c_void_p(crypto.EVP_MD_CTX_new())
    signature, length = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    crypto.EVP_DigestSignInit(context, None, None, None, key)
    crypto.EVP_DigestSign(context, signature, ctypes.byref(length), text, ctypes.c_size_t(len(text)))
    crypto.EVP_MD_CTX_free(context)
    crypto.EVP_PKEY_free(key)
    return base64.urlsafe_b64encode(signature.raw).rstrip(b"=")


# --------------------------------------------------------------------------------- what clients say


def connect(broker):
    with Client(broker.unix) as client:
        client.hear_like(b"INFO ")
        client.say(b'CONNECT {"verbose":true,"pedantic":true,"name":"n","lang":"c","version":"1","protocol":1,'
                   b'"headers":true,"no_responders":true,"echo":false}', b"PING")
        client.hear(b"+OK", b"PONG")
        client.hear_like(b"INFO ")
    with Client(broker.tcp()) as client:
        client.join(b',"name":"other"')
        client.say(b'CONNECT {"verbose":false,"name":"another"}', b"PING")
        client.hear(b"PONG")


def subscribe(broker):
    with Client(broker.unix) as client, Client(broker.unix) as other:
        client.join()
        other.join()
        client.say(b"SUB a.b 1", b"SUB a.* 2", b"SUB > 3", b"SUB a.b q 4", b"SUB *.b q 5", b"SUB a.> r 6",
                   *(b"SUB many.%d.x %d" % (at, 10 + at) for at in range(40)), b"PING")
        client.hear(b"PONG")
        other.say(b"SUB a.b q 1", b"UNSUB 1", b"SUB last 2", b"UNSUB 2 1", b"PUB last 1", b"x", b"PUB a.b 2", b"hi",
                  b"PING")
        other.hear(b"MSG last 2 1", b"x", b"PONG")
        client.say(b"PING")
        heard = set()
        while True:
            line = client.line()
            if line == b"PONG":
                break
            heard.add(line)
        if len(heard & {b"MSG a.b 1 2", b"MSG a.b 2 2", b"MSG a.b 3 2", b"MSG a.b 6 2"}) != 4:
            raise Disturbed(f"heard only {heard}")
        client.say(b"UNSUB 1", b"UNSUB 2", b"UNSUB 3", b"PING")
        client.hear(b"PONG")


def publish(broker):
    with Client(broker.unix) as client, Client(broker.tcp()) as other:
        client.join(b',"headers":true')
        other.join()
        for each in (client, other):
            each.say(b"SUB p 1", b"PING")
            each.hear(b"PONG")
        # In two pieces, the second of which nobody expects soon.
        client.send(b"PUB p 5\r\nhe")
        client.send(b"llo\r\n")
        for each in (client, other):
            each.hear(b"MSG p 1 5", b"hello")
        client.say(b"HPUB p 12 14", b"NATS/1.0", b"", b"hi")
        client.hear(b"HMSG p 1 12 14", b"NATS/1.0", b"", b"hi")
        other.hear(b"MSG p 1 2", b"hi")


def publish_sized(broker, size):
    with Client(broker.unix) as client, Client(broker.tcp()) as other:
        client.join()
        other.join()
        other.say(b"SUB l 1", b"PING")
        other.hear(b"PONG")
        client.say(b"PUB l %d" % size, b"x" * size, b"PING")
        client.hear(b"PONG")
        if other.hear_message(b"MSG l 1 %d" % size, size) != b"x" * size:
            raise Wrong("the payload is another one")


def large(broker):
    publish_sized(broker, LARGE)


def huge(broker):
    publish_sized(broker, HUGE)


def requests(broker):
    with Client(broker.unix) as client:
        client.join(b',"headers":true,"no_responders":true')
        client.say(b"SUB _INBOX.1.* 1", b"PUB nobody _INBOX.1.2 0", b"")
        client.hear(b"HMSG _INBOX.1.2 1 38 38", b"NATS/1.0 503", b"Nats-Subject: nobody", b"", b"")
        client.say(b"SUB once 2", b"UNSUB 2 1", b"PUB once 0", b"", b"PUB once _INBOX.1.3 0", b"")
        client.hear(b"MSG once 2 0", b"", b"HMSG _INBOX.1.3 1 36 36", b"NATS/1.0 503", b"Nats-Subject: once", b"", b"")


def be_slow(broker):
    """It does not read until it is closed for that."""
    with Client(broker.unix) as slow, Client(broker.unix) as client:
        slow.join()
        client.join()
        slow.say(b"SUB s 1", b"PING")
        slow.hear(b"PONG")
        message = b"PUB s %d\r\n%s\r\n" % (LARGE, b"x" * LARGE)
        for _ in range(40):
            client.send(message)
        client.say(b"PING")
        client.hear(b"PONG")
        heard = slow.hear_end()
        if heard.count(b"MSG s") == 40:
            raise Disturbed("it was not slow")


def do_wrong(broker):
    for line, answer in ((b"NONSENSE", b"-ERR 'Unknown Protocol Operation'"),
                         (b"PUB a 9999999", b"-ERR 'Maximum Payload Violation'"),
                         (b"PUB " + b"a" * 5000, b"-ERR 'maximum control line exceeded'")):
        with Client(broker.unix) as client:
            client.join()
            client.say(b"SUB x 1", line)
            client.hear(answer)
            client.hear_end()
    with Client(broker.unix) as client:
        client.join()
        client.say(b"SUB a..b 1", b"PING")
        client.hear(b"-ERR 'Invalid Subject'", b"PONG")
        client.socket.shutdown(socket.SHUT_WR)
        client.hear_end()


def sign_in(broker):
    with Client(broker.unix) as client:
        info = json.loads(client.hear_like(b"INFO ")[5:])
        signature = sign(info.get("nonce", "").encode())
        client.say(b'CONNECT {"verbose":false,"nkey":"%s","sig":"%s"}' % (NKEY.encode(), signature), b"PING")
        client.hear(b"PONG")


def log_in(broker):
    for fields in (USERS_FIELDS, b',"user":"ann","pass":"sesame"'):
        with Client(broker.unix) as client:
            client.join(fields)
            client.say(b"SUB x 1", b"PUB x 0", b"", b"PING")
            client.hear(b"MSG x 1 0", b"", b"PONG")
    for fields in (b"", b',"user":"joe","pass":"wrong"'):
        with Client(broker.tcp()) as client:
            client.hear_like(b"INFO ")
            client.say(b'CONNECT {"verbose":false' + fields + b"}", b"PING")
            client.hear(b"-ERR 'Authorization Violation'")
            client.hear_end()


def be_forbidden(broker):
    with Client(broker.unix) as client, Client(broker.unix) as asker:
        client.join(b',"user":"bob","pass":"sesame"')
        asker.join(b',"user":"bob","pass":"sesame"')
        client.say(b"SUB ok.1 1", b"SUB no 2", b"SUB ok.secret 3", b"SUB jobs workers 4", b"PUB ok.no 0", b"",
                   b"PUB elsewhere 0", b"", b"PUB ok.1 1", b"x", b"PING")
        client.hear(b"-ERR 'Permissions Violation for Subscription to \"no\"'",
                    b"-ERR 'Permissions Violation for Subscription to \"ok.secret\"'",
                    b"-ERR 'Permissions Violation for Publish to \"ok.no\"'",
                    b"-ERR 'Permissions Violation for Publish to \"elsewhere\"'", b"MSG ok.1 1 1", b"x", b"PONG")
        # What was asked may be answered, wherever that goes.
        asker.say(b"SUB _INBOX.a 1", b"PUB ok.1 _INBOX.a 0", b"", b"PING")
        asker.hear(b"PONG")
        client.hear(b"MSG ok.1 1 _INBOX.a 0", b"")
        client.say(b"PUB _INBOX.a 2", b"hi", b"PING")
        client.hear(b"PONG")
        asker.hear(b"MSG _INBOX.a 1 2", b"hi")


# ------------------------------------------------------------------------------------- the sessions


class Session:
    """A broker with a witness, that has a conversation with others."""

    is_live = True
    may_end = False   # where an error leaves nothing else
    may_lose = False  # the witness may be among those who are lost
    lies = ()         # (function, errno) that say what is not so, and nobody could tell
    ends = False      # so does the broker
    slack = 0         # blocks that it may leave
    lasting = None    # {function: errnos}: it is only about these, which last
    only = None       # functions that it is about; others fail elsewhere
    # Functions that do not go on failing, or being short, all the time: signals are read by them, and the log is asked.
    whole = ()

    def __init__(self, name, act=None, users=None, options=(), whole=()):
        self.name = name
        self.users = users
        # What the thread that hashes passwords has in hand goes with the process, and so do those that close.
        self.slack = 6 if self.may_lose else 3 if users else 0
        self.options = list(options)
        self.whole = self.whole + whole
        if act:
            self.act = act

    def act(self, broker):
        """What is done while calls fail."""

    def write_config(self, broker, more=""):
        path = os.path.join(broker.folder, "minats.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.users % (HASH, more))
        return ["-c", path]

    def arguments(self, broker):
        config = self.write_config(broker) if self.users else []
        broker.fields = USERS_FIELDS if self.users else b""
        return ["-D", "--ports_file_dir", broker.folder, "--listen", "unix:" + broker.unix,
                "--listen", "127.0.0.1:-1", *config, *self.options_in(broker)]

    def options_in(self, broker):
        return [option.format(folder=broker.folder) for option in self.options]

    def make_broker(self, setup, folder, page):
        return Broker(setup, folder, page)

    def prepare(self, broker):
        broker.page.layout.armed = 0
        if broker.process and not broker.has_ended():
            return
        broker.spawn(self.arguments(broker))
        if not broker.await_ready():
            raise Wrong("the broker did not start: " + broker.told()[-500:])
        broker.bring_witness()


class Reload(Session):
    """Each time to other users."""

    whole = ("read", "writev")

    def prepare(self, broker):
        super().prepare(broker)
        self.flips = getattr(self, "flips", 0) + 1
        self.write_config(broker, "{user: more%d, password: sesame}" % self.flips)

    def act(self, broker):
        broker.signal(signal.SIGHUP)
        outcome = broker.await_told("Reloaded server configuration", "Failed to reload")
        with Client(broker.unix) as client:
            client.join(USERS_FIELDS)
        with Client(broker.unix) as client:
            client.hear_like(b"INFO ")
            client.say(b'CONNECT {"verbose":false,"user":"more%d","pass":"sesame"}' % self.flips, b"PING")
            if outcome.startswith("Reloaded"):
                client.hear(b"PONG")
            else:
                client.hear_end()
                raise Disturbed("the reload was refused")


class Reopen(Session):
    whole = ("read", "writev")

    def act(self, broker):
        broker.signal(signal.SIGUSR1)
        if broker.await_told("File log re-opened", "Cannot open log file").startswith("Cannot"):
            raise Disturbed("the log is not another file")


class Starve(Session):
    """Nobody can be accepted for a while: who comes waits, without the broker's spinning, and is served then."""

    lasting = {"accept4": "EMFILE ENFILE ENOBUFS ENOMEM"}

    def act(self, broker):
        with Client(broker.unix) as client, Client(broker.tcp()) as other:
            time.sleep(0.3)
            if broker.page.calls() > 100:
                raise Wrong(f"{broker.page.calls()} calls in 0.3 s")
            broker.page.heal()
            client.join()
            other.join()


class RunOut(Session):
    """The kernel has no descriptor for the next client; another one leaves, and it is served at once."""

    def act(self, broker):
        with Client(broker.unix) as leaver, Client(broker.unix) as stayer:
            leaver.join()
            stayer.join()
            highest = max(broker.descriptors(), default=None)
            if highest is None:
                raise Disturbed("the broker has ended")
            before = resource.prlimit(broker.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
            try:
                with Client(broker.unix) as client:
                    if select.select([client.socket], [], [], 0.05)[0]:
                        raise Disturbed("there was a descriptor")
                    start = time.monotonic()
                    leaver.close()
                    client.join()
                    # If not at once, then after a second.
                    if time.monotonic() - start > (1.9 if broker.page.layout.fired else 0.8):
                        raise Wrong(f"served only after {time.monotonic() - start:.3f} s")
            finally:
                resource.prlimit(broker.pid, resource.RLIMIT_NOFILE, before)


class Crowd:
    """Clients who are in the middle of something."""

    def __init__(self, broker):
        self.idle, self.half, self.late, self.wrong = (Client(broker.unix) for _ in range(4))
        self.tcp = Client(broker.tcp())
        for client in (self.idle, self.half, self.late, self.tcp, self.wrong):
            client.join(broker.fields)
        self.idle.say(b"SUB h.* 1", b"SUB h.a q 2", b"SUB k 3", b"UNSUB 3 2", b"PING")
        self.idle.hear(b"PONG")
        self.late.say(b"SUB big 1", b"PING")
        self.late.hear(b"PONG")
        self.half.send(b"PUB h.b 10\r\n01234")
        # More than the kernel keeps: the rest waits in the broker.
        self.tcp.send(b"".join(b"PUB big %d\r\n%s\r\n" % (LARGE, b"%d" % at * LARGE) for at in range(8)) + b"PING\r\n")
        self.tcp.hear(b"PONG")
        self.wrong.say(b"NONSENSE")
        self.wrong.hear(b"-ERR 'Unknown Protocol Operation'")

    def go_on(self):
        """As if nothing had been."""
        disturbed = None
        for step in (self.finish_half, self.read_late):
            try:
                step()
            except Disturbed as error:
                disturbed = error
        if disturbed:
            raise disturbed

    def finish_half(self):
        self.half.send(b"56789\r\n")
        self.half.say(b"PING")
        self.half.hear(b"PONG")
        self.idle.hear(b"MSG h.b 1 10", b"0123456789")
        self.tcp.say(b"PUB k 0", b"", b"PUB k 0", b"", b"PUB k 0", b"", b"PING")
        self.tcp.hear(b"PONG")
        self.idle.say(b"PING")
        self.idle.hear(b"MSG k 3 0", b"", b"MSG k 3 0", b"", b"PONG")

    def read_late(self):
        for at in range(8):
            if self.late.hear_message(b"MSG big 1 %d" % LARGE, LARGE) != b"%d" % at * LARGE:
                raise Wrong("a message is lost, doubled or another one")

    def close(self):
        for client in (self.idle, self.half, self.late, self.tcp, self.wrong):
            client.close()


class Replace(Session):
    """The process executes its program anew, with all connections."""

    may_end = may_lose = True
    whole = ("read", "writev")

    def prepare(self, broker):
        super().prepare(broker)
        broker.page.spare(())
        self.crowd = Crowd(broker)

    def act(self, broker):
        try:
            broker.signal(signal.SIGALRM)
            if broker.await_told("Server is ready", "This process is not replaced").startswith("This"):
                self.crowd.go_on()
                raise Disturbed("the process is not replaced")
            self.crowd.go_on()
        finally:
            self.crowd.close()


class Supervised(Broker):
    """Under tests/tools/supervisor.py."""

    def __init__(self, setup, folder, page):
        super().__init__(setup, folder, page)
        self.supervisor = None
        self.state = "new"

    def open_supervisor(self, arguments):
        self.supervisor = subprocess.Popen(
            [sys.executable, self.setup.supervisor, "--listen", "unix:" + self.unix, "--listen", "127.0.0.1:0",
             "--limit", str(FAR_LIMIT_S), "--log", self.log_path, "--", self.setup.minats, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process = self.supervisor

    def ask(self, command):
        self.supervisor.stdin.write(command.encode() + b"\n")
        self.supervisor.stdin.flush()
        if not select.select([self.supervisor.stdout], [], [], 2 * FAR_LIMIT_S)[0]:
            raise Wrong(f"the supervisor is silent after: {command}")
        return self.supervisor.stdout.readline().decode().strip()

    def order(self, command):
        self.state = self.ask(command)
        if self.state.startswith("error"):
            raise Wrong(f"{command}: {self.state}")
        return self.state

    def start(self):
        for name in ("FAIL", "LD_PRELOAD", "FAIL_PLANTED", "ASAN_OPTIONS"):
            if name in self.environment():
                self.ask(f"env {name}={self.environment()[name]}")
        self.order("start")

    @property
    def pid(self):
        return int(self.state.split()[1]) if self.state.startswith("running") else 0

    def has_ended(self):
        self.state = self.ask("status").split(" stored")[0]
        return not self.state.startswith("running")

    def status(self):
        return int(self.state.split()[1]) if self.state.startswith("exited") else -1

    def await_end(self):
        self.order("stop")
        return self.status()

    def signal(self, number):
        if self.pid:
            os.kill(self.pid, number)

    def kill(self):
        if self.witness:
            self.witness.close()
            self.witness = None
        if self.supervisor:
            self.supervisor.stdin.close()
            self.supervisor.stdout.close()
            self.supervisor.wait()
            self.supervisor = self.process = None
            self.state = "new"


class Restart(Session):
    """As `systemctl restart` does it."""

    may_end = may_lose = True
    # Without memory nobody can be told that it is ready.
    whole = ("read", "writev", "alloc")
    # An empty parcel, then.
    lies = (("recvmsg", "EAGAIN"),)

    def make_broker(self, setup, folder, page):
        return Supervised(setup, folder, page)

    def arguments(self, broker):
        return ["-D", "--ports_file_dir", broker.folder]

    def prepare(self, broker):
        broker.page.layout.armed = 0
        if not broker.supervisor or broker.has_ended():
            broker.kill()
            if os.path.exists(broker.unix):
                os.unlink(broker.unix)
            broker.open_supervisor(self.arguments(broker))
            broker.start()
            if broker.has_ended():
                raise Wrong("the broker did not start: " + broker.told()[-500:])
            broker.bring_witness()
        broker.page.spare(())
        self.crowd = Crowd(broker)

    def act(self, broker):
        try:
            state = broker.order("park")
            if state != "exited 0":
                raise Disturbed(f"the first one: {state}")
            broker.start()
            if not broker.state.startswith("running"):
                raise Disturbed("the next one did not start")
            self.crowd.go_on()
        finally:
            self.crowd.close()


class Start(Session):
    """All of a broker's life: its start, a conversation, its end."""

    is_live = False
    may_end = True
    whole = ("writev",)

    def prepare(self, broker):
        broker.page.layout.armed = 0
        broker.fields = USERS_FIELDS if self.users else b""
        broker.given = self.arguments(broker)

    def act(self, broker):
        broker.spawn(broker.given)
        if not broker.await_ready():
            raise Disturbed("the broker did not start")


class Life(Start):
    """Everything is needed for the first time."""

    may_end = False
    whole = ("writev", "readv", "recv")

    def prepare(self, broker):
        super().prepare(broker)
        broker.spawn(broker.given)
        if not broker.await_ready():
            raise Wrong("the broker did not start: " + broker.told()[-500:])
        broker.bring_witness()

    def act(self, broker):
        if self.users:
            log_in(broker)
            be_forbidden(broker)
        else:
            connect(broker)
            subscribe(broker)
            publish(broker)
            large(broker)
            huge(broker)
            requests(broker)


class End(Life):
    """It is told to end; clients are there."""

    ends = True
    whole = ("read", "writev")

    def act(self, broker):
        with Client(broker.unix) as client:
            try:
                client.say(b"SUB a 1", b"PUB a 2", b"hi")
            finally:
                broker.signal(signal.SIGINT)
            client.hear_end()


class LameDuck(Life):
    """It ends when the last client has left."""

    ends = True
    whole = ("read", "writev")

    def act(self, broker):
        with Client(broker.unix) as client:
            try:
                client.join(b',"protocol":1')
                client.hear_like(b"INFO ")
            finally:
                broker.signal(signal.SIGUSR2)
            client.hear_like(b"INFO ")


class Adopted(Start):
    """With sockets that it is given, as systemd does it."""

    may_end = True

    def act(self, broker):
        sockets = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET)]
        if os.path.exists(broker.unix):
            os.unlink(broker.unix)
        sockets[0].bind(broker.unix)
        sockets[1].bind(("127.0.0.1", 0))
        for one in sockets:
            one.listen(100)
        # Above those that the shell gives to them.
        fds = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 100) for one in sockets]
        try:
            self.spawn(broker, fds)
        finally:
            for one in sockets:
                one.close()
            for fd in fds:
                os.close(fd)
        if not broker.await_ready() and broker.process.returncode:
            raise Disturbed("the broker did not start")

    def spawn(self, broker, fds):
        """LISTEN_PID is only known in the child, which a shell can write."""
        script = "exec 3<&%d 4<&%d %d<&- %d<&-; " % (*fds, *fds)
        script += 'LISTEN_PID=$$ LISTEN_FDS=2 FAIL=$F LD_PRELOAD=$L exec "$@"'
        environment = broker.environment()
        environment.update(F=environment.pop("FAIL"), L=environment.pop("LD_PRELOAD"))
        with open(broker.log_path, "ab") as log:
            broker.mark = log.tell()
            broker.process = subprocess.Popen(
                ["bash", "-c", script, "bash", broker.setup.minats, *broker.given], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=environment, pass_fds=fds)

    def arguments(self, broker):
        return ["-D", "--ports_file_dir", broker.folder, *self.options_in(broker)]


class Idle(Adopted):
    """It ends when nobody comes."""

    ends = True


class Fitted(Start):
    """What is there already is in its way: a socket's file, and a configuration that is not."""

    only = ("lstat", "unlink", "connect", "access", "getifaddrs", "stat")

    def prepare(self, broker):
        super().prepare(broker)
        path = os.path.join(broker.folder, "stale")
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)


class Inetd(Adopted):
    """With one socket as its standard input, output and error."""

    # Without its log it tells syslog, which is not looked at here.
    only = ("dup2",)

    def act(self, broker):
        if os.path.exists(broker.unix):
            os.unlink(broker.unix)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(broker.unix)
            listener.listen(100)
            broker.spawn(broker.given, stdin=listener, stdout=listener, stderr=listener)
        if not broker.await_ready() and broker.process.returncode:
            raise Disturbed("the broker did not start")

    def arguments(self, broker):
        return ["-D", "--inetd", "-l", broker.log_path]


class Pressed(Start):
    """It is told that memory is short."""

    only = ("stat", "open", "read", "write", "epoll_ctl")

    def prepare(self, broker):
        super().prepare(broker)
        path = os.path.join(broker.folder, "pressure")
        if not os.path.exists(path):
            os.mkfifo(path)
        broker.more = {"MEMORY_PRESSURE_WATCH": path, "MEMORY_PRESSURE_WRITE": "eA=="}

    def act(self, broker):
        super().act(broker)
        with open(broker.more["MEMORY_PRESSURE_WATCH"], "r+b", buffering=0) as pressure:
            pressure.write(b"x")
            if broker.await_told("Memory is short", "Nobody will tell").startswith("Nobody"):
                raise Disturbed("it does not hear of it")


class Ordering(Broker):
    """`minats --signal`, and whom it is for: somebody who answers at once."""

    SCRIPT = ("trap 'echo ok >%(d)s/new; mv %(d)s/new %(d)s/reload' HUP; echo; "
              "while :; do read -r || [ $? -gt 128 ] || exit; done")

    def __init__(self, setup, folder, page):
        super().__init__(setup, folder, page)
        self.target = None
        self.more = {"RUNTIME_DIRECTORY": folder, "PATH": f"{folder}:{os.environ['PATH']}"}

    def bring_target(self):
        if self.target:
            return
        self.target = subprocess.Popen(["bash", "-c", self.SCRIPT % {"d": self.folder}], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        self.target.stdout.readline()
        with open(os.path.join(self.folder, "pid"), "w", encoding="ascii") as file:
            file.write(f"{self.target.pid}\n")
        # What looks for it must find no other one of that name on this machine.
        pgrep = os.path.join(self.folder, "pgrep")
        with open(pgrep, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\necho {self.target.pid}\n")
        os.chmod(pgrep, 0o755)

    def kill(self):
        super().kill()
        if not self.target:
            return
        self.target.stdin.close()
        self.target.wait()
        self.target.stdout.close()
        self.target = None


class Order(Start):
    """A signal is sent, and how it went is told."""

    ends = True

    def make_broker(self, setup, folder, page):
        return Ordering(setup, folder, page)

    def prepare(self, broker):
        super().prepare(broker)
        broker.bring_target()

    def arguments(self, broker):
        return self.options_in(broker)

    def act(self, broker):
        broker.spawn(broker.given)
        broker.await_end()


SESSIONS = [
    Session("connect", connect),
    Session("subscribe", subscribe),
    Session("publish", publish),
    Session("large", large),
    Session("huge", huge, whole=("readv", "recv")),
    Session("requests", requests),
    Session("slow", be_slow, options=("--max_pending", "1500000")),
    Session("wrong", do_wrong),
    Session("login", log_in, USERS),
    Session("sign-in", sign_in, NKEY_USERS),
    Session("permissions", be_forbidden, USERS),
    Starve("starve"),
    RunOut("run-out"),
    Reload("reload", users=USERS),
    Reopen("reopen", options=("-l", "{folder}/log")),
    Start("start"),
    Start("start-all", users=USERS, options=("-P", "{folder}/pid", "-l", "{folder}/log", "--name", "all", "--listen",
                                             "[::1]:-1", "--client_advertise", "host:1")),
    Adopted("start-given"),
    Life("life"),
    Life("life-users", users=USERS),
    End("end"),
    LameDuck("lame-duck", options=("--lame_duck_grace_period", "0")),
    Idle("idle", options=("--exit-idle-time", "20ms")),
    Fitted("start-fitted", options=("--listen", "unix:{folder}/stale", "--listen", "0.0.0.0:-1", "-c",
                                    "-{folder}/nothing")),
    Inetd("start-inetd"),
    Pressed("pressure"),
    Order("order", options=("--signal", "reload={folder}/pid")),
    Order("order-found", options=("--signal", "reload")),
    Replace("replace"),
    Replace("replace-users", users=USERS),
    Restart("restart"),
]
