"""The configuration of ptp4l, as the guide prints it, and what software timestamps have to change in it.

Source: the guide, Step 1, ptp4l-switch.cfg and ptp4l-node.cfg; ptp4l(8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from tsnlab.ptp.options import check
from tsnlab.ptp.unicast import UnicastTable

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

_SOFTWARE = {
    "time_stamping": "software",
    # a frame is stamped in software when it has been received whole, so that its length counts as delay,
    # and by the wall clock what else the machine was doing
    "neighborPropDelayThresh": "2000000",
}

_WATCHED = {
    # the clock is the source's own: it is watched, and steered by 1e-9 at most (a servo that never steers never
    # locks, either)
    "max_frequency": "1",
    # those that linuxptp has for hardware: by its own for software, it would look for 35 s before it follows
    "pi_proportional_const": "0.7",
    "pi_integral_const": "0.3",
}

_GPTP = {
    # configs/gPTP.cfg of linuxptp, where the guide differs from it
    "priority1": "248",
    "priority2": "248",
    "logAnnounceInterval": "0",
    "follow_up_info": "1",
    "ptp_dst_mac": "01:80:C2:00:00:0E",
}


def options(
    *,
    grandmaster: bool,
    timestamping: Literal["hardware", "software"] = "hardware",
    shared_clock: bool = False,
    gptp: bool = False,
    **other: str,
) -> dict[str, str]:
    """The options of the section [global], checked.

    Args:
        grandmaster: whether this node may be the source of time (the switch), or only follows.
        timestamping: whether its interfaces stamp frames, or the kernel does.
        shared_clock: whether its system clock, which software timestamps are taken by, is that of the source.
        gptp: the profile of IEEE 802.1AS as linuxptp has it, instead of the guide's values.
        other: options that are set otherwise, by ptp4l's names.

    Raises:
        ConfigError: an option is unknown or its value is not valid.
    """
    found = {"gmCapable": str(int(grandmaster)), **_GUIDE, "follow_up_info": str(int(grandmaster))}
    found |= _GPTP if gptp else {}
    if timestamping == "software":
        found |= {**_SOFTWARE, **(_WATCHED if shared_clock else {})}
    found |= other
    check(found)
    return found


def text(interfaces: Sequence[str], settings: Mapping[str, str], tables: Sequence[UnicastTable] = ()) -> str:
    """The file for ``ptp4l -f``.

    Args:
        interfaces: the ports.
        settings: the section [global], see :func:`options`.
        tables: the sources that ports ask for their service (``unicast_master_table``); none over multicast.
    """
    lines = ["[global]", *(f"{name:23} {value}" for name, value in settings.items())]
    for table in tables:
        lines += ["", *table.lines()]
    for interface in interfaces:
        lines += ["", f"[{interface}]", "transportSpecific 0x1"]
    return "\n".join(lines) + "\n"
