#!/usr/bin/env python3
"""Checks that includes follow the layers of the modules, and that pure modules do no I/O and read no clock.

    check_layers.py [--root DIR]     prints each violation as file:line: message; exits 1 when there is one
    check_layers.py --self-test      proves on made-up trees that each rule is able to fail

Python 3.10 or later, nothing but its standard library.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import Iterator, NamedTuple

# Module -> the modules that it may include besides itself. All edges run downward; the order is that of the layers.
EDGES: dict[str, set[str]] = {
    # Layer 0
    "base": set(),
    "crypto": {"base"},
    # Layer 1
    "stun": {"base", "crypto"},
    # Layer 2
    "auth": {"base", "crypto", "stun"},
    # Layer 3
    "turn": {"base", "crypto", "stun", "auth"},
    "signaling": {"base", "crypto", "auth"},
    # Layer 4: net finds STUN messages in streams and does not depend on turn
    "net": {"base", "crypto", "stun"},
    "offload": {"base", "turn"},
    "users": {"base", "auth"},
    "http": {"base", "crypto", "auth", "signaling", "net"},
    # Layer 5: relay depends on neither config nor http
    "relay": {"base", "crypto", "stun", "auth", "turn", "net", "offload"},
    "admin": {"base", "auth", "turn", "signaling", "net", "http"},
    "cluster": {"base", "crypto", "auth", "signaling", "net"},
    # Layer 6
    "config": {"base", "crypto", "auth", "turn", "signaling", "net", "offload", "users", "http", "relay", "admin",
               "cluster"},
    # Layer 7
    "daemon": {"base", "crypto", "stun", "auth", "turn", "signaling", "net", "offload", "users", "http", "relay", "admin",
               "cluster", "config"},
    # Layer 8: src/main.cpp
    "main": {"base", "config", "daemon"},
}
LAYERS = {
    "base": 0, "crypto": 0, "stun": 1, "auth": 2, "turn": 3, "signaling": 3, "net": 4, "offload": 4, "users": 4,
    "http": 4, "relay": 5, "admin": 5, "cluster": 5, "config": 6, "daemon": 7, "main": 8,
}  # fmt: skip

# Edges within one layer.
NEIGHBOURS = {("crypto", "base"), ("http", "net")}

# The pure modules: bytes and time are arguments, and output is a result.
PURE = {"base", "crypto", "stun", "auth", "turn", "signaling"}

# Code that no pure module may contain: a pattern for code without comments and literals, and the reason.
PURE_BANNED: list[tuple[str, str]] = [
    (r"::now\s*\(", "reads a clock; time is an argument"),
    (r"\b(?:clock_gettime|gettimeofday|std::time)\s*\(", "reads a clock; time is an argument"),
    (r"\basio\b", "does I/O"),
    (r"\bspdlog\b", "logs; count or emit an event"),
    (r"(?i)yaml", "knows YAML; only config/ does"),
    (r"\bstd::(?:cout|cerr|clog)\b", "prints; count or emit an event"),
    (r"\bf?printf\s*\(", "prints; count or emit an event"),
    (r"\bgetenv\b", "reads the environment; take a Params"),
    (r"\bstd::random_device\b", "makes randomness; take a crypto::Random"),
    (r"\bRAND_(?:priv_)?bytes\b", "makes randomness; take a crypto::Random"),
    (r"\bstd::j?thread\b", "starts a thread"),
]

# Headers that no pure module may include.
PURE_BANNED_HEADERS: list[tuple[str, str]] = [
    (r"sys/(?:socket|epoll|select|ioctl|un|uio)\.h|netdb\.h|poll\.h|net/if\.h|ifaddrs\.h|unistd\.h|fcntl\.h",
     "does I/O"),
    (r"arpa/inet\.h|netinet/.*", "does I/O"),
    (r"boost/asio(?:/.*|\.hpp)|boost/beast(?:/.*|\.hpp)", "does I/O"),
    (r"spdlog/.*|iostream|fstream|cstdio|stdio\.h|syslog\.h", "logs or does I/O"),
    # Locks are allowed: all workers share quotas and ports.
    (r"thread|condition_variable|future|semaphore|latch|barrier|pthread\.h", "knows threads"),
    (r"yaml-cpp/.*", "knows YAML; only config/ does"),
]  # fmt: skip

# (file, token): exceptions, each with its reason.
ALLOWED: dict[tuple[str, str], str] = {
    ("src/base/endpoint.cpp", "arpa/inet.h"): "inet_pton and inet_ntop: text to address and back, no socket",
}

# Headers that only one module may include.
OWNED_HEADERS: list[tuple[str, str]] = [(r"yaml-cpp/.*", "config"), (r"CLI/.*", "main"), (r"sqlite3\.h", "users")]

SUFFIXES = {".hpp", ".h", ".cpp", ".cc", ".ipp"}

COMMENT_OR_LITERAL = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'""",
    re.DOTALL,
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


class Violation(NamedTuple):
    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def blank(match: re.Match) -> str:
    """Keeps all line breaks, so that line numbers stay correct."""
    return " " + "\n" * match.group().count("\n")


