"""JSON lines that differ only in their digits, read by columns instead of by a parser.

A template is made of one line that a real parser has accepted. Every byte of another line has to be the same
but for the digits of known fields, so a line that fits means what the first one meant.
"""

from __future__ import annotations

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
        fixed = np.ones(len(line), dtype=np.bool_)
        for field in (*numbers, *stamps):
            fixed[field.start : field.start + field.length] = False
        self._same = [(start, end, np.frombuffer(line, np.uint8)[start:end]) for start, end in _spans(fixed)]

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
        for start, end, same in self._same:
            piece = rows[:, start:end]
            if end - start == 1:
                fits &= piece[:, 0] == same[0]
            elif not np.array_equal(piece, np.broadcast_to(same, piece.shape)):
                fits &= (piece == same).all(axis=1)
        for field in self._numbers:
            values, good = number(rows, field.start, field.length)
            fits &= good
            if field.length > 1:
                # JSON has no numbers with leading zeros
                fits &= rows[:, field.start] != ord("0")
            if field.name:
                fits &= values < 1 << 32
                columns[field.name][:] = values
        for field in self._stamps:
            values, good = times(rows, field.start)
            fits &= good
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
    return found if len(set(known)) == len(known) else None


def _colons(line: bytes, values: re.Match[bytes]) -> int:
    """How many colons a plain line has: one for each key, and two in each time."""
    times_written = 2 * len(_TIME.findall(values[1]))
    return len(re.findall(rb'"[a-z-]+":', line)) + times_written


def _spans(mask: Mask) -> list[tuple[int, int]]:
    """(start, end) of each row of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
