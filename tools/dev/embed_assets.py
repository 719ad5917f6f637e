#!/usr/bin/env python3
"""Turns web files into a C++ source that holds them, as they are and compressed.

    embed_assets.py OUTPUT.cpp PATH=FILE-OR-FOLDER...

PATH is where a file is served, or what the paths of a folder's files start with. A folder's .md files are for
developers and are left out. The output defines what src/http/assets.hpp declares. It is the same whenever the folder
is. The script needs nothing but Python's standard library.
"""

import gzip
import hashlib
import sys
from pathlib import Path

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    "": "text/plain; charset=utf-8",  # LICENSE
}
BYTES_PER_LINE = 32


def array(name: str, data: bytes) -> str:
    rows = (data[i : i + BYTES_PER_LINE] for i in range(0, len(data), BYTES_PER_LINE))
    body = ",\n".join(",".join(str(b) for b in row) for row in rows)
    return f"constexpr unsigned char {name}[] = {{\n{body}}};\n"


def view(name: str) -> str:
    return f"std::string_view(reinterpret_cast<const char*>({name}), sizeof {name})"


def find_files(mapping: str) -> dict[str, Path]:
    path, source = mapping.split("=", 1)
    if Path(source).is_file():
        return {path: Path(source)}
    files = (file for file in Path(source).rglob("*") if file.is_file() and file.suffix != ".md")
    return {f"{path}/{file.relative_to(source).as_posix()}": file for file in files}


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    output = Path(sys.argv[1])
    files = {path: file for mapping in sys.argv[2:] for path, file in find_files(mapping).items()}
    arrays, entries = [], []
    for path, file in sorted(files.items()):
        if file.suffix not in TYPES:
            sys.exit(f"{file}: no content type is known for {file.suffix}")
        data = file.read_bytes()
        if not data:
            sys.exit(f"{file}: is empty")
        packed = gzip.compress(data, 9, mtime=0)
        name = f"k{len(entries)}"
        arrays.append(array(name, data))
        zipped = "std::string_view()"
        if len(packed) < 0.9 * len(data):
            arrays.append(array(f"{name}Gzip", packed))
            zipped = view(f"{name}Gzip")
        etag = hashlib.sha256(data).hexdigest()[:16]
        entries.append(f'    {{"{path}", "{TYPES[file.suffix]}", "{etag}", {view(name)}, {zipped}}},\n')

    output.write_text(
        "// Made by tools/dev/embed_assets.py; edit the files in src/web instead.\n"
        '#include "http/assets.hpp"\n\n'
        "namespace turnpike::http {\nnamespace {\n\n" + "".join(arrays) + "\n}  // namespace\n\n"
        "std::span<const Asset> assets() {\n"
        "  static const Asset kAssets[] = {\n" + "".join(entries) + "  };\n  return kAssets;\n}\n\n"
        "}  // namespace turnpike::http\n"
    )


main()
