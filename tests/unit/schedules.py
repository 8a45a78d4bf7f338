"""Schedules for the tests: those of the manual pages (iproute2 6.1), and generated ones."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from tsnlab.files import check
from tsnlab.schedule import Cbs, Etf, Mqprio, Taprio


def taprio(entries, *, classes=4, priorities=None, **other):
    """A schedule of (mask, interval in ns)."""
    content = {
        "map": priorities or [tc % classes for tc in range(16)],
        "queues": [f"1@{tc}" for tc in range(classes)],
        "schedule": [{"gates": f"{mask:02x}", "for": interval} for mask, interval in entries],
        **other,
    }
    return check(content, Taprio, "test", exact=True)


# every taprio of tc-taprio(8), EXAMPLES: the value, its base time, and what the page tells tc
_MANUAL_MAP = [2, 2, 1, 0, *[2] * 12]
MANUAL = {
    "software": (
        taprio([(1, 300_000), (2, 300_000), (4, 300_000)], priorities=_MANUAL_MAP, queues=["1@0", "1@1", "2@2"]),
        1528743495910289987,
        "taprio num_tc 3 map 2 2 1 0 2 2 2 2 2 2 2 2 2 2 2 2 queues 1@0 1@1 2@2 base-time 1528743495910289987"
        " sched-entry S 01 300000 sched-entry S 02 300000 sched-entry S 04 300000 clockid CLOCK_TAI",
    ),
    "txtime-assist": (
        taprio(
            [(1, 300_000), (2, 300_000), (4, 400_000)],
            priorities=_MANUAL_MAP,
            queues=["1@0", "1@0", "1@0"],
            flags=1,
            txtime_delay=200_000,
        ),
        1528743495910289987,
        "taprio num_tc 3 map 2 2 1 0 2 2 2 2 2 2 2 2 2 2 2 2 queues 1@0 1@0 1@0 base-time 1528743495910289987"
        " sched-entry S 01 300000 sched-entry S 02 300000 sched-entry S 04 400000 flags 0x1 txtime-delay 200000"
        " clockid CLOCK_TAI",
    ),
    "full offload": (
        taprio(
            [(0x80, 20_000), (0xA0, 20_000), (0xDF, 60_000)],
            classes=8,
            priorities=[*range(8), *[0] * 8],
            flags=2,
        ),
        200,
        # tc fills up the map of eight priorities with class 0
        "taprio num_tc 8 map 0 1 2 3 4 5 6 7 0 0 0 0 0 0 0 0 queues 1@0 1@1 1@2 1@3 1@4 1@5 1@6 1@7 base-time 200"
        " sched-entry S 80 20000 sched-entry S a0 20000 sched-entry S df 60000 flags 0x2",
    ),
}

# of tc-taprio(8) and tc-etf(8), tc-etf(8) and tc-cbs(8), tc-cbs(8)
MANUAL_ETF = {
    "below txtime-assist": (
        Etf(delta="200 us", offload_delta="200 us", skip_sock_check=True),
        "etf skip_sock_check offload delta 200000 clockid CLOCK_TAI",
    ),
    "below mqprio": (Etf(delta="300 us", offload_delta="300 us"), "etf clockid CLOCK_TAI delta 300000 offload"),
}
MANUAL_MQPRIO = (
    Mqprio(map=_MANUAL_MAP, queues=["1@0", "1@1", "2@2"]),
    "mqprio num_tc 3 map 2 2 1 0 2 2 2 2 2 2 2 2 2 2 2 2 queues 1@0 1@1 2@2 hw 0",
)
MANUAL_CBS = (
    Cbs(idleslope=20_000, sendslope=-980_000, hicredit=30, locredit=-1470),
    "cbs locredit -1470 hicredit 30 sendslope -980000 idleslope 20000",
)


def words(text):
    """What tc is told, whatever the order of its keywords: each with what follows it, and the gates in order."""
    found, key = {}, ""
    for word in text.split():
        if word.replace("-", "").replace("_", "").isalpha() and not word.startswith("CLOCK_") and word not in "SHR":
            key = word
            found.setdefault(key, [])
        elif word.startswith("0x"):
            found[key].append(str(int(word, 16)))
        else:
            found[key].append(word)
    return found


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
