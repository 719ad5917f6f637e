"""Medians, spreads and ratios of what tools/bench has measured, and the tables of them."""

import statistics
from typing import Callable, Iterable, NamedTuple

from cells import RATE, SERVERS, Cell

# A saturated server that used less than this share of its core had to wait for the load, or for the core.
FULLY_BUSY = 0.9
# A load that left out more than this share of its datagrams was too slow for its rate.
MOST_SKIPPED = 0.001


class Metric(NamedTuple):
    """A table: `field` of turnbench's report for the cells of one kind."""

    kind: str
    title: str
    field: str
    less_is_better: bool = True
    decimals: int = 0


CPU = "server_cpu_ns_per_datagram"
BUSY = "machine_busy_ns_beyond_direct"
PER_DATAGRAM = "CPU ns of the server per delivered datagram"


def latencies(kind: str, what: str) -> list[Metric]:
    percentiles = {"p50": "median", "p99": "99th percentile", "p999": "99.9th percentile"}
    return [Metric(kind, f"{what}: one-way latency through the server, {name}, µs", f"latency_{field}_us")
            for field, name in percentiles.items()]  # fmt: skip


def at_fixed_times(kind: str, what: str) -> list[Metric]:
    """The tables of an open loop."""
    return [Metric(kind, f"{what}: {PER_DATAGRAM}", CPU),
            Metric(kind, f"{what}: busy ns of the whole machine per datagram, less the load's own", BUSY),
            *latencies(kind, what)]  # fmt: skip


def beyond_udp(transport: str) -> list[Metric]:
    what = f"Clients by {transport.upper()}"
    return [Metric(transport, f"{what}: {PER_DATAGRAM}", CPU), *latencies(transport, what)]


METRICS = [
    Metric("saturated", f"Saturated: {PER_DATAGRAM}", CPU),
    Metric("saturated", "Saturated: delivered datagrams a second", "delivered_per_second", False),
    Metric("clients", f"Saturated, by the number of clients: {PER_DATAGRAM}", CPU),
    Metric("clients-rate", f"{RATE:,} a second, by the number of clients: {PER_DATAGRAM}", CPU),
    *latencies("clients-rate", f"{RATE:,} a second, by the number of clients"),
    Metric("bursts", "Saturated, bursts of 16 of one flow: CPU ns per delivered datagram", CPU),
    Metric("coalesced", "The same, each burst arriving as one (GRO): CPU ns per delivered datagram", CPU),
    Metric("relays", "Saturated, from relay to relay (both ends are clients): CPU ns per delivered datagram", CPU),
    *at_fixed_times("rate", "At a fixed rate"),
    *at_fixed_times("sweep", "At rising rates"),
    *at_fixed_times("call", "Video calls"),
    *beyond_udp("tcp"),
    *beyond_udp("tls"),
    *beyond_udp("dtls"),
    Metric("idle", "Resident memory per idle allocation with a permission and a channel, bytes",
           "resident_bytes_per_allocation"),
    Metric("idle", "The kernel's memory for the same, with the client's socket, bytes", "kernel_bytes_per_allocation"),
    Metric("cycles", "Allocate and delete: cycles per CPU second of the server", "cycles_per_cpu_second", False),
]  # fmt: skip


class Figure(NamedTuple):
    """What the rounds have given."""

    median: float
    least: float
    greatest: float
    rounds: int

    @classmethod
    def of(cls, values: Iterable[float]) -> "Figure | None":
        known = list(values)
        return cls(statistics.median(known), min(known), max(known), len(known)) if known else None


Rounds = dict[int, dict]  # round → turnbench's report
Measured = dict[str, dict[str, Rounds]]  # cell → server → rounds


def by_cell(raw: list[dict]) -> Measured:
    """All rounds but the first, each with the machine's time beyond that of a run without a server."""
    measured: Measured = {}
    for report in raw:
        if report["round"] > 0:
            measured.setdefault(report["cell"], {}).setdefault(report["of"], {})[report["round"]] = dict(report)
    for servers in measured.values():
        direct = servers.get("direct", {})
        for rounds in servers.values():
            for number in rounds.keys() & direct.keys():
                own = direct[number]["machine_busy_ns_per_datagram"]
                rounds[number][BUSY] = rounds[number]["machine_busy_ns_per_datagram"] - own
    return measured


def figure(rounds: Rounds, field: str) -> Figure | None:
    return Figure.of(report[field] for report in rounds.values() if report.get(field) is not None)


def ratio(above: Rounds, below: Rounds, field: str) -> Figure | None:
    """Pair by pair: in each round one measurement is divided by the other, which was made directly before or after.
    Differences that noise has made negative have no ratio."""
    pairs = [(above[number].get(field), below[number].get(field)) for number in sorted(above.keys() & below.keys())]
    return Figure.of(a / b for a, b in pairs if a is not None and b is not None and min(a, b) > 0)


