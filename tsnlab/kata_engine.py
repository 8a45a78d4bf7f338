"""The container engine told of Kata: the guide's drop-in of docker, docker's own file, containerd's file.

Source: the guide, Step 2; dockerd(8), "runtimes"; kata-containers/kata-containers:docs/install (docker, containerd);
containerd's docs/cri/config.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

import tomlkit
import tomlkit.exceptions

from tsnlab import node_file
from tsnlab.errors import ConfigError, StepError
from tsnlab.hosts import Host
from tsnlab.place import Place
from tsnlab.steps import Doing, Step, Steps

SHIM = "io.containerd.kata.v2"
"""How containerd, and docker since 23, call Kata since 2.0; 1.x is a runtime of docker's own, ``kata-runtime``."""

DROP_IN = "/etc/systemd/system/docker.service.d/kata-containers.conf"
DROP_IN_TEXT = """\
[Service]
ExecStart=
ExecStart=/usr/bin/dockerd -D --add-runtime kata-runtime=/usr/bin/kata-runtime
"""
"""Word for word the guide's."""

DAEMON_JSON = "/etc/docker/daemon.json"
CONTAINERD = "/etc/containerd/config.toml"

How = Literal["drop-in", "daemon.json", "containerd"]

_RUNTIME = "kata-runtime"
_PATH = "/usr/bin/kata-runtime"
_SHIM_PROGRAM = "containerd-shim-kata-v2"
_SHIM_SINCE = 23
"""The first docker that calls containerd's shims by their names; numbered 22.06 while it was tried out."""


def register(lab: Place, node: str, runtime: str = _RUNTIME, how: How = "drop-in") -> Steps:
    """Has the node's container engine know Kata; the engine is started anew only if that changes anything.

    Args:
        runtime: ``kata-runtime`` for Kata 1.x, which docker has to be told of; ``io.containerd.kata.v2`` since 2.0,
            which docker 23 and containerd find by its name.
        how: ``drop-in`` is the guide's; ``daemon.json`` is docker's own file; ``containerd`` is for Kubernetes, which
            StarlingX has (ctr and nerdctl do not read that).

    Raises:
        StepError: the engine does not know Kata afterwards, or is too old for it.
        ConfigError: the engine's file cannot be understood.
    """
    doing = Doing(lab.host(node))
    if how == "containerd":
        return _done(node, CONTAINERD, _containerd(lab, node, doing), doing)
    if runtime == SHIM:
        return _done(node, _SHIM_PROGRAM, _find_shim(lab, node, doing), doing)
    path, text = DROP_IN, DROP_IN_TEXT
    if how == "daemon.json":
        path, text = DAEMON_JSON, daemon_json(node_file.read(doing.host, DAEMON_JSON), runtime)
    before = runtimes(doing.host)
    _change(lab, node, doing, "docker", path, text, known=runtime in before)
    after = runtimes(doing.host)
    if runtime not in after:
        raise StepError(
            f"{node}: docker was told of {runtime} by {path}, but knows only {', '.join(sorted(after))}\n"
            "what to do: see `systemctl cat docker`; another drop-in may come later and set ExecStart again"
        )
    return _done(node, path, "known" if runtime in before else "not known", doing)


def runtimes(host: Host) -> set[str]:
    """The runtimes that docker knows by name.

    Raises:
        CommandError: docker is not there, or its daemon does not run.
    """
    return set(json.loads(host.run(["docker", "info", "-f", "{{json .Runtimes}}"]).stdout or "{}"))


def daemon_json(text: str | None, runtime: str = _RUNTIME, path: str = _PATH) -> str:
    """Docker's own file with Kata 1.x among the runtimes; what else is in it stays.

    Raises:
        ConfigError: the text is not JSON.
    """
    content = _daemon(text)
    if content.get("runtimes", {}).get(runtime, {}).get("path") == path and text is not None:
        return text
    runtimes = {**content.get("runtimes", {}), runtime: {"path": path}}
    return json.dumps({**content, "runtimes": runtimes}, indent=2) + "\n"


