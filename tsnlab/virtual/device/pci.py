"""A PCI function as the guest's kernel sees it: configuration space, memory windows, MSI-X.

Sources: PCI Local Bus Specification 3.0, section 6; PCI Express Base Specification 3.1, section 7.8;
the kernel's include/uapi/linux/pci_regs.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

_COMMAND, _CAPABILITIES, _BAR0 = 0x04, 0x34, 0x10
_BUS_MASTER = 0x4
_POWER_MANAGEMENT_AT, _MSIX_AT, _EXPRESS_AT = 0x40, 0x70, 0xA0
_MSIX_ENABLE, _MSIX_MASK_ALL = 0x8000, 0x4000
_MASKED = 1
_ENTRY = struct.Struct("<QII")
_PENDING_AT = 0x2000


class Window(Protocol):
    """What is behind a memory window (BAR)."""

    def read(self, offset: int, size: int) -> int:
        """The value at an offset."""

    def write(self, offset: int, size: int, value: int) -> None:
        """Changes the value at an offset."""


@dataclass(frozen=True)
class Identity:
    """Which device it is."""

    vendor: int
    device: int
    subsystem: int
    revision: int
    device_class: int = 0x020000


class Config:
    """The configuration space, with the capabilities that a network driver looks for.

    Args:
        identity: which device it is.
        windows: sizes of the 32-bit memory windows by BAR number, powers of two.
        vectors: number of MSI-X vectors.
        msix_bar: number of the window that holds their table.
    """

    def __init__(self, identity: Identity, windows: dict[int, int], vectors: int, msix_bar: int) -> None:
        self._bytes = bytearray(4096)
        self._writable = bytearray(4096)
        self._put(0x00, "<HH", identity.vendor, identity.device)
        self._put(0x04, "<HH", 0, 0x10)
        self._put(0x08, "<I", identity.device_class << 8 | identity.revision)
        self._put(0x2C, "<HH", identity.vendor, identity.subsystem)
        self._put(_CAPABILITIES, "<B", _POWER_MANAGEMENT_AT)
        self._allow(_COMMAND, "<H", 0x0547)
        self._allow(0x0C, "<BB", 0xFF, 0xFF)
        self._allow(0x3C, "<B", 0xFF)
        for bar, size in windows.items():
            self._allow(_BAR0 + 4 * bar, "<I", ~(size - 1) & 0xFFFFFFFF)
        self._put(_POWER_MANAGEMENT_AT, "<BBHHH", 1, _MSIX_AT, 0x0003, 0x0008, 0)
        self._allow(_POWER_MANAGEMENT_AT + 4, "<H", 0x0003)
        self._put(_MSIX_AT, "<BBHII", 0x11, _EXPRESS_AT, vectors - 1, msix_bar, _PENDING_AT | msix_bar)
        self._allow(_MSIX_AT + 2, "<H", _MSIX_ENABLE | _MSIX_MASK_ALL)
        # an endpoint on one lane of 2.5 GT/s
        self._put(_EXPRESS_AT, "<BBHIHHIHH", 0x10, 0, 0x0002, 0x10000001, 0x2810, 0, 0x00011, 0, 0x1011)
        self._allow(_EXPRESS_AT + 8, "<H", 0x7FFF)
        self._allow(_EXPRESS_AT + 0x10, "<H", 0x01FB)
        self._allow(_EXPRESS_AT + 0x28, "<H", 0x001F)

    @property
    def bus_master(self) -> bool:
        """Whether the device may reach memory and send interrupts."""
        return bool(self._bytes[_COMMAND] & _BUS_MASTER)

    @property
    def msix_enabled(self) -> bool:
        """Whether MSI-X is switched on and not masked as a whole."""
        control = int.from_bytes(self._bytes[_MSIX_AT + 2 : _MSIX_AT + 4], "little")
        return control & (_MSIX_ENABLE | _MSIX_MASK_ALL) == _MSIX_ENABLE

    def read(self, offset: int, size: int) -> int:
        """What the guest reads; all ones where there is nothing."""
        if offset + size > len(self._bytes):
            return (1 << 8 * size) - 1
        return int.from_bytes(self._bytes[offset : offset + size], "little")

    def write(self, offset: int, size: int, value: int) -> None:
        """Changes those bits that the guest may change."""
        for at, byte in zip(range(offset, min(offset + size, 4096)), value.to_bytes(size, "little"), strict=False):
            mask = self._writable[at]
            self._bytes[at] = self._bytes[at] & ~mask | byte & mask

    def _put(self, offset: int, form: str, *values: int) -> None:
        struct.pack_into(form, self._bytes, offset, *values)

    def _allow(self, offset: int, form: str, *masks: int) -> None:
        struct.pack_into(form, self._writable, offset, *masks)


class Msix:
    """The table of MSI-X vectors, and the window it is in.

    Args:
        vectors: how many.
        config: tells whether MSI-X is switched on.
        send: sends the message of a vector to the guest: its data.
    """

    def __init__(self, vectors: int, config: Config, send: Callable[[int], None]) -> None:
        self._config = config
        self._send = send
        self._table = bytearray(_ENTRY.size * vectors)
        self._pending = 0
        for vector in range(vectors):
            _ENTRY.pack_into(self._table, _ENTRY.size * vector, 0, 0, _MASKED)

    def fire(self, vector: int) -> None:
        """Sends the message of a vector, or remembers it while it is masked."""
        _address, data, control = _ENTRY.unpack_from(self._table, _ENTRY.size * vector)
        if control & _MASKED or not self._config.msix_enabled:
            self._pending |= 1 << vector
        elif self._config.bus_master:
            self._send(data)

    def release(self) -> None:
        """Sends what was held back and is masked no longer; to be called when masks may have changed."""
        waiting, self._pending = self._pending, 0
        for vector in range(waiting.bit_length()):
            if waiting >> vector & 1:
                self.fire(vector)

    def read(self, offset: int, size: int) -> int:
        """What the guest reads: the table, or which vectors are held back."""
        if offset >= _PENDING_AT:
            return self._pending >> 8 * (offset - _PENDING_AT) & ((1 << 8 * size) - 1)
        return int.from_bytes(self._table[offset : offset + size], "little")

    def write(self, offset: int, size: int, value: int) -> None:
        """Changes the table; what is masked no longer has to be released."""
        if offset + size <= len(self._table):
            self._table[offset : offset + size] = value.to_bytes(size, "little")

    @property
    def holds_back(self) -> bool:
        """Whether there is something to release."""
        return self._pending != 0
