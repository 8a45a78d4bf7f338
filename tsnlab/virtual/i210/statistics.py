"""The counters that are cleared when they are read (data sheet, section 8.18; igb_main.c, igb_update_stats)."""

from __future__ import annotations

from dataclasses import dataclass

from tsnlab.virtual.device.cable import FCS_BYTES
from tsnlab.virtual.i210 import registers as r

CRCERRS, MPC, ROC, RNBC = 0x4000, 0x4010, 0x40AC, 0x40A0
_FIRST, _LAST = 0x4000, 0x4124

_BOUNDS = (64, 127, 255, 511, 1023)


@dataclass(frozen=True)
class _Direction:
    """The counters of one direction, by their addresses; `size` is the first of six for frames of a size."""

    good: int
    broadcast: int
    multicast: int
    octets: int
    total: int
    packets: int
    size: int


_RECEIVED = _Direction(0x4074, 0x4078, 0x407C, 0x4088, 0x40C0, 0x40D0, 0x405C)
_SENT = _Direction(0x4080, 0x40F4, 0x40F0, 0x4090, 0x40C8, 0x40D4, 0x40D8)


class Statistics:
    """Counts frames."""

    def __init__(self, registers: r.Registers) -> None:
        self._counts = dict.fromkeys(range(_FIRST, _LAST + 4, 4), 0)
        for address in self._counts:
            registers.on_read(address, lambda a=address: self._take(a))  # type: ignore[misc]

    def count(self, counter: int) -> None:
        """One more."""
        self._counts[counter] += 1

    def received(self, frame: bytes) -> None:
        """A frame that passed all filters."""
        self._frame(_RECEIVED, frame)

    def sent(self, frame: bytes) -> None:
        """A frame that has left."""
        self._frame(_SENT, frame)

    def _frame(self, counters: _Direction, frame: bytes) -> None:
        counts, length = self._counts, len(frame) + FCS_BYTES
        counts[counters.good] += 1
        counts[counters.packets] += 1
        counts[counters.octets] += length
        counts[counters.total] += length
        counts[counters.size + 4 * sum(length > bound for bound in _BOUNDS)] += 1
        if frame[0] & 1:
            counts[counters.broadcast if frame[:6] == b"\xff" * 6 else counters.multicast] += 1

    def _take(self, counter: int) -> int:
        """Reading clears; of a counter of 64 bits the upper half is read last and clears both."""
        for low in (_RECEIVED.octets, _RECEIVED.total, _SENT.octets, _SENT.total):
            if counter == low:
                return self._counts[low] & 0xFFFFFFFF
            if counter == low + 4:
                value, self._counts[low] = self._counts[low] >> 32, 0
                return value
        value, self._counts[counter] = self._counts[counter], 0
        return value & 0xFFFFFFFF