def better_than_coturn(servers: dict[str, Rounds], metric: Metric) -> Figure | None:
    ours, theirs = servers.get("turnpike", {}), servers.get("coturn", {})
    return ratio(theirs, ours, metric.field) if metric.less_is_better else ratio(ours, theirs, metric.field)


# ---- for programs ----


def numeric_fields(rounds: Rounds) -> list[str]:
    return sorted({name for report in rounds.values() for name, value in report.items() if isinstance(value, (int, float))})


def for_each_field(measured: Measured, show: Callable[[Figure], object]) -> dict:
    return {cell: {of: {field: show(figure(rounds, field)) for field in numeric_fields(rounds)}
                   for of, rounds in servers.items()}
            for cell, servers in measured.items()}  # fmt: skip


def ratios(measured: Measured, cells: list[Cell]) -> dict:
    """Cell → field → the ratios that the tables show."""
    result: dict = {}
    for cell in (c for c in cells if c.key in measured):
        for metric in (m for m in METRICS if m.kind == cell.kind):
            servers = measured[cell.key]
            found = {"better_than_coturn": better_than_coturn(servers, metric),
                     "turnpike_to_bare": ratio(servers.get("turnpike", {}), servers.get("bare", {}), metric.field)}
            shown = {name: value._asdict() for name, value in found.items() if value}
            result.setdefault(cell.key, {})[metric.field] = shown
    return result


def summarize(measured: Measured, cells: list[Cell]) -> dict:
    """Medians and [least, greatest] as cell → server → field; and the ratios."""
    return {
        "summary": for_each_field(measured, lambda f: f.median),
        "spread": for_each_field(measured, lambda f: [f.least, f.greatest]),
        "ratios": ratios(measured, cells),
    }


# ---- for people ----


def shown_value(value: Figure | None, decimals: int, mark: str) -> str:
    if value is None:
        return "–"
    text = f"{value.median:,.{decimals}f}{mark}"
    if value.rounds > 1 and value.median:
        text += f" ±{(value.greatest - value.least) / 2 / abs(value.median):.0%}".ljust(6)
    return text


def shown_ratio(value: Figure | None) -> str:
    if value is None:
        return "–"
    return f"{value.median:.2f}" + (f" ({value.least:.2f}–{value.greatest:.2f})" if value.rounds > 1 else "")


def is_idle(cell: Cell, rounds: Rounds) -> bool:
    busy = figure(rounds, "server_cores_busy")
    return cell.kind in ("saturated", "clients") and busy is not None and busy.median < FULLY_BUSY


def table_rows(metric: Metric, cells: list[Cell], names: list[str], measured: Measured) -> list[list[str]]:
    rows = []
    for cell in (c for c in cells if c.kind == metric.kind and c.key in measured):
        servers = {name: measured[cell.key].get(name, {}) for name in names}
        values = {name: figure(rounds, metric.field) for name, rounds in servers.items()}
        if not any(values.values()):
            continue
        shown = [shown_value(values[name], metric.decimals, "*" if is_idle(cell, servers[name]) else "") for name in names]
        to_bare = ratio(servers.get("turnpike", {}), servers.get("bare", {}), metric.field)
        rows.append([cell.title, *shown, shown_ratio(to_bare), shown_ratio(better_than_coturn(servers, metric))])
    return rows


def print_table(title: str, rows: list[list[str]], names: list[str]) -> None:
    header = ["", *names, "turnpike/bare", "better than coturn"]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(f"\n{title}")
    for row in [header, *rows]:
        print("  " + row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:])), sep="  ")


def print_warnings(cells: list[Cell], measured: Measured) -> None:
    if any(is_idle(c, rounds) for c in cells for rounds in measured.get(c.key, {}).values()):
        print(f"\n* the server had less than {FULLY_BUSY:.0%} of its core to do: the load was the limit, or the "
              "machine did other work.")  # fmt: skip
    for cell in cells:
        for server, rounds in measured.get(cell.key, {}).items():
            count = {name: found.median if (found := figure(rounds, name)) else 0
                     for name in ("sent", "skipped", "loss", "strays", "failures")}  # fmt: skip
            if count["loss"] > 0.001 or count["strays"] > 0 or count["failures"] > 0:
                print(f"! {cell.key}, {server}: {count['loss']:.2%} lost, {count['strays']:.0f} "
                      f"astray, {count['failures']:.0f} requests failed")  # fmt: skip
            if count["skipped"] > MOST_SKIPPED * count["sent"]:
                print(f"! {cell.key}, {server}: the load was late and left out {count['skipped']:.0f} datagrams")


def print_report(cells: list[Cell], chosen: list[str], measured: Measured, rounds: int) -> None:
    names = [name for name in SERVERS if name in chosen]
    if rounds > 1:
        print(f"\nMedians of {rounds} rounds. ± is half of the distance from the least to the greatest round. Each ratio\n"
              "is the median of the ratios in each round, of two runs one after the other; their least and greatest\n"
              "are in brackets.")  # fmt: skip
    for metric in METRICS:
        if rows := table_rows(metric, cells, names, measured):
            print_table(metric.title, rows, names)
    print_warnings(cells, measured)
