"""The guide's Step 2: Kata configured for a NIC to be passed in, the container started with it, and looked into.

Source: the guide, Step 2; kata-containers/kata-containers:docs/use-cases and docs/how-to.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tsnlab import kata_config, node_file, vfio
from tsnlab.errors import ConfigError, StepError
from tsnlab.hosts import Host
from tsnlab.hosts.container import ContainerHost, Engine
from tsnlab.kata_config import Version
from tsnlab.kata_engine import SHIM, register
from tsnlab.kata_proof import prove
from tsnlab.place import Place
from tsnlab.session import Lab
from tsnlab.steps import Doing, Step, Steps

__all__ = ["CAPABILITIES", "SHIM", "Container", "configure", "container", "guest", "launch", "prove", "register"]

CAPABILITIES = ("SYS_NICE", "SYS_TIME", "NET_ADMIN")
"""What the guide's container may do: real-time classes, steering the clock, qdiscs."""

_FOR_EVER = ("tail", "-f", "/dev/null")
"""What runs where there is no terminal: bash ends at once without one."""

_RUNTIMES = ("kata-runtime", "/opt/kata/bin/kata-runtime")

# 1.x and 2.x call the option by another name; a version that knows neither says nothing
_PATHS = '"$1" --show-default-config-paths 2>/dev/null || "$1" --kata-show-default-config-paths 2>/dev/null'


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
        """The command that ends it, whatever state it is in; that there is none is no error."""
        if self.engine == "ctr":
            # deleting the task kills what runs in it; the container is only removable without one
            script = 'ctr tasks delete --force "$0" 2>/dev/null; ctr containers delete "$0" 2>/dev/null || :'
            return ["sh", "-c", script, self.name]
        # one that has just ended may be being removed already
        script = f'{self.engine} rm --force "$0" || {{ sleep 1; ! {self.engine} inspect "$0" >/dev/null 2>&1; }}'
        return ["sh", "-c", script, self.name]

    def _docker(self) -> list[str]:
        """Source: docker-run(1); nerdctl takes the same options, but gives nothing that it detaches a terminal."""
        docker = self.engine == "docker"
        capabilities = [word for name in CAPABILITIES for word in ("--cap-add", name)]
        return [
            *(["env", f"KATA_CONF_FILE={self.config}"] if self.config and self.engine == "nerdctl" else []),
            *(self.engine, "run", *(["-it"] if docker else []), "-d"),
            *(f"--runtime={self.runtime}", "--cpus", str(self.cpus), "--rm"),
            *("--device", self.group_file, "-v", "/dev:/dev", *capabilities),
            *("--name", self.name, self.image, *(["/bin/bash"] if docker else _FOR_EVER)),
        ]

    def _ctr(self) -> list[str]:
        """Source: `ctr run --help` of containerd 1.6; its names of capabilities have their prefix."""
        capabilities = [word for name in CAPABILITIES for word in ("--cap-add", f"CAP_{name}")]
        return [
            *("ctr", "run", "--detach", "--cni", "--runtime", self.runtime),
            *(["--runtime-config-path", self.config] if self.config else []),
            *("--cpus", str(self.cpus), "--device", self.group_file),
            *("--mount", "type=bind,src=/dev,dst=/dev,options=rbind:rw", *capabilities),
            # ctr gives a terminal only to who has one
            *(self.image, self.name, *_FOR_EVER),
        ]


def container(lab: Lab, node: str) -> Container:
    """The container that a node of the lab file is, with the group that its NIC is in now.

    Raises:
        ConfigError: the node is not a container.
        StepError: the NIC is not there, or there is no IOMMU.
    """
    spec = lab.spec.nodes[node].container
    if spec is None:
        raise ConfigError(f"nodes.{node}: not a container in the lab file {lab.spec.name}")
    group_file = vfio.group_file(lab, spec.node, spec.passed_in)
    return Container(group_file, spec.image, spec.name, spec.engine, spec.runtime)


def version(host: Host) -> Version:
    """The version of Kata on a node.

    Raises:
        StepError: there is none, or it does not tell.
    """
    return _installed(host)[1]


def config_file(host: Host) -> str:
    """The configuration file that Kata reads on a node: of those that it names, the first there is.

    Raises:
        StepError: there is none.
    """
    said = host.run(["sh", "-c", _PATHS, "kata-paths", _installed(host)[0]], check=False).stdout.split()
    places = tuple(path for path in said if path.startswith("/")) or kata_config.FILES
    for path in places:
        if host.run(["test", "-f", path], check=False).returncode == 0:
            return path
    raise StepError(f"{host.name}: no configuration of Kata there; looked for {', '.join(places)}")


