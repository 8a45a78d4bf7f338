"""Kata's kernel as it would be built: the same driver of Kata's script, on an imagined machine."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from tsnlab.hosts.planned import PlannedHost, PlannedNode
from tsnlab.kernel import FRAGMENTS, KataKernel
from tsnlab.kernel.kata_build import Driver
from tsnlab.kernel.kata_result import IMAGES
from tsnlab.kernel.kata_tree import GUIDES_KATA, Tree
from tsnlab.plan import PlannedLab

HERE = "this machine"


def planned_kernel(
    lab: PlannedLab,
    *,
    on: PlannedHost | None = None,
    kata: str = GUIDES_KATA,
    version: str | None = None,
    source: str | None = None,
    **_how: Any,
) -> KataKernel:
    """Notes what would be run and written, and gives a kernel of which nothing is there but its names.

    Args:
        on, kata, version, source: see :func:`tsnlab.kernel.build`.
    """
    host = on or PlannedHost(PlannedNode(HERE), lab.plan.record)
    folder = Path(tempfile.mkdtemp(prefix="kernel-", dir=lab.folder))
    tree = Tree(kata, PurePosixPath(f"/var/tmp/tsnlab-kata-{kata}"))
    texts = {str(path): path.read_text(encoding="utf-8") for path in FRAGMENTS[:1]}
    driver = Driver(host, tree, texts, folder / "build.log", show=False)
    driver.drive(str(source or tree.repository), version)
    for name in IMAGES:
        (folder / name).write_text(f"{name} of the plan")
    guest = lab.plan.imagined[lab.talker.node]
    banner = guest.files.get("/proc/version", "").strip()
    return KataKernel(folder, kata, banner.split()[2] if banner else "", banner)
