"""A file of lines, seen in blocks of whole lines, and lines of one length as rows of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Damage

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]

_LONGEST = 1 << 20  # no line is longer; without a limit, a file without line ends would be read as a whole


def blocks(file: IO[bytes], size: int, damage: Damage) -> Iterator[Bytes]:
    """Pieces of about `size` bytes that end with a line, in a buffer that is used again; shape (bytes,) each.

    Args:
        file: without a buffer of its own.
        size: about how many bytes.
        damage: takes what is no line, for want of an end.
    """
    storage = bytearray(size + _LONGEST + 1)
    view, buffer = memoryview(storage), np.frombuffer(storage, dtype=np.uint8)
    held = 0
    while True:
        got = file.readinto(view[held : held + size])  # type: ignore[attr-defined]
        end = held + got
        if not got:
            if held:
                buffer[held] = ord("\n")
                yield buffer[: held + 1]
            return
        whole = _last_line_end(buffer, end)
        if not whole and end > _LONGEST:
            damage.note(f"byte {file.tell() - end}", f"{end} bytes without a line end; skipped them")
            held = 0
            continue
        if whole:
            yield buffer[:whole]
        buffer[: end - whole] = buffer[whole:end].copy()
        held = end - whole


def _last_line_end(buffer: Bytes, end: int) -> int:
    """Where the last whole line ends, 0 if there is none."""
    start = max(end - 4096, 0)
    found = buffer[start:end].tobytes().rfind(b"\n")
    return start + found + 1 if found >= 0 else buffer[:start].tobytes().rfind(b"\n") + 1


def rows_of(block: Bytes, starts: Places, width: int) -> Bytes:
    """The lines of one width, their ends included, as rows; without a copy if they follow each other.

    Args:
        block: shape (bytes,).
        starts: where the lines begin, ascending.
        width: bytes of each.

    Returns:
        Shape (lines, width), contiguous.
    """
    first, last = int(starts[0]), int(starts[-1])
    if last - first == width * (len(starts) - 1):
        return block[first : last + width].reshape(-1, width)
    # one item for each byte at which a line could begin
    everywhere = np.ndarray((len(block) - width + 1,), f"V{width}", block.data, strides=(1,))
    return everywhere[starts].view(np.uint8).reshape(-1, width)
