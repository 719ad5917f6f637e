#!/usr/bin/env python3
"""Binding requests of RFC 3489: answered when stun.rfc3489 says so, from the start and after a reload."""

import os
import socket
import struct
import time
import unittest

from daemon import Daemon
from program import PATIENCE

CONFIG = """
workers: 2
listen: ["udp://127.0.0.1:0"]
relay: {addresses: ["127.0.0.1"]}
admin: {listen: ["unix:%%(admin)s"]}
stun: {rfc3489: %s}
"""


def request(cookie=b""):
    return struct.pack("!HH", 1, 0) + cookie + os.urandom(16 - len(cookie))


class Asterisk(unittest.TestCase):
    """Sends what main/stun.c of Asterisk sends, and reads MAPPED-ADDRESS alone."""

    def setUp(self):
        self.daemon = Daemon(CONFIG % "true")
        self.addCleanup(self.daemon.stop)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", self.daemon.port))

    def test_it_learns_its_address_until_a_reload_forbids_it(self):
        asked = request()
        self.socket.send(asked)
        mapped = struct.pack("!HHBBH4s", 1, 8, 0, 1, self.socket.getsockname()[1], socket.inet_aton("127.0.0.1"))
        self.assertEqual(struct.pack("!HH", 0x0101, len(mapped)) + asked[4:] + mapped, self.socket.recv(2048))

        self.daemon.write(CONFIG % "false")
        self.daemon.reload()
        # Datagrams of one client are answered in their order. The workers take over the settings one by one.
        deadline = time.monotonic() + PATIENCE
        while True:
            old, modern = request(), request(bytes.fromhex("2112a442"))
            self.socket.send(old)
            self.socket.send(modern)
            first = self.socket.recv(2048)[4:20]
            if first == modern[4:]:
                break
            self.assertEqual(old[4:], first)
            self.assertEqual(modern[4:], self.socket.recv(2048)[4:20])
            self.assertLess(time.monotonic(), deadline)


unittest.main()
