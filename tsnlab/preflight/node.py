"""What is looked at on a node beside its interfaces: tools, kernel, clock, rights, disk; what Kata needs."""

from __future__ import annotations

from collections.abc import Iterable

from tsnlab.errors import ConfigError
from tsnlab.kata_config import PORTS_SINCE, parse_version
from tsnlab.kernel.config import parse_config
from tsnlab.preflight.facts import Facts
from tsnlab.preflight.table import Finding

_TOOLS = {"tc": "iproute2", "ethtool": "ethtool", "ptp4l": "linuxptp", "phc2sys": "linuxptp", "python3": "python3"}
_SYMBOLS = ("NET_SCH_TAPRIO", "NET_SCH_ETF", "NET_SCH_MQPRIO", "VLAN_8021Q", "PTP_1588_CLOCK")
_STEERING = ("chronyd", "ntpd", "systemd-timesyn", "openntpd")
_ENGINES = ("docker", "nerdctl", "ctr")
_FREE_KB = 500_000


def judge(facts: Facts) -> list[Finding]:
    """Every node of the lab."""
    return [*_tools(facts), *_qdiscs(facts), *_kernel(facts), *_clock(facts), *_machine(facts)]


def judge_container_host(facts: Facts, interface: str) -> list[Finding]:
    """The node whose NIC is passed to a Kata guest."""
    return [_iommu(facts, interface), _kata(facts), _engine(facts)]


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
        yield Finding(facts.node, what, "warn", "its configuration cannot be read", "see /boot/config-$(uname -r)")
        return
    config = parse_config(text)
    missing = [symbol for symbol in _SYMBOLS if config.get(f"CONFIG_{symbol}") not in ("y", "m")]
    if missing:
        yield Finding(facts.node, what, "fail", f"without {', '.join(missing)}", "build it with params/kernel/stx.conf")
    else:
        yield Finding(facts.node, what, "pass", f"has {', '.join(_SYMBOLS)}")


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


def _iommu(facts: Facts, interface: str) -> Finding:
    group = facts.get(f"group:{interface}")
    if group:
        return Finding(facts.node, "IOMMU", "pass", f"{interface} is in group {group.rpartition('/')[2]}")
    if facts.get("iommu"):
        return Finding(facts.node, "IOMMU", "warn", f"on; {interface} is not an interface now (bound to vfio-pci?)")
    remedy = "intel_iommu=on iommu=pt on the kernel's command line, VT-d in the BIOS; reboot"
    return Finding(facts.node, "IOMMU", "fail", "off", remedy)


def _kata(facts: Facts) -> Finding:
    try:
        version = parse_version(facts.get("kata-runtime") or "")
    except ConfigError:
        return Finding(facts.node, "Kata", "fail", "not there", "install Kata Containers; the guide used 1.11.0")
    key = "hotplug_vfio_on_root_bus" if version < PORTS_SINCE else "hot_plug_vfio and cold_plug_vfio"
    return Finding(facts.node, "Kata", "pass", f"{'.'.join(map(str, version))}, which understands {key}")


def _engine(facts: Facts) -> Finding:
    for engine in _ENGINES:
        if version := facts.get(engine):
            return Finding(facts.node, "container engine", "pass", version.splitlines()[0])
    return Finding(facts.node, "container engine", "fail", "none", f"install one of {', '.join(_ENGINES)}")
