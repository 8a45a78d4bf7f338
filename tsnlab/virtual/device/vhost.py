"""A device of the virtual lab as its kernel sees it: a vhost-user back end for PCI over virtio.

The guest's kernel connects to a socket for each device and speaks vhost-user over it. With the protocol features
offered here a kick is a message that the guest waits for, so that a register is read or written in one exchange and
in no time at all. Interrupts go the other way, over a second socket that the guest hands over.

Sources: the kernel's arch/um/drivers/virtio_uml.c (the front end), arch/um/drivers/virt-pci.c,
include/uapi/linux/virtio_pcidev.h; the vhost-user protocol of QEMU's documentation.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from tsnlab.errors import DeviceError
from tsnlab.virtual.device.agenda import Agenda
from tsnlab.virtual.device.memory import GuestMemory, Region
from tsnlab.virtual.device.virtqueue import Chain, Virtqueue

VIRTIO_ID = 1234
"""CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID: virtio has no number for PCI."""

INTERRUPT_WAIT_S = 10.0
"""So long a guest that waits may take to note an interrupt (wall time); then it counts as hung."""

_HEADER = struct.Struct("<III")
_U64 = struct.Struct("<Q")
_STATE = struct.Struct("<II")
_ADDRESSES = struct.Struct("<IIQQQQ")
_REGIONS = struct.Struct("<II")
_REGION = struct.Struct("<QQQQ")
_COMMAND = struct.Struct("<BBHIQ")
_REPLY = struct.Struct("<IIIQ")
_CALL = struct.Struct("<IIIII")
_MSI = struct.Struct("<BBHIQI")

_VERSION, _IS_REPLY, _WANTS_REPLY = 1, 4, 8
_FEATURES = 1 << 32 | 1 << 30  # VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES
_PROTOCOL_FEATURES = 1 << 3 | 1 << 5 | 1 << 14  # REPLY_ACK, SLAVE_REQ, INBAND_NOTIFICATIONS
_LARGEST_PAYLOAD = 4096
_LARGEST_ACCESS = 1 << 16
_QUEUES = 2
_COMMANDS, _INTERRUPTS = range(_QUEUES)
_CALL_GUEST = 4  # VHOST_USER_SLAVE_VRING_CALL


class Request(IntEnum):
    """Messages of the front end, in the protocol's words and numbers."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    SET_VRING_ENABLE = 18
    SET_SLAVE_REQ_FD = 21
    VRING_KICK = 35


class Operation(IntEnum):
    """``enum virtio_pcidev_ops``."""

    CFG_READ = 1
    CFG_WRITE = 2
    MMIO_READ = 3
    MMIO_WRITE = 4
    MMIO_MEMSET = 5
    MSI = 7


class Function(Protocol):
    """A PCI function behind an endpoint."""

    name: str

    def attach(self, endpoint: Endpoint, memory: GuestMemory) -> None:
        """The guest is there, and this is its memory."""

    def read_config(self, offset: int, size: int) -> int:
        """Reads configuration space."""

    def write_config(self, offset: int, size: int, value: int) -> None:
        """Writes configuration space."""

    def read(self, bar: int, offset: int, size: int) -> int:
        """Reads a memory window."""

    def write(self, bar: int, offset: int, size: int, value: int) -> None:
        """Writes a memory window."""


