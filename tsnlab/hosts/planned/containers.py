"""Container engines on an imagined node: a container that is started runs."""

from __future__ import annotations

import json

from tsnlab.hosts.planned.node import Answer, PlannedNode

_WITH_VALUE = ("-e", "-u", "-w", "--env", "--user", "--workdir")


def docker(node: PlannedNode, words: list[str]) -> Answer:
    """``docker|nerdctl run|inspect|rm|...``."""
    verb = words[0]
    if verb == "run" and "dpkg-query" in words:
        return Answer()
    if verb == "build":
        label = words[words.index("--label") + 1].split("=", 1)
        node.images[words[words.index("--tag") + 1]] = dict([label])
        return Answer(changes=True)
    if words[:2] == ["image", "inspect"]:
        labels = node.images.get(words[2])
        found = [{"Id": "sha256:of the image", "Config": {"Labels": labels}}]
        return Answer(status=1) if labels is None else Answer(json.dumps(found))
    if verb == "run":
        node.containers.add(words[words.index("--name") + 1] if "--name" in words else "unnamed")
        return Answer("0123456789ab\n", changes=True)
    if verb == "inspect" and "{{.State.Status}}" in words:
        return Answer("running\n") if words[-1] in node.containers else Answer(status=1, err="No such object\n")
    if verb == "exec":
        return _exec(node, words[1:])
    if verb == "rm":
        node.containers.discard(words[-1])
    if verb == "info" and "{{json .Runtimes}}" in words:
        told = "".join(text for path, text in node.files.items() if "docker" in path)
        return Answer(
            json.dumps({name: {} for name in ("runc", *(["kata-runtime"] if "kata-runtime" in told else []))})
        )
    if verb == "version" and "{{.Server.Version}}" in words:
        return Answer("19.03.8\n")
    if verb in ("inspect", "ps", "images", "image", "info", "version", "logs"):
        return Answer()
    return Answer(changes=True)


def _exec(node: PlannedNode, words: list[str]) -> Answer:
    """A command in a container that is a node of the lab."""
    from tsnlab.hosts.planned import tools

    while words[0].startswith("-"):
        words = words[2 if words[0] in _WITH_VALUE else 1 :]
    inside = node.inner.get(words[0])
    return tools.run(inside, words[1:]) if inside and words[0] in node.containers else Answer(changes=True)


def ctr(node: PlannedNode, words: list[str]) -> Answer:
    """``ctr run|tasks|...``."""
    if words[:1] == ["run"]:
        node.containers.add(words[-2])
        return Answer(changes=True)
    if words[:2] == ["tasks", "ls"]:
        return Answer("TASK PID STATUS\n" + "".join(f"{name} 4711 RUNNING\n" for name in sorted(node.containers)))
    return Answer(changes=True)
