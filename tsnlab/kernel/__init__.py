"""The guide's first step, *build a Linux kernel with TSN support*: here it makes the virtual lab run.

The guide's fragment (params/kernel/stx.conf) and the virtual lab's are merged over the smallest
configuration of user-mode Linux; a symbol that does not survive is an error that names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tsnlab.errors import ConfigError
from tsnlab.kernel.config import SymbolRow, SymbolTable
from tsnlab.kernel.debian import prebuilt
from tsnlab.kernel.recipe import Recipe
from tsnlab.kernel.result import Kernel
from tsnlab.paths import PARAMS, cache_folder
from tsnlab.show.names import own

__all__ = ["FRAGMENTS", "Kernel", "SymbolRow", "SymbolTable", "build"]

FRAGMENTS = (PARAMS / "kernel/stx.conf", PARAMS / "kernel/virtual.conf")
"""The guide's fragment and the virtual lab's, in the order in which they are merged."""


def build(
    target: str = "virtual",
    *,
    source: str | Path | None = None,
    fragments: Sequence[str | Path] | None = None,
    jobs: int | None = None,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Kernel:
    """Gives the kernel for a target, building it unless the cache has it; a second call takes no time.

    Args:
        target: "virtual" is built from source and runs in virtual time; "debian" is the prebuilt
            kernel of Debian's package user-mode-linux, which runs by the wall clock.
        source: a kernel source tree, which is only ever read, or a tarball; None takes the newest of
            Debian's linux-source packages that is installed.
        fragments: configuration fragments, a later one wins; None takes the guide's and the virtual lab's.
        jobs: compilers at a time; None takes one more than there are cores.
        cache: the folder for what is built; None takes the user's cache folder.
        progress: whether progress and remaining time are shown.

    Raises:
        ConfigError: an argument or a line of a fragment is not valid.
        KernelBuildError: a requested symbol did not survive (this is found before anything is compiled),
            tools or the source are missing, or it does not compile; the message names the build log.
        DeadlineError: another process has been building the same kernel for an hour.
    """
    if target == "debian" and source is None and fragments is None:
        return prebuilt(FRAGMENTS[0])
    if target == "debian":
        raise ConfigError("kernel target 'debian' is prebuilt: it takes neither a source nor fragments")
    if target != "virtual":
        raise ConfigError(f"kernel target {target!r} is not supported; expected 'virtual' or 'debian'")
    if jobs is not None and jobs < 1:
        raise ConfigError(f"jobs is {jobs}; expected 1 or more compilers at a time")
    recipe = Recipe.read(source, fragments or FRAGMENTS)
    return recipe.kernel(Path(cache or cache_folder()) / "kernel", jobs=jobs, show=progress)


__dir__ = own(__name__)
