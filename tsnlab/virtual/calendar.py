"""The calendar of the virtual lab: it alone decides when the guest's time moves on.

The guest kernel is started with ``time-travel=ext:<socket>``: whenever it has nothing to do at the present
instant it asks this calendar for the time of its next event and waits. While nobody answers, the guest
sleeps in one read of its socket - so a lab is frozen, and burns no core, simply by not being answered.

Time itself is in memory that is shared with the guest: it sees there how far it may go on without asking, and
what it is when a device handles what it has written. So only waiting and going on are messages.

Source of the protocol: the kernel's include/uapi/linux/um_timetravel.h and arch/um/kernel/time.c.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
from enum import IntEnum
from pathlib import Path

from tsnlab.virtual.device.agenda import NEVER, Agenda

_MESSAGE = struct.Struct("=IIQ")

_VERSION = 2  # UM_TIMETRAVEL_SCHEDSHM_VERSION
_CLIENTS, _CLIENT = 4096, 128
_HEADER = struct.Struct("=IIQQHH")
_WANTS_TO_RUN = 1  # UM_TIMETRAVEL_SCHEDSHM_FLAGS_REQ_RUN
_SHARES_TIME = 1  # UM_TIMETRAVEL_SCHEDSHM_CAP_TIME_SHARE
_FREE_UNTIL, _NOW = 1, 2  # in words of 64 bits
_RUNNING = struct.Struct("=H")
_RUNNING_AT = 24
_OURSELVES, _GUEST = 0, 1


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
    """The time of one guest and its devices, granted piece by piece.

    Args:
        path: where the listening socket is made (removed by its owner).
        start_ns: the guest's CLOCK_REALTIME when it boots, nanoseconds since 1970.

    Attributes:
        waiting: whether the guest has stopped and waits for :meth:`go_on`.
        connection: the guest's end, once it has connected.
        agenda: the events of the guest's devices. They happen only while the guest waits.
    """

    def __init__(self, path: Path, start_ns: int) -> None:
        self.start_ns = start_ns
        self.waiting = False
        self.connection: socket.socket | None = None
        self._sequence = 0
        self._buffer = b""
        self._shared = _SharedTime()
        self._words = self._shared.words
        self.agenda = Agenda(lambda: self._words[_NOW], self._come_sooner)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(path))
        self.listener.listen(1)

    @property
    def now_ns(self) -> int:
        """The time since boot, as far as the calendar knows, in nanoseconds."""
        return self._words[_NOW]

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

    def go_on(self, duration_ns: int) -> None:
        """Does what comes next while the guest waits: a device's event, or the guest's own.

        Args:
            duration_ns: so long the guest then runs freely, unless a device's event comes before.
        """
        event_ns, request_ns = self.agenda.next_ns, self._shared.request_ns
        if event_ns <= request_ns and event_ns != NEVER:
            self._words[_NOW] = event_ns
            self.agenda.happen()
            return
        self.waiting = False
        now_ns = max(self._words[_NOW], request_ns)
        self._words[_NOW] = now_ns
        self._words[_FREE_UNTIL] = min(event_ns, now_ns + duration_ns)
        self._shared.running = _GUEST
        self._send(Op.RUN, now_ns)

    def settle(self) -> None:
        """Moves the time on to where the waiting guest may be, for something that is done to a device from outside.

        A guest that runs freely does not tell the time: it has come no further than it was allowed to, and not
        beyond what happens next.
        """
        if self.waiting:
            reached_ns = min(self._words[_FREE_UNTIL], self._shared.request_ns, self.agenda.next_ns)
            self._words[_NOW] = max(self._words[_NOW], reached_ns)

    def close(self) -> None:
        """Hangs up: a guest that is still there panics and ends."""
        self.listener.close()
        if self.connection is not None:
            self.connection.close()
        self._words = self._shared.last_words()

    def _come_sooner(self, time_ns: int) -> None:
        """The guest, which handles a device right now, may go on until this event only."""
        if not self.waiting:
            self._words[_FREE_UNTIL] = min(self._words[_FREE_UNTIL], time_ns)

    def _answer(self, op: int, sequence: int, _time_ns: int) -> None:
        match op:
            case Op.ACK:
                return
            case Op.WAIT:
                self._shared.running = _OURSELVES
                self.waiting = True
            case Op.START:
                self._welcome(sequence)
            case Op.GET_TOD:
                self._send(Op.ACK, self.start_ns, sequence)
            case _:
                self._send(Op.ACK, 0, sequence)

    def _welcome(self, sequence: int) -> None:
        """Answers the first message: with the guest's number, the shared memory, and a log that nobody reads."""
        assert self.connection is not None
        self._shared.running = _GUEST
        log = os.open(os.devnull, os.O_WRONLY)
        try:
            message = _MESSAGE.pack(Op.ACK, sequence, _GUEST)
            socket.send_fds(self.connection, [message], [self._shared.descriptor, log])
        finally:
            os.close(log)

    def _send(self, op: Op, time_ns: int, sequence: int | None = None) -> None:
        if sequence is None:
            self._sequence = (self._sequence + 1) & 0xFFFFFFFF
            sequence = self._sequence
        assert self.connection is not None
        self.connection.sendall(_MESSAGE.pack(op, sequence, time_ns))


class _SharedTime:
    """``struct um_timetravel_schedshm``: the memory that holds the time, for us and one guest."""

    def __init__(self) -> None:
        length = _CLIENTS + 2 * _CLIENT
        self.descriptor = os.memfd_create("calendar")
        os.truncate(self.descriptor, length)
        self._map = mmap.mmap(self.descriptor, length)
        _HEADER.pack_into(self._map, 0, _VERSION, length, 0, 0, _OURSELVES, 2)
        self._view = memoryview(self._map)
        self.words: memoryview | list[int] = self._view.cast("Q")
        self._ints = self._view.cast("I")
        # the guest then leaves its requests in this memory also while we have our turn
        self._ints[_CLIENTS // 4] = _SHARES_TIME
        self._flags_at = (_CLIENTS + _GUEST * _CLIENT + 4) // 4
        self._request_at = (_CLIENTS + _GUEST * _CLIENT + 8) // 8

    @property
    def request_ns(self) -> int:
        """When the guest wants to run; NEVER if it does not."""
        return self.words[self._request_at] if self._ints[self._flags_at] & _WANTS_TO_RUN else NEVER

    @property
    def running(self) -> int:
        """Whose turn it is."""
        return int(_RUNNING.unpack_from(self._map, _RUNNING_AT)[0])

    @running.setter
    def running(self, who: int) -> None:
        _RUNNING.pack_into(self._map, _RUNNING_AT, who)

    def last_words(self) -> list[int]:
        """Gives the memory back; what remains is what it said in the end."""
        self.words = list(self.words[:4])
        self._ints.release()
        self._view.release()
        self._map = None  # type: ignore[assignment]
        os.close(self.descriptor)
        return self.words
