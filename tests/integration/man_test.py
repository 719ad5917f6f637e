#!/usr/bin/env python3
"""man_test.py SOURCE_DIR BUILD_DIR: the manual pages name every option and command that the programs' --help names, and
every key that the daemon knows; man and mandoc find no fault with them. The keys are taken from the daemon's own table,
and options are searched for as words, so that nothing of what makes the pages is trusted here."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

SOURCE, BUILD = (Path(argument) for argument in sys.argv[1:3])
PAGES = {"turnpike": 8, "turnpikectl": 1, "stunclient": 1, "turnbench": 1, "turnpike.yaml": 5}
PROGRAMS = [name for name in PAGES if "." not in name]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
EXPLANATION = re.compile(r"^(?: {30}|  \S.*?  +)(\S.*)$", re.MULTILINE)
ARGUMENTS = re.compile(r"^ *Positionals:\n((?:  .*\n)+)", re.MULTILINE | re.IGNORECASE)
USAGE = re.compile(r"^Usage: \S+ (.*)$", re.MULTILINE)
COMMANDS = re.compile(r"^Subcommands:\n((?:  .*\n)+)", re.MULTILINE | re.IGNORECASE)


def page(name: str) -> Path:
    return BUILD / "man" / f"{name}.{PAGES[name]}"


def text_of(name: str) -> str:
    """What a reader sees, as one line with single spaces."""
    text = page(name).read_text(encoding="utf-8")
    text = re.sub(r"\\f[BIR]|\\%|\\&", "", text)
    for roff, plain in ((r"\-", "-"), (r"\(aq", "'"), (r"\(ga", "`"), (r"\(ha", "^"), (r"\(ti", "~"), (r"\e", "\\")):
        text = text.replace(roff, plain)
    return " ".join(text.split())


def help_of(program: str, *command: str) -> str:
    return subprocess.run([BUILD / program, *command, "--help"], check=True, capture_output=True, text=True,
                          timeout=30).stdout


def helps_of(program: str, *command: str) -> list[str]:
    """Of the program or command, of each of its commands, and of theirs."""
    first = help_of(program, *command)
    found = COMMANDS.search(first)
    names = [line.split()[0] for line in found[1].splitlines()] if found else []
    return [first, *(each for name in names for each in helps_of(program, *command, name))]


class ManPages(unittest.TestCase):
    def test_options_and_commands_are_there(self) -> None:
        for program in PROGRAMS:
            text = text_of(program)
            helps = helps_of(program)
            options = {option for each in helps for option in OPTION.findall(each)}
            self.assertGreater(len(options), 3)
            missing = [each for each in sorted(options) if not re.search(rf"{each}(?![\w-])", text)]
            self.assertEqual([], missing, page(program))
        commands = COMMANDS.search(help_of("turnpikectl"))
        self.assertIsNotNone(commands)
        source = page("turnpikectl").read_text(encoding="utf-8")
        for line in commands[1].splitlines():
            self.assertRegex(source, rf"(?m)^\.SS {line.split()[0]} ")

    def test_each_heading_names_what_the_command_takes(self) -> None:
        source = page("turnpikectl").read_text(encoding="utf-8").replace("\\%", "").replace("\\-", "-")
        arguments = 0
        for answer in helps_of("turnpikectl")[1:]:
            usage = USAGE.search(answer)[1]
            self.assertIn(f"\n.SS {usage}\n", source)
            if found := ARGUMENTS.search(answer):
                for name in re.findall(r"^ {2,4}(\S+)", found[1], re.MULTILINE):
                    self.assertIn(name, usage.replace("[", "").replace("]", "").split())
                    arguments += 1
        self.assertGreater(arguments, 3)

    def test_each_term_is_one(self) -> None:
        """Below a heading for options stand options and arguments, and nothing that --help has about them."""
        for program in PROGRAMS:
            source = page(program).read_text(encoding="utf-8").replace("\\%", "").replace("\\-", "-")
            for section in re.split(r"^\.SH ", source, flags=re.MULTILINE):
                if not section.startswith(("OPTIONS", "ARGUMENTS", "COMMANDS")):
                    continue
                for term in re.findall(r"^\.TP\n(.*)$", section, re.MULTILINE):
                    self.assertRegex(term, r"^(\\fB-\S+\\fR(, \\fB-\S+\\fR)*( \\fI[^ a-z]+\\fR)?|\\fI[A-Z_]+\\fR)$")

    def test_each_explanation_is_there(self) -> None:
        """The right half of --help, word by word, whatever lines it is on."""
        for program in PROGRAMS:
            words = set(text_of(program).replace('"', "").split())
            for answer in helps_of(program):
                # Newer versions of CLI11 write here which options an option needs. The page has this as a
                # sentence.
                explained = re.sub(r"\b(Needs|Excludes): \S+", "", " ".join(EXPLANATION.findall(answer)))
                missing = [word for word in explained.replace("`", "").split()
                           if word not in words and word + "." not in words]
                self.assertEqual([], missing, page(program))

    def test_keys_are_there_with_their_values(self) -> None:
        table = (SOURCE / "src/config/keys.cpp").read_text(encoding="utf-8")
        keys = re.findall(r'^    \{"([a-z_0-9.]+)", ', table, re.MULTILINE)
        self.assertGreater(len(keys), 50)
        source = page("turnpike.yaml").read_text(encoding="utf-8").replace("\\%", "").replace("\\-", "-")
        described = re.findall(r"^\\fB([a-z_0-9.]+)\\fR: (\S.*)$", source, re.MULTILINE)
        self.assertEqual(sorted(keys), sorted(key for key, _ in described))

    def test_every_word_of_the_comments_is_there(self) -> None:
        words = set(text_of("turnpike.yaml").replace('"', "").split())
        config = (SOURCE / "conf/turnpike.yaml").read_text(encoding="utf-8")
        comments = re.findall(r"^ *# ([^:\n]*\S)$", config, re.MULTILINE)
        self.assertGreater(len(comments), 50)
        missing = [word for line in comments for word in line.replace('"', "").split() if word not in words]
        self.assertEqual([], missing)

    def test_compressed_is_the_same(self) -> None:
        for name in PAGES:
            packed = page(name).with_name(page(name).name + ".gz")
            self.assertEqual(page(name).read_bytes(), gzip.decompress(packed.read_bytes()))

    def complaints(self, *command: str) -> str:
        if not shutil.which(command[0]):
            if os.environ.get("CI") == "true":
                self.fail(f"{command[0]} is missing")
            self.skipTest(f"{command[0]} is missing")
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        return done.stdout + done.stderr if command[0] == "mandoc" else done.stderr

    def test_man_and_mandoc_find_no_fault(self) -> None:
        for name in PAGES:
            self.assertEqual("", self.complaints("mandoc", "-Tlint", str(page(name))))
            self.assertEqual("", self.complaints("man", "--warnings", "-l", str(page(name))))


unittest.main(argv=sys.argv[:1])
