"""What tools/bench measures: each cell is one run of turnbench against one server."""

from typing import NamedTuple

# The order from left to right in the tables. turnpike is between the others, so that it is measured directly
# before or after each of them; see Bench.run_round in tools/bench.
SERVERS = ("bare", "turnpike", "coturn")
ARROWS = {"up": "client → peer", "down": "peer → client", "both": "both ways"}
# Transports that the bare loop does not have.
BEYOND_UDP = ("tcp", "tls", "dtls")
NOT_BARE = (*BEYOND_UDP, "relays")
# These loads also run without a server.
WITH_DIRECT = ("rate", "sweep", "call")

CLIENTS = (1, 10, 50, 1000)
RATE = 20000
RATES = (20000, 40000)
SWEEP = (5000, 10000, 20000, 40000, 80000)
# With this many clients, frames of several clients meet, and the load still has time left.
CALLERS = 20


class Cell(NamedTuple):
    """One run of turnbench. `title` is its row in the tables, `kind` says which tables."""

    kind: str
    title: str
    arguments: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.kind}: {self.title}"


def relay_cell(kind: str, size: int, direction: str, *more: str) -> Cell:
    title = f"{size:,} bytes, {ARROWS[direction]}"
    if "--rate" in more:
        title += f", at {int(more[more.index('--rate') + 1]):,} a second"
    return Cell(kind, title, ("--size", str(size), "--direction", direction, *more))


def clients_cells() -> list[Cell]:
    cells = []
    for kind, direction, more in (("clients", "up", ()), ("clients-rate", "both", ("--rate", str(RATE)))):
        for clients in CLIENTS:
            title = f"{clients:,} client{'s' if clients > 1 else ''}, 160 bytes, {ARROWS[direction]}"
            arguments = ("--clients", str(clients), "--size", "160", "--direction", direction, *more)
            cells.append(Cell(kind, title, arguments))
    return cells


def transport_cells(transport: str, sizes: tuple[int, ...], rates: tuple[int, ...]) -> list[Cell]:
    how = ("--transport", transport)
    cells = [relay_cell(transport, size, direction, *how) for size in sizes for direction in ("up", "down")]
    cells.append(relay_cell(transport, 160, "both", *how))
    return cells + [relay_cell(transport, 160, "both", *how, "--rate", str(rate)) for rate in rates]


def call_cell() -> Cell:
    return Cell("call", f"{CALLERS} calls, audio and video both ways", ("--clients", str(CALLERS), "--call"))


def idle_cells(quick: bool) -> list[Cell]:
    """Memory. Not measured in rounds: each run has a new process, because earlier work would have grown its memory."""
    cells = []
    for transport in ("udp",) if quick else ("udp", *BEYOND_UDP):
        last = 10000 if transport == "udp" and not quick else 5000
        title = f"from 1,000 to {last:,} allocations by {transport.upper()}"
        arguments = ("--transport", transport, "--baseline", "1000", "--allocations", str(last - 1000), "--with-channels")
        cells.append(Cell("idle", title, arguments))
    return cells


def make_cells(quick: bool) -> list[Cell]:
    """All that are measured in rounds."""
    both = ("up", "down")
    cells = [relay_cell("saturated", size, direction) for size in (160, 1100) for direction in both]
    if not quick:
        cells += [relay_cell("bursts", 1100, direction, "--burst", "16") for direction in both]
        cells += [relay_cell("coalesced", 1100, direction, "--burst", "16", "--coalesce") for direction in both]
        cells += clients_cells()
    cells += [relay_cell("relays", size, "both", "--relay-to-relay") for size in (160, 1100)]
    if not quick:
        burst = ("--relay-to-relay", "--burst", "16")
        cells.append(relay_cell("relays", 1100, "both", *burst)._replace(title="1,100 bytes, both ways, bursts of 16"))
    sizes = (160,) if quick else (160, 1100)
    rates = RATES[:1] if quick else RATES
    for rate in rates:
        cells += [relay_cell("rate", size, direction, "--rate", str(rate)) for size in sizes for direction in both]
    if not quick:
        cells += [relay_cell("sweep", 160, "both", "--rate", str(rate)) for rate in SWEEP]
    cells.append(call_cell())
    for transport in BEYOND_UDP:
        cells += transport_cells(transport, sizes, rates)
    return cells + [Cell("cycles", "allocate and delete", ())]


KINDS = tuple(dict.fromkeys(cell.kind for cell in [*make_cells(quick=False), *idle_cells(quick=False)]))
