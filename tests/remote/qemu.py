"""A machine with an IOMMU in QEMU: Debian's kernel, a busybox, and a serial line over which commands are run.

Its PCI devices: an e1000e alone in its group, one that carries the default route, two e1000 in one group.
"""

import base64
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.remote.mortal import WITH_US
from tsnlab.deadline import Deadline
from tsnlab.errors import DeadlineError
from tsnlab.hosts import Result
from tsnlab.paths import cache_folder

QEMU = shutil.which("qemu-system-x86_64")
BUSYBOX = Path("/bin/busybox")
FETCHED = cache_folder() / "debian-kernel"

ALONE, UPLINK, SHARED = "0000:01:00.0", "0000:02:00.0", "0000:04:01.0"

_INIT = """\
#!/bin/sh
export PATH=/bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
modprobe e1000e; modprobe e1000
for net in /sys/class/net/eth*; do
  case $(readlink $net/device) in *02:00.0) ip link set ${net##*/} up; ip route add default dev ${net##*/};; esac
done
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1 2>/dev/null
echo ready
while read -r line; do
  echo "$line" | base64 -d >/command
  sh /command >/out 2>/err </dev/null
  echo "$? $(base64 /out | tr -d '\\n')| $(base64 /err | tr -d '\\n')|"
done
"""


def kernel() -> tuple[Path, Path] | None:
    """The kernel and its modules: the one that `get-kernel` has fetched, or an installed one."""
    for root in (FETCHED, Path("/")):
        for image in sorted((root / "boot").glob("vmlinuz-*-amd64"), reverse=True):
            modules = root / "lib/modules" / image.name.removeprefix("vmlinuz-")
            if modules.is_dir() and os.access(image, os.R_OK):
                return image, modules
    return None


def missing() -> str:
    """Why there can be none here; empty if there can."""
    for tool in ("qemu-system-x86_64", "cpio", "depmod"):
        if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            return f"no {tool} here: apt-get install --no-install-recommends qemu-system-x86 cpio kmod"
    if not BUSYBOX.exists():
        return "no static busybox here: apt-get install busybox-static"
    return "" if kernel() else "no kernel to boot here: tests/remote/get-kernel fetches Debian's"


_VFIO = {
    "kernel/drivers/vfio": ("vfio", "mdev"),
    "kernel/virt/lib": ("irqbypass",),
    "kernel/drivers/net/ethernet/intel": ("e1000",),
}
"""The modules of the machine below: by folder, words of their names."""


def initramfs(folder: Path, init: str = _INIT, wanted: Mapping[str, Sequence[str]] = _VFIO) -> Path:
    """A file system of busybox, modules and the script that is the first process."""
    root = folder / "root"
    _, modules = kernel()
    for name in ("bin", "proc", "sys", "dev", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    for applet in set(applets) - {"busybox"}:
        (root / "bin" / applet).symlink_to("busybox")
    for part, words in wanted.items():
        _copy(modules / part, root / "lib/modules" / modules.name / part, words)
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    subprocess.run(["depmod", "-b", root, modules.name], check=True, capture_output=True, env=environment)
    (root / "init").write_text(init)
    (root / "init").chmod(0o755)
    archive = folder / "initramfs.cpio"
    pack = f"cd {shlex.quote(str(root))} && find . | cpio --quiet -o -H newc > {shlex.quote(str(archive))}"
    subprocess.run(["sh", "-c", pack], check=True)
    return archive


def _copy(source: Path, target: Path, words: Sequence[str]) -> None:
    for module in source.rglob("*.ko*"):
        if any(word in module.name for word in words):
            to = target / module.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module, to)


class Guest:
    """The machine, and a host whose commands run in it (see tsnlab.hosts.Host)."""

    name = "node1"

    def __init__(self, folder: Path, *, iommu: bool = True) -> None:
        image, _ = kernel()
        line = folder / "line"
        argv = [*WITH_US, QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", "384"]
        argv += ["-machine", "q35,accel=tcg", "-cpu", "max"]
        argv += ["-kernel", image, "-initrd", initramfs(folder), "-serial", f"file:{folder}/console.log"]
        argv += ["-chardev", f"socket,id=line,path={line},server=on,wait=off", "-serial", "chardev:line"]
        argv += ["-append", "console=ttyS0 panic=-1 tsc=unstable" + (" intel_iommu=on iommu=pt" if iommu else "")]
        argv += ["-device", "intel-iommu"] if iommu else []
        argv += ["-device", "pcie-root-port,id=p1,chassis=1", "-device", "pcie-root-port,id=p2,chassis=2"]
        argv += ["-device", "pcie-root-port,id=p3,chassis=3", "-device", "pcie-pci-bridge,id=old,bus=p3"]
        argv += ["-device", "e1000e,bus=p1", "-device", "e1000e,bus=p2"]
        argv += ["-device", "e1000,bus=old,addr=1", "-device", "e1000,bus=old,addr=2"]
        self._log = folder / "console.log"
        self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL)
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX)
        deadline = Deadline(60)
        while not line.exists():
            deadline.check("serial line of QEMU")
            time.sleep(0.05)
        self._socket.connect(str(line))
        self._line(deadline)

    def run(self, argv, *, timeout: float = 30, check: bool = True) -> Result:
        started = time.monotonic()
        self._socket.sendall(base64.b64encode(shlex.join(argv).encode()) + b"\n")
        status, out, err = self._line(Deadline(timeout)).decode().replace("|", "").split(" ")
        texts = (base64.b64decode(text).decode() for text in (out, err))
        result = Result(self.name, tuple(argv), int(status), *texts, time.monotonic() - started)
        return result.check() if check else result

    def read_text(self, path: str) -> str:
        return self.run(["cat", path]).stdout

    def stop(self) -> None:
        self._socket.close()
        self.process.kill()
        self.process.wait()

    def _line(self, deadline: Deadline) -> bytes:
        while b"\n" not in self._rest:
            self._socket.settimeout(deadline.remaining or 0.01)
            try:
                self._rest += self._socket.recv(65536)
            except TimeoutError:
                raise DeadlineError(f"the guest does not answer:\n{self._log.read_text()[-2000:]}") from None
        line, _, self._rest = self._rest.partition(b"\n")
        return line