def configure(lab: Place, node: str, config: str | None = None) -> Steps:
    """Lets Kata's guests have PCI devices; shows the difference in the file, whose former state is kept for the undo.

    Since Kata 3 the file itself stays as it is, and one of our own in ``config.d`` beside it overrides it.

    Args:
        config: the configuration file; None for the one that Kata reads by itself.

    Raises:
        StepError: Kata is not there, or the file is not as wanted when it is read again.
        ConfigError: the file cannot be understood.
    """
    doing = Doing(lab.host(node))
    release, path = version(doing.host), config or config_file(doing.host)
    wanted = kata_config.settings(release)
    if release < kata_config.DROP_INS_SINCE:
        text = doing.host.read_text(path)
        node_file.write(lab, node, doing, path, kata_config.edit(text, wanted, path))
    else:
        _drop_in(lab, node, doing, path, wanted)
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
            f"{node}: the container {container.name} ended at once ({after})\nwhat to do: run it by hand without --rm"
            f" and -d to see why (is there a /bin/bash in {container.image}?), and see `journalctl -t kata` there"
        )
    return Steps("Kata container", (Step(node, f"container {container.name}", before, after, tuple(doing.commands)),))


def guest(lab: Place, node: str, container: Container, name: str = "guest") -> ContainerHost:
    """The container as a node of its own."""
    return ContainerHost(name, lab.host(node), container.engine, container.name)


def _installed(host: Host) -> tuple[str, Version]:
    for runtime in _RUNTIMES:
        result = host.run(["sh", "-c", '"$0" --version', runtime], check=False)
        if result.returncode == 0:
            try:
                return runtime, kata_config.parse_version(result.stdout)
            except ConfigError as error:
                raise StepError(f"{host.name}: `{runtime} --version`: {error}\nwhat to do: is it Kata's?") from error
    raise StepError(
        f"{host.name}: Kata is not installed: no {' or '.join(_RUNTIMES)} there\nwhat to do: install Kata Containers"
        " (the guide used 1.11.0), and see `tsnlab check`"
    )


def _drop_in(lab: Place, node: str, doing: Doing, path: str, wanted: kata_config.Settings) -> None:
    """Writes our file in ``config.d``, which is beside what a link to the configuration leads to."""
    resolved = doing.host.run(["readlink", "-f", path]).stdout.strip()
    folder = f"{resolved.rpartition('/')[0]}/config.d"
    if not kata_config.unmet(_files(doing.host, resolved, folder), wanted):
        return
    named = kata_config.hypervisor_of(doing.host.read_text(resolved), resolved)
    # what is kept for the undo must not lie in that folder: Kata would read it
    kept = f"{folder}/../{kata_config.DROP_IN}.before-tsnlab"
    text = kata_config.drop_in(wanted, named)
    node_file.write(lab, node, doing, f"{folder}/{kata_config.DROP_IN}", text, kept=kept)
    if others := kata_config.unmet(_files(doing.host, resolved, folder), wanted):
        listed = ", ".join(f"{key} by {file}" for key, file in others.items())
        raise StepError(f"{node}: overridden again: {listed}\nwhat to do: take it out there; Kata reads it last")


def _files(host: Host, path: str, folder: str) -> list[tuple[str, str]]:
    names = sorted(host.run(["ls", folder], check=False).stdout.splitlines())
    paths = [path, *(f"{folder}/{name}" for name in names)]
    return [(one, host.read_text(one)) for one in paths]


def _state(host: Host, container: Container) -> str:
    if container.engine == "ctr":
        result = host.run(["ctr", "tasks", "ls"], check=False)
        _check_engine(host, container.engine, result.returncode, result.stderr)
        states = {line.split()[0]: line.split()[-1].lower() for line in result.stdout.splitlines() if line.split()}
        return states.get(container.name, "not there")
    result = host.run([container.engine, "inspect", "-f", "{{.State.Status}}", container.name], check=False)
    _check_engine(host, container.engine, result.returncode, result.stderr)
    return result.stdout.strip() if result.returncode == 0 else "not there"


def _check_engine(host: Host, engine: str, status: int, stderr: str) -> None:
    if status == 127:
        raise StepError(
            f"{host.name}: there is no {engine}: {stderr.strip()}\nwhat to do: install it, or name another `engine` in"
            " the lab file (docker, nerdctl, ctr)"
        )
    if any(words in stderr for words in ("Cannot connect to the Docker daemon", "containerd.sock")):
        unit = "docker" if engine == "docker" else "containerd"
        raise StepError(f"{host.name}: {engine}: {stderr.strip()}\nwhat to do: `systemctl start {unit}` there")


def _remedy(stderr: str) -> str:
    known = {
        "nknown runtime": "what to do: kata.register tells the engine of Kata (the guide's drop-in of docker)",
        "nable to find image": "what to do: image.build makes the guide's image on the node",
        ": not found": "what to do: image.build makes the guide's image on the node",
        "Operation not permitted": "what to do: is the NIC bound to vfio-pci, and nobody else using its group?",
        "port is not set for device": "what to do: kata.configure sets hot_plug_vfio",
        "no such file or directory": "what to do: bind the NIC (vfio.bind), so that its group's file is there",
        "No space left on device": "what to do: make room on the node's disk (`df`, `docker system df`)",
        "cni plugin not initialized": "what to do: install the CNI plugins (containernetworking-plugins), and put a"
        " network into /etc/cni/net.d",
    }
    return next((remedy for words, remedy in known.items() if words in stderr), "what to do: see `journalctl -t kata`")


def __dir__() -> list[str]:
    return sorted(__all__)
