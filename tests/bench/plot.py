#!/usr/bin/env python3
"""Draws the rising rates of tools/bench: what each server's CPU time and latency are at each rate.

    plot.py [bench.json [bench.svg]]      tools/bench draws it itself; this draws the same file again
"""

import json
import math
import sys
from html import escape
from pathlib import Path
from typing import Callable, NamedTuple

from cells import SERVERS

BUILD = Path(__file__).resolve().parents[2] / "build"
WIDTH, HEIGHT = 1040, 520
TOP, BOTTOM, PANEL_WIDTH = 112, 420, 400
LEFTS = (84, 594)
# A server that lost more than this share has not relayed the rate of its point.
MOST_LOST = 0.01

STYLE = """
svg { --ground: #ffffff; --ink: #1f2328; --faint: #59636e; --grid: #d8dee4;
      --bare: #6e7781; --turnpike: #0757c2; --coturn: #c2410c; }
@media (prefers-color-scheme: dark) {
  svg { --ground: #0d1117; --ink: #f0f6fc; --faint: #9198a1; --grid: #2d333b;
        --bare: #9198a1; --turnpike: #58a6ff; --coturn: #ff9b50; }
}
text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
.title { font-size: 18px; font-weight: 600; }
.panel { font-size: 14px; font-weight: 600; }
.note, .tick { fill: var(--faint); }
.tick { font-size: 12px; }
.right { text-anchor: end; }
.middle { text-anchor: middle; }
.ground { fill: var(--ground); }
.grid { stroke: var(--grid); }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.late { stroke-dasharray: 6 4; stroke-width: 1.8; }
.spread { stroke-width: 1.2; opacity: 0.7; }
.bare { stroke: var(--bare); } .turnpike { stroke: var(--turnpike); } .coturn { stroke: var(--coturn); }
circle.bare { fill: var(--bare); } circle.turnpike { fill: var(--turnpike); } circle.coturn { fill: var(--coturn); }
circle.lossy { fill: var(--ground); stroke-width: 2; }
"""


class Point(NamedTuple):
    rate: float
    median: float
    least: float
    greatest: float
    lossy: bool


def points(document: dict, server: str, field: str, scale: float) -> list[Point]:
    """One for each rate, in their order."""
    found = []
    for cell, servers in document["summary"].items():
        report = servers.get(server, {})
        if cell.startswith("sweep: ") and field in report:
            least, greatest = document["spread"][cell][server][field]
            lossy = report["loss"] > MOST_LOST
            found.append(Point(report["rate"], report[field] * scale, least * scale, greatest * scale, lossy))
    return sorted(found)


# ---- elements ----


def text(x: float, y: float, words: str, classes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, classes: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{classes}"/>'


class Axis(NamedTuple):
    """Ticks with their labels, and where a value stands between 0 and 1."""

    ticks: list[tuple[float, str]]
    place: Callable[[float], float]


def linear_axis(greatest: float, steps: tuple[float, ...], label: Callable[[float], str]) -> Axis:
    """From 0, with at most six ticks beyond it."""
    step = next((s for s in steps if greatest <= 6 * s), steps[-1])
    count = max(1, math.ceil(greatest / step - 1e-9))
    return Axis([(i * step, label(i * step)) for i in range(count + 1)], lambda value: value / (count * step))


def log_axis(least: float, greatest: float, label: Callable[[float], str]) -> Axis:
    """With ticks at 1, 2 and 5 of each power of ten; only at 1 when these would be too many."""
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(greatest)) + 1)
    all_ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    first = max(tick for tick in all_ticks if tick <= least)
    last = min((tick for tick in all_ticks if tick >= greatest), default=all_ticks[-1])
    ticks = [tick for tick in all_ticks if first <= tick <= max(last, 2 * first)]
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])
    if len(ticks) > 10:
        ticks = [tick for tick in ticks if math.log10(tick).is_integer()]
    return Axis([(tick, label(tick)) for tick in ticks], lambda value: (math.log10(value) - low) / (high - low))


def microseconds(value: float) -> str:
    return f"{value / 1000:g} ms" if value >= 1000 else f"{value:g} µs"


# ---- the drawing ----


