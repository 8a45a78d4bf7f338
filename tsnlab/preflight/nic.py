"""What is known about the NICs that the guide's experiment can be done with.

Source: the kernel's drivers/net/ethernet/intel/igb/igb_main.c (LaunchTime on queues 0 and 1 of an I210; the I211 has
none), igc/igc_tsn.c, stmicro/stmmac/stmmac_tc.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tsnlab.preflight.facts import Facts
from tsnlab.preflight.table import Finding, Level


@dataclass(frozen=True)
class Nic:
    """What a NIC can do.

    Attributes:
        etf_queues: transmit queues that launch a frame by themselves at its time.
        note: what else is to be known about it.
    """

    title: str
    queues: int
    etf_queues: tuple[int, ...]
    note: str = ""


_I210 = Nic("Intel I210", 4, (0, 1), "one transmit timestamp at a time; ethtool -L and etf offload reset its clock")
_I225 = Nic("Intel I225/I226", 4, (0, 1, 2, 3), "takes whole schedules (taprio flags 0x2)")

KNOWN: dict[str, Nic] = {
    **dict.fromkeys(("8086:1533", "8086:1536", "8086:1537", "8086:1538", "8086:157b", "8086:157c"), _I210),
    "8086:1539": Nic("Intel I211", 2, (), "no LaunchTime: etf in software only"),
    **dict.fromkeys(("8086:15f2", "8086:15f3", "8086:125b", "8086:125c", "8086:125d"), _I225),
}
"""By PCI vendor and product."""

DRIVERS: dict[str, Nic] = {"igb": _I210, "igc": _I225, "stmmac": Nic("stmmac", 4, (), "ask its data sheet for TBS")}
"""By driver, where the PCI ID says nothing."""


def judge(facts: Facts) -> list[Finding]:
    """The interfaces of the experiment on a node."""
    return [finding for interface in facts.interfaces for finding in _interface(facts, interface)]


def _interface(facts: Facts, interface: str) -> list[Finding]:
    if facts.get(f"link:{interface}") is None:
        remedy = "see `ip link` on the node, and the interfaces in the lab file"
        return [Finding(facts.node, f"interface {interface}", "fail", "not there", remedy)]
    return [_model(facts, interface), _stamps(facts, interface), *_disturbing(facts, interface)]


def _model(facts: Facts, interface: str) -> Finding:
    driver = _field(facts.get(f"driver:{interface}") or "", "driver") or "unknown driver"
    identity = ":".join((facts.get(f"id:{interface}") or "").replace("0x", "").split())
    nic = KNOWN.get(identity) or DRIVERS.get(driver)
    queues = sum(name.startswith("tx-") for name in (facts.get(f"queues:{interface}") or "").split())
    seen = f"{nic.title if nic else identity or 'no PCI device'} ({driver}), {queues} transmit queues"
    level: Level = "pass" if nic or not facts.real else "warn"
    etf = f"etf offload on queues {', '.join(map(str, nic.etf_queues)) or 'none'}; {nic.note}" if nic else ""
    return Finding(facts.node, f"interface {interface}", level, f"{seen}; {etf}".rstrip("; "))


def _stamps(facts: Facts, interface: str) -> Finding:
    """Its timestamps. Source: ethtool(8); the line of the clock has two forms, by version."""
    text = facts.get(f"stamps:{interface}") or ""
    what = f"timestamps of {interface}"
    clock = re.search(r"(?:PTP Hardware Clock|Hardware timestamp provider index): (\d+)", text)
    hardware = all(word in text for word in ("hardware-transmit", "hardware-receive"))
    if clock and hardware:
        return Finding(facts.node, what, "pass", f"hardware, with /dev/ptp{clock[1]}")
    if not facts.real:
        return Finding(facts.node, what, "pass", "software, as all links of the virtual lab")
    return Finding(facts.node, what, "fail", "no hardware timestamps", "use a NIC with a PTP clock, such as an I210")


def _disturbing(facts: Facts, interface: str) -> list[Finding]:
    findings = []
    if "EEE status: enabled" in (facts.get(f"eee:{interface}") or ""):
        remedy = f"ethtool --set-eee {interface} eee off"
        findings.append(Finding(facts.node, f"EEE of {interface}", "warn", "on: the link wakes up late", remedy))
    delay = _field(facts.get(f"coalesce:{interface}") or "", "rx-usecs")
    if delay.isdigit() and int(delay) > 3:
        remedy = f"ethtool -C {interface} rx-usecs 0"
        findings.append(Finding(facts.node, f"coalescing of {interface}", "warn", f"rx-usecs {delay}", remedy))
    for line in (facts.get("managed") or "").splitlines():
        name, _, state = line.partition(":")
        if name == interface and state != "unmanaged":
            remedy = f"nmcli device set {interface} managed no"
            findings.append(Finding(facts.node, f"NetworkManager and {interface}", "fail", state, remedy))
    return findings


def _field(text: str, name: str) -> str:
    found = re.search(rf"(?m)^{re.escape(name)}:[ \t]*(\S*)", text)
    return found[1] if found else ""
