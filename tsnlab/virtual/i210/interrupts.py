"""Causes of interrupts, their masks, and their moderation.

Sources: data sheet, sections 7.3 and 8.8; igb_main.c, igb_configure_msix, igb_msix_other, igb_write_itr.
"""

from __future__ import annotations

from tsnlab.virtual.device.agenda import Agenda, Event
from tsnlab.virtual.device.pci import Msix
from tsnlab.virtual.i210 import registers as r


class Interrupts:
    """From a cause to a message: mapped to a vector, masked, delayed, sent.

    A message is sent from the agenda, never from within a register access: the guest notes it only while it waits.
    """

    def __init__(self, registers: r.Registers, msix: Msix, agenda: Agenda) -> None:
        self._registers = registers
        self._msix = msix
        self._agenda = agenda
        self._not_before_ns = [0] * r.VECTORS
        self._planned: list[Event | None] = [None] * r.VECTORS
        self._extended = 0
        self._causes = 0
        self._mask = 0
        self._extended_mask = 0
        registers.on_read(r.ICR, self._read_causes)
        registers.on_read(r.IMS, lambda: self._mask)
        registers.on_read(r.EIMS, lambda: self._extended_mask)
        registers.on_read(r.EICR, lambda: self._extended)
        registers.on_write(r.ICS, self.cause)
        registers.on_write(r.IMS, self._unmask)
        registers.on_write(r.IMC, self._mask_causes)
        registers.on_write(r.EICS, self._set)
        registers.on_write(r.EICR, self._clear)
        registers.on_write(r.EIMS, self._unmask_vectors)
        registers.on_write(r.EIMC, self._mask_vectors)
        for vector in range(r.VECTORS):
            registers.on_write(r.EITR0 + 4 * vector, lambda value, v=vector: self._moderate(v, value))  # type: ignore[misc]

    def reset(self) -> None:
        """As after a reset of the device; the MSI-X vectors and their moderation stay (data sheet, 8.8.14)."""
        self._causes = self._mask = 0

    def queue(self, queue: int, *, transmit: bool) -> None:
        """A queue has written descriptors back (igb_assign_vector: a row for two queues, receive below transmit)."""
        row = self._registers.get(r.IVAR0 + 4 * (queue >> 1))
        entry = row >> 16 * (queue & 1) + 8 * transmit & 0xFF
        if entry & r.IVAR_VALID:
            self._set(1 << (entry & 0x7))

    def cause(self, bits: int) -> None:
        """Something else has happened, such as a change of the link."""
        self._causes |= bits
        entry = self._registers.get(r.IVAR_MISC) >> 8 & 0xFF
        if self._causes & self._mask and entry & r.IVAR_VALID:
            self._set(1 << (entry & 0x7))

    def _read_causes(self) -> int:
        causes, self._causes = self._causes, 0
        return causes | (r.ICR_ASSERTED if causes else 0)

    def _unmask(self, bits: int) -> None:
        self._mask |= bits
        self.cause(0)

    def _mask_causes(self, bits: int) -> None:
        self._mask &= ~bits

    def _unmask_vectors(self, bits: int) -> None:
        self._extended_mask |= bits
        self._plan()

    def _mask_vectors(self, bits: int) -> None:
        self._extended_mask &= ~bits

    def _clear(self, bits: int) -> None:
        self._extended &= ~bits

    def _set(self, bits: int) -> None:
        self._extended |= bits & (1 << r.VECTORS) - 1
        self._plan()

    def _moderate(self, vector: int, value: int) -> None:
        if not value & r.EITR_KEEP_COUNTER:
            self._not_before_ns[vector] = 0
            planned = self._planned[vector]
            if planned is not None:
                planned.cancel()
                self._planned[vector] = None
                self._plan()

    def _plan(self) -> None:
        """Puts down a message for every vector that has a cause and is not masked, when its moderation allows."""
        due = self._extended & self._extended_mask
        vector = 0
        while due:
            if due & 1 and self._planned[vector] is None:
                self._planned[vector] = self._agenda.at(
                    self._not_before_ns[vector],
                    lambda v=vector: self._send(v),  # type: ignore[misc]
                )
            due >>= 1
            vector += 1

    def _send(self, vector: int) -> None:
        self._planned[vector] = None
        bit = 1 << vector
        if not self._extended & self._extended_mask & bit:
            return
        interval_us = (self._registers.get(r.EITR0 + 4 * vector) & r.EITR_INTERVAL) >> 2
        self._not_before_ns[vector] = self._agenda.now() + interval_us * 1000
        if self._registers.get(r.EIAC) & bit:
            self._extended &= ~bit
        if self._registers.get(r.GPIE) & r.GPIE_EIAME and self._registers.get(r.EIAM) & bit:
            self._extended_mask &= ~bit
        self._msix.fire(vector)
