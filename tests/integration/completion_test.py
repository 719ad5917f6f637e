#!/usr/bin/env python3
"""tools/turnpikectl/completion.bash in a bash with a terminal of its own, as a person uses it: keys go in, and what the
line of input then is comes out. The program is that of the environment's TURNPIKECTL, else of build/release."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPLETION = ROOT / "tools/turnpikectl/completion.bash"
TURNPIKECTL = os.path.realpath(os.environ.get("TURNPIKECTL", ROOT / "build/release/turnpikectl"))
PATIENCE = 30
TAB, INSERT_ALL, TELL, CLEAR = b"\t", b"\x1b*", b"\x18\x0c", b"\x15"


class Shell:
    def __init__(self, folder):
        self.answers, answers = os.pipe()
        os.set_inheritable(answers, True)
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environment = {name: text for name, text in os.environ.items() if name.endswith("SAN_OPTIONS")}
            environment |= {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": folder, "TERM": "dumb",
                            "INPUTRC": "/dev/null", "HISTFILE": "/dev/null"}
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)
        os.close(answers)
        self.reader = threading.Thread(target=self.read_terminal, daemon=True)
        self.reader.start()
        tell = rf"""bind -x '"\C-x\C-l": printf "%s\0" "$READLINE_LINE" >&{answers}'"""
        self.type(f"source {COMPLETION}; {tell}; bind 'set completion-query-items 0' 'set page-completions off'; "
                  f"printf 'ready\\0' >&{answers}\n".encode())
        assert self.answer() == "ready"

    def read_terminal(self):
        try:
            while os.read(self.terminal, 4096):
                pass
        except OSError:
            pass  # the shell has ended

    def type(self, keys):
        os.write(self.terminal, keys)

    def answer(self):
        heard, deadline = b"", time.monotonic() + PATIENCE
        while not heard.endswith(b"\0"):
            if not select.select([self.answers], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"the shell says nothing but {heard}")
            heard += os.read(self.answers, 4096)
        return heard[:-1].decode()

    def press(self, line, key):
        """What the line is after the key."""
        self.type(CLEAR + line.encode() + key + TELL)
        return self.answer()

    def close(self):
        self.type(CLEAR + b"exit\n")
        os.waitpid(self.pid, 0)
        self.reader.join(PATIENCE)
        os.close(self.terminal)
        os.close(self.answers)


def help_of(*command):
    return subprocess.run([TURNPIKECTL, *command, "--help"], check=True, capture_output=True, text=True, timeout=30).stdout


def options_in(answer):
    return set(re.findall(r"^ +(?:-\w,? *)?(--[a-z-]+)", answer, re.MULTILINE))


def commands_in(answer):
    found = re.search(r"(?mi)^Subcommands:\n((?:  .*\n)+)", answer)
    return re.findall(r"^  ([a-z]+)", found[1], re.MULTILINE) if found else []


def all_commands(*command):
    yield command
    for each in commands_in(help_of(*command)):
        yield from all_commands(*command, each)


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.folder.name)
        (root / "bin").mkdir()
        (root / "bin/turnpikectl").symlink_to(TURNPIKECTL)
        (root / "work/a folder").mkdir(parents=True)
        (root / "work/a folder/inner.yaml").touch()
        (root / "work/turnpike.yaml").touch()
        (root / "admin.sock").touch()
        cls.shell = Shell(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.shell.close()
        cls.folder.cleanup()

    def expect(self, line, completed):
        self.assertEqual(f"turnpikectl {completed}", self.shell.press(f"turnpikectl {line}", TAB))

    def offers(self, line):
        before = f"turnpikectl {line}"
        kept = before[:before.rindex(" ") + 1]
        line = self.shell.press(before, INSERT_ALL)
        self.assertTrue(line.startswith(kept), line)
        return set(line[len(kept):].split())

    def test_options_are_those_that_help_names_and_those_of_every_command(self):
        everywhere = options_in(help_of())
        self.assertLessEqual({"--socket", "--json", "--help"}, everywhere)
        for command in all_commands():
            with self.subTest(command):
                self.assertEqual(everywhere | options_in(help_of(*command)), self.offers(" ".join([*command, "--"])))

    def test_commands_are_those_that_help_names(self):
        self.assertEqual(set(commands_in(help_of())), self.offers(""))
        for command in "user", "import":
            self.assertEqual(set(commands_in(help_of(command))), self.offers(f"{command} "))
        self.expect("--socket status all", "--socket status allocations ")
        self.expect("--json --socket=kill us", "--json --socket=kill user ")

    def test_an_option_stands_where_nothing_else_can(self):
        self.assertIn("--dry-run", self.offers("reload "))
        self.assertNotIn("--generate", self.offers("user list "))
        self.expect("user remove --g", "user remove --g")
        self.expect("user add --g", "user add --generate ")
        self.expect("allocations --he", "allocations --help ")

    def test_words(self):
        self.assertEqual({"age", "rate"}, self.offers("allocations --sort "))
        self.expect("allocations --sort r", "allocations --sort rate ")
        self.expect("allocations --sort=r", "allocations --sort=rate ")
        self.assertEqual("turnpikectl allocations --sort=age rate ",
                         self.shell.press("turnpikectl allocations --sort=", INSERT_ALL))
        self.assertEqual({"debug", "info", "warning", "error"}, self.offers("loglevel "))
        self.expect("loglevel --json d", "loglevel --json debug ")

    def test_nothing_where_anything_may_stand(self):
        for line in "user add bo", "kill --user al", "allocations --address 1", "drain --until 1":
            self.expect(line, line)

    def test_files(self):
        root = self.folder.name
        self.expect(f"check {root}/wo", f"check {root}/work/")
        self.expect("check work/a", r"check work/a\ folder/")
        self.expect(r"check work/a\ folder/", r"check work/a\ folder/inner.yaml ")
        self.expect("check ~/wo", "check ~/work/")
        self.expect("import coturn work/t", "import coturn work/turnpike.yaml ")
        self.expect("credentials --config work/t", "credentials --config work/turnpike.yaml ")
        self.expect("credentials --config=work/t", "credentials --config=work/turnpike.yaml ")
        for option in "--socket ", "--socket=":
            self.expect(f"{option}adm", f"{option}admin.sock ")
            self.expect(f"status {option}adm", f"status {option}admin.sock ")


if not shutil.which("bash"):
    sys.exit(77)
unittest.main()
