"""What is looked at on a node beside its interfaces: tools, kernel, clock, rights, disk, what makes it wake up late."""

from __future__ import annotations

from collections.abc import Iterable

from tsnlab.kernel.config import parse_config
from tsnlab.preflight.facts import Facts
from tsnlab.preflight.table import Finding

_TOOLS = {"tc": "iproute2", "ethtool": "ethtool", "ptp4l": "linuxptp", "phc2sys": "linuxptp", "python3": "python3"}
_SYMBOLS = ("NET_SCH_TAPRIO", "NET_SCH_ETF", "NET_SCH_MQPRIO", "VLAN_8021Q", "PTP_1588_CLOCK")
_STEERING = ("chronyd", "ntpd", "systemd-timesyn", "openntpd")
_MODULES = ("sch_taprio", "sch_etf", "sch_mqprio", "8021q", "ptp")
_LATE_US = 10
"""A processor that needs longer to wake up is seen in the talker's latency."""

_FREE_KB = 500_000


def judge(facts: Facts) -> list[Finding]:
    """Every node of the lab."""
    return [*_tools(facts), *_qdiscs(facts), *_kernel(facts), *_clock(facts), *_machine(facts)]


def _tools(facts: Facts) -> Iterable[Finding]:
    for tool, package in _TOOLS.items():
        version = facts.get(tool)
        if version is None:
            yield Finding(facts.node, tool, "fail", "not there", f"apt-get install {package}")
        else:
            yield Finding(facts.node, tool, "pass", version.splitlines()[0] if version else "there")


def _qdiscs(facts: Facts) -> Iterable[Finding]:
    for qdisc in ("taprio", "etf"):
        usage = facts.get(qdisc) or ""
        if "Usage:" in usage:
            yield Finding(facts.node, f"tc and {qdisc}", "pass", "known to tc")
        else:
            remedy = "iproute2 4.20 or later knows it"
            yield Finding(facts.node, f"tc and {qdisc}", "fail", "not known to tc", remedy)


def _kernel(facts: Facts) -> Iterable[Finding]:
    text = facts.get("config")
    what = f"kernel {facts.get('kernel') or ''}".strip()
    if text is None and not facts.real:
        yield Finding(facts.node, what, "pass", "the virtual lab's; `tsnlab kernel build` shows its symbols")
        return
    if text is None:
        yield _modules(facts, what)
        return
    config = parse_config(text)
    missing = [symbol for symbol in _SYMBOLS if config.get(f"CONFIG_{symbol}") not in ("y", "m")]
    if missing:
        yield Finding(facts.node, what, "fail", f"without {', '.join(missing)}", "build it with params/kernel/stx.conf")
    else:
        yield Finding(facts.node, what, "pass", f"has {', '.join(_SYMBOLS)}")


def _modules(facts: Facts, what: str) -> Finding:
    """Where there is no configuration to read: what modprobe would find, built in or as a module."""
    found = (facts.get("modules") or "").split()
    missing = [name for name in _MODULES if name not in found]
    if not missing:
        return Finding(facts.node, what, "pass", f"has {', '.join(_MODULES)}")
    remedy = "see /boot/config-$(uname -r); build it with params/kernel/stx.conf"
    seen = f"its configuration cannot be read, and modinfo knows no {', '.join(missing)}"
    return Finding(facts.node, what, "warn", seen, remedy)


def _clock(facts: Facts) -> Iterable[Finding]:
    """The guide runs with UTC everywhere (`phc2sys -O 0`): a kernel that knows the 37 s breaks it by just these."""
    offset = facts.get("tai")
    if offset == "0":
        yield Finding(facts.node, "TAI offset", "pass", "0 s, as the guide's `phc2sys -O 0` wants it")
    else:
        remedy = "set it to 0, and take `leapsectz` out of chrony.conf and `leapfile` out of ntp.conf"
        yield Finding(facts.node, "TAI offset", "fail", f"{offset or 'not known'} s", remedy)
    names = set((facts.get("processes") or "").split())
    steering = [name for name in _STEERING if name in names]
    if steering and facts.real:
        remedy = "right on the switch and Node 1 only; where phc2sys steers the clock, `systemctl stop` it"
        yield Finding(facts.node, "others that set the clock", "warn", ", ".join(steering), remedy)


def _machine(facts: Facts) -> Iterable[Finding]:
    if facts.get("user") == "0":
        yield Finding(facts.node, "rights", "pass", "root")
    else:
        yield Finding(facts.node, "rights", "fail", "not root", "let the lab file say `sudo: true` for the node")
    free = (facts.get("disk") or "").splitlines()[-1:]
    columns = free[0].split() if free else []
    if len(columns) > 3 and columns[3].isdigit():
        room = int(columns[3])
        enough = room > _FREE_KB
        remedy = "" if enough else "make room in /tmp"
        yield Finding(facts.node, "room in /tmp", "pass" if enough else "warn", f"{room // 1000} MB", remedy)
    governors = (facts.get("governor") or "").split()
    if governors and governors != ["performance"]:
        remedy = "cpupower frequency-set -g performance"
        yield Finding(facts.node, "CPU governor", "warn", ", ".join(governors), remedy)
    if facts.real:
        yield from _idle(facts)


def _idle(facts: Facts) -> Iterable[Finding]:
    """States in which a processor waits. Source: the kernel's Documentation/admin-guide/pm/cpuidle.rst."""
    rows = [line.split(None, 2) for line in (facts.get("idle") or "").splitlines()]
    states = [(int(row[0]), row[2]) for row in rows if len(row) == 3 and row[1] == "0"]
    late = [f"{name} ({latency} us)" for latency, name in states if latency > _LATE_US]
    if late:
        remedy = f"cpupower idle-set -D {_LATE_US}, or intel_idle.max_cstate=1 on the kernel's command line"
        yield Finding(facts.node, "C-states", "warn", f"wakes up late from {', '.join(late)}", remedy)
    elif states:
        yield Finding(facts.node, "C-states", "pass", f"none that takes more than {_LATE_US} us")
