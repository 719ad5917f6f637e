#!/usr/bin/env python3
"""Writes the manual pages of the programs from their --help, and that of the configuration from its comments.

    make_man_pages.py --version VERSION --config conf/turnpike.yaml --out FOLDER PROGRAM...

Options and commands come from `PROGRAM --help` and keys from the file, so the pages cannot contradict them. This script
has only the texts that these do not contain. Each page is written twice, as NAME.SECTION and compressed. The script needs
only Python's standard library.
"""

import argparse
import gzip
import os
import re
import subprocess
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

# For each program: the section of its page, a description in one line, the heading for the text at the end of its --help,
# and further sections as (heading, [(term, text), ...]). A term of None makes a paragraph.
PROGRAMS = {
    "turnpike": (8, "STUN and TURN relay", "NOTES", [
        ("SIGNALS", [
            ("SIGHUP", "The configuration and the certificates are read again. A mistake in the file changes nothing "
                       "and is in the log."),
            ("SIGUSR2", "The same. It is the signal by which hooks of certbot tell coturn of a new certificate."),
            ("SIGUSR1", "A drain begins: no new client is accepted, and the process ends with the last call, or at "
                        "shutdown.deadline."),
            ("SIGTERM, SIGINT", "The process ends. With shutdown.drain in the configuration SIGTERM makes it drain "
                                "first, or lets a drain go on, and a second signal ends it at once."),
        ]),
        ("EXIT STATUS", [
            ("0", "The process was asked to stop, or --check or --reload succeeded."),
            ("1", "The process could not start, the configuration or the command line is not valid, or the reload failed."),
        ]),
        ("FILES", [
            ("/etc/turnpike/turnpike.yaml", "The configuration that turnpike.service uses; see turnpike.yaml(5)."),
            ("/run/turnpike/admin.sock", "The socket at which turnpikectl(1) reaches the daemon."),
        ]),
        ("SEE ALSO", [(None, "turnpike.yaml(5), turnpikectl(1), stunclient(1), turnbench(1)")]),
    ]),
    "turnpikectl": (1, "show and control a running turnpike", "EXIT STATUS", [
        ("FILES", [
            ("/run/turnpike/admin.sock", "The socket that the command uses. Root and the group turnpike may open it."),
        ]),
        ("SEE ALSO", [(None, "turnpike(8), turnpike.yaml(5)")]),
    ]),
    "stunclient": (1, "try out STUN and TURN servers", "ENVIRONMENT", [
        ("EXIT STATUS", [
            ("0", "Every requested test succeeded."),
            ("1", "A test failed; standard error says which, and why."),
            ("2", "The command line is wrong."),
        ]),
        ("SEE ALSO", [(None, "turnpike(8), turnbench(1)")]),
    ]),
    "turnbench": (1, "load a TURN server and measure it", "NOTES", [
        ("EXIT STATUS", [
            ("0", "turnbench has printed the result of its measurement."),
            ("1", "The command line is wrong, or a server or client failed; standard error says why."),
        ]),
        ("SEE ALSO", [(None, "turnpike(8), stunclient(1)")]),
    ]),
}
HELP_COLUMN = 30  # the column at which CLI11 writes the description of an option
MAN_REFERENCE = re.compile(r"\b([a-z]+(?:\.yaml)?)\((\d)\)")


@dataclass
class Entry:
    name: str
    text: str


@dataclass
class Help:
    about: str = ""
    usage: str = ""
    sections: dict[str, list[Entry]] = field(default_factory=dict)
    footer: str = ""


def ask_for_help(program: Path, *command: str) -> Help:
    answer = subprocess.run([program.name, *command, "--help"], executable=program, check=True, capture_output=True,
                            text=True, timeout=30).stdout
    return parse_help(answer)


def parse_help(answer: str) -> Help:
    result = Help()
    section: list[Entry] | None = None
    lines = answer.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("Usage: "):
            result.usage = line.removeprefix("Usage: ")
        elif re.fullmatch(r"[A-Z][A-Za-z]+:", line) and result.usage:
            section = result.sections.setdefault(line.rstrip(":").capitalize(), [])
        elif line.startswith(" " * HELP_COLUMN) and section:
            section[-1].text = (section[-1].text + " " + line.strip()).strip()
        elif line.startswith("  ") and section is not None:
            # The description of a long option is on the following lines, or there is none.
            continues = number + 1 < len(lines) and lines[number + 1].startswith(" " * HELP_COLUMN)
            fits = line[HELP_COLUMN - 1:HELP_COLUMN] == " " and not continues
            at = HELP_COLUMN if fits else len(line)
            section.append(Entry(line[:at].strip(), line[at:].strip()))
        elif line.lstrip().startswith("["):
            raise ValueError(f"a group of options, which this script does not know: {line}")
        elif line and not result.usage:
            result.about = (result.about + " " + line).strip()
        elif line:
            result.footer = (result.footer + " " + line).strip()
    return result


def escape(text: str) -> str:
    for plain, roff in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(plain, roff)
    # Paths, keys and addresses are not hyphenated, since readers copy them.
    text = re.sub(r"(?<!\S)(?=\S*[/_=.:]\w)", r"\\%", text)
    return "\\&" + text if text.startswith(".") else text


