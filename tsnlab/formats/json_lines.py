"""netlatency's lines as columns: by templates, as long as these fit, and by a real JSON parser what is left."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from tsnlab.formats.chunk import Damage, Integers
from tsnlab.formats.digits import Mask, time_of
from tsnlab.formats.json_template import Rhythm, Template
from tsnlab.formats.line_blocks import Bytes, Places, rows_of

Table = dict[str, Integers]

# what nl-rx prints since 2020, in its order, and the kernel's time of arrival as older ones called it
NAMES = {
    "interval-start": "interval_start",
    "tx-wakeup": "tx_wakeup",
    "tx-program": "tx_program",
    "tx-kernel-netsched": "tx_kernel_netsched",
    "tx-kernel-hardware": "tx_kernel_hardware",
    "rx-hardware": "rx_hardware",
    "rx-kernel-driver": "rx_kernel",
    "rx-program": "rx_program",
}
_OLDER = {
    "tx-kernel-driver": "tx_kernel_hardware",
    "rx-kernerl-driver": "rx_kernel",
    "tx-last-kernel-netsched": "last tx_kernel_netsched",
    "tx-last-kernel-driver": "last tx_kernel_hardware",
    "tx-last-kernel-hardware": "last tx_kernel_hardware",
}
SPELLINGS = {**NAMES, **_OLDER, "rx-kernel": "rx_kernel"}
NUMBERS = {"stream-id": "stream", "sequence-number": "seq", "interval-usec": "interval_us"}
COLUMNS = ("stream", "seq", "interval_us", *dict.fromkeys(SPELLINGS.values()))
_MOST_USELESS = 8
_MOST_TEMPLATES = 32
_FEW = 32  # lines that show in which rhythm they come
_FEW_BYTES = _FEW << 10
_STREAMS = 1 << 8


class Parser:
    """Makes columns of blocks of lines.

    Args:
        name: the file's, for `damage`.
        columns: which of `COLUMNS` to read.
        first_of: those of them of which only the first is needed that all lines of a block have.

    Attributes:
        errors: what the rx-error lines say: how many there are, and the sum of dropped packets.
        damage: lines that are none of netlatency's.
    """

    def __init__(self, name: str, columns: Collection[str], first_of: Sequence[str]) -> None:
        self.errors = {"lines": 0, "dropped_packets": 0}
        self.damage = Damage()
        self._name = name
        self._first_of = [one for one in first_of if one in columns]
        self._names = [one for one in COLUMNS if one in columns and one not in self._first_of]
        self._templates: list[Template] = []
        self._rhythm: Rhythm | None = None

    def parse(self, block: Bytes, first_line: int) -> Iterator[tuple[Table, int]]:
        """The packets of whole lines, and how many lines these are, in parts.

        Args:
            block: shape (bytes,), ends with a line end.
            first_line: the number of its first line.
        """
        looks = 0
        while len(block):
            found = self._turns(block)
            if found is None:
                # at first a look at some lines, for their rhythm; where that changes all the time, all lines at once
                end = _some_lines(block) if looks < _MOST_USELESS else len(block)
                looks += 1
                found = (*self._mixed(block[:end], first_line), end)
            table, lines, end = found
            yield table, lines
            first_line += lines
            block = block[end:]

    def _turns(self, block: Bytes) -> tuple[Table, int, int] | None:
        """The packets that a block begins with, in the present rhythm, how many, and how many bytes they take."""
        if self._rhythm is None:
            return None
        templates, parts = self._rhythm.templates, self._rhythm.leading(block)
        turns, each = len(parts[0]), len(templates)
        if turns * each < _FEW:
            return None
        table = self._table(turns * each)
        for place, (template, rows) in enumerate(zip(templates, parts, strict=True)):
            good, values = self._read(template, rows)
            if not good.all():
                return None
            for name, column in values.items():
                table[name] = column if each == 1 else table[name]
                table[name][place::each] = column
        return table, turns * each, turns * self._rhythm.width

    def _table(self, rows: int) -> Table:
        return {name: np.zeros(rows, dtype=np.int64) for name in (*self._names, *self._first_of)}

    def _mixed(self, block: Bytes, first_line: int) -> tuple[Table, int]:
        """The packets of whole lines of any lengths, and how many lines there are."""
        ends = np.flatnonzero(block == ord("\n"))
        starts = np.concatenate([[0], ends[:-1] + 1])
        lengths = ends - starts + 1
        table = self._table(len(starts))
        found = np.zeros(len(starts), dtype=np.bool_)
        for length in np.unique(lengths).tolist():
            if length > 1:
                chosen = np.flatnonzero(lengths == length)
                self._equal(rows_of(block, starts[chosen], length), chosen, table, found, first_line)
        self._rhythm = Rhythm.of(lengths[-_FEW:].tolist(), self._templates)
        if not found.all():
            table = {name: values[found] for name, values in table.items()}
        return table, len(starts)

    def _equal(self, rows: Bytes, places: Places, table: Table, found: Mask, first_line: int) -> None:
        """Lines of one length: by templates as long as these fit, and one by one what is left."""
        for template in [one for one in self._templates if one.width == rows.shape[1]]:
            if not len(rows):
                return
            left = self._apply(template, rows, places, table, found)
            rows, places = rows[left], places[left]
        useless = 0
        while len(rows):
            line = rows[0, :-1].tobytes()
            values = self.slow(line, first_line + int(places[0]))
            if values is not None:
                found[places[0]] = True
                for name in values.keys() & table.keys():
                    table[name][places[0]] = values[name]
            # lines that are all different must not each be compared with all others
            worth = values is not None and useless < _MOST_USELESS
            made = Template.of(line, NUMBERS, SPELLINGS) if worth else None
            rows, places = rows[1:], places[1:]
            if made is None or not len(rows):
                continue
            left = self._apply(made, rows, places, table, found)
            useless += bool(left.all())
            if not left.all():
                # worth keeping: it fitted more than the line it was made of
                self._templates = [made, *self._templates][:_MOST_TEMPLATES]
            rows, places = rows[left], places[left]

    def _apply(self, template: Template, rows: Bytes, places: Places, table: Table, found: Mask) -> Mask:
        """Takes the rows that a template fits; which are left."""
        fits = template.within(rows)
        if fits.any():
            good, values = self._read(template, rows if fits.all() else rows[fits])
            fits[fits] = good
            target = places[fits]
            for name, column in values.items():
                table[name][target] = column if good.all() else column[good]
            found[target] = True
        return ~fits

    def _read(self, template: Template, rows: Bytes) -> tuple[Mask, Table]:
        """The wanted columns of rows that a template fits, and which of these are packets."""
        good, values = template.read(rows, self._names, self._first_of)
        if "stream" in values:
            good &= values["stream"] < _STREAMS
        return good, values

    def slow(self, line: bytes, number: int) -> dict[str, int] | None:
        """One line with a real JSON parser; None if it is no packet."""
        if not line.strip():
            return None
        try:
            record = json.loads(line)
            kind, content = record["type"], record["object"]
            if kind == "rx-error":
                self.errors["lines"] += 1
                self.errors["dropped_packets"] += int(content.get("dropped-packets", 0))
                return None
            if kind != "rx-packet":
                return None
            return _packet(content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            self.damage.note(f"{self._name}: line {number}", f"not a line of netlatency: {error!r}"[:200])
            return None


def _packet(content: dict[str, Any]) -> dict[str, int]:
    values = {name: _whole(content[key]) for key, name in NUMBERS.items() if key in content or name == "seq"}
    if values.get("stream", 0) >= _STREAMS:
        raise ValueError(f"stream-id {values['stream']} does not fit the 8 bits it has in a frame")
    stamps = content["timestamps"]
    for name, text in zip(stamps["names"], stamps["values"], strict=False):
        if name in SPELLINGS:
            values[SPELLINGS[name]] = time_of(text)
    return values


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise ValueError(f"expected a whole number of 32 bits, not {value!r}"[:80])
    return value


def _some_lines(block: Bytes) -> int:
    """Where a few lines end that a block begins with."""
    ends = np.flatnonzero(block[:_FEW_BYTES] == ord("\n"))[:_FEW]
    return int(ends[-1]) + 1 if len(ends) else len(block)
