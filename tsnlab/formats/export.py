"""Writing packets in the format that a file's suffix names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tsnlab.errors import ConfigError
from tsnlab.formats import frames, netlatency
from tsnlab.formats.chunk import Chunk
from tsnlab.formats.parquet import Writer
from tsnlab.packets import CaptureInfo


def write(chunks: Iterable[Chunk], about: CaptureInfo, target: Path) -> Path:
    """Writes packets as .parquet, .json or .jsonl (netlatency's lines), or .pcap (in nanoseconds).

    Args:
        chunks: the packets, with all their columns.
        about: the capture.
        target: where to write; its suffix tells the format.

    Raises:
        ConfigError: no format has this suffix.
    """
    interval_us = about.cycle_ns // 1000
    if target.suffix == ".parquet":
        with Writer(target) as writer:
            for chunk in chunks:
                writer.append(chunk)
            return writer.close(about)
    if target.suffix in (".json", ".jsonl"):
        return netlatency.write(chunks, target, interval_us=interval_us)
    if target.suffix == ".pcap":
        return frames.write(chunks, target, interval_us=interval_us, arrival=about.arrival or "rx_kernel")
    raise ConfigError(f"--write {target}: the suffix tells the format: .parquet, .json or .pcap")
