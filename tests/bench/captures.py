"""Generated captures of any length: the guide's second case, with noise that repeats."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tsnlab import packets
from tsnlab.formats import netlatency
from tsnlab.formats.chunk import Chunk, joined
from tsnlab.formats.parquet import Writer

CYCLE = 2_000_000
BASE = 1_588_076_872_000_000_000
_PIECE = 1 << 18
_FRAME = 108


def pieces(count: int, stream: int = 1) -> Iterator[Chunk]:
    """Packets: sent 3 to 63 µs after the cycle begins, received at 1253.26 µs ± 25 ns."""
    rng = np.random.default_rng(stream)
    for first in range(0, count, _PIECE):
        seq = np.arange(first, min(count, first + _PIECE))
        start = BASE + seq * CYCLE
        yield Chunk(
            {
                "stream": np.full(len(seq), stream, dtype=np.int64),
                "seq": seq,
                "interval_start": start,
                "tx_wakeup": start + rng.integers(1_000, 1_500, len(seq)),
                "tx_program": start + rng.integers(3_000, 63_000, len(seq)),
                "rx_hardware": start + np.rint(rng.normal(1_253_260, 25, len(seq))).astype(np.int64),
            }
        )


def parquet(path: Path, count: int) -> Path:
    """A tsnlab Parquet file."""
    about = packets.CaptureInfo(
        lab="bench",
        case="case2",
        cycle_ns=CYCLE,
        window=(1_200_000, 1_300_000),
        arrival="rx_hardware",
        sent=count,
        received=count,
    )
    with Writer(path) as writer:
        for chunk in pieces(count):
            writer.append(chunk)
        return writer.close(about)


def json_lines(path: Path, count: int) -> Path:
    """netlatency's JSON lines of one stream."""
    return netlatency.write(pieces(count), path, interval_us=2000)


def json_two_streams(path: Path, count: int) -> Path:
    """Likewise, of two streams whose lines alternate and differ in length."""
    return netlatency.write(_alternating(count // 2), path, interval_us=2000)


def _alternating(count: int) -> Iterator[Chunk]:
    for one, other in zip(pieces(count, 7), pieces(count, 113), strict=True):
        order = np.arange(2 * len(one)).reshape(2, -1).T.ravel()
        yield joined([one, other]).where(order)


def pcap(path: Path, count: int, *, others: bool = False) -> Path:
    """netlatency's frames in a pcap file with nanoseconds; with others, every fifth frame is other traffic."""
    rng = np.random.default_rng(3)
    with path.open("wb") as file:
        file.write(b"\x4d\x3c\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, 262_144, 1))
        for chunk in pieces(count):
            rows = _frames(chunk)
            if not others:
                file.write(rows.tobytes())
                continue
            mine = rng.random(len(rows)) >= 0.2
            sizes = rng.integers(60, 1000, len(rows)).tolist()
            for row, own, size in zip(rows, mine.tolist(), sizes, strict=True):
                raw = row.tobytes()
                file.write(raw if own else raw[:8] + struct.pack("<II", size, size) + bytes(size))
    return path


def _frames(chunk: Chunk) -> np.ndarray:  # type: ignore[type-arg]
    kind = np.dtype(
        {
            "names": ["time", "lengths", "ethertype", "version", "stream", "seq", "interval", "stamps"],
            "formats": ["(2,)<u4", "(2,)<u4", ">u2", "u1", "u1", "<u4", "<u2", "(5,2)<i8"],
            "offsets": [0, 8, 28, 30, 31, 32, 36, 44],
            "itemsize": 16 + _FRAME,
        }
    )
    rows = np.zeros(len(chunk), dtype=kind)
    rows["time"] = np.stack(np.divmod(chunk.columns["rx_hardware"], 10**9), axis=1)
    rows["lengths"], rows["ethertype"], rows["version"], rows["interval"] = _FRAME, 0x0808, 1, 2000
    rows["stream"], rows["seq"] = chunk.columns["stream"], chunk.columns["seq"]
    for place, name in enumerate(("interval_start", "tx_wakeup", "tx_program")):
        rows["stamps"][:, place] = np.stack(np.divmod(chunk.columns[name], 10**9), axis=1)
    return rows
