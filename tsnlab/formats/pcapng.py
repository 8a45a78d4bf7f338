"""pcapng files: blocks one after the other; what dumpcap, Wireshark and newer tcpdumps write.

Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import Damage, Integers
from tsnlab.formats.window import LONGEST, Frames, Window, field

SECTION, INTERFACE, OBSOLETE, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER = 0x1A2B3C4D
_KNOWN = (SECTION, INTERFACE, OBSOLETE, SIMPLE, 4, 5, ENHANCED)
_HEADER, _FRAME_AT = 20, 28  # where the captured length of an enhanced block is, and where the frame begins
_SHORT_RUN, _WALK = 64, 4096
_TSRESOL, _TSOFFSET = 9, 14
_SECOND = 1_000_000_000


class Interface(NamedTuple):
    """An interface of a section: its link type, the unit of its clock and what to add to its times."""

    link: int
    resolution: int = 6
    offset_s: int = 0

    def nanoseconds(self, ticks: Integers) -> Integers:
        """Times in steps of the interface's clock as nanoseconds since 1970."""
        power = self.resolution & 0x7F
        if self.resolution & 0x80:
            power = min(power, 62)
            whole, part = ticks >> power, ticks & ((1 << power) - 1)
            # nine digits and the part of a second do not always fit 64 bits
            part = (part * _SECOND) >> power if power <= 32 else ((part >> (power - 32)) * _SECOND) >> 32
            return (whole + self.offset_s) * _SECOND + part
        scaled: Integers = ticks * 10 ** (9 - power) if power <= 9 else ticks // 10 ** min(power - 9, 18)
        return scaled + self.offset_s * _SECOND


def frames(window: Window, damage: Damage, name: str) -> Iterator[Frames]:
    """All frames of a pcapng file, in pieces; blocks that cannot be understood are skipped and noted.

    Raises:
        ConfigError: the file does not begin as a pcapng file.
    """
    window.refill()
    if not is_pcapng(bytes(window.storage[: min(window.end, 12)])):
        raise ConfigError(f"{name}: byte 0: not a pcapng file")
    walk = _Walk(damage, name)
    while True:
        yield from walk.pieces(window)
        if walk.broken:
            _skip(window, walk, damage, name)
        elif not window.refill():
            break
    if window.left:
        damage.note(f"{name}: byte {window.offset}", f"the file ends within a block, {window.left} bytes of it")


def is_pcapng(beginning: bytes) -> bool:
    """Whether a file that begins so is a pcapng file."""
    return beginning[:4] == b"\n\r\r\n" and beginning[8:12] in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d")


