"""Kata's own build script driven, step by step, on this machine, on a node, or in a container of a node.

Source: the guide, "Build a Linux kernel with TSN support for Kata Containers".
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from tsnlab.errors import CommandError, DeadlineError, HostError, KernelBuildError
from tsnlab.hosts import Host
from tsnlab.kernel.cache import Entry, key
from tsnlab.kernel.config import SymbolTable, compare, merge, parse_config, parse_fragment
from tsnlab.kernel.kata_result import IMAGES, KataKernel, banner, hash_of, load
from tsnlab.kernel.kata_tree import Tree, kernel_version
from tsnlab.progress import progress

if TYPE_CHECKING:
    from tqdm.std import tqdm

TOOLS: Mapping[str, str] = {
    "git": "git",
    "gcc": "gcc",
    "make": "make",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "patch": "patch",
    "xz": "xz-utils",
    "curl": "curl",
}
"""What Kata's script and the kernel's build run, and the Debian package that has it."""

_MISSING = 'for tool; do command -v "$tool" >/dev/null || echo "$tool"; done'
_IN = 'cd "$1" && shift && exec "$@" 2>&1 </dev/null'
_READY = "Kernel source ready: "
_LONGEST_S = 3 * 3600.0

_REMEDIES = {
    "No space left on device": "make room there: a build takes up to 3 GB (`df /var/tmp`)",
    "not found in upstream origin": "is the release a tag of that repository? in a local clone: `git fetch --tags`",
    "Could not resolve host": "the machine needs the internet for this, or a local clone (source=) and a tarball of the"
    " kernel beside the build",
    "failed to construct requested .config": "see the symbols above: what do they depend on in this kernel?",
    "path to kernel does not exist": "the script looks for another version of Kata's configuration than it has set up",
    "gelf.h": "apt-get install libelf-dev",
    "openssl/": "apt-get install libssl-dev",
    "Error 2": "a kernel that is older than the compiler may not build with it: build in a container of its time"
    " (for Linux 5.4: ubuntu:20.04)",
}
"""What is to be done, by words of what the script or its tools say."""


class Builder(Host, Protocol):
    """A host that files are copied to and from."""

    def put(self, local: Path, path: str) -> None:
        """Copies a file to it."""

    def get(self, path: str, local: Path) -> None:
        """Copies a file of it here."""


@dataclass
class Driver:
    """One build: the machine, the recipe, and what is recorded of it.

    Attributes:
        host: where it is built.
        fragments: path and text of each configuration fragment.
        log: gets every word of the script, on this machine.
        said: what the present command has said.
    """

    host: Builder
    tree: Tree
    fragments: Mapping[str, str]
    log: Path
    show: bool = True
    said: list[str] = field(default_factory=list)

    def drive(self, source: str, version: str | None) -> tuple[str, dict[str, Any]]:
        """Clones, configures, checks the configuration, compiles and installs; gives .config and what is recorded.

        Raises:
            KernelBuildError: a command failed, or a symbol did not survive; says which, where, and what to do.
        """
        commit = self._clone(source)
        versions = self.tree.versions
        version = version or kernel_version(self.tree, self.host.read_text(str(versions)) if versions else None)
        linux = self._configure(version)
        self._run("compiling the kernel", self.tree.build(version))
        self._run("installing the kernel", self.tree.install(version))
        recorded: dict[str, Any] = {
            "source": source,
            "commit": commit,
            "kernel": version,
            "release": self.host.read_text(f"{linux}/include/config/kernel.release").strip(),
            "machine": self.host.name,
            "compiler": compiler(self.host),
            "fragments": sorted(Path(path).name for path in self.fragments),
        }
        return self.host.read_text(f"{linux}/.config"), recorded

    def _clone(self, source: str) -> str:
        """Clones the release into an empty folder; gives the commit."""
        clone = str(self.tree.clone)
        self.host.run(["rm", "-rf", str(self.tree.folder)], timeout=600)
        self.host.run(["mkdir", "-p", f"{self.tree.folder}/work", str(self.tree.clone.parent)])
        quietly = ["git", "-c", "advice.detachedHead=false", "clone", "--quiet"]
        self._run("cloning Kata's recipe", [*quietly, "--branch", self.tree.tag, source, clone])
        return self.host.run(["git", "-C", clone, "rev-parse", "HEAD"]).stdout.strip()

    def _configure(self, version: str) -> str:
        """Sets the source up with the fragments, checks the configuration, and gives the source's folder."""
        *before, last = self.tree.setups(version)
        for argv in before:
            self._run("setting up the kernel's source", argv)
        for path, text in self.fragments.items():
            self.host.write_text(str(self.tree.fragments / Path(path).name), text)
        self._run("setting up the kernel's configuration", last)
        linux = self._ready()
        self.check(self.host.read_text(f"{linux}/.config"))
        return linux

    def check(self, config: str) -> SymbolTable:
        """Every requested symbol beside the configuration.

        Raises:
            KernelBuildError: one is not as requested; Kata's kernel has no modules, so that `m` is not either.
        """
        requested = merge([parse_fragment(text, name) for name, text in self.fragments.items()])
        rows = []
        for row in compare(requested, parse_config(config), {}):
            module = row.actual == "m" != row.requested
            rows.append(replace(row, note="a module, which Kata's guest cannot load") if module else row)
        lost = [row for row in rows if not row.survived or row.note.startswith("a module")]
        if lost:
            listed = "\n".join(
                f"  {row.symbol}: requested {row.requested}, but is {row.actual} {row.note}" for row in lost
            )
            raise KernelBuildError(
                f"{self.host.name}: {len(lost)} of {len(rows)} requested symbols are not in the configuration that"
                f" Kata's script made (log: {self.log}):\n{listed}\n"
                "what to do: see what they depend on in this kernel, and add that to a fragment"
            )
        return SymbolTable(tuple(rows))

    def fetch(self, into: Path) -> None:
        """Copies the two images here, as files, and compares them with what they are there.

        Raises:
            KernelBuildError: they are not the same.
        """
        for name in IMAGES:
            there = str(self.tree.installed / name)
            self.host.get(there, into / name)
            told = self.host.run(["sha256sum", there]).stdout.split()[0]
            if told != hash_of(into / name):
                raise KernelBuildError(f"{self.host.name}: {there} did not arrive here as it is there")

    def _run(self, what: str, argv: Sequence[str]) -> None:
        self.said = []
        with self.log.open("a", encoding="utf-8") as log, progress(None, what, "lines", show=self.show) as bar:
            log.write(f"$ {' '.join(argv)}\n")
            process = self.host.start(["sh", "-c", _IN, "in", f"{self.tree.folder}/work", *argv], self._taker(log, bar))
            result = process.wait(_LONGEST_S)
        if result.returncode:
            words = "\n".join([*self.said[-400:], result.stderr])
            remedy = next((text for known, text in _REMEDIES.items() if known.lower() in words.lower()), "")
            shown = "\n".join(f"  {line}" for line in self._telling())
            raise KernelBuildError(
                f"{self.host.name}: {what}: `{' '.join(argv)}` failed with status {result.returncode}; the log"
                f" {self.log} ends with:\n{shown}" + (f"\nwhat to do: {remedy}" if remedy else "")
            )

    def _taker(self, log: Any, bar: tqdm[Any]) -> Any:
        def take(line: str) -> None:
            log.write(line + "\n")
            self.said.append(line)
            bar.update()

        return take

    def _telling(self) -> list[str]:
        """The end of what was said, and the symbols that kconfig complained of, wherever they are."""
        lost = [line for line in self.said if "not in final" in line]
        return [*lost, *(line for line in self.said[-15:] if line not in lost)]

    def _ready(self) -> str:
        for line in reversed(self.said):
            if line.startswith(_READY):
                return line.removeprefix(_READY).strip()
        raise KernelBuildError(
            f"{self.host.name}: Kata's script does not say where the source is (`{_READY}...`); log: {self.log}"
        )


