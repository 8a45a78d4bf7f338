"""JSON lines that differ only in their digits, read by columns instead of by a parser.

A template is made of one line that a real parser has accepted. Every byte of another line has to be the same
but for the digits of known fields, so a line that fits means what the first one meant.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Integers
from tsnlab.formats.digits import TIME_LENGTH, Mask, Rows, minutes, nanoseconds, number

Bytes = npt.NDArray[np.uint8]
Columns = dict[str, Integers]

_NUMBER = re.compile(rb'"([a-z-]+)":(\d{1,18})(?=[,}])')
_NAMES = re.compile(rb'"names":\[("[^"\\]*"(?:,"[^"\\]*")*)\]')
_VALUES = re.compile(rb'"values":\[("[^"\\]*"(?:,"[^"\\]*")*)\]')
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z?")
_LONGEST_TURN = 8
_TILE = 512  # rows at a time, as one long row, so that they stay in the processor's cache


class _Field(NamedTuple):
    """A field of the line: its column in the result, and its first byte and its number of bytes."""

    name: str
    start: int
    length: int


class _Bounds:
    """The least value that each byte of a row may have, and how much more it may be."""

    def __init__(self, low: Bytes, span: Bytes) -> None:
        self.width = len(low)
        self._one = low, span
        self._tile = np.tile(low, _TILE), np.tile(span, _TILE)

    def misfit(self, rows: Rows) -> Mask | None:
        """Which rows are out of bounds, shape (n,); None if none is. Up to `_TILE` contiguous ones."""
        low, span = self._tile if len(rows) == _TILE else self._one
        # below the least, the difference of unsigned bytes is large as well
        inside: Mask = (rows.reshape(-1, len(low)) - low) <= span
        if inside.all():
            return None
        misfit: Mask = ~np.asarray(inside.reshape(-1, self.width).all(axis=1))
        return misfit


class Template:
    """What lines of `width` bytes, with their end, look like: each byte lies within bounds, or the line is another."""

    def __init__(self, line: bytes, numbers: list[_Field], stamps: list[_Field]) -> None:
        self.width = len(line) + 1
        self._numbers = numbers
        self._stamps = stamps
        self._low = np.frombuffer(line + b"\n", np.uint8).copy()
        self._span = np.zeros(self.width, dtype=np.uint8)
        for field in numbers:
            self._allow(field.start, "0" * field.length, "9" * field.length)
            if field.length > 1:
                # JSON has no numbers with leading zeros
                self._allow(field.start, "1", "9")
        for field in stamps:
            self._allow(field.start, "0000-00-00T00:00:00.000000000", "9999-19-39T29:59:59.999999999")
        self.bounds = _Bounds(self._low, self._span)

    @property
    def limits(self) -> tuple[Bytes, Bytes]:
        """The least value of each byte, and how much more it may be."""
        return self._low, self._span

    @classmethod
    def of(cls, line: bytes, number_names: Mapping[str, str], time_names: Mapping[str, str]) -> Self | None:
        """The template of a line, None if it is not of the plain form that nl-rx prints.

        Args:
            line: a line, without its end, that is known to be a packet.
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
        if stamps is None or any(field.start + field.length < 8 for field in numbers):
            return None
        # a time is read in words of eight bytes
        return cls(line, numbers, stamps) if all(field.start + 32 <= len(line) + 1 for field in stamps) else None

    def within(self, rows: Rows) -> Mask:
        """Which rows have no byte out of bounds, shape (n,).

        Args:
            rows: shape (n, width), contiguous.
        """
        fits = np.ones(len(rows), dtype=np.bool_)
        done = 0
        for part in _parts(rows):
            misfit = self.bounds.misfit(part)
            if misfit is not None:
                fits[done : done + len(part)] = ~misfit
            done += len(part)
        return fits

    def read(self, rows: Rows, wanted: Collection[str], first_of: Sequence[str] = ()) -> tuple[Mask, Columns]:
        """Which of some rows that are `within` are lines of packets, shape (n,), and for all rows their columns.

        Args:
            rows: shape (n, width).
            wanted: names of the columns to read, as far as the line has them.
            first_of: further ones, of which only the first is needed that no row has as 0.
        """
        good = np.ones(len(rows), dtype=np.bool_)
        columns: Columns = {}
        for field in self._numbers:
            if field.name in wanted or (field.name and field.length > 9):
                values = columns[field.name] = number(rows, field.start, field.length)
                good &= values < 1 << 32
        begun = {}
        for field in self._stamps:
            begun[field], exists = minutes(rows, field.start)
            good &= exists
        known = {field.name: field for field in self._stamps}
        for name in (*wanted, *first_of):
            if name in known:
                values = columns[name] = nanoseconds(rows, known[name].start)
                values += begun[known[name]]
                if name in first_of and bool(values.all()):
                    break
        return good, {name: values for name, values in columns.items() if name in wanted or name in first_of}

    def _allow(self, start: int, low: str, high: str) -> None:
        bounds = np.frombuffer((low + high).encode(), np.uint8).reshape(2, -1)
        self._low[start : start + len(low)] = bounds[0]
        self._span[start : start + len(low)] = bounds[1] - bounds[0]


class Rhythm:
    """Lines of some templates that take turns, as those of several streams do; of one template, most of the time.

    Attributes:
        templates: in their order.
        width: bytes of a turn.
    """

    def __init__(self, templates: Sequence[Template]) -> None:
        self.templates = tuple(templates)
        self._bounds = _Bounds(
            *(np.concatenate(parts) for parts in zip(*(one.limits for one in templates), strict=True))
        )
        self.width = self._bounds.width

    @classmethod
    def of(cls, widths: Sequence[int], templates: Sequence[Template]) -> Self | None:
        """The rhythm in which lines of these widths came, if the last ones had any; the next line begins a turn."""
        for period in range(1, min(_LONGEST_TURN, len(widths) // 2) + 1):
            if widths[:-period] == widths[period:]:
                turn = [next((one for one in templates if one.width == width), None) for width in widths[-period:]]
                known = [one for one in turn if one is not None]
                return cls(known) if len(known) == period else None
        return None

    def leading(self, block: Bytes) -> list[Rows]:
        """The lines of each template in the turns that a block of bytes begins with, all of them within bounds.

        Args:
            block: shape (bytes,).

        Returns:
            For each template rows of shape (turns, its width).
        """
        rows = block[: len(block) // self.width * self.width].reshape(-1, self.width)
        turns = 0
        for part in _parts(rows):
            misfit = self._bounds.misfit(part)
            turns += len(part) if misfit is None else int(np.argmax(misfit))
            if misfit is not None:
                break
        ends = list(itertools.accumulate(one.width for one in self.templates))
        return [rows[:turns, end - one.width : end] for one, end in zip(self.templates, ends, strict=True)]


def _parts(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), _TILE):
        yield rows[start : start + _TILE]


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
