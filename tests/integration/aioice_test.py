#!/usr/bin/env python3
"""aioice, an ICE and TURN client that nobody here wrote (Debian: python3-aioice), against the daemon.

The daemon is the environment's TURNPIKE, else that of build/release. TLS is verified: the certificate is for 127.0.0.1,
and the only one that this process trusts.
"""

import asyncio
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import unittest

try:
    import aioice
    from aioice import turn
except ImportError:
    # Debian's module belongs to Debian's Python, but another Python may come first in PATH.
    if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3") and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])
    print("aioice: skipped: there is no aioice (Debian: python3-aioice)")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
TURNPIKE = os.environ.get("TURNPIKE", str(ROOT / "build/release/turnpike"))
PATIENCE = 30
RETRY = 0.2

CONFIG = """
realm: example.org
workers: 2
listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0", "tls://127.0.0.1:0"]
tls: {certificate: %(folder)s/certificate.pem, private_key: %(folder)s/key.pem}
relay: {addresses: [127.0.0.1]}
auth: {users: {alice: secret}}
peers: {allow: [127.0.0.0/8]}
limits: {unauthenticated_per_second: 0}
"""
# The options that select each listener.
WAYS = {
    "udp": {"transport": "udp"},
    "tcp": {"transport": "tcp"},
    "tls": {"transport": "tcp", "ssl": True},
}


class Daemon:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        make = "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=127.0.0.1"
        files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"]
        subprocess.run([*make.split(), *files], cwd=folder, check=True, capture_output=True)
        os.environ["SSL_CERT_FILE"] = str(folder / "certificate.pem")
        (folder / "turnpike.yaml").write_text(CONFIG % {"folder": folder})
        command = [TURNPIKE, "--config", folder / "turnpike.yaml"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.ports, self.log = {}, ""
        for line in self.process.stderr:
            self.log += line
            if found := re.search(r"listening on (\w+)://127.0.0.1:(\d+)", line):
                self.ports[found[1]] = int(found[2])
            if line.rstrip().endswith("ready"):
                break
        else:
            raise RuntimeError(f"{TURNPIKE} did not become ready:\n{self.log}")
        self.reader = threading.Thread(target=self.read_on, daemon=True)
        self.reader.start()

    def read_on(self):
        self.log += self.process.stderr.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.reader.join(timeout=10)
        self.process.stderr.close()
        self.folder.cleanup()


class Receiver(asyncio.DatagramProtocol):
    """What comes out of an allocation, and when that has ended."""

    def __init__(self):
        self.received = asyncio.Queue()
        self.ended = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, addr):
        self.received.put_nowait((data, addr))

    def connection_lost(self, exc):
        if not self.ended.done():
            self.ended.set_result(exc)


class AioiceTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    async def allocate(self, way, password="secret"):
        server = ("127.0.0.1", self.daemon.ports[way])
        return await asyncio.wait_for(
            turn.create_turn_endpoint(Receiver, server, "alice", password, **WAYS[way]), PATIENCE
        )

    async def until_received(self, receiver, data, send):
        """Sends until it is there: a datagram to an allocation that has no permission for it yet gets lost."""
        for _ in range(int(PATIENCE / RETRY)):
            send()
            try:
                while True:
                    came, source = await asyncio.wait_for(receiver.received.get(), RETRY)
                    if came == data:
                        return source
            except asyncio.TimeoutError:
                pass
        self.fail(f"{data[:20]} did not arrive")

    async def exchange(self, first, second):
        (a, at_a), (b, at_b) = first, second
        a_address, b_address = (t.get_extra_info("sockname") for t in (a, b))
        for size in [1, 2, 3, 4, 160, 1199]:
            there, back = os.urandom(size) + b"there", os.urandom(size) + b"back"

            def send_both():
                a.sendto(there, b_address)
                b.sendto(back, a_address)

            self.assertEqual(await self.until_received(at_b, there, send_both), a_address)
            self.assertEqual(await self.until_received(at_a, back, send_both), b_address)

    async def test_allocations_exchange_data(self):
        for ways in itertools.combinations_with_replacement(WAYS, 2):
            with self.subTest(ways=ways):
                ends = [await self.allocate(way) for way in ways]
                await self.exchange(*ends)
                for transport, receiver in ends:
                    transport.close()  # Refresh with lifetime 0, then the connection
                    self.assertIsNone(await asyncio.wait_for(receiver.ended, PATIENCE))

    async def test_a_wrong_password(self):
        for way in WAYS:
            with self.subTest(way=way), self.assertRaises(aioice.stun.TransactionFailed) as raised:
                await self.allocate(way, "guess")
            self.assertEqual(raised.exception.response.attributes["ERROR-CODE"][0], 401)

    async def connect(self, *ways):
        """Two ICE agents that may use nothing but the relay."""
        agents = [
            aioice.Connection(
                ice_controlling=way is ways[0],
                turn_server=("127.0.0.1", self.daemon.ports[way]),
                turn_username="alice",
                turn_password="secret",
                turn_ssl=WAYS[way].get("ssl", False),
                turn_transport=WAYS[way]["transport"],
                use_ipv6=False,
                transport_policy=aioice.TransportPolicy.RELAY,
            )
            for way in ways
        ]
        agents[1].ice_controlling = not agents[0].ice_controlling
        for agent in agents:
            await agent.gather_candidates()
            self.assertEqual([c.type for c in agent.local_candidates], ["relay"])
        for agent, other in [agents, agents[::-1]]:
            agent.remote_username, agent.remote_password = other.local_username, other.local_password
            for candidate in other.local_candidates:
                await agent.add_remote_candidate(candidate)
            await agent.add_remote_candidate(None)
        await asyncio.wait_for(asyncio.gather(*(agent.connect() for agent in agents)), PATIENCE)
        return agents

    async def test_ice_by_the_relay_alone(self):
        for ways in [("udp", "udp"), ("tcp", "tcp"), ("tls", "tls"), ("udp", "tls")]:
            with self.subTest(ways=ways):
                one, two = await self.connect(*ways)
                for size in [1, 3, 160, 1200]:
                    for agent, other in [(one, two), (two, one)]:
                        data = os.urandom(size)
                        await agent.send(data)
                        self.assertEqual(await asyncio.wait_for(other.recv(), PATIENCE), data)
                await asyncio.gather(one.close(), two.close())


if __name__ == "__main__":
    unittest.main()