def without_comments(text: str) -> str:
    return COMMENT_OR_LITERAL.sub(lambda m: blank(m) if m.group().startswith(("//", "/*")) else m.group(), text)


def without_comments_and_literals(text: str) -> str:
    return COMMENT_OR_LITERAL.sub(blank, text)


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def module_of(path: Path) -> str:
    """include/turnpike/stun/x.hpp and src/stun/x.cpp -> stun; src/main.cpp -> main; otherwise the folder's name."""
    parts = path.parts
    inside = parts[2:] if parts[0] == "include" else parts[1:]
    return inside[0] if len(inside) > 1 else path.stem


def included_module(root: Path, path: Path, target: str, quoted: bool) -> str | None:
    """The module that an include names, by its path or as a file in the same folder; None for foreign headers."""
    parts = target.split("/")
    if parts[0] == "turnpike":
        return parts[1] if len(parts) > 2 else ""
    if not quoted:
        return None
    if len(parts) == 1:
        return module_of(path) if (root / path.parent / target).is_file() else ""
    return parts[0]


def check_include(root: Path, path: Path, module: str, target: str, quoted: bool) -> Iterator[str]:
    ours = included_module(root, path, target, quoted)
    if ours is None:
        yield from check_foreign_header(path, module, target)
        return
    if ours not in EDGES:
        yield f'cannot tell the module of "{target}": write "turnpike/MODULE/…" or "MODULE/…"'
        return
    if path.parts[0] == "include" and not target.startswith("turnpike/"):
        yield f'a public header may not include the private "{target}"'
    elif ours != module and ours not in EDGES[module]:
        yield f"{module} (layer {LAYERS[module]}) may not include {ours} (layer {LAYERS[ours]})"


def check_foreign_header(path: Path, module: str, target: str) -> Iterator[str]:
    if (str(path), target) in ALLOWED:
        return
    if module in PURE:
        for pattern, why in PURE_BANNED_HEADERS:
            if re.fullmatch(pattern, target):
                yield f"{module} is pure; <{target}> {why}"
                return
    for pattern, owner in OWNED_HEADERS:
        if module != owner and re.fullmatch(pattern, target):
            yield f"<{target}> belongs to {owner}, not to {module}"


def check_file(root: Path, path: Path) -> Iterator[Violation]:
    module = module_of(path)
    if module not in EDGES:
        yield Violation(str(path), 1, f"{module} is no module of the house; give it a layer in {Path(__file__).name}")
        return
    if path.parts[0] == "include" and module not in PURE:
        yield Violation(str(path), 1, f"include/ is for the pure layers; {module} belongs in src/")

    text = (root / path).read_text(encoding="utf-8")
    with_includes = without_comments(text)
    for match in INCLUDE.finditer(with_includes):
        for message in check_include(root, path, module, match[2], match[1] == '"'):
            yield Violation(str(path), line_of(with_includes, match.start(2)), message)

    if module in PURE:
        code = INCLUDE.sub("", without_comments_and_literals(text))
        for pattern, why in PURE_BANNED:
            for match in re.finditer(pattern, code):
                word = match.group().strip()
                if (str(path), word) not in ALLOWED:
                    yield Violation(str(path), line_of(code, match.start()), f"{module} is pure; `{word}` {why}")


def check_cmake(root: Path) -> Iterator[Violation]:
    """Checks the libraries that CMake links against the same table."""
    lists = root / "CMakeLists.txt"
    if not lists.exists():
        return
    text = re.sub(r"#[^\n]*", "", lists.read_text(encoding="utf-8"))
    for call in re.finditer(r"\bturnpike_module\(\s*(\w+)([^)]*)\)", text):
        module = call[1]
        if module not in EDGES:
            yield Violation(lists.name, line_of(text, call.start()), f"{module} has no layer in {Path(__file__).name}")
            continue
        for other in re.findall(r"\bturnpike_(\w+)", call[2]):
            if other in EDGES and other not in EDGES[module]:
                yield Violation(lists.name, line_of(text, call.start()), f"{module} may not link {other}")


