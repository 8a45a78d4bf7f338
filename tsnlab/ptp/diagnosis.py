"""Why clocks are not synchronised: every known cause is looked for, and named with what shows it.

Sources: linuxptp's port.c, clock.c, clockcheck.c for what is logged; net/sched/sch_taprio.c for what a gate does to
ptp4l's own frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tsnlab import qdisc
from tsnlab.errors import StepError
from tsnlab.lab import Endpoint
from tsnlab.ptp import pmc, system
from tsnlab.quantity import show_duration
from tsnlab.schedule import Taprio

if TYPE_CHECKING:
    from tsnlab.ptp.clock import Clock
    from tsnlab.ptp.sync import Sync
    from tsnlab.session import Lab

_DAEMONS = ("chronyd", "ntpd", "systemd-timesyn", "openntpd", "timemaster")
_HAVE_TO_AGREE = ("domainNumber", "network_transport", "delay_mechanism", "transportSpecific", "ptp_dst_mac")
_NO_TIMESTAMP = "timed out while polling for tx timestamp"


@dataclass(frozen=True)
class Cause:
    """One thing that keeps clocks from being synchronised.

    Attributes:
        kind: in a few words, always the same for the same cause.
        node: where.
        why: what was seen, and what to do.
    """

    kind: str
    node: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.node}): {self.why}"


def diagnose(lab: Lab, sync: Sync) -> list[Cause]:
    """Every cause that is found, the most fundamental first."""
    machines = (_ended, _links, _gates)
    system_clocks = (_tai, _jump, _apart, _steered)
    protocol = (_configuration, _timestamps, _delays, _sources, _announces)
    return [cause for check in (*machines, *system_clocks, *protocol) for cause in check(lab, sync)]


def _ended(_lab: Lab, sync: Sync) -> Iterator[Cause]:
    if sync.source.ended:
        why = f"its ptp4l {sync.source.how_it_ended()}; nobody sends the time"
        yield Cause("grandmaster gone", sync.source.node, why)
    for clock in [*sync.clocks, *sync.phc2sys]:
        if clock.ended:
            yield Cause(f"{clock.program} ended", clock.node, f"it {clock.how_it_ended()}")
    for clock in sync.everyone:
        ends = [how for moment, how in clock.ends if moment >= sync.since_ns]
        if ends:
            times = f"{len(ends)} time{'s' * (len(ends) > 1)}"
            yield Cause(f"{clock.program} ended", clock.node, f"it {ends[-1]}; started anew {times}")


def _links(lab: Lab, sync: Sync) -> Iterator[Cause]:
    for clock in sync.clocks:
        for interface in clock.interfaces:
            said = lab.host(clock.node).run(["ip", "-j", "link", "show", "dev", interface], check=False).stdout
            flags = json.loads(said)[0]["flags"] if said else []
            if "LOWER_UP" not in flags:
                why = "it has no carrier" if "UP" in flags else "it is switched off"
                yield Cause("link down", clock.node, f"{interface}: {why}; see both ends of its cable")
        flaps = [moment for moment, text in clock.messages if text.endswith("link down") and moment >= sync.since_ns]
        if flaps:
            times = f"{len(flaps)} time{'s' * (len(flaps) > 1)}"
            yield Cause("link flap", clock.node, f"its link went down {times}; ptp4l starts anew after each")


def _gates(lab: Lab, sync: Sync) -> Iterator[Cause]:
    """ptp4l's own frames pass the gates, and in taprio's children, like any other."""
    for clock in sync.clocks:
        for interface in clock.interfaces:
            qdiscs = qdisc.show(lab.host(clock.node), interface)
            top = qdisc.find(qdiscs, "taprio")
            if top is None:
                continue
            taprio, priority = Taprio.from_tc_json(top["options"]), int(clock.options.get("socket_priority", "0"))
            yield from _gate(lab, clock, interface, taprio, priority)
            if qdisc.find(qdiscs, "etf", f"{top['handle']}{taprio.queue(priority) + 1:x}"):
                why = f"{interface}: etf drops ptp4l's frames (priority {priority}), which have no launch time"
                yield Cause("closed gate", clock.node, f"{why}; set socket_priority to one of another class")


def _gate(lab: Lab, clock: Clock, interface: str, taprio: Taprio, priority: int) -> Iterator[Cause]:
    traffic_class = taprio.traffic_class(priority)
    if not taprio.spans(traffic_class):
        why = f"{interface}: ptp4l's frames (priority {priority}) are of class {traffic_class}, whose gate never opens"
        yield Cause("closed gate", clock.node, f"{why}; open it, or set socket_priority to one of another class")
        return
    try:
        qdisc.check_gates(lab, Endpoint(node=clock.node, interface=interface))
    except StepError as error:
        yield Cause("closed gate", clock.node, str(error))


def _tai(_lab: Lab, sync: Sync) -> Iterator[Cause]:
    yield from tai_causes(sync.wrong_tai())


def tai_causes(readings: Iterable[system.Reading]) -> Iterator[Cause]:
    """One for each kernel whose offset of TAI is not the lab's; it names the nodes that run on it."""
    for reading in readings:
        yield Cause(
            "wrong TAI offset",
            reading.named,
            f"CLOCK_TAI is {reading.tai_offset_s} s ahead of CLOCK_REALTIME, {system.TAI_OFFSET_S} s is the lab's;"
            " a time daemon with a list of leap seconds sets it: stop it, and set it back (adjtimex)",
        )


