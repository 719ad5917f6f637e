#!/usr/bin/env python3
"""The allocations of a user have ended when turnpike answers the order to end them."""

import json
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
        # Without the wait, the request of the client came before the end almost every second time.
        for _ in range(100):
            client = Client(self.daemon.port)
            self.addCleanup(client.close)
            self.assertEqual(0, client.allocate()[0])
            answer = json.loads(self.daemon.ask("POST", "/v1/kill", {"user": "alice"}))
            self.assertTrue(answer["complete"])
            refresh = client.signed(REFRESH, b"", b"alice", b"s3same-0pen")
            self.assertEqual(ALLOCATION_MISMATCH, client.ask(refresh)[0])


if __name__ == "__main__":
    unittest.main()
