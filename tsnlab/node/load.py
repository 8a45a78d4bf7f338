"""Best-effort load: sends frames at a given rate in short bursts, or counts them where they arrive.

It sleeps between bursts (one each millisecond), so that it costs no core; on virtual time a busy loop would
never end. Prints JSON lines while running: `{"frames": n, "bytes": n, "seconds": s, ...}`, and the same with
`"done": true` at the end. Bytes are those of the Ethernet frame without preamble, FCS and gap.
"""

from __future__ import annotations

import argparse
import gc
import signal
import socket
import struct
from typing import Any

import wire

SO_RCVBUFFORCE = 33
BURST_NS = 987_654
PACKET_STATISTICS = 6
SOL_PACKET = 263
SO_SNDBUFFORCE = 32
BURSTS_PER_LINE = 100


class Stop(Exception):
    """The program was asked to stop."""


def stop(_number: int, _frame: Any) -> None:
    """Signal handler."""
    raise Stop


class Achieved:
    """What has been sent or counted so far."""

    def __init__(self) -> None:
        self.begin = wire.now_ns()
        self.frames = 0
        self.bytes = 0

    def add(self, frames: int, octets: int) -> None:
        """Counts frames and their bytes."""
        self.frames += frames
        self.bytes += octets

    def say(self, **more: Any) -> None:
        """Prints it."""
        seconds = (wire.now_ns() - self.begin) / 1e9
        wire.say(frames=self.frames, bytes=self.bytes, seconds=seconds, **more)


class Generator:
    """Bursts of frames at a rate that is kept on average, whatever a sleep costs."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.length = options.length
        self.generator = options.generator
        self.per_burst = options.rate * BURST_NS / 8e9 / options.length
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((options.interface, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, options.priority)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)
        self.batch = wire.Batch(int(self.per_burst) + 2, options.length)
        header = wire.mac(options.destination) + wire.mac(options.source) + struct.pack("!H", wire.ETH_P_LOAD)
        for slot in range(self.batch.slots):
            self.batch.data[slot * self.length : slot * self.length + 14] = header
        self.handed_over = self.refused = 0

    def burst(self, number: int) -> int:
        """Sends what is due until the end of a burst; returns how many frames the kernel took."""
        count = min(int(number * self.per_burst) - self.handed_over, self.batch.slots)
        for slot in range(count):
            place = slot * self.length + 14
            wire.LOAD_HEADER.pack_into(self.batch.data, place, self.handed_over + slot, self.generator)
        self.handed_over += count
        taken = 0
        while taken < count:
            try:
                taken += self.batch.send(self.socket.fileno(), count - taken, taken)
            except OSError:  # the interface's queue is full: a real best-effort sender loses these, too
                self.refused += count - taken
                break
        return taken


def send(options: argparse.Namespace) -> None:
    """Sends until the duration is over or a signal comes."""
    generator, achieved = Generator(options), Achieved()
    number = 0
    try:
        while options.duration is None or number * BURST_NS < options.duration * 1e9:
            number += 1
            wire.sleep_until(achieved.begin + number * BURST_NS)
            taken = generator.burst(number)
            achieved.add(taken, taken * options.length)
            if number % BURSTS_PER_LINE == 0:
                achieved.say(refused=generator.refused)
    except Stop:
        pass
    achieved.say(refused=generator.refused, done=True)


def count(options: argparse.Namespace) -> None:
    """Counts frames until a signal comes."""
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    receiver.bind((options.interface, wire.ETH_P_LOAD))
    batch, achieved = wire.Batch(256, 64), Achieved()
    number = 0
    try:
        while True:
            number += 1
            wire.sleep_until(achieved.begin + number * BURST_NS)
            drain(receiver, batch, achieved)
            if number % BURSTS_PER_LINE == 0:
                achieved.say()
    except Stop:
        pass
    drain(receiver, batch, achieved)
    _taken, dropped = struct.unpack("=II", receiver.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    achieved.say(dropped=dropped, done=True)


def drain(receiver: socket.socket, batch: wire.Batch, achieved: Achieved) -> None:
    """Counts every frame that has arrived; MSG_TRUNC gives the length of what does not fit the slot."""
    taken = batch.slots
    while taken == batch.slots:
        try:
            taken = batch.receive(receiver.fileno(), socket.MSG_DONTWAIT | socket.MSG_TRUNC)
        except BlockingIOError:
            return
        achieved.add(taken, sum(batch.lengths[:taken]))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interface")
    roles = parser.add_subparsers(dest="role", required=True)
    sender = roles.add_parser("send")
    sender.add_argument("--source", required=True, help="MAC address")
    sender.add_argument("--destination", required=True, help="MAC address")
    sender.add_argument(
        "--rate", type=float, required=True, help="bit/s of Ethernet frames, without preamble, FCS and gap"
    )
    sender.add_argument("--length", type=int, default=1514, help="bytes of a frame, without FCS")
    sender.add_argument("--priority", type=int, default=0, help="SO_PRIORITY")
    sender.add_argument("--duration", type=float, help="seconds; without: until SIGTERM")
    sender.add_argument("--generator", type=int, default=0)
    roles.add_parser("count")
    return parser.parse_args()


def main() -> None:
    """Sends or counts."""
    options = parse()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    gc.disable()
    if options.role == "send":
        send(options)
    else:
        count(options)


if __name__ == "__main__":
    main()
