"""The device's side of a split virtqueue.

Source: Virtual I/O Device (VIRTIO) 1.2, section 2.7; the guest's side is drivers/virtio/virtio_ring.c.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tsnlab.errors import DeviceError
from tsnlab.virtual.device.memory import GuestMemory

_DESCRIPTOR = struct.Struct("<QIHH")
_WORD = struct.Struct("<H")
_USED = struct.Struct("<II")

_NEXT, _WRITABLE, _INDIRECT = 1, 2, 4
_NO_NOTIFY = 1


@dataclass
class Chain:
    """Buffers that the guest has made available together.

    Attributes:
        head: number of the first descriptor, by which it is given back.
        readable, writable: address and size of each buffer for the device to read, and to write.
    """

    head: int
    readable: list[tuple[int, int]] = field(default_factory=list)
    writable: list[tuple[int, int]] = field(default_factory=list)


class Virtqueue:
    """One queue: chains are taken with :meth:`take` and given back with :meth:`give_back`.

    Args:
        memory: the guest's memory.
        size: number of descriptors, a power of two.
        descriptors, available, used: addresses of the three areas.

    Raises:
        DeviceError: the size is not valid, or an area is not in the guest's memory.
    """

    def __init__(self, memory: GuestMemory, size: int, descriptors: int, available: int, used: int) -> None:
        if not 0 < size <= 32768 or size & (size - 1):
            raise DeviceError(f"a virtqueue of {size} descriptors; expected a power of two up to 32768")
        self._memory = memory
        self._map = memory.map
        self._size = size
        self._descriptors = memory.at(descriptors, 16 * size)
        self._available = memory.at(available, 6 + 2 * size)
        self._used = memory.at(used, 6 + 8 * size)
        self._taken = 0
        self._returned = 0

    def take(self) -> Chain | None:
        """The next chain that the guest has made available; None if there is none.

        Raises:
            DeviceError: the guest's ring or chain is malformed.
        """
        (index,) = _WORD.unpack_from(self._map, self._available + 2)
        waiting = (index - self._taken) & 0xFFFF
        if waiting == 0:
            return None
        if waiting > self._size:
            raise DeviceError(f"{waiting} chains are available in a virtqueue of {self._size} descriptors")
        slot = self._taken & (self._size - 1)
        (head,) = _WORD.unpack_from(self._map, self._available + 4 + 2 * slot)
        self._taken = (self._taken + 1) & 0xFFFF
        return self._chain(head)

    def _chain(self, head: int) -> Chain:
        chain, number = Chain(head), head
        for _ in range(self._size):
            if number >= self._size:
                raise DeviceError(f"descriptor {number} in a virtqueue of {self._size} descriptors")
            address, size, flags, following = _DESCRIPTOR.unpack_from(self._map, self._descriptors + 16 * number)
            if flags & _INDIRECT:
                raise DeviceError("an indirect descriptor, which was not offered")
            (chain.writable if flags & _WRITABLE else chain.readable).append((address, size))
            if not flags & _NEXT:
                return chain
            number = following
        raise DeviceError(f"a chain of more than {self._size} descriptors: it goes round in a circle")

    def give_back(self, chain: Chain, written: int) -> None:
        """Gives a chain back to the guest, with the number of bytes written into it."""
        slot = self._used + 4 + 8 * (self._returned & (self._size - 1))
        _USED.pack_into(self._map, slot, chain.head, written)
        self._returned = (self._returned + 1) & 0xFFFF
        _WORD.pack_into(self._map, self._used + 2, self._returned)

    def want_kicks(self, wanted: bool) -> None:
        """Tells the guest whether it need say that it has made chains available."""
        _WORD.pack_into(self._map, self._used, 0 if wanted else _NO_NOTIFY)
