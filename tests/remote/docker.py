"""A real dockerd with nothing but an image of busybox, in a folder of its own."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.remote.mortal import WITH_US
from tsnlab.deadline import Deadline

DOCKERD = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin")
BUSYBOX = Path("/bin/busybox")


def missing() -> str:
    """Why there can be none here; empty if there can."""
    if os.geteuid() != 0:
        return "dockerd needs root"
    if DOCKERD is None or shutil.which("docker") is None:
        return "no dockerd here: apt-get install --no-install-recommends docker.io"
    if not BUSYBOX.exists():
        return "no static busybox here: apt-get install busybox-static"
    return ""


class Docker:
    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/docker.sock"
        self._log = folder / "dockerd.log"
        argv = [*WITH_US, DOCKERD, "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
        argv += ["-H", self.address, "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
        with self._log.open("w") as log:
            self.process = subprocess.Popen([*argv, "--pidfile", str(folder / "pid"), *options], stdout=log, stderr=log)

    def ready(self) -> bool:
        """Whether it serves; False if it cannot start on this machine."""
        deadline = Deadline(20)
        while self.process.poll() is None and not deadline.expired:
            if self("version", check=False).returncode == 0:
                return True
            time.sleep(0.1)
        return False

    def __call__(self, *argv: str, check: bool = True, **more) -> subprocess.CompletedProcess:
        return subprocess.run(["docker", "-H", self.address, *argv], check=check, capture_output=True, **more)

    def import_image(self, folder: Path, name: str = "kata_tsn_image", bash: str = "exec sh") -> None:
        """An image of busybox; `bash` is what its /bin/bash does, which the guide's container is started with."""
        root = folder / f"root-of-{name}"
        for part in ("bin", "tmp", "dev", "proc", "sys"):
            (root / part).mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
        for applet in set(applets) - {"busybox"}:
            (root / "bin" / applet).symlink_to("busybox")
        (root / "bin/bash").write_text(f"#!/bin/sh\n{bash}\n")
        (root / "bin/bash").chmod(0o755)
        image = subprocess.run(["tar", "-C", str(root), "-c", "."], check=True, capture_output=True).stdout
        self("import", "-", name, input=image)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        # the network of the host, which containers have had, stays mounted there
        for namespace in (self.folder / "exec/netns").glob("*"):
            subprocess.run(["umount", "--lazy", namespace], check=False, capture_output=True)
