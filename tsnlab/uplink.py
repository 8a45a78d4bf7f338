"""Which of a node's interfaces must not be touched, because the node is reached over them."""

from __future__ import annotations

from tsnlab.errors import StepError
from tsnlab.hosts import Host

# what carries an address may be a bridge, a bond or a VLAN: all that lies below it counts as well
_UPLINKS = r"""
below() {
  echo "$1"
  for lower in /sys/class/net/"$1"/lower_*; do [ -e "$lower" ] && below "${lower##*/lower_}"; done
}
while read -r interface destination rest; do
  [ "$destination" = 00000000 ] && below "$interface"
done </proc/net/route
[ -z "$1" ] || ip -o addr show | while read -r number interface family address rest; do
  [ "${address%%/*}" = "$1" ] && below "${interface%:}"
done
exit 0
"""


def uplinks(host: Host) -> frozenset[str]:
    """The interfaces of the default route and of the address that the connection to the node came to."""
    from tsnlab.hosts.ssh import SshHost

    came_to = host.server_address() if isinstance(host, SshHost) else ""
    return frozenset(host.run(["sh", "-c", _UPLINKS, "uplinks", came_to]).stdout.split())


def spare(host: Host, interface: str) -> None:
    """Refuses what would interrupt an interface, if its node is reached over it.

    Raises:
        StepError: it carries the connection or the default route of a node that is reached over a network.
    """
    if getattr(host, "over_network", False) and interface in uplinks(host):
        raise StepError(
            f"{host.name}: {interface} carries the connection to the node or its default route; it is left as it is\n"
            "what to do: name the TSN interface in the lab file; see `ip -br addr` and `ip route` there"
        )