def containerd_toml(text: str | None, config: str | None = None) -> str:
    """Containerd's file with Kata among the runtimes of its Kubernetes interface; comments stay.

    Args:
        config: Kata's configuration file, if it is not the one that Kata finds by itself.

    Raises:
        ConfigError: the text is not TOML.
    """
    try:
        document: Any = tomlkit.parse(text if text is not None else "version = 2\n")
    except tomlkit.exceptions.ParseError as error:
        raise ConfigError(f"{CONTAINERD}: not valid TOML: {error}") from error
    plugin = "io.containerd.cri.v1.runtime" if document.get("version", 1) >= 3 else "io.containerd.grpc.v1.cri"
    wanted: dict[str, Any] = {"runtime_type": SHIM, "privileged_without_host_devices": True}
    table = document
    for word in ("plugins", plugin, "containerd", "runtimes", "kata"):
        if word not in table:
            table[word] = tomlkit.table(is_super_table=word != "kata")
        table = table[word]
    for key, value in wanted.items():
        if table.get(key) != value:
            table[key] = value
    if config is not None and table.get("options", {}).get("ConfigPath") != config:
        table["options"] = {"ConfigPath": config}
    return tomlkit.dumps(document)


def _containerd(lab: Place, node: str, doing: Doing) -> str:
    there = node_file.read(doing.host, CONTAINERD)
    wanted = containerd_toml(there)
    _change(lab, node, doing, "containerd", CONTAINERD, wanted, known=True)
    dumped = doing.host.run(["containerd", "config", "dump"]).stdout
    if SHIM not in dumped:
        raise StepError(
            f"{node}: containerd does not know {SHIM} although {CONTAINERD} says it; see `containerd config dump`"
        )
    return "known" if there == wanted else "not known"


def _find_shim(lab: Place, node: str, doing: Doing) -> str:
    """Containerd looks for the shim on its PATH only; Kata's own archive unpacks it elsewhere."""
    said = doing.host.run(["docker", "version", "-f", "{{.Server.Version}}"], check=False).stdout
    found = re.match(r"(\d+)\.", said)
    if found and int(found[1]) < _SHIM_SINCE:
        raise StepError(
            f"{node}: docker {said.strip()} cannot call {SHIM}: it knows only runtimes of its own\nwhat to do: docker"
            f" {_SHIM_SINCE} or later, or `engine: nerdctl` or `ctr` in the lab file, or Kata 1.x as in the guide"
        )
    if doing.host.run(["sh", "-c", 'command -v "$0"', _SHIM_PROGRAM], check=False).returncode == 0:
        return "known"
    unpacked, link = f"/opt/kata/bin/{_SHIM_PROGRAM}", f"/usr/local/bin/{_SHIM_PROGRAM}"
    if doing.host.run(["test", "-x", unpacked], check=False).returncode:
        raise StepError(
            f"{node}: no {_SHIM_PROGRAM} on the PATH or in /opt/kata/bin\nwhat to do: install Kata 2.0 or later"
        )
    lab.journal.will_change(node, ["rm", "-f", link])
    doing.run(["ln", "-s", unpacked, link])
    return "not known"


def _change(lab: Place, node: str, doing: Doing, unit: str, path: str, text: str, *, known: bool) -> None:
    """Writes the file, and starts the engine anew if it has to read it."""
    same = node_file.read(doing.host, path) == text
    if same and known:
        return
    again = [["systemctl", "daemon-reload"], ["systemctl", "restart", unit]]
    # undone newest first: the file is back before the engine is started with it
    lab.journal.will_change(node, ["sh", "-c", " && ".join(" ".join(argv) for argv in again)])
    node_file.write(lab, node, doing, path, text)
    for argv in again:
        doing.run(argv)


def _daemon(text: str | None) -> Mapping[str, Any]:
    try:
        content = json.loads(text or "{}")
    except ValueError as error:
        raise ConfigError(f"{DAEMON_JSON}: not valid JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("runtimes", {}), dict):
        raise ConfigError(f"{DAEMON_JSON}: expected an object {{...}}, and `runtimes` to be one; got {content!r}")
    return content


def _done(node: str, what: str, before: str, doing: Doing) -> Steps:
    return Steps("Container engine", (Step(node, what, before, "known", tuple(doing.commands)),))
