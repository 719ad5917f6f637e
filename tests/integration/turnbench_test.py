#!/usr/bin/env python3
"""turnbench_test.py TURNBENCH: what turnbench says of a command line that is wrong, before it asks any server."""

import subprocess
import sys
import unittest

TURNBENCH = sys.argv.pop(1)


class CommandLine(unittest.TestCase):
    def turnbench(self, *arguments: str) -> subprocess.CompletedProcess:
        # Nobody is at that port, and turnbench would ask there for longer than this time.
        return subprocess.run([TURNBENCH, *arguments], capture_output=True, text=True, timeout=10)

    def expect_refusal(self, named: str, *arguments: str) -> None:
        done = self.turnbench(*arguments)
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn(named, done.stderr)

    def test_version(self) -> None:
        done = self.turnbench("--version")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertRegex(done.stdout, r"^turnbench \d+\.\d+\.\d+\n$")

    def test_what_is_missing_or_unknown(self) -> None:
        self.expect_refusal("--server", "--clients", "1")
        self.expect_refusal("--sever", "--sever")

    def test_what_would_measure_nothing(self) -> None:
        for option, value in (("--duration", "0"), ("--duration", "-1"), ("--duration", "86401"), ("--warm-up", "-1"),
                              ("--allocations", "0"), ("--cycles", "0"), ("--cycles", "-1")):
            with self.subTest(option=option, value=value):
                self.expect_refusal(option, "--server", "127.0.0.1:9", option, value)


if __name__ == "__main__":
    unittest.main()
