"""What a network interface can do of a schedule, and what the kernel or the interface would refuse.

Sources: drivers/net/ethernet/intel/igb/igb_main.c and igc (LaunchTime, queues), net/sched/sch_taprio.c.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tsnlab.errors import ConfigError
from tsnlab.quantity import show_duration, show_rate
from tsnlab.schedule.etf import Etf
from tsnlab.schedule.mqprio import Mqprio
from tsnlab.schedule.taprio import FULL_OFFLOAD, SHORTEST_FRAME, Taprio

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Nic:
    """A network interface as schedules see it.

    Attributes:
        title: its name in sentences.
        queues: transmit queues in use.
        rate_bps: of its link; taprio assumes 10 Mbit/s when the link is down and the driver does not know.
        launch_queues: queues that launch frames by their own clock (etf offload).
        launch_step_ns: resolution of a launch time.
        gates: whether it runs a gate control list itself (taprio flags 2).
        classes: whether it sets up traffic classes itself (mqprio hw 1).
        mtu_max: the largest MTU it can have, in bytes.
    """

    title: str
    queues: int = 4
    rate_bps: int = 1_000_000_000
    launch_queues: tuple[int, ...] = ()
    launch_step_ns: int = 1
    gates: bool = False
    classes: bool = False
    mtu_max: int = 65535

    def problems_of_classes(self, mqprio: Mqprio) -> list[str]:
        """Why the interface would not take an mqprio, one sentence each; empty if it would."""
        found = self._queues(mqprio)
        if mqprio.hardware and not self.classes:
            found.append(f"hardware: {self.title} does not set up classes itself; leave it out (hw 0)")
        return found

    def problems(self, taprio: Taprio, etf: Etf | None = None, priority: int | None = None) -> list[str]:
        """Why the interface would not take a schedule, one sentence each; empty if it would.

        Args:
            taprio: at its root.
            etf: on the queue of `priority`, with offload if the interface can launch frames.
        """
        found = [*self._queues(taprio), *self._entries(taprio)]
        if taprio.flags == FULL_OFFLOAD and not self.gates:
            found.append(f"flags 2: {self.title} does not run schedules itself; leave the flags out (software)")
        if any(size > self.mtu_max for size in taprio.max_sdu):
            found.append(f"max_sdu: larger than the largest MTU of {self.title}, {self.mtu_max} bytes")
        if etf is not None and priority is not None:
            found += self._launch(taprio, priority)
        return found

    def check(self, taprio: Taprio, etf: Etf | None = None, priority: int | None = None) -> None:
        """Refuses a schedule that the interface would not take.

        Raises:
            ConfigError: says why, and what to do.
        """
        if found := self.problems(taprio, etf, priority):
            raise ConfigError(f"{self.title} cannot run this schedule:\n  " + "\n  ".join(found))

    def shortest_ns(self) -> int:
        """The shortest entry that the kernel takes on this link: one frame of 60 bytes."""
        picos_per_byte = 8 * 1_000_000 // (self.rate_bps // 1_000_000)
        return SHORTEST_FRAME * picos_per_byte // 1000

    def _queues(self, value: Taprio | Mqprio) -> list[str]:
        if self.queues < 2:
            one = f"queues: an interface with several transmit queues is needed; {self.title} has one"
            return [f"{one}; if it can have more, tsnlab.links.channels(lab, case) sets them"]
        if value.queue_count > self.queues:
            needed = value.queue_count
            return [f"queues: {needed} are needed, {self.title} uses {self.queues}; tsnlab.links.channels(lab, case)"]
        return []

    def _entries(self, taprio: Taprio) -> list[str]:
        shortest = self.shortest_ns()
        found = [
            f"schedule: entry {index} lasts {interval} ns, less than the {shortest} ns of the shortest frame"
            f" at {show_rate(self.rate_bps)}"
            for index, (_, interval) in enumerate(taprio.entries)
            if interval < shortest
        ]
        if taprio.cycle_ns < len(taprio.schedule) * shortest:
            found.append(
                f"cycle: {show_duration(taprio.cycle_ns)} is too short for {len(taprio.schedule)} entries"
                f" of at least {shortest} ns"
            )
        return found

    def _launch(self, taprio: Taprio, priority: int) -> list[str]:
        """An interface without launch times leaves etf to the kernel, which has no limits of this kind."""
        if not self.launch_queues:
            return []
        found = []
        queue = taprio.queue(priority)
        if queue not in self.launch_queues:
            able = " and ".join(map(str, self.launch_queues))
            found.append(f"etf: {self.title} launches frames on queues {able} only; priority {priority} is on {queue}")
        if SECOND % taprio.cycle_ns:
            # the interface compares the part of a launch time below the second
            found.append(f"cycle: {show_duration(taprio.cycle_ns)} does not divide a second, as {self.title} needs it")
        return found


NICS = {
    "I210": Nic("an Intel I210", 4, 1_000_000_000, (0, 1), 32, mtu_max=9216),
    "I225": Nic("an Intel I225", 4, 2_500_000_000, (0, 1, 2, 3), 1, gates=True, classes=True, mtu_max=9216),
    "veth": Nic("the virtual lab's veth"),
    # it tells no speed of its link, for which the kernel takes 10 Mbit/s (taprio_set_picos_per_byte)
    "netdevsim": Nic("netdevsim", 8, 10_000_000, gates=True, mtu_max=65535),
}
"""Interfaces with limits that are known."""


def nic(name: str, *, queues: int | None = None, rate_bps: int | None = None) -> Nic:
    """A known interface, with the queues it uses now and the rate of its link.

    Raises:
        ConfigError: nothing is known of it; names those that are.
    """
    if name not in NICS:
        raise ConfigError(f"nothing is known of {name!r}; known are {', '.join(NICS)}")
    known = NICS[name]
    return replace(known, queues=queues or known.queues, rate_bps=rate_bps or known.rate_bps)
