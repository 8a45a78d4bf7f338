"""What building a kernel for Kata gives: the two files of the guide and how they came about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from tsnlab.errors import KernelBuildError
from tsnlab.kernel.config import SymbolRow, SymbolTable

IMAGES = ("vmlinux.container", "vmlinuz.container")
"""The files of the guide; Kata's own build leaves them as links, here they are files."""

# since 6.1 there is another one in it, of the first pass of linking, which has no number of the build
_BANNER = re.compile(rb"Linux version \d[^\0\n]*#\d[^\0\n]*")


@dataclass(frozen=True, repr=False)
class KataKernel:
    """A kernel for Kata's guests, as files on this machine.

    Attributes:
        folder: has the two images, ``config``, ``build.log`` and ``manifest.json``.
        kata: the release of Kata whose recipe it was built by.
        release: as `uname -r` will say in the guest.
        banner: what the guest's /proc/version will say: no other build says the same.
        symbols: every requested symbol beside what the kernel has.
        manifest: what else is recorded: sources, commit, machine, compiler, hashes.
    """

    folder: Path
    kata: str
    release: str
    banner: str
    symbols: SymbolTable = field(default=SymbolTable())
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> tuple[Path, ...]:
        """``vmlinux.container`` and ``vmlinuz.container``."""
        return tuple(self.folder / name for name in IMAGES)

    @property
    def config(self) -> Path:
        """Its final .config."""
        return self.folder / "config"

    def save(self) -> None:
        """Writes the manifest, which makes the folder complete."""
        content = {**self.manifest, "kata": self.kata, "release": self.release, "banner": self.banner}
        content["sha256"] = {path.name: hash_of(path) for path in (*self.images, self.config)}
        content["symbols"] = [asdict(row) for row in self.symbols]
        (self.folder / "manifest.json").write_text(json.dumps(content, indent=1))

    def __str__(self) -> str:
        facts = [f"{name:9} {value}" for name, value in self._facts()]
        return "\n".join([self._title(), *facts, self.symbols.summary, "", str(self.symbols)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        facts = "".join(f"<tr><th>{name}<td>{escape(value)}</tr>" for name, value in self._facts())
        return (
            f"<b>{escape(self._title())}</b><table>{facts}</table>"
            f"<details><summary>{self.symbols.summary}</summary>{self.symbols._repr_html_()}</details>"
        )

    def _title(self) -> str:
        return f"Linux {self.release} for Kata {self.kata}"

    def _facts(self) -> list[tuple[str, str]]:
        named = [*((path.name, str(path)) for path in self.images), ("config", str(self.config))]
        return [*named, ("banner", self.banner), ("commit", str(self.manifest.get("commit", "unknown")))]


def load(folder: Path) -> KataKernel | None:
    """The kernel that a folder has; None if it is not complete."""
    try:
        content = json.loads((folder / "manifest.json").read_text())
    except FileNotFoundError:
        return None
    symbols = SymbolTable(tuple(SymbolRow(**row) for row in content.pop("symbols")))
    known = {key: content.pop(key) for key in ("kata", "release", "banner")}
    return KataKernel(folder, **known, symbols=symbols, manifest=content)


def banner(image: Path) -> str:
    """The line by which an uncompressed kernel introduces itself, which is also its /proc/version.

    Raises:
        KernelBuildError: the file is no uncompressed kernel.
    """
    found = _BANNER.search(image.read_bytes())
    if found is None:
        raise KernelBuildError(f"{image} is not an uncompressed Linux kernel: no `Linux version` in it")
    return found[0].decode(errors="replace").strip()


def hash_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return sha256(path.read_bytes()).hexdigest()
