"""Priorities to traffic classes, and traffic classes to transmit queues: what taprio and mqprio have in common.

Source: ``mqprio_validate_qopt`` in net/sched/sch_mqprio_lib.c; ``struct tc_mqprio_qopt``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

PRIORITIES = 16
"""Socket priorities that a map covers."""

CLASSES_MAX = 16

PriorityMap = Annotated[list[int], Field(min_length=PRIORITIES, max_length=PRIORITIES)]
"""Traffic class of each of the 16 socket priorities."""

QueueRanges = Annotated[list[str], Field(min_length=1, max_length=CLASSES_MAX)]
"""Transmit queues of each traffic class, as tc writes them: ``1@0`` is one queue from queue 0 on."""


def queue_range(text: str) -> tuple[int, int]:
    """Count and offset of ``1@0``; ValueError says what was expected."""
    count, at, offset = text.partition("@")
    if not (at and count.isdecimal() and offset.isdecimal() and 0 < int(count) <= 0xFFFF and int(offset) <= 0xFFFF):
        raise ValueError(f"queues: expected COUNT@OFFSET such as 1@0, with at least one queue; got {text!r}")
    return int(count), int(offset)


def queues_needed(queues: Sequence[str]) -> int:
    """How many transmit queues the interface has to have."""
    return max(count + offset for count, offset in map(queue_range, queues))


def check_queues(priorities: Sequence[int], queues: Sequence[str], *, may_share: bool = False) -> None:
    """Refuses what the kernel refuses of a map and its queues on any interface.

    Args:
        priorities: traffic class of each socket priority.
        queues: range of each traffic class.
        may_share: whether traffic classes may use the same queues (taprio's txtime-assist).

    Raises:
        ValueError: says which entry is wrong and why.
    """
    classes = len(queues)
    for priority, traffic_class in enumerate(priorities):
        if not 0 <= traffic_class < classes:
            raise ValueError(
                f"map: priority {priority} goes to traffic class {traffic_class}, which has no queues"
                f" (there are {classes} classes)"
            )
    taken: dict[int, int] = {}
    for traffic_class, (count, offset) in enumerate(map(queue_range, queues)):
        for queue in range(offset, offset + count):
            if taken.setdefault(queue, traffic_class) != traffic_class and not may_share:
                raise ValueError(f"queues: {count}@{offset} overlaps the queues of another traffic class")


def queues_from_json(options: dict[str, Any]) -> list[str]:
    """The ranges in tc's JSON: objects for taprio, pairs of first and last queue for mqprio."""
    return [
        f"{q['count']}@{q['offset']}" if isinstance(q, dict) else f"{q[1] - q[0] + 1}@{q[0]}" for q in options["queues"]
    ]
