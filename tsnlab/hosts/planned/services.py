"""systemctl on an imagined node, and what is installed there."""

from __future__ import annotations

from tsnlab.hosts.planned.node import Answer, PlannedNode

_VERSIONS = {
    "docker": "Docker version 19.03.8, build afacb8b7f0\n",
    "kata-runtime": "kata-runtime  : 1.11.0\n",
    "ptp4l": "3.1.1\n",
    "tc": "tc utility, iproute2-6.1.0\n",
    "ip": "ip utility, iproute2-6.1.0\n",
    "ethtool": "ethtool version 6.1\n",
    "iperf3": "iperf 3.12\n",
    "python3": "Python 3.8.10\n",
}


def version(node: PlannedNode, tool: str) -> Answer:
    """``TOOL --version``."""
    said = _VERSIONS.get(tool)
    return Answer(said) if said else Answer(status=127, err=f"{tool}: not found\n")


def systemctl(node: PlannedNode, words: list[str]) -> Answer:
    """``systemctl is-active|is-enabled|start|stop|enable|disable|...``."""
    verb, *units = [word for word in words if not word.startswith("-")]
    name = units[0].removesuffix(".service") if units else ""
    active, enabled = node.services.get(name, ("unknown", "not-found"))
    if verb == "is-active":
        return Answer(f"{active}\n", 0 if active == "active" else 3)
    if verb == "is-enabled":
        return Answer(f"{enabled}\n", 0 if enabled == "enabled" else 1)
    if verb in ("show", "status", "cat", "list-units"):
        return Answer()
    if verb in ("start", "restart", "stop"):
        node.services[name] = ("inactive" if verb == "stop" else "active", enabled)
    elif verb in ("enable", "disable"):
        now = ("active" if verb == "enable" else "inactive") if "--now" in words else active
        node.services[name] = (now, f"{verb}d")
    return Answer(changes=True)