def sources(root: Path) -> Iterator[Path]:
    for top in ("include/turnpike", "src"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SUFFIXES:
                yield path.relative_to(root)


def check_tree(root: Path) -> tuple[int, list[Violation]]:
    paths = list(sources(root))
    found = [violation for path in paths for violation in check_file(root, path)]
    return len(paths), found + list(check_cmake(root))


def check_table() -> None:
    """Checks the table itself: each edge must lead to a lower layer, except those in NEIGHBOURS."""
    assert set(EDGES) == set(LAYERS)
    for module, others in EDGES.items():
        for other in others:
            assert LAYERS[other] < LAYERS[module] or (module, other) in NEIGHBOURS, (module, other)


# (file, its text, a part of the expected message; "" means no message). Each case has one file, so each rule is tested
# alone.
SELF_TEST: list[tuple[str, str, str]] = [
    ("src/turn/a.cpp", '#include "turnpike/stun/message.hpp"\n#include "turn/own.hpp"\n#include <vector>\n', ""),
    ("src/relay/a.cpp", '#include "net/fd.hpp"\n#include <thread>\nauto t = Clock::now();\n', ""),
    ("src/config/a.cpp", "#include <yaml-cpp/yaml.h>\n", ""),
    ("src/base/endpoint.cpp", "#include <arpa/inet.h>\n", ""),
    ("src/main.cpp", '#include <CLI/CLI.hpp>\n#include "daemon/daemon.hpp"\n#include "config/load.hpp"\n', ""),
    ("src/stun/a.cpp", "// Clock::now(), asio and getenv\n/* std::cout\n getenv */ auto s = \"spdlog // yaml\";\n", ""),
    ("src/stun/a.cpp", "auto s = R\"x(std::cout \")\" getenv)x\"; int million = 1'000'000;\n", ""),
    ("src/stun/a.cpp", '// #include "turnpike/turn/server.hpp"\n', ""),
    ("src/stun/a.cpp", '#include "turnpike/turn/server.hpp"\n', ":1: stun (layer 1) may not include turn (layer 3)"),
    ("src/stun/a.cpp", "\n\n# include <turnpike/auth/params.hpp>\n", ":3: stun (layer 1) may not include auth (layer 2)"),
    ("src/net/a.cpp", '#include "turnpike/turn/server.hpp"\n', "net (layer 4) may not include turn (layer 3)"),
    ("src/net/a.hpp", '#include "relay/worker.hpp"\n', "net (layer 4) may not include relay (layer 5)"),
    ("src/relay/a.cpp", '#include "config/config.hpp"\n', "relay (layer 5) may not include config (layer 6)"),
    ("src/relay/a.cpp", '#include "http/server.hpp"\n', "relay (layer 5) may not include http (layer 4)"),
    ("include/turnpike/turn/a.hpp", '#include "net/fd.hpp"\n', "the private"),
    ("include/turnpike/turn/a.hpp", '#include "turn/own.hpp"\n', "the private"),
    ("include/turnpike/net/a.hpp", "\n", "include/ is for the pure layers"),
    ("src/misc/a.cpp", "\n", "misc is no module"),
    ("src/helpers.cpp", "\n", "helpers is no module"),
    ("src/turn/a.cpp", '#include "a.cpp"\n', ""),
    ("src/turn/a.cpp", '#include "own.hpp"\n', "cannot tell the module"),
    ("src/turn/a.cpp", '#include "../stun/own.hpp"\n', "cannot tell the module"),
    ("src/turn/a.cpp", "auto t = std::chrono::steady_clock::now();\n", ":1: turn is pure; `::now(`"),
    ("src/turn/a.cpp", "/*\n*/ auto s = \"\\\"\"; auto e = getenv(s);\n", ":2: turn is pure; `getenv`"),
    ("src/auth/a.cpp", "char c = '\"'; std::random_device d; // \"\n", "`std::random_device`"),
    ("src/crypto/a.cpp", "int n = RAND_bytes(p, 1'000);\n", "`RAND_bytes`"),
    ("src/stun/a.cpp", "std::cout << 1;\n", "`std::cout`"),
    ("src/stun/a.cpp", "namespace n = boost::asio;\n", "`asio`"),
    ("src/stun/a.cpp", "YAML::Node n;\n", "`YAML`"),
    ("src/stun/a.cpp", "spdlog::info(1);\n", "`spdlog`"),
    ("src/stun/a.cpp", "#include <thread>\n", "<thread> knows threads"),
    ("src/stun/a.cpp", "#include <sys/socket.h>\n", "<sys/socket.h> does I/O"),
    ("src/stun/a.cpp", "#include <arpa/inet.h>\n", "<arpa/inet.h> does I/O"),
    ("src/stun/a.cpp", "#include <boost/asio/ip/address.hpp>\n", "does I/O"),
    ("src/daemon/a.cpp", "#include <yaml-cpp/yaml.h>\n", "belongs to config"),
    ("CMakeLists.txt", "turnpike_module(stun turnpike_base turnpike_crypto)\n", ""),
    ("CMakeLists.txt", "turnpike_module(net turnpike_base\n turnpike_turn)\n", "net may not link turn"),
    ("CMakeLists.txt", "turnpike_module(misc)\n", "misc has no layer"),
]  # fmt: skip


def self_test() -> int:
    check_table()
    failures = 0
    for name, text, expected in SELF_TEST:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            _, found = check_tree(Path(folder))
        right = len(found) == 1 and expected in str(found[0]) if expected else not found
        if not right:
            failures += 1
            print(f"{name}: {text!r}\n  expected: {expected or 'nothing'}\n  found: {[str(v) for v in found]}")
    print(f"{len(SELF_TEST) - failures} passed, {failures} failed")
    return 1 if failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="the checkout")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()

    check_table()
    files, found = check_tree(arguments.root)
    for violation in found:
        print(violation)
    print(f"layers: {files} files, {len(found)} violations")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
