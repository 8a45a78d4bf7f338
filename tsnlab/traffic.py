"""The command lines of the programs that run on the nodes: talker, listener and load."""

from __future__ import annotations

from tsnlab import links, programs
from tsnlab.case import Case, Load
from tsnlab.errors import ConfigError
from tsnlab.formats.datagrams import HEADERS
from tsnlab.lab import Endpoint
from tsnlab.session import Lab
from tsnlab.stamping import Stamping

IPERF3_PAYLOAD = 1448
"""Bytes of a datagram, as in the guide."""


def talker(lab: Lab, case: Case, stamping: Stamping) -> list[str]:
    """The talker of the case's stream; its cycles are aligned to the instant that all schedules start from."""
    stream = case.stream
    words = [
        *programs.command(lab, lab.talker.node, "talker.py"),
        links.vlan_name(lab.talker, case),
        f"--source={links.mac(lab, lab.talker)}",
        f"--destination={links.mac(lab, lab.listener)}",
        f"--base={lab.reference_ns}",
        f"--cycle={stream.cycle}",
        f"--count={stream.sent}",
        f"--priority={stream.priority}",
        f"--stamps={stamping.sent}",
    ]
    if stream.launch_ns is not None:
        words += ["--txtime", f"--offset={stream.launch_ns}"]
    if lab.virtual_time:
        latency = stream.wakeup_latency
        shape = [latency.minimum, latency.median, latency.sigma, latency.maximum]
        words += ["--latency", *map(str, shape), f"--seed={stream.seed}"]
    return words


def listener(lab: Lab, case: Case, quiet_s: float, stamping: Stamping) -> list[str]:
    """The listener; it ends with the stream, or when nothing came for so many seconds."""
    begin = programs.command(lab, lab.listener.node, "listener.py")
    how = f"--nic={lab.listener.interface}" if stamping.received == "hardware" else "--no-hardware"
    return [*begin, links.vlan_name(lab.listener, case), f"--quiet={quiet_s}", how]


def load_sender(lab: Lab, load: Load) -> list[str]:
    """The source of best-effort load; runs until it is stopped."""
    source = lab.spec.roles.load_source
    return [
        *programs.command(lab, source.node, "load.py"),
        source.interface,
        "send",
        f"--source={links.mac(lab, source)}",
        f"--destination={links.mac(lab, load_target(lab, load))}",
        f"--rate={load.rate}",
        f"--length={load.frame}",
    ]


def load_counter(lab: Lab, load: Load) -> list[str]:
    """What counts the load where it arrives; runs until it is stopped."""
    target = load_target(lab, load)
    return [*programs.command(lab, target.node, "load.py"), target.interface, "count"]


def iperf3_client(lab: Lab, load: Load) -> list[str]:
    """The guide's iperf3 client, at the load's rate; runs until it is stopped."""
    address = lab.spec.interface(load_target(lab, load)).address
    if address is None:
        raise ConfigError(f"{load_target(lab, load)} has no address in the lab file, which iperf3 needs")
    payload_rate = load.rate * IPERF3_PAYLOAD // (IPERF3_PAYLOAD + HEADERS)
    words = ["iperf3", "-J", "-u", "-c", address.partition("/")[0], "-b", str(payload_rate)]
    return [*words, "-l", str(IPERF3_PAYLOAD), "-t", "86400"]


def iperf3_server() -> list[str]:
    """The guide's iperf3 server, for one test."""
    return ["iperf3", "-J", "-s", "-1"]


def load_target(lab: Lab, load: Load) -> Endpoint:
    """Where the load goes."""
    return lab.listener if load.to == "listener" else lab.spec.roles.load_sink
