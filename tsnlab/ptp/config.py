"""The configuration of ptp4l, as the guide prints it, and what the virtual lab has to change in it.

Source: the guide, Step 1, ptp4l-switch.cfg and ptp4l-node.cfg; ptp4l(8).
"""

from __future__ import annotations

from collections.abc import Sequence

from tsnlab.ptp.options import check

_GUIDE = {
    "priority1": "128",
    "priority2": "128",
    "logAnnounceInterval": "1",
    "logSyncInterval": "-3",
    "syncReceiptTimeout": "3",
    "neighborPropDelayThresh": "800",
    "min_neighbor_prop_delay": "-20000000",
    "assume_two_step": "1",
    "path_trace_enabled": "1",
    "ptp_dst_mac": "01:1B:19:00:00:00",
    "network_transport": "L2",
    "delay_mechanism": "P2P",
    "tx_timestamp_timeout": "100",
    "summary_interval": "0",
}

_ONE_KERNEL = {
    # no interface of the virtual lab has a clock of its own
    "time_stamping": "software",
    # all nodes share one kernel clock: it is watched, and steered by 1e-9 at most (a servo that never steers
    # never locks, either)
    "max_frequency": "1",
    # a frame is stamped in software when it has been received whole, so that its length counts as delay,
    # and by the wall clock what else the machine was doing
    "neighborPropDelayThresh": "2000000",
}


_GPTP = {
    # configs/gPTP.cfg of linuxptp, where the guide differs from it
    "priority1": "248",
    "priority2": "248",
    "logAnnounceInterval": "0",
    "follow_up_info": "1",
    "ptp_dst_mac": "01:80:C2:00:00:0E",
}


def options(*, grandmaster: bool, one_kernel: bool, gptp: bool = False, **other: str) -> dict[str, str]:
    """The options of the section [global], checked.

    Args:
        grandmaster: whether this node may be the source of time (the switch), or only follows.
        one_kernel: whether all nodes are namespaces of one kernel without hardware clocks.
        gptp: the profile of IEEE 802.1AS as linuxptp has it, instead of the guide's values.
        other: options that are set otherwise, by ptp4l's names.

    Raises:
        ConfigError: an option is unknown or its value is not valid.
    """
    found = {"gmCapable": str(int(grandmaster)), **_GUIDE, "follow_up_info": str(int(grandmaster))}
    found |= _GPTP if gptp else {}
    found |= _ONE_KERNEL if one_kernel else {}
    found |= other
    check(found)
    return found


def text(interfaces: Sequence[str], *, grandmaster: bool, one_kernel: bool, gptp: bool = False, **other: str) -> str:
    """The file for ``ptp4l -f``.

    Args:
        interfaces: the ports.
        grandmaster, one_kernel, gptp, other: see :func:`options`.

    Raises:
        ConfigError: an option is unknown or its value is not valid.
    """
    settings = options(grandmaster=grandmaster, one_kernel=one_kernel, gptp=gptp, **other)
    lines = ["[global]", *(f"{name:23} {value}" for name, value in settings.items())]
    for interface in interfaces:
        lines += ["", f"[{interface}]", "transportSpecific 0x1"]
    return "\n".join(lines) + "\n"
