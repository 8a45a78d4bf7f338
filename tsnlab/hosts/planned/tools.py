"""Which tool of an imagined node answers a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from tsnlab.hosts.planned import clocks, containers, files, network, qdiscs, services, shell, switching
from tsnlab.hosts.planned.node import Answer, PlannedNode

Tool = Callable[[PlannedNode, list[str]], Answer]

_TOOLS: dict[str, Tool] = {
    "bridge": network.bridge,
    "cat": files.cat,
    "chronyc": clocks.chronyc,
    "cp": files.cp,
    "ctr": containers.ctr,
    "date": clocks.date,
    "docker": containers.docker,
    "ethtool": network.ethtool,
    "ip": network.ip,
    "ls": files.ls,
    "lspci": network.lspci,
    "readlink": files.readlink,
    "nerdctl": containers.docker,
    "phc_ctl": clocks.phc_ctl,
    "pmc": clocks.pmc,
    "ptp4l": clocks.ptp4l,
    "sh": shell.sh,
    "sha256sum": files.sha256sum,
    "systemctl": services.systemctl,
    "tc": qdiscs.tc,
    "test": files.test,
    "tsntool": switching.tsntool,
    "true": lambda node, words: Answer(),
    "uname": lambda node, words: Answer("Linux\n" if "-s" in words else "6.1.0\n"),
}


def run(node: PlannedNode, argv: list[str]) -> Answer:
    """What a command would print, and whether it is a change; one that is not known is."""
    words = list(argv)
    if words[0] == "env":
        words = words[1:]
        while "=" in words[0]:
            words = words[1:]
    name = PurePath(words[0]).name
    if name.startswith("python"):
        return clocks.program(node, words)
    if words[1:] in (["--version"], ["-V"], ["-v"]):
        return services.version(node, name)
    tool = _TOOLS.get(name)
    return tool(node, words[1:]) if tool else Answer(changes=True)
