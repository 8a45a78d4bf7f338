"""A container on another host: its commands go through the container engine there."""

from __future__ import annotations

import base64
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tsnlab.hosts.base import DEFAULT_TIMEOUT, Host, LineHandler, Process, Result
from tsnlab.progress import progress

Engine = Literal["docker", "nerdctl", "ctr"]

# Ending `docker exec` does not end what it has started, so a background command leaves its process group where the
# host can have it ended: by a second `exec`, when the first is told to end.
_INSIDE = 'setsid "$@" </dev/null & child=$!; echo "$child" >"$0"; wait "$child"; s=$?; rm -f "$0"; exit "$s"'
_END = 'read -r child <"$0" && kill -s TERM -- "-$child"; for i in 1 2 3 4 5 6 7 8 9 10; do ' + (
    'kill -s 0 -- "-$child" || exit 0; sleep 0.1; done; kill -s KILL -- "-$child"'
)
_OUTSIDE = "trap {end} TERM; {begin} & client=$!; wait $client; status=$?; wait $client 2>/dev/null; exit $status"

_CHUNK = 60_000  # of a file, for one command; in base64 less than the 128 KiB that one argument may have


class ContainerProcess:
    """A command that runs in a container (see :class:`tsnlab.hosts.base.Process`)."""

    def __init__(self, host: str, argv: Sequence[str], outer: Process) -> None:
        self.argv = tuple(argv)
        self._host = host
        self._outer = outer

    @property
    def returncode(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._outer.returncode

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""
        return self._outer.stderr

    def wait(self, timeout: float) -> Result:
        """Waits for its end; see :class:`tsnlab.hosts.base.Process`."""
        return replace(self._outer.wait(timeout), host=self._host, argv=self.argv)

    def stop(self, timeout: float = 10.0) -> Result:
        """Asks it to end (SIGTERM) and waits; one that has ended already is no error."""
        return replace(self._outer.stop(timeout), host=self._host, argv=self.argv)


class ContainerHost:
    """A container as a node (see :class:`tsnlab.hosts.base.Host`).

    Args:
        name: of the node.
        outer: the host that the container runs on; one that may use the container engine.
        engine: the engine's command.
        container: name or number of the container.
        namespace: containerd's, for nerdctl and ctr.
    """

    def __init__(self, name: str, outer: Host, engine: Engine, container: str, *, namespace: str | None = None) -> None:
        self.name = name
        self.concurrent = getattr(outer, "concurrent", False)
        self._outer = outer
        self._engine = engine
        self._container = container
        self._namespace = namespace

    def exec_argv(self, argv: Sequence[str]) -> list[str]:
        """The command of the outer host that runs a command in the container.

        Source: docker-exec(1); nerdctl's is the same; `ctr tasks exec --help`.
        """
        space = ["--namespace", self._namespace] if self._namespace else []
        if self._engine == "ctr":
            return ["ctr", *space, "tasks", "exec", "--exec-id", secrets.token_hex(8), self._container, *argv]
        return [self._engine, *space, "exec", self._container, *argv]

    def run(self, argv: Sequence[str], *, timeout: float = DEFAULT_TIMEOUT, check: bool = True) -> Result:
        """Runs a command to its end; see :class:`tsnlab.hosts.base.Host`."""
        result = self._outer.run(self.exec_argv(argv), timeout=timeout, check=False)
        inside = replace(result, host=self.name, argv=tuple(argv))
        return inside.check(self._remedy(result)) if check else inside

    def start(self, argv: Sequence[str], on_line: LineHandler | None = None) -> ContainerProcess:
        """Starts a command; it ends when the outer host's would."""
        file = f"/tmp/tsnlab-{secrets.token_hex(8)}"
        begin = shlex.join(self.exec_argv(["sh", "-c", _INSIDE, file, *argv]))
        end = shlex.join(self.exec_argv(["sh", "-c", _END, file]))
        script = _OUTSIDE.format(begin=begin, end=shlex.quote(f"{end} >/dev/null 2>&1"))
        return ContainerProcess(self.name, argv, self._outer.start(["sh", "-c", script], on_line))

    def read_text(self, path: str) -> str:
        """The content of a file of the container."""
        return self.run(["cat", path]).stdout

    def write_text(self, path: str, text: str) -> None:
        """Replaces the content of a file of the container."""
        self._write(path, text.encode(), f"{path} of {self.name}")

    def put(self, local: Path, path: str) -> None:
        """Copies a file into the container, with progress."""
        self._write(path, local.read_bytes(), f"{local.name} to {self.name}")

    def get(self, path: str, local: Path) -> None:
        """Copies a file out of the container."""
        local.write_bytes(base64.b64decode(self.run(["base64", path], timeout=300).stdout))

    def _write(self, path: str, content: bytes, title: str) -> None:
        # all engines can do this, while `ctr` has no copying
        draft = f"{path}.tsnlab"
        self.run(["sh", "-c", 'if [ -e "$1" ]; then cp -p "$1" "$0"; fi; : >"$0"', draft, path])
        with progress(len(content), title, "B") as bar:
            for start in range(0, len(content), _CHUNK):
                piece = content[start : start + _CHUNK]
                text = base64.b64encode(piece).decode()
                self.run(["sh", "-c", 'printf %s "$1" | base64 -d >>"$0"', draft, text])
                bar.update(len(piece))
        self.run(["mv", "-f", draft, path])

    def _remedy(self, result: Result) -> str:
        lost = ("No such container", "is not running", "no running task", "not found: container", "no such container")
        if not any(word in result.stderr for word in lost):
            return ""
        return (
            f"the container {self._container} is gone; see `{self._engine} logs {self._container}`, and start it again"
        )
