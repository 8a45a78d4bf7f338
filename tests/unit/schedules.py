"""Schedules for the tests: those of the manual pages, the guide's, and generated ones."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from tsnlab.files import check
from tsnlab.schedule import Taprio

MAP_OF_THE_MANUAL = [2, 2, 1, 0, *[2] * 12]


def taprio(entries, *, classes=4, priorities=None, **other):
    """A schedule of (mask, interval in ns)."""
    content = {
        "map": priorities or [tc % classes for tc in range(16)],
        "queues": [f"1@{tc}" for tc in range(classes)],
        "schedule": [{"gates": f"{mask:x}", "for": interval} for mask, interval in entries],
        **other,
    }
    return check(content, Taprio, "test", exact=True)


# tc-taprio(8): EXAMPLES, with the base time of each
MANUAL = {
    "software": (
        taprio([(1, 300_000), (3, 300_000), (4, 400_000)], classes=3, priorities=MAP_OF_THE_MANUAL),
        1528743495910289987,
    ),
    "txtime-assist": (
        taprio(
            [(1, 300_000), (3, 300_000), (4, 400_000)],
            classes=3,
            priorities=MAP_OF_THE_MANUAL,
            queues=["1@0", "1@0", "1@0"],
            flags=1,
            txtime_delay=200_000,
        ),
        1528743495910289987,
    ),
    "full offload": (taprio([(0x80, 20_000), (0xA0, 20_000), (0x5F, 60_000)], classes=8, flags=2), 200),
}


def generated(seed, queues=4):
    """A schedule that an interface with so many queues and 1 Gbit/s takes, and a base time."""
    draw = random.Random(seed)
    classes = draw.randint(1, queues)
    edges = sorted(draw.sample(range(1, queues), classes - 1))
    starts = [0, *edges]
    ranges = [f"{end - start}@{start}" for start, end in zip(starts, [*edges, queues], strict=True)]
    intervals = [
        draw.choice([480, draw.randint(480, 5_000), draw.randint(480, 3_000_000)]) for _ in range(draw.randint(1, 24))
    ]
    masks = [draw.choice([0, draw.randrange(1, 1 << classes), (1 << classes) - 1]) for _ in intervals]
    entries = [
        {"gates": f"{m:x}", "for": i, "command": draw.choice("SSSHR")} for m, i in zip(masks, intervals, strict=True)
    ]
    content = {
        "map": [draw.randrange(classes) for _ in range(16)],
        "queues": ranges,
        "schedule": entries,
        "cycle_extension": draw.choice([0, 0, draw.randrange(1_000_000)]),
        "clock": draw.choice(["TAI", "TAI", "MONOTONIC", "REALTIME", "BOOTTIME"]),
    }
    if draw.random() < 0.3:
        shortest = 480 * len(intervals)
        content["cycle"] = draw.randint(shortest, max(shortest, 2 * sum(intervals)))
    if draw.random() < 0.2:
        content["max_sdu"] = [draw.choice([0, draw.randint(60, 1500)]) for _ in range(classes)]
    if draw.random() < 0.2:
        content |= {"flags": 1, "txtime_delay": draw.randrange(1_000_000)}
        content["queues"] = [f"1@{draw.randrange(queues)}" for _ in range(classes)]
    return check(content, Taprio, f"generated {seed}", exact=True), draw.choice([0, 200, 1_588_055_400_000_000_000, -5])


@st.composite
def small(draw):
    """Schedules of few nanoseconds, so that a model can look at each of them."""
    classes = draw(st.integers(1, 3))
    entries = draw(st.lists(st.tuples(st.integers(0, (1 << classes) - 1), st.integers(1, 6)), min_size=1, max_size=5))
    cycle = draw(st.none() | st.integers(1, 20))
    return taprio(entries, classes=classes, cycle=cycle)
