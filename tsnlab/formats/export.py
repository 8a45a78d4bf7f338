"""Writing packets in the format that a file's suffix names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from tsnlab.errors import ConfigError
from tsnlab.formats import frames, netlatency
from tsnlab.formats.chunk import Chunk
from tsnlab.formats.json_lines import NAMES
from tsnlab.formats.parquet import Writer
from tsnlab.packets import ARRIVAL_COLUMNS, CaptureInfo


def write(
    chunks: Callable[[], Iterable[Chunk]], about: CaptureInfo, target: Path, *, as_hardware: bool = False
) -> Path:
    """Writes packets as .parquet, .json or .jsonl (netlatency's lines), or .pcap (in nanoseconds).

    Args:
        chunks: gives the packets, with all their columns, from the first on; may be called twice.
        about: the capture.
        target: where to write; its suffix tells the format.
        as_hardware: write the column that stands for the arrival as rx-hardware, the only one nl-calc knows.

    Raises:
        ConfigError: no format has this suffix.
    """
    interval_us = about.cycle_ns // 1000
    if target.suffix == ".parquet":
        with Writer(target) as writer:
            for chunk in chunks():
                writer.append(chunk)
            return writer.close(about)
    if target.suffix in (".json", ".jsonl"):

        def arrived() -> Iterator[Chunk]:
            # a lost packet has no line: nl-rx prints what it receives
            received = map(_received, chunks())
            return (with_hardware(chunk, about.arrival) if as_hardware else chunk for chunk in received)

        return netlatency.write(arrived(), target, interval_us=interval_us, names=_taken(arrived()))
    if target.suffix == ".pcap":
        return frames.write(chunks(), target, interval_us=interval_us, arrival=about.arrival or "rx_kernel")
    raise ConfigError(f"{target}: the suffix tells the format: .parquet, .json or .pcap")


def with_hardware(chunk: Chunk, arrival: str | None) -> Chunk:
    """nl-calc knows one time of arrival, rx-hardware: where there is none, the capture's own stands for it."""
    taken = chunk.columns.get("rx_hardware")
    if arrival is None or arrival not in chunk.columns or (taken is not None and bool(taken.any())):
        return chunk
    return Chunk({**chunk.columns, "rx_hardware": chunk.columns[arrival]})


def _received(chunk: Chunk) -> Chunk:
    times = [chunk.columns[name] for name in ARRIVAL_COLUMNS if name in chunk.columns]
    rows = np.any([values != 0 for values in times], axis=0) if times else np.zeros(len(chunk), dtype=np.bool_)
    return chunk if rows.all() else chunk.where(rows)


def _taken(chunks: Iterable[Chunk]) -> list[str]:
    """The names of the times that any packet has: nl-trace counts packets with another one as invalid."""
    found = {name for chunk in chunks for name, values in chunk.columns.items() if values.any()}
    return [name for name, column in NAMES.items() if column in found]
