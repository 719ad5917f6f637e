#!/usr/bin/env python3
"""What the daemon bears: as many allocations as its limit allows and one more, a flood of strangers and a thousand
reloads. A call goes on beside the last two, and nothing of it is lost.

The daemon is the environment's TURNPIKE, else that of build/release. Everything is on loopback. No assertion asks how
fast anything is: a slow machine makes the test longer. What was measured is printed.
"""

import base64
import hmac
import os
import pathlib
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

from crowd import Crowd, Member
from daemon import Daemon
from program import PATIENCE
from turn_client import Client

FLOOD = pathlib.Path(__file__).with_name("flood.py")
STRICT = os.environ.get("CI") == "true"
SECRET = b"a-secret-of-thirty-two-characters"

CONFIG = """
realm: example.org
workers: 4
listen: ["udp://127.0.0.1:0"]
# These ports are below those that Linux gives to sockets that ask for none.
relay: {addresses: ["%%(relay)s"], ports: 16384-32767}
auth: {users: {%(users)s}, secrets: [a-secret-of-thirty-two-characters]}
peers: {allow: [127.0.0.0/8], deny: [%(denied)s]}
limits: {%(limits)s}
admin: {listen: ["unix:%%(admin)s"]}
"""


def config(users="alice: s3same-0pen", limits="", denied=""):
    return CONFIG % {"users": users, "limits": limits, "denied": denied}


def credentials_of(user, expiry):
    """The name and the password of TURN REST for this user."""
    name = b"%d:%s" % (expiry, user)
    return name, base64.b64encode(hmac.digest(SECRET, name, "sha1"))


