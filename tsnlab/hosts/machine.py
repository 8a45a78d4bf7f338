"""What the hosts of real machines have in common: commands under a guard, as root if asked for, in the transcript."""

from __future__ import annotations

import secrets
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tsnlab.errors import CommandError, TsnlabError
from tsnlab.hosts.base import DEFAULT_TIMEOUT, LineHandler, Result
from tsnlab.hosts.piped import PipedProcess, Pipes
from tsnlab.hosts.sudo import Sudo
from tsnlab.hosts.transcript import Transcript

# A file is replaced as a whole, keeping owner and mode, so that a full disk cannot leave half of one behind;
# the files of the kernel's own file systems can only be written to.
_INSTALL = """\
file=$(readlink -f -- "$2") || exit
case $file in /sys/*|/proc/*|/dev/*) exec cat -- "$1" >"$file";; esac
if [ -e "$file" ]; then cp -p -- "$file" "$file.tsnlab" || exit; fi
if cat -- "$1" >"$file.tsnlab" && mv -f -- "$file.tsnlab" "$file"; then exit 0; fi
rm -f -- "$file.tsnlab"
exit 1
"""


class MachineHost(ABC):
    """A host that is a real machine (see :class:`tsnlab.hosts.base.Host`).

    Args:
        name: of the node.
        transcript: where its commands are recorded; the password of sudo is not part of a command.
        sudo: with it, commands run as root.
    """

    concurrent = True
    """Whether several threads may use several hosts of this kind at the same time."""

    over_network = False
    """Whether a change on the node may cut the connection to it."""

    def __init__(self, name: str, transcript: Transcript | None = None, sudo: Sudo | None = None) -> None:
        self.name = name
        self._transcript = transcript or Transcript(None)
        self._sudo = sudo

    @abstractmethod
    def _open(self, argv: Sequence[str]) -> Pipes:
        """Starts a command line as it is."""

    @abstractmethod
    def _send(self, local: Path, draft: str) -> None:
        """Copies a file to the node, as the user who is logged in."""

    @abstractmethod
    def _fetch(self, path: str, local: Path) -> None:
        """Copies a file that the user who is logged in can read."""

    def run(self, argv: Sequence[str], *, timeout: float = DEFAULT_TIMEOUT, check: bool = True) -> Result:
        """Runs a command to its end; see :class:`tsnlab.hosts.base.Host`.

        Raises:
            HostError: the node cannot be reached or the connection was lost.
        """
        started_ns, started = time.time_ns(), time.monotonic()
        result: Result | None = None
        try:
            result = self._run(argv, timeout)
        finally:
            self._transcript.add(
                self.name,
                argv,
                lab_time_ns=started_ns,
                returncode=None if result is None else result.returncode,
                seconds=time.monotonic() - started,
                stderr="" if result is None else result.stderr,
            )
        return result.check() if check else result

    def _run(self, argv: Sequence[str], timeout: float) -> Result:
        process = self._process(argv, None)
        try:
            return process.wait(timeout)
        except BaseException:
            process.kill()
            raise

    def start(self, argv: Sequence[str], on_line: LineHandler | None = None) -> PipedProcess:
        """Starts a command; it ends when the connection or the controlling process does."""
        self._transcript.add(self.name, argv, lab_time_ns=time.time_ns(), returncode=None, seconds=0.0)
        process = self._process(argv, on_line)
        try:
            process.wait_begun(DEFAULT_TIMEOUT)
        except BaseException:
            process.kill()
            raise
        return process

    def _process(self, argv: Sequence[str], on_line: LineHandler | None) -> PipedProcess:
        return PipedProcess(self.name, argv, self._open, self._sudo, on_line)

    def read_text(self, path: str) -> str:
        """The content of a file of the node."""
        return self.run(["cat", "--", path]).stdout

    def write_text(self, path: str, text: str) -> None:
        """Replaces the content of a file of the node, as a whole or not at all; owner and mode stay.

        Raises:
            CommandError: the file cannot be written; it is as it was.
        """
        with self._draft() as draft:
            with tempfile.NamedTemporaryFile() as local:
                local.write(text.encode())
                local.flush()
                self._send(Path(local.name), draft)
            self._install(draft, path)

    def put(self, local: Path, path: str) -> None:
        """Copies a file to the node, with progress; see :meth:`write_text`."""
        with self._draft() as draft:
            self._send(local, draft)
            self._install(draft, path)

    def get(self, path: str, local: Path) -> None:
        """Copies a file of the node here, with progress.

        Raises:
            CommandError: it cannot be read.
        """
        if self._sudo is None:
            self._fetch(path, local)
            return
        with self._draft() as draft:
            self.run(["sh", "-c", 'install -m 600 -o "$SUDO_UID" -- "$1" "$2"', "read", path, draft])
            self._fetch(draft, local)

    def _install(self, draft: str, path: str) -> None:
        result = self.run(["sh", "-c", _INSTALL, "write", draft, path], check=False)
        if result.returncode:
            remedy = "is there room on the disk (`df`), and may this user write there?"
            raise CommandError(self.name, ["write", path], result.returncode, result.stderr, remedy)

    @contextmanager
    def _draft(self) -> Iterator[str]:
        draft = f"/tmp/tsnlab-{secrets.token_hex(8)}"
        try:
            yield draft
        finally:
            self._forget(draft)

    def _forget(self, draft: str) -> None:
        try:
            self.run(["rm", "-f", "--", draft], check=False)
        except TsnlabError:
            # the error that brought us here says it already
            return
