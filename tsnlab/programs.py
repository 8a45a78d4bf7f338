"""The programs that run on the nodes, brought to where they run: talker, listener, load and their like.

On a node that has this machine's files they are run as they are, by this Python. Elsewhere they go, all of them, into
one file that the node's own Python runs, named by what it contains: ``~/.tsnlab-HASH.pyz``. It is gone after an undo.

Source: The Python Standard Library, zipapp ("executable zip archives").
"""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from tsnlab import node
from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.session import Lab
from tsnlab.steps import Step, Steps

OLDEST = (3, 8)
"""The oldest Python that the programs run with."""

_FOLDER = Path(node.__file__).parent
# no site packages and no environment: the programs need the standard library only, and start fast
_PLAIN = ("-E", "-S")

_MAIN = """\
import runpy
import sys

runpy.run_module(sys.argv.pop(1)[: -len(".py")], run_name="__main__", alter_sys=True)
"""

# a file that somebody else has put there is not run, whatever it contains
_LOOK = """\
for python in python3 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 /usr/libexec/platform-python; do
  found=$("$python" -c 'import sys; print(*sys.version_info[:3], sep=".")' 2>/dev/null) || continue
  echo "found $found $python"
  "$python" -c "import sys; sys.exit(sys.version_info < ($2))" && break
done
for folder in "$HOME" /var/tmp /tmp; do
  [ -d "$folder" ] && [ -w "$folder" ] || continue
  file=$folder/.tsnlab-${1%"${1#????????????????}"}.pyz
  echo "file $file"
  if [ -e "$file" ] && [ ! -O "$file" ]; then echo "owner"; fi
  [ -e "$file" ] && sha256sum -- "$file" | sed 's/^/sum /'
  break
done
exit 0
"""


class _Takes(Protocol):
    """A host that files can be copied to."""

    def put(self, local: Path, path: str) -> None:
        """Copies a file to the node."""


def command(lab: Lab, where: str, name: str) -> list[str]:
    """The beginning of the command line of a node program, which is brought to the node if it is not there.

    Args:
        where: the node.
        name: of the program, ``talker.py``.

    Raises:
        StepError: the node has no Python, or none that is new enough; or nowhere to write.
        HostError, CommandError: it cannot be copied.
    """
    if shared(lab.host(where)):
        return [sys.executable, *_PLAIN, str(_FOLDER / name)]
    if where not in lab.programs:
        bring(lab, where)
    return [*lab.programs[where], name]


def shared(host: Host) -> bool:
    """Whether a node has this machine's files, and its Python."""
    return bool(getattr(host, "shares_files", False))


def bring(lab: Lab, *nodes: str) -> Steps:
    """Copies the programs to nodes that have them not.

    Raises:
        StepError, HostError, CommandError: see :func:`command`.
    """
    return Steps("Programs on the nodes", tuple(_bring(lab, where) for where in nodes if not shared(lab.host(where))))


def _bring(lab: Lab, where: str) -> Step:
    host = lab.host(where)
    content, digest = _packed()
    python, path, present = _look(host, digest)
    commands: tuple[str, ...] = ()
    if present != digest:
        lab.journal.will_change(where, ["rm", "-f", path])
        with tempfile.NamedTemporaryFile(prefix="tsnlab-programs-") as local:
            local.write(content)
            local.flush()
            cast(_Takes, host).put(Path(local.name), path)
        commands = (f"copy {path}",)
        present = _look(host, digest)[2]
    if present != digest:
        raise StepError(f"{where}: {path} is not what was copied; is there room on the disk (`df`)?")
    # the names of what it imports are not left behind beside it
    lab.programs[where] = [python, *_PLAIN, "-B", path]
    return Step(where, "programs", "there" if not commands else "not there", f"{path}, run by {python}", commands)


@cache
def _packed() -> tuple[bytes, str]:
    """All programs in one file that Python runs, the same to the bit every time; and its SHA-256."""
    buffer = io.BytesIO()
    parts = {path.name: path.read_bytes() for path in sorted(_FOLDER.glob("*.py")) if path.stem != "__init__"}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**parts, "__main__.py": _MAIN.encode()}.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue(), hashlib.sha256(buffer.getvalue()).hexdigest()


def _look(host: Host, digest: str) -> tuple[str, str, str]:
    """The node's Python, where the file belongs, and the digest of the one that is there, if there is one."""
    oldest = ", ".join(map(str, OLDEST))
    said = host.run(["sh", "-c", _LOOK, "programs", digest, oldest]).stdout.splitlines()
    versions = [line.split()[1:] for line in said if line.startswith("found ")]
    new = [path for version, path in versions if tuple(map(int, version.split(".")[:2])) >= OLDEST]
    wanted = ".".join(map(str, OLDEST))
    if not new:
        has = f"only {versions[0][1]}, version {versions[0][0]}" if versions else "no Python"
        raise StepError(f"{host.name}: has {has}; the programs need {wanted} or later: install python3 there")
    files = [line.removeprefix("file ") for line in said if line.startswith("file ")]
    if not files:
        raise StepError(f"{host.name}: neither its home folder nor /var/tmp nor /tmp can be written to")
    if "owner" in said:
        raise StepError(f"{host.name}: {files[0]} belongs to somebody else; look at it, and remove it")
    sums = [line.split()[1] for line in said if line.startswith("sum ")]
    return new[0], files[0], sums[0] if sums else ""
