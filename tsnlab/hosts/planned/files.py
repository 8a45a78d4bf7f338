"""coreutils on an imagined node."""

from __future__ import annotations

import re

from tsnlab.hosts.planned.node import Answer, PlannedNode

_QUEUES = re.compile(r"/sys/class/net/([^/]+)/queues")


def exists(node: PlannedNode, path: str) -> bool:
    """Whether a file or folder is there: a file that was written, or a folder that has one."""
    return path in node.files or any(name.startswith(f"{path.rstrip('/')}/") for name in node.files)


def cat(node: PlannedNode, words: list[str]) -> Answer:
    """``cat FILE``."""
    found = [node.files.get(path) for path in words if path != "--"]
    if any(text is None for text in found):
        return Answer(status=1, err="No such file or directory\n")
    return Answer("".join(text for text in found if text is not None))


def cp(node: PlannedNode, words: list[str]) -> Answer:
    """``cp [-p] FROM TO``."""
    *_, source, target = words
    if source in node.files:
        node.files[target] = node.files[source]
    return Answer(changes=True)


def ls(node: PlannedNode, words: list[str]) -> Answer:
    """``ls FOLDER``; of /sys the transmit queues of an interface."""
    folder = next((word for word in words if not word.startswith("-")), ".").rstrip("/")
    if found := _QUEUES.fullmatch(folder):
        return Answer("".join(f"rx-{n}\ntx-{n}\n" for n in range(node.queues.get(found[1], 0))))
    names = {name[len(folder) + 1 :].partition("/")[0] for name in node.files if name.startswith(f"{folder}/")}
    return Answer("".join(f"{name}\n" for name in sorted(names))) if names else Answer(status=2)


def sha256sum(node: PlannedNode, words: list[str]) -> Answer:
    """``sha256sum FILE``, of files that were copied there."""
    found = node.sums.get(words[-1])
    return Answer(f"{found}  {words[-1]}\n") if found else Answer(status=1)


def readlink(node: PlannedNode, words: list[str]) -> Answer:
    """``readlink [-f] FILE``; nothing is a link."""
    return Answer(f"{words[-1]}\n")


def test(node: PlannedNode, words: list[str]) -> Answer:
    """``test -e FILE``, and the like."""
    if words[0] == "!":
        return Answer(status=1 - test(node, words[1:]).status)
    return Answer(status=0 if exists(node, words[-1]) else 1)
