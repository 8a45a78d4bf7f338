"""taprio for pyroute2.

Source: include/uapi/linux/pkt_sched.h (TCA_TAPRIO_*), iproute2's tc/q_taprio.c for the order of the attributes.

    ipr.tc("replace", kind="taprio", index=index, handle=0x1000000, num_tc=2, prio_tc_map=[0, 1] + [0] * 14,
           queues=[(1, 0), (1, 1)], base_time=0, entries=[("S", 0x1, 500000), ("S", 0x2, 500000)])
"""

from __future__ import annotations

from typing import Any

from pyroute2.netlink import NLA_F_NESTED, nla  # noqa: TID253 - a base class
from pyroute2.netlink.rtnl import TC_H_ROOT  # noqa: TID253 - belongs to it

CLOCKS = {"REALTIME": 0, "MONOTONIC": 1, "BOOTTIME": 7, "TAI": 11}
COMMANDS = {"S": 0, "H": 1, "R": 2}
FRAME_PREEMPTION = {"E": 1, "P": 2}
QUEUES_MAX = 16

parent = TC_H_ROOT

# struct tc_mqprio_qopt
QOPT_FIELDS = (
    ("num_tc", "B"),
    ("prio_tc_map", "16B"),
    ("hw", "B"),
    ("count", "16H"),
    ("offset", "16H"),
)


def qopt(arguments: dict[str, Any]) -> dict[str, Any]:
    """The fields of ``struct tc_mqprio_qopt``."""
    queues = [*arguments["queues"], *[(0, 0)] * (QUEUES_MAX - len(arguments["queues"]))]
    return {
        "num_tc": arguments["num_tc"],
        "prio_tc_map": tuple(arguments["prio_tc_map"]),
        "hw": arguments.get("hw", 0),
        "count": tuple(count for count, _ in queues),
        "offset": tuple(offset for _, offset in queues),
    }


