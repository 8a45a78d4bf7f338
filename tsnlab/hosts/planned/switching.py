"""The guide's switch card on an imagined node: its gates, by `tsntool` and by the files of its driver."""

from __future__ import annotations

import re
import struct

from tsnlab.hosts.planned.node import Answer, PlannedNode

_FOLDER = "/sys/class/net/{port}/ieee8021ST"
_ROW = re.compile(r"sgs (\d+) 0x([0-9A-Fa-f]+)")

FRESH = {
    "GateEnabled": "0",
    "AdminGateStates": "0xff",
    "AdminCycleTime": "1/2",
    "AdminBaseTime": "0.000000000",
    "OperCycleTime": "1/2",
    "OperBaseTime": "0.000000000",
    "ConfigPending": "0",
    "ConfigChangeError": "0",
    "TickGranularity": "3200",
    "SupportedListMax": "127",
    "AdminControlList": "",
    "OperControlList": "",
}
"""The files of a port's gates before anything is configured; lists as hexadecimal digits."""


def tsntool(node: PlannedNode, words: list[str]) -> Answer:
    """``tsntool st wrcl|configure|disable`` and ``tsntool brport rdtctbl|wrtctbl``."""
    command = words[:2]
    if command == ["brport", "rdtctbl"]:
        rows = "".join(f"{pcp}               {tc} \n" for pcp, tc in enumerate(node.classes[words[2]]))
        return Answer(f"Priority        Traffic class\n{rows}")
    if command == ["brport", "wrtctbl"]:
        node.classes[words[4]][int(words[2])] = words[3]
    elif command == ["st", "wrcl"]:
        listed = _ROW.findall(node.files.get(words[3], ""))
        content = b"".join(struct.pack("<IBBH", int(interval), 0, int(mask, 16), 0) for interval, mask in listed)
        node.files[f"{_FOLDER.format(port=words[2])}/AdminControlList"] = content.hex()
    elif command == ["st", "configure"]:
        base, cycle, _, port = words[2:]
        write(node, port, {"AdminBaseTime": base, "AdminCycleTime": cycle, "GateEnabled": "1", "ConfigChange": "1"})
    elif command == ["st", "disable"]:
        write(node, words[2], {"GateEnabled": "0"})
    return Answer(changes=True)


def write(node: PlannedNode, port: str, values: dict[str, str]) -> None:
    """Writes files of a port's gates; what was prepared is carried out at once."""
    folder = _FOLDER.format(port=port)
    for name, value in values.items():
        node.files[f"{folder}/{name}"] = value
    if values.get("ConfigChange") == "1":
        for name in ("ControlList", "CycleTime", "BaseTime"):
            node.files[f"{folder}/Oper{name}"] = node.files[f"{folder}/Admin{name}"]


def tell(node: PlannedNode, folder: str) -> Answer:
    """All files of a port's gates, a line each."""
    found = {name: node.files.get(f"{folder}/{name}") for name in FRESH}
    if None in found.values():
        return Answer(status=2, err=f"cannot cd to {folder}\n")
    seconds = f"CurrentTime {node.now_ns // 10**9}.{node.now_ns % 10**9:09}\n"
    return Answer("".join(f"{name} {value}\n" for name, value in found.items()) + seconds)
