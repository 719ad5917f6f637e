#!/usr/bin/env python3
"""What `turnpikectl allocations --watch` shows on a terminal, and in a pipe, beside a thousand allocations.

The programs are the environment's TURNPIKE and TURNPIKECTL, else those of build/release.
"""

import base64
import codecs
import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unicodedata
import unittest

from crowd import Crowd, Member
from daemon import ROOT, Daemon
from program import PATIENCE

TURNPIKECTL = os.environ.get("TURNPIKECTL", str(ROOT / "build/release/turnpikectl"))
ALLOCATIONS = 1000
SECRET = "north-star-secret"
# These names have an effect on a terminal when they are printed unchanged, are not UTF-8, are wide, or are
# drawn over the next character.
HOSTILE = [b"\x1b[2J\x1b[31m", b"\x1b]0;title\x07", b"two\r\nlines\t", b"\xc2\x9b2J", b"\x9b2J\x84", "\u202eevil\u2066".encode(),
           "\u200f\u061c\u2028\u2029".encode(), b"\xff\xfe", b"x" + "\u0335".encode() * 100, "\u0301accent".encode(),
           "\u738b\u5c0f\u660e".encode() * 30, "\U0001f600".encode() * 12, b"n" * 400]

CONFIG = """
realm: example.org
workers: 2
listen: ["udp://127.0.0.1:0"]
relay: {addresses: ["%(relay)s"], ports: 16384-32767}
auth: {users: {alice: s3same-0pen}, secrets: [north-star-secret]}
admin: {listen: ["unix:%(admin)s"]}
"""
HEADER = ["ID", "USER", "CLIENT", "BY", "RELAYED", "PEERS", "AGE", "ENDS IN", "FROM CLIENT", "TO CLIENT", "RATE", "DROPPED"]
# They are in the order in which they are left out.
OPTIONAL = ["ENDS IN", "RELAYED", "DROPPED", "PEERS", "FROM CLIENT", "TO CLIENT", "BY", "AGE", "CLIENT", "RATE"]
ADDRESS = r"127\.\d+\.\d+\.\d+:\d+"
CELLS = {"ID": r"[01]-\d+", "USER": r"\S.*", "CLIENT": ADDRESS, "BY": "udp", "RELAYED": ADDRESS, "PEERS": "0",
         "AGE": r"(?:\d+m )?\d+s", "ENDS IN": r"\d+m \d+s", "FROM CLIENT": "0 B", "TO CLIENT": "0 B", "RATE": "0 bit/s",
         "DROPPED": "0"}


def width(character):
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """A terminal that knows what is to be expected, and fails on all else."""

    TOKEN = re.compile(r"\033\[\?(1049|25|7)([hl])|\033\[([HJK])|(\r+\n)|([^\0-\x1f\x7f-\x9f\ud800-\udfff])", re.DOTALL)
    FORBIDDEN = re.compile("[\u200e\u200f\u061c\u2028-\u202e\u2066-\u2069]")

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.modes, self.lines, self.used = {}, [""], 0  # columns of the last line
        self.pages = []  # whole ones: where the next has begun

    def take(self, text):
        """Returns what is the beginning of a token."""
        assert not self.FORBIDDEN.search(text), ascii(text)
        at = 0
        while at < len(text):
            token = self.TOKEN.match(text, at)
            if not token:
                assert text[at] in "\r\033" and len(text) - at < 8, ascii(text[at : at + 40])
                break
            at = token.end()
            mode, switch, function, line_break, character = token.groups()
            if mode:
                self.modes[mode] = switch
            elif function == "H":
                self.pages.append(self.lines)
                self.lines, self.used = [""], 0
            elif line_break:
                self.lines.append("")
                self.used = 0
            elif character:
                self.lines[-1] += character
                self.used += width(character)
            elif function == "K":
                assert self.used < self.columns, "the last column of a full line is cleared"
            assert len(self.lines) <= self.rows, "it scrolls"
            assert self.used <= self.columns, self.lines[-1]
        return text[at:]


