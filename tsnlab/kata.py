"""The guide's Step 2: Kata configured for a NIC to be passed in, and the container started with it.

Source: the guide, Step 2; kata-containers/kata-containers:docs/use-cases and docs/how-to.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tsnlab import kata_config
from tsnlab.errors import StepError
from tsnlab.hosts import Host
from tsnlab.hosts.container import ContainerHost, Engine
from tsnlab.kata_config import Version
from tsnlab.place import Place
from tsnlab.show.names import own
from tsnlab.steps import Doing, Step, Steps

CAPABILITIES = ("SYS_NICE", "SYS_TIME", "NET_ADMIN")
"""What the guide's container may do: real-time classes, steering the clock, qdiscs."""

_RUNTIMES = ("kata-runtime", "/opt/kata/bin/kata-runtime")
SHIM = "io.containerd.kata.v2"
"""How containerd, and docker since 23, call Kata since 2.0; 1.x is a runtime of docker's own, ``kata-runtime``."""


@dataclass(frozen=True)
class Container:
    """A container of the guide's.

    Attributes:
        group_file: of the NIC, ``/dev/vfio/16``.
        cpus: two in the guide, one of them for the talker alone.
        config: Kata's configuration file, which ctr and nerdctl have to be told.
    """

    group_file: str
    image: str = "kata_tsn_image"
    name: str = "tsn"
    engine: Engine = "docker"
    runtime: str = "kata-runtime"
    cpus: int = 2
    config: str | None = None

    def argv(self) -> list[str]:
        """The command that starts it; for docker and Kata 1.x word for word the guide's."""
        return self._ctr() if self.engine == "ctr" else self._docker()

    def remove_argv(self) -> list[str]:
        """The command that ends it, whatever state it is in."""
        if self.engine == "ctr":
            # deleting the task kills what runs in it; the container is only removable without one
            script = 'ctr tasks delete --force "$0"; ctr containers delete "$0"'
            return ["sh", "-c", script, self.name]
        return [self.engine, "rm", "--force", self.name]

    def _docker(self) -> list[str]:
        """Source: docker-run(1); nerdctl takes the same options."""
        capabilities = [word for name in CAPABILITIES for word in ("--cap-add", name)]
        return [
            *(["env", f"KATA_CONF_FILE={self.config}"] if self.config and self.engine == "nerdctl" else []),
            *(self.engine, "run", "-it", "-d", f"--runtime={self.runtime}", "--cpus", str(self.cpus), "--rm"),
            *("--device", self.group_file, "-v", "/dev:/dev", *capabilities),
            *("--name", self.name, self.image, "/bin/bash"),
        ]

    def _ctr(self) -> list[str]:
        """Source: `ctr run --help` of containerd 1.6; its names of capabilities have their prefix."""
        capabilities = [word for name in CAPABILITIES for word in ("--cap-add", f"CAP_{name}")]
        return [
            *("ctr", "run", "--detach", "--tty", "--cni", "--runtime", self.runtime),
            *(["--runtime-config-path", self.config] if self.config else []),
            *("--cpus", str(self.cpus), "--device", self.group_file),
            *("--mount", "type=bind,src=/dev,dst=/dev,options=rbind:rw", *capabilities),
            *(self.image, self.name, "/bin/bash"),
        ]


def version(host: Host) -> Version:
    """The version of Kata on a node.

    Raises:
        StepError: there is none.
    """
    for runtime in _RUNTIMES:
        result = host.run(["sh", "-c", '"$0" --version', runtime], check=False)
        if result.returncode == 0:
            return kata_config.parse_version(result.stdout)
    raise StepError(f"{host.name}: Kata is not installed: no {' or '.join(_RUNTIMES)} there")


def config_file(host: Host) -> str:
    """The configuration file that Kata reads on a node: the first there is.

    Raises:
        StepError: there is none.
    """
    for path in kata_config.FILES:
        if host.run(["test", "-f", path], check=False).returncode == 0:
            return path
    raise StepError(f"{host.name}: no configuration of Kata there; looked for {', '.join(kata_config.FILES)}")


def configure(lab: Place, node: str) -> Steps:
    """Lets Kata's guests have PCI devices; shows the difference in the file, whose former state is kept for the undo.

    Raises:
        StepError: Kata is not there, or the file is not as wanted when it is read again.
        ConfigError: the file cannot be understood.
    """
    doing = Doing(lab.host(node))
    release, path = version(doing.host), config_file(doing.host)
    before = doing.host.read_text(path)
    wanted = kata_config.edit(before, kata_config.settings(release), path)
    if wanted != before:
        kept = f"{path}.before-tsnlab"
        lab.journal.will_change(node, ["sh", "-c", '[ ! -e "$0" ] || mv -f "$0" "$1"', kept, path])
        doing.run(["cp", "-p", path, kept])
        doing.host.write_text(path, wanted)
        doing.commands.append(kata_config.diff(before, wanted, path))
    if doing.host.read_text(path) != wanted:
        raise StepError(f"{node}: {path} is not as it was written; is something else managing it?")
    state = "as installed" if doing.commands else "set for VFIO"
    name = f"Kata {'.'.join(map(str, release))}, {path}"
    return Steps("Kata's configuration", (Step(node, name, state, "set for VFIO", tuple(doing.commands)),))


def launch(lab: Place, node: str, container: Container) -> Steps:
    """Starts the container, unless one of its name is running.

    Raises:
        StepError: it does not start, or ends at once; says what it printed.
    """
    doing = Doing(lab.host(node))
    before = _state(doing.host, container)
    if before != "running":
        lab.journal.will_change(node, container.remove_argv())
        result = doing.host.run(container.argv(), check=False, timeout=120)
        if result.returncode:
            raise StepError(f"{node}: the container does not start: {result.stderr.strip()}\n{_remedy(result.stderr)}")
        doing.commands.append(shlex.join(container.argv()))
    after = _state(doing.host, container)
    if after != "running":
        raise StepError(
            f"{node}: the container {container.name} ended at once ({after}); run it without --rm and -d to see why,"
            " and see `journalctl -t kata` there"
        )
    return Steps("Kata container", (Step(node, f"container {container.name}", before, after, tuple(doing.commands)),))


def guest(lab: Place, node: str, container: Container, name: str = "guest") -> ContainerHost:
    """The container as a node of its own."""
    return ContainerHost(name, lab.host(node), container.engine, container.name)


def _state(host: Host, container: Container) -> str:
    if container.engine == "ctr":
        lines = host.run(["ctr", "tasks", "ls"]).stdout.splitlines()
        states = {line.split()[0]: line.split()[-1].lower() for line in lines if line.split()}
        return states.get(container.name, "not there")
    result = host.run([container.engine, "inspect", "-f", "{{.State.Status}}", container.name], check=False)
    return result.stdout.strip() if result.returncode == 0 else "not there"


def _remedy(stderr: str) -> str:
    known = {
        "nknown runtime": "what to do: register Kata as a runtime of the engine (the guide's drop-in of docker)",
        "nable to find image": "what to do: build the guide's image on the node",
        "Operation not permitted": "what to do: is the NIC bound to vfio-pci, and nobody else using its group?",
        "port is not set for device": "what to do: kata.configure sets hot_plug_vfio",
    }
    return next((remedy for words, remedy in known.items() if words in stderr), "what to do: see `journalctl -t kata`")


__dir__ = own(__name__)
