"""What talker, listener and load share: frames, clocks and the few system calls Python has no name for.

The measured frames have netlatency's wire format (data.h of kontron/netlatency: EtherType 0x0808, packed,
host byte order), so that nl-rx can receive them and nl-tx can be received.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
import time
from typing import Any

CLOCK_TAI = 11
TIMER_ABSTIME = 1
PR_SET_TIMERSLACK = 29
MCL_CURRENT, MCL_FUTURE = 1, 2

ETH_P_NETLATENCY = 0x0808
ETH_P_LOAD = 0x88B5  # IEEE Std 802: local experimental EtherType 1

HEADER = struct.Struct("=BBIHHI")  # version, stream id, sequence, interval us, offset us, flags
STAMP = struct.Struct("=qq")  # struct timespec
VERSION = 1
FLAG_END_OF_STREAM = 1
FLAG_SMALL_MODE = 2
STAMPS = 5  # interval start, wake-up, program send, and of the frame before: qdisc, driver
FRAME_LENGTH = 14 + HEADER.size + STAMPS * STAMP.size
LOAD_HEADER = struct.Struct("=QI")  # sequence, generator id

_libc = ctypes.CDLL(None, use_errno=True)


class Timespec(ctypes.Structure):
    """``struct timespec`` for clock_nanosleep."""

    _fields_ = [("sec", ctypes.c_long), ("nsec", ctypes.c_long)]


class Iovec(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    """``struct mmsghdr``: a ``struct msghdr`` and the number of bytes sent or received."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_long),
        ("length", ctypes.c_ulong),
    ]


class Batch:
    """Many frames for one sendmmsg or recvmmsg: one buffer cut into slots of equal size."""

    def __init__(self, slots: int, size: int) -> None:
        self.slots = slots
        self.size = size
        self.data = bytearray(slots * size)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.data))
        self._iovecs = (Iovec * slots)(*(Iovec(start + i * size, size) for i in range(slots)))
        first = ctypes.addressof(self._iovecs)
        step = ctypes.sizeof(Iovec)
        self.messages = (Msghdr * slots)(*(Msghdr(iov=first + i * step, iovlen=1) for i in range(slots)))
        self.lengths = memoryview(self.messages).cast("B").cast("I")[Msghdr.length.offset // 4 :: 16]

    def send(self, descriptor: int, count: int, first: int = 0) -> int:
        """Sends slots from `first` on; returns how many were taken."""
        where = ctypes.byref(self.messages, first * ctypes.sizeof(Msghdr))
        return _checked(_libc.sendmmsg(descriptor, where, count, 0))

    def receive(self, descriptor: int, flags: int) -> int:
        """Receives what is there, at most all slots; returns how many."""
        return _checked(_libc.recvmmsg(descriptor, self.messages, self.slots, flags, None))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def sleep_until(instant_ns: int) -> None:
    """Sleeps until an absolute instant of CLOCK_TAI in nanoseconds."""
    until = Timespec(*divmod(instant_ns, 1_000_000_000))
    _libc.clock_nanosleep(CLOCK_TAI, TIMER_ABSTIME, ctypes.byref(until), None)


def now_ns() -> int:
    """CLOCK_TAI in nanoseconds."""
    return time.clock_gettime_ns(CLOCK_TAI)


def tai_offset_ns() -> int:
    """CLOCK_TAI minus CLOCK_REALTIME, whole seconds in nanoseconds."""
    second = 1_000_000_000
    return int(now_ns() - time.time_ns() + second // 2) // second * second


def become_real_time(priority: int, cpu: int | None) -> list[str]:
    """SCHED_FIFO, locked memory, one CPU and no timer slack; returns what was refused, by name.

    A node without the rights still measures, and says in its report what it lacked.
    """
    refused = []
    _libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    if cpu is not None:
        try:
            os.sched_setaffinity(0, {cpu})
        except OSError:
            refused.append("cpu affinity")
    if priority:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        except OSError:
            refused.append("SCHED_FIFO")
    if _libc.mlockall(MCL_CURRENT | MCL_FUTURE) != 0:
        refused.append("mlockall")
    return refused


def say(**record: Any) -> None:
    """Prints one record as a JSON line at once, so that an interrupted measurement keeps it."""
    sys.stdout.write(json.dumps(record, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def mac(text: str) -> bytes:
    """The six bytes of a MAC address."""
    return bytes.fromhex(text.replace(":", ""))
