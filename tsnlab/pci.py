"""The PCI devices of a node, as its kernel tells them in /sys/bus/pci.

Source: the kernel's Documentation/ABI/testing/sysfs-bus-pci, Documentation/driver-api/vfio.rst.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tsnlab.errors import StepError
from tsnlab.hosts import Host

DEVICES = "/sys/bus/pci/devices"
BRIDGE_CLASS = "0x06"

_BDF = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")

_SCAN = r"""
cd /sys/bus/pci/devices || exit
for device in *; do
  read -r vendor <"$device/vendor"; read -r product <"$device/device"; read -r class <"$device/class"
  read -r override <"$device/driver_override"
  driver=$(readlink "$device/driver"); group=$(readlink "$device/iommu_group")
  nets=; for net in "$device"/net/* "$device"/virtio*/net/*; do [ -e "$net" ] && nets="$nets ${net##*/}"; done
  echo "$device|$vendor|$product|$class|${driver##*/}|${group##*/}|$override|$nets"
done
"""


@dataclass(frozen=True)
class Device:
    """One function of a PCI device.

    Attributes:
        bdf: its address, ``0000:05:00.0``.
        vendor, product: as hexadecimal digits, ``8086`` and ``157b``.
        device_class: ``0x020000`` for an Ethernet controller.
        driver: the driver it is bound to; empty if none.
        group: number of its IOMMU group; None without an IOMMU. It is another one after a change of hardware.
        override: the only driver that may take it; empty if any.
        interfaces: its network interfaces.
    """

    bdf: str
    vendor: str
    product: str
    device_class: str
    driver: str
    group: int | None
    override: str
    interfaces: tuple[str, ...]

    @property
    def is_bridge(self) -> bool:
        """Whether it is a bridge, which may stay as it is in a group that is passed to a guest."""
        return self.device_class.startswith(BRIDGE_CLASS)

    @property
    def state(self) -> str:
        """Its driver in words."""
        return f"driver {self.driver}" if self.driver else "no driver"

    def __str__(self) -> str:
        names = f", {' '.join(self.interfaces)}" if self.interfaces else ""
        return f"{self.bdf} [{self.vendor}:{self.product}] ({self.state}{names})"


def scan(host: Host) -> tuple[Device, ...]:
    """All PCI devices of a node.

    Raises:
        CommandError: it has no PCI.
    """
    lines = host.run(["sh", "-c", _SCAN, "pci"]).stdout.splitlines()
    return tuple(_device(line) for line in lines if line.count("|") == 7)


def find(devices: Sequence[Device], what: str, node: str) -> Device:
    """The device that is meant by an address, an interface, or vendor and product.

    Args:
        what: ``0000:05:00.0``, ``enp5s0`` or ``8086:157b``.
        node: name of the node, for the message.

    Raises:
        StepError: there is none, or more than one; names those that there are.
    """
    found = [device for device in devices if _is_meant(device, what)]
    if len(found) == 1:
        return found[0]
    there = found or [device for device in devices if device.device_class.startswith("0x02")]
    listed = "".join(f"\n  {device}" for device in there) or " none"
    if found:
        raise StepError(f"{node}: {what} means {len(found)} PCI devices; say which by its address:{listed}")
    raise StepError(f"{node}: there is no PCI device {what} (see `lspci -nnD`); network devices there:{listed}")


def _is_meant(device: Device, what: str) -> bool:
    wanted = what.lower()
    if _BDF.fullmatch(wanted):
        return device.bdf == wanted
    if _ID.fullmatch(wanted):
        return f"{device.vendor}:{device.product}" == wanted
    return what in device.interfaces


def _device(line: str) -> Device:
    bdf, vendor, product, device_class, driver, group, override, interfaces = line.split("|")
    return Device(
        bdf=bdf,
        vendor=vendor.removeprefix("0x"),
        product=product.removeprefix("0x"),
        device_class=device_class,
        driver=driver,
        group=int(group) if group else None,
        override="" if override == "(null)" else override,
        interfaces=tuple(interfaces.split()),
    )
