"""Kata's configuration.toml as text: which keys let a guest have a PCI device, and how they get into the file.

Everything here works on text that is given; nothing is read or run.
Source: kata-containers/runtime:cli/config/configuration-qemu.toml.in at 1.11.0;
kata-containers/kata-containers:src/runtime/config/configuration-qemu.toml.in since 3.2.0, and
src/runtime/pkg/katautils/config.go (sections of the keys, `decodeDropIns`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
import tomlkit.exceptions

from tsnlab.errors import ConfigError

Version = tuple[int, int, int]
Setting = str | int | bool
Settings = Mapping[str, Mapping[str, Setting]]
"""Keys and values by section; ``hypervisor`` is the one hypervisor that the file has a section for."""

PORTS_SINCE: Version = (3, 2, 0)
"""Since then ``hot_plug_vfio`` and ``cold_plug_vfio`` say where a device is plugged in, and nothing is by default."""

Q35_SINCE: Version = (2, 0, 0)
"""Since then the machine type is q35; before, it was pc."""

DROP_INS_SINCE: Version = (3, 0, 0)
"""Since then what lies in ``config.d`` beside the file overrides it, in the order of the names."""

DROP_IN = "zz-tsnlab.toml"
"""Our own; Kata reads every file of the folder, whatever its name ends with, and the last one wins."""

FILES = (
    "/etc/kata-containers/configuration.toml",
    "/usr/share/defaults/kata-containers/configuration.toml",
    "/opt/kata/share/defaults/kata-containers/configuration.toml",
)
"""Where Kata looks for its configuration if it does not say; it reads the first that is there, and no other."""


def parse_version(text: str) -> Version:
    """The version that ``kata-runtime --version`` tells.

    Raises:
        ConfigError: there is none in it.
    """
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise ConfigError(f"no version of Kata in {text!r}; expected something like `kata-runtime  : 1.11.0`")
    return int(found[1]), int(found[2]), int(found[3])


def settings(version: Version) -> Settings:
    """What a version of Kata has to be told, so that the guest gets the guide's NIC as a network interface.

    The I210's memory is small: a port on the bridge is enough, and no root port has to be there for it.
    """
    if version < Q35_SINCE:
        return {"hypervisor": {"machine_type": "pc", "hotplug_vfio_on_root_bus": True}}
    if version < PORTS_SINCE:
        return {"hypervisor": {"machine_type": "q35", "hotplug_vfio_on_root_bus": True, "pcie_root_port": 1}}
    return {
        "hypervisor": {"machine_type": "q35", "hot_plug_vfio": "bridge-port", "cold_plug_vfio": "no-port"},
        "runtime": {"vfio_mode": "guest-kernel"},
    }


def edit(text: str, wanted: Settings, where: str) -> str:
    """The configuration with the settings as wanted; every comment and every other line stays.

    A key that is there is changed, one that is only there as a comment (``#hotplug_vfio_on_root_bus = true``) takes
    the place of the comment, and any other is added at the end of the section.

    Args:
        where: name of the file, for messages.

    Raises:
        ConfigError: the text is not TOML, or has no section of a hypervisor.
    """
    before = _parse(text, where)
    named = hypervisor(before, where)
    for section, key, value in _each(wanted):
        if _get(before, section, key, named) != value:
            text = _set(text, _path(section, named), key, value)
    after = _parse(text, where)
    lost = [key for section, key, value in _each(wanted) if _get(after, section, key, named) != value]
    if lost:
        raise ConfigError(f"{where}: cannot set {', '.join(lost)} in [hypervisor.{named}]; is a key there twice?")
    return text


def drop_in(wanted: Settings, named: str) -> str:
    """A file for ``config.d`` with these settings and nothing else.

    Args:
        named: the hypervisor, ``qemu``.
    """
    lines = ["# written by tsnlab; what stands here overrides configuration.toml"]
    for section, keys in wanted.items():
        lines += ["", f"[{'.'.join(_path(section, named))}]"]
        lines += [f"{key} = {tomlkit.item(value).as_string()}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def unmet(files: Sequence[tuple[str, str]], wanted: Settings) -> dict[str, str]:
    """Those of the wanted keys that Kata would read another value for, each with the file that has the last word.

    Args:
        files: path and text of the configuration and of what is in ``config.d``, in the order in which Kata reads.

    Raises:
        ConfigError: one of them is not TOML, or the first has no section of a hypervisor.
    """
    contents = {path: _parse(text, path) for path, text in files}
    named = hypervisor(contents[files[0][0]], files[0][0])
    found = {}
    for section, key, value in _each(wanted):
        said = [(path, _get(content, section, key, named)) for path, content in contents.items()]
        said = [(path, there) for path, there in said if there is not None]
        if not said or said[-1][1] != value:
            found[key] = said[-1][0] if said else "nowhere"
    return found


def hypervisor(content: Mapping[str, Any], where: str) -> str:
    """The first hypervisor that a configuration has a section for.

    Raises:
        ConfigError: there is none.
    """
    for name in content.get("hypervisor", {}):
        return str(name)
    raise ConfigError(f"{where}: no section [hypervisor.…]; is it Kata's configuration?")


def hypervisor_of(text: str, where: str) -> str:
    """The same of a text.

    Raises:
        ConfigError: it is not TOML, or has no section of a hypervisor.
    """
    return hypervisor(_parse(text, where), where)


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomlkit.parse(text).unwrap()
    except tomlkit.exceptions.ParseError as error:
        raise ConfigError(f"{where}: not valid TOML: {error}") from error


def _each(wanted: Settings) -> list[tuple[str, str, Setting]]:
    return [(section, key, value) for section, keys in wanted.items() for key, value in keys.items()]


def _path(section: str, named: str) -> tuple[str, ...]:
    return (section, named) if section == "hypervisor" else (section,)


def _get(content: Mapping[str, Any], section: str, key: str, named: str) -> Setting | None:
    table: Any = content
    for word in _path(section, named):
        table = table.get(word, {})
    found: Setting | None = table.get(key)
    return found


def _set(text: str, path: Sequence[str], key: str, value: Setting) -> str:
    document = tomlkit.parse(text)
    table: Any = document
    for word in path:
        table = table.get(word, {})
    if key in table:
        table[key] = value
        return tomlkit.dumps(document)
    line = f"{key} = {tomlkit.item(value).as_string()}"
    span = _section(text, path)
    if span is None:
        return f"{text.rstrip()}\n\n[{'.'.join(path)}]\n{line}\n"
    start, end = span
    # the comment's line is the place that Kata's authors chose for it, under their explanation
    body, replaced = re.subn(rf"(?m)^#[ \t]*{key}[ \t]*=.*$", lambda _: line, text[start:end], count=1)
    return text[:start] + (body if replaced else f"{body.rstrip()}\n{line}\n\n") + text[end:]


def _section(text: str, path: Sequence[str]) -> tuple[int, int] | None:
    """Where the lines of a section begin and end; None without one."""
    head = re.search(rf"(?m)^\[{re.escape('.'.join(path))}\].*\n", text)
    if head is None:
        return None
    following = re.search(r"(?m)^\[", text[head.end() :])
    return head.end(), head.end() + following.start() if following else len(text)
