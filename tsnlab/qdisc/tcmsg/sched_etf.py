"""etf for pyroute2.

Source: include/uapi/linux/pkt_sched.h (TCA_ETF_PARMS, struct tc_etf_qopt).

    ipr.tc("replace", kind="etf", index=index, parent=0x1000002, delta=2000)
"""

from __future__ import annotations

from typing import Any

from pyroute2.netlink import nla  # noqa: TID253 - a base class

CLOCK_TAI = 11


def get_parameters(arguments: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a request.

    Args:
        arguments: `delta` in ns; optional `clockid` (11, TAI) and `flags` (1 deadline mode, 2 offload, 4 skip the check
            of the socket).
    """
    parameters = {"delta": arguments["delta"], "clockid": arguments.get("clockid", CLOCK_TAI)}
    return {"attrs": [["TCA_ETF_PARMS", {**parameters, "flags": arguments.get("flags", 0)}]]}


class options(nla):  # type: ignore[misc]  # noqa: N801, D101, RUF100 - pyroute2's name; it has no types
    nla_map = (("TCA_ETF_UNSPEC", "none"), ("TCA_ETF_PARMS", "parms"))

    class parms(nla):  # type: ignore[misc]  # noqa: D106
        fields = (("delta", "i"), ("clockid", "i"), ("flags", "I"))
