"""JSON lines that differ only in their digits, read by columns instead of by a parser.

A template is made of one line that a real parser has accepted. Every byte of another line has to be the same
but for the digits of known fields, so a line that fits means what the first one meant.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np

from tsnlab.formats.chunk import Integers
from tsnlab.formats.digits import TIME_LENGTH, Mask, Rows, number, times

_NUMBER = re.compile(rb'"([a-z-]+)":(\d{1,18})(?=[,}])')
_NAMES = re.compile(rb'"names":\[("[^"\\]*"(?:,"[^"\\]*")*)\]')
_VALUES = re.compile(rb'"values":\[("[^"\\]*"(?:,"[^"\\]*")*)\]')
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z?")
_CHUNK = 1 << 11  # rows at a time, so that they stay in the processor's cache


class _Field(NamedTuple):
    """A field of the line: its column in the result, and its first byte and its number of bytes."""

    name: str
    start: int
    length: int


class Template:
    """What lines of `width` bytes look like."""

    def __init__(self, line: bytes, numbers: list[_Field], stamps: list[_Field]) -> None:
        self.width = len(line)
        self._numbers = numbers
        self._stamps = stamps
        self._line = np.frombuffer(line, np.uint8)
        self._fixed = np.full(len(line), 0xFF, dtype=np.uint8)
        for field in (*numbers, *stamps):
            self._fixed[field.start : field.start + field.length] = 0
        self._step = stamps[1].start - stamps[0].start if len(stamps) > 1 else TIME_LENGTH

    @classmethod
    def of(cls, line: bytes, number_names: Mapping[str, str], time_names: Mapping[str, str]) -> Self | None:
        """The template of a line, None if it is not of the plain form that nl-rx prints.

        Args:
            line: a line that is known to be a packet.
            number_names: the column of the result for each number.
            time_names: likewise for each time.
        """
        names, values = _NAMES.search(line), _VALUES.search(line)
        if names is None or values is None or line.count(b'"names"') != 1 or line.count(b'"values"') != 1:
            return None
        keys = [match[1].decode() for match in _NUMBER.finditer(line)]
        if len(set(keys)) != len(keys) or line.count(b":") != _colons(line, values):
            return None
        numbers = [
            _Field(number_names.get(match[1].decode(), ""), match.start(2), len(match[2]))
            for match in _NUMBER.finditer(line)
        ]
        stamps = _stamps(names[1], values[1], values.start(1), time_names)
        return None if stamps is None else cls(line, numbers, stamps)

    def read(self, rows: Rows) -> tuple[Mask, dict[str, Integers]]:
        """Which rows fit, shape (n,), and for all rows the columns; where a row does not fit, these mean nothing.

        Args:
            rows: shape (n, width).
        """
        fits = np.ones(len(rows), dtype=np.bool_)
        names = [field.name for field in (*self._numbers, *self._stamps) if field.name]
        columns = {name: np.zeros(len(rows), dtype=np.int64) for name in names}
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._read_part(rows[part], fits[part], {name: column[part] for name, column in columns.items()})
        return fits, columns

    def _read_part(self, rows: Rows, fits: Mask, columns: Mapping[str, Integers]) -> None:
        other = np.bitwise_xor(rows, self._line)
        other &= self._fixed
        if other.any():
            fits &= ~other.any(axis=1)
        for field in self._numbers:
            values, good = number(rows, field.start, field.length)
            fits &= good
            if field.length > 1:
                # JSON has no numbers with leading zeros
                fits &= rows[:, field.start] != ord("0")
            if field.name:
                fits &= values < 1 << 32
                columns[field.name][:] = values
        stamps, good = times(rows, self._stamps[0].start, len(self._stamps), self._step)
        fits &= good.all(axis=0)
        for field, values in zip(self._stamps, stamps, strict=True):
            if field.name:
                columns[field.name][:] = values


def _stamps(names: bytes, values: bytes, at: int, time_names: Mapping[str, str]) -> list[_Field] | None:
    """The fields of the timestamps; None if a value is not written as nl-rx writes it."""
    found = []
    listed, texts = names.split(b","), values.split(b",")
    if len(listed) != len(texts) or len(set(listed)) != len(listed):
        return None
    for name, text in zip(listed, texts, strict=True):
        if _TIME.fullmatch(text[1:-1]) is None:
            return None
        found.append(_Field(time_names.get(name[1:-1].decode("utf-8", "replace"), ""), at + 1, TIME_LENGTH))
        at += len(text) + 1
    known = [field.name for field in found if field.name]
    # with Z or without it, but all in the same way
    steps = {after.start - before.start for before, after in itertools.pairwise(found)}
    return found if len(set(known)) == len(known) and len(steps) <= 1 else None


def _colons(line: bytes, values: re.Match[bytes]) -> int:
    """How many colons a plain line has: one for each key, and two in each time."""
    times_written = 2 * len(_TIME.findall(values[1]))
    return len(re.findall(rb'"[a-z-]+":', line)) + times_written
