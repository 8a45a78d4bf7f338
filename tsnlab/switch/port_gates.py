"""The gates of a case for the ports of a real switch: eight traffic classes, one for each priority code point.

A case names two classes, the stream's and the rest. A port that runs its gates in hardware counts its time in ticks,
and a row of its list lasts only so long; what it cannot say exactly is said so that the stream never loses time.

Source: IEEE 802.1Q clauses 8.6.8.4 and 12.29.1; kontron/kmod-tsnic-deip, deipce_fsc_sysfs.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tsnlab import files
from tsnlab.case import Case
from tsnlab.errors import ConfigError
from tsnlab.schedule import FULL_OFFLOAD, PRIORITIES, Entry, Taprio

CLASSES = 8


def of(case: Case) -> Taprio | None:
    """The schedule of the port towards the listener; None if the case has none."""
    if case.switch is None or not case.switch.qbv:
        return None
    return by_pcp(case.switch.taprio(case.stream), case.stream.pcp)


def by_pcp(two: Taprio, pcp: int) -> Taprio:
    """A schedule of two classes (0: the rest, 1: the stream) as one of eight, in which class n is PCP n."""
    rest = (1 << CLASSES) - 1 & ~(1 << pcp)
    masks = {0: 0, 1: rest, 2: 1 << pcp, 3: rest | 1 << pcp}
    return files.check(
        {
            "map": [priority if priority < CLASSES else 0 for priority in range(PRIORITIES)],
            "queues": [f"1@{number}" for number in range(CLASSES)],
            "schedule": [{"gates": f"{masks[entry.mask & 3]:02x}", "for": entry.interval} for entry in two.schedule],
            "flags": FULL_OFFLOAD,
        },
        Taprio,
        "gates of the switch",
        exact=True,
    )


def on_ticks(schedule: Taprio, tick_ns: int) -> list[Entry]:
    """The gate control list with every change on a tick of the port.

    A state with fewer open gates never becomes shorter: it is the one that keeps others off the wire.

    Raises:
        ConfigError: the cycle is no whole number of ticks, or a state is shorter than one.
    """
    if schedule.cycle_ns % tick_ns:
        raise ConfigError(f"a cycle of {schedule.cycle_ns} ns is no whole number of the switch's ticks of {tick_ns} ns")
    starts = list(_starts(schedule.entries, tick_ns))
    lengths = [end - start for start, end in pairwise([*starts, schedule.cycle_ns])]
    if min(lengths) <= 0:
        raise ConfigError(f"a state of the gates is shorter than one of the switch's ticks of {tick_ns} ns")
    return [Entry(e.gate_mask, length) for e, length in zip(schedule.entries, lengths, strict=True)]


def _starts(entries: Sequence[Entry], tick_ns: int) -> Iterator[int]:
    yield 0
    position = 0
    for before, after in pairwise(entries):
        position += before.interval_ns
        closes = after.gate_mask.bit_count() < before.gate_mask.bit_count()
        yield position // tick_ns * tick_ns if closes else -(-position // tick_ns) * tick_ns


def in_rows(entries: Sequence[Entry], longest_ns: int, rows: int) -> list[Entry]:
    """The same states in rows that last no longer than the port can count.

    The driver of the guide's card takes a longer one without a word and makes it shorter.

    Raises:
        ConfigError: it takes more rows than the port has.
    """
    found = []
    for entry in entries:
        left = entry.interval_ns
        while left > 0:
            found.append(Entry(entry.gate_mask, min(left, longest_ns)))
            left -= longest_ns
    if len(found) > rows:
        raise ConfigError(f"the gates take {len(found)} rows of at most {longest_ns} ns; the switch's list has {rows}")
    return found
