"""The clock that stamps frames and launches them, and the registers it is read and steered through.

Sources: data sheet, sections 7.8.3 and 8.15 (SYSTIM, TIMINCA, TSYNCTXCTL, TXSTMP, TSICR); igb_ptp.c,
igb_ptp_gettimex_i210, igb_ptp_write_i210, igb_ptp_adjfine_82580, igb_ptp_tx_hwtstamp, igb_ptp_rx_pktstamp.
"""

from __future__ import annotations

import struct

from tsnlab.virtual.device.agenda import Agenda
from tsnlab.virtual.device.clock import HardwareClock
from tsnlab.virtual.i210 import registers as r
from tsnlab.virtual.i210.interrupts import Interrupts

TICK_NS = 8

_SECOND = 1_000_000_000
_MEGABIT = 1_000_000

TRANSMIT_LATENCY_NS = {1000 * _MEGABIT: 178, 100 * _MEGABIT: 1024, 10 * _MEGABIT: 9542}
"""From the stamp of a sent frame to its start frame delimiter on the medium (igb.h, IGB_I210_TX_LATENCY_*)."""

RECEIVE_LATENCY_NS = {1000 * _MEGABIT: 448, 100 * _MEGABIT: 2213, 10 * _MEGABIT: 20662}
"""From the delimiter on the medium to the stamp of a received frame (igb.h, IGB_I210_RX_LATENCY_*)."""

_IN_BUFFER = struct.Struct("<QII")


class TimeSync:
    """SYSTIM and the stamps taken from it.

    Args:
        clock: the counter.
        offset_ns: by how much the node's system clock, from which the driver sets the counter whenever it resets
            the device, is off. All nodes of the lab share one kernel's clock, so the difference is made here.

    Attributes:
        lost: so many of the next stamps of sent frames will never come (a fault).
        late_ns: so much later they come (a fault).
    """

    def __init__(
        self, registers: r.Registers, interrupts: Interrupts, agenda: Agenda, clock: HardwareClock, offset_ns: int
    ) -> None:
        self.clock = clock
        self.lost = 0
        self.late_ns = 0
        self._registers = registers
        self._interrupts = interrupts
        self._agenda = agenda
        self._offset_ns = offset_ns
        self._set_by_reset = True
        self._latched_ns = 0
        self._causes = 0
        registers.on_read(r.SYSTIMR, self._latch)
        registers.on_read(r.SYSTIML, lambda: self._latched_ns % _SECOND)
        registers.on_read(r.SYSTIMH, lambda: self._latched_ns // _SECOND & 0xFFFFFFFF)
        registers.on_write(r.SYSTIMH, self._set)
        registers.on_write(r.TIMINCA, self._adjust)
        registers.on_read(r.TXSTMPH, self._take_stamp)
        registers.on_read(r.TSICR, self._read_causes)

    def reset(self) -> None:
        """As after a reset of the device: the counter starts at 0 and goes on at its nominal rate."""
        self.clock.set(0)
        self.clock.adjust(0)
        self._causes = 0
        self._set_by_reset = True
        for register in (r.TSYNCTXCTL, r.TSYNCRXCTL, r.TSIM):
            self._registers.kept[register] = 0

    def sent(self, stamp_ns: int, rate: int) -> None:
        """A frame that was to be stamped has been sent; its delimiter left at `stamp_ns` of the lab's time."""
        control = self._registers.get(r.TSYNCTXCTL)
        if not control & r.TSYNC_ENABLED or control & r.TSYNC_VALID:
            return
        if self.lost:
            self.lost -= 1
            return
        stamp = self._registered(stamp_ns, -TRANSMIT_LATENCY_NS[rate])
        self._agenda.at(self._agenda.now() + self.late_ns, lambda: self._show_stamp(stamp))

    def received(self, stamp_ns: int, rate: int) -> bytes:
        """What is put before a frame in its buffer: 8 reserved bytes, nanoseconds, seconds."""
        stamp = self._registered(stamp_ns, RECEIVE_LATENCY_NS[rate])
        return _IN_BUFFER.pack(0, stamp % _SECOND, stamp // _SECOND & 0xFFFFFFFF)

    @property
    def stamps_received(self) -> bool:
        """Whether every received frame is stamped (the only mode that the driver uses)."""
        control = self._registers.get(r.TSYNCRXCTL)
        return bool(control & r.TSYNC_ENABLED) and control & r.TSYNCRXCTL_TYPE == r.TSYNCRXCTL_ALL

    def _registered(self, medium_ns: int, latency_ns: int) -> int:
        """The counter when the frame passed the place where it is stamped."""
        return max(0, self.clock.read(medium_ns + latency_ns))

    def _show_stamp(self, stamp: int) -> None:
        self._registers.kept[r.TXSTMPL] = stamp % _SECOND
        self._registers.kept[r.TXSTMPH] = stamp // _SECOND & 0xFFFFFFFF
        self._registers.set_bits(r.TSYNCTXCTL, r.TSYNC_VALID)
        self._causes |= r.TSICR_TXTS
        if self._registers.get(r.TSIM) & r.TSICR_TXTS:
            self._interrupts.cause(r.ICR_TS)

    def _take_stamp(self) -> int:
        self._registers.clear_bits(r.TSYNCTXCTL, r.TSYNC_VALID)
        return self._registers.get(r.TXSTMPH)

    def _read_causes(self) -> int:
        causes, self._causes = self._causes, 0
        return causes

    def _latch(self) -> int:
        self._latched_ns = self.clock.read()
        return 0

    def _set(self, seconds: int) -> None:
        value_ns = seconds * _SECOND + self._registers.get(r.SYSTIML)
        if self._set_by_reset:
            value_ns += self._offset_ns
            self._set_by_reset = False
        self.clock.set(max(0, value_ns))

    def _adjust(self, value: int) -> None:
        amount = value & 0x7FFFFFFF
        self.clock.adjust(-amount if value >> 31 else amount)
