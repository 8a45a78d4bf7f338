"""What the kernel means when it refuses a qdisc, and what to do about it.

Source: the extended acknowledgements of net/sched/sch_{taprio,etf,mqprio,mqprio_lib,cbs,api}.c, Linux 5.4 to 6.12.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tsnlab.errors import CommandError
from tsnlab.hosts import Host

UNTOLD = "this tc cannot say it"
"""The remedy's first words where an older tc does not know a word of a schedule."""

_REMEDIES = (
    (
        r"Unknown argument|What is \"",
        f"{UNTOLD}: max-sdu came with iproute2 6.2, fp with 6.4; install a newer one, or leave them out",
    ),
    (r"Multi-queue device is required", "give the interface several transmit queues: ethtool -L DEV combined 4"),
    (r"exceed the \d+ TX queues|greater than number of HW queues|Queues \d+:\d+", "ethtool -L DEV combined N first"),
    (r"overlap", "give each traffic class queues of its own; only txtime-assist (flags 1) may share them"),
    (r"clockid.*mandatory", "add clockid CLOCK_TAI, or let the interface run the schedule (flags 2)"),
    (r"clockid.*full offload", "leave the clock out: with flags 2 the interface uses its own"),
    (
        r"does not have a PTP clock|Device does not have",
        "flags 2 needs an interface with its own clock; see ethtool -T",
    ),
    (
        r"offload is not supported|does not support.*taprio|full offload",
        "leave flags 2 out: the schedule runs in software",
    ),
    (r"Changing the .* of a running schedule", "delete the root qdisc first: tc qdisc del dev DEV root"),
    (r"Specified 'flags'|flags", "flags are 0 (software), 1 (txtime-assist) or 2 (full offload)"),
    (r"at least one entry", "add an entry to the schedule"),
    (
        r"Invalid interval",
        "an entry lasts at least as long as a frame of 60 bytes; while a link is down its rate may count as 10 Mbit/s",
    ),
    (r"cycle_time' is too (big|small)", "a cycle lasts at most 2.147 s, and long enough for a frame in each entry"),
    (r"txtime-delay", "txtime-delay belongs to flags 1"),
    (r"[Mm]ax SDU exceeds", "a max-sdu is at most the largest MTU of the interface: ip -d link show DEV"),
    (r"[Pp]reempt", "leave fp out: only some interfaces preempt frames, and only with flags 2"),
    (r"CLOCK_TAI must be used|Invalid clockid", "etf takes CLOCK_TAI only"),
    (r"Delta must be positive", "delta is 0 or more nanoseconds"),
    (r"does not support ETF offload", "leave offload out: the kernel launches the frames, less exactly"),
    (r"failed to setup ETF hardware offload", "an I210 launches frames on queues 0 and 1 only: move the class there"),
    (r"Change operation not supported", "etf cannot be changed: delete the root qdisc and build it anew"),
    (r"kind is unknown|qdisc kind", "the kernel lacks this qdisc: CONFIG_NET_SCH_TAPRIO, _ETF, _MQPRIO, _CBS"),
    (
        r"[Cc]lass.*not found|Failed to find specified qdisc|Specified class",
        "attach the root qdisc before its children",
    ),
    (r"Operation not permitted", "CAP_NET_ADMIN is needed: root, or --cap-add=NET_ADMIN"),
)


def remedy(message: str) -> str:
    """What to do about a refusal; empty if nothing is known of it."""
    return next((words for pattern, words in _REMEDIES if re.search(pattern, message)), "")


def error(host: Host, interface: str, argv: Sequence[str], message: str, number: int) -> CommandError:
    """A refusal as an error: the kernel's words, versions and queues, and what to do."""
    lines = [f"the kernel says: {message} (errno {number})", *_circumstances(host, interface)]
    return CommandError(host.name, argv, number, "\n".join(lines), remedy(message).replace("DEV", interface))


def _circumstances(host: Host, interface: str) -> list[str]:
    kernel = host.run(["uname", "-r"], check=False).stdout.strip()
    tc = host.run(["tc", "-V"], check=False).stdout.strip()
    names = host.run(["ls", f"/sys/class/net/{interface}/queues"], check=False).stdout.split()
    queues = sum(name.startswith("tx-") for name in names)
    return [f"Linux {kernel}, {tc}, {interface} has {queues} transmit queues"]
