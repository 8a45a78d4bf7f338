"""Kernels that are built already, in the user's cache folder.

<cache>/kernel/<key>/       linux, config, build.log, manifest.json; complete, or not there at all
<cache>/kernel/<key>.lock   held while this key is built
<cache>/kernel/<key>.work/  source and objects while it is built
<cache>/kernel/<key>.log    the build log while it is built, and after a failure
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tsnlab.deadline import Deadline
from tsnlab.kernel.config import SymbolRow, SymbolTable
from tsnlab.kernel.result import Kernel
from tsnlab.progress import progress

_RECIPE = 1  # goes up whenever the same inputs would be built in another way
_OTHER_BUILD_S = 3600.0
_LOOK_EVERY_S = 0.2


def key(source: str, texts: Sequence[str], compiler: str) -> str:
    """The name of a kernel in the cache: the same if and only if the same kernel would be built.

    Args:
        source: identity of the kernel source.
        texts: the configuration fragments and patches, in order.
        compiler: its version, in its own words.
    """
    parts = [_RECIPE, source, list(texts), compiler]
    return sha256(json.dumps(parts).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Entry:
    """One kernel in the cache, there or to be built.

    Attributes:
        folder: where it is once it is complete.
    """

    folder: Path

    @property
    def log(self) -> Path:
        """The build log while the kernel is built, and after a failure."""
        return self.folder.with_name(f"{self.folder.name}.log")

    def load(self) -> Kernel | None:
        """The kernel, or None if it is not there."""
        try:
            manifest = self.manifest()
        except FileNotFoundError:
            return None
        return Kernel(
            path=self.folder / "linux",
            version=manifest["version"],
            virtual_time=True,
            config=self.folder / "config",
            symbols=SymbolTable(tuple(SymbolRow(**row) for row in manifest["symbols"])),
            patches=tuple(manifest.get("patches", ())),
        )

    def manifest(self) -> dict[str, Any]:
        """How the kernel was built.

        Raises:
            FileNotFoundError: it is not there.
        """
        manifest: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text())
        return manifest

    def store(self, linux: Path, config: str, symbols: SymbolTable, manifest: Mapping[str, Any]) -> None:
        """Puts a kernel into the cache, all of it at once."""
        new = self.folder.with_name(f"{self.folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        shutil.copy2(linux, new / "linux")
        (new / "config").write_text(config)
        everything = {**manifest, "symbols": [asdict(row) for row in symbols]}
        (new / "manifest.json").write_text(json.dumps(everything, indent=1))
        self.log.rename(new / "build.log")
        shutil.rmtree(self.folder, ignore_errors=True)
        new.rename(self.folder)

    @contextmanager
    def locked(self, *, show: bool = True) -> Iterator[None]:
        """Keeps everyone else, of whatever process, from building this kernel.

        Raises:
            DeadlineError: someone else has been building it for an hour.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        deadline = Deadline(_OTHER_BUILD_S)
        with (
            _lock_file(self.folder).open("w") as lock,
            progress(None, "another process builds this kernel, waiting", "looks", show=show) as bar,
        ):
            while not _try_lock(lock.fileno()):
                deadline.check("end of the build in another process", f"{lock.name} is held")
                time.sleep(_LOOK_EVERY_S)
                bar.update()
            bar.close()
            yield

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """An empty folder for source and objects, removed at the end; to be used under the lock."""
        work = self.folder.with_name(f"{self.folder.name}.work")
        _remove_abandoned(self.folder.parent, work)
        self.log.unlink(missing_ok=True)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work)


def usual_object_count(folder: Path, otherwise: int) -> int:
    """How many objects the kernel built last had, as the estimate for the next."""
    manifests = sorted(folder.glob("*/manifest.json"), key=lambda path: path.stat().st_mtime)
    return json.loads(manifests[-1].read_text())["objects"] if manifests else otherwise


def _lock_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_abandoned(folder: Path, ours: Path) -> None:
    """Removes the source trees, over a gigabyte each, that killed builds of any key have left."""
    for work in folder.glob("*.work"):
        with _lock_file(work.with_suffix("")).open("w") as lock:
            ended = work == ours or _try_lock(lock.fileno())
            # a build that has just ended may have removed it itself
            if ended and work.exists():
                shutil.rmtree(work)