class Watcher:
    """turnpikectl in a session of its own, with a pseudo-terminal that is its controlling one."""

    def __init__(self, admin, rows, columns, *options):
        self.screen, self.left = Screen(rows, columns), ""
        self.decoder = codecs.getincrementaldecoder("utf-8")()  # keeps the beginning of a character
        self.master, self.terminal = pty.openpty()
        self.set_size(rows, columns)
        self.before = termios.tcgetattr(self.terminal)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", TURNPIKECTL, "--socket", admin, "allocations", "--watch", *options],
            stdin=self.terminal, stdout=self.terminal, stderr=self.terminal, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), env={**os.environ, "TERM": "xterm"})

    def set_size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys)

    def read_until(self, condition):
        """Until this is so, or nothing more comes."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, "no more comes"
            text = self.decoder.decode(os.read(self.master, 1 << 16))
            self.left = self.screen.take(self.left + text)

    def read_page(self):
        """The next page, as lines."""
        # Everything before the first page is taken for one.
        number = max(1, len(self.screen.pages))
        self.read_until(lambda: len(self.screen.pages) > number)
        return self.screen.pages[number]

    def has_left(self):
        return self.screen.modes == {"1049": "l", "25": "h", "7": "h"}

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self.master)
        os.close(self.terminal)


class Watch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(CONFIG)
        cls.addClassCleanup(cls.daemon.stop)
        crowd = Crowd(cls.daemon.port)
        cls.addClassCleanup(crowd.close)
        members = []
        for name in HOSTILE:
            user = b"%d:%s" % (time.time() + 3600, name)
            password = base64.b64encode(hmac.new(SECRET.encode(), user, hashlib.sha1).digest())
            members += crowd.add(1, user, password)
        members += crowd.add(ALLOCATIONS - len(members), b"alice", b"s3same-0pen")
        codes = crowd.run(members, Member.allocate)
        assert set(codes) == {0}, set(codes)

    def watch(self, rows, columns, *options):
        watcher = Watcher(self.daemon.admin, rows, columns, *options)
        self.addCleanup(watcher.close)
        return watcher

    def run_in_pipe(self, *options):
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", TURNPIKECTL, "--socket", self.daemon.admin, *options],
                                   stdout=subprocess.PIPE, env={**os.environ, "TERM": "xterm"})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        return process

    def expect_rows(self, header, rows):
        """Their ages, in seconds. The columns of the table are as wide as those of its header, which are left out in order."""
        titles = re.split(r"  +", header)
        self.assertEqual(titles, [title for title in HEADER if title in titles])
        self.assertLessEqual({"ID", "USER"}, set(titles))
        missing = [title for title in OPTIONAL if title not in titles]
        self.assertEqual(set(missing), set(OPTIONAL[: len(missing)]))
        row_of = re.compile("  +".join(f"(?P<{title.replace(' ', '_')}>{CELLS[title]})" for title in titles))
        found = [row_of.fullmatch(row) for row in rows]
        self.assertEqual([row for row, is_one in zip(rows, found) if not is_one], [])
        # The last title and the numbers below it end in the same column.
        self.assertEqual({sum(map(width, row)) for row in rows}, {len(header)})
        ages = [sum(int(n) * {"m": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+)([ms])", row["AGE"])) for row in found]
        ids = [tuple(map(int, row["ID"].split("-"))) for row in found]
        self.assertEqual([(-age, id) for age, id in zip(ages, ids)], sorted((-age, id) for age, id in zip(ages, ids)),
                         "the oldest comes first, and of one age the one with the lowest number")
        self.assertEqual(len(set(ids)), len(ids), "each of them once")
        return ages

    def test_a_page_fits_the_terminal(self):
        columns_of = {}
        for rows, columns in [(24, 80), (40, 120), (50, 200), (60, 66)]:
            with self.subTest(rows=rows, columns=columns):
                watcher = self.watch(rows, columns)
                ages = []
                for _ in range(2):
                    title, header, *page = watcher.read_page()
                    shown = rows - 2
                    self.assertEqual(len(page), shown)
                    self.assertTrue(f"{ALLOCATIONS} allocations: the {shown} oldest, and {ALLOCATIONS - shown} more that "
                                    "do not fit (q: quit)".startswith(title.rstrip("…")), title)
                    ages.append(self.expect_rows(header, page))
                self.assertGreater(ages[1][0], ages[0][0], "the second page is a later one")
                columns_of[columns] = len(re.split(r"  +", header))
        self.assertEqual(columns_of[200], len(HEADER))
        self.assertLess(columns_of[66], columns_of[80])
        self.assertLess(columns_of[80], columns_of[120])
        print(f"columns of the table by those of the terminal: {columns_of}")

    def test_a_page_follows_the_size_of_the_terminal(self):
        watcher = self.watch(40, 120)
        watcher.read_page()
        for rows, columns in [(10, 60), (50, 200), (3, 20), (2, 8), (1, 1)]:
            with self.subTest(rows=rows, columns=columns):
                screen = watcher.screen
                screen.rows, screen.columns = max(rows, screen.rows), max(columns, screen.columns)
                watcher.set_size(rows, columns)
                # Pages before this one may still wait to be read.
                page = next(page for page in iter(watcher.read_page, None) if len(page) == rows)
                screen.rows, screen.columns = rows, columns
                for _ in range(2):
                    self.assertLessEqual(max(sum(map(width, line)) for line in page), columns)
                    self.assertEqual(len(page), rows)
                    page = watcher.read_page()

    def test_the_terminal_is_as_it_was_afterwards(self):
        for keys, code in [(b"q", 0), (b"xyQ", 0), (b"\x03", -signal.SIGINT), (b"\x1c", -signal.SIGQUIT)]:
            with self.subTest(keys=keys):
                watcher = self.watch(24, 80)
                watcher.read_page()
                self.assertEqual(watcher.screen.modes, {"1049": "h", "25": "l", "7": "l"})
                watcher.type(keys)
                watcher.read_until(watcher.has_left)
                self.assertEqual(watcher.process.wait(PATIENCE), code)
                self.assertEqual(termios.tcgetattr(watcher.terminal), watcher.before)
        for number in [signal.SIGTERM, signal.SIGHUP]:
            with self.subTest(signal=number):
                watcher = self.watch(24, 80)
                watcher.read_page()
                watcher.process.send_signal(number)
                watcher.read_until(watcher.has_left)
                self.assertEqual(watcher.process.wait(PATIENCE), -number)
                self.assertEqual(termios.tcgetattr(watcher.terminal), watcher.before)

    def test_it_can_be_stopped_and_go_on(self):
        watcher = self.watch(24, 80)
        watcher.read_page()
        watcher.type(b"\x1a")
        watcher.read_until(watcher.has_left)
        _, status = os.waitpid(watcher.process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status), status)
        self.assertEqual(termios.tcgetattr(watcher.terminal), watcher.before)
        watcher.process.send_signal(signal.SIGCONT)
        watcher.read_until(lambda: not watcher.has_left())
        # Ctrl-Z made the terminal throw away what nobody had read of the page that was drawn.
        watcher.read_page()
        self.assertEqual(len(watcher.read_page()), 24)
        watcher.type(b"q")
        self.assertEqual(watcher.process.wait(PATIENCE), 0)

    def test_a_daemon_that_goes_away_ends_it(self):
        daemon = Daemon(CONFIG)
        self.addCleanup(daemon.stop)
        watcher = Watcher(daemon.admin, 24, 80)
        self.addCleanup(watcher.close)
        self.assertEqual(watcher.read_page()[0], "0 allocations (q: quit)")
        watcher.screen.columns = 1000  # the terminal wraps what comes now
        daemon.process.kill()
        watcher.read_until(watcher.has_left)
        watcher.read_until(lambda: any("turnpikectl: cannot reach turnpike" in line for line in watcher.screen.lines))
        self.assertEqual(watcher.process.wait(PATIENCE), 2)

    def test_the_busiest_come_first(self):
        title = self.watch(24, 120, "--sort", "rate").read_page()[0]
        self.assertEqual(title, f"{ALLOCATIONS} allocations: the 22 busiest, and {ALLOCATIONS - 22} more that do not fit "
                                "(q: quit)")

    def test_names_of_strangers_are_shown_and_do_nothing(self):
        page = "\n".join(self.watch(ALLOCATIONS + 2, 300).read_page())
        for shown in [r"\u{1b}[2J\u{1b}[31m", r"\u{1b}]0;title\u{7}", r"two\u{d}\u{a}lines\u{9}", r"\u{9b}2J", r"\x9b2J\x84",
                      r"\u{202e}evil\u{2066}", r"\u{200f}\u{61c}\u{2028}\u{2029}", r":\xff\xfe", r"\u{335}\u{335}",
                      ":\u0301accent", "\u738b\u5c0f\u660e", "\U0001f600" * 12, "n" * 52 + "…  "]:
            self.assertIn(shown, page)

    def test_in_a_pipe_it_is_plain(self):
        for options in [["allocations", "--watch"], ["allocations"]]:
            process = self.run_in_pipe(*options)
            for _ in range(2 if "--watch" in options else 1):
                lines = [process.stdout.readline().decode().rstrip("\n") for _ in range(ALLOCATIONS + 2)]
                self.assertEqual(lines[0], f"{ALLOCATIONS} allocations")
                self.assertEqual(re.split(r"  +", lines[1]), HEADER)
                self.expect_rows(lines[1], lines[2:])
                self.assertFalse(re.search(r"[\0-\x1f\x7f-\x9f]", "".join(lines)))
                if "--watch" in options:
                    self.assertEqual(process.stdout.readline(), b"\n")

    def test_json_is_a_document_on_each_line(self):
        process = self.run_in_pipe("--json", "allocations", "--watch")
        for _ in range(2):
            line = process.stdout.readline().decode()
            self.assertFalse(re.search(r"[\0-\x1f\x7f-\x9f\u202e]", line.rstrip("\n")))
            users = {one["user"].partition(":")[2].encode() for one in json.loads(line)["allocations"]}
            self.assertEqual(len(json.loads(line)["allocations"]), ALLOCATIONS)
            for name in HOSTILE:
                try:
                    name.decode()
                    self.assertIn(name, users)
                except UnicodeDecodeError:
                    self.assertNotIn(name, users)
            self.assertIn(rb"\xff\xfe", users)

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([TURNPIKECTL, "--socket", self.daemon.admin, "allocations"], stdout=full,
                                  stderr=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stderr), (1, b"turnpikectl: the output could not be written\n"))


if __name__ == "__main__":
    unittest.main()
