"""The guide's Step 2: the NIC is taken from its driver and given to vfio-pci, for a guest to have; and given back.

Source: the guide, Step 2 (unbind, `modprobe vfio-pci`, `new_id`, `bind`); the kernel's
Documentation/driver-api/vfio.rst and Documentation/ABI/testing/sysfs-bus-pci (`driver_override`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tsnlab import pci
from tsnlab.errors import StepError
from tsnlab.pci import Device
from tsnlab.place import Place
from tsnlab.show.names import own
from tsnlab.steps import Doing, Step, Steps
from tsnlab.uplink import uplinks

DRIVER = "vfio-pci"
_DRIVERS = "/sys/bus/pci/drivers"

Method = Literal["driver_override", "new_id"]

# the driver may be gone by then, or not want the device any more: then whichever wants it may have it
_RESTORE = """\
cd /sys/bus/pci/devices/$1 || exit
echo "$3" >driver_override
[ -z "$4" ] || echo "$4" >/sys/bus/pci/drivers/vfio-pci/remove_id 2>/dev/null
[ "$(basename "$(readlink driver)")" != vfio-pci ] || echo "$1" >driver/unbind
[ -z "$2" ] || [ -e driver ] || echo "$1" >"/sys/bus/pci/drivers/$2/bind" || echo "$1" >/sys/bus/pci/drivers_probe
"""


def bind(lab: Place, node: str, device: str, method: Method = "driver_override") -> Steps:
    """Gives a device to vfio-pci, so that ``/dev/vfio/N`` can be passed to a guest; its driver is noted for the undo.

    Args:
        device: ``0000:05:00.0``, ``enp5s0`` or ``8086:157b``.
        method: ``driver_override`` takes this device alone; ``new_id`` is the guide's way, which also takes every
            other device of the same kind that has no driver.

    Raises:
        StepError: there is no such device or no IOMMU, the node is reached over it, others are in its group, or
            it is not bound in the end; says what to do.
    """
    doing = Doing(lab.host(node))
    devices = pci.scan(doing.host)
    before = pci.find(devices, device, node)
    check_group(node, before, devices)
    if before.driver != DRIVER:
        _check_unused(node, before, uplinks(doing.host))
        lab.journal.will_change(node, _undo(before, method))
        _load(doing)
        _take(doing, before, method)
    after = pci.find(pci.scan(doing.host), before.bdf, node)
    if after.driver != DRIVER:
        raise StepError(f"{node}: {after} should be bound to {DRIVER}; see `dmesg | grep {after.bdf}` there")
    _check_group_file(doing, node, after)
    return Steps("VFIO", (_step(node, before, after, doing),))


def release(lab: Place, node: str, device: str) -> Steps:
    """Gives a device back to the driver that the kernel has for it.

    Raises:
        StepError: there is no such device, or no driver takes it.
    """
    doing = Doing(lab.host(node))
    before = pci.find(pci.scan(doing.host), device, node)
    if before.driver == DRIVER or before.override == DRIVER:
        folder = f"{pci.DEVICES}/{before.bdf}"
        doing.run(_echo("", f"{folder}/driver_override"))
        if before.driver == DRIVER:
            doing.host.run(_echo(_id(before), f"{_DRIVERS}/{DRIVER}/remove_id"), check=False)
            doing.run(_echo(before.bdf, f"{folder}/driver/unbind"))
        doing.run(_echo(before.bdf, "/sys/bus/pci/drivers_probe"))
    after = pci.find(pci.scan(doing.host), before.bdf, node)
    if after.driver in ("", DRIVER):
        raise StepError(f"{node}: no driver takes {after}; is the one for it loaded (`modprobe igb` for an I210)?")
    return Steps("VFIO", (_step(node, before, after, doing),))


def group_file(lab: Place, node: str, device: str) -> str:
    """The file that stands for a device's group, ``/dev/vfio/16``; the number is not the same after every boot.

    Raises:
        StepError: there is no such device, or no IOMMU.
    """
    devices = pci.scan(lab.host(node))
    found = pci.find(devices, device, node)
    check_group(node, found, devices)
    return f"/dev/vfio/{found.group}"


def check_group(node: str, device: Device, devices: Sequence[Device]) -> None:
    """Whether a guest can have a device.

    Raises:
        StepError: it is in no IOMMU group, or not alone in it; says what to do.
    """
    if device.group is None:
        raise StepError(
            f"{node}: {device} is in no IOMMU group: the IOMMU is off\nwhat to do: add `intel_iommu=on iommu=pt` to"
            " the kernel's command line (the guide does not say it), switch VT-d on in the BIOS, and reboot"
        )
    others = [other for other in devices if other.group == device.group and other.bdf != device.bdf]
    in_use = [other for other in others if not other.is_bridge and other.driver not in ("", DRIVER)]
    if in_use:
        listed = "".join(f"\n  {other}" for other in in_use)
        raise StepError(
            f"{node}: {device.bdf} is not alone in IOMMU group {device.group}, so no guest can have it:{listed}\n"
            "what to do: plug it into another slot, or bind the others to vfio-pci as well"
        )


def _check_unused(node: str, device: Device, kept: frozenset[str]) -> None:
    carrying = [name for name in device.interfaces if name in kept]
    if carrying:
        raise StepError(
            f"{node}: {device} is how the node is reached ({', '.join(carrying)} carries the connection or the default"
            " route); it is not taken away\nwhat to do: name the TSN interface's device; see `lspci -nnD`"
        )


def _load(doing: Doing) -> None:
    if doing.host.run(["test", "-d", f"{_DRIVERS}/{DRIVER}"], check=False).returncode:
        doing.run(["modprobe", DRIVER])


def _take(doing: Doing, device: Device, method: Method) -> None:
    folder = f"{pci.DEVICES}/{device.bdf}"
    if method == "driver_override":
        doing.run(_echo(DRIVER, f"{folder}/driver_override"))
    if device.driver:
        doing.run(_echo(device.bdf, f"{folder}/driver/unbind"))
    if method == "driver_override":
        doing.run(_echo(device.bdf, "/sys/bus/pci/drivers_probe"))
        return
    # new_id binds at once, so that the guide's `bind` fails although all is well; a second new_id fails as well:
    # the driver link alone tells how it went
    for value, file in ((_id(device), "new_id"), (device.bdf, "bind")):
        doing.attempt(_echo(value, f"{_DRIVERS}/{DRIVER}/{file}"))


def _check_group_file(doing: Doing, node: str, device: Device) -> None:
    if doing.host.run(["test", "-c", f"/dev/vfio/{device.group}"], check=False).returncode:
        raise StepError(
            f"{node}: {device} is bound, but there is no /dev/vfio/{device.group}; without an IOMMU there is only"
            " /dev/vfio/noiommu-N, which Kata cannot use"
        )


def _undo(device: Device, method: Method) -> list[str]:
    new_id = _id(device) if method == "new_id" else ""
    return ["sh", "-c", _RESTORE, "restore", device.bdf, device.driver, device.override, new_id]


def _id(device: Device) -> str:
    return f"{device.vendor} {device.product}"


def _echo(value: str, file: str) -> list[str]:
    """A write to a file of the kernel's, as the guide does it with `echo ... | sudo tee`."""
    return ["sh", "-c", f"echo {value} > {file}"]


def _step(node: str, before: Device, after: Device, doing: Doing) -> Step:
    what = f"{after.bdf} [{after.vendor}:{after.product}], IOMMU group {after.group}"
    return Step(node, what, before.state, after.state, tuple(doing.commands))


__dir__ = own(__name__)
