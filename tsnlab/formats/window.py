"""A file seen through a buffer that is used again and again, and frames in it that are read without copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Integers

SIZE = 1 << 20  # what is read fits the processor's cache, from which all fields are then taken
LONGEST = 1 << 20  # no record of a capture is longer


class Window:
    """The part of a file between `position` and `end` of `storage`.

    Attributes:
        storage: the buffer.
        position: the first byte that has not been used yet.
        end: where the bytes read so far end.
        finished: whether these are the last bytes of the file.
    """

    def __init__(self, file: IO[bytes], size: int = SIZE) -> None:
        self.storage = bytearray(size + LONGEST)
        self.position = self.end = 0
        self.finished = False
        self._file = file
        self._size = size
        self._before = 0  # bytes of the file that are no longer in the buffer

    @property
    def offset(self) -> int:
        """Where in the file the position is."""
        return self._before + self.position

    @property
    def left(self) -> int:
        """How many bytes have not been used yet."""
        return self.end - self.position

    def refill(self) -> bool:
        """Moves what is left to the beginning and reads on; whether there was more."""
        rest = self.storage[self.position : self.end]
        self.storage[: len(rest)] = rest
        self._before += self.position
        self.position, self.end = 0, len(rest)
        # what is left is always less than the longest record, unless nothing was understood
        room = min(self._size, len(self.storage) - self.end)
        got = self._file.readinto(memoryview(self.storage)[self.end : self.end + room])  # type: ignore[attr-defined]
        self.end += got
        self.finished = not got
        return bool(got)


@dataclass(frozen=True)
class Frames:
    """Frames in a buffer, valid until the next ones are asked for.

    Attributes:
        storage: the buffer.
        starts: where each frame begins in it, shape (n,); with a `stride`, the first one is enough.
        stride: the distance of the frames if it is always the same, else 0.
        lengths: how many bytes of each frame were captured, shape (n,).
        times: when each was captured, int64 nanoseconds, shape (n,).
        link: the link type (https://www.tcpdump.org/linktypes.html).
        offset: where in the file the first one begins.
    """

    storage: bytearray
    starts: Integers
    stride: int
    lengths: Integers
    times: Integers
    link: int
    offset: int

    def __len__(self) -> int:
        return len(self.times)

    def field(self, at: int | Integers, kind: str) -> npt.NDArray[np.generic]:
        """The field of type `kind` (numpy's, such as ">u2") at byte `at` of each frame, shape (n,)."""
        return field(self.storage, self.starts, self.stride, len(self), at, kind)

    def where(self, rows: npt.NDArray[np.bool_]) -> Frames:
        """Some of the frames."""
        if rows.all():
            return self
        starts = self.spread().starts[rows]
        return Frames(self.storage, starts, 0, self.lengths[rows], self.times[rows], self.link, self.offset)

    def spread(self) -> Frames:
        """The same frames, each with its own beginning."""
        if not self.stride:
            return self
        starts = int(self.starts[0]) + np.arange(len(self), dtype=np.int64) * self.stride
        return Frames(self.storage, starts, 0, self.lengths, self.times, self.link, self.offset)


def field(
    storage: bytearray, starts: Integers, stride: int, count: int, at: int | Integers, kind: str
) -> npt.NDArray[np.generic]:
    """Values of type `kind` at byte `at` after each start; for one stride, a view without a copy."""
    dtype = np.dtype(kind)
    if stride and isinstance(at, int):
        return np.ndarray((count,), dtype, storage, offset=int(starts[0]) + at, strides=(stride,))
    if stride:
        starts = int(starts[0]) + np.arange(count, dtype=np.int64) * stride
    everywhere: npt.NDArray[np.generic] = np.ndarray((len(storage) - dtype.itemsize + 1,), dtype, storage, strides=(1,))
    values: npt.NDArray[np.generic] = np.asarray(everywhere[starts + at])
    return values
