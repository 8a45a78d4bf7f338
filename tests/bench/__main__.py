"""Measures the analysis of captures beside other tools, in one run, and prints a table.

    python -m tests.bench [--folder DIR] [--small] [--times N]

The captures are generated once and kept in the folder (about 3 GB; a tenth of it with --small). Tools that are not
installed are left out: apt install tshark tcpdump, pip install duckdb; netlatency's nl-calc is found by the PATH or in
the folder that NETLATENCY names. Ours and theirs run in turn, so that what else the machine does meets both.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.bench import captures
from tests.bench.measure import Cost, cost, middle

_DUCKDB = """\
import duckdb, sys
shares = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
print(duckdb.sql(f'''
  SELECT count(s), min(s), max(s), avg(s), stddev_pop(s), quantile_disc(s, {shares}),
         count(a), min(a), max(a), avg(a), stddev_pop(a), quantile_disc(a, {shares})
  FROM (SELECT rx_hardware - interval_start AS s, tx_program - interval_start AS a FROM '{sys.argv[1]}')
''').fetchall())
"""


class Command(NamedTuple):
    """What is measured: its name in the table, its arguments, and how many packets it reads."""

    tool: str
    argv: list[str]
    packets: int


class Row(NamedTuple):
    """One line of the table: what was read by what, how many packets, what it cost, and how ours compares."""

    case: str
    tool: str
    packets: int
    cost: Cost
    faster: str = ""

    def __str__(self) -> str:
        cost = self.cost
        return (
            f"| {self.case} | {self.tool} | {self.packets:,} | {cost.seconds:.2f} | {cost.processor:.2f} "
            f"| {cost.megabytes:.0f} | {self.packets / cost.seconds:,.0f} | {self.faster} |"
        )


class Bench:
    """The captures in a folder, and the runs over them."""

    def __init__(self, folder: Path, scale: float, times: int) -> None:
        self.folder = folder
        self.scale = scale
        self.times = times

    def file(self, name: str, count: int, make: Callable[[Path, int], Path]) -> tuple[Path, int]:
        """A generated capture, made if it is not there yet."""
        packets = int(count * self.scale)
        path = self.folder / f"{packets}-{name}"
        if not path.exists():
            unfinished = path.with_name(f"unfinished-{path.name}")
            # not in this process: what it held would count as memory of every command that it starts from then on
            maker = multiprocessing.get_context("spawn").Process(target=make, args=(unfinished, packets))
            maker.start()
            maker.join()
            if maker.exitcode:
                raise RuntimeError(f"{path} could not be made")
            unfinished.rename(path)
        return path, packets

    def ours(self, path: Path, packets: int, *more: str) -> Command:
        """`tsnlab analyse` with all statistics."""
        return Command("tsnlab", [sys.executable, "-m", "tsnlab", "analyse", str(path), "--json", *more], packets)

    def measured(self, case: str, ours: Command, others: list[Command]) -> Iterator[Row]:
        """Runs all of them in turn, some times; rows of medians, and of the ratios of each turn the median."""
        commands = [ours, *others]
        turns = [[cost(one.argv) for one in commands] for _ in range(self.times + 1)][1:]
        for place, one in enumerate(commands):
            row = Row(case, one.tool, one.packets, middle([turn[place] for turn in turns]))
            if place:
                # each reads at its own rate: packets per second of ours over those of the other
                scale = ours.packets / one.packets
                by_clock = statistics.median(scale * turn[place].seconds / turn[0].seconds for turn in turns)
                by_cpu = statistics.median(scale * turn[place].processor / turn[0].processor for turn in turns)
                row = row._replace(faster=f"{by_clock:.1f} ({by_cpu:.1f})")
            print(row, file=sys.stderr, flush=True)  # noqa: T201
            yield row

    def json(self) -> Iterator[Row]:
        """netlatency JSON beside nl-calc, or its way where it is not installed."""
        short, few = self.file("short.json", 100_000, captures.json_lines)
        program = shutil.which("nl-calc", path=os.pathsep.join([os.environ.get("NETLATENCY", ""), os.environ["PATH"]]))
        other = Command("nl-calc", [sys.executable, str(program), str(short)], few)
        if program is None:
            other = Command("nl-calc's way", [sys.executable, "-m", "tests.bench.by_the_line", str(short)], few)
        for case, make in (("JSON", captures.json_lines), ("JSON, two streams", captures.json_two_streams)):
            path, packets = self.file(f"{make.__name__}.json", 1_000_000, make)
            yield from self.measured(case, self.ours(path, packets), [other])

    def pcap(self) -> Iterator[Row]:
        """pcap beside tcpdump and tshark, which read the same frames, but fewer."""
        for case, name, counts, make in (
            ("pcap", "one", (10_000_000, 1_000_000), captures.pcap),
            ("pcap, one fifth other", "mixed", (2_000_000, 500_000), _mixed),
        ):
            path, packets = self.file(f"{name}.pcap", counts[0], make)
            short, few = self.file(f"short-{name}.pcap", counts[1], make)
            ours = self.ours(path, packets, "--arrival", "rx_hardware")
            yield from self.measured(case, ours, list(_readers_of_frames(short, few)))

    def parquet(self) -> Iterator[Row]:
        """Parquet beside DuckDB, which computes moments and quantiles only."""
        for count, case in ((10_000_000, "Parquet, 10 M"), (43_200_000, "Parquet, 43.2 M")):
            path, packets = self.file("day.parquet", count, captures.parquet)
            duckdb = Command("DuckDB", [sys.executable, "-c", _DUCKDB, str(path)], packets)
            yield from self.measured(case, self.ours(path, packets), [duckdb] if find_spec("duckdb") else [])
        with tempfile.TemporaryDirectory() as figures:
            yield from self.measured("all figures, 43.2 M", self.ours(path, packets, "--figures", figures), [])


def _readers_of_frames(path: Path, packets: int) -> Iterator[Command]:
    """tcpdump and tshark, where they are installed."""
    if shutil.which("tcpdump"):
        yield Command("tcpdump -r", ["tcpdump", "-n", "-tt", "-r", str(path)], packets)
    if shutil.which("tshark"):
        fields = [word for name in ("frame.time_epoch", "frame.len", "data.data") for word in ("-e", name)]
        yield Command("tshark -T fields", ["tshark", "-n", "-r", str(path), "-T", "fields", *fields], packets)


def _mixed(path: Path, count: int) -> Path:
    return captures.pcap(path, count, others=True)


def main() -> None:
    """Runs everything and prints the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tsnlab-bench")
    parser.add_argument("--small", action="store_true", help="a tenth of the packets")
    parser.add_argument("--times", type=int, default=3, help="turns of each, after one that does not count (3)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments.folder, 0.1 if arguments.small else 1.0, arguments.times)
    rows = [*bench.json(), *bench.pcap(), *bench.parquet()]
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    heading = "| input | tool | packets | s | CPU s | MB | packets/s | tsnlab is faster by (by CPU) |"
    print(f"load average at the end: {load}", heading, "|---" * 2 + "|--:" * 6 + "|", *rows, sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
