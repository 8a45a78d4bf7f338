"""Shell scripts on an imagined node: those that tsnlab asks questions with, by their names, and simple redirections."""

from __future__ import annotations

import re
import shlex

from tsnlab.hosts.planned import files, switching
from tsnlab.hosts.planned.node import Answer, PlannedNode

_INTO = re.compile(r"(?s)(echo|printf) (.*?) ?>+ ?(\S+)")
_GATES = re.compile(r"/sys/class/net/([^/]+)/ieee8021ST/(\w+)")
_PCI = "/sys/bus/pci"


def sh(node: PlannedNode, words: list[str]) -> Answer:
    """``sh -c SCRIPT [NAME [ARGUMENT...]]``."""
    _, script, *arguments = words
    name = arguments[0] if arguments else ""
    if name == "gates":
        return switching.tell(node, arguments[1])
    if name == "pci":
        return Answer("".join(f"{line}\n" for line in _pci(node)))
    if name == "programs":
        file = f"/root/.tsnlab-{arguments[1][:16]}.pyz"
        return Answer(f"found 3.8.10 python3\nfile {file}\n" + f"sum {arguments[1]}\n" * (file in node.files))
    if name == "programs":
        file = f"/root/.tsnlab-{arguments[1][:16]}.pyz"
        copied = f"sum {node.sums[file]}  {file}\n" if file in node.sums else ""
        return Answer(f"found 3.8.10 python3\nfile {file}\n{copied}")
    if name == "proof":
        return _guest(node, arguments[1])
    if name in ("kata-paths", "facts"):
        return Answer()
    if script == '[ -e "$0" ] || [ -L "$0" ]':
        return files.test(node, ["-e", name])
    if script == "gcc --version | head -n 1" or name == "tools":
        return Answer()
    if script == 'command -v "$0"':
        return Answer(status=1)
    if name == "uplinks":
        return Answer("eno1\n")
    if "&& ls /sys/bus/netdevsim" in script:
        return Answer("ptp0\n", changes=True)
    if found := _INTO.fullmatch(script.strip()):
        _write(node, found[2], found[3])
        return Answer(changes=True)
    if re.fullmatch(r'"\$0" (--version|-v|-V)', script):
        from tsnlab.hosts.planned import tools

        return tools.run(node, [name, "--version"])
    return Answer(changes=True)


def _write(node: PlannedNode, value: str, path: str) -> None:
    """What a redirection does to a file of the kernel's."""
    if found := _GATES.fullmatch(path):
        octal = value.strip("'")
        text = bytes(int(code, 8) for code in octal.split("\\")[1:]).hex() if "\\" in octal else value
        switching.write(node, found[1], {found[2]: text})
        return
    if not path.startswith(_PCI):
        node.files[path] = " ".join(shlex.split(value)) + "\n"
        return
    device, file = path.split("/")[-2:]
    if file == "unbind":
        node.drivers[value] = ""
    elif file == "bind":
        node.drivers[value] = device
    elif file == "driver_override":
        node.files[f"{_PCI}/devices/{device}/driver_override"] = value
    elif file == "drivers_probe":
        override = node.files.get(f"{_PCI}/devices/{value}/driver_override", "").strip()
        node.drivers[value] = override or "igb"
    elif file == "new_id":
        for bdf, driver in node.drivers.items():
            if not driver and value == f"{node.nics[bdf].vendor} {node.nics[bdf].product}":
                node.drivers[bdf] = device
    for nic in node.nics.values():
        bound = node.drivers[nic.bdf] == "vfio-pci"
        node.files.pop(f"/dev/vfio/{nic.group}", None)
        if bound:
            node.files[f"/dev/vfio/{nic.group}"] = ""


def _guest(node: PlannedNode, interface: str) -> Answer:
    """What the guide's guest says of itself, once it runs."""
    lines = [f"banner={node.files.get('/proc/version', '').strip()}", f"interfaces={' '.join(node.links)}"]
    if interface in node.links:
        lines += ["driver=igb", "id=0x8086 0x157b", "clock=ptp0", "clock_name=igb", "device=/dev/ptp0", "clocks=ptp0"]
    return Answer("".join(f"{line}\n" for line in lines))


def _pci(node: PlannedNode) -> list[str]:
    lines = []
    for nic in node.nics.values():
        driver = node.drivers[nic.bdf]
        override = node.files.get(f"{_PCI}/devices/{nic.bdf}/driver_override", "(null)").strip() or "(null)"
        interface = f" {nic.interface}" if driver == "igb" else ""
        lines.append(f"{nic.bdf}|0x{nic.vendor}|0x{nic.product}|0x020000|{driver}|{nic.group}|{override}|{interface}")
    return lines
