"""Which format a file has, told from how it begins, and what reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import Source
from tsnlab.formats.log import Log, opened
from tsnlab.packets import ArrivalColumn

_BEGINNING = 1 << 16
_LATENCIES = re.compile(rb"\s*\d{1,3}\s+-?\d+\s*$")
_NUMBERS = re.compile(rb"\s*-?\d+(?:\.\d{9})?(?:[\s,;]+-?\d+(?:\.\d{9})?){3,}\s*$")
LOGS = ("sample-app-log", "latencies", "ptp-log", "iperf3", "iperf3-text")
CAPTURES = ("parquet", "netlatency", "pcap", "isochron", "measurement")


@dataclass(frozen=True)
class Options:
    """What a file does not say itself.

    Attributes:
        payload: name of a payload, or of the file that describes it (pcap).
        arrival: the column for the times of the capture (pcap).
        cycle_ns: the cycle (pcap, isochron).
        base_ns: a time at which a cycle begins (pcap).
        variables: isochron's letters of the columns; "" for the default ones.
    """

    payload: str = "netlatency"
    arrival: ArrivalColumn = "rx_kernel"
    cycle_ns: int = 0
    base_ns: int = 0
    variables: str = ""


def recognise(path: str | os.PathLike[str]) -> str:
    """The name of the format, one of `CAPTURES` and `LOGS`.

    Raises:
        ConfigError: the file cannot be opened, or is of none of them.
    """
    source = Path(path)
    if source.is_dir():
        raise ConfigError(f"{source}: is a folder; name a capture in it, such as {source / 'packets.parquet'}")
    with opened(source) as file:
        start = file.read(_BEGINNING)
    if not start:
        raise ConfigError(f"{source}: is empty")
    for name, fits in _TESTS.items():
        if fits(start):
            return name
    raise ConfigError(
        f"{source}: not recognised; known are tsnlab's Parquet, netlatency JSON, pcap and pcapng, isochron report, "
        "sample-app-taprio log and latencies.dat, ptp4l and phc2sys logs, iperf3's JSON and text"
    )


def open_capture(
    path: str | os.PathLike[str], options: Options = Options(), columns: Sequence[str] | None = None
) -> Source:
    """A capture of packets, whatever its format.

    Args:
        path: the file.
        options: what the file does not say itself.
        columns: which columns are needed; by default those of the statistics.

    Raises:
        ConfigError: the file cannot be opened, is not recognised, or holds no packets.
    """
    kind = recognise(path)
    if kind == "parquet":
        from tsnlab.formats.parquet import ParquetSource

        return ParquetSource(path, columns=columns)
    if kind == "netlatency":
        from tsnlab.formats.netlatency import NetlatencySource

        return NetlatencySource(path, columns=columns)
    if kind == "pcap":
        from tsnlab.formats import payload
        from tsnlab.formats.frames import PcapSource

        return PcapSource(
            path,
            payload.load(options.payload),
            arrival=options.arrival,
            cycle_ns=options.cycle_ns,
            base_ns=options.base_ns,
            columns=columns,
        )
    if kind == "isochron":
        from tsnlab.formats.isochron import VARIABLES, IsochronSource

        return IsochronSource(path, options.variables or VARIABLES)
    if kind == "measurement":
        from tsnlab.formats.growing import Growing

        return Growing(path)
    raise ConfigError(f"{path}: a {kind} file, which holds no packets")


def open_log(path: str | os.PathLike[str]) -> Log:
    """A log of series, whatever its format.

    Raises:
        ConfigError: the file cannot be opened, is not recognised, or holds packets.
    """
    from tsnlab.formats import iperf3, iperf3_text, ptp_log, sample_app

    readers: dict[str, Callable[[str | os.PathLike[str]], Log]] = {
        "sample-app-log": sample_app.read_log,
        "latencies": sample_app.read_latencies,
        "ptp-log": ptp_log.read,
        "iperf3": iperf3.read,
        "iperf3-text": iperf3_text.read,
    }
    kind = recognise(path)
    if kind not in readers:
        raise ConfigError(f"{path}: a {kind} file, which holds packets, not series")
    return readers[kind](path)


def _lines(start: bytes) -> list[bytes]:
    """The first lines that are whole, without comments."""
    whole = start.split(b"\n")
    whole = whole[:-1] if len(start) == _BEGINNING else whole
    return [line for line in whole if line.strip() and not line.startswith(b"#")][:20]


def _all(pattern: re.Pattern[bytes], start: bytes) -> bool:
    """Whether nearly all of the first lines look so; one may be damaged."""
    listed = _lines(start)
    return bool(listed) and sum(bool(pattern.match(line)) for line in listed) >= max(1, len(listed) - 1)


def _is_iperf3(start: bytes) -> bool:
    plain = start.lstrip()
    return plain[:1] == b"{" and (plain.startswith(b'{"event"') or b'"cookie"' in start or b'"test_start"' in start)


def _is_iperf3_text(start: bytes) -> bool:
    from tsnlab.formats import iperf3_text

    return iperf3_text.is_text(start)


def _is_pcap(start: bytes) -> bool:
    from tsnlab.formats import pcap, pcapng

    return pcap.is_pcap(start) or pcapng.is_pcapng(start)


_TESTS: dict[str, Callable[[bytes], bool]] = {
    "parquet": lambda start: start[:4] == b"PAR1",
    "pcap": _is_pcap,
    "netlatency": lambda start: b'"rx-packet"' in start or b'"rx-error"' in start,
    "measurement": lambda start: re.match(rb'\{"from": ?"[a-z]+", ?"said": ?\{', start) is not None,
    "iperf3": _is_iperf3,
    "iperf3-text": _is_iperf3_text,
    "sample-app-log": lambda start: b"TSN VLAN Priority" in start,
    "ptp-log": lambda start: re.search(rb"(?:ptp4l|phc2sys)(?:\[\d+\])?(?:: )?\[\d+\.\d{3}\]", start) is not None,
    "latencies": lambda start: _all(_LATENCIES, start),
    "isochron": lambda start: _all(_NUMBERS, start),
}
