"""netlatency's JSON lines: what nl-rx prints, and nl-calc, nl-report and nl-trace read.

One object per line; `rx-packet` is a packet and `rx-error` an error counter. All spellings of the names of
timestamps that netlatency has had are known, with or without `Z`; the year 1970 means "not taken"; names that
are not known are passed over. The times are written as they are: netlatency reads CLOCK_REALTIME or the NIC's
clock, and does not say which.

The older names `tx-last-kernel-…` belong to the packet before, which is where they are put.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tsnlab import packets
from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import Chunk, Damage, gathered
from tsnlab.formats.digits import time_text
from tsnlab.formats.handback import MARK, HandBack
from tsnlab.formats.json_lines import COLUMNS, NAMES, NUMBERS, Parser, Table
from tsnlab.formats.line_blocks import blocks

_BLOCK = 4 << 20
_UNKNOWN = "unknown"
_NEEDED = ("interval-start", "tx-program", "rx-hardware")


class NetlatencySource:
    """A capture in netlatency's JSON lines, read chunk by chunk.

    Args:
        path: the file.
        columns: which columns to read; by default those that the statistics need: of the times of arrival, only
            the first that is there.
        block: how many bytes are read at a time.

    Attributes:
        errors: what the rx-error lines say: how many there are, and the sum of dropped packets.

    Raises:
        ConfigError: there is no such file.
    """

    counted = False

    def __init__(
        self, path: str | os.PathLike[str], *, columns: Sequence[str] | None = None, block: int = _BLOCK
    ) -> None:
        self.path = Path(path)
        self.damage = Damage()
        self.errors = {"lines": 0, "dropped_packets": 0}
        self.about = packets.CaptureInfo(
            lab=_UNKNOWN, case=self.path.stem, cycle_ns=0, clock="as netlatency wrote it, not named"
        )
        self._block = block
        self._first_of = () if columns else packets.ARRIVAL_COLUMNS
        needed = {*NUMBERS.values(), *(columns or ("interval_start", "tx_program", *packets.ARRIVAL_COLUMNS))}
        self._columns = [name for name in COLUMNS if name in needed or (columns and name.removeprefix(MARK) in needed)]
        if not self.path.is_file():
            raise ConfigError(f"{self.path}: no such file; expected netlatency's JSON lines")

    def chunks(self) -> Iterator[Chunk]:
        """All packets, in the order of the file."""
        return gathered(self._tables())

    def _tables(self) -> Iterator[Chunk]:
        parser = Parser(str(self.path), self._columns, self._first_of)
        self.damage, self.errors = parser.damage, parser.errors
        first_line = 1
        back = HandBack()
        with self.path.open("rb", buffering=0) as file:
            for block in blocks(file, self._block, self.damage):
                for table, lines in parser.parse(block, first_line):
                    first_line += lines
                    self._take_interval(table)
                    done = back.push(table) if len(table["seq"]) else None
                    if done is not None:
                        yield done
        rest = back.finish()
        if rest is not None:
            yield rest

    def _take_interval(self, table: Table) -> None:
        if not self.about.cycle_ns and len(table["seq"]) and table["interval_us"][0] > 0:
            self.about = self.about.model_copy(update={"cycle_ns": int(table["interval_us"][0]) * 1000})


def write(
    chunks: Iterable[Chunk],
    path: str | os.PathLike[str],
    *,
    interval_us: int,
    offset_us: int = 0,
    names: Collection[str] | None = None,
) -> Path:
    """Writes packets as nl-rx prints them, so that nl-calc, nl-report and nl-trace take them.

    A time that was not taken is written as 1970, as nl-rx does.

    Args:
        chunks: the packets.
        path: where to write.
        interval_us: the cycle.
        offset_us: netlatency's own offset field.
        names: which of `json_lines.NAMES` to write, besides those that nl-calc cannot do without; None for those
            that nl-rx prints, and `rx-kernel-driver` where the packets have it.
    """
    target = Path(path)
    with target.open("w", encoding="ascii") as file:
        chosen: list[str] = []
        for chunk in chunks:
            chosen = chosen or [name for name in NAMES if name in _NEEDED or name in _wanted(names, chunk)]
            listed = ",".join(f'"{name}"' for name in chosen)
            none = np.zeros(len(chunk), dtype=np.int64)
            columns = [
                chunk.columns.get(one, none).tolist() for one in ("stream", "seq", *map(NAMES.get, chosen)) if one
            ]
            for stream, seq, *times in zip(*columns, strict=True):
                values = ",".join(f'"{time_text(time)}"' for time in times)
                file.write(
                    f'{{"type":"rx-packet","object":{{"stream-id":{stream},"sequence-number":{seq},'
                    f'"interval-usec":{interval_us},"offset-usec":{offset_us},'
                    f'"timestamps":{{"names":[{listed}],"values":[{values}]}}}}}}\n'
                )
    return target


def _wanted(names: Collection[str] | None, chunk: Chunk) -> Collection[str]:
    if names is not None:
        return names
    return [name for name in NAMES if name != "rx-kernel-driver" or "rx_kernel" in chunk.columns]
