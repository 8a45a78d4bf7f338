"""The node whose NIC is passed to a guest: IOMMU, the NIC and its group, Kata and what it is told, the engine."""

from __future__ import annotations

from collections.abc import Sequence

from tsnlab import kata_config, pci, vfio
from tsnlab.errors import ConfigError, StepError
from tsnlab.pci import Device
from tsnlab.preflight.facts import Facts
from tsnlab.preflight.table import Finding

_ENGINES = ("docker", "nerdctl", "ctr")


def judge(facts: Facts, passed_in: str, devices: Sequence[Device]) -> list[Finding]:
    """What is looked at on that node alone.

    Args:
        passed_in: the NIC: PCI address, interface, or PCI ID.
        devices: the PCI devices of the node.
    """
    return [_nic(facts, passed_in, devices), *_kata(facts), _engine(facts)]


def _nic(facts: Facts, passed_in: str, devices: Sequence[Device]) -> Finding:
    what = f"NIC {passed_in} for the guest"
    try:
        device = pci.find(devices, passed_in, facts.node)
        vfio.check_group(facts.node, device, devices)
    except StepError as error:
        seen, _, remedy = str(error).removeprefix(f"{facts.node}: ").partition("\nwhat to do: ")
        return Finding(facts.node, what, "fail", seen, remedy)
    return Finding(facts.node, what, "pass", f"{device}, alone in IOMMU group {device.group}")


def _kata(facts: Facts) -> list[Finding]:
    try:
        version = kata_config.parse_version(facts.get("kata-runtime") or "")
    except ConfigError:
        remedy = "install Kata Containers; the guide used 1.11.0"
        return [Finding(facts.node, "Kata", "fail", "not there, or it does not tell its version", remedy)]
    wanted = kata_config.settings(version)
    keys = ", ".join(key for key in wanted["hypervisor"] if "vfio" in key)
    seen = f"{'.'.join(map(str, version))}, which understands {keys}"
    return [Finding(facts.node, "Kata", "pass", seen), _configuration(facts, wanted)]


def _configuration(facts: Facts, wanted: kata_config.Settings) -> Finding:
    """What is set there; a file in ``config.d`` may say otherwise."""
    what, (path, _, text) = "Kata's configuration", (facts.get("kata-config") or "").partition("\n")
    if not path:
        return Finding(facts.node, what, "fail", "not there", f"looked for {', '.join(kata_config.FILES)}")
    try:
        unmet = kata_config.unmet([(path, text)], wanted)
    except ConfigError as error:
        return Finding(facts.node, what, "fail", str(error), "restore the one that Kata was installed with")
    if unmet:
        return Finding(facts.node, what, "warn", f"{path} has not set {', '.join(unmet)} yet", "kata.configure does")
    return Finding(facts.node, what, "pass", f"{path} is set for VFIO")


def _engine(facts: Facts) -> Finding:
    for engine in _ENGINES:
        if version := facts.get(engine):
            return Finding(facts.node, "container engine", "pass", version.splitlines()[0])
    return Finding(facts.node, "container engine", "fail", "none", f"install one of {', '.join(_ENGINES)}")
