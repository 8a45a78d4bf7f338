"""Kata's configuration.toml as text: which keys let a guest have a PCI device, and how they get into the file.

Everything here works on text that is given; nothing is read or run.
Source: kata-containers/runtime:cli/config/configuration-qemu.toml.in at 1.11.0 and
kata-containers/kata-containers:src/runtime/config/configuration-qemu.toml.in since 3.2.0.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import tomlkit
import tomlkit.exceptions

from tsnlab.errors import ConfigError

Version = tuple[int, int, int]
Setting = str | int | bool

PORTS_SINCE: Version = (3, 2, 0)
"""Since then ``hot_plug_vfio`` and ``cold_plug_vfio`` say where a device is plugged in, and nothing is by default."""

Q35_SINCE: Version = (2, 0, 0)
"""Since then the machine type is q35; before, it was pc."""

FILES = (
    "/etc/kata-containers/configuration.toml",
    "/usr/share/defaults/kata-containers/configuration.toml",
    "/opt/kata/share/defaults/kata-containers/configuration.toml",
)
"""Where Kata looks for its configuration; it reads the first that is there, and of the others nothing."""


def parse_version(text: str) -> Version:
    """The version that ``kata-runtime --version`` tells.

    Raises:
        ConfigError: there is none in it.
    """
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise ConfigError(f"no version of Kata in {text!r}; expected something like `kata-runtime  : 1.11.0`")
    return int(found[1]), int(found[2]), int(found[3])


def settings(version: Version) -> dict[str, Setting]:
    """What a version of Kata has to be told, so that the guest gets the guide's NIC as a network interface.

    The I210's memory is small: a port on the bridge is enough, and no root port has to be there for it.
    """
    if version < Q35_SINCE:
        return {"machine_type": "pc", "hotplug_vfio_on_root_bus": True}
    if version < PORTS_SINCE:
        return {"machine_type": "q35", "hotplug_vfio_on_root_bus": True, "pcie_root_port": 1}
    plugs: dict[str, Setting] = {"hot_plug_vfio": "bridge-port", "cold_plug_vfio": "no-port"}
    return {"machine_type": "q35", **plugs, "vfio_mode": "guest-kernel"}


def edit(text: str, wanted: Mapping[str, Setting], where: str) -> str:
    """The configuration with the hypervisor's settings as wanted; every comment and every other line stays.

    A key that is there is changed, one that is only there as a comment (``#hotplug_vfio_on_root_bus = true``) takes
    the place of the comment, and any other is added at the end of the section.

    Args:
        where: name of the file, for messages.

    Raises:
        ConfigError: the text is not TOML, or has no section of a hypervisor.
    """
    before = _hypervisor(text, where)
    for key, value in wanted.items():
        if before[1].get(key) != value:
            text = _set(text, before[0], key, value)
    after = _hypervisor(text, where)[1]
    lost = [key for key, value in {**before[1], **wanted}.items() if after.get(key) != value]
    if lost:
        raise ConfigError(f"{where}: cannot set {', '.join(lost)} in [hypervisor.{before[0]}]; is a key there twice?")
    return text


def diff(before: str, after: str, where: str) -> str:
    """The lines that differ, as ``diff -u`` shows them."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), where, where, lineterm="", n=1)
    return "\n".join(lines)


def _hypervisor(text: str, where: str) -> tuple[str, dict[str, Any]]:
    """The first hypervisor of the file and its settings."""
    try:
        content = tomlkit.parse(text).unwrap()
    except tomlkit.exceptions.ParseError as error:
        raise ConfigError(f"{where}: not valid TOML: {error}") from error
    for name, table in content.get("hypervisor", {}).items():
        return name, dict(table)
    raise ConfigError(f"{where}: no section [hypervisor.…]; is it Kata's configuration?")


def _set(text: str, hypervisor: str, key: str, value: Setting) -> str:
    document = tomlkit.parse(text)
    section: Any = document["hypervisor"]
    if key in section[hypervisor]:
        section[hypervisor][key] = value
        return tomlkit.dumps(document)
    start, end = _section(text, hypervisor)
    line = f"{key} = {tomlkit.item(value).as_string()}"
    # the comment's line is the place that Kata's authors chose for it, under their explanation
    body, replaced = re.subn(rf"(?m)^#[ \t]*{key}[ \t]*=.*$", lambda _: line, text[start:end], count=1)
    return text[:start] + (body if replaced else f"{body.rstrip()}\n{line}\n\n") + text[end:]


def _section(text: str, hypervisor: str) -> tuple[int, int]:
    """Where the lines of a section begin and end."""
    head = re.search(rf"(?m)^\[hypervisor\.{re.escape(hypervisor)}\].*\n", text)
    start = head.end() if head else len(text)
    following = re.search(r"(?m)^\[", text[start:])
    return start, start + following.start() if following else len(text)
