"""Where the kernel's source comes from: Debian's package, or a tree or tarball of the user's."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tsnlab.errors import ConfigError, KernelBuildError
from tsnlab.kernel.config import dependencies
from tsnlab.kernel.process import running, tail
from tsnlab.progress import progress

DEBIAN_FOLDER = Path("/usr/src")

_UNPACKERS = {".xz": ["-J"], ".gz": ["-z"], ".tgz": ["-z"], ".bz2": ["-j"], ".zst": ["--zstd"], ".tar": []}
# a third of all files, which no build for user-mode Linux can need: texts, tests, code for other architectures
_LEFT_PACKED = ["*/Documentation/*/*", "*/tools/testing/*", "*/tools/perf/*", "*/arch/[!ux]*.[chS]", "*.dts*"]
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Source:
    """A kernel source that is there, and what tells it from another without reading it all.

    Attributes:
        path: a source tree (a folder) or a tarball.
        identity: changes whenever the source does; cheap to find out.
    """

    path: Path
    identity: str

    @property
    def is_tree(self) -> bool:
        """Whether the source is a tree, which is then only ever read."""
        return self.path.is_dir()


def find(named: str | Path | None, folder: Path = DEBIAN_FOLDER) -> Source:
    """The source that the user named, else the newest that Debian's packages installed.

    Args:
        named: a source tree or tarball; None for Debian's.
        folder: where Debian's linux-source packages put their tarballs.

    Raises:
        ConfigError: what was named is not a kernel source, or is a tree that was configured in place.
        KernelBuildError: nothing was named and no package is installed; says which.
    """
    path = _newest(folder) if named is None else Path(named).expanduser().resolve()
    if path.is_dir():
        _check_tree(path)
        return Source(path, _tree_identity(path))
    if not path.is_file() or path.suffix not in _UNPACKERS:
        raise ConfigError(f"{path} is not a kernel source; expected a source tree or a tarball (.tar.xz, ...)")
    found = path.stat()
    return Source(path, f"{path.name} {found.st_size} {found.st_mtime_ns}")


def unpack(tarball: Path, into: Path, log: Path, *, show: bool = True) -> Path:
    """Unpacks what a build for user-mode Linux needs of a tarball, and gives the top of the source tree.

    Raises:
        KernelBuildError: the tarball is broken or the disk full; tar's own words are in the message.
        ConfigError: it does not hold a kernel source.
    """
    excluded = [f"--exclude={pattern}" for pattern in _LEFT_PACKED]
    argv = ["tar", "-x", *_UNPACKERS[tarball.suffix], "-f", "-", "-C", str(into), *excluded]
    with (
        log.open("ab") as words,
        tarball.open("rb") as packed,
        running(argv, stdin=packed, stderr=words) as tar,
        progress(tarball.stat().st_size, "unpacking the kernel source", "B", show=show) as bar,
    ):
        while tar.poll() is None:
            time.sleep(_LOOK_EVERY_S)
            # tar reads through the file position that it shares with us
            bar.update(os.lseek(packed.fileno(), 0, os.SEEK_CUR) - bar.n)
    if tar.returncode:
        raise KernelBuildError(f"{tarball} could not be unpacked into {into}; the log {log} ends with:\n{tail(log)}")
    for tree in [into, *into.iterdir()]:
        if (tree / "Makefile").is_file():
            _check_tree(tree)
            return tree
    raise ConfigError(f"{tarball} is not a kernel source: there is no Makefile at its top")


def apply(patch: Path, tree: Path, log: Path) -> None:
    """Applies a patch of the project's own to a tree that was unpacked for this build.

    Raises:
        KernelBuildError: it does not fit this version of the kernel.
    """
    with log.open("ab") as words, patch.open("rb") as text:
        argv = ["patch", "--strip=1", "--forward", "--reject-file=-"]
        with running(argv, cwd=tree, stdin=text, stdout=words, stderr=words) as process:
            process.wait()
    if process.returncode:
        raise KernelBuildError(f"{patch} does not fit {tree.name}; the log {log} ends with:\n{tail(log)}")


def reasons(tree: Path, symbols: Iterable[str]) -> dict[str, str]:
    """What the tree's Kconfig files say about each symbol: what it depends on, or that there is none."""
    found: dict[str, list[str] | None] = dict.fromkeys(symbols)
    for kconfig in _kconfig_files(tree):
        text = kconfig.read_text(encoding="utf-8", errors="replace")
        for symbol in found:
            if (depends := dependencies(symbol, text)) is not None:
                found[symbol] = (found[symbol] or []) + depends
    return {symbol: _reason(depends) for symbol, depends in found.items()}


def _newest(folder: Path) -> Path:
    tarballs = folder.glob("linux-source-*.tar.xz")
    newest = max(tarballs, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)], default=None)
    if newest is None:
        raise KernelBuildError(
            f"no kernel source: {folder}/linux-source-*.tar.xz is not there;"
            " as root: apt-get install --no-install-recommends linux-source-6.12 (or name a tree or tarball)"
        )
    return newest


def _check_tree(tree: Path) -> None:
    if not (tree / "arch/um/Kconfig").is_file() or not (tree / "scripts/kconfig/merge_config.sh").is_file():
        raise ConfigError(f"{tree} is not a Linux source tree: it has no arch/um or no scripts/kconfig")
    # the same test as the kernel's Makefile makes before it builds out of tree
    leftovers = [".config", "include/config", "arch/um/include/generated"]
    if configured := [name for name in leftovers if (tree / name).exists()]:
        raise ConfigError(
            f"{tree} is not clean: it was configured in place ({', '.join(configured)}), and so cannot be"
            f" built out of tree; keep its .config if you need it, then run `make -C {tree} ARCH=um mrproper`"
        )


def _tree_identity(tree: Path) -> str:
    """Names, sizes and times of all files: an edit anywhere shows, yet no file has to be read."""
    # find is three times as fast as os.scandir here, and a kernel that is built already is to be had at once
    argv = ["find", str(tree), "-name", ".git", "-prune", "-o", "-type", "f", "-printf", "%P %s %T@\\n"]
    listing = subprocess.run(argv, check=True, capture_output=True).stdout
    return f"{tree} {sha256(listing).hexdigest()}"


def _kconfig_files(tree: Path) -> Iterator[Path]:
    """Those that count for user-mode Linux: not of other architectures, nor of kconfig's own tests."""
    for path in tree.rglob("Kconfig*"):
        inside = path.relative_to(tree).as_posix()
        if re.match(r"arch/(um|x86/um)/|(?!arch/|scripts/kconfig/)", inside) and path.is_file():
            yield path


def _reason(depends: list[str] | None) -> str:
    if depends is None:
        return "this kernel has no such symbol"
    return "depends on " + "; ".join(dict.fromkeys(depends)) if depends else "its conditions do not hold on this target"
