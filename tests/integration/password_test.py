#!/usr/bin/env python3
"""How turnpikectl asks for a password on a terminal: twice, without showing it. The terminal is afterwards as it was before,
also when the command was interrupted.

The programs are the environment's TURNPIKE and TURNPIKECTL, else those of build/release.
"""

import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
import unittest

from daemon import ROOT, Daemon
from program import PATIENCE

TURNPIKECTL = os.environ.get("TURNPIKECTL", str(ROOT / "build/release/turnpikectl"))

CONFIG = """
realm: example.org
workers: 1
listen: ["udp://127.0.0.1:0"]
relay: {addresses: ["%(relay)s"]}
auth: {database: "sqlite:%(admin)s.db"}
admin: {listen: ["unix:%(admin)s"]}
"""


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, command):
        self.shown = ""
        self.main, self.side = pty.openpty()
        self.before = termios.tcgetattr(self.side)
        self.process = subprocess.Popen(command, stdin=self.side, stdout=self.side, stderr=self.side,
                                        start_new_session=True)

    def read(self):
        try:
            self.shown += os.read(self.main, 4096).decode()
        except OSError:
            pass

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.main], [], [], 0.1)[0]:
                self.read()

    def type(self, text):
        os.write(self.main, text.encode())

    def end(self):
        """The exit code, and whether the terminal is as it was."""
        code = self.process.wait(PATIENCE)
        while select.select([self.main], [], [], 0)[0]:
            self.read()
        same = termios.tcgetattr(self.side) == self.before
        os.close(self.side)
        os.close(self.main)
        return code, same


class Password(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(CONFIG)
        cls.addClassCleanup(cls.daemon.stop)

    def at_terminal(self, *words):
        return Terminal([TURNPIKECTL, "--socket", self.daemon.admin, *words])

    def names(self):
        return [user["name"] for user in json.loads(self.daemon.ask("GET", "/v1/users"))["users"]]

    def add(self, name, password, again):
        terminal = self.at_terminal("user", "add", name)
        terminal.wait_for(f"Password of {name}: ")
        terminal.type(password + "\n")
        terminal.wait_for("Once more: ")
        terminal.type(again + "\n")
        return terminal

    def test_it_is_asked_for_twice_and_not_shown(self):
        terminal = self.add("ann", "open sesame", "open sesame")
        self.assertEqual((0, True), terminal.end())
        self.assertIn("user ann is added", terminal.shown)
        self.assertNotIn("sesame", terminal.shown)
        self.assertIn("ann", self.names())

    def test_two_that_differ_change_nothing(self):
        terminal = self.add("bob", "open sesame", "open poppy")
        self.assertEqual((1, True), terminal.end())
        self.assertIn("the passwords differ", terminal.shown)
        self.assertNotIn("bob", self.names())

    def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            terminal = self.at_terminal("user", "add", "carol")
            terminal.wait_for("Password of carol: ")
            terminal.type("open ses")
            terminal.process.send_signal(number)
            self.assertEqual((-number, True), terminal.end())
        self.assertNotIn("carol", self.names())


unittest.main()
