"""pcap files: records one after the other, in micro- or nanoseconds, of either byte order; read and written.

Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import Damage, Integers
from tsnlab.formats.window import LONGEST, Frames, Window, field

MAGIC = {  # byte order, and how many nanoseconds a step of the fraction is
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
ETHERNET = 1
_FILE_HEADER, _RECORD_HEADER = 24, 16
_MOST = 262_144  # MAXIMUM_SNAPLEN of libpcap
_SHORT_RUN, _WALK = 64, 4096
_SECOND = 1_000_000_000
_NEAR_S = 86_400  # after damage, a record is believed if its time is so near to the last one


def frames(window: Window, damage: Damage, name: str) -> Iterator[Frames]:
    """All frames of a pcap file, in pieces; what cannot be understood is skipped and noted.

    Raises:
        ConfigError: the file does not begin as a pcap file.
    """
    window.refill()
    header = bytes(window.storage[: min(_FILE_HEADER, window.end)])
    if len(header) < _FILE_HEADER or header[:4] not in MAGIC:
        raise ConfigError(f"{name}: byte 0: not a pcap file")
    order, fraction_ns = MAGIC[header[:4]]
    link = int(struct.unpack_from(order + "I", header, 20)[0]) & 0x0FFF_FFFF
    window.position = _FILE_HEADER
    walk = _Walk(order, fraction_ns, link)
    while True:
        yield from walk.pieces(window)
        if walk.is_broken():
            _skip(window, walk, damage, name)
        elif not window.refill():
            break
    if window.left:
        damage.note(f"{name}: byte {window.offset}", f"the file ends within a record, {window.left} bytes of it")


class _Walk:
    """Goes from record to record; runs of records of one length are taken at once."""

    def __init__(self, order: str, fraction_ns: int, link: int) -> None:
        self.order = order
        self.fraction_ns = fraction_ns
        self.link = link
        self.broken = False
        self.last_s: int | None = None
        self._length = struct.Struct(order + "I").unpack_from

    def is_broken(self) -> bool:
        """Whether what begins at the window's position is not a record."""
        return self.broken

    def pieces(self, window: Window) -> Iterator[Frames]:
        """The whole records in the window; leaves its position after them, or at one that is broken."""
        self.broken = False
        while not self.broken and window.left >= _RECORD_HEADER:
            size = _RECORD_HEADER + self._length(window.storage, window.position + 8)[0]
            run = self._run(window, size)
            if run >= _SHORT_RUN:
                starts, stride, used = np.array([window.position]), size, run * size
                count = run
            else:
                starts, used = self._steps(window)
                stride, count = 0, len(starts)
            if not count:
                return
            found = self._frames(window, starts, stride, count)
            if len(found) < count:
                # the first record that is not one ends the piece
                used = len(found) * stride if stride else int(starts[len(found)]) - window.position
                self.broken = True
            if len(found):
                self.last_s = int(found.times[-1]) // _SECOND
                yield found
            window.position += used

    def _run(self, window: Window, size: int) -> int:
        """How many records of this size follow each other."""
        room = window.left // size
        if size > _RECORD_HEADER + _MOST or room < _SHORT_RUN:
            return 0
        lengths = np.ndarray((room,), self.order + "u4", window.storage, offset=window.position + 8, strides=(size,))
        expected = size - _RECORD_HEADER
        if not bool((lengths[:_SHORT_RUN] == expected).all()):
            return 0
        differs = np.flatnonzero(lengths != expected)
        return int(differs[0]) if len(differs) else room

    def _steps(self, window: Window) -> tuple[Integers, int]:
        """Where some records begin, whatever their lengths, and how many bytes they take."""
        storage, length, position, end = window.storage, self._length, window.position, window.end - _RECORD_HEADER
        starts: list[int] = []
        most = _RECORD_HEADER + _MOST
        while position <= end and len(starts) < _WALK:
            size = _RECORD_HEADER + length(storage, position + 8)[0]
            if size > most:
                self.broken = True
                break
            if position + size > window.end:
                break
            starts.append(position)
            position += size
        return np.array(starts, dtype=np.int64), position - window.position

    def _frames(self, window: Window, starts: Integers, stride: int, count: int) -> Frames:
        def read(at: int) -> Integers:
            return field(window.storage, starts, stride, count, at, self.order + "u4").astype(np.int64)

        times, fractions = read(0), read(4)
        # records of one stride are as long as each other, see `_run`
        lengths = np.broadcast_to(np.int64(stride - _RECORD_HEADER), count) if stride else read(8)
        if self.fraction_ns != 1:
            fractions *= self.fraction_ns
        original: Any = field(window.storage, starts, stride, count, 12, self.order + "u4")
        good = (fractions < _SECOND) & (original >= (stride - _RECORD_HEADER if stride else lengths))
        whole = count if good.all() else int(np.argmin(good))
        times *= _SECOND
        times += fractions
        first = starts + _RECORD_HEADER if stride else starts[:whole] + _RECORD_HEADER
        return Frames(window.storage, first, stride, lengths[:whole], times[:whole], self.link, window.offset)