def paragraph(text: str) -> str:
    """Begins a new line for each sentence, as roff requires; references to pages are bold."""
    text = re.sub(r"`([^`]*)`", r'"\1"', text)
    sentences = re.split(r"(?<=[a-z0-9)\]][.?]) (?=[A-Z])", text)
    lines = [line for each in sentences
             for line in textwrap.wrap(each, 72, break_long_words=False, break_on_hyphens=False)]
    return "\n".join(MAN_REFERENCE.sub(r"\\fB\1\\fR(\2)", escape(line)) for line in lines)


def bold(text: str) -> str:
    return f"\\fB{escape(text)}\\fR"


def italic(text: str) -> str:
    return f"\\fI{escape(text)}\\fR"


@dataclass
class Option:
    """Parses one line of CLI11: `--mode TEXT:{basic,full}=basic Needs: --turn`."""
    names: list[str]
    value: str = ""
    remarks: list[str] = field(default_factory=list)


def parse_option(name: str) -> Option:
    names, _, rest = name.partition(" ")
    option = Option(names.split(","))
    for word, remark in (("Excludes", "Cannot be used with {}."), ("Needs", "Needs {}.")):
        if found := re.search(rf"\s*{word}: ((?:[\w-]+ ?)+)(?![\w:])", rest):
            option.remarks.insert(0, remark.format(", ".join(found[1].split())))
            rest = rest[:found.start()] + rest[found.end():]
    rest = " " + rest.strip()
    for mark, remark in ((" ...", "May be repeated."), (" REQUIRED", "Required.")):
        if mark in rest:
            option.remarks.append(remark)
            rest = rest.replace(mark, "")
    rest = rest.strip()
    if not re.fullmatch(r"[A-Z.=]*", rest):  # KEY.PATH=VALUE is not a default
        # CLI11 writes TYPE=default on Debian 12 and TYPE [default] on Debian 13. A range is in brackets too.
        if found := re.search(r"(?<! in) \[(?!UNIT\])([^\]]*)\]$", rest):
            rest, default = rest[:found.start()], found[1]
        else:
            rest, _, default = rest.partition("=")
        if found := re.search(r":\{(.*)\}", rest):
            option.remarks.append("One of " + ", ".join(found[1].split(",")) + ".")
        elif found := re.search(r" in \[(.*) - (.*)\]", rest):
            option.remarks.append(f"From {found[1]} to {found[2]}.")
        if default:
            option.remarks.append(f"Default: {default}.")
    option.value = re.split(r"[: ]", rest)[0] if ":" in rest else rest
    return option


def render_entry(entry: Entry) -> list[str]:
    option = parse_option(entry.name)
    is_option = option.names[0].startswith("-")
    term = ", ".join(map(bold if is_option else italic, option.names))
    if is_option and option.value:
        term += " " + italic(option.value)
    text = entry.text + ("" if not entry.text or entry.text.endswith(".") else ".")
    return [".TP", term, paragraph(" ".join([text, *option.remarks]).strip())]


def render_entries(entries: list[Entry]) -> list[str]:
    return [line for entry in entries for line in render_entry(entry)]


def render_usage(usage: str) -> str:
    program, *words = usage.split(" ")
    return " ".join([bold(program), *(italic(word.lower() if "OPTIONS" in word else word) for word in words)])


def header(name: str, section: int, summary: str, version: str) -> list[str]:
    # With SOURCE_DATE_EPOCH the page is reproducible.
    date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    return ['.\\" Made by tools/dev/make_man_pages.py of the program or conf/turnpike.yaml.',
            f'.TH {name.upper()} {section} {date} "turnpike {version}"', ".nh", ".ad l", ".SH NAME",
            f"{escape(name)} \\- {escape(summary)}"]


def program_page(program: Path, version: str) -> tuple[str, str]:
    name = program.name
    section, summary, footer, more = PROGRAMS[name]
    help_text = ask_for_help(program)
    about = help_text.about.removeprefix(f"{name}: ")
    lines = header(name, section, summary, version)
    lines += [".SH SYNOPSIS", render_usage(help_text.usage)]
    lines += [".SH DESCRIPTION", paragraph(about[0].upper() + about[1:])]
    for title in ("Positionals", "Options"):
        if title in help_text.sections:
            lines.append(".SH " + {"Positionals": "ARGUMENTS"}.get(title, title.upper()))
            lines += render_entries(help_text.sections[title])
    if "Subcommands" in help_text.sections:
        lines.append(".SH COMMANDS")
        for command in help_text.sections["Subcommands"]:
            lines += render_command(program, command.name)
    if help_text.footer:
        lines += [f".SH {footer}", *render_footer(help_text.footer)]
    for title, items in more:
        lines.append(f".SH {title}")
        for term, text in items:
            lines += [paragraph(text)] if term is None else [".TP", bold(term), paragraph(text)]
    return f"{name}.{section}", "\n".join(lines) + "\n"


