#!/usr/bin/env python3
"""Runs clang-tidy over every source of a configured build that lies below the given folders, a process per core. Sources
that the build compiles together are checked together, which takes a third of the time.

    tidy.py BUILD_DIR FOLDER...     prints what clang-tidy finds and exits 1 when it finds anything

What had no findings is not checked again until its preprocessed text changes, comments included: a hash of that text
is kept in ~/.cache/turnpike-tidy. The script needs Python 3.10 or later and only its standard library.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

CLANG, CLANG_TIDY = "clang++-14", "clang-tidy-14"
ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "turnpike-tidy"

# GCC builds this project, so warnings of clang are not errors here, and options that only GCC knows are ignored. The
# <coroutine> of libstdc++ 12 and Asio need a macro that clang 14 does not define.
EXTRA = ["-Wno-error", "-Wno-unknown-warning-option", "-D__cpp_impl_coroutine=201902L"]
# The analyzer uses its shallow mode: the deep mode took twice as long as all other checks together. It analyzes headers
# as well, since it takes the sources of a batch for headers.
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", "mode=shallow", "-Xclang", "-analyzer-opt-analyze-headers"]
NOISE = re.compile(r"^(\d+ warnings? (and \d+ errors? )?generated.*|Suppressed .*|Use -header-filter.*)\n?", re.MULTILINE)


def sources(entry: dict) -> list[Path]:
    """The sources of one compilation: the file itself, or those that a batch of CMake's unity build includes."""
    file = Path(entry["file"])
    if file.parent.name != "Unity":
        return [file]
    return [Path(name) for name in re.findall(r'^#include "(.+)"$', file.read_text(encoding="utf-8"), re.MULTILINE)]


def preprocessed(entry: dict) -> bytes:
    """The preprocessed text with its comments (NOLINT); b"" when preprocessing fails."""
    arguments = shlex.split(entry["command"])[1:]
    arguments = [a for a, before in zip(arguments, [""] + arguments) if a not in ("-o", "-c") and before != "-o"]
    command = [CLANG, "-E", "-C", "-P", "-w", *arguments, *EXTRA]
    done = subprocess.run(command, cwd=entry["directory"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout if done.returncode == 0 else b""


def fingerprint(entry: dict, salt: bytes) -> Path | None:
    text = preprocessed(entry)
    if not text:
        return None
    name = os.path.relpath(entry["file"], ROOT).encode()
    return CACHE / hashlib.sha256(b"\0".join([salt, name, text])).hexdigest()


def check(build: Path, entry: dict, salt: bytes) -> tuple[str, str]:
    """Returns the name of the file and the findings of clang-tidy, which may be empty."""
    name = os.path.relpath(entry["file"], ROOT)
    known_clean = fingerprint(entry, salt)
    if known_clean and known_clean.exists():
        return name, ""
    command = [CLANG_TIDY, "-p", str(build), "--quiet", *(f"--extra-arg={e}" for e in EXTRA + ANALYZER),
               entry["file"]]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        return name, NOISE.sub("", done.stdout) or f"{CLANG_TIDY} ended with {done.returncode} and said nothing"
    if known_clean:
        known_clean.touch()
    return name, ""


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    build = Path(sys.argv[1]).resolve()
    folders = [ROOT / folder for folder in sys.argv[2:]]
    database = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    chosen = [e for e in database if any(folder in source.parents for folder in folders for source in sources(e))]
    # The longest come first, so that no core waits for another at the end.
    entries = sorted(chosen, key=lambda e: -sum(source.stat().st_size for source in sources(e)))
    if not entries:
        print(f"tidy: {build} compiles nothing below {' '.join(sys.argv[2:])}", file=sys.stderr)
        return 1

    CACHE.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([CLANG_TIDY, "--version"], stdout=subprocess.PIPE, check=True).stdout
    rules = [file.read_bytes() for file in [ROOT / ".clang-tidy", *sorted((ROOT / "src").rglob(".clang-tidy"))]]
    salt = b"\0".join([version, *rules, " ".join(EXTRA + ANALYZER).encode()])
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(check, build, entry, salt) for entry in entries]
        for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
            name, words = future.result()
            if words:
                findings += 1
                print(f"tidy: {name}\n{words}", flush=True)
            elif number % 5 == 0:
                print(f"tidy: {number} of {len(entries)}", flush=True)
    print(f"tidy: {len(entries) - findings} compilations clean, {findings} not")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
