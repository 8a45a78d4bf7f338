"""The guest's memory, as its devices see it."""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass

from tsnlab.errors import DeviceError


@dataclass(frozen=True)
class Region:
    """A part of the guest's physical memory that a device may reach, and the file that it is in."""

    address: int
    size: int
    file_offset: int


class GuestMemory:
    """Reading and writing at the guest's physical addresses, checked.

    Args:
        region: what may be reached.
        descriptor: the file; it is closed here.

    Raises:
        DeviceError: the file is shorter than the region.
    """

    def __init__(self, region: Region, descriptor: int) -> None:
        try:
            length = region.file_offset + region.size
            if region.size <= 0 or os.fstat(descriptor).st_size < length:
                raise DeviceError(f"the guest's memory ({region}) is not in the file that it is said to be in")
            self.map = mmap.mmap(descriptor, length)
        finally:
            os.close(descriptor)
        self._first = region.address
        self._end = region.address + region.size
        self._shift = region.file_offset - region.address

    def at(self, address: int, size: int) -> int:
        """The place in :attr:`map` of a piece of memory.

        Raises:
            DeviceError: not all of it is memory that a device may reach.
        """
        if address < self._first or address + size > self._end:
            raise DeviceError(f"{size} bytes at {address:#x} are not in the guest's memory")
        return address + self._shift

    def read(self, address: int, size: int) -> bytes:
        """The bytes there."""
        start = self.at(address, size)
        return self.map[start : start + size]

    def write(self, address: int, data: bytes) -> None:
        """Puts bytes there."""
        start = self.at(address, len(data))
        self.map[start : start + len(data)] = data

    def pack(self, form: struct.Struct, address: int, *values: int) -> None:
        """Puts numbers there."""
        form.pack_into(self.map, self.at(address, form.size), *values)

    def unpack(self, form: struct.Struct, address: int) -> tuple[int, ...]:
        """The numbers there."""
        return form.unpack_from(self.map, self.at(address, form.size))

    def close(self) -> None:
        """Gives the mapping back."""
        self.map.close()