def render_footer(footer: str) -> list[str]:
    """Exit codes, as in `Exit code 0: done. 1: refused.`, make a list."""
    if not footer.startswith("Exit code 0: "):
        return [paragraph(footer)]
    lines: list[str] = []
    for code, meaning in re.findall(r"(\d): ([^.]*\.)", footer):
        lines += [".TP", bold(code), paragraph(meaning[0].upper() + meaning[1:])]
    return lines


def render_command(program: Path, *names: str) -> list[str]:
    help_text = ask_for_help(program, *names)
    lines = [f".SS {escape(help_text.usage.removeprefix(program.name + ' '))}", paragraph(help_text.about + ".")]
    own = [each for each in help_text.sections.get("Options", []) if each.name != "-h,--help"]
    lines += render_entries(help_text.sections.get("Positionals", []) + own)
    for command in help_text.sections.get("Subcommands", []):
        lines += render_command(program, *names, command.name)
    return lines


KEY_LINE = re.compile(r"(?P<indent> *)(?P<off># )?(?P<key>[a-z_][a-z_0-9]*):(?: +(?P<value>\S.*))?")


def config_page(config: Path, version: str) -> tuple[str, str]:
    lines = header("turnpike.yaml", 5, "configuration of turnpike", version)
    lines += [".SH SYNOPSIS", bold("/etc/turnpike/turnpike.yaml"), ".SH DESCRIPTION",
              "The configuration is a YAML file.",
              "A key is written below as its path, so that \\fBrelay.ports\\fR is the key",
              "\\fBports\\fR in the section \\fBrelay\\fR.",
              "The value beside it is its default.",
              "When the default is \\(lqnot set\\(rq, the value is an example,",
              "or the value that is used while the key is not set.",
              "An unknown key, a wrong type or a contradiction is an error."]
    lines += render_config(config.read_text(encoding="utf-8").splitlines())
    lines += [".SH FILES", ".TP", bold("/usr/share/doc/turnpike/turnpike.yaml"),
              "The same as a file, every key with its default.",
              ".SH SEE ALSO", paragraph("turnpike(8), turnpikectl(1)")]
    return "turnpike.yaml.5", "\n".join(lines) + "\n"


def render_comment(comment: list[str], new_paragraph: str = ".PP") -> list[str]:
    """Keeps lines that are indented after the # as they are, and fills the other lines."""
    lines: list[str] = []
    text: list[str] = []

    def finish() -> None:
        if text:
            lines.append(paragraph(" ".join(text)))
            text.clear()

    for line in comment:
        if line.startswith("  "):
            if not text and lines and lines[-1] == ".EE":
                lines.pop()
            else:
                finish()
                lines += [new_paragraph, ".EX"]
            lines += [escape(line), ".EE"]
        elif line:
            if not text and lines:
                lines.append(new_paragraph)
            text.append(line)
        else:
            finish()
    finish()
    return lines


def render_config(source: list[str]) -> list[str]:
    lines: list[str] = []
    comment: list[str] = []
    sections: list[str] = []
    fresh = True  # no key since the last blank line, so the comment belongs to the next key alone
    first = True  # the first comment is about the whole file
    for number, line in enumerate(source):
        found = KEY_LINE.fullmatch(line)
        if not line.strip():
            if comment and first:
                lines += render_comment(comment[comment.index("") + 1:])  # the first paragraph is about the file
                lines.append(".SH KEYS")
            comment, fresh, first = [], True, False
            continue
        if not found:
            if line.lstrip().startswith("#"):
                comment.append(line.lstrip().removeprefix("#").removeprefix(" "))
            elif not line.lstrip().startswith("- "):
                raise ValueError(f"line {number + 1} is neither a comment, a key nor an item of a list: {line}")
            continue
        value = found["value"] or ", ".join(items_after(source, number))
        if not found["value"] and value:
            value = f"[{value}]"
        del sections[len(found["indent"]) // 2:]
        if not value:
            if not sections:
                lines += [f".SS {escape(found['key'])}", *render_comment(comment)]
                comment = []
            sections.append(found["key"])  # the comment of a nested section is shown at its first key
            continue
        if found["off"] is None and not found["indent"] and fresh:
            lines.append(f".SS {escape(found['key'])}")
        term = f"{bold('.'.join([*sections, found['key']]))}: {escape(value)}" + (" (not set)" if found["off"] else "")
        if comment or fresh:
            lines += [".TP", term, *render_comment(comment, ".IP")]
        else:
            body_at = max(at for at, each in enumerate(lines) if each in (".TP", ".TQ")) + 2
            lines[body_at:body_at] = [".TQ", term]
        comment, fresh = [], False
    return lines


def items_after(source: list[str], number: int) -> list[str]:
    items = []
    for line in source[number + 1:]:
        if not line.startswith("  - "):
            break
        items.append(line.removeprefix("  - "))
    return items


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("programs", type=Path, nargs="+")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pages = [program_page(program.resolve(), options.version) for program in options.programs]
    pages.append(config_page(options.config, options.version))
    for name, text in pages:
        (options.out / name).write_text(text, encoding="utf-8")
        (options.out / f"{name}.gz").write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


main()
