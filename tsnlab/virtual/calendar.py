"""The calendar of the virtual lab: it alone decides when the guest's time moves on.

The guest kernel is started with ``time-travel=ext:<socket>``: whenever it has nothing to do at the present
instant it asks this calendar for the time of its next event and waits. While nobody answers, the guest
sleeps in one read of its socket - so a lab is frozen, and burns no core, simply by not being answered.

Source of the protocol: the kernel's include/uapi/linux/um_timetravel.h and arch/um/kernel/time.c.
"""

from __future__ import annotations

import socket
import struct
from enum import IntEnum
from pathlib import Path

_MESSAGE = struct.Struct("=IIQ")


class Op(IntEnum):
    """Operations of ``struct um_timetravel_msg``, in the kernel's words and numbers."""

    ACK = 0
    START = 1
    REQUEST = 2
    WAIT = 3
    GET = 4
    UPDATE = 5
    RUN = 6
    FREE_UNTIL = 7
    GET_TOD = 8
    BROADCAST = 9


class Calendar:
    """The time of one guest, granted piece by piece.

    Args:
        path: where the listening socket is made (removed by its owner).
        start_ns: the guest's CLOCK_REALTIME when it boots, nanoseconds since 1970.

    Attributes:
        now_ns: the guest's time since boot, as far as the calendar knows, in nanoseconds.
        waiting: whether the guest has stopped at ``now_ns`` and waits for :meth:`grant`.
        connection: the guest's end, once it has connected.
    """

    def __init__(self, path: Path, start_ns: int) -> None:
        self.start_ns = start_ns
        self.now_ns = 0
        self.waiting = False
        self.connection: socket.socket | None = None
        self._requested_ns = 0
        self._sequence = 0
        self._buffer = b""
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(1)

    def accept(self) -> None:
        """Takes the guest's connection; call it when ``listener`` is readable."""
        self.connection, _ = self.listener.accept()

    def receive(self) -> bool:
        """Reads and answers what the guest has sent; False once the guest has hung up."""
        if self.connection is None:
            return False
        try:
            data = self.connection.recv(4096)
        except ConnectionError:
            data = b""
        if not data:
            return False
        self._buffer += data
        while len(self._buffer) >= _MESSAGE.size:
            message, self._buffer = self._buffer[: _MESSAGE.size], self._buffer[_MESSAGE.size :]
            self._answer(*_MESSAGE.unpack(message))
        return True

    def grant(self, duration_ns: int) -> None:
        """Lets the waiting guest run from its next event on, freely for a duration of its own time."""
        self.waiting = False
        self.now_ns = max(self.now_ns, self._requested_ns)
        self._send(Op.FREE_UNTIL, self.now_ns + duration_ns)
        self._send(Op.RUN, self.now_ns)

    def close(self) -> None:
        """Hangs up: a guest that is still there panics and ends."""
        self.listener.close()
        if self.connection is not None:
            self.connection.close()

    def _answer(self, op: int, sequence: int, time_ns: int) -> None:
        answer_ns = 0
        match op:
            case Op.ACK:
                return
            case Op.REQUEST:
                self._requested_ns = time_ns
            case Op.WAIT:
                self.waiting = True
            case Op.UPDATE:
                self.now_ns = time_ns
            case Op.GET:
                answer_ns = self.now_ns
            case Op.GET_TOD:
                answer_ns = self.start_ns
        self._send(Op.ACK, answer_ns, sequence)

    def _send(self, op: Op, time_ns: int, sequence: int | None = None) -> None:
        if sequence is None:
            self._sequence = (self._sequence + 1) & 0xFFFFFFFF
            sequence = self._sequence
        assert self.connection is not None
        self.connection.sendall(_MESSAGE.pack(op, sequence, time_ns))