class _Walk:
    def __init__(self, damage: Damage, name: str) -> None:
        self.order = "<"
        self.interfaces: list[Interface] = []
        self.broken = False
        self._damage = damage
        self._name = name

    def pieces(self, window: Window) -> Iterator[Frames]:
        """The whole blocks in the window; leaves its position after them, or at one that is broken."""
        self.broken = False
        while not self.broken and window.left >= 12:
            kind, size = struct.unpack_from(self.order + "II", window.storage, window.position)
            if kind == SECTION and not self._set_order(window):
                self.broken = True
                return
            size = struct.unpack_from(self.order + "I", window.storage, window.position + 4)[0]
            if not self._sensible(kind, size):
                self.broken = True
                return
            if window.left < size:
                return
            if kind in (ENHANCED, OBSOLETE):
                yield from self._packets(window, kind, size)
            else:
                self._other(window, kind, size)

    def _sensible(self, kind: int, size: int) -> bool:
        least = 32 if kind in (ENHANCED, OBSOLETE) else 12
        return size >= least and size % 4 == 0 and size <= LONGEST and kind < 0x8000_0000 + (1 << 16)

    def _set_order(self, window: Window) -> bool:
        for order in "<>":
            if struct.unpack_from(order + "I", window.storage, window.position + 8)[0] == _BYTE_ORDER:
                self.order = order
                self.interfaces = []
                return True
        return False

    def _other(self, window: Window, kind: int, size: int) -> None:
        if not self._closed(window, size):
            self.broken = True
            return
        if kind == INTERFACE:
            self.interfaces.append(
                _interface(bytes(window.storage[window.position : window.position + size]), self.order)
            )
        if kind == SIMPLE:
            self._damage.note(f"{self._name}: byte {window.offset}", "a frame without a time")
        window.position += size

    def _closed(self, window: Window, size: int) -> bool:
        end = struct.unpack_from(self.order + "I", window.storage, window.position + size - 4)[0]
        return bool(end == size)

    def _packets(self, window: Window, kind: int, size: int) -> Iterator[Frames]:
        """Blocks of one kind; the obsolete one has 16 bits of interface, and then a count of drops."""
        run = self._run(window, kind, size)
        if run >= _SHORT_RUN:
            starts, stride, count, used = np.array([window.position]), size, run, run * size
        else:
            starts, used = self._steps(window, kind)
            stride, count = 0, len(starts)
        if not count:
            self.broken = True
            return

        def read(at: int) -> Integers:
            return field(window.storage, starts, stride, count, at, self.order + "u4").astype(np.int64)

        numbers, lengths = read(8), read(_HEADER)
        if kind == OBSOLETE:
            numbers = numbers & 0xFFFF if self.order == "<" else numbers >> 16
        ticks = (read(12) << 32) | read(16)
        sizes = size if stride else read(4)
        good = (numbers < len(self.interfaces)) & (lengths + 32 <= sizes)
        if not good.all():
            bad = int(count - good.sum())
            self._damage.note(
                f"{self._name}: byte {window.offset}", "frames of an unknown interface or longer than their block", bad
            )
        whole = Frames(window.storage, starts + _FRAME_AT, stride, lengths, ticks, 0, window.offset)
        for number in np.unique(numbers[good]).tolist():
            part = whole.where(good & (numbers == number))
            interface = self.interfaces[number]
            times = interface.nanoseconds(part.times)
            yield Frames(part.storage, part.starts, part.stride, part.lengths, times, interface.link, part.offset)
        window.position += used

    def _run(self, window: Window, kind: int, size: int) -> int:
        """How many blocks of this kind and size follow each other."""
        room = window.left // size
        if room < _SHORT_RUN:
            return 0

        def read(at: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
            return np.ndarray((count,), self.order + "u4", window.storage, offset=window.position + at, strides=(size,))

        good = None
        for count in (_SHORT_RUN, room):
            good = (read(0, count) == kind) & (read(4, count) == size) & (read(size - 4, count) == size)
            if count == _SHORT_RUN and not good.all():
                return 0
        assert good is not None
        return room if good.all() else int(np.argmin(good))

    def _steps(self, window: Window, wanted: int) -> tuple[Integers, int]:
        storage, position, end = window.storage, window.position, window.end
        head, tail = struct.Struct(self.order + "II").unpack_from, struct.Struct(self.order + "I").unpack_from
        starts: list[int] = []
        while position + 12 <= end and len(starts) < _WALK:
            kind, size = head(storage, position)
            if kind != wanted or not 32 <= size <= LONGEST or size & 3 or position + size > end:
                break
            if tail(storage, position + size - 4)[0] != size:
                break
            starts.append(position)
            position += size
        return np.array(starts, dtype=np.int64), position - window.position


def _interface(block: bytes, order: str) -> Interface:
    """An interface description block, with its options."""
    link = struct.unpack_from(order + "H", block, 8)[0] if len(block) >= 20 else 0
    found = Interface(link)
    at = 16
    while at + 4 <= len(block) - 4:
        code, length = struct.unpack_from(order + "HH", block, at)
        value = block[at + 4 : at + 4 + length]
        if code == 0:
            break
        if code == _TSRESOL and length == 1 and value:
            found = found._replace(resolution=value[0])
        if code == _TSOFFSET and len(value) == 8:
            seconds = struct.unpack(order + "q", value)[0]
            if abs(seconds) < 1 << 33:
                found = found._replace(offset_s=seconds)
        at += 4 + (length + 3) // 4 * 4
    return found


def _skip(window: Window, walk: _Walk, damage: Damage, name: str) -> None:
    """Goes on to the next place that looks like a block: a known type, and the same length at both ends."""
    at = window.offset
    while True:
        found = _next_block(window, walk)
        if found is not None:
            window.position = found
            break
        window.position = max(window.position + 1, window.end - 12)
        if not window.refill():
            window.position = window.end
            break
    damage.note(f"{name}: byte {at}", f"not a block of a pcapng file; skipped {window.offset - at} bytes")


def _next_block(window: Window, walk: _Walk) -> int | None:
    places = np.arange(window.position + 1, window.end - 11)
    if not len(places):
        return None

    def read(at: int) -> Integers:
        return field(window.storage, places, 0, len(places), at, walk.order + "u4").astype(np.int64)

    kinds, sizes = read(0), read(4)
    good = np.isin(kinds, _KNOWN) & (sizes >= 12) & (sizes <= LONGEST) & (sizes % 4 == 0)
    ends = places + sizes
    for place, end, size in zip(places[good].tolist(), ends[good].tolist(), sizes[good].tolist(), strict=True):
        if end <= window.end and struct.unpack_from(walk.order + "I", window.storage, end - 4)[0] == size:
            return int(place)
    return None