def compiler(host: Host) -> str:
    """The compiler's own name for itself."""
    return host.run(["sh", "-c", "gcc --version | head -n 1"]).stdout.strip()


def check_tools(host: Host) -> None:
    """Raises KernelBuildError if a machine lacks tools, with the Debian packages that have them."""
    missing = host.run(["sh", "-c", _MISSING, "tools", *TOOLS]).stdout.split()
    if missing:
        packages = " ".join(TOOLS[tool] for tool in missing)
        raise KernelBuildError(
            f"{host.name}: building Kata's kernel needs {', '.join(missing)}\nwhat to do: apt-get install {packages}"
        )


def build(
    host: Builder,
    tag: str,
    fragments: Mapping[str, str],
    cache: Path,
    *,
    source: str | None = None,
    version: str | None = None,
    show: bool = True,
) -> KataKernel:
    """The kernel, out of the cache or built into it; see `tsnlab.kernel.build`."""
    check_tools(host)
    recipe = Tree(tag, PurePosixPath("/"))
    source = source or recipe.repository
    name = "kata-" + key(f"{source} {tag} {version}", list(fragments.values()), f"{host.name} {compiler(host)}")
    entry = Entry(cache / name)
    if kernel := load(entry.folder):
        return kernel
    with entry.locked(show=show):
        if kernel := load(entry.folder):
            return kernel
        driver = Driver(host, Tree(tag, PurePosixPath(f"/var/tmp/tsnlab-{name}")), fragments, entry.log, show)
        entry.log.unlink(missing_ok=True)
        try:
            _store(driver, entry, *_driven(driver, source, version))
        finally:
            # up to 3 GB, and the next attempt begins anew; a node that is lost has said so already
            with suppress(HostError, DeadlineError):
                host.run(["rm", "-rf", str(driver.tree.folder)], timeout=600, check=False)
    kernel = load(entry.folder)
    if kernel is None:
        raise KernelBuildError(f"{entry.folder} vanished as soon as it was built; is something cleaning up there?")
    return kernel


def _driven(driver: Driver, source: str, version: str | None) -> tuple[str, dict[str, Any]]:
    try:
        return driver.drive(source, version)
    except CommandError as error:
        raise KernelBuildError(f"{error}\nwhat was said before: {driver.log}") from error


def _store(driver: Driver, entry: Entry, config: str, recorded: dict[str, Any]) -> None:
    """Puts what was built into the cache, all of it at once."""
    new = entry.folder.with_name(f"{entry.folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    driver.fetch(new)
    (new / "config").write_text(config)
    entry.log.rename(new / "build.log")
    release = recorded.pop("release")
    KataKernel(new, driver.tree.tag, release, banner(new / IMAGES[0]), driver.check(config), recorded).save()
    new.rename(entry.folder)
