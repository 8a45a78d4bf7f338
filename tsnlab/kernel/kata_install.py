"""The guide's kernel for Kata copied to the node where Kata runs.

Source: the guide, Step 2: "copy the two kernel images vmlinux.container and vmlinuz.container".
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.kernel.kata_build import Builder
from tsnlab.kernel.kata_result import IMAGES, KataKernel, hash_of, load
from tsnlab.place import Place
from tsnlab.steps import Doing, Step, Steps

# Kata installs links, which must be moved away and not written through: what they lead to stays
_RESTORE = '{ [ ! -e "$0" ] && [ ! -L "$0" ]; } || mv -f "$0" "$1"'


def install(lab: Place, node: str, kernel: KataKernel, folder: str) -> Steps:
    """See `tsnlab.kernel.install`."""
    doing = Doing(lab.host(node))
    steps = []
    for image in kernel.images:
        path, wanted = f"{folder}/{image.name}", hash_of(image)
        doing.commands = []
        before = _hash(doing.host, path)
        if before != wanted:
            _replace(lab, node, doing, path)
            cast(Builder, doing.host).put(image, path)
            doing.commands.append(f"scp {image} {node}:{path}")
        after = _hash(doing.host, path)
        if after != wanted:
            raise StepError(f"{node}: {path} is not what was built: its SHA-256 is {after or 'none'}, not {wanted}")
        steps.append(
            Step(node, path, _words(before, kernel, wanted), _words(after, kernel, wanted), tuple(doing.commands))
        )
    return Steps(f"Kernel {kernel.release} for Kata's guests", tuple(steps))


def installed(lab: Place, node: str, folder: str, cache: Path) -> KataKernel | None:
    """See `tsnlab.kernel.installed`."""
    name = IMAGES[0]
    there = _hash(lab.host(node), f"{folder}/{name}")
    kernels = filter(None, map(load, sorted(cache.glob("*/"))))
    return next((kernel for kernel in kernels if kernel.manifest["sha256"][name] == there), None)


def _replace(lab: Place, node: str, doing: Doing, path: str) -> None:
    """Makes place for a file; what is there, a link as well, is kept for the undo."""
    kept = f"{path}.before-tsnlab"
    there = doing.host.run(["sh", "-c", '[ -e "$0" ] || [ -L "$0" ]', path], check=False).returncode == 0
    if there:
        lab.journal.will_change(node, ["sh", "-c", _RESTORE, kept, path])
        doing.run(["mv", "-f", path, kept])
    else:
        lab.journal.will_change(node, ["rm", "-f", path])
        doing.run(["mkdir", "-p", path.rpartition("/")[0]])


def _hash(host: Host, path: str) -> str:
    """The SHA-256 of a file or of what a link leads to; empty if there is none."""
    result = host.run(["sha256sum", path], check=False)
    return result.stdout.split()[0] if result.returncode == 0 and result.stdout else ""


def _words(found: str, kernel: KataKernel, wanted: str) -> str:
    return f"{kernel.release}, sha256 {found[:12]}" if found == wanted else f"sha256 {found[:12]}" if found else "none"
