"""A measurement while it runs, as it is written down: `capture.jsonl` in its run folder, read on where one left off.

Each line is what one program of the lab said: `{"from": "talker", "said": {"packets": [[seq, …], …]}}`, with the
columns of `tsnlab.packets.TALKER_COLUMNS` and `LISTENER_COLUMNS`. When the measurement is over, the file is gone
and `packets.parquet` has taken its place; the file of a run that was killed stays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tsnlab import packets
from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import Chunk, Damage

if TYPE_CHECKING:
    import pandas as pd

NAME = "capture.jsonl"
_BLOCK = 4 << 20
_LONGEST = 64 << 20  # a line is a hundred packets; without a limit, a file without line ends would fill the memory
_COLUMNS = {"talker": packets.TALKER_COLUMNS, "listener": packets.LISTENER_COLUMNS}

Table = npt.NDArray[np.int64]


class Growing:
    """What a measurement has reported so far, and what is new since the last look.

    Args:
        place: the run folder, or the `capture.jsonl` itself; it need not be there yet.

    Attributes:
        sent: packets that the talker has reported so far.
        attempt: one more whenever the measurement began anew, and all counts with it; 0 before it began.
        damage: lines that cannot be read.
    """

    counted = False

    def __init__(self, place: str | os.PathLike[str]) -> None:
        given = Path(place)
        self.path = given if given.suffix == ".jsonl" or given.is_file() else given / NAME
        self.attempt = self.sent = 0
        self.damage = Damage()
        self._file = self._position = self._line = 0

    @property
    def about(self) -> packets.CaptureInfo:
        """What `run.json` beside the file says of the measurement."""
        return _described(self.path.parent)

    def fresh(self) -> Iterator[Chunk]:
        """The arrivals written since the last look, in their order; 0 is a time that was not taken.

        A line that is still being written waits for the next look. Look at `attempt` afterwards.
        """
        for who, rows in self.reports():
            if who == "listener":
                yield Chunk(dict(zip(packets.LISTENER_COLUMNS, rows.T.copy(), strict=True)))

    def chunks(self) -> Iterator[Chunk]:
        """All arrivals so far, from the beginning of the file on; can be called again."""
        self._begin()
        return self.fresh()

    def reports(self) -> Iterator[tuple[str, Table]]:
        """What is new, as ("talker" or "listener", rows): int64 of shape (n, columns of that program)."""
        while lines := self._peek():
            self._position += len(lines)
            found: dict[str, list[Table]] = {}
            for line in lines.splitlines():
                self._line += 1
                who, rows = self._read(line)
                found.setdefault(who, []).append(rows)
            self.sent += sum(map(len, found.get("talker", [])))
            yield from ((who, np.concatenate(found[who])) for who in _COLUMNS if who in found)

    def _begin(self) -> None:
        self.sent = self._position = self._line = 0
        self.damage = Damage()

    def _peek(self) -> bytes:
        """The whole lines from the position on, up to about a block."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._file or status.st_size < self._position:
                    # another file, or shorter than what was read: a new attempt
                    self._file, self.attempt = status.st_ino, self.attempt + 1
                    self._begin()
                file.seek(self._position)
                block = file.read(_BLOCK)
                while b"\n" not in block and len(block) < _LONGEST and (more := file.read(_BLOCK)):
                    block += more
        except FileNotFoundError:
            return b""
        if b"\n" not in block and len(block) >= _LONGEST:
            return block  # no line of a measurement is so long: it is noted as damage
        return block[: block.rfind(b"\n") + 1]

    def _read(self, line: bytes) -> tuple[str, Table]:
        """Who said it, and the packets in it; nobody if it is something else."""
        try:
            record = json.loads(line)
            who, rows = record["from"], record["said"].get("packets")
            if rows and who in _COLUMNS:
                return who, packets.integers(rows, _COLUMNS[who], who)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            self.damage.note(f"{self.path}: line {self._line}", f"not a report: {error!r}"[:160])
        return "", np.zeros((0, 0), dtype=np.int64)


def so_far(place: str | os.PathLike[str]) -> pd.DataFrame:
    """The packets of a measurement that is running, or was killed: the `packets` table, marked as not complete.

    A packet that was sent and has not been reported as received counts as lost; the last few may still arrive.

    Args:
        place: the run folder, or its `capture.jsonl`.

    Raises:
        ConfigError: there is no such file: nothing has been measured yet, or all of it (see `packets.parquet`).
    """
    growing = Growing(place)
    if not growing.path.is_file():
        raise ConfigError(f"{growing.path}: no such file; a measurement that is over is in packets.parquet beside it")
    sides: dict[str, list[Table]] = {who: [np.zeros((0, len(columns)), np.int64)] for who, columns in _COLUMNS.items()}
    for who, rows in growing.reports():
        sides[who].append(rows)
    about = growing.about.model_copy(update={"complete": False})
    return packets.from_records(np.concatenate(sides["talker"]), np.concatenate(sides["listener"]), about, stream=0)


def _described(folder: Path) -> packets.CaptureInfo:
    """The capture's description from the run's `run.json`, as far as there is one."""
    try:
        content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        parameters = content["parameters"]
        about = {"lab": str(parameters.get("lab_file", "unknown")), "case": content["case"], "run": content["run"]}
        cycle_ns = round(parameters.get("cycle_us", 0) * 1000)
        return packets.CaptureInfo(cycle_ns=cycle_ns, complete=False, clock="CLOCK_TAI of the lab", **about)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return packets.CaptureInfo(lab="unknown", case=folder.name, cycle_ns=0, complete=False)
