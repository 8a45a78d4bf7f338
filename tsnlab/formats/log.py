"""Files that hold no packets but series of numbers: logs of programs that say what they saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from tsnlab.errors import ConfigError
from tsnlab.formats.chunk import Damage, Integers

_LONGEST = 1 << 16
_MOST = 1 << 26  # of a document that can only be read as a whole


@dataclass(frozen=True)
class Series:
    """Numbers of one kind, in the order of the file.

    Attributes:
        unit: theirs.
        values: int64, shape (n,).
        keys: what they belong to (a sequence number, milliseconds of a clock), int64, shape (n,).
        key: what `keys` are.
    """

    unit: str
    values: Integers
    keys: Integers
    key: str


@dataclass
class Log:
    """What a log says: series by name, and single facts."""

    kind: str
    series: dict[str, Series] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    damage: Damage = field(default_factory=Damage)


class Collector:
    """Collects numbers line by line, and makes series of them."""

    def __init__(self, unit: str, key: str, other_units: Mapping[str, str] | None = None) -> None:
        """Units by the end of a name in `other_units`; `unit` for all others."""
        self.unit = unit
        self.key = key
        self._other_units = dict(other_units or {})
        self._values: dict[str, list[int]] = {}
        self._keys: dict[str, list[int]] = {}

    def add(self, name: str, key: int, value: int) -> None:
        """One number.

        Raises:
            ValueError: one of them does not fit 64 bits.
        """
        if not (-(1 << 63) <= key < 1 << 63 and -(1 << 63) <= value < 1 << 63):
            raise ValueError("a number of more than 64 bits")
        self._values.setdefault(name, []).append(value)
        self._keys.setdefault(name, []).append(key)

    def series(self) -> dict[str, Series]:
        """All series by name."""
        return {
            name: Series(self._unit(name), np.array(values, np.int64), np.array(self._keys[name], np.int64), self.key)
            for name, values in self._values.items()
        }

    def _unit(self, name: str) -> str:
        return next((unit for end, unit in self._other_units.items() if name.endswith(end)), self.unit)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of each line; a line of more than 64 KiB comes in pieces.

    Raises:
        ConfigError: the file cannot be opened.
    """
    with opened(path) as file:
        number = 0
        while line := file.readline(_LONGEST):
            number += 1
            yield number, line.decode("utf-8", "replace").rstrip("\r\n")


def document(path: Path) -> bytes:
    """A whole file that is not too large for that.

    Raises:
        ConfigError: it cannot be opened, or has more than 64 MiB.
    """
    with opened(path) as file:
        content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise ConfigError(f"{path}: more than {_MOST >> 20} MiB; such a document can only be read as a whole")
    return content


def opened(path: Path) -> IO[bytes]:
    """The file, to be read.

    Raises:
        ConfigError: it cannot be opened.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
