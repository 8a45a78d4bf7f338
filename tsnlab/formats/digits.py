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
Mask = npt.NDArray[np.bool_]

TIME_LENGTH = 29  # 2020-11-20T10:00:00.000000000
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_BILLION = 10**9


def number(rows: Rows, start: int, length: int) -> tuple[Integers, Mask]:
    """The numbers in the columns from `start`, `length` of 1 to 18 digits; and whether all are digits.

    Args:
        rows: shape (n, width), bytes.
        start: the first column.
        length: how many columns.

    Returns:
        The numbers, int64, and a mask, both of shape (n,).
    """
    total = np.zeros(len(rows), dtype=np.int64)
    good = np.ones(len(rows), dtype=np.bool_)
    end = start + length
    while start < end:
        step = min(8, end - start)
        words, fine = _eight(rows, start, step)
        total = total * 10**step + words
        good &= fine
        start += step
    return total, good


def times(rows: Rows, start: int, count: int = 1, step: int = TIME_LENGTH) -> tuple[Integers, Mask]:
    """The times in the columns from `start`, as nanoseconds since 1970; and whether they are well formed.

    What netlatency prints: 2020-11-20T10:00:00.000000000, always 29 characters, without a time zone.

    Args:
        rows: shape (n, width), bytes.
        start: the first column.
        count: how many times there are in each row.
        step: how far apart these begin.

    Returns:
        The times, int64, and a mask, both of shape (count, n).
    """
    block = np.zeros((count, len(rows), 32), dtype=np.uint8)
    for place in range(count):
        piece = rows[:, start + place * step : start + place * step + 32]
        block[place, :, : piece.shape[1]] = piece
    # "2020-11-", "20T10:00", ":00.0000", "00000" and three bytes of what follows
    words = block.view(np.uint64).reshape(-1, 4)
    minutes, good = _minutes(words[:, :2])
    third = words[:, 2]
    good &= (third & np.uint64(0xFF0000FF)) == np.uint64(0x2E00003A)
    # without the point, and with 0 for the colon: 00SSnnnn
    third = (
        (third & np.uint64(0xFFFFFFFF00000000)) | ((third & np.uint64(0xFFFF00)) << np.uint64(8)) | np.uint64(0x3030)
    )
    seconds, fine = _digits(third)
    good &= fine & (seconds < 600_000)
    rest, fine = _digits((words[:, 3] << np.uint64(24)) | np.uint64(0x303030))
    good &= fine
    seconds *= 100_000
    seconds += rest
    seconds += minutes
    return seconds.reshape(count, -1), good.reshape(count, -1)


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


def _eight(rows: Rows, start: int, length: int) -> tuple[Integers, Mask]:
    """Up to eight digits; shorter numbers are read with what stands before them, which is shifted out."""
    before = min(8 - length, start)
    if before < 8 - length:
        return _one_by_one(rows, start, length)
    words = np.ascontiguousarray(rows[:, start - before : start + length]).view(np.uint64).ravel()
    # little-endian: what stands before is in the low bytes; "0" takes its place
    if before:
        keep = np.uint64((1 << 64) - (1 << (8 * before)))
        words = (words & keep) | (np.uint64(0x3030303030303030) & ~keep)
    return _digits(words)


def _digits(words: npt.NDArray[np.uint64]) -> tuple[Integers, Mask]:
    """Eight ASCII digits in each word as a number, and whether they are digits."""
    high = np.uint64(0xF0F0F0F0F0F0F0F0)
    above = (words + np.uint64(0x0606060606060606)) & high
    good = ((words & high) | (above >> np.uint64(4))) == np.uint64(0x3333333333333333)
    words = words & np.uint64(0x0F0F0F0F0F0F0F0F)
    words *= np.uint64(2561)
    words >>= np.uint64(8)
    words &= np.uint64(0x00FF00FF00FF00FF)
    words *= np.uint64(6553601)
    words >>= np.uint64(16)
    words &= np.uint64(0x0000FFFF0000FFFF)
    words *= np.uint64(42949672960001)
    words >>= np.uint64(32)
    return words.view(np.int64), good


def _one_by_one(rows: Rows, start: int, length: int) -> tuple[Integers, Mask]:
    total = np.zeros(len(rows), dtype=np.int64)
    good = np.ones(len(rows), dtype=np.bool_)
    for column in range(start, start + length):
        digit = rows[:, column].astype(np.int64) - ord("0")
        good &= (digit >= 0) & (digit <= 9)
        total = total * 10 + digit
    return total, good


def _minutes(words: npt.NDArray[np.uint64]) -> tuple[Integers, Mask]:
    """Date, hour and minute, two words each, as nanoseconds; neighbouring rows are mostly of the same minute."""
    changed = np.ones(len(words), dtype=np.bool_)
    changed[1:] = (words[1:, 0] != words[:-1, 0]) | (words[1:, 1] != words[:-1, 1])
    firsts = np.flatnonzero(changed)
    minutes = [_minute(words[first].tobytes()) for first in firsts.tolist()]
    good = np.array([minute is not None for minute in minutes], dtype=np.bool_)
    values = np.array([minute or 0 for minute in minutes], dtype=np.int64)
    lengths = np.diff(np.append(firsts, len(words)))
    return np.repeat(values, lengths), np.repeat(good, lengths)


@functools.lru_cache(maxsize=4096)
def _minute(text: bytes) -> int | None:
    try:
        return time_of(f"{text.decode('ascii')}:00")
    except ValueError:
        return None
