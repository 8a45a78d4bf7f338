"""Measures how late this node wakes up: sleeps until absolute instants of CLOCK_TAI and reads the clock.

Prints `{"late_ns": [...]}` in batches and `{"done": true}`.
"""

from __future__ import annotations

import argparse
import gc

import wire

BATCH = 500


def main() -> None:
    """Sleeps and reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--period", type=int, default=1_000_000, help="ns")
    parser.add_argument("--fifo", type=int, default=90, help="SCHED_FIFO priority, 0 for none")
    options = parser.parse_args()
    wire.become_real_time(options.fifo, None)
    gc.disable()
    instant = (wire.now_ns() // options.period + 10) * options.period
    late = []
    for _ in range(options.count):
        wire.sleep_until(instant)
        late.append(wire.now_ns() - instant)
        instant += options.period
        if len(late) == BATCH:
            wire.say(late_ns=late)
            late = []
    wire.say(late_ns=late)
    wire.say(done=True)


if __name__ == "__main__":
    main()
