"""Measures the analysis of captures beside other tools, in one run, and prints a table.

    python -m tests.bench [--folder DIR] [--small] [--times N]

The captures are generated once and kept in the folder (about 5 GB; a tenth of it with --small). Tools that
are not installed are left out: apt install tshark tcpdump, pip install duckdb.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.bench import captures
from tests.bench.measure import Cost, best

_DUCKDB = """\
import duckdb, sys
shares = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
print(duckdb.sql(f'''
  SELECT count(s), min(s), max(s), avg(s), stddev_pop(s), quantile_disc(s, {shares}),
         count(a), min(a), max(a), avg(a), stddev_pop(a), quantile_disc(a, {shares})
  FROM (SELECT rx_hardware - interval_start AS s, tx_program - interval_start AS a FROM '{sys.argv[1]}')
''').fetchall())
"""


class Row(NamedTuple):
    """One line of the table: what was read by what, how many packets, and what it cost."""

    case: str
    tool: str
    packets: int
    cost: Cost

    @property
    def rate(self) -> float:
        """Packets per second."""
        return self.packets / self.cost.seconds


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
            make(unfinished, packets)
            unfinished.rename(path)
        return path, packets

    def run(self, case: str, tool: str, packets: int, argv: list[str]) -> Row:
        """Measures a command, the fastest of some runs."""
        row = Row(case, tool, packets, best(argv, self.times))
        print(_line(row), file=sys.stderr, flush=True)  # noqa: T201
        return row

    def ours(self, case: str, path: Path, packets: int, *more: str) -> Row:
        """Measures `tsnlab analyse` with all statistics."""
        return self.run(
            case, "tsnlab", packets, [sys.executable, "-m", "tsnlab", "analyse", str(path), "--json", *more]
        )

    def json(self) -> Iterator[Row]:
        """netlatency JSON beside nl-calc's way."""
        for case, make in (("JSON", captures.json_lines), ("JSON, two streams", captures.json_two_streams)):
            path, packets = self.file(f"{make.__name__}.json", 1_000_000, make)
            yield self.ours(case, path, packets)
        path, packets = self.file("short.json", 100_000, captures.json_lines)
        yield self.run("JSON", "nl-calc's way", packets, [sys.executable, "-m", "tests.bench.by_the_line", str(path)])

    def pcap(self) -> Iterator[Row]:
        """pcap beside tcpdump and tshark, which read the same frames, but fewer."""
        path, packets = self.file("one.pcap", 10_000_000, captures.pcap)
        yield self.ours("pcap", path, packets, "--arrival", "rx_hardware")
        path, packets = self.file("short.pcap", 1_000_000, captures.pcap)
        yield from self.others("pcap", path, packets)
        path, packets = self.file("mixed.pcap", 2_000_000, _mixed)
        yield self.ours("pcap, one fifth other", path, packets, "--arrival", "rx_hardware")
        path, packets = self.file("short-mixed.pcap", 500_000, _mixed)
        yield from self.others("pcap, one fifth other", path, packets)

    def others(self, case: str, path: Path, packets: int) -> Iterator[Row]:
        """tcpdump and tshark, where they are installed."""
        if shutil.which("tcpdump"):
            yield self.run(case, "tcpdump -r", packets, ["tcpdump", "-n", "-tt", "-r", str(path)])
        if shutil.which("tshark"):
            fields = [word for name in ("frame.time_epoch", "frame.len", "data.data") for word in ("-e", name)]
            yield self.run(
                case, "tshark -T fields", packets, ["tshark", "-n", "-r", str(path), "-T", "fields", *fields]
            )

    def parquet(self) -> Iterator[Row]:
        """Parquet beside DuckDB, which computes moments and quantiles only."""
        for count, case in ((10_000_000, "Parquet, 10 M"), (43_200_000, "Parquet, 43.2 M")):
            path, packets = self.file("day.parquet", count, captures.parquet)
            yield self.ours(case, path, packets)
            if find_spec("duckdb"):
                yield self.run(case, "DuckDB", packets, [sys.executable, "-c", _DUCKDB, str(path)])
        with tempfile.TemporaryDirectory() as figures:
            yield self.ours("all figures, 43.2 M", path, packets, "--figures", figures)


def _mixed(path: Path, count: int) -> Path:
    return captures.pcap(path, count, others=True)


def main() -> None:
    """Runs everything and prints the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tsnlab-bench")
    parser.add_argument("--small", action="store_true", help="a tenth of the packets")
    parser.add_argument("--times", type=int, default=3, help="runs of each, of which the fastest counts (3)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments.folder, 0.1 if arguments.small else 1.0, arguments.times)
    rows = [*bench.json(), *bench.pcap(), *bench.parquet()]
    print(  # noqa: T201
        "| input | tool | packets | s | CPU s | MB | packets/s | tsnlab is faster by (by CPU) |\n"
        + "|---" * 2
        + "|--:" * 6
        + "|"
    )
    for row in rows:
        print(_line(row, _ratio(row, rows)))  # noqa: T201


def _ratio(row: Row, rows: list[Row]) -> str:
    """How many times faster tsnlab is, by time and by processor time; JSON of one stream, then of two."""
    if row.tool == "tsnlab":
        return ""
    ours = [
        one for one in rows if one.tool == "tsnlab" and (one.case == row.case or one.case == f"{row.case}, two streams")
    ]
    pairs = ((one.rate / row.rate, one.packets / one.cost.processor * row.cost.processor / row.packets) for one in ours)
    return "; ".join(f"{time:.1f} ({processor:.1f})" for time, processor in pairs)


def _line(row: Row, ratio: str = "") -> str:
    cost = row.cost
    return (
        f"| {row.case} | {row.tool} | {row.packets:,} | {cost.seconds:.2f} | {cost.processor:.2f} "
        f"| {cost.megabytes:.0f} | {row.rate:,.0f} | {ratio} |"
    )


if __name__ == "__main__":
    main()
