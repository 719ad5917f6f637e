#!/usr/bin/env python3
"""What an operator orders at the admin socket has been done when the answer comes."""

import unittest

from daemon import Daemon
from turn_client import Client

CONFIG = """
realm: example.org
workers: 2
listen: ["udp://127.0.0.1:0"]
relay: {addresses: ["%(relay)s"]}
auth: {users: {alice: s3same-0pen}}
limits: {unauthenticated_per_second: 0}
admin: {listen: ["unix:%(admin)s"]}
"""
REFRESH = 0x0004
ALLOCATION_MISMATCH = 437


class Orders(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(CONFIG)
        self.addCleanup(self.daemon.stop)

    def test_the_allocations_of_a_user_have_ended(self):
        # An answer that does not wait is overtaken by the request of the client almost every second time.
        for _ in range(100):
            client = Client(self.daemon.port)
            self.addCleanup(client.close)
            self.assertEqual(0, client.allocate()[0])
            self.daemon.ask("POST", "/v1/kill", {"user": "alice"})
            refresh = client.signed(REFRESH, b"", b"alice", b"s3same-0pen")
            self.assertEqual(ALLOCATION_MISMATCH, client.ask(refresh)[0])


if __name__ == "__main__":
    unittest.main()