class Panel:
    def __init__(self, left: float, title: str, x: Axis, y: Axis) -> None:
        self.left, self.x, self.y = left, x, y
        self.parts = [text(left, TOP - 16, title, "panel")]
        for value, label in y.ticks:
            self.parts += [line(left, self.at_y(value), left + PANEL_WIDTH, self.at_y(value), "grid"),
                           text(left - 8, self.at_y(value) + 4, label, "tick right")]  # fmt: skip
        for value, label in x.ticks:
            self.parts += [line(self.at_x(value), BOTTOM, self.at_x(value), BOTTOM + 5, "grid"),
                           text(self.at_x(value), BOTTOM + 20, label, "tick middle")]  # fmt: skip
        self.parts.append(text(left + PANEL_WIDTH / 2, BOTTOM + 44, "Datagrams a second that clients and peers send",
                               "note middle"))  # fmt: skip

    def at_x(self, value: float) -> float:
        return self.left + PANEL_WIDTH * self.x.place(value)

    def at_y(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * self.y.place(value)

    def draw(self, server: str, series: list[Point], late: bool = False) -> None:
        """A line with a point for each median, and through it a bar from the least to the greatest round."""
        way = " ".join(f"{self.at_x(p.rate):.1f},{self.at_y(p.median):.1f}" for p in series)
        self.parts.append(f'<polyline points="{way}" class="line {server}{" late" if late else ""}"/>')
        for p in series:
            x = self.at_x(p.rate)
            self.parts.append(line(x, self.at_y(p.least), x, self.at_y(p.greatest), f"spread {server}"))
            self.parts.append(f'<circle cx="{x:.1f}" cy="{self.at_y(p.median):.1f}" r="{3 if late else 3.8}" '
                              f'class="{server}{" lossy" if p.lossy else ""}"/>')  # fmt: skip


def cpu_panel(document: dict, servers: list[str], x: Axis) -> Panel:
    series = {server: points(document, server, "server_cores_busy", 100) for server in servers}
    greatest = max(p.greatest for found in series.values() for p in found)
    y = linear_axis(greatest, (1, 2, 5, 10, 20), lambda value: f"{value:g} %")
    panel = Panel(LEFTS[0], "CPU time of the server, in percent of one core", x, y)
    for server, found in series.items():
        panel.draw(server, found)
    return panel


def latency_panel(document: dict, servers: list[str], x: Axis) -> Panel:
    median = {server: points(document, server, "latency_p50_us", 1) for server in servers}
    late = {server: points(document, server, "latency_p99_us", 1) for server in servers}
    everything = [p for found in (*median.values(), *late.values()) for p in found]
    y = log_axis(min(p.least for p in everything), max(p.greatest for p in everything), microseconds)
    panel = Panel(LEFTS[1], "One-way latency through the server (logarithmic)", x, y)
    for server in servers:
        panel.draw(server, late[server], late=True)
        panel.draw(server, median[server])
    return panel


def legend(servers: list[str], lossy: bool) -> list[str]:
    parts, x, y = [], float(LEFTS[0]), 66
    for server in servers:
        name = "bare loop (no TURN)" if server == "bare" else server
        parts += [line(x, y - 4, x + 28, y - 4, f"line {server}"), text(x + 36, y, name)]
        x += 64 + 7.2 * len(name)
    x = float(LEFTS[1])
    for classes, name in (("line bare", "median"), ("line late bare", "99th percentile")):
        parts += [line(x, y - 4, x + 28, y - 4, classes), text(x + 36, y, name)]
        x += 64 + 7.2 * len(name)
    note = "Points are medians of the rounds; a bar through a point reaches from the least to the greatest round."
    if lossy:
        note += f" Hollow points: more than {MOST_LOST:.0%} was lost."
    return [*parts, text(LEFTS[0], HEIGHT - 34, note, "note")]


def machine(about: dict) -> str:
    known = [about.get("cpu"), f"{about['cores']} cores" if "cores" in about else None, about.get("kernel")]
    return "Measured on loopback: " + ", ".join(str(part) for part in known if part)


def draw(document: dict) -> str | None:
    """The SVG file; None when no rising rates were measured."""
    servers = [server for server in SERVERS if points(document, server, "server_cores_busy", 1)]
    if not servers:
        return None
    flat = [p for server in servers for p in points(document, server, "server_cores_busy", 1)]
    x = linear_axis(max(p.rate for p in flat), (1000, 2000, 5000, 10000, 20000, 50000), lambda value: f"{value:,.0f}")
    parts = [
        '<rect width="100%" height="100%" class="ground"/>',
        text(LEFTS[0], 34, "What relaying costs: 160-byte datagrams, both ways, 50 clients by UDP", "title"),
        text(LEFTS[0], HEIGHT - 14, machine(document.get("machine", {})), "note"),
        *legend(servers, any(p.lossy for p in flat)),
        *cpu_panel(document, servers, x).parts,
        *latency_panel(document, servers, x).parts,
    ]  # fmt: skip
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'role="img">\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n")  # fmt: skip


def main() -> int:
    names = [Path(name) for name in sys.argv[1:3]]
    source = names[0] if names else BUILD / "bench.json"
    target = names[1] if len(names) > 1 else source.with_suffix(".svg")
    drawing = draw(json.loads(source.read_text(encoding="utf-8")))
    if drawing is None:
        print(f"plot.py: {source} has no rising rates", file=sys.stderr)
        return 1
    target.write_text(drawing, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
