"""Events of the lab's devices and wires, each at its nanosecond of the lab's time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

NEVER = (1 << 63) - 1
"""The time of an event that does not come: also the kernel's, when it sleeps with nothing to do."""

Action = Callable[[], None]


class Event:
    """Something that will happen, unless it is cancelled."""

    __slots__ = ("action", "time_ns")

    def __init__(self, time_ns: int, action: Action) -> None:
        self.time_ns = time_ns
        self.action: Action | None = action

    def cancel(self) -> None:
        """Makes it not happen; once it has happened, this does nothing."""
        self.action = None


class Agenda:
    """What will happen, in the order of time; at one instant, in the order in which it was put down.

    Args:
        now: tells the lab's time in nanoseconds.
        earlier: called with the time of an event that comes before all others.
    """

    def __init__(self, now: Callable[[], int], earlier: Callable[[int], None] = lambda _time_ns: None) -> None:
        self.now = now
        self._earlier = earlier
        self._heap: list[tuple[int, int, Event]] = []
        self._order = count()

    def at(self, time_ns: int, action: Action) -> Event:
        """Puts down that an action is done at a time; a time that has passed is now."""
        time_ns = max(time_ns, self.now())
        event = Event(time_ns, action)
        if not self._heap or time_ns < self._heap[0][0]:
            self._earlier(time_ns)
        heapq.heappush(self._heap, (time_ns, next(self._order), event))
        return event

    @property
    def next_ns(self) -> int:
        """When the next event happens; :data:`NEVER` if there is none."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else NEVER

    def happen(self) -> None:
        """Does the next event; the time has to be its own already."""
        event = heapq.heappop(self._heap)[2]
        action, event.action = event.action, None
        if action is not None:
            action()
