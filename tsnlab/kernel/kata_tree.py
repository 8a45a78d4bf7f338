"""Kata's own recipe for its kernel: what is where in which release, and how its script is called.

Nothing is run here.

1.x: the repository `packaging`. Its script reads fragments and patches not from where it lies but from
`$GOPATH/src/github.com/kata-containers/packaging`, and clones that itself, from the default branch, if it is not there:
so the tree is put there in the first place, and the script is run from there. `sudo` would lose GOPATH and with it the
pinned tree: so it installs into a folder of our own, which needs no root.

Since 2.0: the repository `kata-containers`, which the script reads from where it lies. There `setup -f` on a tree that
has been set up applies the patches again (2.x), or begins anew from the tarball (since 3.3): so the fragments are put
in place first, and there is one setup.

Source: kata-containers/packaging:kernel/build-kernel.sh; kata-containers/kata-containers:tools/packaging/kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from tsnlab.errors import ConfigError
from tsnlab.kata_config import Version, parse_version

GUIDES_KATA = "1.11.0"
GUIDES_KERNEL = "5.4.32"

_GITHUB = "https://github.com/kata-containers"


@dataclass(frozen=True)
class Tree:
    """The recipe of one release, in a folder of the machine that builds.

    Attributes:
        tag: the release, which is a tag of the repository.
        folder: where everything of this build is.
    """

    tag: str
    folder: PurePosixPath

    def __post_init__(self) -> None:
        parse_version(self.tag)

    @property
    def release(self) -> Version:
        """The release, to be compared."""
        return parse_version(self.tag)

    @property
    def repository(self) -> str:
        """Where it is cloned from if nothing else is said."""
        return f"{_GITHUB}/{'packaging' if self._old else 'kata-containers'}.git"

    @property
    def clone(self) -> PurePosixPath:
        """Where it is cloned to."""
        if self._old:
            return self.folder / "go/src/github.com/kata-containers/packaging"
        return self.folder / "kata-containers"

    @property
    def versions(self) -> PurePosixPath | None:
        """The file that has the kernel's version; None in 1.x, where it is in another repository."""
        return None if self._old else self.clone / "versions.yaml"

    @property
    def fragments(self) -> PurePosixPath:
        """The folder of which every fragment is taken."""
        return self._kernel / "configs/fragments/x86_64"

    @property
    def installed(self) -> PurePosixPath:
        """Where the images are in the end."""
        return self.folder / "installed/usr/share/kata-containers"

    def setups(self, kernel: str) -> list[list[str]]:
        """The setups: in 1.x one before and one after the fragments are put in place, as in the guide."""
        return [self._argv(kernel, "setup")] * (2 if self._old else 1)

    def build(self, kernel: str) -> list[str]:
        """Compiles."""
        return self._argv(kernel, "build")

    def install(self, kernel: str) -> list[str]:
        """Puts the images into :attr:`installed`."""
        return self._argv(kernel, "install")

    @property
    def _old(self) -> bool:
        return self.release < (2, 0, 0)

    @property
    def _kernel(self) -> PurePosixPath:
        return self.clone / ("kernel" if self._old else "tools/packaging/kernel")

    def _argv(self, kernel: str, command: str) -> list[str]:
        environment = [f"DESTDIR={self.folder}/installed", "PREFIX=/usr"]
        if self._old:
            environment = [f"GOPATH={self.folder}/go", f"kata_version={self.tag}", *environment]
        options = ["-v", kernel, *(["-f", "-d"] if self._old else [])]
        return ["env", *environment, str(self._kernel / "build-kernel.sh"), *options, command]


def kernel_version(tree: Tree, versions: str | None) -> str:
    """The kernel that a release of Kata comes with.

    Args:
        versions: the content of :attr:`Tree.versions`.

    Raises:
        ConfigError: it does not say.
    """
    if versions is None:
        if tree.tag == GUIDES_KATA:
            return GUIDES_KERNEL
        raise ConfigError(f"Kata {tree.tag}: say which kernel (version=); the guide built {GUIDES_KERNEL} for 1.11.0")
    import yaml

    try:
        return str(yaml.safe_load(versions)["assets"]["kernel"]["version"]).removeprefix("v")
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{tree.versions}: no assets.kernel.version in it; say which kernel (version=)") from error
