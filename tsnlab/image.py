"""The guide's container image, built on the node whose engine starts it.

Source: the guide, "Build a container image with TSN stack"; docker-build(1).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from tsnlab.errors import ConfigError, StepError
from tsnlab.hosts import Host
from tsnlab.hosts.container import Engine
from tsnlab.paths import PARAMS
from tsnlab.place import Place
from tsnlab.show.names import own
from tsnlab.steps import Doing, Step, Steps

DOCKERFILE = PARAMS / "image/Dockerfile"

TAG = "kata_tsn_image"
BASE = "ubuntu:20.04"
PACKAGES = (
    *("iproute2", "net-tools", "pciutils", "ethtool", "linuxptp", "vlan", "libjansson4"),
    *("python3-dateutil", "python3-numpy", "python3-matplotlib"),
)
"""The guide's; Python comes with the last three, and tsnlab's own talker needs nothing more."""

RECORD = "image.json"
"""The file of a run folder that says what was built."""

_LABEL = "tsnlab.recipe"
_LONGEST_S = 1800.0

_REMEDIES = {
    "Unable to locate package": "is the package one of the base's distribution? see `packages`",
    "pull access denied": "the base is not on the node and not in the registry: `docker pull` or `docker load` it",
    "no such host": "the node has no internet: bring the base with `docker save` and `docker load`, or name a proxy",
    "Temporary failure resolving": "containers have no network while they are built: try network='host'",
    "network bridge not found": "the engine has no bridge: network='host'",
    "No space left on device": "make room on the node: `docker system df`, `docker system prune`",
}
"""What is to be done, by words of what the engine says."""


@dataclass(frozen=True, repr=False)
class Image(Steps):
    """The image, and what is in it.

    Attributes:
        tag, identity: its name and its digest.
        base, base_digest: what it was built from; the digest is the registry's, or the image's own if it is from none.
        packages: every package that is installed, with its version.
    """

    tag: str = TAG
    identity: str = ""
    base: str = BASE
    base_digest: str = ""
    packages: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{super().__str__()}\n  {self._facts()}"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{escape(name)}<td>{escape(version)}</tr>" for name, version in self.packages)
        return (
            f"{super()._repr_html_()}<p>{escape(self._facts())}</p>"
            f"<details><summary>{len(self.packages)} packages</summary><table>{rows}</table></details>"
        )

    def _facts(self) -> str:
        return f"{self.tag} {self.identity}, from {self.base} {self.base_digest}, {len(self.packages)} packages"


def build(
    lab: Place,
    node: str,
    *,
    tag: str = TAG,
    base: str = BASE,
    packages: Sequence[str] = PACKAGES,
    engine: Engine = "docker",
    network: str | None = None,
    dockerfile: Path = DOCKERFILE,
) -> Image:
    """Builds the image unless the node has it, built by the same recipe; records its digest and its packages.

    A former image of that name gets it back by the undo.

    Args:
        base: with a digest (``ubuntu@sha256:...``) it is the same for ever.
        network: of the containers that it is built in; None for the engine's usual.

    Raises:
        ConfigError: the engine cannot build.
        StepError: it cannot be built, or a package is not in it; says what to do.
    """
    if engine == "ctr":
        raise ConfigError("ctr cannot build images: build with docker, and `docker save ... | ctr images import -`")
    doing = Doing(lab.host(node))
    text = dockerfile.read_text(encoding="utf-8")
    recipe = sha256("\n".join([text, base, *packages]).encode()).hexdigest()
    before = _inspect(doing.host, engine, tag)
    if _recipe(before) != recipe:
        lab.journal.will_change(node, _undo(engine, tag, before))
        _build(doing, engine, tag, base, packages, network, text, recipe)
    after = _inspect(doing.host, engine, tag)
    step = Step(node, f"image {tag}", _words(before, recipe), "built by this recipe", tuple(doing.commands))
    installed = _packages(doing.host, engine, tag)
    if missing := sorted(set(packages) - {name for name, _ in installed}) if installed else []:
        raise StepError(
            f"{node}: image {tag} was built, but without {', '.join(missing)}; are these names of packages?"
        )
    image = Image(
        "Container image", (step,), tag, after.get("Id", ""), base, _digest(doing.host, engine, base), installed
    )
    _record(lab, image, engine, text)
    return image


def _build(
    doing: Doing,
    engine: Engine,
    tag: str,
    base: str,
    packages: Sequence[str],
    network: str | None,
    text: str,
    recipe: str,
) -> None:
    folder = f"/tmp/tsnlab-image-{recipe[:16]}"
    doing.run(["mkdir", "-p", folder])
    doing.host.write_text(f"{folder}/Dockerfile", text)
    options = ["--build-arg", f"BASE={base}", "--build-arg", f"PACKAGES={' '.join(packages)}"]
    options += ["--network", network] if network else []
    argv = [engine, "build", "--tag", tag, "--label", f"{_LABEL}={recipe}", *options, folder]
    result = doing.host.run(argv, check=False, timeout=_LONGEST_S)
    doing.commands.append(shlex.join(argv))
    doing.host.run(["rm", "-rf", folder])
    if result.returncode:
        words = f"{result.stdout}\n{result.stderr}"
        remedy = next(
            (text for known, text in _REMEDIES.items() if known in words), f"is {engine} installed and running?"
        )
        end = "\n".join(f"  {line}" for line in words.strip().splitlines()[-12:])
        raise StepError(f"{doing.host.name}: image {tag} cannot be built from {base}:\n{end}\nwhat to do: {remedy}")


def _inspect(host: Host, engine: Engine, name: str) -> dict[str, Any]:
    result = host.run([engine, "image", "inspect", name], check=False)
    if result.returncode == 127:
        raise StepError(f"{host.name}: there is no {engine}\nwhat to do: install it, or name another `engine`")
    found = json.loads(result.stdout or "[]") if result.returncode == 0 else []
    return found[0] if found else {}


def _recipe(inspected: dict[str, Any]) -> str | None:
    labels = (inspected.get("Config") or {}).get("Labels") or {}
    return labels.get(_LABEL)


def _words(inspected: dict[str, Any], recipe: str) -> str:
    if not inspected:
        return "not there"
    return "built by this recipe" if _recipe(inspected) == recipe else "another image of that name"


def _undo(engine: Engine, tag: str, before: dict[str, Any]) -> list[str]:
    if before:
        return [engine, "tag", before["Id"], tag]
    # the layers below it stay, so that building it again takes no time
    options = "--no-prune" if engine == "docker" else ""
    return ["sh", "-c", f'! {engine} image inspect "$0" >/dev/null 2>&1 || {engine} rmi {options} "$0"', tag]


def _digest(host: Host, engine: Engine, name: str) -> str:
    found = _inspect(host, engine, name)
    digests = found.get("RepoDigests") or []
    return str(digests[0].rpartition("@")[2] if digests else found.get("Id", ""))


def _packages(host: Host, engine: Engine, tag: str) -> tuple[tuple[str, str], ...]:
    """What dpkg knows in the image; nothing where there is none."""
    ask = ["-W", "-f", "${Package} ${Version}\n"]
    result = host.run(
        [engine, "run", "--rm", "--network", "none", "--entrypoint", "dpkg-query", tag, *ask], check=False
    )
    rows = [line.split() for line in result.stdout.splitlines()] if result.returncode == 0 else []
    return tuple((row[0], row[1]) for row in rows if len(row) == 2)


def _record(lab: Place, image: Image, engine: str, text: str) -> None:
    folder: Path | None = getattr(lab, "folder", None)
    if folder is None:
        return
    content = {key: value for key, value in asdict(image).items() if key not in ("title", "steps")}
    content |= {"engine": engine, "dockerfile": text, "packages": dict(image.packages)}
    (folder / RECORD).write_text(json.dumps(content, indent=1), encoding="utf-8")


__dir__ = own(__name__)
