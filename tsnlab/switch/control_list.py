"""A gate control list in the forms that the guide's card takes: a file for `tsntool`, and the bytes of its driver.

Source: kontron/kmod-tsnic-deip, deipce_fsc_sysfs.c; configurations of TTTech's `tsntool` (there is another program of
that name, NXP's).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

from tsnlab.errors import ConfigError
from tsnlab.schedule import Entry

_ROW = struct.Struct("<IBBH")
"""Interval in ns, operation (0 sets the gates), gates, padding; the byte order is the machine's, which is a PC."""

SECOND = 1_000_000_000


def to_tsntool(entries: Sequence[Entry]) -> str:
    """The file of ``tsntool st wrcl``."""
    return "".join(f"sgs {entry.interval_ns} 0x{entry.gate_mask:02X}\n" for entry in entries)


def to_bytes(entries: Sequence[Entry]) -> bytes:
    """The content of ``AdminControlList``."""
    return b"".join(_ROW.pack(entry.interval_ns, 0, entry.gate_mask, 0) for entry in entries)


def from_bytes(data: bytes) -> list[Entry]:
    """Reads ``AdminControlList`` or ``OperControlList``.

    Raises:
        ConfigError: it is not a whole number of rows.
    """
    if len(data) % _ROW.size:
        raise ConfigError(f"a control list of {len(data)} bytes is no whole number of rows of {_ROW.size}")
    return [Entry(gates, interval) for interval, _, gates, _ in _ROW.iter_unpack(data)]


def cycle_text(cycle_ns: int) -> str:
    """A cycle time as a fraction of a second: ``1/500``."""
    seconds = Fraction(cycle_ns, SECOND)
    return f"{seconds.numerator}/{seconds.denominator}"


def cycle_of(text: str) -> int:
    """The nanoseconds of a fraction of a second."""
    numerator, _, denominator = text.partition("/")
    return round(Fraction(int(numerator), int(denominator or 1)) * SECOND)


def time_text(instant_ns: int) -> str:
    """An instant as seconds and nanoseconds: ``1588055400.000000000``."""
    return f"{instant_ns // SECOND}.{instant_ns % SECOND:09}"


def time_of(text: str) -> int:
    """The nanoseconds of such a text, of which the part after the point may be shorter."""
    seconds, _, rest = text.partition(".")
    return int(seconds) * SECOND + int(f"{rest:0<9}"[:9])


def merged(entries: Sequence[Entry]) -> list[Entry]:
    """The list with neighbours of the same gates as one: how it was cut into rows does not matter."""
    found: list[Entry] = []
    for entry in entries:
        if found and found[-1].gate_mask == entry.gate_mask:
            found[-1] = Entry(entry.gate_mask, found[-1].interval_ns + entry.interval_ns)
        else:
            found.append(entry)
    return found