def get_parameters(arguments: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a request, in tc's order.

    Args:
        arguments: `num_tc`, `prio_tc_map` (16), `queues` ((count, offset) of each class), `base_time`, `entries`
            ((command, mask, interval)); optional `clockid`, `flags`, `txtime_delay`, `cycle_time`,
            `cycle_time_extension`, `max_sdu` and `fp` (of each class).
    """
    plain = [
        ("TCA_TAPRIO_ATTR_SCHED_CLOCKID", arguments.get("clockid")),
        ("TCA_TAPRIO_ATTR_FLAGS", arguments.get("flags")),
        ("TCA_TAPRIO_ATTR_PRIOMAP", qopt(arguments)),
        ("TCA_TAPRIO_ATTR_TXTIME_DELAY", arguments.get("txtime_delay")),
        ("TCA_TAPRIO_ATTR_SCHED_BASE_TIME", arguments.get("base_time") or None),
        ("TCA_TAPRIO_ATTR_SCHED_CYCLE_TIME", arguments.get("cycle_time")),
        ("TCA_TAPRIO_ATTR_SCHED_CYCLE_TIME_EXTENSION", arguments.get("cycle_time_extension")),
    ]
    attributes: list[Any] = [[name, value] for name, value in plain if value is not None]
    entries = [["TCA_TAPRIO_SCHED_ENTRY", _entry(*entry)] for entry in arguments["entries"]]
    attributes.append(["TCA_TAPRIO_ATTR_SCHED_ENTRY_LIST", {"attrs": entries}])
    attributes += [["TCA_TAPRIO_ATTR_TC_ENTRY", entry] for entry in _classes(arguments)]
    return {"attrs": attributes}


def _entry(command: str, mask: int, interval: int) -> dict[str, Any]:
    values = (COMMANDS[command], mask, interval)
    names = ("CMD", "GATE_MASK", "INTERVAL")
    return {"attrs": [[f"TCA_TAPRIO_SCHED_ENTRY_{n}", v] for n, v in zip(names, values, strict=True)]}


def _classes(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    sizes, preemption = arguments.get("max_sdu") or [], arguments.get("fp") or []
    found = []
    for index in range(max(len(sizes), len(preemption))):
        attributes = [["TCA_TAPRIO_TC_ENTRY_INDEX", index]]
        if index < len(sizes):
            attributes.append(["TCA_TAPRIO_TC_ENTRY_MAX_SDU", sizes[index]])
        if index < len(preemption):
            attributes.append(["TCA_TAPRIO_TC_ENTRY_FP", FRAME_PREEMPTION[preemption[index]]])
        found.append({"attrs": attributes})
    return found


class options(nla):  # type: ignore[misc]  # noqa: N801, D101, RUF100 - pyroute2's name; it has no types
    class entry_list(nla):  # type: ignore[misc]  # noqa: D106
        nla_flags = NLA_F_NESTED
        nla_map = (
            ("TCA_TAPRIO_SCHED_UNSPEC", "none"),
            ("TCA_TAPRIO_SCHED_ENTRY", "entry"),
        )

        class entry(nla):  # type: ignore[misc]  # noqa: D106
            # tc sends entries without the flag, the kernel does not mind
            nla_map = (
                ("TCA_TAPRIO_SCHED_ENTRY_UNSPEC", "none"),
                ("TCA_TAPRIO_SCHED_ENTRY_INDEX", "uint32"),
                ("TCA_TAPRIO_SCHED_ENTRY_CMD", "uint8"),
                ("TCA_TAPRIO_SCHED_ENTRY_GATE_MASK", "uint32"),
                ("TCA_TAPRIO_SCHED_ENTRY_INTERVAL", "uint32"),
            )

    class qopt(nla):  # type: ignore[misc]  # noqa: D106
        fields = QOPT_FIELDS

    class tc_entry(nla):  # type: ignore[misc]  # noqa: D106
        nla_flags = NLA_F_NESTED
        nla_map = (
            ("TCA_TAPRIO_TC_ENTRY_UNSPEC", "none"),
            ("TCA_TAPRIO_TC_ENTRY_INDEX", "uint32"),
            ("TCA_TAPRIO_TC_ENTRY_MAX_SDU", "uint32"),
            ("TCA_TAPRIO_TC_ENTRY_FP", "uint32"),
        )

    class admin(nla):  # type: ignore[misc]  # noqa: D106
        nla_map = (
            ("TCA_TAPRIO_ATTR_UNSPEC", "none"),
            ("TCA_TAPRIO_ATTR_PRIOMAP", "hex"),
            ("TCA_TAPRIO_ATTR_SCHED_ENTRY_LIST", "entry_list"),
            ("TCA_TAPRIO_ATTR_SCHED_BASE_TIME", "int64"),
            ("TCA_TAPRIO_ATTR_SCHED_SINGLE_ENTRY", "hex"),
            ("TCA_TAPRIO_ATTR_SCHED_CLOCKID", "int32"),
            ("TCA_TAPRIO_ATTR_PAD", "hex"),
            ("TCA_TAPRIO_ATTR_ADMIN_SCHED", "hex"),
            ("TCA_TAPRIO_ATTR_SCHED_CYCLE_TIME", "int64"),
            ("TCA_TAPRIO_ATTR_SCHED_CYCLE_TIME_EXTENSION", "int64"),
        )

    nla_map = (
        ("TCA_TAPRIO_ATTR_UNSPEC", "none"),
        ("TCA_TAPRIO_ATTR_PRIOMAP", "qopt"),
        ("TCA_TAPRIO_ATTR_SCHED_ENTRY_LIST", "entry_list"),
        ("TCA_TAPRIO_ATTR_SCHED_BASE_TIME", "int64"),
        ("TCA_TAPRIO_ATTR_SCHED_SINGLE_ENTRY", "hex"),
        ("TCA_TAPRIO_ATTR_SCHED_CLOCKID", "int32"),
        ("TCA_TAPRIO_ATTR_PAD", "hex"),
        ("TCA_TAPRIO_ATTR_ADMIN_SCHED", "admin"),
        ("TCA_TAPRIO_ATTR_SCHED_CYCLE_TIME", "int64"),
        ("TCA_TAPRIO_ATTR_SCHED_CYCLE_TIME_EXTENSION", "int64"),
        ("TCA_TAPRIO_ATTR_FLAGS", "uint32"),
        ("TCA_TAPRIO_ATTR_TXTIME_DELAY", "uint32"),
        ("TCA_TAPRIO_ATTR_TC_ENTRY", "tc_entry"),
    )


options.admin.entry_list = options.entry_list
