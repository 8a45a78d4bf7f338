"""mqprio for pyroute2.

Source: include/uapi/linux/pkt_sched.h (TCA_MQPRIO_*), iproute2's tc/q_mqprio.c.

    ipr.tc("replace", kind="mqprio", index=index, handle=0x1000000, num_tc=2, prio_tc_map=[0, 1] + [0] * 14,
           queues=[(1, 0), (1, 1)], hw=0)
"""

from __future__ import annotations

from typing import Any

from pyroute2.netlink import NLA_F_NESTED, nla  # noqa: TID253 - a base class
from pyroute2.netlink.rtnl import TC_H_ROOT  # noqa: TID253 - belongs to it

from tsnlab.qdisc.tcmsg.sched_taprio import QOPT_FIELDS, QUEUES_MAX, qopt

MODES = {"dcb": 0, "channel": 1}
SHAPERS = {"dcb": 0, "bw_rlimit": 1}

parent = TC_H_ROOT


def get_parameters(arguments: dict[str, Any]) -> dict[str, Any]:
    """The structure and the attributes of a request, in tc's order.

    Args:
        arguments: `num_tc`, `prio_tc_map` (16), `queues` ((count, offset) of each class), `hw`; optional `mode`,
            `shaper` (numbers), `min_rate` and `max_rate` (bytes per second, of each class).
    """
    attributes: list[Any] = [
        [f"TCA_MQPRIO_{key.upper()}", arguments[key]] for key in ("mode", "shaper") if arguments.get(key) is not None
    ]
    for key in ("min_rate", "max_rate"):
        if arguments.get(key):
            rates = [*arguments[key], *[0] * (QUEUES_MAX - len(arguments[key]))]
            name = f"TCA_MQPRIO_{key.upper()}64"
            attributes.append([name, {"attrs": [[name, rate] for rate in rates]}])
    return {**qopt(arguments), "padding": 0, "attrs": attributes}


class options(nla):  # type: ignore[misc]  # noqa: N801, D101, RUF100 - pyroute2's name; it has no types
    # the attributes follow the structure at a multiple of four bytes
    fields = (*QOPT_FIELDS, ("padding", "H"))
    nla_map = (
        ("TCA_MQPRIO_UNSPEC", "none"),
        ("TCA_MQPRIO_MODE", "uint16"),
        ("TCA_MQPRIO_SHAPER", "uint16"),
        ("TCA_MQPRIO_MIN_RATE64", "rates"),
        ("TCA_MQPRIO_MAX_RATE64", "rates"),
    )

    class rates(nla):  # type: ignore[misc]  # noqa: D106
        nla_flags = NLA_F_NESTED
        nla_map = (
            ("TCA_MQPRIO_UNSPEC", "none"),
            ("TCA_MQPRIO_MODE", "hex"),
            ("TCA_MQPRIO_SHAPER", "hex"),
            ("TCA_MQPRIO_MIN_RATE64", "uint64"),
            ("TCA_MQPRIO_MAX_RATE64", "uint64"),
        )
