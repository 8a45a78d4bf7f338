"""Listener: receives the talker's frames with the best timestamps the interface has.

Prints JSON lines: `{"timestamps": "hardware"|"kernel", ...}` first, then
`{"packets": [[stream, seq, interval_start, tx_wakeup, tx_program, rx_hardware, rx_kernel, rx_program], ...]}`
in batches (0: not taken), and `{"received": n, ..., "done": true}` at the end. Times are nanoseconds; hardware
timestamps are the interface's clock, kernel timestamps CLOCK_REALTIME moved to CLOCK_TAI.
"""

from __future__ import annotations

import argparse
import array
import fcntl
import gc
import select
import socket
import struct
import time

import wire

SO_TIMESTAMPING = 37
RX_HARDWARE, RX_SOFTWARE, SOFTWARE, RAW_HARDWARE = 1 << 2, 1 << 3, 1 << 4, 1 << 6
SIOCSHWTSTAMP, SIOCGHWTSTAMP = 0x89B0, 0x89B1
HWTSTAMP_FILTER_ALL = 1
TIMESTAMPS = struct.Struct("=qqqqqq")  # software, (deprecated), raw hardware
STAMPS3 = struct.Struct("=qqqqqq")
SECOND = 1_000_000_000


def ask_for_hardware(receiver: socket.socket, interface: str) -> bool:
    """Switches on hardware timestamps of every received frame; False if the interface has none.

    What it stamps of sent frames is left as it is: ptp4l, which runs on the same interface, needs them.
    """
    config = array.array("i", [0, 0, 0])  # struct hwtstamp_config: flags, tx_type, rx_filter
    request = struct.pack("16sP16x", interface.encode(), config.buffer_info()[0])
    try:
        fcntl.ioctl(receiver, SIOCGHWTSTAMP, request)
        if config[2] != HWTSTAMP_FILTER_ALL:
            config[2] = HWTSTAMP_FILTER_ALL
            fcntl.ioctl(receiver, SIOCSHWTSTAMP, request)
    except OSError:
        return False
    return True


def open_receiver(interface: str, hardware: bool) -> tuple[socket.socket, str]:
    """A packet socket for the talker's frames, time-stamped as well as the interface can."""
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(wire.ETH_P_NETLATENCY))
    receiver.bind((interface, wire.ETH_P_NETLATENCY))
    kind = "hardware" if hardware and ask_for_hardware(receiver, interface) else "kernel"
    flags = RX_SOFTWARE | SOFTWARE | (RX_HARDWARE | RAW_HARDWARE if kind == "hardware" else 0)
    receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return receiver, kind


def tai_offset_ns() -> int:
    """CLOCK_TAI minus CLOCK_REALTIME, whole seconds in nanoseconds."""
    return int(wire.now_ns() - time.time_ns() + SECOND // 2) // SECOND * SECOND


class Order:
    """Gaps, duplicates and reordering of each stream's sequence numbers, as they arrive."""

    def __init__(self) -> None:
        self.highest: dict[int, int] = {}
        self.missing: dict[int, set[int]] = {}
        self.duplicated = 0
        self.reordered = 0

    def take(self, stream: int, seq: int) -> None:
        """Counts one arrival."""
        highest = self.highest.get(stream, 0)
        missing = self.missing.setdefault(stream, set())
        if seq > highest:
            missing.update(range(highest + 1, seq))
            self.highest[stream] = seq
        elif seq in missing:
            missing.remove(seq)
            self.reordered += 1
        else:
            self.duplicated += 1

    @property
    def gaps(self) -> int:
        """Sequence numbers that have not arrived."""
        return sum(len(numbers) for numbers in self.missing.values())


def decode(
    frame: bytes, ancillary: list[tuple[int, int, bytes]], tai_offset: int, rx_program: int
) -> tuple[tuple[int, ...], int] | None:
    """One row of the listener's report, and the frame's flags; None for a frame of another kind."""
    if len(frame) < wire.FRAME_LENGTH - 2 * wire.STAMP.size:
        return None
    version, stream, seq, _interval, _offset, flags = wire.HEADER.unpack_from(frame, 14)
    if version != wire.VERSION or flags & wire.FLAG_SMALL_MODE:
        return None
    t0, t0n, wake, waken, prog, progn = STAMPS3.unpack_from(frame, 14 + wire.HEADER.size)
    rx_hardware = rx_kernel = 0
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING:
            soft, softn, _, _, hard, hardn = TIMESTAMPS.unpack_from(data)
            rx_hardware = hard * SECOND + hardn
            rx_kernel = soft * SECOND + softn
            rx_kernel += tai_offset if rx_kernel else 0
    row = (stream, seq, t0 * SECOND + t0n, wake * SECOND + waken, prog * SECOND + progn,
           rx_hardware, rx_kernel, rx_program)  # fmt: skip
    return row, flags


def receive(options: argparse.Namespace, receiver: socket.socket, order: Order) -> int:
    """Receives until the stream ends, the count is reached or nothing comes for a while; returns how many came."""
    rows, received, tai_offset = [], 0, tai_offset_ns()
    ends = 0
    while received < options.count and ends < options.streams:
        patience = options.quiet if received else options.first
        readable, _, _ = select.select([receiver], [], [], patience)
        if not readable:
            break
        frame, ancillary, _flags, _address = receiver.recvmsg(2048, 256)
        decoded = decode(frame, ancillary, tai_offset, wire.now_ns())
        if decoded is None:
            continue
        row, flags = decoded
        order.take(row[0], row[1])
        rows.append(row)
        received += 1
        ends += flags & wire.FLAG_END_OF_STREAM
        if len(rows) >= options.batch:
            wire.say(packets=rows)
            rows = []
    if rows:
        wire.say(packets=rows)
    return received


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interface")
    parser.add_argument("--count", type=int, default=1 << 62, help="stop after so many frames")
    parser.add_argument("--streams", type=int, default=1, help="stop after so many streams have ended")
    parser.add_argument("--quiet", type=float, default=5.0, help="stop when nothing came for so many seconds")
    parser.add_argument("--first", type=float, default=60.0, help="wait so many seconds for the first frame")
    parser.add_argument("--no-hardware", action="store_true", help="do not ask for hardware timestamps")
    parser.add_argument("--fifo", type=int, default=80, help="SCHED_FIFO priority, 0 for none")
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--batch", type=int, default=100, help="packets per printed line")
    return parser.parse_args()


def main() -> None:
    """Receives and reports."""
    options = parse()
    receiver, kind = open_receiver(options.interface, not options.no_hardware)
    wire.say(timestamps=kind, refused=wire.become_real_time(options.fifo, options.cpu))
    gc.disable()
    order = Order()
    received = receive(options, receiver, order)
    wire.say(received=received, gaps=order.gaps, duplicated=order.duplicated, reordered=order.reordered, done=True)


if __name__ == "__main__":
    main()
