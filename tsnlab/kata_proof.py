"""Proof from inside the guest: it runs the kernel that was built, and has the NIC with its driver and its clock.

The clock is found by the interface: where the guest has others (Kata's kernel brings that of KVM), `/dev/ptp0` is
not the NIC's.

Source: the kernel's Documentation/ABI/testing/sysfs-ptp; ethtool(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.preflight.table import Finding, Preflight
from tsnlab.ptp import capability

if TYPE_CHECKING:
    from tsnlab.kernel import KataKernel
    from tsnlab.place import Place

# each question prints `name=answer`; what is not there prints nothing behind the `=`
_ASK = r"""
cd "/sys/class/net/$1" 2>/dev/null || cd /
echo "banner=$(cat /proc/version)"
echo "interfaces=$(ls /sys/class/net | tr '\n' ' ')"
[ "$PWD" != / ] || exit 0
driver=$(readlink device/driver); echo "driver=${driver##*/}"
echo "id=$(cat device/vendor device/device 2>/dev/null | tr '\n' ' ')"
clock=$(ls device/ptp 2>/dev/null | head -n 1); echo "clock=$clock"
echo "clock_name=$([ -z "$clock" ] || cat "/sys/class/ptp/$clock/clock_name")"
echo "device=$([ -z "$clock" ] || [ ! -c "/dev/$clock" ] || echo "/dev/$clock")"
echo "clocks=$(for one in /sys/class/ptp/*; do [ ! -e "$one" ] || echo "${one##*/}"; done | tr '\n' ' ')"
"""


def prove(lab: Place, node: str, interface: str = "eth1", kernel: KataKernel | None = None) -> Preflight:
    """Looks into a guest, and says whether it is what it should be.

    Args:
        node: the guest.
        interface: the NIC's; ``eth1`` in the guide.
        kernel: what its kernel has been built as (`tsnlab.kernel.build`); None only tells which one runs.

    Raises:
        StepError: something is not as it should be; the message is the table.
    """
    host = lab.host(node)
    answers = dict(line.split("=", 1) for line in host.run(["sh", "-c", _ASK, "proof", interface]).stdout.splitlines())
    findings = [_kernel(node, answers.get("banner", ""), kernel)]
    if "driver" in answers:
        findings += [_driver(node, interface, answers), *_clock(node, interface, answers, host)]
    else:
        findings.append(_missing(node, interface, answers.get("interfaces", "")))
    found = Preflight(tuple(findings), title="Inside the guest")
    if found.failed:
        raise StepError(f"{node} is not what it should be:\n{found}")
    return found


def _kernel(node: str, banner: str, kernel: KataKernel | None) -> Finding:
    release = banner.split()[2] if len(banner.split()) > 2 else "unknown"
    if kernel is None:
        return Finding(node, "kernel", "pass", release)
    if banner.strip() == kernel.banner:
        return Finding(node, "kernel", "pass", f"{release}, the one that was built")
    remedy = (
        "kernel.install copies it to Node 1; does Kata's configuration name it (kernel = …/vmlinuz.container)?"
        " A running guest keeps the kernel that it was started with"
    )
    return Finding(node, "kernel", "fail", f"`{banner.strip()}`, but built was `{kernel.banner}`", remedy)


def _missing(node: str, interface: str, there: str) -> Finding:
    remedy = "is the NIC bound to vfio-pci, and was its group passed (--device /dev/vfio/N)? has the kernel IGB=y?"
    return Finding(node, f"interface {interface}", "fail", f"not there; there are: {there.strip()}", remedy)


def _driver(node: str, interface: str, answers: dict[str, str]) -> Finding:
    driver, what = answers["driver"], f"interface {interface}"
    identity = ":".join(re.findall(r"0x([0-9a-f]{4})\b", answers.get("id", "")))
    if driver and not driver.startswith("virtio"):
        return Finding(node, what, "pass", f"driver {driver}" + (f", {identity}" if identity else ""))
    remedy = "it is not the NIC: see the others with `ip link`, and Kata's log for why the NIC was not plugged in"
    return Finding(node, what, "fail", f"driver {driver or 'none'}", remedy)


def _clock(node: str, interface: str, answers: dict[str, str], host: Host) -> Iterator[Finding]:
    what, clock = f"clock of {interface}", answers.get("clock", "")
    others = [name for name in answers.get("clocks", "").split() if name != clock]
    if not clock:
        remedy = "the kernel needs PTP_1588_CLOCK=y (params/kernel/stx.conf), and the NIC a clock"
        yield Finding(node, what, "fail", f"none; clocks of others: {', '.join(others) or 'none'}", remedy)
        return
    if not answers.get("device"):
        remedy = "start the container with -v /dev:/dev, so that it has the guest's devices"
        yield Finding(node, what, "fail", f"{clock} is the NIC's, but there is no /dev/{clock}", remedy)
        return
    also = f"; clocks of others: {', '.join(others)}" if others else ""
    yield Finding(node, what, "pass", f"{answers['device']} ({answers.get('clock_name', '')}){also}")
    yield _stamps(node, interface, answers["device"], host)


def _stamps(node: str, interface: str, device: str, host: Host) -> Finding:
    what = f"timestamps of {interface}"
    result = host.run(["ethtool", "-T", interface], check=False)
    if result.returncode:
        seen = (result.stderr or result.stdout).strip()
        return Finding(node, what, "fail", f"not known: {seen}", "the image needs ethtool (params/image/Dockerfile)")
    found = capability.parse(interface, result.stdout)
    if found.hardware and found.phc == device:
        return Finding(node, what, "pass", f"hardware, by {device}")
    return Finding(
        node,
        what,
        "fail",
        f"hardware: {'yes' if found.hardware else 'no'}, by {found.phc}",
        f"see `ethtool -T {interface}`",
    )
