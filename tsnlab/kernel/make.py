"""Configuring and compiling a kernel for user-mode Linux with the kernel's own build system.

Source: the kernel's Documentation/virt/uml/user_mode_linux_howto_v2.rst, Documentation/kbuild/kbuild.rst.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Never

from tsnlab.errors import KernelBuildError
from tsnlab.kernel.process import run_logged
from tsnlab.progress import progress

if TYPE_CHECKING:
    from tqdm.std import tqdm

TOOLS: Mapping[str, str] = {
    "gcc": "gcc",
    "make": "make",
    "flex": "flex",
    "patch": "patch",
    "bison": "bison",
    "bc": "bc",
    "xz": "xz-utils",
}
"""What a build runs, and the Debian package that has it."""

_HEADER, _HEADER_PACKAGE = "elf.h", "libc6-dev"
_KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "CCACHE_DIR")
_CONFIGURE_OBJECTS = 14
_COMPILED = re.compile(r"\s+(CC|AS|HOSTCC|HOSTLD)\s")


def check_tools() -> None:
    """Raises KernelBuildError if this machine cannot build, with the Debian packages that it lacks."""
    if platform.machine() != "x86_64":
        raise KernelBuildError(f"user-mode Linux is for x86-64 only, and this machine is {platform.machine()}")
    packages = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if shutil.which("gcc") and not _has_headers():
        packages.append(_HEADER_PACKAGE)
    if packages:
        raise KernelBuildError(
            f"building a kernel needs tools that are not here: {', '.join(packages)}; as root:"
            f" apt-get install --no-install-recommends {' '.join(packages)}"
        )


def compiler_version() -> str:
    """The compiler's own name for itself, such as `gcc (Debian 12.2.0-14+deb12u1) 12.2.0`.

    Raises:
        KernelBuildError: there is no compiler.
    """
    if shutil.which("gcc") is None:
        check_tools()
    said = subprocess.run(["gcc", "--version"], check=True, capture_output=True, text=True).stdout
    return said.splitlines()[0]


def default_jobs() -> int:
    """One job more than there are cores for us: reading and writing then cost no time."""
    return len(os.sched_getaffinity(0)) + 1


@dataclass
class Make:
    """One build: where its source and its objects are, and what it has compiled so far.

    Attributes:
        tree: the source tree; only read, unless it is also the folder for the objects.
        objects: where the .config and all results go.
        log: gets every word of the tools.
        show: whether progress is shown.
        compiled: the number of objects compiled so far.
    """

    tree: Path
    objects: Path
    log: Path
    show: bool = True
    compiled: int = field(default=0, init=False)

    def configure(self, fragments: Mapping[str, str]) -> str:
        """Merges the fragments (path: text, in order) over tinyconfig and gives the final .config.

        Raises:
            KernelBuildError: a tool failed; the message has its last words.
        """
        names = [f"{number}-{_plain(Path(path).name)}" for number, path in enumerate(fragments)]
        for name, text in zip(names, fragments.values(), strict=True):
            (self.objects / name).write_text(text)
        with progress(_CONFIGURE_OBJECTS, "configuring the kernel", show=self.show) as bar:
            self._make(bar, "tinyconfig")
            self._run([str(self.tree / "scripts/kconfig/merge_config.sh"), "-m", ".config", *names])
            self._make(bar, "olddefconfig")
        return (self.objects / ".config").read_text()

    def compile(self, jobs: int, objects: int) -> Path:
        """Compiles and links, and gives the binary.

        Args:
            jobs: compilers at a time.
            objects: about how many objects there will be, for the remaining time.

        Raises:
            KernelBuildError: it does not compile; the message has the compiler's last words.
        """
        with progress(objects, f"compiling the kernel, {jobs} at a time", "objects", show=self.show) as bar:
            self._make(bar, f"-j{jobs}", "linux")
        return self.objects / "linux"

    @property
    def release(self) -> str:
        """What `uname -r` will say."""
        return (self.objects / "include/config/kernel.release").read_text().strip()

    def _make(self, bar: tqdm[Never], *arguments: str) -> None:
        def count(line: str) -> None:
            if _COMPILED.match(line):
                self.compiled += 1
                bar.total = max(bar.total or 0, bar.n + 1)  # it was only an estimate
                bar.update()

        out_of_tree = [] if self.objects == self.tree else [f"O={self.objects}"]
        compiler = "ccache gcc" if shutil.which("ccache") else "gcc"
        argv = ["make", "-C", str(self.tree), "ARCH=um", f"CC={compiler}", *out_of_tree, *arguments]
        self._run(argv, count)

    def _run(self, argv: Sequence[str], on_line: Callable[[str], object] = str) -> None:
        run_logged(argv, cwd=self.objects, env=_environment(), log=self.log, on_line=on_line)


def _plain(name: str) -> str:
    """A file name that merge_config.sh, which splits at spaces, can take."""
    return re.sub(r"[^\w.-]", "_", name)


def _environment() -> dict[str, str]:
    """Little of the user's environment, so that the same recipe gives the same kernel.

    Above all no MAKEFLAGS: a build started by `make` would wait for that make's job server.
    """
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    builder = {"KBUILD_BUILD_USER": "tsnlab", "KBUILD_BUILD_HOST": "tsnlab"}
    # a fixed date: reproducible, and ccache then knows every file again; ccache's depend mode
    # saves it a run of the preprocessor for each file, a third of the first build's time
    fixed = {"KBUILD_BUILD_TIMESTAMP": "2026-01-01", "CCACHE_DEPEND": "1", "LC_ALL": "C"}
    return kept | builder | fixed


def _has_headers() -> bool:
    argv = ["gcc", "-fsyntax-only", "-include", _HEADER, "-x", "c", os.devnull]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0
