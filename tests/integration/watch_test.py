#!/usr/bin/env python3
"""What `turnpikectl allocations --watch` shows on a terminal beside a thousand allocations.

The programs are the environment's TURNPIKE and TURNPIKECTL, else those of build/release.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unittest

from crowd import Crowd, Member
from daemon import ROOT, Daemon
from program import PATIENCE

TURNPIKECTL = os.environ.get("TURNPIKECTL", str(ROOT / "build/release/turnpikectl"))
CLEAR = "\033[H\033[2J"
LINES = 40
ALLOCATIONS = 1000

CONFIG = """
realm: example.org
workers: 2
listen: ["udp://127.0.0.1:0"]
relay: {addresses: ["%(relay)s"], ports: 16384-32767}
auth: {users: {alice: s3same-0pen}}
admin: {listen: ["unix:%(admin)s"]}
"""
HEADER = ["ID", "USER", "CLIENT", "BY", "RELAYED", "PEERS", "AGE", "ENDS IN", "FROM CLIENT", "TO CLIENT", "RATE", "DROPPED"]
ADDRESS = r"127\.\d+\.\d+\.\d+:\d+"
ROW = re.compile(rf"([01]-\d+) +alice +{ADDRESS} +udp +{ADDRESS} +0 +(?:(\d+)m )?(\d+)s +\d+m \d+s +0 B +0 B +0 bit/s +0")


class Watch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(CONFIG)
        cls.addClassCleanup(cls.daemon.stop)
        crowd = Crowd(cls.daemon.port)
        cls.addClassCleanup(crowd.close)
        codes = crowd.run(crowd.add(ALLOCATIONS, b"alice", b"s3same-0pen"), Member.allocate)
        assert set(codes) == {0}, set(codes)

    def watch(self, columns, frames):
        """The first frames that a terminal of so many columns is given, whole ones."""
        terminal, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("4H", LINES, columns, 0, 0))
        command = [TURNPIKECTL, "--socket", self.daemon.admin, "allocations", "--watch"]
        shown = b""
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=other, stdout=other, stderr=other,
                                   env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "LINES": str(LINES)})
        try:
            os.close(other)
            deadline = time.monotonic() + PATIENCE
            # The end of a frame is the beginning of the next one.
            while shown.count(CLEAR.encode()) <= frames:
                ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
                self.assertTrue(ready, "no more comes")
                shown += os.read(terminal, 1 << 16)
        finally:
            process.terminate()
            # It may be waiting for somebody to read what it writes.
            os.close(terminal)
            process.wait(PATIENCE)
        before, *all_frames = shown.decode().split(CLEAR)
        self.assertEqual(before, "", "the first frame begins with an empty screen")
        return all_frames[:frames]

    def test_frames(self):
        for columns in [80, 120, 200]:
            with self.subTest(columns=columns):
                ages = []
                for frame in self.watch(columns, 2):
                    title, header, *rows, end = frame.split("\r\n")
                    self.assertEqual((title, end), (f"{ALLOCATIONS} allocations", ""))
                    self.assertEqual(re.split(r"  +", header), HEADER)
                    # All of them, or what fits.
                    self.assertIn(len(rows), [ALLOCATIONS, *range(1, LINES)])
                    found = [ROW.fullmatch(row) for row in rows]
                    self.assertEqual([row for row, is_one in zip(rows, found) if not is_one], [])
                    # The last title and the numbers below it end at one place.
                    self.assertEqual({len(row) for row in rows}, {len(header)})
                    self.assertEqual(len({row[1] for row in found}), len(rows), "each of them once")
                    ages.append([int(row[2] or 0) * 60 + int(row[3]) for row in found])
                    self.assertEqual(ages[-1], sorted(ages[-1], reverse=True), "the oldest comes first")
                self.assertGreater(ages[1][0], ages[0][0], "the second frame is a later one")
                print(f"{columns} columns: {len(rows)} rows of {len(header)} characters")


if __name__ == "__main__":
    unittest.main()