class Endpoint:
    """One device's end of the conversation.

    Args:
        path: where the socket is made that the guest connects to (removed by its owner).
        function: the device.
        agenda: the lab's events.
    """

    def __init__(self, path: Path, function: Function, agenda: Agenda) -> None:
        self.function = function
        self._agenda = agenda
        self._listener: socket.socket | None = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._connection: socket.socket | None = None
        self._requests: socket.socket | None = None
        self._memory: GuestMemory | None = None
        self._sizes = [0] * _QUEUES
        self._queues: list[Virtqueue | None] = [None] * _QUEUES
        self._buffer = b""
        self._descriptors: deque[int] = deque()
        self._backlog: deque[int] = deque()

    # --- the conversation -------------------------------------------------------------------------

    def fileno(self) -> int:
        """What to wait for: the guest's connection, or its coming."""
        source = self._connection or self._listener
        assert source is not None
        return source.fileno()

    def accept(self) -> None:
        """Takes the guest's connection, when it comes."""
        assert self._listener is not None
        self._connection, _ = self._listener.accept()
        self._listener.close()
        self._listener = None

    def serve(self) -> bool:
        """Takes what has come; False once the guest has hung up.

        Raises:
            DeviceError: what the guest sent is malformed; names the device.
        """
        assert self._connection is not None
        try:
            data, descriptors, _flags, _address = socket.recv_fds(self._connection, 4096, 8)
        except ConnectionError:
            return False
        self._descriptors += descriptors
        if not data:
            return False
        try:
            self._take(data)
        except DeviceError as error:
            raise DeviceError(f"{self.function.name}: {error}") from None
        return True

    def close(self) -> None:
        """Hangs up and gives everything back."""
        for end in (self._listener, self._connection, self._requests):
            if end is not None:
                end.close()
        self._drop_descriptors()
        if self._memory is not None:
            self._memory.close()

    def _take(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            request, flags, size = _HEADER.unpack_from(self._buffer)
            if size > _LARGEST_PAYLOAD or flags & 3 != _VERSION:
                raise DeviceError(f"a vhost-user message {request} with flags {flags:#x} and {size} bytes")
            end = _HEADER.size + size
            if len(self._buffer) < end:
                return
            payload, self._buffer = self._buffer[_HEADER.size : end], self._buffer[end:]
            answer = self._handle(request, payload)
            if answer is None and flags & _WANTS_REPLY:
                answer = 0
            if answer is not None:
                self._send(_REPLY.pack(request, _VERSION | _IS_REPLY, _U64.size, answer))

    def _send(self, message: bytes) -> None:
        assert self._connection is not None
        with suppress(ConnectionError):  # a guest that is gone is noticed where it is read from
            self._connection.sendall(message)

    def _handle(self, request: int, payload: bytes) -> int | None:
        """Does what a message asks for; returns the answer if it is a question."""
        match request:
            case Request.VRING_KICK:
                self._kicked(_parsed(_STATE, payload)[0])
            case Request.GET_FEATURES:
                return _FEATURES
            case Request.GET_PROTOCOL_FEATURES:
                return _PROTOCOL_FEATURES
            case Request.SET_OWNER | Request.SET_VRING_BASE | Request.SET_VRING_ENABLE:
                pass
            case Request.SET_FEATURES:
                _require(_parsed(_U64, payload)[0], _FEATURES, "features")
            case Request.SET_PROTOCOL_FEATURES:
                _require(_parsed(_U64, payload)[0], _PROTOCOL_FEATURES, "protocol features")
            case Request.SET_MEM_TABLE:
                self._map(payload)
            case Request.SET_VRING_NUM:
                index, size = _parsed(_STATE, payload)
                self._sizes[_queue(index)] = size
            case Request.SET_VRING_ADDR:
                self._make_queue(*_parsed(_ADDRESSES, payload))
            case Request.SET_SLAVE_REQ_FD:
                self._requests = self._socket()
            case _:
                raise DeviceError(f"a vhost-user message {request}, which is not known here")
        self._drop_descriptors()
        return None

    def _map(self, payload: bytes) -> None:
        count, _ = _parsed(_REGIONS, payload[: _REGIONS.size])
        if count != 1:
            raise DeviceError(f"{count} regions of memory; expected 1 (no high memory)")
        address, size, _user, offset = _parsed(_REGION, payload[_REGIONS.size : _REGIONS.size + _REGION.size])
        if self._memory is not None:
            self._memory.close()
        self._memory = GuestMemory(Region(address, size, offset), self._descriptor())
        self.function.attach(self, self._memory)

    def _make_queue(self, index: int, _flags: int, descriptors: int, used: int, available: int, _log: int) -> None:
        if self._memory is None:
            raise DeviceError("a virtqueue before the guest's memory")
        queue = Virtqueue(self._memory, self._sizes[_queue(index)], descriptors, available, used)
        # the guest need not say that it has taken an interrupt's buffer back, unless one is waited for
        queue.want_kicks(index == _COMMANDS)
        self._queues[index] = queue

    def _descriptor(self) -> int:
        if not self._descriptors:
            raise DeviceError("a vhost-user message without the file that belongs to it")
        return self._descriptors.popleft()

    def _socket(self) -> socket.socket:
        try:
            requests = socket.socket(fileno=self._descriptor())
        except OSError as error:
            raise DeviceError(f"the way back to the guest is not a socket: {error.strerror}") from None
        requests.settimeout(INTERRUPT_WAIT_S)
        return requests

    def _drop_descriptors(self) -> None:
        while self._descriptors:
            socket.close(self._descriptors.popleft())

    # --- commands ---------------------------------------------------------------------------------

    def _kicked(self, index: int) -> None:
        queue = self._queues[_queue(index)]
        if queue is None:
            raise DeviceError(f"a kick of virtqueue {index}, which is not set up")
        if index == _INTERRUPTS:
            self._agenda.at(self._agenda.now(), self._send_interrupts)
            return
        while (chain := queue.take()) is not None:
            queue.give_back(chain, self._command(chain))

    def _command(self, chain: Chain) -> int:
        """Does one PCI command; returns how many bytes were written."""
        assert self._memory is not None
        place, length = chain.readable[0] if chain.readable else (0, 0)
        if length < _COMMAND.size or length > _LARGEST_ACCESS:
            raise DeviceError(f"a PCI command of {length} bytes")
        start = self._memory.at(place, length)
        operation, bar, _reserved, size, offset = _COMMAND.unpack_from(self._memory.map, start)
        if not 0 < size <= _LARGEST_ACCESS:
            raise DeviceError(f"a PCI access of {size} bytes")
        if operation in (Operation.MMIO_READ, Operation.CFG_READ):
            return self._read(operation, chain, bar, offset, size)
        data = self._memory.map[start + _COMMAND.size : start + length]
        for more, more_length in chain.readable[1:]:
            data += self._memory.read(more, more_length)
        self._write(operation, bar, offset, size, data)
        return 0

    def _read(self, operation: int, chain: Chain, bar: int, offset: int, size: int) -> int:
        assert self._memory is not None
        if not chain.writable or chain.writable[0][1] < size:
            raise DeviceError(f"no room for the {size} bytes of a PCI read")
        value = (
            self.function.read(bar, offset, size)
            if operation == Operation.MMIO_READ
            else self.function.read_config(offset, size)
        )
        self._memory.write(chain.writable[0][0], value.to_bytes(size, "little"))
        return size

    def _write(self, operation: int, bar: int, offset: int, size: int, data: bytes) -> None:
        if operation == Operation.MMIO_MEMSET:
            data = data[:1] * size
        if len(data) < size:
            raise DeviceError(f"a PCI write of {size} bytes with {len(data)}")
        value = int.from_bytes(data[:size], "little")
        if operation == Operation.CFG_WRITE:
            self.function.write_config(offset, size, value)
        elif operation in (Operation.MMIO_WRITE, Operation.MMIO_MEMSET):
            self.function.write(bar, offset, size, value)
        else:
            raise DeviceError(f"a PCI command {operation}, which is not known here")

    # --- interrupts -------------------------------------------------------------------------------

    def interrupt(self, data: int) -> None:
        """Sends the message of an MSI-X vector; the guest must be waiting for its calendar.

        Raises:
            DeviceError: the guest is not set up, or does not answer.
        """
        self._backlog.append(data)
        self._send_interrupts()

    def _send_interrupts(self) -> None:
        """Sends what finds a buffer; there are ten, and the guest says when there is one again."""
        queue, sent = self._queues[_INTERRUPTS], False
        if queue is None or self._memory is None:
            raise DeviceError(f"{self.function.name}: an interrupt before the guest's driver is there")
        while self._backlog and (chain := queue.take()) is not None:
            message = _MSI.pack(Operation.MSI, 0, 0, 4, 0, self._backlog.popleft())
            if not chain.writable or chain.writable[0][1] < len(message):
                raise DeviceError(f"{self.function.name}: no room for the message of an interrupt")
            self._memory.write(chain.writable[0][0], message)
            queue.give_back(chain, len(message))
            sent = True
        queue.want_kicks(bool(self._backlog))
        if sent:
            self._call()

    def _call(self) -> None:
        if self._requests is None:
            raise DeviceError(f"{self.function.name}: the guest has not said how to reach it")
        try:
            self._requests.sendall(_CALL.pack(_CALL_GUEST, _VERSION | _WANTS_REPLY, 8, _INTERRUPTS, 0))
            left = _REPLY.size
            while left:
                answer = self._requests.recv(left)
                if not answer:
                    raise DeviceError(f"{self.function.name}: the guest has hung up")
                left -= len(answer)
        except OSError as error:
            raise DeviceError(f"{self.function.name}: the guest takes no interrupt: {error}") from None


def _parsed(form: struct.Struct, payload: bytes) -> tuple[int, ...]:
    if len(payload) < form.size:
        raise DeviceError(f"a vhost-user message of {len(payload)} bytes where {form.size} are expected")
    return form.unpack_from(payload)


def _queue(index: int) -> int:
    if index >= _QUEUES:
        raise DeviceError(f"virtqueue {index}; there are {_QUEUES}")
    return index


def _require(found: int, offered: int, what: str) -> None:
    if found != offered:
        raise DeviceError(f"the guest takes the {what} {found:#x}; all of {offered:#x} are needed")
