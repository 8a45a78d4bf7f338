"""Kernel configuration as data: fragments, the final .config, and the comparison of the two.

Everything here works on text that is given; nothing is read or run.
Source: the kernel's Documentation/kbuild/kconfig.rst and scripts/kconfig/merge_config.sh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape

from tsnlab.errors import ConfigError

NOT_SET = "n"

_ASSIGNED = re.compile(r"(CONFIG_\w+)=(.+)")
_UNSET = re.compile(r"# (CONFIG_\w+) is not set")
_MISSPELT_UNSET = re.compile(r"#\s*(CONFIG_\w+)\s.*\bnot set")
_VALUE = re.compile(r'[ymn]|-?\d+|0[xX][0-9a-fA-F]+|"[^"]*"')

NOTES: Mapping[str, str] = {
    "CONFIG_IGB": "the guide's I210; needs PCI, which user-mode Linux has only over virtio",
    "CONFIG_PCI": "user-mode Linux has PCI only over virtio (UML_PCI_OVER_VIRTIO)",
    "CONFIG_UML_PCI_OVER_VIRTIO_DEVICE_ID": "virtio has none for PCI; this one is for experiments",
    "CONFIG_UML_TIME_TRAVEL_SUPPORT": "virtual time; not offered together with the RAID 6 benchmark or SMP",
    "CONFIG_NETWORK_PHY_TIMESTAMPING": "no link of the virtual lab has a PHY",
    "CONFIG_PTP_1588_CLOCK_MOCK": "since Linux 6.6",
}
"""Why a symbol may not survive, or may mean less, on the virtual lab's target, user-mode Linux."""


@dataclass(frozen=True)
class SymbolRow:
    """One symbol: what the fragments ask for and what the final .config has.

    `requested` and `actual` are values as in a .config ("y", "m", a number, a quoted text), "n" if not set.
    """

    symbol: str
    requested: str
    actual: str
    note: str = ""

    @property
    def survived(self) -> bool:
        """Whether the symbol is as requested; a module counts where y was requested."""
        return self.actual == self.requested or (self.requested, self.actual) == ("y", "m")


@dataclass(frozen=True)
class SymbolTable:
    """All requested symbols, in the order of the fragments; shows itself as text and in a notebook."""

    rows: tuple[SymbolRow, ...] = ()

    @property
    def lost(self) -> tuple[SymbolRow, ...]:
        """The symbols that did not survive."""
        return tuple(row for row in self.rows if not row.survived)

    @property
    def summary(self) -> str:
        """How many of the requested symbols are in the kernel, in one line."""
        return f"{len(self.rows) - len(self.lost)} of {len(self.rows)} requested symbols are as requested"

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SymbolRow]:
        return iter(self.rows)

    def __str__(self) -> str:
        lines = [("symbol", "requested", "actual", "note"), *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    def _repr_html_(self) -> str:
        head = "<tr><th>symbol<th>requested<th>actual<th>note</tr>"
        return f"<table>{head}{''.join(map(_html_row, self.rows))}</table>"


def parse_config(text: str) -> dict[str, str]:
    """The symbols of a .config and their values, "n" for those that are not set."""
    return {symbol: value for line in text.splitlines() for symbol, value in _setting(line)}


def parse_fragment(text: str, name: str) -> dict[str, str]:
    """The symbols that a fragment asks for; a later line replaces an earlier one.

    Args:
        text: the fragment.
        name: its file name, for the error.

    Raises:
        ConfigError: a line that kconfig would ignore or reject; names file and line.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if not _is_well_formed(line):
            raise ConfigError(
                f"{name}:{number}: `{line.strip()}` is not a line of a kernel fragment; expected"
                " CONFIG_NAME=value (y, m, n, a number, a quoted text),"
                " `# CONFIG_NAME is not set`, or a comment on a line of its own"
            )
    return parse_config(text)


def merge(fragments: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all fragments together ask for; as with merge_config.sh, a later fragment wins."""
    return {symbol: value for fragment in fragments for symbol, value in fragment.items()}


def compare(requested: Mapping[str, str], actual: Mapping[str, str], notes: Mapping[str, str] = NOTES) -> SymbolTable:
    """Sets every requested symbol beside the final .config, with a note where one is known."""
    rows = [SymbolRow(symbol, value, actual.get(symbol, NOT_SET)) for symbol, value in requested.items()]
    return SymbolTable(tuple(replace(row, note=notes.get(row.symbol) or _usual_note(row)) for row in rows))


def dependencies(symbol: str, kconfig: str) -> list[str] | None:
    """What a Kconfig file says that a symbol depends on; None if the file does not define it.

    Conditions of an enclosing `if` block or menu are not looked for.
    """
    name = symbol.removeprefix("CONFIG_")
    entries = re.findall(rf"^(?:menu)?config[ \t]+{name}\n((?:[ \t]+.*\n|\n)*)", kconfig, re.MULTILINE)
    if not entries:
        return None
    joined = "\n".join(entries).replace("\\\n", " ")
    return [" ".join(found.split()) for found in re.findall(r"^\s+depends on (.+)", joined, re.MULTILINE)]


def _usual_note(row: SymbolRow) -> str:
    return "as a module" if row.actual == "m" else ""


def _setting(line: str) -> list[tuple[str, str]]:
    if found := _ASSIGNED.fullmatch(line.strip()):
        return [(found[1], found[2])]
    if found := _UNSET.fullmatch(line.strip()):
        return [(found[1], NOT_SET)]
    return []


def _is_well_formed(line: str) -> bool:
    line = line.strip()
    if found := _ASSIGNED.fullmatch(line):
        return _VALUE.fullmatch(found[2]) is not None
    if _MISSPELT_UNSET.fullmatch(line):
        return _UNSET.fullmatch(line) is not None
    return not line or line.startswith("#")


def _cells(row: SymbolRow) -> tuple[str, str, str, str]:
    shown = {NOT_SET: "not set"}
    mark = "" if row.survived else "  <- lost"
    return (
        row.symbol.removeprefix("CONFIG_"),
        shown.get(row.requested, row.requested),
        shown.get(row.actual, row.actual) + mark,
        row.note,
    )


def _html_row(row: SymbolRow) -> str:
    weight = "" if row.survived else ' style="font-weight:bold"'
    return f"<tr{weight}>" + "".join(f"<td>{escape(cell)}" for cell in _cells(row)) + "</tr>"
