"""A kernel from source: what goes into it, and how it comes out of the cache or out of a build."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tsnlab.errors import ConfigError, KernelBuildError
from tsnlab.kernel import source as sources
from tsnlab.kernel.cache import Entry, key, usual_object_count
from tsnlab.kernel.config import SymbolTable, compare, merge, parse_config, parse_fragment
from tsnlab.kernel.make import Make, check_tools, compiler_version, default_jobs
from tsnlab.kernel.result import Kernel
from tsnlab.kernel.source import Source
from tsnlab.paths import PARAMS

PATCHES = PARAMS / "kernel/patches"
"""The project's own changes to the kernel; each says in its head what it is for."""

_OBJECTS = 770


@dataclass(frozen=True)
class Recipe:
    """All that decides what kernel is built.

    Attributes:
        source: the kernel's source.
        fragments: path and text of each configuration fragment, in the order of merging.
        compiler: its version, in its own words.
        patches: path and text of each change of the project's own, in the order in which they are applied;
            none for a tree of the user's, which is never written to.
    """

    source: Source
    fragments: Mapping[str, str]
    compiler: str
    patches: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, source: str | Path | None, fragments: Iterable[str | Path]) -> Recipe:
        """Finds the source, reads the fragments and asks the compiler.

        Raises:
            ConfigError: the source or a fragment is not one, or is not there.
            KernelBuildError: no source is installed, or no compiler.
        """
        texts = {str(path): read_fragment(Path(path)) for path in fragments}
        found = sources.find(source)
        patches = {} if found.is_tree else {str(path): path.read_text() for path in sorted(PATCHES.glob("*.patch"))}
        return cls(found, texts, compiler_version(), patches)

    @property
    def requested(self) -> dict[str, str]:
        """Every symbol that the fragments ask for, with its value."""
        return merge([parse_fragment(text, name) for name, text in self.fragments.items()])

    def kernel(self, folder: Path, *, jobs: int | None = None, show: bool = True) -> Kernel:
        """The kernel, out of the cache in `folder` or built into it.

        Raises:
            KernelBuildError: it could not be built; see `tsnlab.kernel.build`.
            DeadlineError: another process has been building it for an hour.
        """
        requested = self.requested
        entry = Entry(
            folder / key(self.source.identity, [*self.fragments.values(), *self.patches.values()], self.compiler)
        )
        if kernel := entry.load():
            return kernel
        with entry.locked(show=show):
            # someone else may have built it while we waited
            if (kernel := entry.load()) is None:
                check_tools()
                self._build(entry, requested, jobs or default_jobs(), show)
                kernel = entry.load()
        if kernel is None:
            raise KernelBuildError(f"{entry.folder} vanished as soon as it was built; is something cleaning up there?")
        return kernel

    def _build(self, entry: Entry, requested: Mapping[str, str], jobs: int, show: bool) -> None:
        started = time.monotonic()
        with entry.workplace() as work:
            make = self._make(work, entry.log, show)
            config = make.configure(self.fragments)
            symbols = compare(requested, parse_config(config))
            _check(symbols, make.tree, entry.log)
            linux = make.compile(jobs, usual_object_count(entry.folder.parent, _OBJECTS))
            manifest = self._manifest() | {
                "version": make.release,
                "objects": make.compiled,
                "jobs": jobs,
                "seconds": round(time.monotonic() - started, 1),
            }
            entry.store(linux, config, symbols, manifest)

    def _make(self, work: Path, log: Path, show: bool) -> Make:
        """A tree of the user's is built out of tree; our own copy, unpacked for this build, in place."""
        if self.source.is_tree:
            return Make(self.source.path, work, log, show)
        tree = sources.unpack(self.source.path, work, log, show=show)
        for patch in self.patches:
            sources.apply(Path(patch), tree, log)
        return Make(tree, tree, log, show)

    def _manifest(self) -> dict[str, Any]:
        hashes = {name: sha256(text.encode()).hexdigest() for name, text in self.fragments.items()}
        return {
            "source": str(self.source.path),
            "compiler": self.compiler,
            "fragments": hashes,
            "patches": [Path(patch).stem for patch in self.patches],
        }


def read_fragment(path: Path) -> str:
    """The text of a configuration fragment.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"kernel fragment {path} cannot be read: {error.strerror}") from error


def _check(symbols: SymbolTable, tree: Path, log: Path) -> None:
    if not symbols.lost:
        return
    reasons = sources.reasons(tree, [row.symbol for row in symbols.lost])
    lines = [
        f"  {row.symbol}: requested {row.requested}, but is {row.actual}; {reasons[row.symbol]}"
        + (f" ({row.note})" if row.note else "")
        for row in symbols.lost
    ]
    raise KernelBuildError(
        f"{len(lines)} of {len(symbols)} requested symbols did not survive the merge over"
        f" `make ARCH=um tinyconfig` (nothing was compiled; log: {log}):\n" + "\n".join(lines)
    )
