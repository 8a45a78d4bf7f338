"""cbs for pyroute2.

Source: include/uapi/linux/pkt_sched.h (TCA_CBS_PARMS, struct tc_cbs_qopt).

    ipr.tc("replace", kind="cbs", index=index, parent=0x1000001, idleslope=98688, sendslope=-901312, hicredit=153,
           locredit=-1389)
"""

from __future__ import annotations

from typing import Any

from pyroute2.netlink import nla  # noqa: TID253 - a base class


def get_parameters(arguments: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a request.

    Args:
        arguments: `idleslope`, `sendslope` (kbit/s), `hicredit`, `locredit` (bytes); optional `offload`.
    """
    keys = ("hicredit", "locredit", "idleslope", "sendslope")
    values = {"offload": int(arguments.get("offload", 0)), "pad": bytes(3), **{key: arguments[key] for key in keys}}
    return {"attrs": [["TCA_CBS_PARMS", values]]}


class options(nla):  # type: ignore[misc]  # noqa: N801, D101, RUF100 - pyroute2's name; it has no types
    nla_map = (("TCA_CBS_UNSPEC", "none"), ("TCA_CBS_PARMS", "parms"))

    class parms(nla):  # type: ignore[misc]  # noqa: D106
        fields = (
            ("offload", "B"),
            ("pad", "3s"),
            ("hicredit", "i"),
            ("locredit", "i"),
            ("idleslope", "i"),
            ("sendslope", "i"),
        )