def _skip(window: Window, walk: _Walk, damage: Damage, name: str) -> None:
    """Goes on to the next place that looks like a record followed by another one."""
    at = window.offset
    while True:
        found = _next_record(window, walk)
        if found is not None:
            window.position = found
            break
        # nothing in sight: keep what could be the beginning of a record
        window.position = max(window.position + 1, window.end - _RECORD_HEADER)
        if not window.refill():
            window.position = window.end
            break
    damage.note(f"{name}: byte {at}", f"not a record of a pcap file; skipped {window.offset - at} bytes")


def _next_record(window: Window, walk: _Walk) -> int | None:
    first, last = window.position + 1, window.end - _RECORD_HEADER
    if last < first:
        return None
    places = np.arange(first, last + 1)

    def read(at: int, where: Integers) -> Integers:
        return field(window.storage, where, 0, len(where), at, walk.order + "u4").astype(np.int64)

    for at, limit in ((8, _MOST), (4, _SECOND // walk.fraction_ns - 1)):
        places = places[read(at, places) <= limit]
    lengths, seconds = read(8, places), read(0, places)
    good = (lengths <= read(12, places)) & (lengths >= 14)
    if walk.last_s is not None:
        good &= np.abs(seconds - walk.last_s) <= _NEAR_S
    ends = places + _RECORD_HEADER + lengths
    for place, end in zip(places[good].tolist(), ends[good].tolist(), strict=True):
        if end == window.end:
            return int(place)
        if end <= last and _plausible(window.storage, end, walk):
            return int(place)
    return None


def _plausible(storage: bytearray, position: int, walk: _Walk) -> bool:
    seconds, fraction, captured, original = struct.unpack_from(walk.order + "IIII", storage, position)
    near = walk.last_s is None or abs(seconds - walk.last_s) <= _NEAR_S
    return bool(near and fraction * walk.fraction_ns < _SECOND and captured <= min(original, _MOST))


def write(records: Iterable[tuple[int, bytes]], path: str | os.PathLike[str], *, link: int = ETHERNET) -> Path:
    """Writes frames as a pcap file with nanoseconds.

    Args:
        records: (nanoseconds since 1970, the frame) in the order to be written.
        path: where to write.
        link: the link type.

    Raises:
        ValueError: a time does not fit (it is before 1970 or after 2106), or a frame is too long.
    """
    target = Path(path)
    header = struct.Struct("<IIII")
    with target.open("wb") as file:
        file.write(b"\x4d\x3c\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, _MOST, link))
        for time, frame in records:
            seconds, fraction = divmod(time, _SECOND)
            if not 0 <= seconds < 1 << 32 or len(frame) > min(_MOST, LONGEST):
                raise ValueError(f"a frame of {len(frame)} bytes at {time} ns does not fit into a pcap file")
            file.write(header.pack(seconds, fraction, len(frame), len(frame)) + frame)
    return target


def is_pcap(beginning: bytes) -> bool:
    """Whether a file that begins so is a pcap file."""
    return beginning[:4] in MAGIC
