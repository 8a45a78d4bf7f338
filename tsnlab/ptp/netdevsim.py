"""Clocks for the nodes of the virtual lab, whose links have none: netdevsim's, one a node.

Source: drivers/net/netdevsim/bus.c, drivers/ptp/ptp_mock.c.
"""

from __future__ import annotations

from tsnlab.session import Lab
from tsnlab.virtual import network

_BUS = "/sys/bus/netdevsim"
_FIRST = 100
"""Devices with smaller numbers are left to others."""


def clock(lab: Lab, node: str) -> str | None:
    """The clock of a node as a device such as ``/dev/ptp0``, made if it is not there.

    Its interface stays in the namespace of the cables: a node shows those of the guide and no others.

    Returns:
        None where there is no netdevsim: on hardware, and on Debian's kernel.
    """
    if lab.spec.kind != "virtual":
        return None
    host = lab.host(network.CABLES)
    number = _FIRST + list(lab.spec.nodes).index(node)
    place = f"{_BUS}/devices/netdevsim{number}/ptp"
    found = host.run(["ls", place], check=False)
    if found.returncode != 0:
        device = f"{_BUS}/devices/netdevsim{number}"
        lab.journal.will_change(host.name, ["sh", "-c", f"test ! -e {device} || echo {number} > {_BUS}/del_device"])
        found = host.run(["sh", "-c", f"echo '{number} 1 1' > {_BUS}/new_device && ls {place}"], check=False)
    return f"/dev/{found.stdout.split()[0]}" if found.returncode == 0 else None
