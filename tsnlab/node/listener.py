"""Listener: receives the talker's frames with the best timestamps the interface has.

Prints JSON lines: `{"timestamps": "hardware"|"kernel", ...}` first, then
`{"packets": [[stream, seq, interval_start, tx_wakeup, tx_program, rx_hardware, rx_kernel, rx_program], ...]}`
in batches (0: not taken), and `{"received": n, ..., "done": true}` at the end. Times are nanoseconds; hardware
timestamps are the interface's clock, kernel timestamps CLOCK_REALTIME moved to CLOCK_TAI.
"""

from __future__ import annotations

import argparse
import gc
import select
import socket
import struct
from typing import Tuple

import stamping
import wire

SO_TIMESTAMPING = 37
RX_HARDWARE, RX_SOFTWARE, SOFTWARE, RAW_HARDWARE = 1 << 2, 1 << 3, 1 << 4, 1 << 6
TIMESTAMPS = struct.Struct("=qqqqqq")  # software, (deprecated), raw hardware
STAMPS3 = struct.Struct("=qqqqqq")
SECOND = 1_000_000_000
ETH_P_IP = 0x0800
SAMPLE_APP = struct.Struct("=IIQ")  # seq, kind with the priority in its lowest bits, ns of CLOCK_TAI before it was sent
SAMPLE_APP_AT = 14 + 20 + 8
SAMPLE_APP_KIND = 0x10
SAMPLE_APP_PORT = 4800


def open_receiver(interface: str, ethertype: int, hardware: bool, nic: str) -> tuple[socket.socket, str]:
    """A packet socket for the talker's frames, time-stamped as well as the NIC below the interface can."""
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    receiver.bind((interface, ethertype))
    kind = "hardware" if hardware and stamping.stamp_all(nic) else "kernel"
    flags = RX_SOFTWARE | SOFTWARE | (RX_HARDWARE | RAW_HARDWARE if kind == "hardware" else 0)
    receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return receiver, kind


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


Sent = Tuple[Tuple[int, int, int, int, int], int]
"""What a frame carries: stream, seq, interval start, wake-up and send; and its flags."""


def netlatency(frame: bytes) -> Sent | None:
    """What a frame of the talker, or of nl-tx, carries; None for a frame of another kind."""
    if len(frame) < wire.FRAME_LENGTH - 2 * wire.STAMP.size:
        return None
    version, stream, seq, _interval, _offset, flags = wire.HEADER.unpack_from(frame, 14)
    if version != wire.VERSION or flags & wire.FLAG_SMALL_MODE:
        return None
    t0, t0n, wake, waken, prog, progn = STAMPS3.unpack_from(frame, 14 + wire.HEADER.size)
    return (stream, seq, t0 * SECOND + t0n, wake * SECOND + waken, prog * SECOND + progn), flags


class SampleApp:
    """Reads the frames of Intel's sample-app-taprio, which carry number and time of sending only.

    The program wakes up where a cycle begins, so that the last beginning before the time of sending is the packet's.
    """

    def __init__(self, base: int, cycle: int) -> None:
        self.base = base
        self.cycle = cycle

    def decode(self, frame: bytes) -> Sent | None:
        """What a frame carries; None for a frame of another kind."""
        if len(frame) < SAMPLE_APP_AT + SAMPLE_APP.size or frame[23] != socket.IPPROTO_UDP:
            return None
        if struct.unpack_from("!H", frame, 36)[0] != SAMPLE_APP_PORT:
            return None
        seq, kind, sent = SAMPLE_APP.unpack_from(frame, SAMPLE_APP_AT)
        if kind & ~0x7 != SAMPLE_APP_KIND:
            return None
        return (0, seq, sent - (sent - self.base) % self.cycle, 0, sent), 0


def arrival(ancillary: list[tuple[int, int, bytes]], tai_offset: int) -> tuple[int, int]:
    """When a frame arrived, by the interface's clock and by the kernel's; 0 if unknown."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPING:
            soft, softn, _, _, hard, hardn = TIMESTAMPS.unpack_from(data)
            kernel = soft * SECOND + softn
            return hard * SECOND + hardn, kernel + tai_offset if kernel else 0
    return 0, 0


def receive(options: argparse.Namespace, receiver: socket.socket, order: Order) -> int:
    """Receives until the stream ends, the count is reached or nothing comes for a while; returns how many came."""
    rows, received, tai_offset = [], 0, wire.tai_offset_ns()
    decode = SampleApp(options.base, options.cycle).decode if options.sample_app else netlatency
    ends = 0
    while received < options.count and ends < options.streams:
        patience = options.quiet if received else options.first
        readable, _, _ = select.select([receiver], [], [], patience)
        if not readable:
            break
        frame, ancillary, _flags, _address = receiver.recvmsg(2048, 256)
        rx_program = wire.now_ns()
        carried = decode(frame)
        if carried is None:
            continue
        sent, flags = carried
        order.take(sent[0], sent[1])
        rows.append((*sent, *arrival(ancillary, tai_offset), rx_program))
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
    parser.add_argument("--nic", help="the interface that stamps, where INTERFACE is a VLAN above it")
    parser.add_argument("--sample-app", action="store_true", help="frames are those of Intel's sample-app-taprio")
    parser.add_argument("--base", type=int, default=0, help="with --sample-app: start of any cycle, ns of CLOCK_TAI")
    parser.add_argument("--cycle", type=int, default=1, help="with --sample-app: ns")
    parser.add_argument("--no-hardware", action="store_true", help="do not ask for hardware timestamps")
    parser.add_argument("--fifo", type=int, default=80, help="SCHED_FIFO priority, 0 for none")
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--batch", type=int, default=100, help="packets per printed line")
    return parser.parse_args()


def main() -> None:
    """Receives and reports."""
    options = parse()
    ethertype = ETH_P_IP if options.sample_app else wire.ETH_P_NETLATENCY
    nic = options.nic or options.interface
    receiver, kind = open_receiver(options.interface, ethertype, not options.no_hardware, nic)
    wire.say(timestamps=kind, refused=wire.become_real_time(options.fifo, options.cpu))
    gc.disable()
    order = Order()
    received = receive(options, receiver, order)
    wire.say(received=received, gaps=order.gaps, duplicated=order.duplicated, reordered=order.reordered, done=True)


if __name__ == "__main__":
    main()