class Call:
    """A client with a channel and its peer. While it lasts, each sends the other a numbered datagram every EVERY seconds."""

    EVERY = 0.02
    CHANNEL = 0x4000
    FILLER = bytes(156)
    # After this many datagrams, the daemon has opened the second socket of the relayed address, for its
    # busiest peer.
    SETTLED = 100

    def __init__(self, daemon):
        self.client = Client(daemon.port, receive_buffer=1 << 20)
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.peer.bind(("127.0.0.1", 0))
        code, port = self.client.allocate()
        assert code == 0, code
        self.relayed = (daemon.relay, port)
        self.bind_channel()
        self.sent = 0
        self.got = {self.client.socket: [], self.peer: []}
        self.is_under_way, self.is_over = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.talk, daemon=True)

    def request(self, method, attributes):
        code, answer = self.client.ask(self.client.signed(method, attributes, b"alice", b"s3same-0pen"))
        assert code == 0, code
        return answer

    def bind_channel(self):
        cookie = struct.pack("!I", Client.COOKIE)
        host, port = self.peer.getsockname()
        address = bytes(a ^ b for a, b in zip(socket.inet_aton(host), cookie))
        peer = Client.attribute(0x0012, struct.pack("!HH", 1, port ^ (Client.COOKIE >> 16)) + address)
        self.request(0x0009, Client.attribute(0x000C, struct.pack("!HH", self.CHANNEL, 0)) + peer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.hang_up()
        self.client.close()
        self.peer.close()

    def hang_up(self):
        """Ends the talk when all that was sent has come, or when there is no more hope of it."""
        self.is_over.set()
        self.thread.join()

    def send(self):
        payload = struct.pack("!I", self.sent) + self.FILLER
        self.client.socket.send(struct.pack("!HH", self.CHANNEL, len(payload)) + payload)
        self.peer.sendto(payload, self.relayed)
        self.sent += 1

    def receive(self, until):
        while ready := select.select(list(self.got), [], [], max(0, until - time.monotonic()))[0]:
            for end in ready:
                data, source = end.recvfrom(2048)
                if end is self.client.socket:
                    assert data[:2] == struct.pack("!H", self.CHANNEL), data
                    data = data[4:]
                else:
                    assert source == self.relayed, source
                assert data[4:] == self.FILLER
                self.got[end].append(struct.unpack("!I", data[:4])[0])
            if time.monotonic() >= until or self.is_complete():
                return

    def is_complete(self):
        return self.is_over.is_set() and all(len(got) >= self.sent for got in self.got.values())

    def talk(self):
        while not self.is_over.is_set():
            self.send()
            self.receive(time.monotonic() + self.EVERY)
            if all(len(got) > self.SETTLED for got in self.got.values()):
                self.is_under_way.set()
        if not self.is_complete():
            self.receive(time.monotonic() + PATIENCE)


class Endurance(unittest.TestCase):
    def daemon(self, text):
        daemon = Daemon(text)
        self.addCleanup(daemon.stop)
        return daemon

    def crowd(self, daemon):
        crowd = Crowd(daemon.port)
        self.addCleanup(crowd.close)
        return crowd

    def report(self, text):
        print(f"{self.id().split('.')[-1]}: {text}", flush=True)

    def check_call(self, call):
        """Everything came, once, and the allocation and its channel are there still."""
        call.hang_up()
        self.assertGreater(call.sent, 0)
        for end, got in call.got.items():
            who = "the client" if end is call.client.socket else "the peer"
            self.assertEqual(set(range(call.sent)) - set(got), set(), f"{who} has lost some")
            self.assertEqual(len(got), call.sent, f"{who} has some twice")
        call.request(Member.REFRESH, Client.attribute(Member.LIFETIME, struct.pack("!I", 600)))
        call.send()
        call.receive(time.monotonic() + PATIENCE)
        self.assertEqual([got[-1] for got in call.got.values()], [call.sent - 1] * 2)

    def allocate(self, crowd, members):
        """How many had which error code."""
        codes = crowd.run(members, Member.allocate)
        return {code: codes.count(code) for code in set(codes)}

    def test_1_as_many_as_the_limit_and_one_more(self):
        limit = 10_000
        # Each allocation needs a descriptor of the daemon, which raises its soft limit itself. The crowd
        # needs only one.
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if most != resource.RLIM_INFINITY and most < limit + 500:
            self.skipTest(f"a process may have {most} descriptors here")
        daemon = self.daemon(config(limits=f"allocations: {limit}"))
        crowd = self.crowd(daemon)
        members = crowd.add(limit + 1, b"alice", b"s3same-0pen")
        before = daemon.descriptors()
        began = time.monotonic()
        self.assertEqual(self.allocate(crowd, members), {0: limit, 486: 1})
        self.report(f"{limit} allocations in {time.monotonic() - began:.1f} s")
        refused = [member for member in members if not member.relayed]
        self.assertEqual(len(refused), 1)
        self.assertEqual(len({member.relayed for member in members}), limit + 1, "each has a relayed address of its own")

        def use():
            return [daemon.metric(f'turnpike_{what}{{name="allocations"}}') for what in ["used", "limit"]]

        self.assertEqual(use(), [limit, limit])
        self.assertGreaterEqual(daemon.descriptors(), before + limit)
        # One leaves, and another one comes.
        leaving = next(member for member in members if member.relayed)
        self.assertEqual(crowd.run([leaving], lambda member: member.refresh(0)), [0])
        self.assertEqual(use(), [limit - 1, limit])
        self.assertEqual(self.allocate(crowd, refused), {0: 1})
        self.assertEqual(use(), [limit, limit])
        late = crowd.add(1, b"alice", b"s3same-0pen")
        self.assertEqual(self.allocate(crowd, late), {486: 1}, "and there is no place for one more")
        # Those who leave free their places.
        remaining = [member for member in members if member is not leaving]
        self.assertEqual(set(crowd.run(remaining, lambda member: member.refresh(0))), {0})
        self.assertEqual(use(), [0, limit])
        self.assertEqual(self.allocate(crowd, late), {0: 1})

    def test_1_as_many_as_a_user_may_have_and_one_more(self):
        """The limit holds for the user, whatever time the credentials name, and on all workers together."""
        limit = 1000  # by default
        daemon = self.daemon(config())
        crowd = self.crowd(daemon)
        now = int(time.time())
        carols = [crowd.add(1, *credentials_of(b"carol", now + 3600 + number % 7))[0] for number in range(limit + 1)]
        self.assertEqual(self.allocate(crowd, carols), {0: limit, 486: 1})
        self.assertEqual(daemon.metric('turnpike_used{name="allocations"}'), limit)
        refused = [member for member in carols if not member.relayed]
        self.assertEqual(self.allocate(crowd, crowd.add(1, *credentials_of(b"dave", now + 3600))), {0: 1}, "another user")
        leaving = next(member for member in carols if member.relayed)
        self.assertEqual(crowd.run([leaving], lambda member: member.refresh(0)), [0])
        self.assertEqual(self.allocate(crowd, refused), {0: 1})

    REFUSED = 'turnpike_requests_total{method="allocate",code="401"}'
    WITHHELD = 'turnpike_refused_total{reason="unauthenticated_per_second"}'

    def test_2_a_request_without_an_answer_is_not_counted_as_answered(self):
        daemon = self.daemon(config(limits="unauthenticated_per_second: 1"))
        client = Client(daemon.port, receive_buffer=1 << 20)
        self.addCleanup(client.close)
        for _ in range(200):
            client.socket.send(client.message(client.ALLOCATE, client.UDP))
        # A Binding answer has a limit of its own, and comes after all answers to earlier requests.
        client.socket.send(client.message(client.BINDING, b""))
        answers = 0
        while client.parse(client.receive())[0] == 401:
            answers += 1
        self.assertEqual(daemon.metric(self.WITHHELD), 200 - answers)
        self.assertGreater(200 - answers, 0)
        self.assertEqual(daemon.metric(self.REFUSED), answers)

    def test_2_a_flood_of_strangers_beside_a_call(self):
        count, rate = 100_000, 20_000
        daemon = self.daemon(config())

        def flood():
            command = ["setpriv", "--pdeathsig", "KILL", sys.executable, FLOOD, str(daemon.port), str(count), str(rate)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=4 * PATIENCE)
            self.assertEqual(done.returncode, 0, done.stderr)
            return float(done.stdout)

        with Call(daemon) as call:
            lines, memory = len(daemon.lines), [daemon.resident()]
            for _ in range(2):
                seconds = flood()
                memory.append(daemon.resident())
                self.report(f"{count / seconds:,.0f} a second, {memory[-1]:,} KiB")
            self.check_call(call)
        lines = len(daemon.lines) - lines
        refused, withheld = daemon.metric(self.REFUSED), daemon.metric(self.WITHHELD)
        self.report(f"{withheld:,.0f} without an answer; {lines} lines; {call.sent} datagrams each way")
        # The kernel may have dropped some datagrams while the machine did other work.
        self.assertGreater(refused + withheld, 1.98 * count, "the flood did not come to the daemon")
        # Those that ask all the time send half of them.
        self.assertGreater(withheld, 0.1 * count)
        self.assertLess(withheld, 1.1 * count)
        self.assertLess(lines, 100)
        if not daemon.is_sanitized():
            # The table of addresses has 2 MiB, which are allocated when they are first used, and each worker
            # has buffers.
            self.assertLess(memory[1] - memory[0], 8 << 10)
            # At that time, all of it is allocated.
            self.assertLess(memory[2] - memory[1], 1 << 10)

    def reloaded(self, number):
        """A configuration that differs from the last one in everything that a reload takes, but keeps alice and her peer."""
        users = ["alice: s3same-0pen", f"guest{number % 10}: a-password"]
        if number % 2:
            users.append(f"bob: password-{number}")
        users += [f"crew{index}: a-password" for index in range(number % 5 * 20)]
        denied = ", ".join(f"198.{18 + number % 2}.{index}.0/24" for index in range(number % 50))
        limits = f"allocations: {100 + number % 3}, channels_per_allocation: {10 + number % 4}"
        return config(", ".join(users), limits, denied)

    def test_3_a_thousand_reloads_beside_a_call(self):
        reloads, first = 1000, 100
        daemon = self.daemon(self.reloaded(0))
        began = time.monotonic()
        with Call(daemon) as call:
            self.assertTrue(call.is_under_way.wait(PATIENCE))
            descriptors = daemon.descriptors()
            for number in range(1, reloads + 1):
                daemon.write(self.reloaded(number))
                if number % 2:
                    daemon.process.send_signal(signal.SIGHUP)
                else:
                    report = daemon.reload()
                    self.assertEqual((report["ok"], report["sessions_ended"], report["needs_restart"]), (True, 0, []))
                    self.assertTrue(report["changed"])
                daemon.wait_for("reloaded", number)
                if number == first:
                    memory = daemon.resident()
            grown = daemon.resident() - memory
            self.report(f"{reloads} in {time.monotonic() - began:.1f} s; {memory:,} KiB after {first}, then {grown:+,} KiB")
            self.check_call(call)
            self.report(f"{call.sent} datagrams each way")
            daemon.wait_for_descriptors(descriptors)
        self.assertEqual(daemon.metric('turnpike_reloads_total{result="ok"}'), reloads)
        self.assertEqual(daemon.metric('turnpike_limit{name="allocations"}'), 100 + reloads % 3)
        if not daemon.is_sanitized():
            self.assertLess(grown, 1 << 10)


if __name__ == "__main__":
    program = unittest.main(exit=False)
    missing = {reason for _, reason in program.result.skipped}
    for reason in missing:
        print(f"endurance: skipped: {reason}")
    sys.exit(0 if program.result.wasSuccessful() and not (missing and STRICT) else 1)
