"""The guide's first step, *build a Linux kernel with TSN support*: for Kata's guests, and for the virtual lab to run.

For Kata the guide's fragment (params/kernel/stx.conf) goes into Kata's own recipe, whose script is driven. For the
virtual lab it and the lab's own are merged over the smallest configuration of user-mode Linux. Either way a symbol that
does not survive is an error that names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from tsnlab.errors import ConfigError
from tsnlab.kernel.config import SymbolRow, SymbolTable, parse_fragment
from tsnlab.kernel.debian import prebuilt
from tsnlab.kernel.kata_result import KataKernel
from tsnlab.kernel.kata_tree import GUIDES_KATA
from tsnlab.kernel.recipe import Recipe, read_fragment
from tsnlab.kernel.result import Kernel
from tsnlab.paths import PARAMS, cache_folder
from tsnlab.show.names import own

if TYPE_CHECKING:
    from tsnlab.kernel.kata_build import Builder
    from tsnlab.place import Place
    from tsnlab.steps import Steps

__all__ = ["FRAGMENTS", "KataKernel", "Kernel", "SymbolRow", "SymbolTable", "build", "install", "installed"]

FRAGMENTS = (PARAMS / "kernel/stx.conf", PARAMS / "kernel/virtual.conf")
"""The guide's fragment and the virtual lab's, in the order in which they are merged."""


@overload
def build(
    target: Literal["virtual", "debian"] = ...,
    *,
    source: str | Path | None = ...,
    fragments: Sequence[str | Path] | None = ...,
    jobs: int | None = ...,
    cache: str | Path | None = ...,
    progress: bool = ...,
) -> Kernel: ...
@overload
def build(
    target: Literal["kata"],
    *,
    source: str | Path | None = ...,
    fragments: Sequence[str | Path] | None = ...,
    cache: str | Path | None = ...,
    progress: bool = ...,
    on: Builder | None = ...,
    kata: str = ...,
    version: str | None = ...,
) -> KataKernel: ...
def build(
    target: Literal["virtual", "debian", "kata"] = "virtual",
    *,
    source: str | Path | None = None,
    fragments: Sequence[str | Path] | None = None,
    jobs: int | None = None,
    cache: str | Path | None = None,
    progress: bool = True,
    on: Builder | None = None,
    kata: str = GUIDES_KATA,
    version: str | None = None,
) -> Kernel | KataKernel:
    """Gives the kernel for a target, building it unless the cache has it; a second call takes no time.

    Args:
        target: "virtual" is built from source and runs in virtual time; "debian" is the prebuilt
            kernel of Debian's package user-mode-linux, which runs by the wall clock; "kata" is built by
            Kata's own script, for the guide's guest.
        source: a kernel source tree, which is only ever read, or a tarball; None takes the newest of
            Debian's linux-source packages that is installed. For "kata" the URL or a local clone of Kata's
            repository; None takes it from GitHub.
        fragments: configuration fragments, a later one wins; None takes the guide's and the virtual lab's,
            for "kata" the guide's alone.
        jobs: compilers at a time; None takes one more than there are cores.
        cache: the folder for what is built; None takes the user's cache folder.
        progress: whether progress and remaining time are shown.
        on: for "kata": where it is built: a node (``lab.host("host1")``) or a container; None for this machine.
        kata: for "kata": the release of Kata, a tag of its repository.
        version: for "kata": of the kernel; None takes what the release comes with.

    Raises:
        ConfigError: an argument or a line of a fragment is not valid.
        KernelBuildError: a requested symbol did not survive (this is found before anything is compiled),
            tools or the source are missing, or it does not compile; the message names the build log.
        DeadlineError: another process has been building the same kernel for an hour.
    """
    if target == "kata":
        return _for_kata(on, kata, source, fragments, version, Path(cache or cache_folder()), progress)
    if target == "debian" and source is None and fragments is None:
        return prebuilt(FRAGMENTS[0])
    if target == "debian":
        raise ConfigError("kernel target 'debian' is prebuilt: it takes neither a source nor fragments")
    if target != "virtual":
        raise ConfigError(f"kernel target {target!r} is not supported; expected 'virtual', 'debian' or 'kata'")
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs is {jobs}; expected 1 or more compilers at a time")
    recipe = Recipe.read(source, fragments or FRAGMENTS)
    return recipe.kernel(Path(cache or cache_folder()) / "kernel", jobs=jobs, show=progress)


def install(lab: Place, node: str, kernel: KataKernel, folder: str = "/usr/share/kata-containers") -> Steps:
    """Copies the two images of a kernel to the node where Kata runs, as files; what was there before is kept.

    Args:
        folder: where Kata's configuration looks for them; /opt/kata/share/kata-containers if Kata was unpacked there.

    Raises:
        CommandError: no room or no right to; the undo restores what was there.
        StepError: what is there in the end is not what was built.
    """
    from tsnlab.kernel.kata_install import install

    return install(lab, node, kernel, folder)


def installed(
    lab: Place, node: str, folder: str = "/usr/share/kata-containers", cache: str | Path | None = None
) -> KataKernel | None:
    """The kernel that a node has for Kata's guests, if it was built here; None if it is another one.

    Args:
        folder: see :func:`install`.
        cache: see :func:`build`.
    """
    from tsnlab.kernel.kata_install import installed

    return installed(lab, node, folder, Path(cache or cache_folder()) / "kata-kernel")


def _for_kata(
    on: Builder | None,
    kata: str,
    source: str | Path | None,
    fragments: Sequence[str | Path] | None,
    version: str | None,
    cache: Path,
    progress: bool,
) -> KataKernel:
    from tsnlab.hosts.local import LocalHost
    from tsnlab.kernel import kata_build

    texts = {str(path): read_fragment(Path(path)) for path in fragments or FRAGMENTS[:1]}
    for name, text in texts.items():
        parse_fragment(text, name)
    host = on or LocalHost("this machine")
    return kata_build.build(
        host, kata, texts, cache / "kata-kernel", source=str(source) if source else None, version=version, show=progress
    )


__dir__ = own(__name__)