def _jump(_lab: Lab, sync: Sync) -> Iterator[Cause]:
    yield from jump_causes(sync.jumps())
    for clock in [*sync.clocks, *sync.phc2sys]:
        told = [text for text in clock.warnings if "clockcheck: clock" in text]
        if told:
            yield Cause("clock jump", clock.node, f"{clock.program} says: {told[-1]}")


def jump_causes(jumps: Iterable[tuple[str, int]]) -> Iterator[Cause]:
    """One for each system clock that jumped; it names the nodes whose clock it is."""
    for nodes, jump_ns in jumps:
        yield Cause("clock jump", nodes, f"CLOCK_REALTIME went {show_duration(jump_ns)} beside the time that passed")


def _apart(_lab: Lab, sync: Sync) -> Iterator[Cause]:
    for node, phc, offset_ns in sync.apart(samples=1):
        why = f"{phc} is {show_duration(offset_ns)} from the system clock, {sync.threshold_ns} ns are allowed"
        yield Cause("clocks of a node apart", node, why)


def _steered(lab: Lab, sync: Sync) -> Iterator[Cause]:
    for nodes in system.kernels(lab, [place.node for place in sync.places]):
        said = lab.host(nodes[0]).run(["sh", "-c", "cat /proc/[0-9]*/comm 2>/dev/null"], check=False).stdout
        running = said.split()
        for daemon in sorted(set(running) & set(_DAEMONS)):
            yield Cause("another daemon", ", ".join(nodes), f"{daemon} steers the system clock as well; stop it")
        for program in ("ptp4l", "phc2sys"):
            ours = sum(c.program == program and c.node in nodes and not c.ended for c in sync.everyone)
            if running.count(program) > ours:
                why = f"{running.count(program)} {program} run there, {ours} of them are this lab's; stop the others"
                yield Cause("another daemon", ", ".join(nodes), why)


def _configuration(_lab: Lab, sync: Sync) -> Iterator[Cause]:
    source = sync.source
    if source.options.get("gmCapable") == "0":
        yield Cause("gmCapable conflict", source.node, "gmCapable is 0 on the node that has to be the source of time")
    for clock in sync.clocks:
        if clock.options.get("gmCapable", "1") == "1" and clock.state in ("MASTER", "GRAND_MASTER"):
            why = f"it took the part of {source.node}, as gmCapable is 1 and nobody better is heard; set it to 0"
            yield Cause("gmCapable conflict", clock.node, why)
        for name in _HAVE_TO_AGREE:
            here, there = clock.options.get(name), source.options.get(name)
            if here != there:
                kind = "wrong domain" if name == "domainNumber" else "wrong transport"
                yield Cause(kind, clock.node, f"{name} is {here or 'unset'}, but {there or 'unset'} on {source.node}")


def _timestamps(lab: Lab, sync: Sync) -> Iterator[Cause]:
    for clock in [sync.source, *sync.clocks]:
        count = sum(_NO_TIMESTAMP in text for text in clock.warnings)
        if count and not any(_gates(lab, sync)):
            why = f"ptp4l waited in vain for {count} of them; raise tx_timestamp_timeout, or see what holds frames back"
            yield Cause("missing transmit timestamps", clock.node, why)


def _delays(lab: Lab, sync: Sync) -> Iterator[Cause]:
    for clock in sync.clocks:
        if clock.options.get("follow_up_info") != "1":
            continue  # only ports of 802.1AS have to be asCapable (port_capable in port.c)
        limit = int(clock.options.get("neighborPropDelayThresh", "20000000"))
        for port in pmc.query(lab.host(clock.node), "PORT_DATA_SET", **clock.addressed()):
            delay = port.integer("peerMeanPathDelay")
            if delay > limit:
                why = f"the neighbour is {delay} ns away, {limit} ns are allowed (neighborPropDelayThresh)"
                yield Cause("neighbour delay", clock.node, why)


def _sources(lab: Lab, sync: Sync) -> Iterator[Cause]:
    followed = {
        clock.node: answer.fields["gmIdentity"]
        for clock in sync.clocks
        if clock.following
        for answer in pmc.query(lab.host(clock.node), "TIME_STATUS_NP", **clock.addressed())
    }
    if len(set(followed.values())) > 1:
        named = ", ".join(f"{node} follows {source}" for node, source in followed.items())
        yield Cause("different grandmasters", ", ".join(followed), named)


def _announces(_lab: Lab, sync: Sync) -> Iterator[Cause]:
    for clock in sync.clocks:
        heard = any("new foreign master" in text for _, text in clock.messages)
        if not clock.following and not heard and not clock.ended:
            why = f"it is {clock.state} and has heard nobody announce the time; is {sync.source.node} reached?"
            yield Cause("no announce seen", clock.node, why)
        last = clock.offsets[-1][1] if clock.offsets else None
        if clock.following and last is not None and last.worst_ns > clock.threshold_ns:
            trend = " ".join(str(offset.worst_ns) for _, offset in clock.offsets[-5:])
            yield Cause("offset too large", clock.node, f"offsets of {trend} ns, {clock.threshold_ns} ns are allowed")
