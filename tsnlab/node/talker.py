"""Time-triggered talker: one frame a cycle, at absolute instants of CLOCK_TAI.

Prints JSON lines: `{"refused": [...]}` first, then `{"packets": [[seq, interval_start, tx_wakeup, tx_program], ...]}`
in batches, with `--stamps` also `{"stamps": [[seq, tx_kernel_netsched, tx_kernel_hardware], ...]}` as they come (0: not
taken), and `{"sent": n, "errors": {...}, "done": true}` at the end. Times are nanoseconds of CLOCK_TAI.
"""

from __future__ import annotations

import argparse
import errno
import gc
import random
import socket
import struct

import errqueue
import wire

SO_TXTIME = 61
SCM_TXTIME = 61
SOF_TXTIME_DEADLINE_MODE = 1
SOF_TXTIME_REPORT_ERRORS = 2
SECOND = 1_000_000_000
BATCH = 100
STAMPS_LATE = 50_000_000
"""So long after the last launch, in ns, its stamps have come."""


class WakeupLatency:
    """Draws of the injected wake-up latency: a shifted log-normal distribution, cut off at a maximum."""

    def __init__(self, specification: list[float], seed: int) -> None:
        self.minimum, self.median, self.sigma, self.maximum = specification
        self.random = random.Random(seed)

    def draw(self) -> int:
        """One latency in nanoseconds; a draw beyond the maximum is repeated."""
        while True:
            excess = (self.median - self.minimum) * self.random.lognormvariate(0.0, self.sigma)
            if self.minimum + excess <= self.maximum:
                return int(self.minimum + excess)


class Frame:
    """The frame that is sent again and again, with what changes written into it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.data = bytearray(options.length)
        ethertype = struct.pack("!H", wire.ETH_P_NETLATENCY)
        self.data[0:14] = wire.mac(options.destination) + wire.mac(options.source) + ethertype
        self.stream = options.stream
        self.interval_us = min(options.cycle // 1000, 0xFFFF)
        self.offset_us = options.offset // 1000

    def begin(self, seq: int, start: int, wakeup: int, last: bool) -> None:
        """Writes all but the time of sending."""
        flags = wire.FLAG_END_OF_STREAM if last else 0
        fields = (wire.VERSION, self.stream, seq, self.interval_us, self.offset_us, flags)
        wire.HEADER.pack_into(self.data, 14, *fields)
        self._stamp(0, start)
        self._stamp(1, wakeup)

    def finish(self) -> int:
        """Writes the time of sending, read at this moment; returns it."""
        program = int(wire.now_ns())
        self._stamp(2, program)
        return program

    def _stamp(self, index: int, instant: int) -> None:
        position = 14 + wire.HEADER.size + index * wire.STAMP.size
        wire.STAMP.pack_into(self.data, position, *divmod(instant, SECOND))


class Sender:
    """Hands frames to the kernel, with or without a launch time, and counts what was refused or dropped."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((options.interface, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, options.priority)
        self.txtime = options.txtime
        self.queue = errqueue.ErrorQueue(self.socket, wire.tai_offset_ns())
        self.listening = options.txtime or options.stamps != "none"
        self.socket.setblocking(not self.listening)
        if options.txtime:
            flags = SOF_TXTIME_REPORT_ERRORS | (SOF_TXTIME_DEADLINE_MODE if options.deadline_mode else 0)
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TXTIME, struct.pack("=iI", wire.CLOCK_TAI, flags))
        if options.stamps != "none":
            self.queue.ask_for_stamps(options.stamps == "hardware")
        self.errors = self.queue.errors
        self.sent = 0

    def send(self, data: bytearray, launch_time: int) -> None:
        """Sends one frame; ``launch_time`` in ns of CLOCK_TAI is used if the socket has launch times."""
        ancillary = []
        if self.txtime:
            ancillary.append((socket.SOL_SOCKET, SCM_TXTIME, struct.pack("=Q", launch_time)))
        try:
            self.socket.sendmsg([data], ancillary)
            self.sent += 1
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, str(error.errno))
            self.errors["send: " + name] = self.errors.get("send: " + name, 0) + 1

    def read_errors(self) -> None:
        """Takes what the kernel has reported since."""
        if self.listening:
            self.queue.read()

    def stamps(self) -> dict[str, list[list[int]]]:
        """When frames left, since the last call; for the report."""
        rows = self.queue.taken()
        return {"stamps": rows} if rows else {}


def first_cycle(base: int, cycle: int, not_before: int) -> int:
    """The first start of a cycle at or after an instant; cycles start at `base` and every `cycle` ns from it."""
    return base - (base - not_before) // cycle * cycle if base < not_before else base


def transmit(options: argparse.Namespace, sender: Sender, latency: WakeupLatency | None) -> None:
    """Sends the stream, one frame a cycle, and prints what was sent when."""
    frame = Frame(options)
    rows = []
    start = first_cycle(options.base, options.cycle, wire.now_ns() + options.settle)
    for seq in range(1, options.count + 1):
        wire.sleep_until(start + options.wakeup + (latency.draw() if latency else 0))
        wakeup = wire.now_ns()
        frame.begin(seq, start, wakeup, seq == options.count)
        program = frame.finish()
        sender.send(frame.data, start + options.offset)
        rows.append((seq, start, wakeup, program))
        sender.read_errors()
        if len(rows) >= options.batch:
            wire.say(packets=rows, **sender.stamps())
            rows = []
        start += options.cycle
    wire.say(packets=rows)
    wire.sleep_until(start + options.offset + (STAMPS_LATE if options.stamps != "none" else 0))
    sender.read_errors()
    if stamps := sender.stamps():
        wire.say(**stamps)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interface")
    parser.add_argument("--source", required=True, help="MAC address")
    parser.add_argument("--destination", required=True, help="MAC address")
    parser.add_argument("--base", type=int, required=True, help="start of any cycle, ns of CLOCK_TAI")
    parser.add_argument("--settle", type=int, default=100_000_000, help="ns between ready and the first cycle")
    parser.add_argument("--cycle", type=int, required=True, help="ns")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--offset", type=int, default=0, help="launch time after the start of the cycle, ns")
    parser.add_argument("--txtime", action="store_true", help="set the launch time of each frame (SO_TXTIME)")
    parser.add_argument("--deadline-mode", action="store_true")
    parser.add_argument("--stamps", choices=["none", "kernel", "hardware"], default="none",
                        help="ask when each frame leaves its qdisc, or the interface as well")  # fmt: skip
    parser.add_argument("--wakeup", type=int, default=0, help="when to wake after the start of the cycle, ns")
    parser.add_argument("--stream", type=int, default=0)
    parser.add_argument("--length", type=int, default=wire.FRAME_LENGTH, help="bytes, without VLAN tag and FCS")
    parser.add_argument("--priority", type=int, default=6, help="SO_PRIORITY")
    parser.add_argument("--fifo", type=int, default=90, help="SCHED_FIFO priority, 0 for none")
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--batch", type=int, default=BATCH, help="packets per printed line")
    parser.add_argument("--latency", type=float, nargs=4, metavar=("MIN", "MEDIAN", "SIGMA", "MAX"),
                        help="inject a wake-up latency (ns; simulated time only)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Sends the stream and reports."""
    options = parse()
    sender = Sender(options)
    latency = WakeupLatency(options.latency, options.seed) if options.latency else None
    wire.say(refused=wire.become_real_time(options.fifo, options.cpu))
    gc.disable()
    transmit(options, sender, latency)
    wire.say(sent=sender.sent, errors=sender.errors, done=True)


if __name__ == "__main__":
    main()
