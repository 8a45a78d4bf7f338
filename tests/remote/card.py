"""A tree of files with the names of the guide's card, and `tsntool`, beside a real shell.

Nobody has the card at hand. The files are those of its driver (kontron/kmod-tsnic-deip, deipce_fsc_sysfs.c) in a mount
namespace, over the real /sys/class/net; what the driver does with them is left out, but that what was prepared is
carried out. `tsntool` is not public: the stand-in writes into these files what it is known to take.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.remote.mortal import WITH_US
from tsnlab.hosts.local import LocalHost

PORTS = ("CE01", "CE02", "CE03", "CE04")

_FILES = {
    "GateEnabled": "0",
    "AdminGateStates": "0xff",
    "AdminControlListLength": "0",
    "AdminCycleTime": "1/2",
    "AdminCycleTimeExtension": "0",
    "AdminBaseTime": "0.000000000",
    "ConfigChange": "0",
    "ConfigPending": "0",
    "ConfigChangeError": "0",
    "CurrentTime": "1588055410.000000320",
    "TickGranularity": "3200",
    "SupportedListMax": "127",
}
_RUNNING = {"OperControlList": "AdminControlList", "OperCycleTime": "AdminCycleTime", "OperBaseTime": "AdminBaseTime"}

_TSNTOOL = """\
#!{python}
import sys, pathlib, struct
group, verb, *words = sys.argv[1:]
def folder(port): return pathlib.Path("/sys/class/net", port, "ieee8021ST")
def table(port): return folder(port).parent / "classes"
if (group, verb) == ("st", "disable"):
    (folder(words[0]) / "GateEnabled").write_text("0\\n")
elif (group, verb) == ("st", "wrcl"):
    port, file = words
    rows = [line.split() for line in pathlib.Path(file).read_text().splitlines()]
    if any(len(row) != 3 or row[0] != "sgs" for row in rows):
        sys.exit("Excess record elements")
    if any(int(row[1]) % 320 for row in rows):
        sys.exit("ERROR: Cannot set admin control list - driver reported 22")
    content = b"".join(struct.pack("<IBBH", int(row[1]), 0, int(row[2], 16), 0) for row in rows)
    (folder(port) / "AdminControlList").write_bytes(content)
elif (group, verb) == ("st", "configure"):
    base, cycle, extension, port = words
    for name, value in (("AdminBaseTime", base), ("AdminCycleTime", cycle), ("GateEnabled", "1")):
        (folder(port) / name).write_text(value + "\\n")
elif (group, verb) == ("brport", "rdtctbl"):
    print("Priority        Traffic class")
    print("".join(f"{{pcp}}               {{tc}} \\n" for pcp, tc in enumerate(table(words[0]).read_text().split())))
elif (group, verb) == ("brport", "wrtctbl"):
    pcp, tc, port = words
    classes = table(port).read_text().split()
    classes[int(pcp)] = tc
    table(port).write_text(" ".join(classes))
else:
    sys.exit("unknown command")
"""


class CardHost(LocalHost):
    """This machine, seen from a mount namespace in which the card is there."""

    def __init__(self, folder: Path) -> None:
        super().__init__("switch")
        self._keeper = subprocess.Popen(
            [*WITH_US, "unshare", "--mount", "sh", "-c", _script(folder)], stdout=subprocess.PIPE, text=True
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != "ready\n":
            raise RuntimeError("the mount namespace of the card was not made")

    def _open(self, argv):
        return super()._open(["nsenter", "-t", str(self._keeper.pid), "-m", "--", *argv])

    def end(self) -> None:
        self._keeper.kill()
        self._keeper.communicate()


def missing() -> str:
    """Why the card cannot be put here; empty if it can."""
    if os.geteuid() != 0:
        return "a mount namespace over /sys needs root"
    return "" if shutil.which("nsenter") else "no nsenter here"


def _script(folder: Path) -> str:
    tool = folder / "tsntool"
    tool.write_text(_TSNTOOL.format(python=sys.executable))
    tool.chmod(0o755)
    lines = ["set -e", "mount -t tmpfs none /sys/class/net", "mount -t tmpfs none /etc/sysconfig 2>/dev/null || true"]
    for port in PORTS:
        place = f"/sys/class/net/{port}/ieee8021ST"
        lines.append(f"mkdir -p {place}; echo 0 1 2 3 4 5 7 6 >/sys/class/net/{port}/classes")
        lines += [f"echo {value} >{place}/{name}" for name, value in _FILES.items()]
        lines += [f": >{place}/AdminControlList"]
        lines += [f"ln -s {prepared} {place}/{running}" for running, prepared in _RUNNING.items()]
    # a bind mount over a program that is there on every system, so that it is found by its name
    lines.append(f"mount -t tmpfs none /usr/local/sbin; cp {tool} /usr/local/sbin/tsntool")
    return "\n".join([*lines, "echo ready", "exec sleep 100000"])
