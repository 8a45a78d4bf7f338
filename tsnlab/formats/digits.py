"""Decimal digits in columns of bytes as integers, eight at a time, and times written in ISO 8601.

Eight ASCII digits in a 64-bit word become a number with three multiplications, whatever the number of rows
(Lemire, "Quickly parsing eight digits", 2018).
"""

from __future__ import annotations

import datetime
import functools

import numpy as np
import numpy.typing as npt

from tsnlab.formats.chunk import Integers

Rows = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

TIME_LENGTH = 29  # 2020-11-20T10:00:00.000000000
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_BILLION = 10**9


def word(rows: Rows, start: int) -> Words:
    """Eight columns of bytes from `start` on as little-endian words, shape (n,)."""
    words: Words = rows[:, start : start + 8].view(np.uint64)[:, 0].copy()
    return words


def number(rows: Rows, start: int, length: int) -> Integers:
    """The numbers in the `length` columns from `start`, which are known to be digits, up to 18.

    Args:
        rows: shape (n, width), bytes.
        start: the first column, with at least eight columns before the end of the digits.
        length: how many columns.
    """
    total = np.zeros(len(rows), dtype=np.int64)
    end = start + length
    while start < end:
        step = min(8, end - start)
        start += step
        words = word(rows, start - 8)
        if step < 8:
            # little-endian: what stands before the digits is in the low bytes; "0" takes its place
            words &= np.uint64((1 << 64) - (1 << (8 * (8 - step))))
        total = digits(words) if step == length else total * 10**step + digits(words)
    return total


def minutes(rows: Rows, start: int) -> tuple[Integers, Mask]:
    """Date, hour and minute of the times that begin at column `start`, in nanoseconds since 1970; whether they exist.

    The bytes are known to be digits where there have to be; neighbouring rows are mostly of the same minute.

    Args:
        rows: shape (n, width), bytes.
        start: the first column.

    Returns:
        Both of shape (1,) if all rows are of the same minute, else (n,).
    """
    date, rest = word(rows, start), word(rows, start + 8)  # "2020-11-", "20T10:00"
    changed = (date[1:] != date[:-1]) | (rest[1:] != rest[:-1])
    firsts = np.concatenate([[0], np.flatnonzero(changed) + 1])
    found = [_minute(date[first].tobytes() + rest[first].tobytes()) for first in firsts.tolist()]
    good = np.array([minute is not None for minute in found], dtype=np.bool_)
    values = np.array([minute or 0 for minute in found], dtype=np.int64)
    if len(firsts) == 1:
        return values, good
    lengths = np.diff(np.append(firsts, len(date)))
    return np.repeat(values, lengths), np.repeat(good, lengths)


def nanoseconds(rows: Rows, start: int) -> Integers:
    """Seconds and their decimals of the times that begin at column `start`, in nanoseconds.

    The bytes are known to be digits where there have to be, and eight columns follow the last decimal but two.
    """
    third = word(rows, start + 16)  # ":00.0000"; without the point, and with nothing for the colon: 00SSnnnn
    third = (third & np.uint64(0xFFFFFFFF00000000)) | ((third & np.uint64(0xFFFF00)) << np.uint64(8))
    fourth = word(rows, start + 24) << np.uint64(24)  # "00000" and three bytes of what follows
    values = digits(third)
    values *= 100_000
    values += digits(fourth)
    return values


def time_of(text: str) -> int:
    """A time in ISO 8601 with up to nine decimals, with or without Z, as nanoseconds since 1970.

    Raises:
        ValueError: it is not such a time, or none that int64 holds.
    """
    plain = text.removesuffix("Z")
    moment, _, decimals = plain.partition(".")
    if len(moment) != 19 or len(decimals) > 9 or (decimals and not (decimals.isascii() and decimals.isdigit())):
        raise ValueError(f"not a time: {text[:40]!r}")
    whole = datetime.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.UTC) - _EPOCH
    nanoseconds = (whole.days * 86_400 + whole.seconds) * _BILLION + int(decimals.ljust(9, "0") or 0)
    if not -(1 << 63) <= nanoseconds < 1 << 63:
        raise ValueError(f"not a time between 1678 and 2261: {text[:40]!r}")
    return nanoseconds


def time_text(nanoseconds: int) -> str:
    """A time in nanoseconds since 1970 as netlatency prints it."""
    seconds, fraction = divmod(nanoseconds, _BILLION)
    moment = _EPOCH + datetime.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}"


def digits(words: Words) -> Integers:
    """Eight ASCII digits, or zero bytes, in each word as a number."""
    words = words & np.uint64(0x0F0F0F0F0F0F0F0F)
    words *= np.uint64(2561)
    words >>= np.uint64(8)
    words &= np.uint64(0x00FF00FF00FF00FF)
    words *= np.uint64(6553601)
    words >>= np.uint64(16)
    words &= np.uint64(0x0000FFFF0000FFFF)
    words *= np.uint64(42949672960001)
    words >>= np.uint64(32)
    return words.view(np.int64)


@functools.lru_cache(maxsize=4096)
def _minute(text: bytes) -> int | None:
    try:
        return time_of(f"{text.decode('ascii')}:00")
    except ValueError:
        return None
