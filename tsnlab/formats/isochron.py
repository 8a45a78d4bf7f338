r"""isochron's measurements, as its `report` exports them: one line of numbers for each packet.

Export with `isochron report --input-file isochron.dat --printf-format "%u %d %d %d %d %d %d %d %d\n"
--printf-args qSHwstTRr`: the variables then are `VARIABLES`. Times may also be printed with %T, as seconds and
nine decimals.

Source: NXP's isochron, docs/man/isochron-report.8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tsnlab import packets
from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import ROWS, Chunk, Damage
from tsnlab.formats.log import lines, opened

VARIABLES = "qSHwstTRr"
_NUMBER = re.compile(r"(-?\d{1,19})(?:\.(\d{9}))?")
_SPLIT = re.compile(r"[\s,;]+")
_KNOWN = "ABCHWSwTtsqaRr"
_COLUMNS = {
    "w": "tx_wakeup",
    "s": "tx_program",
    "t": "tx_kernel_netsched",
    "T": "tx_kernel_hardware",
    "R": "rx_hardware",
    "r": "rx_kernel",
    "a": "rx_program",
}


class IsochronSource:
    """A capture exported by isochron, read chunk by chunk.

    A cycle begins at the scheduled time less the shift (S - H); isochron takes `s` just before the queueing
    discipline, which stands for the time of sending.

    Args:
        path: the file.
        variables: isochron's letters of the columns, in order.

    Raises:
        ConfigError: there is no such file, or the variables are not isochron's or lack q and S.
    """

    counted = False

    def __init__(self, path: str | os.PathLike[str], variables: str = VARIABLES) -> None:
        self.path = Path(path)
        self.damage = Damage()
        self._variables = variables
        if not set("qS") <= set(variables) <= set(_KNOWN) or len(set(variables)) != len(variables):
            raise ConfigError(f"variables {variables!r}: expected letters of {_KNOWN}, each once, among them q and S")
        opened(self.path).close()
        self.about = packets.CaptureInfo(lab="unknown", case=self.path.stem, cycle_ns=0, clock="CLOCK_TAI (isochron)")

    def chunks(self) -> Iterator[Chunk]:
        """All packets, in the order of the file."""
        self.damage = Damage()
        rows: list[list[int]] = []
        for number, text in lines(self.path):
            if not text.strip() or text.startswith("#"):
                continue
            try:
                rows.append(self._row(text))
            except ValueError as error:
                self.damage.note(f"{self.path}: line {number}", str(error))
            if len(rows) == ROWS:
                yield self._chunk(rows)
                rows = []
        if rows:
            yield self._chunk(rows)

    def _row(self, text: str) -> list[int]:
        parts = _SPLIT.split(text.strip())
        if len(parts) != len(self._variables):
            raise ValueError(f"{len(parts)} columns, but {len(self._variables)} variables ({self._variables})")
        row = []
        for part in parts:
            match = _NUMBER.fullmatch(part)
            if match is None:
                raise ValueError(f"not a number: {part[:40]!r}")
            value = int(match[1]) * 10**9 + int(match[2]) if match[2] else int(match[1])
            if not -(1 << 62) < value < 1 << 62:
                raise ValueError(f"not a time: {part[:40]!r}")
            row.append(value)
        if not 0 <= row[self._variables.index("q")] < 1 << 32:
            raise ValueError("a sequence number has 32 bits")
        return row

    def _chunk(self, rows: list[list[int]]) -> Chunk:
        table = dict(zip(self._variables, np.array(rows, dtype=np.int64).T, strict=True))
        shift = table.get("H", np.zeros(len(rows), dtype=np.int64))
        if "C" in table and not self.about.cycle_ns:
            self.about = self.about.model_copy(update={"cycle_ns": max(int(table["C"][0]), 0)})
        columns = {
            "stream": np.zeros(len(rows), dtype=np.int64),
            "seq": table["q"],
            "interval_start": table["S"] - shift,
        }
        columns |= {_COLUMNS[letter]: table[letter] for letter in self._variables if letter in _COLUMNS}
        return Chunk({name: np.ascontiguousarray(values) for name, values in columns.items()})
