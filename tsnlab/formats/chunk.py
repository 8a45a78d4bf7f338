"""Some packets on their way from a file to the statistics: plain int64 columns, in the order of the file.

Captures are read as a stream of chunks, so that memory does not grow with them. What is computed from chunks
must not depend on where one ends and the next begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from tsnlab import packets

if TYPE_CHECKING:
    import pandas as pd

Integers = npt.NDArray[np.int64]

ROWS = 1 << 17  # of a chunk: its columns fit the processor's cache
_MOST_FLAWS = 20


@dataclass(frozen=True)
class Chunk:
    """Rows of the `packets` table: `columns` by the names of `packets.COLUMNS`, all of one length.

    `stream` and `seq` are always there. A column that is missing was never taken, and 0 is a time that was
    not taken. Times are int64 nanoseconds.
    """

    columns: Mapping[str, Integers]

    def __len__(self) -> int:
        return len(self.columns["seq"])

    def column(self, name: str) -> Integers | None:
        """The column of this name, shape (rows,); None if it was never taken."""
        return self.columns.get(name)

    def where(self, rows: npt.NDArray[np.bool_] | slice | npt.NDArray[np.intp]) -> Chunk:
        """These rows only: a mask, a slice or row numbers."""
        return Chunk({name: values[rows] for name, values in self.columns.items()})

    def to_frame(self, about: packets.CaptureInfo) -> pd.DataFrame:
        """These rows as the `packets` table, described by `about`."""
        import pandas as pd

        columns = {}
        for name in packets.COLUMNS:
            taken = self.columns.get(name)
            values = np.zeros(len(self), dtype=np.int64) if taken is None else taken.copy()
            missing = np.zeros(len(self), dtype=np.bool_) if name in packets.KEY_COLUMNS else values == 0
            columns[name] = pd.arrays.IntegerArray(values, missing)
        return packets.attach(pd.DataFrame(columns), about)


def from_frame(frame: pd.DataFrame) -> Chunk:
    """The rows of a `packets` table, null as 0."""
    return Chunk({name: np.asarray(frame[name].to_numpy(np.int64, na_value=0)) for name in packets.COLUMNS})


def joined(chunks: list[Chunk]) -> Chunk:
    """All rows of some chunks, one after the other; a column that only some of them have is 0 in the others."""
    names = {name: None for chunk in chunks for name in chunk.columns} or dict.fromkeys(packets.KEY_COLUMNS)
    none = np.zeros(0, dtype=np.int64)
    return Chunk(
        {
            name: np.concatenate([none, *(chunk.columns.get(name, np.zeros(len(chunk), np.int64)) for chunk in chunks)])
            for name in names
        }
    )


def gathered(chunks: Iterable[Chunk], rows: int = ROWS) -> Iterator[Chunk]:
    """The same rows in chunks of at least so many, but for the last one: what is done for each chunk takes its time."""
    held: list[Chunk] = []
    count = 0
    for chunk in chunks:
        held.append(chunk)
        count += len(chunk)
        if count >= rows:
            yield joined(held) if len(held) > 1 else chunk
            held, count = [], 0
    if held:
        yield joined(held)


def ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks; the next one is read in another thread while the one before is counted."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        coming = worker.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = worker.submit(next, chunks, None)
            yield chunk


@dataclass
class Damage:
    """What of a file could not be read: how much, where and why. The first flaws are kept in words."""

    dropped: int = 0
    flaws: list[str] = field(default_factory=list)

    def note(self, where: str, why: str, dropped: int = 1) -> None:
        """Counts something that was dropped, at a byte offset or line given in words."""
        self.dropped += dropped
        if len(self.flaws) < _MOST_FLAWS:
            self.flaws.append(f"{where}: {why}")

    def __bool__(self) -> bool:
        return self.dropped > 0 or bool(self.flaws)


class Source(Protocol):
    """A capture in a file, whatever its format."""

    @property
    def about(self) -> packets.CaptureInfo:
        """What the file says about the capture; complete once all chunks have been read."""

    @property
    def damage(self) -> Damage:
        """What could not be read so far; starts anew with every call of `chunks`."""

    @property
    def counted(self) -> bool:
        """Whether the counts in `about` are those of the capture, and need not be told from the rows."""

    def chunks(self) -> Iterator[Chunk]:
        """All packets, in the order of the file; can be called again."""
