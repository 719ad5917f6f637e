#!/usr/bin/env python3
"""Clients of an address in whose name somebody else asks all the time, as everybody behind one NAT can.

Beside 1,400 requests a second that need no nonce, of forty clients at least 38 have their answer within what RFC 8489
lets them try. Chance decides who is answered, so one group of forty misses this once in a hundred times; two hundred
clients together do not. Their first retransmission comes after 50 ms instead of 500: what counts is how often they may
ask, not how long they wait.

The daemon is the environment's TURNPIKE, else that of build/release.
"""

import asyncio
import os
import pathlib
import socket
import tempfile
import unittest

from program import Program
from turn_client import Client

ROOT = pathlib.Path(__file__).resolve().parents[2]
TURNPIKE = os.environ.get("TURNPIKE", str(ROOT / "build/release/turnpike"))

# With the default of 100, which is for answers that are larger than their requests, half of the clients that
# allocate would get no answer. Here both kinds have the default of Binding, so that their results can be
# compared.
CONFIG = """
realm: example.org
workers: 2
listen: ["udp://127.0.0.1:0"]
relay: {addresses: [127.0.0.1]}
auth: {users: {alice: s3same-0pen}}
limits: {unauthenticated_per_second: 500, bindings_per_second: 500}
"""
FLOOD = 1400  # requests a second, of each kind
CLIENTS = 200  # of each kind
APART = 0.04  # seconds between their beginnings
ENOUGH = CLIENTS * 38 // 40

# RFC 8489 §6.2.1: after each of its Rc = 7 requests a client waits for these seconds, and after the last one
# for Rm = 16 times RTO.
RTO = 0.05
WAITS = [RTO * factor for factor in [1, 2, 4, 8, 16, 32, 16]]


class Patient(Client):
    """Asks as often as RFC 8489 lets it."""

    async def transact(self, request):
        """The error code and the attributes of the answer; asyncio.TimeoutError without one."""
        loop = asyncio.get_running_loop()
        self.socket.setblocking(False)

        async def hear():
            while True:
                answer = await loop.sock_recv(self.socket, 2048)
                if answer[4:20] == request[4:20]:  # else to an earlier request, which was sent again
                    return self.parse(answer)

        answer = asyncio.create_task(hear())
        try:
            for wait in WAITS:
                self.socket.send(request)
                done, _ = await asyncio.wait([answer], timeout=wait)
                if done:
                    return answer.result()
            raise asyncio.TimeoutError
        finally:
            answer.cancel()

    async def bind(self):
        code, _ = await self.transact(self.message(self.BINDING, b""))
        return code

    async def allocate(self):
        code, attributes = await self.transact(self.message(self.ALLOCATE, self.UDP))
        if code != 401:
            return code
        self.realm, self.nonce = attributes[0x0014], attributes[0x0015]
        code, _ = await self.transact(self.signed(self.ALLOCATE, self.UDP, b"alice", b"s3same-0pen"))
        return code


class BesiegedAddress(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        file = pathlib.Path(folder.name, "turnpike.yaml")
        file.write_text(CONFIG)
        file.chmod(0o600)
        self.daemon = Program([TURNPIKE, "--config", str(file)], r"\bready$")
        self.addCleanup(self.daemon.stop)
        self.port = int(self.daemon.found(r"listening on udp://127\.0\.0\.1:(\d+)")[1])

    def client(self):
        client = Patient(self.port)
        self.addCleanup(client.close)
        return client

    async def flood(self, method, attributes, settled):
        """Asks in the name of everybody here until it is cancelled; `settled` is set once the limits know how often."""
        loop = asyncio.get_running_loop()
        client = self.client()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # nobody reads what it is told
        began, sent = loop.time(), 0
        while True:
            while sent < (loop.time() - began) * FLOOD:
                client.socket.send(client.message(method, attributes))
                sent += 1
            if sent > 2 * FLOOD:
                settled.set()
            await asyncio.sleep(1 / FLOOD)

    async def come(self, ask):
        """How many of the clients that come, one after the other, are served."""

        async def one(number):
            await asyncio.sleep(number * APART)
            try:
                return await ask(self.client())
            except asyncio.TimeoutError:
                return "no answer"

        outcomes = await asyncio.gather(*map(one, range(CLIENTS)))
        self.assertEqual({outcome for outcome in outcomes if outcome != "no answer"}, {0})
        return outcomes.count(0)

    async def test_clients_have_their_answer_beside_whoever_asks_all_the_time(self):
        floods, both = [], []
        for method, attributes in [(Client.BINDING, b""), (Client.ALLOCATE, Client.UDP)]:
            both.append(asyncio.Event())
            floods.append(asyncio.create_task(self.flood(method, attributes, both[-1])))
        for settled in both:
            await settled.wait()
        bound, allocated = await asyncio.gather(self.come(Patient.bind), self.come(Patient.allocate))
        for flood in floods:
            self.assertFalse(flood.done(), "it went on until the end")
            flood.cancel()
        print(f"of {CLIENTS} clients {bound} learned their address, and {allocated} have an allocation")
        self.assertGreaterEqual(bound, ENOUGH)
        self.assertGreaterEqual(allocated, ENOUGH)


if __name__ == "__main__":
    unittest.main()
